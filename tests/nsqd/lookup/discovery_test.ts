import { assert, assertEquals, assertRejects } from "@std/assert";
import { isIP } from "node:net";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeLookupd } from "../../support/fake_lookupd.ts";
import { mpub, pub } from "../../support/frames.ts";
import {
  countsOf,
  nsqdIn,
  type NsqdInProcess,
  withDataPath,
  withNsqd,
} from "../../support/nsqd_in_process.ts";

interface Setup {
  readonly nsqd: NsqdInProcess;
  readonly lookupd: FakeLookupd;
  /** Answers what channels there are elsewhere. */
  readonly answer: (...channels: readonly string[]) => void;
}

/** A test with an nsqd that knows one nsqlookupd, which `holds` back what channels a topic has until it is told. */
function discoveryTest(
  name: string,
  test: (setup: Setup) => Promise<void>,
  given: { readonly options?: Partial<NsqdOptions>; readonly holds?: string } = {},
): void {
  Deno.test(name, () =>
    withDataPath(async (dataPath) => {
      const answer = Promise.withResolvers<readonly string[]>();
      await using lookupd = new FakeLookupd({
        channels: async (topic) =>
          Response.json({ channels: topic === given.holds ? await answer.promise : [] }),
      });
      const options = { lookupdTcpAddresses: [lookupd.address], ...given.options };
      await withNsqd(
        dataPath,
        options,
        (nsqd) => test({ nsqd, lookupd, answer: (...channels) => answer.resolve(channels) }),
      );
    }));
}

/** The topic's channels with their depths, sorted. */
function depths({ nsqd }: NsqdInProcess, topic: string): string[] {
  const channels = nsqd.broker.topics.get(topic)?.channels.values() ?? [];
  return [...channels].map(({ name, depth }) => `${name}: ${depth}`).sort();
}

discoveryTest("Nsqd registers topics and channels as they come and go", async ({ nsqd, lookupd }) => {
  const { broker } = nsqd.nsqd;
  await eventually("introduction", () => nsqd.lines.some((line) => line.includes("peer info")));

  broker.topic("t").channel("c");
  await eventually("registration", () => lookupd.requests.length === 2);
  broker.topic("brief#ephemeral").channel("c#ephemeral");
  await eventually("registration", () => lookupd.requests.length === 4);
  broker.topics.get("t")?.deleteChannel("c");
  await eventually("its end", () => lookupd.requests.length === 5);
  broker.deleteTopic("t");
  await eventually("its end", () => lookupd.requests.length === 6);
  // With it the topic goes, too.
  broker.topics.get("brief#ephemeral")?.deleteChannel("c#ephemeral");
  await eventually("their end", () => lookupd.requests.length === 8);

  assertEquals(lookupd.requests.slice(0, 6), [
    "REGISTER t",
    "REGISTER t c",
    "REGISTER brief#ephemeral",
    "REGISTER brief#ephemeral c#ephemeral",
    "UNREGISTER t c",
    "UNREGISTER t",
  ]);
  assertEquals(lookupd.requests.slice(6).sort(), [
    "UNREGISTER brief#ephemeral",
    "UNREGISTER brief#ephemeral c#ephemeral",
  ]);
});

discoveryTest("Nsqd tells nsqlookupd where it listens", async ({ nsqd, lookupd }) => {
  await eventually("introduction", () => lookupd.identities.length === 1);

  assertEquals(lookupd.identities, [{
    broadcast_address: "nsqd.example",
    hostname: Deno.hostname(),
    http_port: nsqd.nsqd.httpPort,
    tcp_port: nsqd.nsqd.tcpPort,
    topology_region: "",
    topology_zone: "",
    version: "1.3.0",
  }]);
}, { options: { broadcastAddress: "nsqd.example" } });

discoveryTest("Nsqd says at its start what it advertises", ({ nsqd }) => {
  const { httpPort } = nsqd.nsqd;

  const line = `INFO: NSQ: advertising nsqd.example:1111 (TCP), nsqd.example:${httpPort} (HTTP)`;
  assertEquals(nsqd.lines.filter((each) => each.includes("advertising")), [line]);
  return Promise.resolve();
}, { options: { broadcastAddress: "nsqd.example", broadcastTcpPort: 1111 } });

discoveryTest("Nsqd finds out its address with --broadcast-address=auto", async ({ nsqd, lookupd }) => {
  await eventually("introduction", () => lookupd.identities.length === 1);

  const { broadcast_address: address } = lookupd.identities[0] as { readonly broadcast_address: string };
  assert(isIP(address) > 0 && !address.startsWith("127."), address);
  const response = await fetch(`${nsqd.httpUrl}/info`);
  assertEquals((await response.json()).broadcast_address, address);
}, { options: { broadcastAddress: "auto" } });

discoveryTest("Nsqd takes other addresses of nsqlookupds at run time", async ({ nsqd, lookupd }) => {
  await using other = new FakeLookupd();
  nsqd.nsqd.broker.topic("t");
  await eventually("registration", () => lookupd.requests.includes("REGISTER t"));

  const response = await fetch(`${nsqd.httpUrl}/config/nsqlookupd_tcp_addresses`, {
    method: "PUT",
    body: JSON.stringify([other.address]),
  });
  assertEquals(await response.json(), [other.address]);

  await eventually("registration", () => other.requests.includes("REGISTER t"));
  await eventually("the other is left", () => lookupd.openConnections === 0);
});

discoveryTest(
  "Nsqd keeps a new topic's messages until its channels elsewhere are known",
  async ({ nsqd, lookupd, answer }) => {
    using client = await nsqd.connect();

    assertEquals(await client.ask(pub("t", "first")), "OK");
    assertEquals(await client.ask(mpub("t", ["second", "third"])), "OK");
    await eventually("the query", () => lookupd.queries.length === 1);
    nsqd.nsqd.broker.topic("t").channel("own");
    assertEquals(depths(nsqd, "t"), ["own: 0"]);
    assertEquals(nsqd.nsqd.broker.topic("t").depth, 3);
    answer("one", "two", "brief#ephemeral");
    await eventually("the channels", () => depths(nsqd, "t").length === 3);

    assertEquals(depths(nsqd, "t"), ["one: 3", "own: 3", "two: 3"]);
    assertEquals(nsqd.nsqd.broker.topic("t").depth, 0);
    assertEquals(lookupd.queries, ["t"]);
  },
  { holds: "t" },
);

discoveryTest(
  "Nsqd serves its other topics while it waits for the channels of a new one",
  async ({ nsqd, lookupd, answer }) => {
    await eventually("introduction", () => lookupd.identities.length === 1);
    using client = await nsqd.connect();
    using consumer = await nsqd.connect();
    await client.ask(pub("waits", "x"));
    await eventually("the query", () => lookupd.queries.includes("waits"));

    assertEquals(await consumer.ask("SUB ready c\n"), "OK");
    await consumer.send("RDY 1\n");
    await client.ask(pub("ready", "y"));

    assertEquals((await consumer.message()).body, "y");
    answer();
    await eventually("the start", () => nsqd.nsqd.broker.topic("waits").channel("c").depth === 1);
  },
  { holds: "waits" },
);

discoveryTest(
  "Nsqd forgets the channels of a topic that was deleted while they were asked for",
  async ({ nsqd, lookupd, answer }) => {
    const { broker } = nsqd.nsqd;
    const first = broker.topic("t");
    await eventually("the query", () => lookupd.queries.length === 1);
    broker.deleteTopic("t");

    answer("c");
    await eventually("the end of the query", () => !nsqd.nsqd.runningTasks().includes("channels of t"));

    assertEquals([...first.channels.keys()], []);
    assertEquals(broker.topics.size, 0);
  },
  { holds: "t" },
);

Deno.test("Nsqd stops at once while channels are asked for, and keeps the topic's messages", async () => {
  await withDataPath(async (dataPath) => {
    await using lookupd = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
    const lookupdTcpAddresses = [lookupd.address];
    await withNsqd(dataPath, { lookupdTcpAddresses }, async (nsqd) => {
      using client = await nsqd.connect();
      assertEquals(await client.ask(pub("t", "kept")), "OK");
      nsqd.nsqd.broker.topic("t").channel("c");
      await eventually("the query", () => lookupd.queries.length === 1);
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd does not ask for the channels of topics that it had before", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, (nsqd) => {
      nsqd.nsqd.broker.topic("t").channel("c");
      return Promise.resolve();
    });
    await using lookupd = new FakeLookupd();
    await withNsqd(dataPath, { lookupdTcpAddresses: [lookupd.address] }, async () => {
      await eventually("registration", () => lookupd.requests.length === 1);
    });

    assertEquals(lookupd.requests, ["REGISTER t c"]);
    assertEquals(lookupd.queries, []);
  });
});

Deno.test("Nsqd starts new topics at once when no nsqlookupd can be asked", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { lookupdTcpAddresses: ["nowhere"] }, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask(pub("t", "x"));
      nsqd.nsqd.broker.topic("t").channel("c");

      await eventually("the start", () => countsOf(nsqd, "t", "c").depth === 1);

      const complaint = "ERROR: no available nsqlookupd to query for channels to pre-create for topic t";
      assert(nsqd.lines.includes(complaint));
    });
  });
});

Deno.test("Nsqd does not start when --broadcast-address=auto finds nothing", async () => {
  await withDataPath(async (dataPath) => {
    const interfaces = Deno.networkInterfaces;
    Deno.networkInterfaces = () => [];
    try {
      await assertRejects(
        () => nsqdIn(dataPath, { broadcastAddress: "auto" }, []).start(),
        Error,
        "Cannot find an address for --broadcast-address=auto: there is no interface to the outside",
      );
    } finally {
      Deno.networkInterfaces = interfaces;
    }
  });
});
