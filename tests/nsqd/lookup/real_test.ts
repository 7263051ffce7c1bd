import { assertEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { interopTest } from "../../support/interop.ts";
import { RunningLoop } from "../../support/lookup_loop.ts";
import { goLookupd, LookupdProcess, OUR_LOOKUPD } from "../../support/lookupd_process.ts";

/** The test with a real nsqlookupd: ours, and Go's where there is one. */
function lookupdTest(name: string, test: (lookupd: LookupdProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await using lookupd = await LookupdProcess.start(OUR_LOOKUPD);
    await test(lookupd);
  });
  interopTest(`${name} (Go's nsqlookupd)`, () => LookupdProcess.start(goLookupd()), test);
}

/** A part of an answer. */
async function count(lookupd: LookupdProcess, target: string, key: string): Promise<number> {
  const response = await fetch(`http://${lookupd.httpAddress}${target}`);
  return (await response.json())[key].length;
}

lookupdTest("LookupLoop registers 10,000 topics of 3 channels in one go", async (lookupd) => {
  const names = Array.from({ length: 10_000 }, (_, i) => [`topic_${i}`, ["a", "b", "c"]] as const);
  const lookupdTcpAddresses = [lookupd.tcpAddress];
  await using running = new RunningLoop({
    options: { lookupdTcpAddresses },
    topics: Object.fromEntries(names),
  });

  const all = async () => await count(lookupd, "/channels?topic=topic_9999", "channels") === 3;
  await eventually("the last registration", all);

  assertEquals(await count(lookupd, "/topics", "topics"), 10_000);
  assertEquals(running.linesWith("ERROR"), []);
});

lookupdTest(
  "LookupLoop keeps what an nsqlookupd tells as it is here, whatever comes and goes",
  async (lookupd) => {
    const lookupdTcpAddresses = [lookupd.tcpAddress];
    await using running = new RunningLoop({ options: { lookupdTcpAddresses, broadcastAddress: "here" } });
    for (let round = 0; round < 20; round++) {
      for (const topic of ["a", "b", "c"]) running.add(topic, `channel_${round}`);
      running.topics.remove("b", `channel_${round}`);
      running.loop.changed("b", `channel_${round}`);
      if (round % 2 === 0) {
        running.topics.remove("c");
        running.loop.changed("c", `channel_${round}`);
        running.loop.changed("c");
      }
      await running.time.advance(0);
    }

    await eventually("the last change", async () => {
      const response = await fetch(`http://${lookupd.httpAddress}/debug`);
      const registrations: Record<string, readonly unknown[]> = await response.json();
      const registered = Object.entries(registrations).filter(([, producers]) => producers.length > 0);
      assertEquals(
        registered.map(([name]) => name).sort(),
        [
          ...Array.from({ length: 20 }, (_, round) => `channel:a:channel_${round}`),
          "channel:c:channel_19",
          "client::",
          "topic:a:",
          "topic:b:",
          "topic:c:",
        ].sort(),
      );
      return true;
    });
  },
);

lookupdTest("LookupLoop loses by a name that is refused that name only", async (lookupd) => {
  await using running = new RunningLoop({
    options: { lookupdTcpAddresses: [lookupd.tcpAddress] },
    topics: { first: ["c"], "no/name": [], last: [] },
  });
  // Both end the connection with it.
  await eventually("the connection is lost", () => running.linesWith("ERROR").length === 2);
  await running.time.advance(1000);

  const all = async () => {
    assertEquals(await count(lookupd, "/lookup?topic=first", "producers"), 1);
    assertEquals(await count(lookupd, "/lookup?topic=last", "producers"), 1);
    return true;
  };
  await eventually("the other names", all);
  for (let i = 0; i < 5; i++) {
    await running.time.advance(15_000);
    await eventually("heartbeat", async () => await all());
  }

  assertEquals(running.linesWith("INFO: LOOKUP connecting").length, 2);
});

lookupdTest("LookupLoop.channelsOf() asks an nsqlookupd", async (lookupd) => {
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.tcpAddress] } });
  for (const channel of ["b", "a", "brief%23ephemeral"]) {
    const url = `http://${lookupd.httpAddress}/channel/create?topic=t&channel=${channel}`;
    await (await fetch(url, { method: "POST" })).body?.cancel();
  }

  assertEquals(await running.loop.channelsOf("t"), ["a", "b"]);
  assertEquals(await running.loop.channelsOf("unknown"), []);
});

lookupdTest("LookupLoop sends heartbeats that an nsqlookupd counts", async (lookupd) => {
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.tcpAddress] } });
  await eventually("introduction", async () => await count(lookupd, "/nodes", "producers") === 1);
  const lastUpdate = async () => {
    const response = await fetch(`http://${lookupd.httpAddress}/debug`);
    return (await response.json())["client::"][0].last_update as number;
  };
  const before = await lastUpdate();

  await running.time.advance(15_000);

  await eventually("a heartbeat", async () => await lastUpdate() > before);
});
