import { constants, deflateRawSync } from "node:zlib";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { TO_THREAD, writeWindow } from "../../../src/net/threads/records.ts";
import { ThreadConnection } from "../../../src/net/threads/thread_connection.ts";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";
import { Session } from "../../../src/nsqd/session/session.ts";
import { SnappyEncoder } from "../../../src/protocol/snappy_frames.ts";
import { eventually } from "../../support/eventually.ts";
import { i32, identify, ids, join, MAGIC, pub, response } from "../../support/frames.ts";
import {
  consumer,
  inMemory,
  type MemoryClient,
  type NsqdInMemory,
  publish,
  settle,
} from "../../support/nsqd_in_memory.ts";
import { nsqdTest } from "../../support/nsqd_in_process.ts";
import { RecordRing } from "../../support/record_ring.ts";

const OK = response("OK");
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Options with which nothing but what a test switches on ends a connection. */
const NO_LIMITS: Partial<NsqdOptions> = { handshakeTimeoutMs: 0, commandTimeoutMs: 0, writeTimeoutMs: 0 };

function limitsTest(
  name: string,
  options: Partial<NsqdOptions>,
  test: (nsqd: NsqdInMemory) => Promise<void>,
): void {
  Deno.test(name, inMemory(test, { ...NO_LIMITS, ...options }));
}

/** Why connections were ended. */
function errorsIn({ lines }: NsqdInMemory): string[] {
  return lines.flatMap((line) => /^ERROR: client\(.*?\) - (.*)$/.exec(line)?.[1] ?? []);
}

/** A client that has asked for no heartbeats, and so is not ended for being silent. */
async function quietClient(nsqd: NsqdInMemory): Promise<MemoryClient> {
  const client = await nsqd.connect();
  assertEquals(await client.ask(identify({ heartbeat_interval: -1 })), [OK]);
  return client;
}

// --max-connections

nsqdTest(
  "Nsqd closes connections beyond --max-connections at once, and takes others when some have gone",
  async (nsqd) => {
    using first = await nsqd.connect();
    const second = await nsqd.connect();
    assertEquals([await first.ask(pub("t", "a")), await second.ask(pub("t", "b"))], ["OK", "OK"]);

    using third = await nsqd.connect();
    assertEquals(await third.rest(), []);

    assertEquals(await first.ask(pub("t", "c")), "OK");
    assertEquals(nsqd.lines.filter((line) => line.includes("refused client")).length, 1);
    second[Symbol.dispose]();
    await eventually("one has gone", () => nsqd.nsqd.connections.size === 1);
    using fourth = await nsqd.connect();
    assertEquals(await fourth.ask(pub("t", "d")), "OK");
  },
  { maxConnections: 2 },
);

nsqdTest("Nsqd takes any number of connections when --max-connections is 0", async (nsqd) => {
  const clients = [];
  for (let i = 0; i < 50; i++) clients.push(await nsqd.connect());

  for (const client of clients) assertEquals(await client.ask(pub("t", "a")), "OK");

  for (const client of clients) client[Symbol.dispose]();
}, { maxConnections: 0 });

nsqdTest("Nsqd counts connections that have not said anything, too", async (nsqd) => {
  using silent = await nsqd.connect({ magic: "" });
  await eventually("it is there", () => nsqd.nsqd.connections.size === 1);

  using client = await nsqd.connect();

  assertEquals(await client.rest(), []);
  await silent.send("  V2", pub("t", "a"));
  assertEquals(await silent.answer(), "OK");
}, { maxConnections: 1 });

// --handshake-timeout

limitsTest(
  "Session.keepAlive() gives a client --handshake-timeout for its first command",
  { handshakeTimeoutMs: 5000 },
  async (nsqd) => {
    const inTime = await nsqd.connect();
    const late = await nsqd.connect();
    const inPieces = await nsqd.connect({ magic: "" });

    for (const character of " ") await inPieces.send(character);
    await nsqd.pass(4000);
    await inPieces.send(" V2IDENT");
    await nsqd.pass(1000);
    assertEquals(await inTime.ask("NOP\n", pub("t", "a")), [OK]);
    await nsqd.pass(1);
    await nsqd.pass(MINUTE_MS - 1);

    assertEquals([inTime, late, inPieces].map(({ connection }) => connection.closed), [false, true, true]);
    assertEquals(errorsIn(nsqd), Array(2).fill("no command in time after connecting - i/o timeout"));
  },
);

limitsTest("Session ends with a refused first command, whatever --handshake-timeout", {
  handshakeTimeoutMs: 5000,
}, async (nsqd) => {
  const client = await nsqd.connect();

  await client.ask("WHAT\n");

  assertEquals([client.connection.closed, nsqd.connections.size], [true, 0]);
});

limitsTest(
  "Session.keepAlive() without --handshake-timeout gives a client two heartbeats for its first command",
  {},
  async (nsqd) => {
    const client = await nsqd.connect({ magic: "  V" });

    await nsqd.pass(MINUTE_MS);
    const early = client.connection.closed;
    await nsqd.pass(1);

    assertEquals([early, client.connection.closed], [false, true]);
    assertEquals(errorsIn(nsqd), ["failed to read command - i/o timeout"]);
  },
);

// --command-timeout

limitsTest(
  "Session.keepAlive() gives a client --command-timeout for the rest of a command",
  { commandTimeoutMs: 5000 },
  async (nsqd) => {
    const [body, line, size] = [await quietClient(nsqd), await quietClient(nsqd), await quietClient(nsqd)];
    await body.send("PUB t\n", i32(5), "abcd");
    await line.send("PUB");
    await size.send("PUB t\n", i32(5).subarray(0, 3));

    await nsqd.pass(5000);
    assertEquals(await body.ask("e"), [OK]);
    await nsqd.pass(1);

    assertEquals([body, line, size].map(({ connection }) => connection.closed), [false, true, true]);
    assertEquals(errorsIn(nsqd), Array(2).fill("failed to read the rest of a command - i/o timeout"));
  },
);

limitsTest("Session.keepAlive() gives a client the whole of --command-timeout for each command", {
  commandTimeoutMs: 5000,
}, async (nsqd) => {
  const client = await quietClient(nsqd);
  const command = pub("t", "a");

  await client.send(command.subarray(0, 3));
  for (let i = 0; i < 5; i++) {
    await nsqd.pass(4000);
    // The end of one, and the beginning of the next.
    await client.send(command.subarray(3), command.subarray(0, 3));
  }
  await nsqd.pass(5000);
  const early = client.connection.closed;
  await nsqd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
  assertEquals(client.frames(), Array(5).fill(OK));
});

limitsTest("Session.keepAlive() does not apply --command-timeout between commands", {
  commandTimeoutMs: 5000,
}, async (nsqd) => {
  const client = await quietClient(nsqd);
  await client.send(pub("t", "a"));

  await nsqd.pass(24 * 60 * MINUTE_MS);

  assertEquals(await client.ask(pub("t", "a")), [OK, OK]);
});

limitsTest(
  "Session.keepAlive() without --command-timeout gives a client any time for a command",
  {},
  async (nsqd) => {
    const client = await quietClient(nsqd);
    await client.send("PUB t\n");

    await nsqd.pass(24 * 60 * MINUTE_MS);

    assertEquals(await client.ask(i32(1), "a"), [OK]);
  },
);

// --write-timeout

const WRITE_LIMITS: readonly (readonly [
  name: string,
  heartbeatMs: number,
  writeTimeoutMs: number,
  limitMs: number,
])[] = [
  ["--write-timeout", 30_000, 5000, 5000],
  ["its heartbeat interval when that is shorter", 2000, 5000, 2000],
  ["its heartbeat interval without --write-timeout", 2000, 0, 2000],
  ["--write-timeout without heartbeats", -1, 5000, 5000],
];

for (const [name, heartbeatMs, writeTimeoutMs, limitMs] of WRITE_LIMITS) {
  limitsTest(
    `Session.keepAlive() lets a client leave an answer unread for ${name}`,
    { writeTimeoutMs },
    async (nsqd) => {
      const client = await nsqd.connect();
      await client.ask(identify({ heartbeat_interval: heartbeatMs }));
      client.connection.hold();

      await client.send(pub("t", "a"));
      await nsqd.pass(limitMs);
      const early = client.connection.closed;
      await nsqd.pass(1);

      assertEquals([early, client.connection.closed], [false, true]);
      assertEquals(errorsIn(nsqd), ["failed to write - i/o timeout"]);
    },
  );
}

limitsTest(
  "Session.keepAlive() without --write-timeout and heartbeats lets a client leave an answer unread for ever",
  {},
  async (nsqd) => {
    const client = await quietClient(nsqd);
    client.connection.hold();
    await client.send(pub("t", "a"));

    await nsqd.pass(24 * 60 * MINUTE_MS);

    client.connection.release();
    await settle();
    assertEquals(client.frames(), [OK]);
  },
);

limitsTest(
  "Session serves a slow client on that reads each write in time",
  { writeTimeoutMs: 5000 },
  async (nsqd) => {
    const client = await quietClient(nsqd);

    for (let i = 0; i < 10; i++) {
      client.connection.hold();
      await client.send(pub("t", "a"));
      await nsqd.pass(5000);
      client.connection.release();
      await settle();
    }

    assertEquals(client.frames(), Array(10).fill(OK));
  },
);

limitsTest(
  "Session serves a client that takes a byte now and then",
  { writeTimeoutMs: 5000 },
  async (nsqd) => {
    const client = await quietClient(nsqd);
    client.connection.hold();
    await client.send(pub("t", "a"));

    for (let i = 0; i < 9; i++) {
      await nsqd.pass(5000);
      client.connection.take(1);
      await settle();
    }
    await nsqd.pass(5000);
    const early = client.connection.closed;
    await nsqd.pass(1);

    assertEquals([early, client.connection.closed], [false, true]);
    assertEquals(errorsIn(nsqd), ["failed to write - i/o timeout"]);
  },
);

/** A consumer with 100 messages of 10 KB, of which it has taken the first three bytes. */
async function slowConsumer(nsqd: NsqdInMemory): Promise<{ client: MemoryClient; ids: string[] }> {
  const client = await consumer(nsqd, { rdy: 100 });
  await publish(nsqd, "x".repeat(10_000), "x".repeat(10_000), "x".repeat(10_000));
  const taken = ids(client.frames());
  client.connection.hold();
  await publish(nsqd, ...Array(97).fill("x".repeat(10_000)));
  await settle();
  return { client, ids: taken };
}

for (
  const [name, answer] of [
    ["finishes", (id: string) => `FIN ${id}\n`],
    ["requeues", (id: string) => `REQ ${id} 0\n`],
    ["asks for more time for", (id: string) => `TOUCH ${id}\n`],
  ] as const
) {
  limitsTest(
    `Session serves a consumer that ${name} a message now and then`,
    { writeTimeoutMs: 5000 },
    async (nsqd) => {
      const { client, ids } = await slowConsumer(nsqd);

      for (const id of ids) {
        await nsqd.pass(5000);
        await client.send(answer(id));
        await nsqd.pass(100);
      }
      await nsqd.pass(4900);
      const early = client.connection.closed;
      await nsqd.pass(101);

      // What it is sent is bounded all the same.
      assertLessOrEqual(client.session.messageCount, 3 + Math.ceil(256 * 1024 / 10_034));
      assertEquals([early, client.connection.closed], [false, true]);
      assertEquals(errorsIn(nsqd), ["failed to write - i/o timeout"]);
    },
  );
}

limitsTest(
  "Session does not take answers to messages for reading that are none",
  { writeTimeoutMs: 5000 },
  async (nsqd) => {
    const { client } = await slowConsumer(nsqd);

    await nsqd.pass(2500);
    await client.send("FIN 0123456789abcdef\n", "TOUCH 0123456789abcdef\n", "NOP\n");
    await nsqd.pass(2501);

    assertEquals(client.connection.closed, true);
  },
);

limitsTest("Session reads on what a consumer finishes while its output is full", {}, async (nsqd) => {
  const { client, ids } = await slowConsumer(nsqd);
  const before = client.session.inFlightCount;

  await client.send(...ids.map((id) => `FIN ${id}\n`));

  assertEquals(client.session.finishCount, 3);
  assertEquals(client.session.inFlightCount, before - 3);
  client.connection.release();
  await settle();
});

// Memory that was needed once

/** Bytes that the reader of commands has. */
function bufferOf({ session }: MemoryClient): number {
  return session.reader.bytes.length;
}

limitsTest(
  "Session gives the memory back that it has read with, with the answer to a heartbeat",
  {},
  async (nsqd) => {
    const client = await nsqd.connect();
    await client.send("NOP\n".repeat(100_000));
    const grown = bufferOf(client);

    await nsqd.pass(30_000);
    await client.send("NOP\n");

    assertEquals([grown, bufferOf(client)], [256 * 1024, 4096]);
  },
);

limitsTest("Session gives it back at once where there are no heartbeats", {}, async (nsqd) => {
  const client = await quietClient(nsqd);

  await client.send("NOP\n".repeat(100_000));

  assertEquals(bufferOf(client), 4096);
});

// --max-output-pending-size

limitsTest("Session sends messages up to --max-output-pending-size while they are not read", {
  maxOutputPendingSizeBytes: 10_000,
}, async (nsqd) => {
  // With its header a message has 1000 bytes.
  const body = "x".repeat(1000 - 34);
  const client = await consumer(nsqd, { rdy: 100 });
  client.connection.hold();

  await publish(nsqd, body);
  await publish(nsqd, ...Array(50).fill(body));

  assertEquals(client.session.messageCount, 10);
  client.connection.release();
  await settle();
  for (let i = 0; i < 10; i++) await settle();
  assertEquals(client.frames().length, 51);
});

limitsTest("Session counts what an I/O thread has not written yet as not read, too", {
  maxOutputPendingSizeBytes: 10_000,
}, async (nsqd) => {
  const body = "x".repeat(1000 - 34);
  const ring = new RecordRing();
  const connection = new ThreadConnection({
    id: 1,
    peer: "127.0.0.1:5001",
    outbox: ring.outbox,
    writeWindow: writeWindow(10_000),
    recordOf: () => ({ kind: "snappy" }),
  });
  const session = new Session(nsqd, connection);
  const done = session.run();
  const subscribes = join(MAGIC, "SUB t c\nRDY 100\n");
  connection.received(subscribes, 0, subscribes.length);
  await settle();
  const dataLength = () =>
    ring.take().filter(({ kind }) => kind === TO_THREAD.data)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  connection.written(dataLength());

  for (let i = 0; i < 51; i++) await publish(nsqd, body);

  assertEquals([session.messageCount, dataLength()], [10, 5000]);
  for (let i = 0; i < 20; i++) {
    connection.written(2500);
    await settle();
  }
  assertEquals([session.messageCount, dataLength()], [51, 46_000]);
  session.close();
  await done;
});

limitsTest("Session sends a message that is larger than --max-output-pending-size", {
  maxOutputPendingSizeBytes: 1000,
}, async (nsqd) => {
  const client = await consumer(nsqd, { rdy: 100 });

  await publish(nsqd, "x".repeat(100_000), "y".repeat(100_000));
  await settle();

  assertEquals(client.frames().length, 2);
});

/** Publishes a byte; the answer has 10. */
const COMMAND = pub("t", "x");
const COUNT = 100_000;

const COMPRESSIONS: readonly (readonly [
  name: string,
  features: Readonly<Record<string, unknown>>,
  compress: (bytes: Uint8Array) => Uint8Array,
])[] = [
  ["nothing", {}, (bytes) => bytes],
  ["deflate", { deflate: true }, (bytes) => deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })],
  ["snappy", { snappy: true }, (bytes) => new SnappyEncoder().encode(bytes)],
];

for (const [name, features, compress] of COMPRESSIONS) {
  limitsTest(
    `Session reads from a client that never reads its answers up to a bound, and others go on (over ${name})`,
    { memQueueSize: 10 * COUNT },
    async (nsqd) => {
      const other = await consumer(nsqd, { rdy: 1 });
      const client = await nsqd.connect();
      await client.send(identify({ feature_negotiation: true, ...features }));
      client.connection.hold();

      client.connection.push(compress(join(...Array(COUNT).fill(COMMAND))));
      for (let i = 0; i < 50; i++) await settle();

      const published = client.session.pubCounts.get("t") ?? 0;
      // Answers to 256 KiB of answers, and to what was in the buffer of commands then.
      assertLessOrEqual(published, 256 * 1024 / 10 + 256 * 1024 / COMMAND.length + 1);
      assert(published > 0);
      assertEquals(other.session.messageCount, 1);
      client.connection.release();
      await eventually("all is published", () => client.session.pubCounts.get("t") === COUNT);
    },
  );
}
