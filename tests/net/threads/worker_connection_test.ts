import { assertEquals } from "@std/assert";
import type { Layer } from "../../../src/net/layer.ts";
import { SnappyConnection } from "../../../src/net/snappy.ts";
import {
  decodeCount,
  decodeRecord,
  type ErrorRecord,
  FROM_THREAD,
  READ_WINDOW,
} from "../../../src/net/threads/records.ts";
import { WorkerConnection } from "../../../src/net/threads/worker_connection.ts";
import { bytesOf, join, textOf } from "../../support/frames.ts";
import { MemoryConnection } from "../../support/memory_connection.ts";
import { type PostedRecord, RecordRing } from "../../support/record_ring.ts";
import { settle } from "../../support/settle.ts";

const ID = 3;
const WRITE_WINDOW = 64 * 1024;
/** Room for a few reads. */
const RING_SIZE = 256 * 1024;

/** A connection of a thread; the test is its peer and its session. */
async function connection(capacity?: number) {
  const ring = new RecordRing(capacity);
  const socket = new MemoryConnection("127.0.0.1:1");
  const worker = new WorkerConnection({
    id: ID,
    connection: socket,
    outbox: ring.outbox,
    writeWindow: WRITE_WINDOW,
  });
  await settle();
  return { ring, socket, worker, opened: ring.take() };
}

function dataOf(records: readonly PostedRecord[]): string {
  return textOf(
    join(...records.filter(({ kind }) => kind === FROM_THREAD.data).map(({ payload }) => payload)),
  );
}

const kindsOf = (records: readonly PostedRecord[]) => records.map(({ kind }) => kind);

/** What a client sends that compresses. */
async function packed(text: string): Promise<Uint8Array> {
  const memory = new MemoryConnection("peer");
  await new SnappyConnection(memory).write(bytesOf(text));
  return join(...memory.written);
}

const SNAPPY: Promise<Layer> = Promise.resolve({ kind: "snappy" });

Deno.test("WorkerConnection says who has come, and reads nothing before it may", async () => {
  const { ring, socket, worker, opened: [record] } = await connection();
  socket.push(bytesOf("hello"));
  await settle();
  const early = ring.take();

  worker.credit(100);
  await settle();

  assertEquals([record.kind, record.id], [FROM_THREAD.opened, ID]);
  assertEquals(decodeRecord<string>(record.payload, 0, record.payload.length), "127.0.0.1:1");
  assertEquals([early, dataOf(ring.take())], [[], "hello"]);
});

Deno.test("WorkerConnection reads as much as it may, to the byte", async () => {
  const { ring, socket, worker } = await connection();
  socket.push(bytesOf("abcdefgh"));

  worker.credit(3);
  await settle();
  const first = dataOf(ring.take());
  worker.credit(2);
  await settle();

  assertEquals([first, dataOf(ring.take())], ["abc", "de"]);
});

Deno.test("WorkerConnection waits for room in the ring, and loses nothing", async () => {
  const { ring, socket, worker } = await connection(RING_SIZE);
  worker.credit(1_000_000);
  const bytes = new Uint8Array(600_000).map((_, i) => 97 + i % 26);
  socket.push(bytes);
  let got = "";

  while (got.length < bytes.length) {
    await settle();
    got += dataOf(ring.take());
    ring.outbox.flush();
  }

  assertEquals(got, textOf(bytes));
});

Deno.test("WorkerConnection tells of the end, and of a failure by its name", async () => {
  const [ended, failed] = [await connection(), await connection()];
  for (const { worker } of [ended, failed]) worker.credit(10);
  await settle();

  ended.socket.end();
  failed.socket.close();
  await settle();
  const [record] = failed.ring.take();

  assertEquals(kindsOf(ended.ring.take()), [FROM_THREAD.ended]);
  assertEquals(record.kind, FROM_THREAD.failed);
  assertEquals(decodeRecord<ErrorRecord>(record.payload, 0, record.payload.length).name, "Interrupted");
});

Deno.test("WorkerConnection.write() writes in order, and tells in large steps how much it has written", async () => {
  const { ring, socket, worker } = await connection();
  socket.hold();

  worker.write(bytesOf("a"));
  worker.write(bytesOf("b"));
  worker.write(new Uint8Array(WRITE_WINDOW / 2 - 3).fill(99));
  await settle();
  socket.release();
  await settle();
  const early = ring.take();
  worker.write(bytesOf("d"));
  await settle();
  const [written] = ring.take();

  assertEquals(textOf(join(...socket.written)), `ab${"c".repeat(WRITE_WINDOW / 2 - 3)}d`);
  assertEquals([early, written.kind, decodeCount(written.payload, 0)], [
    [],
    FROM_THREAD.written,
    WRITE_WINDOW / 2,
  ]);
});

Deno.test("WorkerConnection.write() tells of a failure", async () => {
  const { ring, socket, worker } = await connection();
  socket.close();

  worker.write(bytesOf("x"));
  await settle();

  assertEquals(kindsOf(ring.take()), [FROM_THREAD.writeFailed]);
});

Deno.test("WorkerConnection.close() writes first what it has been given, and says when it is closed", async () => {
  const { ring, socket, worker } = await connection();
  socket.hold();
  worker.write(bytesOf("goodbye"));
  const closing = worker.close();
  await settle();
  const early = [socket.closed, ring.take()];

  socket.release();
  await Promise.all([closing, worker.closed]);

  assertEquals([early, socket.written.map(textOf)], [[false, []], ["goodbye"]]);
  assertEquals([socket.closed, kindsOf(ring.take())], [true, [FROM_THREAD.closed]]);
});

Deno.test("WorkerConnection.close() does not wait for long for a peer that does not read", async () => {
  const { ring, socket, worker } = await connection();
  socket.hold();
  worker.write(bytesOf("goodbye"));

  await worker.close();
  await settle();

  assertEquals([socket.closed, kindsOf(ring.take())], [true, [FROM_THREAD.closed]]);
});

Deno.test("WorkerConnection puts a layer on that begins with what was read, with a read that was under way", async () => {
  const { ring, socket, worker } = await connection();
  worker.credit(READ_WINDOW);
  const bytes = await packed("over the layer");
  // The beginning has been read already, the rest comes to a read that began in plain.
  await settle();

  await worker.switch(SNAPPY);
  await settle();
  const switched = kindsOf(ring.take());
  socket.push(bytes.subarray(4));
  await settle();
  worker.unread(bytes.slice(0, 1));
  worker.unread(bytes.slice(1, 4));
  await worker.layer();
  const layered = kindsOf(ring.take());
  worker.credit(READ_WINDOW);
  await settle();
  worker.write(bytesOf("answer"));
  await settle();

  assertEquals([switched, layered], [[FROM_THREAD.switched], [FROM_THREAD.layered]]);
  assertEquals(dataOf(ring.take()), "over the layer");
  assertEquals(join(...socket.written), await packed("answer"));
});

Deno.test("WorkerConnection sends on what it has read in plain before it says that it has switched", async () => {
  const { ring, socket, worker } = await connection(RING_SIZE);
  const bytes = new Uint8Array(600_000).fill(97);
  worker.credit(1_000_000);
  socket.push(bytes);
  await settle();

  const switching = worker.switch(SNAPPY);
  const records: PostedRecord[] = [];
  for (let i = 0; i < 30; i++) {
    await settle();
    records.push(...ring.take());
    ring.outbox.flush();
  }
  await switching;

  assertEquals(records.at(-1)?.kind, FROM_THREAD.switched);
  assertEquals(kindsOf(records).filter((kind) => kind === FROM_THREAD.switched).length, 1);
});

Deno.test("WorkerConnection tells the layer of the end that came while there was none", async () => {
  const { ring, socket, worker } = await connection();
  worker.credit(READ_WINDOW);
  const bytes = await packed("all of it");
  socket.end();
  await settle();

  await worker.switch(SNAPPY);
  worker.unread(bytes);
  await worker.layer();
  worker.credit(READ_WINDOW);
  await settle();
  const records = ring.take();

  assertEquals(kindsOf(records), [
    FROM_THREAD.ended,
    FROM_THREAD.switched,
    FROM_THREAD.layered,
    FROM_THREAD.data,
    FROM_THREAD.ended,
  ]);
  assertEquals(dataOf(records), "all of it");
});

Deno.test("WorkerConnection tells of a layer that fails", async () => {
  const { ring, worker } = await connection();

  await worker.switch(Promise.reject(new Error("no certificate")));
  await worker.layer();
  const record = ring.take().at(-1);

  assertEquals(record?.kind, FROM_THREAD.layerFailed);
  assertEquals(
    decodeRecord<ErrorRecord>(record?.payload ?? new Uint8Array(), 0, record?.payload.length ?? 0),
    {
      name: "Error",
      message: "no certificate",
    },
  );
});

Deno.test("WorkerConnection.close() closes a connection that is just getting a layer, and the layer", async () => {
  const { ring, socket, worker } = await connection();
  const ready = Promise.withResolvers<Layer>();
  await worker.switch(ready.promise);
  const layering = worker.layer();
  ring.take();

  await worker.close();
  ready.resolve({ kind: "snappy" });
  await layering;

  assertEquals([socket.closed, kindsOf(ring.take())], [true, [FROM_THREAD.closed]]);
});
