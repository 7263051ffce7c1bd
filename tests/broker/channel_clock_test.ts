/**
 * Channels while somebody sets the clock: what lasts goes by the monotonic clock, what is due at a time of day by the wall
 * clock, until it is nearly due.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  bytes,
  recoveredTopic,
  type TestBroker,
  testChannel,
  TestConsumer,
} from "../support/broker_setup.ts";

const HOUR_MS = 3_600_000;

for (const stepMs of [HOUR_MS, -HOUR_MS]) {
  const how = stepMs > 0 ? "forward" : "back";

  Deno.test(`Channel leaves messages in flight their time when the clock is set ${how}`, () => {
    const test = testChannel();
    test.subscribe({ msgTimeoutMs: 1000 });
    test.publish("a");
    test.pump();

    step(test, stepMs);
    pass(test, 999);
    assertEquals([test.channel.inFlightCount, test.channel.timeoutCount], [1, 0]);
    pass(test, 1);

    assertEquals([test.channel.inFlightCount, test.channel.timeoutCount], [0, 1]);
  });

  Deno.test(`Channel leaves requeued messages their delay when the clock is set ${how}`, () => {
    const test = testChannel();
    const consumer = test.subscribe();
    test.publish("a");
    test.pump();
    const [{ position }] = consumer.deliveries;
    test.channel.requeue(consumer.consumer, position, { delayMs: 3000, nowMs: test.clock.monotonicMs() });

    step(test, stepMs);
    pass(test, 2999);
    assertEquals([test.channel.deferredCount, test.channel.depth], [1, 0]);
    pass(test, 1);

    assertEquals([test.channel.deferredCount, test.channel.depth], [0, 1]);
  });

  Deno.test(`Channel leaves messages that were deferred for a short time that time when the clock is set ${how}`, () => {
    const test = testChannel();
    test.topic.publish(bytes("a"), { deferMs: 3000 });

    step(test, stepMs);
    pass(test, 2999);
    assertEquals([test.channel.deferredCount, test.channel.depth], [1, 0]);
    pass(test, 1);

    assertEquals([test.channel.deferredCount, test.channel.depth], [0, 1]);
  });

  Deno.test(`Channel takes a touch for a longer time in flight when the clock was set ${how}`, () => {
    const test = testChannel();
    const consumer = test.subscribe({ msgTimeoutMs: 1000 });
    test.publish("a");
    test.pump();

    step(test, stepMs);
    pass(test, 900);
    test.channel.touch(consumer.consumer, consumer.deliveries[0].position, test.clock.monotonicMs());
    pass(test, 999);
    assertEquals(test.channel.timeoutCount, 0);
    pass(test, 1);

    assertEquals(test.channel.timeoutCount, 1);
  });
}

Deno.test("Channel delivers what was deferred for long at its time of day, also when the clock was set", async () => {
  const early = await dueAfterStep(HOUR_MS / 2);
  const late = await dueAfterStep(-HOUR_MS / 2);

  // An hour, less or more than half of it.
  assertEquals([early, late], [HOUR_MS / 2, 3 * HOUR_MS / 2]);
});

Deno.test("Channel delivers what was due while the clock stood behind, as soon as it is set right", async () => {
  assertEquals(await dueAfterStep(2 * HOUR_MS), 0);
});

Deno.test("Channel keeps what is left of a delay over a restart, by the time of day that it was due", async () => {
  const before = testChannel({ durability: "disk" });
  const consumer = before.subscribe();
  before.publish("a");
  before.pump();
  const [{ position }] = consumer.deliveries;
  before.channel.requeue(consumer.consumer, position, { delayMs: 5000, nowMs: before.clock.monotonicMs() });
  pass(before, 2000);
  await before.topic.close();
  before.clock.advance(1000);

  const after = recoveredTopic(before, "c");
  after.topic.start();
  const next = new TestConsumer(after.topic.channel("c"));
  pass(after, 1999);
  await after.settle();
  assertEquals(next.take(), []);
  pass(after, 1);
  await after.settle();

  assertEquals(next.take(), ["a"]);
});

/** Time passes; what is due then is ready. */
function pass({ broker, clock }: TestBroker, ms: number): void {
  clock.advance(ms);
  broker.scan(clock.monotonicMs());
}

/** Somebody sets the clock. */
function step({ broker, clock }: TestBroker, ms: number): void {
  clock.step(ms);
  broker.wallClockStepped(ms);
  broker.scan(clock.monotonicMs());
}

/** After how long a message comes that was deferred for an hour, when the clock is set right after it was published. */
async function dueAfterStep(ms: number): Promise<number> {
  const test = testChannel({ durability: "disk" });
  const consumer = test.subscribe();
  test.topic.publish(bytes("a"), { deferMs: HOUR_MS });
  test.topic.log.seal();
  await test.settle();
  const startMs = test.clock.monotonicMs();
  step(test, ms);
  await test.settle();
  for (let i = 0; i < 4 * 3600 && consumer.deliveries.length === 0; i++) {
    if (i > 0) pass(test, 1000);
    else test.broker.scan(test.clock.monotonicMs());
    await test.settle();
  }
  return test.clock.monotonicMs() - startMs;
}
