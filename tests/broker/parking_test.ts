/**
 * Parked messages: deferred for so long that a slot for each is not worth its memory.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { blockOfTexts } from "../support/broker_messages.ts";
import {
  bytes,
  killed,
  recoveredTopic,
  type TestChannel,
  testChannel,
  TestConsumer,
  type TestTopic,
} from "../support/broker_setup.ts";

const MINUTE_MS = 60_000;

Deno.test("Channel gives messages a slot each that are due within a minute, and one to all later ones of a segment", () => {
  const { broker, channel, topic } = testChannel();
  const slotsAfter = (deferMs: number) => {
    topic.publish(bytes("x"), { deferMs });
    return broker.outstanding.size;
  };

  const slots = [59_999, 60_000, 60_001, 60_002, 3_600_000].map(slotsAfter);

  assertEquals(slots, [1, 2, 3, 3, 3]);
  assertEquals([channel.depth, channel.deferredCount], [0, 5]);
});

Deno.test("Channel keeps a slot for each segment with parked messages", () => {
  const { broker, channel, topic } = testChannel();

  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 10; j++) topic.publish(bytes("x"), { deferMs: 10 * MINUTE_MS });
    topic.log.seal();
  }

  assertEquals([broker.outstanding.size, channel.deferredCount], [3, 30]);
});

Deno.test("Channel needs no larger table for a hundred thousand parked messages", () => {
  const { broker, channel, topic } = testChannel();

  append(topic, 100_000, 10 * MINUTE_MS);
  broker.commit();

  // One for each segment.
  assertEquals([broker.outstanding.size, broker.outstanding.capacity <= 4096], [3, true]);
  assertEquals(topic.log.segments.length, 3);
  assertEquals([channel.depth, channel.deferredCount], [0, 100_000]);
});

Deno.test("Topic.saveState() needs few bytes for a million parked messages", async () => {
  const { broker, topic, stores, channel } = testChannel({ durability: "disk" });
  for (let i = 0; i < 10; i++) append(topic, 100_000, 10 * MINUTE_MS);
  broker.commit();

  await topic.saveState();

  assertEquals(channel.deferredCount, 1_000_000);
  const { length = 0 } = stores.open("t").readState() ?? {};
  // Of each segment a position, how many, and when the first is due.
  assertEquals(topic.log.segments.length, 20);
  assertEquals(length < 20 * 40, true, `${length} bytes`);
});

Deno.test("Channel reads which parked messages are due ten seconds before the first of them is, and not earlier", async () => {
  const test = parked(["first", 120_000], ["second", 600_000]);
  test.topic.deleteChannel("other");
  const seen = () => [test.stores.partReads, test.stores.reads, test.deferredCount()];

  await test.passTo(109_999);
  assertEquals(seen(), [0, 0, 2]);
  await test.passTo(110_000);
  assertEquals(seen(), [1, 0, 2]);
});

Deno.test("Channel reads of parked messages each alone, when it is to be delivered", async () => {
  const test = parked(["a".repeat(3000), 120_000], ["b".repeat(3000), 120_500], ["c".repeat(3000), 121_000]);
  test.topic.deleteChannel("other");
  const read: number[] = [];

  await test.passTo(110_000);
  await test.passTo(111_000);
  for (const ms of [120_000, 120_500, 121_000]) {
    const { partBytes } = test.stores;
    await test.passTo(ms);
    read.push(test.stores.partBytes - partBytes);
    assertEquals(test.consumer.take().map((body) => body.length), [3000]);
  }

  // A header with an attribute, and a size.
  assertEquals([read, test.stores.reads], [Array(3).fill(3000 + 34 + 11 + 4), 0]);
});

Deno.test("Channel reads of the index of parked messages what is due soon, block by block", async () => {
  const test = testChannel({ durability: "disk" });
  // The next segment has room for all.
  test.publish("x".repeat(100_000));
  test.topic.log.seal();
  append(test.topic, 1200, 120_000);
  append(test.topic, 1200, 600_000);
  test.broker.commit();
  test.topic.log.seal();
  assertEquals(test.topic.log.segments.map(({ deferred }) => deferred), [0, 2400]);
  const timed = { ...test, startMs: test.clock.nowMs() };
  const read: number[] = [];

  for (const ms of [109_999, 110_000, 589_999, 590_000]) {
    const { partReads } = test.stores;
    await passTo(timed, ms);
    read.push(test.stores.partReads - partReads);
  }

  // 500 are in a block.
  assertEquals(read, [0, 3, 0, 3]);
  assertEquals([test.channel.deferredCount, test.channel.depth], [1200, 1201]);
});

Deno.test("Channel gives slots to some of very many parked messages in memory at a time", async () => {
  const test = testChannel({ limits: { memQueueSize: 1e6 } });
  append(test.topic, 25_000, 120_000);
  test.broker.commit();
  const timed = { ...test, startMs: test.clock.nowMs() };
  const slots: number[] = [];

  for (const ms of [110_000, 110_001, 110_002]) {
    await passTo(timed, ms);
    slots.push(test.broker.outstanding.size);
  }

  assertEquals(slots, [10_001, 20_001, 25_000]);
  assertEquals(test.channel.deferredCount, 25_000);
});

Deno.test("Channel passes segments of parked messages without reading them", async () => {
  const test = testChannel({ durability: "disk" });
  for (let i = 0; i < 50; i++) {
    test.topic.publish(bytes("x"), { deferMs: 600_000 });
    test.topic.log.seal();
  }
  const consumer = test.subscribe();
  await test.settle();
  test.publish("now");
  await test.settle();
  await test.topic.maintain();

  assertEquals([consumer.take(), test.stores.reads, test.stores.partReads], [["now"], 0, 0]);
});

Deno.test("Channel delivers a parked message at its time, as its first attempt", async () => {
  const test = parked(["late", 120_000]);

  await test.passTo(110_000);
  await test.passTo(119_999);
  assertEquals(test.consumer.take(), []);
  await test.passTo(120_000);

  assertEquals(test.consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [["late", 1]]);
});

Deno.test("Channel delivers each of a segment's parked messages at its own time, whatever their order", async () => {
  const test = parked(["c", 1_800_000], ["a", 120_000], ["d", 7_200_000], ["b", 600_000]);
  test.topic.deleteChannel("other");
  const got: [number, string[]][] = [];

  for (const minute of [2, 10, 30, 120]) {
    await test.passTo(minute * MINUTE_MS - 10_000);
    await test.passTo(minute * MINUTE_MS - 1);
    const early = test.consumer.take();
    await test.passTo(minute * MINUTE_MS);
    got.push([early.length, test.consumer.take()]);
    test.finishAll();
  }

  assertEquals(got, [[0, ["a"]], [0, ["b"]], [0, ["c"]], [0, ["d"]]]);
  assertEquals([test.deferredCount(), test.broker.outstanding.size], [0, 0]);
});

Deno.test("Channel gives slots to those of the parked messages only that are due soon", async () => {
  const test = parked(["a", 120_000], ["b", 170_000], ["c", 170_001]);
  test.topic.deleteChannel("other");
  assertEquals(test.broker.outstanding.size, 1);

  await test.passTo(110_000);

  // Two of them, and one that stands for the last.
  assertEquals([test.broker.outstanding.size, test.deferredCount()], [3, 3]);
});

Deno.test("Channel needs no segment in memory for parked messages, not when they are due or in flight either", async () => {
  const test = parked(["a", 120_000], ["b", 600_000]);
  const resident: boolean[] = [];

  for (const ms of [0, 110_000, 120_000, 590_000, 600_000]) {
    await test.passTo(ms);
    resident.push(test.topic.log.segments[0].resident);
  }

  assertEquals([test.consumer.take(), resident], [["a", "b"], [false, false, false, false, false]]);
});

Deno.test("Channel delivers parked messages late, but all of them, when nobody has looked for long", async () => {
  const test = parked(["a", 120_000], ["b", 600_000], ["c", 300_000]);

  await test.passTo(3_600_000);
  await test.passTo(3_600_000);

  assertEquals(test.consumer.take(), ["a", "c", "b"]);
});

Deno.test("Channel reads parked messages again that could not be read, and delivers them then", async () => {
  const test = parked(["late", 120_000]);
  test.stores.readFault = () => true;
  await test.passTo(110_000);
  await test.passTo(120_000);
  assertEquals([test.consumer.take(), test.deferredCount()], [[], 1]);
  test.stores.readFault = () => false;

  await test.topic.maintain();
  await test.settle();
  await test.passTo(121_000);

  assertEquals(test.consumer.take(), ["late"]);
});

Deno.test("Channel delivers a parked message that another channel has, too", async () => {
  const test = parked(["late", 120_000]);
  const other = new TestConsumer(test.other);

  await test.passTo(110_000);
  await test.passTo(120_000);

  assertEquals([test.consumer.take(), other.take()], [["late"], ["late"]]);
});

Deno.test("Channel that is paused has its parked messages waiting when they are due", async () => {
  const test = parked(["late", 120_000]);
  test.channel.pause();

  await test.passTo(110_000);
  await test.passTo(120_000);
  assertEquals([test.consumer.take(), test.channel.depth, test.deferredCount()], [[], 1, 0]);
  test.channel.unpause();
  await test.settle();

  assertEquals(test.consumer.take(), ["late"]);
});

Deno.test("Channel.requeue() with a long delay keeps a slot, because of the attempts", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe();
  publish("a", "b");
  pump();

  for (const { position } of consumer.deliveries.splice(0)) {
    channel.requeue(consumer.consumer, position, { delayMs: 3_600_000, nowMs: clock.monotonicMs() });
  }
  assertEquals([broker.outstanding.size, channel.deferredCount], [2, 2]);
  clock.advance(3_600_000);
  broker.scan(clock.monotonicMs());
  pump();

  assertEquals(consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [["a", 2], ["b", 2]]);
});

Deno.test("Channel.empty() drops parked messages and their slot", () => {
  const test = parked(["late", 120_000]);

  test.channel.empty();
  assertEquals([test.deferredCount(), test.broker.outstanding.size], [0, 1]);
  test.other.empty();

  assertEquals([test.broker.outstanding.size, test.topic.log.segments.length], [0, 1]);
});

Deno.test("Channel.empty() while parked messages are being read drops them", async () => {
  const test = parked(["late", 120_000]);
  test.stores.holdReads();
  test.clock.advance(110_000);
  test.broker.scan(test.clock.monotonicMs());

  test.channel.empty();
  test.other.empty();
  test.stores.releaseReads();
  await test.passTo(120_000);

  assertEquals([test.consumer.take(), test.broker.outstanding.size, test.errors], [[], 0, []]);
});

Deno.test("Topic.deleteChannel() drops parked messages, and the segment with the last channel", () => {
  const test = parked(["late", 120_000]);

  test.topic.deleteChannel("c");
  test.topic.deleteChannel("other");

  assertEquals([test.broker.outstanding.size, test.stores.open("t").list().length], [0, 1]);
});

Deno.test("Broker.deleteTopic() drops parked messages", () => {
  const test = parked(["late", 120_000]);

  test.broker.deleteTopic("t");

  assertEquals([test.broker.outstanding.size, test.stores.used(["t"])], [0, []]);
});

Deno.test("Channel loses a parked message whose bytes are damaged, and delivers the others", async () => {
  const test = parked(["a", 120_000], ["lost", 120_000], ["b", 600_000]);
  const { base } = test.topic.log.segments[0];
  const store = test.stores.open("t");
  const image = store.readSync(base);
  // Each is a batch of its own; the last byte of the second is the end of its body.
  const end = 16 + (34 + 11 + 4 + 1) + (34 + 11 + 4 + 4);
  image[end - 1] ^= 1;
  await store.replace(base, image, () => true);

  await test.passTo(110_000);
  assertEquals([test.deferredCount(), test.other.deferredCount], [3, 3]);
  await test.passTo(120_000);
  assertEquals([test.deferredCount(), test.other.deferredCount, test.other.depth], [1, 1, 1]);
  await test.passTo(590_000);
  await test.passTo(600_000);

  assertEquals(test.consumer.take(), ["a", "b"]);
  assertEquals(test.lines, [
    `ERROR: TOPIC(t): segment ${base} is damaged at byte 66, 53 bytes are kept aside - wrong checksum`,
  ]);
});

Deno.test("Channel goes on when the segment of its parked messages is gone", async () => {
  const test = parked(["a", 120_000], ["b", 600_000]);
  const { base } = test.topic.log.segments[0];
  test.stores.open("t").remove(base);

  await test.passTo(110_000);

  assertEquals([test.deferredCount(), test.other.deferredCount], [0, 0]);
  assertEquals(test.errors, [
    `ERROR: TOPIC(t): segment ${base} is missing, with 2 messages - somebody has removed it`,
  ]);
  assertEquals(test.broker.outstanding.size, 0);
});

Deno.test("Topic.maintain() puts a segment on disk of which only parked messages are left", async () => {
  const test = largeParked();
  const { topic, stores } = test;
  assertEquals(topic.log.segments[0].stored, false);

  await topic.maintain();

  const [segment] = topic.log.segments;
  assertEquals([segment.stored, segment.resident, segment.holes], [true, false, 8]);
  const [kept] = stores.open("t").list();
  assertEquals([kept.base, kept.size < 25_000], [segment.base, true]);
  assertEquals([kept.closing?.positions, kept.closing?.messages, kept.closing?.deferred], [10, 2, 2]);
  assertEquals([test.channel.deferredCount, test.channel.depth, test.broker.outstanding.size], [2, 0, 2]);
});

Deno.test("Channel delivers parked messages that were put on disk at their time", async () => {
  const test = largeParked();
  test.topic.deleteChannel("other");
  await test.topic.maintain();

  await test.passTo(110_000);
  await test.passTo(120_000);

  assertEquals(test.consumer.take().map((body) => body.length), [9000, 9000]);
  test.finishAll();
  assertEquals(test.stores.open("t").list(), []);
});

Deno.test("Topic.maintain() leaves a segment in memory of which a message is to be delivered", async () => {
  const test = largeParked();
  const [segment] = test.topic.log.segments;
  test.other.empty();
  const page = test.channel.pages.find((page) => page.segment === segment);
  assertEquals([page?.parked, page?.unfinished], [2, 2]);
  test.topic.publish(bytes("x"), { deferMs: 1000 });

  await test.passTo(110_000);
  await test.topic.maintain();

  // They have slots by now.
  assertEquals([test.topic.log.segments[0].stored, test.channel.deferredCount], [false, 2]);
});

Deno.test("Topic reads nothing at its start when the state knows the parked messages", async () => {
  const before = parked(["a", 120_000], ["b", 600_000]);
  before.finishAll();
  await before.topic.close();
  before.clock.advance(2);
  before.stores.syncReads = before.stores.reads = 0;

  const after = recoveredTopic(before, "c", "other");
  after.topic.start();

  const { deferredCount, depth } = after.topic.channel("c");
  assertEquals([deferredCount, depth, after.stores.syncReads, after.stores.reads], [2, 0, 0, 0]);
  assertEquals(after.broker.outstanding.size, 2);
});

Deno.test("Channel delivers parked messages at their time after a restart", async () => {
  const before = parked(["a", 120_000], ["b", 600_000]);
  before.finishAll();
  const dueMs = before.startMs;
  await before.topic.close();

  const after = await killed(before, "c", "other");
  const test = { ...after, startMs: dueMs };
  const consumer = new TestConsumer(after.topic.channel("c"), { msgTimeoutMs: 1e9 });
  for (const ms of [110_000, 119_999]) await passTo(test, ms);
  const early = consumer.take();
  await passTo(test, 120_000);
  const first = consumer.take();
  for (const ms of [590_000, 599_999]) await passTo(test, ms);
  const between = consumer.take();
  await passTo(test, 600_000);

  assertEquals([early, first, between, consumer.take()], [[], ["a"], [], ["b"]]);
});

/** A topic whose time is told from when it was made. */
interface Timed extends TestTopic {
  readonly startMs: number;
}

interface Parked extends TestChannel, Timed {
  /** A second channel, which nobody reads. */
  readonly other: TestChannel["channel"];
  readonly consumer: TestConsumer;
  deferredCount(): number;
  /** Time passes up to so many ms after the start; what is due then happens. */
  passTo(ms: number): Promise<void>;
  /** Finishes all that is in flight to the consumer. */
  finishAll(): void;
}

/** Two channels with these messages, deferred for so many ms, in a segment that is on disk only. */
function parked(...messages: readonly (readonly [body: string, deferMs: number])[]): Parked {
  const test = testChannel({ durability: "disk" });
  const { topic } = test;
  const other = topic.channel("other");
  const startMs = test.clock.nowMs();
  for (const [body, deferMs] of messages) topic.publish(bytes(body), { deferMs });
  topic.log.seal();
  return passedBy({ ...test, other, startMs });
}

/** Two parked messages in memory, in a segment of ten that is large enough to be rewritten; the others are finished. */
function largeParked(): Parked {
  const test = testChannel({ limits: { maxBytesPerFile: 95_000 } });
  const { topic } = test;
  const other = topic.channel("other");
  const startMs = test.clock.nowMs();
  const body = "x".repeat(9000);
  // The next segment is as large as one may be.
  topic.publishBatch(blockOfTexts(...Array(6).fill(body)), 6);
  for (let i = 0; i < 2; i++) topic.publish(bytes(body), { deferMs: 120_000 });
  for (let i = 0; i < 8; i++) test.publish(body);
  topic.log.seal();
  return passedBy({ ...test, other, startMs });
}

/** The cursors of both channels are moved to a later segment; the channel `c` gives what is due to a consumer. */
function passedBy(
  test: TestChannel & Timed & { readonly other: TestChannel["channel"] },
): Parked {
  const inFlight: number[] = [];
  const options = { msgTimeoutMs: 1e9 };
  const [consumer, reader] = [test.channel, test.other].map((channel) => new TestConsumer(channel, options));
  const finish = ({ channel, consumer }: TestConsumer, positions: readonly number[]) => {
    for (const position of positions) channel.finish(consumer, position, 0);
  };
  const made = {
    ...test,
    consumer,
    deferredCount: () => test.channel.deferredCount,
    passTo: (ms: number) => passTo(test, ms),
    finishAll() {
      inFlight.push(...consumer.deliveries.splice(0).map(({ position }) => position));
      finish(consumer, inFlight.splice(0));
    },
  };
  consumer.take = () =>
    consumer.deliveries.splice(0).map(({ body, position }) => {
      inFlight.push(position);
      return body;
    });
  test.publish("now");
  test.pump();
  made.finishAll();
  finish(reader, reader.deliveries.map(({ position }) => position));
  test.other.removeConsumer(reader.consumer);
  return made;
}

async function passTo(test: Timed, ms: number): Promise<void> {
  const { clock, broker } = test;
  clock.advance(test.startMs + ms - clock.nowMs());
  broker.scan(clock.monotonicMs());
  await test.settle();
}

/** Adds as many messages of one byte. */
function append(topic: TestTopic["topic"], count: number, deferMs: number): void {
  const block = blockOfTexts(...Array(count).fill("x"));
  topic.append(block, 0, block.length, { count, deferMs });
}
