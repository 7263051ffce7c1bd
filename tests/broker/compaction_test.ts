/**
 * What may go wrong, or come in between, while a segment is rewritten without its finished messages.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Durability } from "../../src/broker/durability.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import {
  bytes,
  killed,
  recoveredTopic,
  type TestChannel,
  testChannel,
  TestConsumer,
  testTopic,
} from "../support/broker_setup.ts";

const BODY = "x".repeat(9000);

for (const durability of ["memory", "disk"] as const) {
  const kind = durability === "memory" ? "in memory" : "on disk";

  Deno.test(`Topic.compact() leaves nothing in the store of a segment ${kind} that is emptied before it is rewritten`, async () => {
    const test = await withSurvivors(durability);
    test.stores.holdSyncs();

    const compacted = test.topic.compact();
    await turn();
    assertEquals([test.segment.resident, test.topic.log.isPinned(test.segment)], [true, true]);
    test.channel.empty();
    test.stores.releaseSyncs();
    await compacted;

    assertEquals([bases(test), test.topic.log.segments.includes(test.segment)], [[], false]);
  });

  Deno.test(`Topic.compact() leaves nothing in the store of a segment ${kind} that is emptied right after it was rewritten`, async () => {
    const test = await withSurvivors(durability);
    test.stores.holdSyncs();

    const compacted = test.topic.compact();
    await turn();
    // It is in its place, but its name is not synced.
    test.stores.releaseSyncs();
    test.stores.holdSyncs();
    await turn();
    assertEquals(bases(test), [test.segment.base]);
    test.channel.empty();
    test.stores.releaseSyncs();
    await compacted;

    assertEquals(bases(test), []);
  });

  Deno.test(`Topic.compact() leaves a segment ${kind} as it was that is in its place without certainty`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;

    await assertRejects(() => test.topic.compact(), Error, "input/output error");

    assertEquals(test.topic.log.segments[0] === test.segment, true);
    await test.passTo(110_000);
    await test.passTo(120_000);
    assertEquals(test.consumer.take().map((body) => body.length), [9000, 9000]);
  });

  Deno.test(`Topic leaves nothing in the store of a segment ${kind} whose rewriting has failed, once it is finished`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.compact());

    test.channel.empty();

    assertEquals(bases(test), []);
  });

  Deno.test(`Topic.compact() rewrites a segment ${kind} when it works again`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.compact());
    test.stores.nameFault = () => false;

    await test.topic.compact();

    const [segment] = test.topic.log.segments;
    assertEquals([segment.holes, segment.stored, segment.resident], [8, true, false]);
    assertEquals(bases(test), [segment.base]);
  });

  Deno.test(`Topic.close() saves a segment ${kind} whose rewriting has failed`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.compact());
    test.stores.nameFault = () => false;
    await test.topic.close();

    const after = recoveredTopic(test, "c");
    after.topic.start();

    const { depth, deferredCount } = after.topic.channel("c");
    assertEquals([depth, deferredCount, after.lines], [0, 2, []]);
    const consumer = new TestConsumer(after.topic.channel("c"));
    for (const ms of [110_000, 10_000]) {
      after.clock.advance(ms);
      after.broker.scan(after.clock.monotonicMs());
      await after.settle();
    }
    assertEquals([consumer.take().length, after.lines], [2, []]);
  });
}

Deno.test("Topic delivers after a crash what was on disk when its segment was rewritten", async () => {
  const before = await withSurvivors("disk");
  before.stores.holdSyncs();
  const compacted = before.topic.compact();
  await turn();

  for (const isInPlace of [false, true]) {
    if (isInPlace) {
      before.stores.releaseSyncs();
      before.stores.holdSyncs();
      await turn();
    }
    const after = await killed(before, "c");
    const { deferredCount } = after.topic.channel("c");
    assertEquals([deferredCount, after.lines], [2, []]);
  }
  before.stores.releaseSyncs();
  await compacted;
});

for (const moment of ["before", "after"]) {
  Deno.test(`Topic.compact() lets a segment go whose last messages are finished right ${moment} it is rewritten`, async () => {
    const { topic, broker, clock } = testTopic({ name: "t#ephemeral" });
    const consumer = new TestConsumer(topic.channel("c"));
    topic.publishBatch(blockOfTexts(...Array(10).fill(BODY)), 10);
    topic.log.seal();
    topic.publish(bytes("now"));
    broker.pump(clock.monotonicMs());
    const finish = (positions: readonly number[]) => {
      for (const position of positions) consumer.channel.finish(consumer.consumer, position, 0);
    };
    const [first, second, ...others] = consumer.deliveries.map(({ position }) => position);
    finish(others);
    const [segment] = topic.log.segments;
    await firstLook(topic);

    const compacted = topic.compact();
    if (moment === "after") await turn();
    assertEquals(topic.log.segments[0] === segment, moment === "before");
    finish([first, second]);
    await compacted;

    assertEquals([broker.outstanding.size, topic.log.segments.map(({ isFinished }) => isFinished)], [0, [
      true,
    ]]);
  });
}

Deno.test("Topic.compact() leaves a segment alone that is being consumed, until little of it is", async () => {
  const { topic, channel, publish, subscribe, settle } = testChannel({ durability: "disk" });
  topic.publishBatch(blockOfTexts(...Array(100).fill("x".repeat(1000))), 100);
  topic.log.seal();
  publish("next");
  const { consumer, deliveries } = subscribe({ readyCount: 1000, msgTimeoutMs: 1e9 });
  await settle();
  const finish = (count: number) => {
    for (const { position } of deliveries.splice(0, count)) channel.finish(consumer, position, 0);
  };
  const holes = [];

  finish(90);
  for (const count of [3, 3, 1, 0]) {
    await topic.compact();
    holes.push(topic.log.segments[0].holes);
    finish(count);
  }

  // Of 10 messages 7 are left, of 7 4, of 4 3.
  assertEquals(holes, [0, 0, 0, 97]);
});

Deno.test("Topic.compact() lets others have their turn while it rewrites a large segment", async () => {
  let turns = 0;
  const test = testChannel({
    durability: "disk",
    limits: { maxBytesPerFile: 4_000_000 },
    othersFirst: () => {
      // It is being rewritten: while it is read, it is not there.
      if (test.topic.log.segments[0]?.resident) turns++;
      return Promise.resolve();
    },
  });
  test.topic.publishBatch(blockOfTexts(...Array(3000).fill("x".repeat(1000))), 3000);
  test.topic.log.seal();
  test.publish("next");
  const { consumer, deliveries } = test.subscribe({ readyCount: 5000, msgTimeoutMs: 1e9 });
  await test.settle();
  for (const [i, { position }] of deliveries.splice(0, 3000).entries()) {
    if (i % 10 > 0) test.channel.finish(consumer, position, 0);
  }
  await test.broker.idle();
  await firstLook(test.topic);
  turns = 0;

  await test.topic.compact();

  assertEquals([test.topic.log.segments[0].holes, turns > 3], [2700, true]);
});

Deno.test("Topic.compact() has one segment in memory at a time, however many there are to rewrite", async () => {
  const { topic, stores, broker } = await withLeftovers({ segments: 12, channels: ["c"] });
  const resident: number[] = [];
  stores.replaceFault = () => {
    resident.push(topic.log.segments.filter((segment) => segment.resident).length);
    return false;
  };

  await topic.compact();
  await broker.idle();

  // And the one that messages are added to.
  assertEquals(resident, Array(12).fill(2));
  assertEquals(topic.log.segments.slice(0, 12).map(({ holes }) => holes), Array(12).fill(9));
});

Deno.test("Topic.compact() ends when it is told that it is enough, and goes on with the rest the next time", async () => {
  const { topic } = await withLeftovers({ segments: 5, channels: ["c"] });
  const rewritten = () => topic.log.segments.filter(({ holes }) => holes > 0).length;
  const counts: number[] = [];

  for (const most of [1, 2, 9]) {
    let left = most;
    await topic.compact(() => --left === 0);
    counts.push(rewritten());
  }

  assertEquals([counts, topic.isThinned], [[1, 3, 5], false]);
});

Deno.test("Topic rewrites what another channel has left when the one that had held it is deleted, or emptied", async () => {
  for (const how of ["delete", "empty"]) {
    const test = await withLeftovers({ segments: 4, channels: ["c"], stuck: "stuck" });
    await test.topic.compact();
    assertEquals(test.topic.log.segments.map(({ holes }) => holes), [0, 0, 0, 0, 0], how);

    if (how === "delete") test.topic.deleteChannel("stuck");
    else test.topic.channel("stuck").empty();
    await test.broker.idle();
    await firstLook(test.topic);
    await test.topic.compact();

    assertEquals(test.topic.log.segments.slice(0, 4).map(({ holes }) => holes), [9, 9, 9, 9], how);
    assertEquals(test.topic.channel("c").deferredCount, 4, how);
  }
});

Deno.test("Topic rewrites segments of which many channels have left the same messages", async () => {
  const channels = Array.from({ length: 12 }, (_, i) => `c${i}`);
  const { topic } = await withLeftovers({ segments: 2, channels });

  await topic.compact();

  assertEquals(topic.log.segments.slice(0, 2).map(({ holes }) => holes), [9, 9]);
});

Deno.test("Topic rewrites segments behind those that an ephemeral channel is stuck in", async () => {
  // It has room for the first segment, and nobody reads it.
  const { topic } = await withLeftovers({ segments: 4, channels: ["c"], stuck: "tail#ephemeral" });
  assertEquals(topic.channel("tail#ephemeral").depth, 10);

  await topic.compact();

  assertEquals(topic.log.segments.slice(0, 4).map(({ holes }) => holes), [0, 9, 9, 9]);
});

Deno.test("Topic.compact() keeps nothing pinned, also of segments that go meanwhile", async () => {
  const { topic, stores, broker, finishLeft } = await withLeftovers({ segments: 6, channels: ["c"] });
  const all = [...topic.log.segments];
  let replaced = 0;
  stores.replaceFault = () => {
    // While the first is being rewritten, all that is left is finished.
    if (replaced++ === 0) finishLeft();
    return false;
  };

  await topic.compact();
  await broker.idle();
  stores.reads = 0;
  topic.log.retry();
  await broker.idle();

  assertEquals([replaced, topic.log.segments.length, stores.reads], [1, 1, 0]);
  assertEquals(all.filter((segment) => topic.log.isPinned(segment)), []);
});

Deno.test("Topic gives the memory of a segment back as soon as another is in its place", async () => {
  const { topic } = await withLeftovers({ segments: 1, channels: ["c"] });
  const [segment] = topic.log.segments;

  await topic.compact();

  assertEquals([topic.log.has(segment), segment.resident], [false, false]);
});

Deno.test("Topic goes on after a restart with what was to be rewritten", async () => {
  const before = await withLeftovers({ segments: 3, channels: ["c"] });
  await before.topic.saveState();

  const after = await killed(before, "c");
  await after.broker.idle();
  await firstLook(after.topic);
  await after.topic.compact();

  assertEquals(after.topic.log.segments.slice(0, 3).map(({ holes }) => holes), [9, 9, 9]);
});

/**
 * Segments on disk, of ten messages each, of which each channel has finished all but the fifth, which is deferred; another
 * channel, if one is given, has looked at none.
 */
async function withLeftovers(
  options: { readonly segments: number; readonly channels: readonly string[]; readonly stuck?: string },
) {
  const { segments, channels, stuck } = options;
  const test = testTopic({ durability: "disk", limits: { maxBytesPerFile: 95_000, ephemeralDepthMax: 10 } });
  const { topic, clock } = test;
  const consumers = channels.map((name) => new TestConsumer(topic.channel(name), { readyCount: 1000 }));
  if (stuck !== undefined) topic.channel(stuck);
  for (let i = 0; i < segments; i++) {
    topic.publishBatch(blockOfTexts(...Array(10).fill(BODY)), 10);
    topic.log.seal();
    await test.settle();
  }
  test.publish("now");
  await test.settle();
  const left: (() => void)[] = [];
  for (const { channel, consumer, deliveries } of consumers) {
    for (const [i, { position }] of deliveries.splice(0).entries()) {
      if (i % 10 === 4 && i < 10 * segments) {
        channel.requeue(consumer, position, { delayMs: 3_600_000, nowMs: clock.monotonicMs() });
      } else {
        channel.finish(consumer, position, 0);
      }
    }
    left.push(() => channel.empty());
  }
  await test.broker.idle();
  await firstLook(topic);
  return { ...test, finishLeft: () => left.forEach((finish) => finish()) };
}

/** Two parked messages of ten in a large segment; the cursor has passed it, the others are finished. */
async function withSurvivors(durability: Durability) {
  const test: TestChannel = testChannel({ durability, limits: { maxBytesPerFile: 95_000 } });
  const { topic, clock, broker } = test;
  const consumer = test.subscribe({ msgTimeoutMs: 1e9 });
  // So large that the next segment is as large as one may be.
  topic.publishBatch(blockOfTexts(...Array(6).fill(BODY)), 6);
  for (let i = 0; i < 2; i++) topic.publish(bytes(BODY), { deferMs: 120_000 });
  for (let i = 0; i < 8; i++) test.publish(BODY);
  topic.log.seal();
  test.publish("now");
  await test.settle();
  for (const { position } of consumer.deliveries.splice(0)) {
    test.channel.finish(consumer.consumer, position, 0);
  }
  await broker.idle();
  // What is in memory, and need not be, is written at once.
  if (durability === "disk") await firstLook(topic);
  const startMs = clock.nowMs();
  return {
    ...test,
    consumer,
    segment: topic.log.segments[0],
    async passTo(ms: number) {
      clock.advance(startMs + ms - clock.nowMs());
      broker.scan(clock.monotonicMs());
      await test.settle();
    },
  };
}

/** The round after which it is known of which segments no more is finished. */
async function firstLook(topic: Topic): Promise<void> {
  await topic.compact();
}

/** Positions of the segments that are in the store, but for the one that messages are added to. */
function bases({ stores, topic }: TestChannel): number[] {
  return stores.open("t").list().map(({ base }) => base).filter((base) => base !== topic.log.active?.base);
}

/** Lets everything happen that waits for nothing but its turn. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
