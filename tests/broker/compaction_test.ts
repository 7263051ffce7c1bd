/**
 * What may go wrong, or come in between, while a segment is rewritten without its finished messages.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Durability } from "../../src/broker/durability.ts";
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

  Deno.test(`Topic.maintain() leaves nothing in the store of a segment ${kind} that is emptied before it is rewritten`, async () => {
    const test = await withSurvivors(durability);
    test.stores.holdSyncs();

    const maintained = test.topic.maintain();
    await turn();
    test.channel.empty();
    test.stores.releaseSyncs();
    await maintained;

    assertEquals([bases(test), test.topic.log.segments.includes(test.segment)], [[], false]);
  });

  Deno.test(`Topic.maintain() leaves nothing in the store of a segment ${kind} that is emptied right after it was rewritten`, async () => {
    const test = await withSurvivors(durability);
    test.stores.holdSyncs();

    const maintained = test.topic.maintain();
    await turn();
    // It is in its place, but its name is not synced.
    test.stores.releaseSyncs();
    test.stores.holdSyncs();
    await turn();
    assertEquals(bases(test), [test.segment.base]);
    test.channel.empty();
    test.stores.releaseSyncs();
    await maintained;

    assertEquals(bases(test), []);
  });

  Deno.test(`Topic.maintain() leaves a segment ${kind} as it was that is in its place without certainty`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;

    await assertRejects(() => test.topic.maintain(), Error, "input/output error");

    assertEquals(test.topic.log.segments[0] === test.segment, true);
    await test.passTo(110_000);
    await test.passTo(120_000);
    assertEquals(test.consumer.take().map((body) => body.length), [9000, 9000]);
  });

  Deno.test(`Topic leaves nothing in the store of a segment ${kind} whose rewriting has failed, once it is finished`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.maintain());

    test.channel.empty();

    assertEquals(bases(test), []);
  });

  Deno.test(`Topic.maintain() rewrites a segment ${kind} when it works again`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.maintain());
    test.stores.nameFault = () => false;

    await test.topic.maintain();

    const [segment] = test.topic.log.segments;
    assertEquals([segment.holes, segment.stored, segment.resident], [8, true, false]);
    assertEquals(bases(test), [segment.base]);
  });

  Deno.test(`Topic.close() saves a segment ${kind} whose rewriting has failed`, async () => {
    const test = await withSurvivors(durability);
    test.stores.nameFault = () => true;
    await assertRejects(() => test.topic.maintain());
    test.stores.nameFault = () => false;
    await test.topic.close();

    const after = recoveredTopic(test, "c");
    after.topic.start();

    const { depth, deferredCount } = after.topic.channel("c");
    assertEquals([depth, deferredCount, after.lines], [0, 2, []]);
    const consumer = new TestConsumer(after.topic.channel("c"));
    for (const ms of [110_000, 10_000]) {
      after.clock.advance(ms);
      after.broker.scan(after.clock.nowMs());
      await after.settle();
    }
    assertEquals([consumer.take().length, after.lines], [2, []]);
  });
}

Deno.test("Topic delivers after a crash what was on disk when its segment was rewritten", async () => {
  const before = await withSurvivors("disk");
  before.stores.holdSyncs();
  const maintained = before.topic.maintain();
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
  await maintained;
});

Deno.test("Topic.maintain() lets a segment go whose last messages are finished the moment it is rewritten", async () => {
  const { topic, broker, clock } = testTopic({ name: "t#ephemeral" });
  const consumer = new TestConsumer(topic.channel("c"));
  topic.publishBatch(blockOfTexts(...Array(10).fill(BODY)), 10);
  topic.log.seal();
  topic.publish(bytes("now"));
  broker.pump(clock.nowMs());
  const finish = (positions: readonly number[]) => {
    for (const position of positions) consumer.channel.finish(consumer.consumer, position, 0);
  };
  const [first, second, ...others] = consumer.deliveries.map(({ position }) => position);
  finish(others);
  const segment = topic.log.segments[0];

  const maintained = topic.maintain();
  assertEquals(topic.log.segments[0] === segment, false);
  finish([first, second]);
  await maintained;

  assertEquals([broker.outstanding.size, topic.log.segments.filter(({ count }) => count > 0)], [0, []]);
});

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
  test.pump();
  for (const { position } of consumer.deliveries.splice(0)) {
    test.channel.finish(consumer.consumer, position, 0);
  }
  // Their bytes are read for that, and given back.
  const { stores } = test;
  for (let i = 0; i < 2; i++) {
    stores.replaceFault = () => true;
    await topic.maintain().catch(() => {});
    await topic.log.idle();
  }
  stores.replaceFault = () => false;
  const startMs = clock.nowMs();
  return {
    ...test,
    consumer,
    segment: topic.log.segments[0],
    async passTo(ms: number) {
      clock.advance(startMs + ms - clock.nowMs());
      broker.scan(clock.nowMs());
      await test.settle();
    },
  };
}

/** Positions of the segments that are in the store. */
function bases({ stores }: TestChannel): number[] {
  return stores.open("t").list().map(({ base }) => base);
}

/** Lets everything happen that waits for nothing but its turn. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
