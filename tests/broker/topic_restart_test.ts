/**
 * A topic after a stop and a start, on the same stores.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { piecesOf } from "../support/broker_stores.ts";
import { bytes, recoveredTopic, TestConsumer, type TestTopic, testTopic } from "../support/broker_setup.ts";

/** Longer than a new log needs to begin at another position. */
const RESTART_MS = 2;

Deno.test("Topic has everything again after a restart: waiting, in flight, ready, deferred, with attempts", async () => {
  const before = testTopic({ limits: { memQueueSize: 2 } });
  const consumer = new TestConsumer(before.topic.channel("c"), { readyCount: 3 });
  before.publish("in flight", "requeued", "deferred", "waiting", "waiting too");
  before.pump();
  const [, requeued, deferred] = consumer.deliveries.map(({ position }) => position);
  const nowMs = before.clock.monotonicMs();
  consumer.hasRoom = false;
  consumer.channel.requeue(consumer.consumer, requeued, { delayMs: 0, nowMs });
  consumer.channel.requeue(consumer.consumer, deferred, { delayMs: 1000, nowMs });

  const after = await restart(before, "c");

  const channel = after.topic.channel("c");
  assertEquals([channel.depth, channel.inFlightCount, channel.deferredCount], [4, 0, 1]);
  const next = new TestConsumer(channel);
  await after.settle();
  after.clock.advance(1000 - RESTART_MS - 0.5);
  after.broker.scan(after.clock.monotonicMs());
  after.pump();
  assertEquals(next.deliveries.map(({ body, attempts }) => [body, attempts]), [
    ["waiting", 1],
    ["waiting too", 1],
    ["in flight", 2],
    ["requeued", 2],
  ]);
  after.clock.advance(0.5);
  after.broker.scan(after.clock.monotonicMs());
  await after.settle();
  assertEquals(next.deliveries.at(-1)?.body, "deferred");
  assertEquals(next.deliveries.at(-1)?.attempts, 2);
});

Deno.test("Topic has its own messages again after a restart, deferred ones for the rest of their time", async () => {
  const before = testTopic({ limits: { memQueueSize: 2 } });
  before.topic.publish(bytes("late"), { deferMs: 500 });
  before.publish("a", "b");

  const after = await restart(before);

  assertEquals([after.topic.depth, after.topic.backendDepth], [3, 3]);
  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals([consumer.take(), consumer.channel.deferredCount], [["a", "b"], 1]);
  const scan = async () => {
    after.broker.scan(after.clock.monotonicMs());
    await after.settle();
  };
  await scan();
  after.clock.advance(499 - RESTART_MS);
  await scan();
  assertEquals(consumer.take(), []);
  after.clock.advance(1);
  await scan();
  assertEquals(consumer.take(), ["late"]);
});

Deno.test("Topic that is paused keeps its own messages apart from the channels' over a restart", async () => {
  const before = testTopic();
  before.topic.channel("c");
  before.publish("channel's");
  before.topic.pause();
  before.publish("own");

  const { broker, topic } = recoveredTopic(await stop(before), "c");
  topic.pause();
  topic.start();

  assertEquals([topic.depth, topic.channel("c").depth], [1, 1]);
  topic.unpause();
  assertEquals([topic.depth, topic.channel("c").depth, broker.outstanding.size], [0, 2, 0]);
});

Deno.test("Topic forgets the finished messages of one channel, though another one still has them", async () => {
  const before = testTopic();
  before.topic.channel("slow");
  const quick = new TestConsumer(before.topic.channel("quick"));
  before.publish("a", "b", "c");
  before.pump();
  // Not in their order.
  for (const i of [2, 0]) quick.channel.finish(quick.consumer, quick.deliveries[i].position, 0);

  const after = await restart(before, "slow", "quick");

  const consumers = ["slow", "quick"].map((name) => new TestConsumer(after.topic.channel(name)));
  await after.settle();
  assertEquals(consumers.map((consumer) => consumer.take()), [["a", "b", "c"], ["b"]]);
});

Deno.test("Topic does not bring back what a channel has finished behind a page that it has passed", async () => {
  const before = testTopic({ limits: { memQueueSize: 100, maxBytesPerFile: 150 } });
  before.topic.channel("slow");
  const quick = new TestConsumer(before.topic.channel("quick"));
  const { channel } = quick;
  before.publish("first".padEnd(60));
  before.pump();
  before.topic.publish(bytes("second".padEnd(60)), { deferMs: 10 });
  before.clock.advance(10);
  before.broker.scan(before.clock.monotonicMs());
  before.pump();
  before.publish("third".padEnd(60));
  // Of the second segment nothing is left for this channel; its cursor has never been in it.
  channel.finish(quick.consumer, quick.deliveries[1].position, 0);
  assertEquals([channel.depth, channel.inFlightCount], [1, 1]);

  const after = await restart(before, "slow", "quick");

  assertEquals(after.topic.channel("quick").depth, 2);
});

Deno.test("Topic does not bring back what was emptied, in whichever segment it was", async () => {
  const before = testTopic({ limits: { memQueueSize: 0, maxBytesPerFile: 200 } });
  const channel = before.topic.channel("c");
  before.publish("a");
  before.topic.pause();
  before.publish("emptied in the same segment", "emptied in the next one".padEnd(100));
  before.topic.empty();
  before.publish("b");
  assertEquals([before.topic.depth, channel.depth], [1, 1]);

  const after = await restart(before, "c");

  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals(consumer.take(), ["a", "b"]);
});

Deno.test("Topic forgets a channel that is not made again, and what only that one had", async () => {
  const before = testTopic();
  before.topic.channel("gone");
  before.publish("a");

  const after = await restart(before);

  assertEquals([after.topic.depth, after.topic.log.segments], [0, []]);
});

Deno.test("Topic keeps nothing of ephemeral channels over a restart", async () => {
  const before = testTopic();
  before.topic.channel("c#ephemeral");
  before.publish("a");

  const after = await restart(before);

  assertEquals([after.topic.depth, after.stores.used(["t"])], [0, []]);
});

Deno.test("Topic uses no position again after a restart, even when the clock was set back", async () => {
  const before = testTopic({ limits: { maxBytesPerFile: 150 } });
  const consumer = new TestConsumer(before.topic.channel("c"));
  before.publish("waiting".padEnd(60), "finished, in another segment".padEnd(60));
  before.pump();
  consumer.channel.finish(consumer.consumer, consumer.deliveries[1].position, 0);
  const { end } = before.topic.log;
  before.clock.advance(-60_000);

  const after = await restart(before, "c");

  assertEquals(after.topic.log.end, end);
});

Deno.test("Topic.close() ends the connections of consumers", async () => {
  const test = testTopic();
  const consumer = new TestConsumer(test.topic.channel("c"));

  await test.topic.close();

  assertEquals(consumer.closed, true);
});

Deno.test("Topic.close() rejects when messages cannot be saved", async () => {
  const test = testTopic();
  test.publish("a");
  test.stores.fault = () => "fails";

  await assertRejects(() => test.topic.close(), Error, "disk full");
});

Deno.test("Topic delivers everything again when its state cannot be read, and says so", async () => {
  const before = testTopic();
  const consumer = new TestConsumer(before.topic.channel("c"));
  before.publish("finished", "waiting");
  before.pump();
  consumer.channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);
  const stopped = await stop(before);
  const store = stopped.stores.open("t");
  await store.writeState(piecesOf(store.readState()?.slice(0, -1) ?? new Uint8Array()));

  const after = recoveredTopic(stopped, "c");
  after.topic.start();

  const next = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals(next.take(), ["finished", "waiting"]);
  assertEquals(after.errors, [
    "ERROR: TOPIC(t): state of 85 bytes cannot be used, messages may be delivered again - State file ends too early",
  ]);
});

Deno.test("Topic.close() before the start leaves everything as it was", async () => {
  const before = testTopic();
  before.topic.channel("c");
  before.publish("a");
  const stopped = await stop(before);

  // As when another topic cannot be opened: nobody has asked for the channels yet.
  await recoveredTopic(stopped).topic.close();
  const after = recoveredTopic(stopped, "c");
  after.topic.start();

  assertEquals(after.topic.channel("c").depth, 1);
});

Deno.test("Topic.saveState() removes the state when nothing is stored any more", async () => {
  const { topic, stores, publish } = testTopic({ limits: { memQueueSize: 0 } });
  publish("a");
  await topic.saveState();
  assertEquals(stores.open("t").readState() === undefined, false);

  topic.empty();
  await topic.log.idle();
  await topic.saveState();

  assertEquals(stores.used(["t"]), []);
});

Deno.test("Topic.saveState() tries again after it could not write", async () => {
  const { topic, stores, publish } = testTopic({ limits: { memQueueSize: 0 } });
  publish("a");
  let failing = true;
  stores.stateFault = () => failing;

  await assertRejects(() => topic.saveState(), Error, "disk full");
  failing = false;
  await topic.saveState();

  assertEquals(stores.open("t").readState() === undefined, false);
});

async function stop(before: TestTopic): Promise<TestTopic> {
  await before.topic.close();
  before.clock.advance(RESTART_MS);
  return before;
}

async function restart(before: TestTopic, ...channels: readonly string[]): Promise<TestTopic> {
  const after = recoveredTopic(await stop(before), ...channels);
  after.topic.start();
  return after;
}
