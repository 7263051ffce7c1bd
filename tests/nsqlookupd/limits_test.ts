import { assertEquals } from "@std/assert";
import { LINE_LENGTH_MAX } from "../../src/protocol/command_reader.ts";
import type { NsqlookupdOptions } from "../../src/nsqlookupd/options.ts";
import { i32 } from "../support/frames.ts";
import { identifyNode } from "../support/lookup_frames.ts";
import { lookupTest, type NsqlookupdInMemory } from "../support/nsqlookupd_in_memory.ts";
import { settle } from "../support/settle.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Options with which nothing but what a test switches on ends a connection. */
const NO_LIMITS: Partial<NsqlookupdOptions> = {
  handshakeTimeoutMs: 0,
  commandTimeoutMs: 0,
  idleTimeoutMs: 0,
  writeTimeoutMs: 0,
};

function limitsTest(
  name: string,
  options: Partial<NsqlookupdOptions>,
  test: (nsqlookupd: NsqlookupdInMemory) => Promise<void>,
): void {
  lookupTest(name, test, { ...NO_LIMITS, ...options });
}

/** Why connections were ended. */
function errorsIn({ lines }: NsqlookupdInMemory): string[] {
  return lines.flatMap((line) => /^ERROR: client\(.*?\) - (.*)$/.exec(line)?.[1] ?? []);
}

limitsTest("Session without limits on time waits for ever", {}, async (nsqlookupd) => {
  const clients = [
    await nsqlookupd.connect({ magic: "" }),
    await nsqlookupd.connect(),
    await nsqlookupd.node({}, "t"),
  ];
  await clients[2].send("PIN");

  await nsqlookupd.pass(DAY_MS);

  assertEquals(clients.map(({ connection }) => connection.closed), [false, false, false]);
});

// --handshake-timeout

limitsTest("Session.checkLimits() gives a client --handshake-timeout for its first command", {
  handshakeTimeoutMs: 5000,
}, async (nsqlookupd) => {
  const inTime = await nsqlookupd.connect();
  const late = await nsqlookupd.connect();
  const silent = await nsqlookupd.connect({ magic: "" });
  const inPieces = await nsqlookupd.connect({ magic: "  V1PIN" });

  await nsqlookupd.pass(5000);
  await inTime.send("PING\n");
  await nsqlookupd.pass(1);
  await nsqlookupd.pass(DAY_MS);

  const clients = [inTime, late, silent, inPieces];
  assertEquals(clients.map(({ connection }) => connection.closed), [false, true, true, true]);
  assertEquals(errorsIn(nsqlookupd), Array(3).fill("no command in time after connecting - i/o timeout"));
});

// --command-timeout

limitsTest("Session.checkLimits() gives a client --command-timeout for the rest of a command", {
  commandTimeoutMs: 5000,
}, async (nsqlookupd) => {
  const [inTime, line, body] = [
    await nsqlookupd.node({}),
    await nsqlookupd.node({}),
    await nsqlookupd.connect(),
  ];
  await inTime.send("PIN");
  await line.send("PIN");
  await body.send("IDENTIFY\n", i32(9), "{");

  await nsqlookupd.pass(4000);
  // More of it gives no more time.
  await body.send(" ");
  await nsqlookupd.pass(1000);
  assertEquals(await inTime.ask("G\nPI"), ["OK"]);
  await nsqlookupd.pass(1);

  const clients = [inTime, line, body];
  assertEquals(clients.map(({ connection }) => connection.closed), [false, true, true]);
  await nsqlookupd.pass(5000);
  assertEquals(inTime.connection.closed, true);
  assertEquals(errorsIn(nsqlookupd), Array(3).fill("failed to read the rest of a command - i/o timeout"));
  // Whom nobody listens to is told nothing.
  assertEquals(nsqlookupd.lines.filter((line) => line.includes("E_BAD_BODY")), []);
});

// --idle-timeout

limitsTest(
  "Session.checkLimits() gives a client --idle-timeout between commands, and then ends its registrations",
  {
    idleTimeoutMs: 60_000,
    inactiveProducerTimeoutMs: DAY_MS,
  },
  async (nsqlookupd) => {
    const [silent, pinging] = [await nsqlookupd.node({}, "t"), await nsqlookupd.node({}, "t")];

    await nsqlookupd.pass(60_000);
    await pinging.send("PING\n");
    const before = await nsqlookupd.producersOf("t");
    await nsqlookupd.pass(1);

    assertEquals([silent, pinging].map(({ connection }) => connection.closed), [true, false]);
    assertEquals([before.length, (await nsqlookupd.producersOf("t")).length], [2, 1]);
    assertEquals(errorsIn(nsqlookupd), ["failed to read command - i/o timeout"]);
  },
);

// --write-timeout and --max-output-pending-size

limitsTest("Session.checkLimits() gives a client --write-timeout to read what it is sent", {
  writeTimeoutMs: 5000,
}, async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t");
  client.connection.hold();
  await client.send("PING\n");

  await nsqlookupd.pass(5000);
  const early = client.connection.closed;
  await nsqlookupd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
  assertEquals(await nsqlookupd.producersOf("t"), []);
  assertEquals(errorsIn(nsqlookupd), ["failed to write - i/o timeout"]);
});

/** An answer OK, with its size. */
const OK_LENGTH = 6;

limitsTest("Session reads no more from a client that leaves --max-output-pending-size unread", {
  maxOutputPendingSizeBytes: 10 * OK_LENGTH,
  idleTimeoutMs: 60_000,
  commandTimeoutMs: 60_000,
}, async (nsqlookupd) => {
  const client = await nsqlookupd.node({});
  client.connection.hold();

  await client.send("PING\n".repeat(9), "REGISTER a\n");
  await client.send("REGISTER b\n");
  const full = await nsqlookupd.json("/topics");
  // Its time does not run while it is not asked for more.
  await nsqlookupd.pass(DAY_MS);
  client.connection.release();
  await settle();

  assertEquals(full, { topics: ["a"] });
  assertEquals(await nsqlookupd.json("/topics"), { topics: ["a", "b"] });
  assertEquals([client.answers().length, client.connection.closed], [11, false]);
  await nsqlookupd.pass(60_000);
  assertEquals(client.connection.closed, false);
  await nsqlookupd.pass(1);
  assertEquals(client.connection.closed, true);
});

limitsTest("Session reads on from a client that leaves less than --max-output-pending-size unread", {
  maxOutputPendingSizeBytes: 10 * OK_LENGTH,
}, async (nsqlookupd) => {
  const client = await nsqlookupd.node({});
  client.connection.hold();

  await client.send("PING\n".repeat(8), "REGISTER a\n");
  await client.send("REGISTER b\n");

  assertEquals(await nsqlookupd.json("/topics"), { topics: ["a", "b"] });
});

// --max-body-size and the length of lines

limitsTest(
  "Session takes bodies up to --max-body-size",
  { maxBodySizeBytes: identifyNode().length - 13 },
  async (nsqlookupd) => {
    const client = await nsqlookupd.connect();
    const longer = await nsqlookupd.connect();

    const [answer] = await client.ask(identifyNode());
    const [refusal] = await longer.ask(identifyNode({ version: "1.3.00" }));

    assertEquals(answer.startsWith("{"), true);
    assertEquals(refusal, "E_BAD_BODY IDENTIFY body too big 100 > 99");
    assertEquals([client, longer].map(({ connection }) => connection.closed), [false, true]);
  },
);

limitsTest("Session ends a line that does not end", {}, async (nsqlookupd) => {
  const client = await nsqlookupd.connect();

  await client.send("A".repeat(LINE_LENGTH_MAX - 1));
  const early = client.connection.closed;
  await client.send("A");

  assertEquals([early, client.connection.closed], [false, true]);
  assertEquals(client.answers(), ["E_INVALID line too long"]);
});

// --max-registrations

limitsTest(
  "Session refuses topics and channels beyond --max-registrations, and keeps what the node has registered",
  { maxRegistrations: 3 },
  async (nsqlookupd) => {
    const client = await nsqlookupd.node({ broadcast_address: "one" }, "t c", "u");
    const other = await nsqlookupd.node({ broadcast_address: "other" }, "t c");

    const answers = await client.ask("REGISTER t d\n", "REGISTER t c\n", "PING\n");

    assertEquals(answers, ["E_INVALID REGISTER too many topics and channels", "OK", "OK"]);
    assertEquals([client, other].map(({ connection }) => connection.closed), [false, false]);
    assertEquals(await nsqlookupd.json("/channels?topic=t"), { channels: ["c"] });
    assertEquals(await nsqlookupd.producersOf("t"), ["one", "other"]);
    assertEquals(await nsqlookupd.request("POST", "/topic/create?topic=v"), {
      status: 503,
      type: "application/json; charset=utf-8",
      text: '{"message":"TOO_MANY_REGISTRATIONS"}',
    });
    assertEquals((await nsqlookupd.request("POST", "/topic/create?topic=t")).status, 200);
    assertEquals(
      nsqlookupd.lines.filter((line) => line.startsWith("ERROR")),
      [
        "ERROR: [127.0.0.1:5001] - E_INVALID REGISTER too many topics and channels - " +
        "Cannot register a name: there are 3 topics and channels",
      ],
    );
  },
);

limitsTest(
  "Session registers a node for a topic that it has no room for a channel of",
  { maxRegistrations: 3 },
  async (nsqlookupd) => {
    const client = await nsqlookupd.node({ broadcast_address: "one" }, "t c");

    assertEquals(await client.ask("REGISTER u d\n"), ["E_INVALID REGISTER too many topics and channels"]);

    assertEquals(await nsqlookupd.producersOf("u"), ["one"]);
    assertEquals(await nsqlookupd.json("/channels?topic=u"), { channels: [] });
  },
);

limitsTest(
  "Session lets names that no node has make room for those of nodes",
  { maxRegistrations: 2 },
  async (nsqlookupd) => {
    const gone = await nsqlookupd.node({}, "old", "older");
    await gone.end();

    const client = await nsqlookupd.connect();
    const [, ...answers] = await client.ask(identifyNode(), "REGISTER t c\n", "REGISTER u\n");

    assertEquals(answers, ["OK", "E_INVALID REGISTER too many topics and channels"]);
    assertEquals(await nsqlookupd.json("/topics"), { topics: ["t"] });
  },
);

// --max-registrations-per-connection

limitsTest(
  "Session refuses a node topics and channels beyond --max-registrations-per-connection, and others none",
  { maxRegistrationsPerConnection: 3 },
  async (nsqlookupd) => {
    const client = await nsqlookupd.node({ broadcast_address: "one" }, "t c", "u");

    const refused = await client.ask("REGISTER v\n");
    const other = await nsqlookupd.node({ broadcast_address: "other" }, "v", "t c");
    await client.ask("UNREGISTER u\n");
    const later = await client.ask("REGISTER v\n");

    assertEquals(refused, ["E_INVALID REGISTER too many topics and channels"]);
    assertEquals([client, other].map(({ connection }) => connection.closed), [false, false]);
    assertEquals(later, ["OK"]);
    assertEquals(await nsqlookupd.producersOf("v"), ["one", "other"]);
  },
);
