import { assertEquals } from "@std/assert";
import { blockOf } from "../support/broker_messages.ts";
import { bytes, testBroker, TestConsumer } from "../support/broker_setup.ts";

Deno.test("Broker.topic() makes a topic once, and says what is kept of it", () => {
  const { broker, changes } = testBroker();

  const topic = broker.topic("t");
  assertEquals([broker.topic("t") === topic, broker.recoverTopic("t") === topic], [true, true]);
  topic.channel("c");
  topic.channel("c#ephemeral");
  broker.topic("t#ephemeral").channel("c");

  assertEquals(changes, ["t", "t/c", "-t/c#ephemeral", "-t#ephemeral", "-t#ephemeral/c"]);
});

Deno.test("Broker.recoverTopic() passes nothing to channels before start()", () => {
  const { broker } = testBroker();
  const topic = broker.recoverTopic("t");
  const channel = topic.channel("c");

  topic.publish(bytes("a"));
  assertEquals([topic.depth, channel.depth], [1, 0]);
  topic.start();

  assertEquals([topic.depth, channel.depth], [0, 1]);
});

Deno.test("Broker.pump() gives each channel a turn before one goes on", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const consumers = ["x", "y"].map((name) =>
    new TestConsumer(broker.topic("t").channel(name), { readyCount: 10_000 })
  );
  broker.topic("t").publishBatch(blockOf(Array(6000).fill(new Uint8Array(1))), 6000);

  broker.pump(clock.nowMs());
  assertEquals(consumers.map((consumer) => consumer.take().length), [5000, 5000]);
  broker.pump(clock.nowMs());

  assertEquals(consumers.map((consumer) => consumer.take().length), [1000, 1000]);
});

Deno.test("Broker.scan() makes so many messages ready at a time that others have their turn", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const topic = broker.topic("t");
  const channel = topic.channel("c");
  const block = blockOf(Array(60_000).fill(new Uint8Array(1)));
  topic.append(block, 0, block.length, { count: 60_000, deferMs: 10 });
  broker.commit();
  assertEquals(channel.deferredCount, 60_000);
  clock.advance(10);

  broker.scan(clock.nowMs());
  assertEquals([channel.depth, channel.deferredCount], [50_000, 10_000]);
  broker.scan(clock.nowMs());

  assertEquals([channel.depth, channel.deferredCount], [60_000, 0]);
});

Deno.test("Broker.scan() takes back what is in flight too long in every topic", () => {
  const { broker, clock } = testBroker();
  const consumers = ["s", "t"].map((name) =>
    new TestConsumer(broker.topic(name).channel("c"), { msgTimeoutMs: 1000 })
  );
  for (const topic of broker.topics.values()) topic.publish(bytes("a"));
  broker.pump(clock.nowMs());

  clock.advance(1000);
  broker.scan(clock.nowMs());

  assertEquals(consumers.map(({ channel }) => [channel.timeoutCount, channel.depth]), [[1, 1], [1, 1]]);
});
