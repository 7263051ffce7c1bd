/**
 * Messages that were taken over from another queue: they keep the ids and the attempts that they had there.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import { ORIGIN_LENGTH } from "../../src/log/segment_image.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { blockOfTexts, textOf } from "../support/broker_messages.ts";
import { bytes, killed, type TestChannel, testChannel, TestConsumer } from "../support/broker_setup.ts";

const BASE = 0x102030405;
const ID = "00112233445566778899aabbccddeeff";

/** A message that had been tried 258 times, a deferred one that had been tried as often as is counted; see segment_image.ts. */
const GOLDEN = [
  "4e5351534547 0001 0000000102030405",
  "4e535162 e04090e2 0000001c 00000001 0000000102030405 0000000100000002" +
  `0015 03 0012 ${ID} 0102 00000001 61`,
  "4e535162 93ca5868 00000028 00000001 0000000102030406 0000000100000002" +
  `0020 01 0008 00000000000005dc 03 0012 ${ID} ffff 00000002 6263`,
  "4e535162 2c2d04f0 0000000d 00000000 0000000102030407 0000000000000000 000b 02 0008 00000002 00000001",
].join("").replaceAll(" ", "");

Deno.test("Segment writes the origins of messages byte for byte", () => {
  const segment = goldenSegment();

  assertEquals(segment.unwritten().toHex(), GOLDEN);
});

Deno.test("Segment.restore() reads the origins of messages", () => {
  const segment = Segment.onDisk({ base: BASE, size: 0 });

  assertEquals(segment.restore(Uint8Array.fromHex(GOLDEN)), []);

  assertEquals(contentOf(segment), [
    { body: "a", id: ID, attempts: 258, dueMs: 0 },
    { body: "bc", id: ID, attempts: 65535, dueMs: 1.5 },
  ]);
  assertEquals([segment.deferred, segment.count, segment.sealed], [1, 2, true]);
});

Deno.test("Segment.append() begins a batch for a message with an origin, and one for the message behind it", () => {
  const segment = new Segment({ base: BASE, capacityBytes: 4096, stored: true });

  for (const origin of [undefined, originOf(ID, 1), undefined, undefined]) append(segment, "x", { origin });

  const batches = segment.unwritten().toHex().split("4e535162").length - 1;
  assertEquals([batches, contentOf(segment).map(({ id }) => id)], [3, ["", ID, "", ""]]);
});

Deno.test("Segment.rollback() takes origins back", () => {
  const segment = new Segment({ base: BASE, capacityBytes: 4096, stored: true });
  append(segment, "kept", {});
  segment.commit();
  append(segment, "taken back", { origin: originOf(ID, 3) });

  segment.rollback();
  append(segment, "other", {});

  assertEquals(contentOf(segment), [
    { body: "kept", id: "", attempts: 0, dueMs: 0 },
    { body: "other", id: "", attempts: 0, dueMs: 0 },
  ]);
});

Deno.test("Segment.compacted() keeps origins", () => {
  const segment = goldenSegment();

  const copy = segment.compacted((index) => index === 1, { stored: true });

  assertEquals([copy.has(0), copy.deferred, idOf(copy, 1), copy.earlierAttempts(1)], [false, 1, ID, 65535]);
});

Deno.test("Segment of many messages keeps the origins of all", () => {
  const segment = new Segment({ base: BASE, capacityBytes: 1024 * 1024, stored: true });

  for (let i = 0; i < 1000; i++) append(segment, "x", i % 3 === 0 ? { origin: originOf(ID, i) } : {});

  const attempts = Array.from({ length: 1000 }, (_, i) => segment.earlierAttempts(i));
  assertEquals(attempts, Array.from({ length: 1000 }, (_, i) => i % 3 === 0 ? i : 0));
});

Deno.test("Channel delivers a message with one attempt more than it had in the other queue", () => {
  const test = testChannel();
  takeOver(test.topic, ["new", 0], ["tried", 7], ["often", 65534], ["too often", 65535]);
  const consumer = test.subscribe();

  test.pump();

  assertEquals(consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [
    ["new", 1],
    ["tried", 8],
    ["often", 65535],
    ["too often", 65535],
  ]);
});

Deno.test("Channel.hasForeignIds is true once a message was delivered that has one", () => {
  const test = testChannel();
  test.subscribe({ readyCount: 2 });
  test.publish("own");
  takeOver(test.topic, ["foreign", 0]);

  test.clock.advance(1);
  assertEquals(test.channel.hasForeignIds, false);
  test.pump();

  assertEquals(test.channel.hasForeignIds, true);
});

Deno.test("Channel.positionOf() finds the message that has kept its id, whatever the id means here", () => {
  const { channel, consumer, positions } = delivered();
  const [own, first, second] = positions;

  const of = (id: string, position: number) => channel.positionOf(consumer.consumer, bytes(id), position);

  assertEquals([of("id of the first.", -1), of("id of the second", -1)], [first, second]);
  assertEquals([of("id of the first.", second), of("id of the second", first)], [first, second]);
  assertEquals(of("id of our own...", own), own);
});

Deno.test("Channel.positionOf() is the position of an id that nobody knows", () => {
  const { channel, consumer, positions } = delivered();

  assertEquals(channel.positionOf(consumer.consumer, bytes("id of whatever.."), 5), 5);
  // A foreign one is not meant by its position here.
  const position = channel.positionOf(consumer.consumer, bytes("id of whatever.."), positions[1]);
  assertEquals(position, positions[1]);
});

Deno.test("Channel.positionOf() finds only what is in flight to the consumer", () => {
  const { channel, consumer, positions, test } = delivered();
  const other = test.subscribe();

  assertEquals(channel.positionOf(other.consumer, bytes("id of the first."), -1), -1);
  channel.finish(consumer.consumer, positions[1], 0);
  assertEquals(channel.positionOf(consumer.consumer, bytes("id of the first."), -1), -1);
});

Deno.test("Channel keeps ids and attempts over a crash, also of what was deferred for long", async () => {
  const before = testChannel({ durability: "disk" });
  takeOver(before.topic, ["now", 3]);
  takeOver(before.topic, ["late", 9], 600_000);
  const consumer = before.subscribe();
  before.pump();
  before.channel.requeue(consumer.consumer, consumer.deliveries[0].position, { delayMs: 0, nowMs: 0 });
  await before.topic.saveState();

  const after = await killed(before, "c");
  const next = new TestConsumer(after.topic.channel("c"), { msgTimeoutMs: 1e9 });
  await after.settle();
  after.clock.advance(590_000);
  after.broker.scan(after.clock.nowMs());
  await after.settle();
  after.clock.advance(10_000);
  after.broker.scan(after.clock.nowMs());
  await after.settle();

  assertEquals(next.deliveries.map(({ body, attempts }) => [body, attempts]), [["now", 5], ["late", 10]]);
  assertEquals(next.channel.hasForeignIds, true);
});

/** Messages of our own and of another queue, in flight to a consumer. */
function delivered() {
  const test: TestChannel = testChannel();
  test.publish("our own");
  takeOver(test.topic, ["first", 0, "id of the first."], ["second", 0, "id of the second"]);
  const consumer = test.subscribe();
  test.pump();
  const positions = consumer.deliveries.map(({ position }) => position);
  return { test, channel: test.channel, consumer, positions };
}

/** Adds messages that another queue had tried so many times, and makes them the topic's. */
function takeOver(
  topic: Topic,
  ...args: readonly (number | readonly [body: string, attempts: number, id?: string])[]
): void {
  const deferMs = args.find((arg) => typeof arg === "number") ?? 0;
  for (const arg of args) {
    if (typeof arg === "number") continue;
    const [body, attempts, id = "some foreign id."] = arg;
    const block = blockOfTexts(body);
    const origin = new Uint8Array(ORIGIN_LENGTH);
    origin.set(bytes(id));
    origin.set([attempts >> 8, attempts & 255], 16);
    const dueMs = deferMs === 0 ? 0 : 1_706_702_400_000 + deferMs;
    topic.log.append(block, 0, block.length, { count: 1, timestamp: { high: 1, low: 2 }, dueMs, origin });
  }
  topic.commit();
}

function goldenSegment(): Segment {
  const segment = new Segment({ base: BASE, capacityBytes: 4096, stored: true });
  append(segment, "a", { origin: originOf(ID, 258) });
  append(segment, "bc", { origin: originOf(ID, 65535), dueMs: 1.5 });
  segment.commit();
  segment.close();
  return segment;
}

function append(
  segment: Segment,
  body: string,
  facts: { origin?: Uint8Array | undefined; dueMs?: number },
): void {
  const block = blockOfTexts(body);
  const { origin, dueMs = 0 } = facts;
  segment.append(block, 0, block.length, { count: 1, timestamp: { high: 1, low: 2 }, dueMs, origin });
}

function originOf(id: string, attempts: number): Uint8Array {
  return Uint8Array.of(...Uint8Array.fromHex(id), attempts >> 8, attempts & 255);
}

function contentOf(segment: Segment) {
  return Array.from({ length: segment.count }, (_, index) => ({
    body: textOf(segment, index),
    id: idOf(segment, index),
    attempts: segment.earlierAttempts(index),
    dueMs: segment.dueMs(index),
  }));
}

function idOf(segment: Segment, index: number): string {
  const at = segment.foreignId(index);
  return at === 0 ? "" : segment.bytes.slice(at, at + 16).toHex();
}
