import { assertEquals } from "@std/assert";
import { hostPort } from "../../../src/base/host_port.ts";
import { QUERIES_MAX } from "../../../src/nsqd/lookup/loop.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeLookupd, SILENCE } from "../../support/fake_lookupd.ts";
import { RunningLoop } from "../../support/lookup_loop.ts";
import { freePort } from "../../support/ports.ts";

/** Waits until the nsqlookupd has been told exactly this. */
async function told(lookupd: FakeLookupd, ...requests: readonly string[]): Promise<void> {
  await eventually(`${requests}`, () => lookupd.requests.length >= requests.length);
  assertEquals(lookupd.requests, requests);
}

/** Answers with these channels. */
function having(...channels: readonly string[]) {
  return { channels: () => Response.json({ channels }) };
}

// Addresses

Deno.test("LookupLoop informs every nsqlookupd that is configured, once each", async () => {
  await using one = new FakeLookupd();
  await using two = new FakeLookupd();
  const lookupdTcpAddresses = [one.address, two.address, one.address];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, topics: { t: ["c"] } });
  await told(one, "REGISTER t c");
  await told(two, "REGISTER t c");

  running.add("u");

  await told(one, "REGISTER t c", "REGISTER u");
  await told(two, "REGISTER t c", "REGISTER u");
  assertEquals([one.connections, two.connections], [1, 1]);
});

Deno.test("LookupLoop tells what is configured of the node, or its ports", async () => {
  await using lookupd = new FakeLookupd();
  const options = { lookupdTcpAddresses: [lookupd.address], broadcastTcpPort: 1111, topologyZone: "z" };
  await using _running = new RunningLoop({ options });

  await eventually("introduction", () => lookupd.identities.length === 1);

  assertEquals(lookupd.identities, [{
    broadcast_address: "nsqd.example",
    hostname: "host.example",
    http_port: 4151,
    tcp_port: 1111,
    topology_region: "",
    topology_zone: "z",
    version: "1.3.0",
  }]);
});

Deno.test("LookupLoop connects to addresses that are added, and leaves those that are removed", async () => {
  await using one = new FakeLookupd();
  await using two = new FakeLookupd();
  await using three = new FakeLookupd();
  await using running = new RunningLoop({
    options: { lookupdTcpAddresses: [one.address, two.address] },
    topics: { t: [] },
  });
  await told(one, "REGISTER t");
  await told(two, "REGISTER t");

  running.setAddresses(two.address, three.address);
  await told(three, "REGISTER t");
  await eventually("the first is left", () => one.openConnections === 0);
  running.add("u");
  await told(two, "REGISTER t", "REGISTER u");

  assertEquals(two.connections, 1);
  await told(one, "REGISTER t");
  assertEquals(running.linesWith("INFO: LOOKUP(").map((line) => line.replace(/:#/, "")), [
    "INFO: LOOKUP(127.0.0.1): adding peer",
    "INFO: LOOKUP(127.0.0.1): adding peer",
    "INFO: LOOKUP(127.0.0.1): removing peer",
    "INFO: LOOKUP(127.0.0.1): adding peer",
  ]);
});

Deno.test("LookupLoop connects anew to an address that was removed and added again", async () => {
  await using lookupd = new FakeLookupd();
  await using running = new RunningLoop({
    options: { lookupdTcpAddresses: [lookupd.address] },
    topics: { t: [] },
  });
  await told(lookupd, "REGISTER t");

  running.setAddresses();
  running.setAddresses(lookupd.address);

  await told(lookupd, "REGISTER t", "REGISTER t");
  await eventually("the first connection is closed", () => lookupd.openConnections === 1);
});

Deno.test("LookupLoop does without nsqlookupds", async () => {
  await using running = new RunningLoop();

  running.add("t");

  assertEquals(await running.loop.channelsOf("t"), []);
  assertEquals(running.lines, []);
});

Deno.test("LookupLoop goes on with the others when an address is none", async () => {
  await using lookupd = new FakeLookupd();
  const lookupdTcpAddresses = ["lookup.example", "lookup.example:nsq", lookupd.address];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, topics: { t: [] } });

  await told(lookupd, "REGISTER t");

  assertEquals(running.linesWith("ERROR"), [
    "ERROR: LOOKUPD(lookup.example): address lookup.example: missing port in address",
    "ERROR: LOOKUPD(lookup.example:nsq): address lookup.example:nsq: missing port in address",
  ]);
});

// Names

Deno.test("LookupLoop informs every host that a name resolves to, and follows what comes and goes", async () => {
  const port = freePort("0.0.0.0");
  await using one = new FakeLookupd({ port });
  await using two = new FakeLookupd({ hostname: "127.0.0.2", port });
  await using three = new FakeLookupd({ hostname: "127.0.0.3", port });
  const names = new Map([["lookup.example", ["127.0.0.1", "127.0.0.2"]]]);
  const lookupdTcpAddresses = [`lookup.example:${port}`];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, names, topics: { t: [] } });
  await told(one, "REGISTER t");
  await told(two, "REGISTER t");
  assertEquals(three.connections, 0);

  names.set("lookup.example", ["127.0.0.2", "127.0.0.3"]);
  await running.time.advance(15_000);

  await told(three, "REGISTER t");
  await eventually("the first is left", () => one.openConnections === 0);
  assertEquals(two.connections, 1);
});

Deno.test("LookupLoop stays with the hosts it knows when a name is not resolved any more", async () => {
  await using lookupd = new FakeLookupd();
  const names = new Map([["lookup.example", ["127.0.0.1"]]]);
  const lookupdTcpAddresses = [`lookup.example:${lookupd.port}`];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, names, topics: { t: [] } });
  await told(lookupd, "REGISTER t");

  names.clear();
  await running.time.advance(14_000);
  await running.time.advance(1000);
  running.add("u");

  await eventually("registration", () => lookupd.requests.includes("REGISTER u"));
  assertEquals(lookupd.connections, 1);
  assertEquals(running.linesWith("WARNING").length, 1);
});

Deno.test("LookupLoop connects once to a host that is behind several addresses", async () => {
  await using lookupd = new FakeLookupd();
  const names = new Map([["a.example", ["127.0.0.1"]], ["b.example", ["127.0.0.1"]]]);
  const { port } = lookupd;
  const lookupdTcpAddresses = [`a.example:${port}`, `b.example:${port}`, `127.0.0.1:${port}`];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, names, topics: { t: [] } });
  await told(lookupd, "REGISTER t");

  // It is still behind one of them.
  running.setAddresses(`b.example:${port}`);
  running.add("u");

  await told(lookupd, "REGISTER t", "REGISTER u");
  assertEquals(lookupd.connections, 1);
});

Deno.test("LookupLoop informs the others while a name server does not answer", async () => {
  await using lookupd = new FakeLookupd();
  const lookupdTcpAddresses = ["slow.example:4160", lookupd.address];
  const resolve = () => new Promise<readonly string[]>(() => {});
  await using _running = new RunningLoop({ options: { lookupdTcpAddresses }, resolve, topics: { t: [] } });

  await told(lookupd, "REGISTER t");
});

// One does not wait for another

Deno.test("LookupLoop informs the others while one is silent", async () => {
  await using silent = new FakeLookupd({ answer: () => SILENCE });
  await using lookupd = new FakeLookupd();
  const lookupdTcpAddresses = [silent.address, lookupd.address];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses }, topics: { t: [] } });
  await told(lookupd, "REGISTER t");

  running.add("u");

  await told(lookupd, "REGISTER t", "REGISTER u");
  await told(silent);
});

// Channels of a new topic

Deno.test("LookupLoop.channelsOf() is every channel that any nsqlookupd knows, once, sorted", async () => {
  await using one = new FakeLookupd(having("b", "c"));
  await using two = new FakeLookupd(having("b", "a"));
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [one.address, two.address] } });

  assertEquals(await running.loop.channelsOf("t"), ["a", "b", "c"]);
  assertEquals([one.queries, two.queries], [["t"], ["t"]]);
});

Deno.test("LookupLoop.channelsOf() leaves out ephemeral channels and names that none can have", async () => {
  await using lookupd = new FakeLookupd(
    having("good", "brief#ephemeral", "b a d", "", "x".repeat(64), "x".repeat(65)),
  );
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });

  assertEquals(await running.loop.channelsOf("t"), ["good", "x".repeat(64)]);
});

Deno.test("LookupLoop.channelsOf() asks for a topic whose name is no part of a URL as it is", async () => {
  await using lookupd = new FakeLookupd(having("c"));
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });

  await running.loop.channelsOf("t#ephemeral");

  assertEquals(lookupd.queries, ["t#ephemeral"]);
  assertEquals(running.linesWith("INFO: CI:"), [
    "INFO: CI: querying nsqlookupd http://127.0.0.1:#/channels?topic=t%23ephemeral",
  ]);
});

Deno.test("LookupLoop.channelsOf() waits for nsqlookupds that are just being connected to", async () => {
  const introduced = Promise.withResolvers<undefined>();
  await using lookupd = new FakeLookupd({ ...having("c"), answer: () => introduced.promise });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });

  const channels = running.loop.channelsOf("t");
  introduced.resolve(undefined);

  assertEquals(await channels, ["c"]);
});

Deno.test("LookupLoop.channelsOf() waits for a name's hosts, too", async () => {
  await using lookupd = new FakeLookupd(having("c"));
  const resolved = Promise.withResolvers<readonly string[]>();
  const lookupdTcpAddresses = [`lookup.example:${lookupd.port}`];
  await using running = new RunningLoop({
    options: { lookupdTcpAddresses },
    resolve: () => resolved.promise,
  });

  const channels = running.loop.channelsOf("t");
  resolved.resolve(["127.0.0.1"]);

  assertEquals(await channels, ["c"]);
});

Deno.test("LookupLoop.channelsOf() waits no longer than --http-client-connect-timeout for connections", async () => {
  const options = { lookupdTcpAddresses: ["lookup.example:4160"], httpClientConnectTimeoutMs: 700 };
  await using running = new RunningLoop({ options, resolve: () => new Promise(() => {}) });
  let channels: string[] | undefined;
  const asked = running.loop.channelsOf("t").then((found) => channels = found);

  await running.time.advance(699);
  assertEquals(channels, undefined);
  await running.time.advance(1);
  await asked;

  assertEquals(channels, []);
  assertEquals(running.linesWith("ERROR"), [
    "ERROR: no available nsqlookupd to query for channels to pre-create for topic t",
  ]);
});

const FAILURES = [
  [
    "an error",
    () => Response.json({ message: "x" }, { status: 500 }),
    'got response 500 "{\\"message\\":\\"x\\"}"',
  ],
  ["no JSON", () => new Response("OK"), "Unexpected token 'O', \"OK\" is not valid JSON"],
  ["another form", () => Response.json({ channels: "c" }), "the answer is no list of channels"],
  ["numbers", () => Response.json({ channels: [1] }), "the answer is no list of channels"],
  [
    "too much",
    () => Response.json({ channels: ["x".repeat(2000)] }),
    "the answer has more than 1000 bytes",
  ],
] as const;
for (const [what, answer, reason] of FAILURES) {
  Deno.test(`LookupLoop.channelsOf() is what the others know when one answers with ${what}`, async () => {
    await using one = new FakeLookupd({ channels: answer });
    await using two = new FakeLookupd(having("c"));
    const options = { lookupdTcpAddresses: [one.address, two.address], maxBodySizeBytes: 1000 };
    await using running = new RunningLoop({ options });

    assertEquals(await running.loop.channelsOf("t"), ["c"]);
    assertEquals(running.linesWith("WARNING"), [
      "WARNING: failed to query nsqlookupd for channels to pre-create for topic t - " +
      `http://127.0.0.1:#/channels?topic=t: ${reason}`,
    ]);
  });
}

Deno.test("LookupLoop.channelsOf() is empty when all fail, and the log says so", async () => {
  await using lookupd = new FakeLookupd({ channels: () => new Response("", { status: 404 }) });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });

  assertEquals(await running.loop.channelsOf("t"), []);
  assertEquals(running.linesWith("WARNING"), [
    "WARNING: failed to query nsqlookupd for channels to pre-create for topic t - failed to query any nsqlookupd: " +
    'http://127.0.0.1:#/channels?topic=t: got response 404 ""',
  ]);
});

for (const channels of [null, undefined, []]) {
  Deno.test(`LookupLoop.channelsOf() takes ${JSON.stringify(channels)} for no channels`, async () => {
    await using lookupd = new FakeLookupd({ channels: () => Response.json({ channels }) });
    await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });

    assertEquals(await running.loop.channelsOf("t"), []);
    assertEquals(running.linesWith("WARNING", "ERROR"), []);
  });
}

Deno.test("LookupLoop.channelsOf() gives a request --http-client-request-timeout", async () => {
  await using silent = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
  await using lookupd = new FakeLookupd(having("c"));
  const lookupdTcpAddresses = [silent.address, lookupd.address];
  await using running = new RunningLoop({ options: { lookupdTcpAddresses, httpClientRequestTimeoutMs: 50 } });

  // On a machine that does much else, the one that answers may be late, too.
  await eventually("what the other knows", async () => {
    running.lines.splice(0);
    return (await running.loop.channelsOf("t")).join() === "c";
  });

  assertEquals(running.linesWith("WARNING"), [
    "WARNING: failed to query nsqlookupd for channels to pre-create for topic t - " +
    "http://127.0.0.1:#/channels?topic=t: i/o timeout",
  ]);
});

Deno.test("LookupLoop.channelsOf() asks one that is gone, for --http-client-connect-timeout only", async () => {
  await using silent = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
  const options = { lookupdTcpAddresses: [silent.address], httpClientConnectTimeoutMs: 50 };
  await using running = new RunningLoop({ options });
  await eventually("introduction", () => silent.identities.length === 1);
  await eventually("connection", () => running.linesWith("INFO: LOOKUPD(").length === 1);
  silent.drop();
  await eventually("its end", () => running.linesWith("ERROR").length === 1);

  // On a machine that does much else, the time may be over before the request is there.
  await eventually("it is asked", async () => {
    assertEquals(await running.loop.channelsOf("t"), []);
    return silent.queries.length > 0;
  });
});

Deno.test("LookupLoop.channelsOf() does not ask an nsqlookupd that does not know its address", async () => {
  await using nameless = new FakeLookupd({ broadcastAddress: "" });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [nameless.address] } });

  assertEquals(await running.loop.channelsOf("t"), []);
  assertEquals(running.linesWith("ERROR"), [
    "ERROR: LOOKUPD(127.0.0.1:#): no broadcast address",
    "ERROR: no available nsqlookupd to query for channels to pre-create for topic t",
  ]);
});

Deno.test("LookupLoop.channelsOf() asks once where two addresses lead to the same HTTP API", async () => {
  await using lookupd = new FakeLookupd({ hostname: "0.0.0.0", ...having("c") });
  const { port } = lookupd;
  const lookupdTcpAddresses = ["127.0.0.1", "127.0.0.2"].map((hostname) => hostPort({ hostname, port }));
  await using running = new RunningLoop({ options: { lookupdTcpAddresses } });

  assertEquals(await running.loop.channelsOf("t"), ["c"]);
  assertEquals([lookupd.connections, lookupd.queries.length], [2, 1]);
});

Deno.test("LookupLoop.channelsOf() asks for so many topics at a time, the others in turn", async () => {
  const answers: (() => void)[] = [];
  await using lookupd = new FakeLookupd({
    channels: () => new Promise((resolve) => answers.push(() => resolve(Response.json({ channels: ["c"] })))),
  });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });
  const topics = Array.from({ length: QUERIES_MAX + 2 }, (_, i) => `topic_${i}`);
  const channels = Promise.all(topics.map((topic) => running.loop.channelsOf(topic)));

  await eventually("as many as may be", () => answers.length === QUERIES_MAX);
  answers.shift()?.();
  await eventually("one more", () => lookupd.queries.includes(`topic_${QUERIES_MAX}`));
  assertEquals(lookupd.queries.includes(`topic_${QUERIES_MAX + 1}`), false);
  await eventually("all", () => {
    answers.shift()?.();
    return lookupd.queries.length === topics.length && answers.length === 0;
  });

  assertEquals(await channels, topics.map(() => ["c"]));
});

Deno.test("LookupLoop.channelsOf() ends when its signal aborts", async () => {
  await using lookupd = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });
  const end = new AbortController();
  const channels = running.loop.channelsOf("t", end.signal);
  await eventually("the query", () => lookupd.queries.length === 1);

  end.abort();

  assertEquals(await channels, []);
  assertEquals(running.linesWith("WARNING"), []);
});

// The end

Deno.test("LookupLoop.run() ends at once, with its requests and connections", async () => {
  await using lookupd = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
  await using running = new RunningLoop({ options: { lookupdTcpAddresses: [lookupd.address] } });
  const channels = running.loop.channelsOf("t");
  await eventually("the query", () => lookupd.queries.length === 1);

  await running[Symbol.asyncDispose]();

  assertEquals(await channels, []);
  await eventually("the connection is closed", () => lookupd.openConnections === 0);
  assertEquals(running.lines.at(-1), "INFO: LOOKUP: closing");
  assertEquals(running.linesWith("WARNING", "ERROR"), []);
  assertEquals(await running.loop.channelsOf("u"), []);
});
