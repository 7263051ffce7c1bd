/**
 * How a topic gives memory and disk space back, and what it does about damage.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { blockOfTexts } from "../support/broker_messages.ts";
import {
  type BrokerLimits,
  recoveredTopic,
  TestConsumer,
  type TestTopic,
  testTopic,
} from "../support/broker_setup.ts";

/** Ten of these are a segment that is large enough to be compacted. */
const BODY = "x".repeat(9000);

Deno.test("Topic.maintain() rewrites a segment of which little is left", async () => {
  const { topic, channel, before } = withSurvivor();

  await topic.maintain();
  // Others might have followed those that are finished.
  assertEquals(topic.log.segments[0].holes, 0);
  await topic.maintain();

  const [segment] = topic.log.segments;
  assertEquals([segment.count, segment.holes, segment.base], [10, 9, before.base]);
  assertEquals([segment.used < 10_000, before.used > 90_000], [true, true]);
  assertEquals([channel.deferredCount, topic.log.segments.length], [1, 3]);
});

Deno.test("Topic.maintain() leaves the message that survives what it was", async () => {
  const test = withSurvivor();
  const { topic, consumer } = test;
  await topic.maintain();

  consumer.take();
  test.clock.advance(60_000);
  test.broker.scan(test.clock.monotonicMs());
  consumer.hasRoom = true;
  await finishAll(test, consumer);

  const survivor = consumer.deliveries.filter(({ position }) => position === test.before.base + 4);
  assertEquals(survivor.map(({ body, attempts }) => [body === `4${BODY}`, attempts]), [[true, 2]]);
  await topic.maintain();
  assertEquals(topic.log.segments.filter(({ count }) => count > 0), []);
});

Deno.test("Topic.maintain() reads a segment that is on disk only, to rewrite it", async () => {
  const { topic, before, stores } = withSurvivor({ memQueueSize: 0 });
  assertEquals(before.resident, false);

  await topic.maintain();
  await topic.log.idle();
  await topic.maintain();

  const [segment] = topic.log.segments;
  assertEquals([segment.holes, segment.resident, stores.reads], [9, false, 1]);
  const { size, closing } = stores.open("t").list()[0];
  assertEquals([size, closing?.positions], [segment.used, 10]);
});

Deno.test("Topic.maintain() leaves a segment as it was when it cannot be rewritten", async () => {
  const test = withSurvivor({ memQueueSize: 0 });
  const { topic, consumer, stores } = test;
  stores.replaceFault = () => true;

  await topic.maintain();
  await assertRejects(() => topic.maintain(), Error, "disk full");

  stores.replaceFault = () => false;
  consumer.take();
  test.clock.advance(60_000);
  test.broker.scan(test.clock.monotonicMs());
  consumer.hasRoom = true;
  await finishAll(test, consumer);
  await topic.maintain();
  assertEquals([topic.log.segments, stores.used(["t"])], [[], []]);
});

Deno.test("Topic.maintain() lets a stored segment go when everything in it is finished", async () => {
  const test = testTopic({ limits: { memQueueSize: 0 } });
  const consumer = new TestConsumer(test.topic.channel("c"));
  test.publish("a");
  await finishAll(test, consumer);
  assertEquals(test.stores.used(["t"]), ["t"]);

  await test.topic.maintain();
  await test.broker.idle();
  await test.topic.maintain();

  assertEquals([test.topic.log.segments, test.stores.used(["t"])], [[], []]);
});

Deno.test("Topic begins its segment anew when enough of it is finished, and not with each message", async () => {
  const test = testTopic();
  const consumer = new TestConsumer(test.topic.channel("c"));
  const counts = [];

  // A header of 16 bytes, and for each message 38 of a batch and its size.
  for (const length of [1000, 917, 1, 1]) {
    test.publish("".padEnd(length));
    await finishAll(test, consumer);
    consumer.deliveries.length = 0;
    const [{ count, used }] = test.topic.log.segments;
    counts.push([count, used]);
  }

  assertEquals(counts, [[1, 1054], [2, 2009], [3, 2048], [0, 16]]);
});

Deno.test("Topic.maintain() gives the memory of a topic back of which little was finished", async () => {
  const test = testTopic();
  const consumer = new TestConsumer(test.topic.channel("c"));
  test.publish("a");
  await finishAll(test, consumer);
  const segments = () => test.topic.log.segments.map(({ count }) => count);
  assertEquals(segments(), [1]);

  await test.topic.maintain();
  assertEquals(segments(), [0]);
  await test.topic.maintain();

  assertEquals(segments(), []);
});

Deno.test("Topic.maintain() gives the memory of a topic back that has been idle for a while", async () => {
  const test = testTopic();
  const consumer = new TestConsumer(test.topic.channel("c"));
  const { log } = test.topic;
  test.publish(BODY);
  await finishAll(test, consumer);
  assertEquals(log.segments.map(({ count, capacityBytes }) => [count, capacityBytes > 9000]), [[0, true]]);

  await test.topic.maintain();
  assertEquals(log.segments.length, 1);
  await test.topic.maintain();
  assertEquals(log.segments.length, 0);
  test.publish("a");

  assertEquals(log.segments.map(({ count, capacityBytes }) => [count, capacityBytes]), [[1, 4096]]);
});

Deno.test("Topic.maintain() reads again what a channel waits for and could not be read", async () => {
  const test = backlog();
  const { topic } = test;
  const consumer = new TestConsumer(topic.channel("c"));
  test.stores.readFault = () => true;
  await test.settle();
  assertEquals([consumer.take(), test.errors.length > 0, String(test.stored.at(-1))], [
    [],
    true,
    "Error: input/output error",
  ]);
  test.stores.readFault = () => false;

  await topic.maintain();
  await test.settle();

  assertEquals(consumer.take().length, 20);
});

Deno.test("Topic puts a segment aside that the disk has failed five times to read, and goes on with the next", async () => {
  const test = backlog();
  const { topic } = test;
  const consumer = new TestConsumer(topic.channel("c"));
  test.stores.readError = Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
  const [first] = topic.log.segments.map(({ base }) => base);
  test.stores.readFault = () => true;
  while (topic.log.segments[0].base === first) {
    await topic.maintain();
    await test.settle();
  }

  // Five times each of the two that the channel needed, and once those that it needs now.
  assertEquals(test.stores.reads, 12);
  test.stores.readFault = () => false;
  await topic.maintain();
  await test.settle();

  assertEquals(consumer.take().length, 12);
  assertEquals(test.errors.filter((line) => line.includes("is damaged")).length, 2);
});

Deno.test("Channel reads what it needs next before it needs it, and no more", async () => {
  const test = backlog();
  const { topic } = test;
  const resident = () => topic.log.segments.map((segment) => segment.resident);
  assertEquals(resident(), [false, false, false, false, true]);

  const consumer = new TestConsumer(topic.channel("c"), { readyCount: 0 });
  await test.settle();
  assertEquals(resident(), [false, false, false, false, true]);
  consumer.consumer.readyCount = 1;
  consumer.channel.awake(consumer.consumer);
  await test.settle();
  assertEquals([consumer.take().length, resident()], [1, [true, true, false, false, true]]);
  consumer.consumer.readyCount = 5;
  consumer.channel.awake(consumer.consumer);
  await test.settle();

  // What is in flight needs no segment.
  assertEquals([consumer.take().length, resident()], [4, [false, true, true, false, true]]);
});

Deno.test("Channel does not read a segment again for a message that is requeued or timed out", async () => {
  const test = backlog();
  const { topic, broker, clock } = test;
  const consumer = new TestConsumer(topic.channel("c"), { msgTimeoutMs: 1000, readyCount: 15 });
  await test.settle();
  const [first, ...others] = consumer.deliveries.map(({ position }) => position);
  for (const position of others) consumer.channel.finish(consumer.consumer, position, 0);
  consumer.consumer.readyCount = 0;
  await test.settle();
  const { reads } = test.stores;

  consumer.channel.requeue(consumer.consumer, first, { delayMs: 0, nowMs: clock.monotonicMs() });
  await test.settle();
  consumer.consumer.readyCount = 100;
  consumer.channel.awake(consumer.consumer);
  await test.settle();
  clock.advance(1000);
  broker.scan(clock.monotonicMs());
  await test.settle();

  const attempts = consumer.deliveries.filter(({ position }) => position === first).map(({ attempts }) =>
    attempts
  );
  assertEquals([attempts, test.stores.reads], [[1, 2, 3], reads]);
});

Deno.test("Channel goes on behind a segment that is lost, in whatever state its messages were", async () => {
  const before = backlog();
  const consumer = new TestConsumer(before.topic.channel("c"), { readyCount: 3 });
  await before.settle();
  const nowMs = before.clock.monotonicMs();
  const [, ready, deferred] = consumer.deliveries.map(({ position }) => position);
  consumer.channel.requeue(consumer.consumer, ready, { delayMs: 0, nowMs });
  consumer.channel.requeue(consumer.consumer, deferred, { delayMs: 500, nowMs });
  const { depth, inFlightCount, deferredCount } = consumer.channel;
  assertEquals([depth, inFlightCount, deferredCount], [18, 1, 1]);
  await before.topic.close();
  const store = before.stores.open("t");
  const [{ base }] = store.list();
  await store.replace(base, store.readSync(base).fill(0, 16), () => true);

  const { broker, topic, settle } = recoveredTopic(before, "c");
  topic.start();
  const channel = topic.channel("c");
  const next = new TestConsumer(channel);
  await settle();

  assertEquals(next.take().map(Number), [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  assertEquals([channel.depth, channel.deferredCount, broker.outstanding.size], [0, 0, 16]);
  assertEquals(topic.log.segments.length, 4);
});

Deno.test("Channel gets none of the messages that were lost before they became its own", async () => {
  const before = testTopic({ limits: { memQueueSize: 0 } });
  before.topic.channel("c");
  before.publish("a");
  before.topic.pause();
  before.publish("lost", "b");
  await before.topic.close();
  const store = before.stores.open("t");
  const [{ base }] = store.list();
  // The header and the first batch come before the one that is damaged.
  await store.replace(base, store.readSync(base).fill(0, 16 + 39, 16 + 39 + 10), () => true);

  const { topic, settle } = recoveredTopic(before);
  topic.pause();
  const consumer = new TestConsumer(topic.channel("c"));
  topic.start();
  await settle();
  assertEquals(consumer.take(), ["a"]);
  topic.unpause();
  await settle();

  assertEquals([consumer.take(), consumer.channel.depth], [["b"], 0]);
});

Deno.test("Channel keeps no segment in memory for messages that are ready again, or in flight", async () => {
  const test = backlog(100);
  const { topic, stores, clock } = test;
  const resident = () => topic.log.segments.filter((segment) => segment.resident && segment.sealed).length;
  const consumer = new TestConsumer(topic.channel("c"), { msgTimeoutMs: 1e9 });
  await test.settle(30);
  const deliveries = consumer.deliveries.splice(0);
  assertEquals(deliveries.length, 100);
  for (const [i, { position }] of deliveries.entries()) {
    if (i % 4 === 1) continue;
    if (i % 4 === 2) {
      consumer.channel.requeue(consumer.consumer, position, { delayMs: 0, nowMs: clock.monotonicMs() });
    } else {
      consumer.channel.finish(consumer.consumer, position, 0);
    }
  }
  consumer.consumer.readyCount = 0;
  await topic.flush();

  assertEquals([consumer.channel.depth, consumer.channel.inFlightCount, resident()], [25, 25, 0]);
  const { reads } = stores;
  consumer.consumer.readyCount = 100;
  consumer.channel.awake(consumer.consumer);
  await test.settle(30);

  assertEquals([consumer.take().length, stores.reads - reads, resident()], [25, 0, 0]);
});

Deno.test("Channel lets its segments go that nobody reads any more", async () => {
  for (const ends of ["leaves", "is not ready", "channel is paused", "is busy for long"]) {
    const test = backlog();
    const { topic } = test;
    const resident = () => topic.log.segments.filter((segment) => segment.resident && segment.sealed).length;
    const consumer = new TestConsumer(topic.channel("c"), { readyCount: 5 });
    await test.settle();
    assertEquals([consumer.take().length, resident()], [5, 2], ends);

    if (ends === "leaves") consumer.channel.removeConsumer(consumer.consumer);
    if (ends === "is not ready") consumer.consumer.readyCount = 0;
    if (ends === "channel is paused") consumer.channel.pause();
    for (let i = 0; i < 3; i++) await topic.flush();

    assertEquals(resident(), 0, ends);
  }
});

/** Delivers and finishes until nothing comes any more. */
async function finishAll({ clock, settle }: TestTopic, consumer: TestConsumer): Promise<void> {
  for (let done = -1; done < consumer.deliveries.length;) {
    done = Math.max(done, 0);
    for (; done < consumer.deliveries.length; done++) {
      consumer.channel.finish(consumer.consumer, consumer.deliveries[done].position, clock.monotonicMs());
    }
    await settle();
  }
}

/** Three segments of ten messages; of the first the fifth is left, which is deferred for 30 s. */
function withSurvivor(limits: Partial<BrokerLimits> = {}) {
  const test = testTopic({ limits: { maxBytesPerFile: 95_000, ...limits } });
  const { topic, broker, clock } = test;
  const channel = topic.channel("c");
  const consumer = new TestConsumer(channel);
  for (let segment = 0; segment < 3; segment++) {
    topic.publishBatch(
      blockOfTexts(...Array.from({ length: 10 }, (_, i) => `${10 * segment + i}${BODY}`)),
      10,
    );
    broker.pump(clock.monotonicMs());
  }
  consumer.hasRoom = false;
  const before = topic.log.segments[0];
  const nowMs = clock.monotonicMs();
  for (const { position } of consumer.deliveries) {
    const i = position - before.base;
    if (i === 4) channel.requeue(consumer.consumer, position, { delayMs: 30_000, nowMs });
    else if (i < 10) channel.finish(consumer.consumer, position, nowMs);
  }
  return { ...test, channel, consumer, before };
}

/** Messages of a topic without channels, in segments of four, all in the store. */
function backlog(count = 20): TestTopic {
  const test = testTopic({ limits: { memQueueSize: 0, maxBytesPerFile: 400 } });
  for (let i = 0; i < count; i++) test.publish(`${i}`.padEnd(30));
  return test;
}
