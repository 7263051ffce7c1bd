import { assertEquals } from "@std/assert";
import { bytesOf, textOf } from "../../support/frames.ts";
import { type PostedRecord, RecordRing } from "../../support/record_ring.ts";
import { settle } from "../../support/settle.ts";

const HALF = new Uint8Array(504);
const texts = (records: readonly PostedRecord[]) => records.map(({ payload }) => textOf(payload));

Deno.test("Outbox.post() keeps what has no room, and flush() sends it in order when there is", () => {
  const ring = new RecordRing(1024);
  const { outbox } = ring;
  outbox.post(1, 1, HALF);
  outbox.post(1, 1, HALF);

  const payload = bytesOf("first").slice();
  outbox.post(1, 1, payload);
  payload.fill(0);
  outbox.post(1, 1, bytesOf("second"));
  assertEquals([outbox.isFull, outbox.flush()], [true, false]);
  ring.take();

  assertEquals([outbox.flush(), outbox.isFull, outbox.flush()], [true, false, false]);
  assertEquals(texts(ring.take()), ["first", "second"]);
});

Deno.test("Outbox.post() does not overtake what waits, though it may have room", () => {
  const ring = new RecordRing(1024);
  const { outbox } = ring;
  outbox.post(1, 1, HALF);
  outbox.post(1, 1, HALF);
  outbox.post(1, 1, bytesOf("first"));
  ring.take();

  outbox.post(1, 1, bytesOf("second"));
  outbox.flush();

  assertEquals(texts(ring.take()), ["first", "second"]);
});

Deno.test("Outbox.room() settles when nothing waits any more", async () => {
  const ring = new RecordRing(1024);
  const { outbox } = ring;
  await outbox.room();
  for (let i = 0; i < 4; i++) outbox.post(1, 1, HALF);
  let hasRoom = false;
  const waiting = outbox.room().then(() => hasRoom = true);

  ring.take(1);
  outbox.flush();
  await settle();
  const half = hasRoom;
  ring.take();
  outbox.flush();
  await waiting;

  assertEquals(half, false);
});

Deno.test("Outbox.drop() lets go who waits for room, and sends nothing more", async () => {
  const ring = new RecordRing(1024);
  const { outbox } = ring;
  for (let i = 0; i < 3; i++) outbox.post(1, 1, HALF);
  const waiting = outbox.room();

  outbox.drop();
  outbox.post(1, 1, bytesOf("late"));
  await waiting;

  assertEquals([outbox.isFull, ring.take().length, ring.take().length], [false, 2, 0]);
});

Deno.test("Outbox wakes the other thread after all that a step posts", async () => {
  const ring = new RecordRing();
  // Another thread takes it up before anything can be put in between.
  const idsAtRing: number[][] = [];
  ring.bell.ring = () => void idsAtRing.push(ring.take().map(({ id }) => id));

  ring.outbox.post(1, 1);
  ring.outbox.post(1, 2);
  await settle();

  assertEquals(idsAtRing, [[1, 2]]);
});
