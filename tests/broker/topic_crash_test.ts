/**
 * A topic after its program was killed: on what was written up to then, and the state that was saved last.
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
  testTopic,
} from "../support/broker_setup.ts";
import { piecesOf } from "../support/broker_stores.ts";

Deno.test("Topic counts deferred messages right after a crash in a segment that was being written", async () => {
  const before = testChannel({ durability: "disk" });
  publishSome(before);

  const after = await killed(before, "c");

  assertEquals(countsOf(after), { depth: 1, deferred: 2 });
  assertEquals(after.stores.syncReads, 1);
});

Deno.test("Topic counts deferred messages right after a crash in a closed segment that the state does not know", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("known");
  before.topic.log.seal();
  await before.topic.saveState();
  publishSome(before);
  before.topic.log.seal();

  const after = await killed(before, "c");

  // Its closing batch says how many are deferred; of the last segment it is to be shown that this is one.
  assertEquals([countsOf(after), after.stores.syncReads], [{ depth: 2, deferred: 2 }, 1]);
});

Deno.test("Topic counts deferred messages right after a crash before any state was saved", async () => {
  const before = testChannel({ durability: "disk" });
  for (let i = 0; i < 3; i++) {
    publishSome(before);
    before.topic.log.seal();
  }
  assertEquals(before.stores.open("t").readState(), undefined);

  const after = await killed(before, "c");

  assertEquals(countsOf(after), { depth: 3, deferred: 6 });
});

Deno.test("Topic reads no segment at its start that the state knows, whatever has become of its messages", async () => {
  const before = testChannel({ durability: "disk" });
  publishSome(before);
  const consumer = before.subscribe();
  before.pump();
  const [{ position }] = consumer.deliveries;
  before.channel.requeue(consumer.consumer, position, { delayMs: 5000, nowMs: before.clock.monotonicMs() });
  before.topic.log.seal();
  await before.topic.sync();
  await before.topic.saveState();

  const after = await killed(before, "c");

  assertEquals([countsOf(after), after.stores.syncReads], [{ depth: 0, deferred: 3 }, 0]);
});

Deno.test("Topic counts deferred messages that are its own with the others after a crash", async () => {
  const before = testTopic({ durability: "disk" });
  publishSome(before);

  const after = await killed(before);

  assertEquals([after.topic.depth, after.topic.backendDepth], [3, 3]);
  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals([consumer.take(), countsOf(after)], [["now"], { depth: 0, deferred: 2 }]);
});

Deno.test("Channel delivers deferred messages at their time after a crash, though they could not be looked at", async () => {
  const before = testChannel({ durability: "disk" });
  publishSome(before);
  const stores = await before.stores.snapshot();
  stores.readSyncFault = () => true;
  const after = recoveredTopic({ ...before, stores }, "c");
  after.topic.start();
  assertEquals([countsOf(after), after.topic.depth], [{ depth: 0, deferred: 0 }, 0]);
  assertEquals(after.errors.length, 1);

  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals([consumer.take(), countsOf(after)], [["now"], { depth: 0, deferred: 2 }]);
  after.clock.advance(30_001);
  after.broker.scan(after.clock.monotonicMs());
  await after.settle();
  const early = consumer.take();
  after.clock.advance(1);
  after.broker.scan(after.clock.monotonicMs());
  await after.settle();

  assertEquals([early, consumer.take()], [[], ["soon"]]);
});

Deno.test("Topic does not deliver again after a crash what was finished when the state was saved", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("a", "b", "c", "d");
  const consumer = before.subscribe();
  before.pump();
  const [a, b, c] = consumer.deliveries.map(({ position }) => position);
  before.channel.finish(consumer.consumer, a, 0);
  before.channel.finish(consumer.consumer, c, 0);
  await before.topic.saveState();
  before.channel.finish(consumer.consumer, b, 0);

  const after = await killed(before, "c");

  const next = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  // What was finished since comes once more.
  assertEquals(next.deliveries.map(({ body, attempts }) => [body, attempts]), [["b", 2], ["d", 2]]);
});

Deno.test("Topic keeps attempts and delays of the state over a crash", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("thrice", "later");
  const consumer = before.subscribe();
  for (let i = 0; i < 3; i++) {
    before.pump();
    for (const { position, body } of consumer.deliveries.splice(0)) {
      const delayMs = body === "later" ? 70_000 : 0;
      before.channel.requeue(consumer.consumer, position, { delayMs, nowMs: before.clock.monotonicMs() });
    }
  }
  await before.topic.saveState();

  const after = await killed(before, "c");

  const next = new TestConsumer(after.topic.channel("c"), { msgTimeoutMs: 1e9 });
  for (const ms of [0, 69_990, 8]) {
    after.clock.advance(ms);
    after.broker.scan(after.clock.monotonicMs());
    await after.settle();
    next.deliveries.push({ position: ms, body: "-", attempts: 0 });
  }
  assertEquals(next.deliveries.map(({ body, attempts }) => `${body} ${attempts}`), [
    "thrice 4",
    "- 0",
    "- 0",
    "later 2",
    "- 0",
  ]);
});

Deno.test("Topic takes messages in flight for ready after a crash", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("a");
  before.subscribe();
  before.pump();
  await before.topic.saveState();
  assertEquals(before.channel.inFlightCount, 1);

  const after = await killed(before, "c");

  assertEquals([countsOf(after), after.topic.channel("c").inFlightCount], [{ depth: 1, deferred: 0 }, 0]);
});

Deno.test("Topic.restoreChannels() makes the channels again that the state names", async () => {
  const before = testTopic({ durability: "disk" });
  for (const name of ["a", "b", "c#ephemeral"]) before.topic.channel(name);
  before.publish("x");
  await before.topic.saveState();

  const stores = await before.stores.snapshot();
  const after = recoveredTopic({ ...before, stores });
  after.topic.restoreChannels();
  after.topic.start();

  assertEquals([...after.topic.channels].map(([name, { depth }]) => [name, depth]), [["a", 1], ["b", 1]]);
});

Deno.test("Topic keeps the messages of a paused topic apart after a crash", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("channel's");
  before.topic.pause();
  before.publish("own");
  await before.topic.saveState();
  before.publish("own too");

  const stores = await before.stores.snapshot();
  const after = recoveredTopic({ ...before, stores }, "c");
  after.topic.pause();
  after.topic.start();

  assertEquals([after.topic.depth, countsOf(after)], [2, { depth: 1, deferred: 0 }]);
});

Deno.test("Topic does not deliver what lies before the first position of the state, and removes it", async () => {
  const test = await afterFinishing("first");
  const { base } = test.finished;
  // Power was lost before the removal had reached the disk.
  await test.stores.open("t").replace(base, test.finishedImage, () => true);

  const after = await killed(test, "c");

  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals(consumer.take(), ["second", "third"]);
  assertEquals(after.stores.open("t").list().some((segment) => segment.base === base), false);
});

Deno.test("Topic does not deliver a finished segment again that could not be removed, wherever it lies", async () => {
  for (const body of ["first", "second", "third"]) {
    const test = await afterFinishing(body, { removable: false });
    assertEquals(test.stores.open("t").list().length, 3);

    const after = await killed(test, "c");

    const consumer = new TestConsumer(after.topic.channel("c"));
    await after.settle();
    assertEquals(consumer.take(), ["first", "second", "third"].filter((other) => other !== body));
    assertEquals(after.stores.open("t").list().length, 2, body);
  }
});

Deno.test("Topic tries again with each maintenance to remove a segment, and tells once", async () => {
  const test = await afterFinishing("second", { removable: false });
  const { base } = test.finished;
  const inStore = () => test.stores.open("t").list().some((segment) => segment.base === base);

  await test.topic.maintain();
  await test.topic.maintain();
  assertEquals([inStore(), test.topic.log.segments.includes(test.finished)], [true, false]);
  test.stores.removeFault = () => false;
  await test.topic.maintain();

  assertEquals(inStore(), false);
  assertEquals(test.lines, [`ERROR: TOPIC(t): failed to remove segment ${base} - operation not permitted`]);
  assertEquals(test.stored.filter((error) => error !== undefined).map(String), [
    "Error: operation not permitted",
  ]);
});

Deno.test("Topic keeps its state as long as a finished segment cannot be removed", async () => {
  const test = testChannel({ durability: "disk" });
  test.publish("a");
  const consumer = test.subscribe();
  test.pump();
  test.stores.removeFault = () => true;
  test.channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);

  await test.topic.maintain();
  const after = await killed(test, "c");
  assertEquals([countsOf(after), after.topic.depth], [{ depth: 0, deferred: 0 }, 0]);
  test.stores.removeFault = () => false;
  for (let i = 0; i < 2; i++) {
    await test.topic.maintain();
    await test.broker.idle();
  }

  assertEquals(test.stores.used(["t"]), []);
});

Deno.test("Topic uses no position again that was given out before a loss of power", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("kept");
  await before.topic.saveState();
  before.publish("lost", "lost too");
  await before.topic.saveState();
  const { end } = before.topic.log;
  const stores = await before.stores.snapshot();
  const [{ base }] = stores.open("t").list();
  stores.open("t").truncate(base, 16 + 34 + 8);
  // And the clock was set back.
  before.clock.advance(-60_000);

  const after = recoveredTopic({ ...before, stores }, "c");
  after.topic.start();

  assertEquals([countsOf(after), after.topic.log.end], [{ depth: 1, deferred: 0 }, end]);
});

Deno.test("Topic has its messages after a crash right after the start, too", async () => {
  const before = testChannel({ durability: "disk" });
  publishSome(before);
  await before.topic.saveState();
  publishSome(before);

  const after = await killed(await killed(before, "c"), "c");
  // The state speaks of a part of the segment, which is looked at for the rest.
  await after.settle();

  assertEquals([countsOf(after), after.topic.depth], [{ depth: 2, deferred: 4 }, 0]);
});

Deno.test("Topic counts deferred messages after a crash that were being published when the state was saved", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("a");
  before.topic.log.seal();
  const block = blockOfTexts("late");
  before.topic.append(block, 0, block.length, { count: 1, deferMs: 600_000 });
  await before.topic.saveState();
  before.broker.commit();

  const after = await killed(before, "c");

  assertEquals(countsOf(after), { depth: 1, deferred: 1 });
});

Deno.test("Topic starts without a state that cannot be read, and says so", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("a");
  await before.topic.saveState();
  const stores = await before.stores.snapshot();
  stores.stateReadFault = (call) => call === "read";

  const after = recoveredTopic({ ...before, stores }, "c");
  after.topic.start();

  assertEquals([countsOf(after), stores.aside], [{ depth: 1, deferred: 0 }, ["t state"]]);
  assertEquals(after.lines, [
    "ERROR: TOPIC(t): state of unknown size cannot be used, messages may be delivered again - input/output error",
  ]);
});

Deno.test("Topic starts with a damaged state that cannot be set aside, and saves another in its place", async () => {
  const before = testChannel({ durability: "disk" });
  before.publish("a");
  const stores = await before.stores.snapshot();
  await stores.open("t").writeState(piecesOf(bytes("no state")));
  stores.stateReadFault = (call) => call === "set aside";

  const after = recoveredTopic({ ...before, stores }, "c");
  after.topic.start();
  assertEquals([countsOf(after), after.stored.map(String)], [
    { depth: 1, deferred: 0 },
    ["Error: read-only file system"],
  ]);
  await after.topic.saveState();

  const next = await killed(after, "c");
  assertEquals([countsOf(next), next.lines], [{ depth: 1, deferred: 0 }, []]);
});

/** One message, one that is due in half a minute, and one that is due in ten. */
function publishSome({ topic }: TestTopic): void {
  topic.publish(bytes("now"));
  topic.publish(bytes("soon"), { deferMs: 30_002 });
  topic.publish(bytes("late"), { deferMs: 600_000 });
}

function countsOf({ topic }: TestTopic): { depth: number; deferred: number } {
  const { depth, deferredCount } = topic.channel("c");
  return { depth, deferred: deferredCount };
}

/** Three segments of a message each, of which one was finished before the state was saved. */
async function afterFinishing(body: string, { removable = true } = {}) {
  const test: TestChannel = testChannel({ durability: "disk" });
  for (const body of ["first", "second", "third"]) {
    test.publish(body);
    test.topic.log.seal();
  }
  const consumer = test.subscribe();
  await test.settle();
  const { position } = consumer.deliveries.find((delivery) => delivery.body === body) ?? { position: 0 };
  const finished = test.topic.log.segments.find(({ base }) => base === position);
  if (!finished) throw new Error("unreachable");
  const finishedImage = test.stores.open("t").readSync(finished.base);
  test.stores.removeFault = () => !removable;
  test.channel.finish(consumer.consumer, position, 0);
  await test.topic.saveState();
  return { ...test, finished, finishedImage };
}
