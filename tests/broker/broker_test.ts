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

  broker.pump(clock.monotonicMs());
  assertEquals(consumers.map((consumer) => consumer.take().length), [5000, 5000]);
  broker.pump(clock.monotonicMs());

  assertEquals(consumers.map((consumer) => consumer.take().length), [1000, 1000]);
});

Deno.test("Broker.pump() delivers so many messages in all, and gives those the next turn that had none", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const topic = broker.topic("t");
  const consumers = ["a", "b", "c", "d", "e"].map((name) =>
    new TestConsumer(topic.channel(name), { readyCount: 10_000 })
  );
  topic.publishBatch(blockOf(Array(6000).fill(new Uint8Array(1))), 6000);
  const pump = () => {
    broker.pump(clock.monotonicMs());
    return consumers.map((consumer) => consumer.take().length);
  };

  assertEquals(pump(), [5000, 5000, 5000, 5000, 0]);
  assertEquals(pump(), [1000, 1000, 1000, 1000, 5000]);
  assertEquals(pump(), [0, 0, 0, 0, 1000]);
});

Deno.test("Broker.pump() delivers so many bytes in all, and of one channel before others have their turn", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const topic = broker.topic("t");
  const consumers = ["a", "b", "c"].map((name) => new TestConsumer(topic.channel(name), { readyCount: 100 }));
  topic.publishBatch(blockOf(Array(12).fill(new Uint8Array(1024 * 1024))), 12);
  const pump = () => {
    broker.pump(clock.monotonicMs());
    return consumers.map((consumer) => consumer.take().length);
  };

  // 4 MiB of a channel, 8 MiB in all.
  assertEquals(pump(), [4, 4, 0]);
  assertEquals(pump(), [4, 0, 4]);
});

Deno.test("Broker.scan() makes so many messages ready at a time that others have their turn, and says that there are more", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const topic = broker.topic("t");
  const channel = topic.channel("c");
  const block = blockOf(Array(7000).fill(new Uint8Array(1)));
  topic.append(block, 0, block.length, { count: 7000, deferMs: 10 });
  broker.commit();
  assertEquals(channel.deferredCount, 7000);
  clock.advance(10);

  assertEquals(broker.scan(clock.monotonicMs()), false);
  assertEquals([channel.depth, channel.deferredCount], [5000, 2000]);
  assertEquals(broker.scan(clock.monotonicMs()), true);

  assertEquals([channel.depth, channel.deferredCount], [7000, 0]);
});

Deno.test("Broker.scan() takes so many messages back at a time that others have their turn, and says that there are more", () => {
  const { broker, clock } = testBroker({ limits: { memQueueSize: 1e6 } });
  const channel = broker.topic("t").channel("c");
  new TestConsumer(channel, { msgTimeoutMs: 1000, readyCount: 20_000 });
  broker.topic("t").publishBatch(blockOf(Array(7000).fill(new Uint8Array(1))), 7000);
  for (let i = 0; i < 3; i++) broker.pump(clock.monotonicMs());
  assertEquals(channel.inFlightCount, 7000);
  clock.advance(1000);

  assertEquals([broker.scan(clock.monotonicMs()), channel.timeoutCount], [false, 5000]);
  assertEquals([broker.scan(clock.monotonicMs()), channel.timeoutCount], [true, 7000]);
});

Deno.test("Broker.scan() takes back what is in flight too long in every topic", () => {
  const { broker, clock } = testBroker();
  const consumers = ["s", "t"].map((name) =>
    new TestConsumer(broker.topic(name).channel("c"), { msgTimeoutMs: 1000 })
  );
  for (const topic of broker.topics.values()) topic.publish(bytes("a"));
  broker.pump(clock.monotonicMs());

  clock.advance(1000);
  broker.scan(clock.monotonicMs());

  assertEquals(consumers.map(({ channel }) => [channel.timeoutCount, channel.depth]), [[1, 1], [1, 1]]);
});
