import { assertEquals } from "@std/assert";
import { BATCH_MAX } from "../../../src/nsqd/lookup/peer.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeLookupd, type FakeLookupdOptions, HANG_UP, SILENCE } from "../../support/fake_lookupd.ts";
import { bytesOf, i32, join } from "../../support/frames.ts";
import { connectTcp, NODE_INFO, RunningPeer, type RunningPeerOptions } from "../../support/lookup_peer.ts";
import { freePort } from "../../support/ports.ts";

interface Setup {
  readonly peer: RunningPeer;
  readonly lookupd: FakeLookupd;
}

/** A test with a peer of an nsqlookupd. */
function peerTest(
  name: string,
  test: (setup: Setup) => Promise<void>,
  options: { readonly lookupd?: FakeLookupdOptions; readonly peer?: RunningPeerOptions } = {},
): void {
  Deno.test(name, async () => {
    await using lookupd = new FakeLookupd(options.lookupd);
    await using peer = new RunningPeer(lookupd, options.peer);
    try {
      await test({ peer, lookupd });
    } catch (error) {
      console.error(`--- log ---\n${peer.lines.join("\n")}\n--- end of log ---`);
      throw error;
    }
  });
}

/** Waits until the nsqlookupd has been told as much, and returns it. */
function told({ lookupd }: { readonly lookupd: FakeLookupd }, count: number): Promise<string[]> {
  return eventually(`${count} requests`, () => lookupd.requests.length >= count && lookupd.requests);
}

/** Waits until the peer waits for news. */
function atRest({ peer }: { readonly peer: RunningPeer }): Promise<boolean> {
  // The heartbeat's is the only wait then.
  return eventually("rest", () => peer.peer.connected && peer.time.left.length === 1);
}

// What it says, and in which order

peerTest("LookupPeer introduces the node first", async ({ peer, lookupd }) => {
  await eventually("introduction", () => peer.peer.connected);

  assertEquals(lookupd.lines, [
    "magic   V1",
    'IDENTIFY {"broadcast_address":"nsqd.example","hostname":"host.example","http_port":4151,"tcp_port":4150,' +
    '"topology_region":"r","topology_zone":"z","version":"1.3.0"}',
  ]);
  assertEquals(lookupd.identities, [NODE_INFO]);
  assertEquals(peer.peer.info, {
    tcpPort: lookupd.port,
    httpPort: Number(lookupd.httpAddress.split(":")[1]),
    version: "1.3.0",
    broadcastAddress: "127.0.0.1",
  });
});

peerTest(
  "LookupPeer registers all topics and channels that there are, a topic without channels by itself",
  async (setup) => {
    assertEquals(await told(setup, 4), [
      "REGISTER with one",
      "REGISTER with two#ephemeral",
      "REGISTER without",
      "REGISTER brief#ephemeral one",
    ]);
  },
  { peer: { topics: { with: ["one", "two#ephemeral"], without: [], "brief#ephemeral": ["one"] } } },
);

peerTest("LookupPeer registers what comes and unregisters what goes, in order", async (setup) => {
  const { peer } = setup;
  await atRest(setup);

  peer.add("t");
  peer.add("t", "c");
  await told(setup, 2);
  peer.remove("t", "c");
  peer.remove("t");

  assertEquals(await told(setup, 4), ["REGISTER t", "REGISTER t c", "UNREGISTER t c", "UNREGISTER t"]);
});

peerTest("LookupPeer tells how it is when a name comes and goes in one turn", async (setup) => {
  const { peer } = setup;
  await atRest(setup);

  peer.add("brief");
  peer.add("brief", "c");
  peer.remove("brief", "c");
  peer.remove("brief");
  peer.add("stays");
  peer.remove("stays");
  peer.add("stays");

  assertEquals(await told(setup, 3), ["UNREGISTER brief", "UNREGISTER brief c", "REGISTER stays"]);
});

peerTest("LookupPeer logs as NSQ does", async (setup) => {
  const { peer, lookupd } = setup;
  await told(setup, 1);
  await atRest(setup);
  peer.add("u");
  peer.add("u", "c");
  await told(setup, 3);
  await atRest(setup);
  await peer.time.advance(15_000);
  await told(setup, 4);

  assertEquals(
    peer.lines.map((line) => line.replace(/HTTPPort:\d+/, "HTTPPort:#").replace(/TCPPort:\d+/, "TCPPort:#")),
    [
      "INFO: LOOKUP connecting to 127.0.0.1:#",
      "INFO: LOOKUPD(127.0.0.1:#): peer info {TCPPort:# HTTPPort:# Version:1.3.0 BroadcastAddress:127.0.0.1}",
      "INFO: LOOKUPD(127.0.0.1:#): REGISTER t c",
      "INFO: LOOKUPD(127.0.0.1:#): topic REGISTER u",
      "INFO: LOOKUPD(127.0.0.1:#): channel REGISTER u c",
      "DEBUG: LOOKUPD(127.0.0.1:#): sending heartbeat",
    ],
  );
  assertEquals(lookupd.connections, 1);
}, { peer: { topics: { t: ["c"] } } });

for (const count of [BATCH_MAX - 1, BATCH_MAX, BATCH_MAX + 1, 3 * BATCH_MAX]) {
  const names = Array.from({ length: count }, (_, i) => `topic_${i}`);
  peerTest(`LookupPeer registers ${count} topics, in order and once each`, async (setup) => {
    const requests = await told(setup, count);

    assertEquals(requests, names.map((name) => `REGISTER ${name}`));
    await atRest(setup);
  }, { peer: { topics: Object.fromEntries(names.map((name) => [name, []])) } });
}

// Nothing is answered but the introduction.
peerTest("LookupPeer sends a batch of requests before it reads the first answer", async (setup) => {
  const requests = await told(setup, BATCH_MAX);

  assertEquals(requests.length, 500);
  assertEquals(requests[499], "REGISTER topic_499");
}, {
  peer: { topics: Object.fromEntries(Array.from({ length: BATCH_MAX + 1 }, (_, i) => [`topic_${i}`, []])) },
  lookupd: { answer: (line) => line === "IDENTIFY" ? undefined : SILENCE },
});

// Heartbeats

peerTest("LookupPeer sends a heartbeat every 15 s and not before", async (setup) => {
  const { peer, lookupd } = setup;
  await atRest(setup);

  await peer.time.advance(14_999);
  assertEquals(lookupd.requests, []);
  await peer.time.advance(1);
  assertEquals(await told(setup, 1), ["PING"]);
  await atRest(setup);
  await peer.time.advance(15_000);

  assertEquals(await told(setup, 2), ["PING", "PING"]);
});

peerTest("LookupPeer sends heartbeats whether it has other things to say or not", async (setup) => {
  const { peer } = setup;
  await atRest(setup);

  await peer.time.advance(10_000);
  peer.add("t");
  await told(setup, 1);
  await atRest(setup);
  await peer.time.advance(5000);

  assertEquals(await told(setup, 2), ["REGISTER t", "PING"]);
});

// Connections that are lost

peerTest(
  "LookupPeer connects again a second after the connection has ended, and registers everything",
  async (setup) => {
    const { peer, lookupd } = setup;
    await told(setup, 2);
    await atRest(setup);

    lookupd.drop();
    await eventually("the end is noticed", () => !peer.peer.connected);
    peer.topics.add("new");
    peer.topics.remove("t", "c");
    await peer.time.advance(999);
    assertEquals(lookupd.connections, 1);
    await peer.time.advance(1);

    assertEquals(await told(setup, 5), [
      "REGISTER t c",
      "REGISTER u",
      "REGISTER t",
      "REGISTER u",
      "REGISTER new",
    ]);
    assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): connection lost - EOF"]);
  },
  { peer: { topics: { t: ["c"], u: [] } } },
);

Deno.test("LookupPeer tries again after 1, 2, 4, 8 and then every 15 s while nobody listens", async () => {
  const port = freePort();
  await using peer = new RunningPeer({ port });
  const attempts = () => peer.linesAt("INFO").length;

  const waits: number[] = [];
  let attempted = 0;
  for (let s = 0; s <= 60; s++) {
    if (s > 0) await peer.time.advance(1000);
    await eventually("no attempt is under way", () => peer.linesAt("ERROR").length === attempts());
    if (attempts() > attempted) waits.push(s);
    attempted = attempts();
  }

  assertEquals(waits, [0, 1, 3, 7, 15, 30, 45, 60]);
  assertEquals(peer.linesAt("INFO")[0], "INFO: LOOKUP connecting to 127.0.0.1:#");
  assertEquals(
    peer.linesAt("ERROR")[0],
    "ERROR: LOOKUPD(127.0.0.1:#): connect - Connection refused (os error 111)",
  );
});

Deno.test("LookupPeer tries again when there is news, but for the first second", async () => {
  const port = freePort();
  await using peer = new RunningPeer({ port });
  const failed = (count: number) =>
    eventually(`${count} failures`, () => peer.linesAt("ERROR").length === count);
  await failed(1);
  await peer.time.advance(1000);
  await failed(2);
  await peer.time.advance(2000);
  await failed(3);

  // The next would be 4 s later.
  await peer.time.advance(500);
  peer.add("early");
  await peer.time.advance(499);
  assertEquals(peer.linesAt("ERROR").length, 3);
  await peer.time.advance(1);
  await failed(4);
  await peer.time.advance(5000);
  assertEquals(peer.linesAt("ERROR").length, 4);
  peer.add("late");

  await failed(5);
});

peerTest("LookupPeer begins with short waits again after a heartbeat was answered", async (setup) => {
  const { peer, lookupd } = setup;
  for (const waitMs of [1000, 2000, 4000]) {
    await atRest(setup);
    lookupd.drop();
    await eventually("the end is noticed", () => !peer.peer.connected);
    await peer.time.advance(waitMs);
  }
  await atRest(setup);
  await peer.time.advance(15_000);
  await told(setup, 1);
  await atRest(setup);

  lookupd.drop();
  await eventually("the end is noticed", () => !peer.peer.connected);
  await peer.time.advance(1000);

  await atRest(setup);
  assertEquals(lookupd.connections, 5);
});

Deno.test("LookupPeer tries the other way to a host when the first leads nowhere", async () => {
  await using lookupd = new FakeLookupd({ hostname: "::1" });
  const { port } = lookupd;
  const host = { text: `127.0.0.1:${port}`, ways: ["127.0.0.1", "::1"], port };
  await using peer = new RunningPeer(lookupd, { host });

  await eventually("introduction", () => peer.peer.connected);

  assertEquals(lookupd.identities, [NODE_INFO]);
});

// Time limits

peerTest("LookupPeer waits one second for an answer and not longer", async (setup) => {
  const { peer, lookupd } = setup;
  await eventually("introduction begins", () => lookupd.lines.length === 2);

  await peer.time.advance(1049);
  assertEquals(peer.linesAt("ERROR"), []);
  await peer.time.advance(1);

  await eventually("failure", () => peer.linesAt("ERROR").length === 1);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): IDENTIFY - i/o timeout"]);
  await eventually("the connection is closed", () => lookupd.openConnections === 0);
}, { lookupd: { answer: () => SILENCE } });

peerTest("LookupPeer waits one second for the rest of an answer", async (setup) => {
  const { peer, lookupd } = setup;
  await eventually("introduction begins", () => lookupd.lines.length === 2);

  await peer.time.advance(1050);

  await eventually("failure", () => peer.linesAt("ERROR").length === 1);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): IDENTIFY - i/o timeout"]);
}, { lookupd: { answer: () => ({ raw: join(i32(20), '{"tcp_port"') }) } });

peerTest("LookupPeer names the heartbeat that is not answered", async (setup) => {
  const { peer } = setup;
  await atRest(setup);
  await peer.time.advance(15_000);
  await told(setup, 1);

  await peer.time.advance(1050);

  await eventually("failure", () => peer.linesAt("ERROR").length === 1);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): PING - i/o timeout"]);
}, { lookupd: { answer: (line) => line === "PING" ? SILENCE : undefined } });

peerTest("LookupPeer takes an answer that has come in the last moment", async (setup) => {
  const { peer, lookupd } = setup;
  await eventually("introduction begins", () => lookupd.lines.length === 2);

  // The second is over, but what has come may not have been noticed yet.
  await peer.time.advance(1000);
  await lookupd.say(join(i32(2), "{}"));

  await eventually("introduction", () => peer.peer.connected);
}, { lookupd: { answer: () => SILENCE } });

Deno.test("LookupPeer gives every answer a second of its own", async () => {
  let next = Promise.withResolvers<void>();
  const answer = async (line: string) => {
    if (line !== "IDENTIFY") await next.promise;
    return undefined;
  };
  await using lookupd = new FakeLookupd({ answer });
  await using peer = new RunningPeer(lookupd, { topics: { t: ["a", "b", "c"] } });

  for (let count = 1; count <= 3; count++) {
    await told({ lookupd }, count);
    await eventually("a full second is left", () => peer.time.left[0] === 1000);
    await peer.time.advance(999);
    next.resolve();
    next = Promise.withResolvers();
  }

  await atRest({ peer });
  assertEquals(peer.linesAt("ERROR"), []);
});

Deno.test("LookupPeer waits one second for a connection", async () => {
  const signals: AbortSignal[] = [];
  await using peer = new RunningPeer({ port: 4160 }, {
    connect: (_hostname, _port, signal) => {
      signals.push(signal);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });

  await peer.time.advance(1049);
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  await peer.time.advance(1);

  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): connect - i/o timeout"]);
});

Deno.test("LookupPeer closes a connection that comes too late", async () => {
  const late = Promise.withResolvers<void>();
  await using lookupd = new FakeLookupd();
  await using peer = new RunningPeer(lookupd, {
    connect: async (hostname, port) => {
      const connection = await connectTcp(hostname, port, new AbortController().signal);
      await late.promise;
      return connection;
    },
  });
  await eventually("a connection", () => lookupd.openConnections === 1);

  await peer.time.advance(1050);
  late.resolve();

  await eventually("its end", () => lookupd.openConnections === 0);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): connect - i/o timeout"]);
  assertEquals(lookupd.lines, []);
});

// Answers that are none

const REFUSALS = [
  ["an error", "E_BAD_BODY IDENTIFY missing fields", "parsing response - E_BAD_BODY IDENTIFY missing fields"],
  ["the error of old versions", "E_INVALID", "parsing response - E_INVALID"],
  ["no JSON", "OK", "parsing response - OK"],
  ["control characters", "\x1b[31m\n", "parsing response - \\x1b[31m\\x0a"],
  ["a long text", "x".repeat(300), `parsing response - ${"x".repeat(200)}`],
] as const;
for (const [what, answer, complaint] of REFUSALS) {
  peerTest(`LookupPeer gives up on ${what} for its introduction`, async ({ peer, lookupd }) => {
    await eventually("failure", () => peer.linesAt("ERROR").length === 1);

    assertEquals(peer.linesAt("ERROR"), [`ERROR: LOOKUPD(127.0.0.1:#): ${complaint}`]);
    assertEquals(peer.peer.info, undefined);
    assertEquals(lookupd.requests, []);
  }, { lookupd: { answer: () => answer }, peer: { topics: { t: [] } } });
}

peerTest(
  "LookupPeer goes on with an nsqlookupd that does not know its address, and says so",
  async (setup) => {
    const { peer } = setup;
    await told(setup, 1);

    assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): no broadcast address"]);
  },
  { lookupd: { answer: (line) => line === "IDENTIFY" ? "{}" : undefined }, peer: { topics: { t: [] } } },
);

// Names that are refused

const FULL = "E_INVALID REGISTER too many topics and channels";
const BAD_TOPIC = "E_BAD_TOPIC REGISTER topic name 'b' is not valid";

/** Lets so many heartbeats be answered. */
async function heartbeats(setup: Setup, count: number): Promise<void> {
  const pings = () => setup.lookupd.requests.filter((line) => line === "PING").length;
  for (let i = 0; i < count; i++) {
    await atRest(setup);
    const before = pings();
    await setup.peer.time.advance(15_000);
    await eventually("heartbeat", () => pings() > before);
  }
  await atRest(setup);
}

/** What the nsqlookupd was told, but for heartbeats. */
function namesTold({ lookupd }: Setup): string[] {
  return lookupd.requests.filter((line) => line !== "PING");
}

peerTest("LookupPeer goes on when a name is refused, and says which and why", async (setup) => {
  const { peer, lookupd } = setup;
  await told(setup, 3);
  await atRest(setup);

  peer.add("d");
  await told(setup, 4);

  assertEquals(lookupd.requests, ["REGISTER a", "REGISTER b", "REGISTER c", "REGISTER d"]);
  assertEquals(lookupd.connections, 1);
  assertEquals(peer.linesAt("ERROR"), [
    `ERROR: LOOKUPD(127.0.0.1:#): REGISTER b - ${FULL}; told again: in 1m0s`,
  ]);
}, {
  peer: { topics: { a: [], b: [], c: [] } },
  lookupd: { answer: (line) => line === "REGISTER b" ? FULL : undefined },
});

peerTest("LookupPeer tells a name again that was refused, after longer and longer waits", async (setup) => {
  await heartbeats(setup, 3);
  assertEquals(namesTold(setup), ["REGISTER b"]);

  await heartbeats(setup, 1);
  assertEquals(namesTold(setup), ["REGISTER b", "REGISTER b"]);
  await heartbeats(setup, 7);
  assertEquals(namesTold(setup), ["REGISTER b", "REGISTER b"]);
  await heartbeats(setup, 1);

  assertEquals(namesTold(setup), ["REGISTER b", "REGISTER b", "REGISTER b"]);
  assertEquals(setup.peer.linesAt("ERROR").map((line) => line.split("; ")[1]), [
    "told again: in 1m0s",
    "told again: in 2m0s",
    "told again: in 4m0s",
  ]);
}, { peer: { topics: { b: [] } }, lookupd: { answer: (line) => line === "REGISTER b" ? FULL : undefined } });

peerTest("LookupPeer knows a name for registered once it is accepted", async (setup) => {
  const { peer } = setup;
  await heartbeats(setup, 5);

  peer.remove("b");
  await told(setup, 8);

  assertEquals(namesTold(setup), ["REGISTER b", "REGISTER b", "UNREGISTER b"]);
}, {
  peer: { topics: { b: [] } },
  lookupd: {
    answer: (() => {
      let count = 0;
      return (line) => line === "REGISTER b" && count++ === 0 ? FULL : undefined;
    })(),
  },
});

peerTest("LookupPeer never tells a name again that is none to the other side", async (setup) => {
  await heartbeats(setup, 10);

  assertEquals(namesTold(setup), ["REGISTER b"]);
  assertEquals(setup.peer.linesAt("ERROR"), [
    `ERROR: LOOKUPD(127.0.0.1:#): REGISTER b - ${BAD_TOPIC}; told again: never`,
  ]);
}, {
  peer: { topics: { b: [] } },
  lookupd: { answer: (line) => line === "REGISTER b" ? BAD_TOPIC : undefined },
});

peerTest("LookupPeer leaves a name out when the connection ended with it, as NSQ's do", async (setup) => {
  const { peer, lookupd } = setup;
  await eventually("the connection is lost", () => peer.linesAt("ERROR").length === 2);
  await peer.time.advance(1000);

  await told(setup, 4);
  await atRest(setup);

  assertEquals(lookupd.requests, ["REGISTER a", "REGISTER b", "REGISTER a", "REGISTER c"]);
  assertEquals(lookupd.connections, 2);
  assertEquals(peer.linesAt("ERROR"), [
    `ERROR: LOOKUPD(127.0.0.1:#): REGISTER b - ${BAD_TOPIC}; told again: never`,
    "ERROR: LOOKUPD(127.0.0.1:#): REGISTER c - EOF",
  ]);
}, {
  peer: { topics: { a: [], b: [], c: [] } },
  lookupd: { answer: (line) => line === "REGISTER b" ? { last: BAD_TOPIC } : undefined },
});

peerTest("LookupPeer registers a topic without the channel that is refused", async (setup) => {
  const { lookupd } = setup;

  await told(setup, 2);
  lookupd.drop();
  await eventually("the connection is lost", () => setup.peer.linesAt("ERROR").length === 2);
  await setup.peer.time.advance(1000);

  assertEquals(await told(setup, 3), ["REGISTER t c", "REGISTER t", "REGISTER t"]);
}, {
  peer: { topics: { t: ["c"] } },
  lookupd: { answer: (line) => line === "REGISTER t c" ? FULL : undefined },
});

peerTest("LookupPeer does not unregister what was refused", async (setup) => {
  const { peer } = setup;
  await told(setup, 2);
  await atRest(setup);

  peer.remove("b");
  peer.remove("a");

  assertEquals(await told(setup, 3), ["REGISTER a", "REGISTER b", "UNREGISTER a"]);
}, {
  peer: { topics: { a: [], b: [] } },
  lookupd: { answer: (line) => line === "REGISTER b" ? FULL : undefined },
});

peerTest("LookupPeer goes on when the end of a registration is refused", async (setup) => {
  const { peer } = setup;
  await told(setup, 1);
  await atRest(setup);

  peer.remove("a");
  peer.add("b");

  assertEquals(await told(setup, 3), ["REGISTER a", "UNREGISTER a", "REGISTER b"]);
  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): UNREGISTER a - E_INVALID"]);
}, {
  peer: { topics: { a: [] } },
  lookupd: { answer: (line) => line === "UNREGISTER a" ? "E_INVALID" : undefined },
});

peerTest("LookupPeer does not mind other answers to its requests", async (setup) => {
  const { peer } = setup;
  await told(setup, 1);
  await atRest(setup);
  await peer.time.advance(15_000);
  await told(setup, 2);
  await atRest(setup);

  assertEquals(peer.linesAt("ERROR"), []);
}, { peer: { topics: { t: [] } }, lookupd: { answer: (line) => line === "IDENTIFY" ? undefined : "" } });

peerTest("LookupPeer gives up on a connection that ends instead of an answer", async ({ peer }) => {
  await eventually("failure", () => peer.linesAt("ERROR").length === 1);

  assertEquals(peer.linesAt("ERROR"), ["ERROR: LOOKUPD(127.0.0.1:#): REGISTER b - EOF"]);
}, {
  peer: { topics: { a: [], b: [] } },
  lookupd: { answer: (line) => line === "REGISTER b" ? HANG_UP : undefined },
});

peerTest("LookupPeer gives up on an nsqlookupd that speaks unasked", async (setup) => {
  const { peer, lookupd } = setup;
  await atRest(setup);

  await lookupd.say(join(i32(2), "OK"));

  await eventually("failure", () => peer.linesAt("ERROR").length === 1);
  assertEquals(peer.linesAt("ERROR"), [
    "ERROR: LOOKUPD(127.0.0.1:#): connection lost - an answer to nothing",
  ]);
});

peerTest("LookupPeer gives up on an nsqlookupd that answers twice", async (setup) => {
  const { peer } = setup;
  await eventually("failure", () => peer.linesAt("ERROR").length === 1);

  assertEquals(peer.linesAt("ERROR"), [
    "ERROR: LOOKUPD(127.0.0.1:#): connection lost - an answer to nothing",
  ]);
}, {
  peer: { topics: { t: [] } },
  lookupd: { answer: (line) => line === "IDENTIFY" ? undefined : { raw: join(i32(2), "OK", i32(2), "OK") } },
});

const LARGEST = JSON.stringify({ version: "x".repeat(1024 - '{"version":""}'.length) });

peerTest("LookupPeer takes an answer as large as it may be", async ({ peer }) => {
  await eventually("introduction", () => peer.peer.connected);

  assertEquals(bytesOf(LARGEST).length, 1024);
}, { lookupd: { answer: () => LARGEST } });

peerTest("LookupPeer gives up on an answer that is too large", async ({ peer }) => {
  await eventually("failure", () => peer.linesAt("ERROR").length === 1);

  assertEquals(peer.linesAt("ERROR"), [
    "ERROR: LOOKUPD(127.0.0.1:#): IDENTIFY - response body size (1025) is greater than limit (1024)",
  ]);
}, { lookupd: { answer: () => ({ raw: i32(1025) }) } });

// The end

peerTest("LookupPeer ends at once, whatever it is doing", async ({ peer, lookupd }) => {
  await eventually("introduction begins", () => lookupd.lines.length === 2);

  await peer[Symbol.asyncDispose]();

  await eventually("the connection is closed", () => lookupd.openConnections === 0);
  assertEquals(peer.linesAt("ERROR"), []);
}, { lookupd: { answer: () => SILENCE } });

peerTest("LookupPeer.introduced settles with the first connection", async ({ peer }) => {
  await peer.peer.introduced;

  assertEquals(peer.peer.connected, true);
});

Deno.test("LookupPeer.introduced settles when nobody answers", async () => {
  await using peer = new RunningPeer({ port: freePort() });

  await peer.peer.introduced;

  assertEquals(peer.peer.connected, false);
});
