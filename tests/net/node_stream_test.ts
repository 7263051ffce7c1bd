import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { assertEquals, assertRejects } from "@std/assert";
import { ReadGate, StreamConnection, streamOf, takeFrom } from "../../src/net/node_stream.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { settle } from "../support/nsqd_in_memory.ts";

/** A stream over a connection in memory. */
function openStream(): { inner: MemoryConnection; gate: ReadGate; stream: Duplex } {
  const inner = new MemoryConnection("below");
  const gate = new ReadGate();
  return { inner, gate, stream: streamOf(inner, gate) };
}

/** A connection over a stream over a connection in memory, closed afterwards. */
function connectionTest(
  name: string,
  test: (ends: { inner: MemoryConnection; connection: StreamConnection; stream: Duplex }) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const { inner, gate, stream } = openStream();
    const connection = new StreamConnection(stream, gate, "peer");
    try {
      await test({ inner, connection, stream });
    } finally {
      connection.close();
      await settle();
    }
  });
}

async function readText(connection: StreamConnection, most = 100): Promise<string | null> {
  const buffer = new Uint8Array(most);
  const count = await connection.read(buffer);
  return count === null ? null : textOf(buffer.subarray(0, count));
}

// A stream over a connection

Deno.test("streamOf() reads nothing while the gate is closed", async () => {
  const { inner, gate, stream } = openStream();
  const read: string[] = [];
  gate.close();
  inner.push(bytesOf("abc"));

  stream.on("data", (bytes: Uint8Array) => read.push(textOf(bytes)));
  await settle();
  const before = [...read];
  gate.open();
  await settle();

  assertEquals([before, read], [[], ["abc"]]);
  stream.destroy();
});

Deno.test("streamOf() ends when the connection does", async () => {
  const { inner, stream } = openStream();
  const ended = new Promise((resolve) => stream.once("end", () => resolve("end")));
  stream.resume();

  inner.end();

  assertEquals(await ended, "end");
  stream.destroy();
});

Deno.test("streamOf() writes all, one after the other", async () => {
  const { inner, stream } = openStream();
  inner.writeSizeMax = 2;

  stream.write(bytesOf("abc"));
  await new Promise((resolve) => stream.write(bytesOf("defg"), resolve));

  assertEquals(textOf(join(...inner.written)), "abcdefg");
  stream.destroy();
});

Deno.test("streamOf() fails as the connection does", async () => {
  const { inner, stream } = openStream();
  const error = new Promise((resolve) => stream.once("error", resolve));
  stream.resume();

  inner.close();

  assertEquals(await error instanceof Deno.errors.BadResource, true);
});

Deno.test("streamOf() closes the connection when it is destroyed", async () => {
  const { inner, stream } = openStream();
  stream.resume();
  await settle();

  stream.destroy();

  assertEquals(inner.closed, true);
});

Deno.test("ReadGate.opened() waits for the gate that was closed last", async () => {
  const gate = new ReadGate();
  let opened = false;

  await gate.opened();
  gate.close();
  const waiting = gate.opened().then(() => opened = true);
  gate.open();
  gate.close();
  await settle();
  const early = opened;
  gate.open();
  await waiting;

  assertEquals([early, opened], [false, true]);
});

// A connection over a stream

connectionTest("StreamConnection reads what comes, in pieces as asked for", async ({ inner, connection }) => {
  inner.push(bytesOf("0123456789"));
  const parts: (string | null)[] = [];

  for (let i = 0; i < 4; i++) parts.push(await readText(connection, 3));

  assertEquals(parts, ["012", "345", "678", "9"]);
});

Deno.test("StreamConnection.read() gives no more than the buffer takes, however much a stream has at once", async () => {
  const stream = new Duplex({
    read() {
      this.push(Buffer.alloc(100));
    },
  });
  const connection = new StreamConnection(stream, new ReadGate(), "peer");

  const count = await connection.read(new Uint8Array(10));

  assertEquals(count, 10);
  connection.close();
  await settle();
});

connectionTest("StreamConnection reads the connection below only while it is read itself", async (ends) => {
  const { inner, connection } = ends;
  for (const text of ["a", "b", "c", "d"]) inner.push(bytesOf(text));
  await settle();
  const unread = async () => {
    const probe = new Uint8Array(1);
    return textOf(probe.subarray(0, await inner.read(probe) ?? 0));
  };

  const first = await readText(connection);
  await settle();
  // One read may be under way when the gate closes.
  const next = await unread();

  assertEquals([first, next], ["a", "c"]);
});

connectionTest("StreamConnection.read() is null at the end; it can still be written to", async (ends) => {
  const { inner, connection } = ends;
  inner.push(bytesOf("abc"));
  inner.end();

  assertEquals([await readText(connection), await readText(connection)], ["abc", null]);
  assertEquals(await connection.write(bytesOf("answer")), 6);
  assertEquals(textOf(join(...inner.written)), "answer");
});

connectionTest("StreamConnection.write() ends when the bytes are written", async ({ inner, connection }) => {
  let done = false;
  inner.hold();

  const writing = connection.write(bytesOf("abc")).then(() => done = true);
  await settle();
  const early = done;
  inner.release();
  await writing;

  assertEquals([early, textOf(join(...inner.written))], [false, "abc"]);
});

connectionTest("StreamConnection fails with what the connection below fails with", async (ends) => {
  const { inner, connection } = ends;
  const reading = assertRejects(() => readText(connection), Deno.errors.Interrupted);
  await settle();

  inner.close();

  await reading;
  await assertRejects(() => readText(connection), Deno.errors.Interrupted);
  await assertRejects(() => connection.write(bytesOf("a")), Deno.errors.Interrupted);
});

connectionTest("StreamConnection.write() fails with what the connection below fails with", async (ends) => {
  ends.inner.closed = true;

  await assertRejects(() => ends.connection.write(bytesOf("a")), Deno.errors.BrokenPipe);
});

connectionTest(
  "StreamConnection.close() ends a read that waits, and closes the connection below",
  async (ends) => {
    const { inner, connection } = ends;
    const reading = readText(connection);
    await settle();

    connection.close();
    connection.close();

    assertEquals(await reading, null);
    assertEquals([inner.closed, connection.peer], [true, "peer"]);
  },
);

connectionTest("StreamConnection.close() ends a write that is held", async ({ inner, connection }) => {
  inner.hold();
  const ended = Promise.allSettled([connection.write(bytesOf("abc"))]);
  await settle();

  connection.close();

  await ended;
  assertEquals(inner.written, []);
  await assertRejects(() => connection.write(bytesOf("abc")), Deno.errors.BrokenPipe);
});

connectionTest(
  "StreamConnection.close() ends the stream before it destroys it",
  async ({ connection, stream }) => {
    const events: string[] = [];
    for (const event of ["finish", "close"]) stream.on(event, () => events.push(event));

    connection.close();
    await settle();

    assertEquals(events, ["finish", "close"]);
  },
);

Deno.test("takeFrom() takes what there is, up to the most, and null of nothing", () => {
  const stream = new Duplex({ read() {} });
  stream.push(Buffer.from("abcde"));

  const taken = [takeFrom(stream, 2), takeFrom(stream, 10), takeFrom(stream, 10)];

  assertEquals(taken.map((bytes) => bytes && textOf(bytes)), ["ab", "cde", null]);
  stream.destroy();
});
