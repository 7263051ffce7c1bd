import { assertEquals, assertRejects } from "@std/assert";
import {
  decodeCount,
  decodeRecord,
  type LayerRecord,
  PIECE_SIZE_MAX,
  READ_WINDOW,
  TO_THREAD,
} from "../../../src/net/threads/records.ts";
import { ThreadConnection } from "../../../src/net/threads/thread_connection.ts";
import { bytesOf, join, textOf } from "../../support/frames.ts";
import { type PostedRecord, RecordRing } from "../../support/record_ring.ts";
import { settle } from "../../support/settle.ts";

const ID = 7;
const WRITE_WINDOW = 64 * 1024;

/** A connection whose thread is the test. */
function connection(): { ring: RecordRing; near: ThreadConnection; receive(bytes: Uint8Array): void } {
  const ring = new RecordRing();
  const recordOf = (): LayerRecord => ({ kind: "snappy" });
  const near = new ThreadConnection({
    id: ID,
    peer: "127.0.0.1:1",
    outbox: ring.outbox,
    writeWindow: WRITE_WINDOW,
    recordOf,
  });
  return { ring, near, receive: (bytes) => near.received(bytes, 0, bytes.length) };
}

function dataOf(records: readonly PostedRecord[], kind: number = TO_THREAD.data): Uint8Array {
  return join(...records.filter((record) => record.kind === kind).map(({ payload }) => payload));
}

function creditOf(records: readonly PostedRecord[]): number {
  return records.filter(({ kind }) => kind === TO_THREAD.credit)
    .reduce((sum, { payload }) => sum + decodeCount(payload, 0), 0);
}

async function readText(near: ThreadConnection, size = 100): Promise<string | null> {
  const buffer = new Uint8Array(size);
  const count = await near.read(buffer);
  return count === null ? null : textOf(buffer.subarray(0, count));
}

Deno.test("ThreadConnection lets nothing come before it is read for the first time, and then a window", async () => {
  const { ring, near, receive } = connection();
  const before = ring.take();

  const reading = readText(near);
  const credit = creditOf(ring.take());
  receive(bytesOf("hello"));

  assertEquals([before, credit, await reading], [[], READ_WINDOW, "hello"]);
});

Deno.test("ThreadConnection.read() gives what has come before, in order, as much as is asked for", async () => {
  const { near, receive } = connection();
  const first = readText(near, 2);

  receive(bytesOf("abcd"));
  receive(bytesOf("ef"));

  assertEquals([await first, await readText(near, 3), await readText(near, 3)], ["ab", "cde", "f"]);
});

Deno.test("ThreadConnection lets as much more come as was read, and no more than a window in all", async () => {
  const { ring, near, receive } = connection();
  const first = readText(near, 1);
  receive(new Uint8Array(READ_WINDOW / 2));
  receive(new Uint8Array(READ_WINDOW / 2));
  await first;
  const initial = creditOf(ring.take());

  const buffer = new Uint8Array(READ_WINDOW / 2 - 2);
  await near.read(buffer);
  const almost = creditOf(ring.take());
  await near.read(buffer.subarray(0, 1));

  assertEquals([initial, almost, creditOf(ring.take())], [READ_WINDOW, 0, READ_WINDOW / 2]);
});

Deno.test("ThreadConnection.read() gives what has come before the end, then the end, again and again", async () => {
  const { near, receive } = connection();
  const first = readText(near, 1);
  receive(bytesOf("ab"));
  near.ended();

  assertEquals([await first, await readText(near), await readText(near), await readText(near)], [
    "a",
    "b",
    null,
    null,
  ]);
});

Deno.test("ThreadConnection.read() fails as the socket did, after what has come before", async () => {
  const { near, receive } = connection();
  const first = readText(near, 1);
  receive(bytesOf("ab"));
  near.failed(new Deno.errors.ConnectionReset("reset"));

  assertEquals([await first, await readText(near)], ["a", "b"]);
  await assertRejects(() => readText(near), Deno.errors.ConnectionReset, "reset");
});

Deno.test("ThreadConnection.write() gives the thread a window, and waits for room then", async () => {
  const { ring, near } = connection();
  const bytes = new Uint8Array(WRITE_WINDOW + 10).fill(1);

  assertEquals(await near.write(bytes), WRITE_WINDOW);
  const waiting = near.write(bytes.subarray(WRITE_WINDOW));
  const given = dataOf(ring.take()).length;
  near.written(WRITE_WINDOW);

  assertEquals([given, await waiting, dataOf(ring.take()).length], [WRITE_WINDOW, 10, 10]);
});

Deno.test("ThreadConnection.write() fails when the thread's write has, whether it waits or comes later", async () => {
  const { near } = connection();
  await near.write(new Uint8Array(WRITE_WINDOW));
  const waiting = assertRejects(() => near.write(bytesOf("x")), Deno.errors.BrokenPipe);

  near.writeFailed(new Deno.errors.BrokenPipe("broken"));

  await waiting;
  await assertRejects(() => near.write(bytesOf("x")), Deno.errors.BrokenPipe);
});

Deno.test("ThreadConnection.close() tells the thread once, and lets go who waits", async () => {
  const { ring, near } = connection();
  await near.write(new Uint8Array(WRITE_WINDOW));
  const reading = assertRejects(() => readText(near), Deno.errors.Interrupted);
  const writing = assertRejects(() => near.write(bytesOf("x")), Deno.errors.Interrupted);
  ring.take();

  near.close();
  near.close();
  await Promise.all([reading, writing]);

  assertEquals(ring.take().map(({ kind, id }) => ({ kind, id })), [{ kind: TO_THREAD.close, id: ID }]);
  await assertRejects(() => readText(near), Deno.errors.Interrupted);
  await assertRejects(() => near.write(bytesOf("x")), Deno.errors.Interrupted);
});

Deno.test("ThreadConnection.gone settles when the thread has closed it", async () => {
  const { near } = connection();
  let isGone = false;
  const gone = near.gone.then(() => isGone = true);

  near.close();
  await settle();
  const early = isGone;
  near.vanished();
  await gone;

  assertEquals(early, false);
});

Deno.test("ThreadConnection.lost() ends it for whoever waits, as if the peer had reset it", async () => {
  const { near } = connection();
  await near.write(new Uint8Array(WRITE_WINDOW));
  const waiting = [
    assertRejects(() => readText(near), Deno.errors.ConnectionReset),
    assertRejects(() => near.write(bytesOf("x")), Deno.errors.ConnectionReset),
  ];

  near.lost(new Deno.errors.ConnectionReset("gone"));

  await Promise.all([...waiting, near.gone]);
});

Deno.test("ThreadConnection.putLayer() gives back what was read too early, in order, and reads anew", async () => {
  const { ring, near, receive } = connection();
  const first = readText(near, 1);
  receive(bytesOf("1"));
  await first;
  receive(bytesOf("34"));
  ring.take();

  const layering = near.putLayer({ kind: "snappy" }, bytesOf("2"));
  const [asked] = ring.take();
  receive(bytesOf("5"));
  near.switched();
  await settle();
  const records = ring.take();
  near.layered(undefined);
  const { connection: above, tls } = await layering;
  const reading = readText(near);
  receive(bytesOf("unpacked"));

  assertEquals(asked.kind, TO_THREAD.layer);
  assertEquals(decodeRecord<LayerRecord>(asked.payload, 0, asked.payload.length), { kind: "snappy" });
  assertEquals(textOf(dataOf(records, TO_THREAD.unread)), "2345");
  assertEquals(records.at(-1)?.kind, TO_THREAD.unreadEnd);
  assertEquals([above, tls, creditOf(ring.take()), await reading], [
    near,
    undefined,
    READ_WINDOW,
    "unpacked",
  ]);
});

Deno.test("ThreadConnection.putLayer() gives back more than one record has room for", async () => {
  const { ring, near } = connection();
  const unread = new Uint8Array(2 * PIECE_SIZE_MAX + 1).fill(3);

  const layering = near.putLayer({ kind: "snappy" }, unread);
  near.switched();
  await settle();
  const records = ring.take();
  near.layered(undefined);
  await layering;

  assertEquals(dataOf(records, TO_THREAD.unread).length, unread.length);
});

Deno.test("ThreadConnection.putLayer() takes the end before the layer for no end of the layer", async () => {
  const { near } = connection();
  near.ended();

  const layering = near.putLayer({ kind: "snappy" }, bytesOf("what the layer is to read"));
  near.switched();
  await settle();
  near.layered(undefined);
  await layering;
  const reading = readText(near);
  near.received(bytesOf("unpacked"), 0, 8);

  assertEquals(await reading, "unpacked");
});

Deno.test("ThreadConnection.putLayer() says what was agreed on, or fails as the handshake did", async () => {
  const agreed = { state: { version: "TLS1.3", cipherSuite: "X", commonName: "c" }, refusal: undefined };
  const [good, bad] = [connection().near, connection().near];
  const layering = good.putLayer({ kind: "snappy" }, new Uint8Array());
  const failing = assertRejects(() => bad.putLayer({ kind: "snappy" }, new Uint8Array()), Error, "no TLS");
  for (const near of [good, bad]) near.switched();
  await settle();

  good.layered(agreed);
  bad.layerFailed(new Error("no TLS"));

  assertEquals((await layering).tls, agreed);
  await failing;
});

for (const when of ["before the switch", "after it"]) {
  Deno.test(`ThreadConnection.putLayer() fails when the connection is closed ${when}`, async () => {
    const { near } = connection();
    const failing = assertRejects(
      () => near.putLayer({ kind: "snappy" }, bytesOf("x")),
      Deno.errors.Interrupted,
    );
    if (when === "after it") near.switched();
    await settle();

    near.close();

    await failing;
  });
}
