import { assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { type Connection, writeAll } from "../../src/net/connection.ts";
import { SnappyConnection } from "../../src/net/snappy.ts";
import { SnappyError } from "../../src/protocol/snappy_block.ts";
import { SnappyDecoder, SnappyEncoder } from "../../src/protocol/snappy_frames.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { hex, SNAPPY_STREAMS } from "../support/golden_streams.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { Random } from "../support/random.ts";

const IDENTIFIER = hex("ff060000734e61507059");

function connect(): { inner: MemoryConnection; snappy: SnappyConnection } {
  const inner = new MemoryConnection("peer");
  return { inner, snappy: new SnappyConnection(inner) };
}

/** All that comes before the end, read with buffers of that size. */
async function readAll(connection: Connection, bufferSize: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(bufferSize);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return join(...parts);
    parts.push(buffer.slice(0, count));
  }
}

for (const { name, data, stream } of SNAPPY_STREAMS) {
  Deno.test(`SnappyConnection reads Go's stream of ${name}, however it comes and is asked for`, async () => {
    for (const bufferSize of [7, 4096, 1_000_000]) {
      const { inner, snappy } = connect();
      for (const part of new Random(bufferSize).chunks(stream, 50)) inner.push(part);
      inner.end();

      assertEquals(await readAll(snappy, bufferSize), data);
    }
  });
}

Deno.test("SnappyConnection.write() makes one write of whole chunks", async () => {
  const { inner, snappy } = connect();
  const writes = [bytesOf("OK"), new Random(1).bytes(200_000), new Uint8Array(100_000)];

  for (const bytes of writes) await writeAll(snappy, bytes);

  const decoder = new SnappyDecoder();
  assertEquals(
    inner.written.map((part) => join(...decoder.decode(part))),
    writes.map((bytes) => join(bytes)),
  );
  assertLessOrEqual(inner.written[2].length, 10_000);
});

Deno.test("SnappyConnection.write() writes on until all is written", async () => {
  const { inner, snappy } = connect();
  inner.writeSizeMax = 7;

  await writeAll(snappy, bytesOf("a text that takes several writes"));

  assertEquals(
    textOf(join(...new SnappyDecoder().decode(join(...inner.written)))),
    "a text that takes several writes",
  );
});

Deno.test("SnappyConnection.read() never says that it has read nothing", async () => {
  const { inner, snappy } = connect();
  const empty = hex("01040000d8ea82a2");
  inner.push(join(IDENTIFIER, empty, empty, new SnappyEncoder().encode(bytesOf("abc")), empty));
  inner.end();
  const buffer = new Uint8Array(10);

  assertEquals([await snappy.read(buffer), await snappy.read(buffer)], [3, null]);
});

Deno.test("SnappyConnection.read() fills the buffer with what several chunks have", async () => {
  const { inner, snappy } = connect();
  const encoder = new SnappyEncoder();
  const texts = ["one ", "two ", "three ", "four"];
  inner.push(join(...texts.map((text) => encoder.encode(bytesOf(text)))));
  inner.end();
  const buffer = new Uint8Array(10);

  const reads: string[] = [];
  for (let count = await snappy.read(buffer); count !== null; count = await snappy.read(buffer)) {
    reads.push(textOf(buffer.slice(0, count)));
  }

  assertEquals(reads, ["one two th", "ree four"]);
});

Deno.test("SnappyConnection.read() is null at the end, also in the middle of a chunk", async () => {
  const { inner, snappy } = connect();
  const stream = new SnappyEncoder().encode(bytesOf("abc"));
  inner.push(stream.subarray(0, stream.length - 1));
  inner.end();

  assertEquals(await snappy.read(new Uint8Array(10)), null);
});

Deno.test("SnappyConnection.read() fails with a corrupt stream", async () => {
  const { inner, snappy } = connect();
  inner.push(bytesOf("PUB topic\n"));

  await assertRejects(() => snappy.read(new Uint8Array(10)), SnappyError, "no stream identifier");
});

Deno.test("SnappyConnection fails with what the connection below fails with", async () => {
  const { inner, snappy } = connect();
  inner.closed = true;

  await assertRejects(() => snappy.read(new Uint8Array(1)), Deno.errors.BadResource);
  await assertRejects(() => snappy.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
});

Deno.test("SnappyConnection reads as its reader does, and no faster", async () => {
  const { inner, snappy } = connect();
  const encoder = new SnappyEncoder();
  for (let i = 0; i < 100; i++) inner.push(encoder.encode(new Uint8Array(65536)));
  inner.end();

  await snappy.read(new Uint8Array(1));
  let left = 0;
  const buffer = new Uint8Array(65536);
  for (let count = await inner.read(buffer); count !== null; count = await inner.read(buffer)) left += count;

  // A chunk of 64 KiB of zeros takes some 3 KiB.
  assertLessOrEqual(99 * 3000, left);
});

Deno.test("SnappyConnection.close() ends a read that waits, and closes the connection below", async () => {
  const { inner, snappy } = connect();
  const failed = assertRejects(() => snappy.read(new Uint8Array(1)), Deno.errors.Interrupted);

  snappy.close();
  snappy.close();

  await failed;
  assertEquals([inner.closed, snappy.peer], [true, "peer"]);
});
