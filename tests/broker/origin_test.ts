/**
 * Messages that were taken over from another queue: they keep the ids and the attempts that they had there.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ORIGIN_LENGTH } from "../../src/log/segment_image.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { blockOfTexts, originOf } from "../support/broker_messages.ts";
import { bytes, killed, type TestChannel, testChannel, TestConsumer } from "../support/broker_setup.ts";

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
  after.broker.scan(after.clock.monotonicMs());
  await after.settle();
  after.clock.advance(10_000);
  after.broker.scan(after.clock.monotonicMs());
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
    const attributes = originOf(origin);
    topic.log.append(block, 0, block.length, {
      count: 1,
      timestamp: { high: 1, low: 2 },
      dueMs,
      attributes,
    });
  }
  topic.commit();
}
