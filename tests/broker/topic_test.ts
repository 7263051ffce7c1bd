import { assertEquals, assertThrows } from "@std/assert";
import { ChannelError } from "../../src/broker/channel.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import { bytes, TestConsumer, testTopic } from "../support/broker_setup.ts";

Deno.test("Topic gives every channel all messages", () => {
  const { topic, publish, pump } = testTopic();
  const consumers = ["x", "y"].map((name) => new TestConsumer(topic.channel(name)));

  publish("a", "b");
  pump();

  assertEquals(consumers.map((consumer) => consumer.take()), [["a", "b"], ["a", "b"]]);
  assertEquals([topic.depth, topic.messageCount, topic.messageBytes], [0, 2, 2]);
});

Deno.test("Topic gives its backlog to the first channel, and none of it to later ones", () => {
  const { topic, publish, pump } = testTopic();
  publish("a", "b");
  assertEquals(topic.depth, 2);

  const first = new TestConsumer(topic.channel("first"));
  const second = new TestConsumer(topic.channel("second"));
  publish("c");
  pump();

  assertEquals([first.take(), second.take(), topic.depth], [["a", "b", "c"], ["c"], 0]);
});

Deno.test("Topic.channel() gives the channel that is there", () => {
  const { topic } = testTopic();

  assertEquals(topic.channel("c") === topic.channel("c"), true);
});

Deno.test("Topic.publishBatch() publishes the messages of a block", () => {
  const { topic, pump } = testTopic();
  const consumer = new TestConsumer(topic.channel("c"));

  topic.publishBatch(blockOfTexts("a", "bb", "ccc"), 3);
  topic.publishBatch(new Uint8Array(), 0);
  pump();

  assertEquals([consumer.take(), topic.messageCount, topic.messageBytes], [["a", "bb", "ccc"], 3, 6]);
});

Deno.test("Topic.append() publishes nothing before the commit", () => {
  const { broker, topic, pump } = testTopic();
  const consumer = new TestConsumer(topic.channel("c"));
  const block = blockOfTexts("skipped", "a", "b", "skipped");

  topic.append(block, 11, 21, { count: 2, deferMs: 0 });
  pump();
  assertEquals([consumer.take(), topic.messageCount], [[], 0]);
  assertEquals(broker.commit().failed.size, 0);
  pump();

  assertEquals([consumer.take(), topic.messageCount, topic.messageBytes], [["a", "b"], 2, 2]);
});

Deno.test("Topic.pause() keeps messages back from the channels until unpause()", () => {
  const { topic, publish, pump } = testTopic();
  const consumer = new TestConsumer(topic.channel("c"));
  publish("a");
  topic.pause();

  publish("b", "c");
  pump();
  assertEquals([consumer.take(), topic.depth], [["a"], 2]);
  topic.unpause();
  pump();

  assertEquals([consumer.take(), topic.depth], [["b", "c"], 0]);
});

Deno.test("Topic.empty() drops its own messages and leaves the channels theirs", () => {
  const { topic, publish, pump } = testTopic();
  const channel = topic.channel("c");
  publish("a", "b");
  topic.pause();
  publish("dropped", "dropped too");

  topic.empty();
  assertEquals([topic.depth, channel.depth], [0, 2]);
  topic.unpause();
  publish("c");
  const consumer = new TestConsumer(channel);
  pump();

  assertEquals(consumer.take(), ["a", "b", "c"]);
});

Deno.test("Topic.empty() drops what was appended before it, and not what comes after it", () => {
  const { broker, topic } = testTopic();
  const append = (...bodies: string[]) => {
    const block = blockOfTexts(...bodies);
    topic.append(block, 0, block.length, { count: bodies.length, deferMs: 0 });
  };

  append("dropped");
  topic.empty();
  append("kept");
  broker.commit();

  assertEquals([topic.depth, topic.channel("c").depth, topic.messageCount], [1, 1, 2]);
});

Deno.test("Topic frees a segment of which a part was emptied when the rest is finished", () => {
  const { topic, publish, pump } = testTopic({ limits: { memQueueSize: 100, maxBytesPerFile: 150 } });
  const consumer = new TestConsumer(topic.channel("c"));
  publish("a");
  topic.pause();
  publish("dropped", "x".repeat(100));

  topic.empty();
  pump();
  consumer.channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);

  assertEquals(topic.log.segments.filter(({ count }) => count > 0), []);
});

Deno.test("Topic keeps the number of waiting messages in memory within the limit", () => {
  const { topic, publish, stores } = testTopic({ limits: { memQueueSize: 3 } });
  const channel = topic.channel("c");

  publish("a", "b", "c", "d", "e");

  assertEquals([channel.depth, channel.memoryDepth, channel.backendDepth], [5, 3, 2]);
  assertEquals(stores.used(["t"]), ["t"]);
});

Deno.test("Topic.backendDepth counts the messages of its own that are in the store", () => {
  const { topic, publish } = testTopic({ limits: { memQueueSize: 3 } });

  publish("a", "b", "c", "d", "e");
  assertEquals([topic.depth, topic.backendDepth], [5, 2]);
  topic.channel("c");

  assertEquals([topic.depth, topic.backendDepth], [0, 0]);
});

Deno.test("Topic.publish() throws what the store threw, and publishes nothing", () => {
  const { topic, stores, stored, errors } = testTopic({ limits: { memQueueSize: 0 } });
  const channel = topic.channel("c");
  stores.fault = () => "fails";

  assertThrows(() => topic.publish(bytes("a")), Error, "disk full");

  assertEquals([channel.depth, topic.messageCount, topic.log.segments], [0, 0, []]);
  assertEquals(stored.map(String), ["Error: disk full"]);
  assertEquals(errors, ["ERROR: TOPIC(t) ERROR: failed to write message to backend - disk full"]);
});

Deno.test("Topic publishes again when the store works again, and says so", () => {
  const { topic, stores, stored } = testTopic({ limits: { memQueueSize: 0 } });
  stores.fault = () => "fails";
  assertThrows(() => topic.publish(bytes("a")));
  stores.fault = () => undefined;

  topic.publish(bytes("b"));

  assertEquals([topic.depth, stored.at(-1)], [1, undefined]);
});

Deno.test("Broker.commit() names the topics whose messages could not be kept", () => {
  const { broker, stores } = testTopic({ limits: { memQueueSize: 0 } });
  const [good, bad] = ["good", "bad"].map((name) => broker.topic(name));
  const append = (topic: typeof good) => {
    const block = blockOfTexts("a");
    topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
  };
  append(good);
  append(bad);
  let writes = 0;
  stores.fault = () => ++writes === 2 ? "fails" : undefined;

  const { failed } = broker.commit();

  assertEquals([...failed].map(([{ name }, error]) => [name, String(error)]), [["bad", "Error: disk full"]]);
  assertEquals([good.depth, bad.depth, broker.commit().failed.size], [1, 0, 0]);
});

Deno.test("Topic.publish() does not fail with what others have appended, who hear of it at the commit", () => {
  const { broker, topic, stores } = testTopic({ limits: { memQueueSize: 0 } });
  const block = blockOfTexts("theirs");
  topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
  let writes = 0;
  stores.fault = () => ++writes === 1 ? "fails" : undefined;

  topic.publish(bytes("mine"));
  const { failed } = broker.commit();

  assertEquals([topic.depth, [...failed].map(([{ name }]) => name)], [1, ["t"]]);
});

Deno.test("Topic.deleteChannel() ends its consumers and drops its messages", () => {
  const { broker, topic, changes, publish, pump } = testTopic();
  const consumer = new TestConsumer(topic.channel("c"), { readyCount: 1 });
  publish("a", "b");
  pump();

  assertEquals(topic.deleteChannel("c"), true);

  assertEquals([consumer.closed, topic.channels.size, broker.outstanding.size], [true, 0, 0]);
  assertThrows(() => consumer.channel.addConsumer(consumer.consumer), ChannelError, "exiting");
  assertEquals([topic.deleteChannel("c"), changes], [false, ["t", "t/c", "t/c"]]);
});

Deno.test("Broker.deleteTopic() leaves nothing of the topic, also when work on it is done afterwards", () => {
  const { broker, topic, stores, changes, publish, pump } = testTopic({ limits: { memQueueSize: 1 } });
  const consumer = new TestConsumer(topic.channel("c"), { readyCount: 2 });
  publish("a", "b", "c");
  pump();
  topic.saveState();
  assertEquals(stores.used(["t"]), ["t"]);

  assertEquals(broker.deleteTopic("t"), true);
  topic.maintain();
  topic.saveState();

  assertEquals([consumer.closed, broker.outstanding.size, stores.used(["t"])], [true, 0, []]);
  assertEquals([broker.deleteTopic("t"), broker.topics.size], [false, 0]);
  assertEquals(changes, ["t", "t/c", "t/c", "t"]);
});

Deno.test("Topic frees memory that is emptied or finished", async () => {
  const { broker, topic, publish, settle, stores } = testTopic({
    limits: { memQueueSize: 2, maxBytesPerFile: 100 },
  });
  const consumer = new TestConsumer(topic.channel("c"));
  publish("a", "b", "c", "d", "e");
  await settle();
  assertEquals(consumer.deliveries.length, 5);
  for (const { position } of consumer.deliveries) consumer.channel.finish(consumer.consumer, position, 0);
  publish("f", "g", "h");
  topic.channel("c").empty();
  for (let i = 0; i < 2; i++) {
    await topic.maintain();
    await broker.idle();
  }

  assertEquals(topic.log.segments.filter(({ count }) => count > 0), []);
  assertEquals(stores.used(["t"]), []);
});

Deno.test("Topic counts deferred messages as such from the moment on when they are a new channel's", async () => {
  const { topic, broker, stores } = testTopic({ limits: { memQueueSize: 0, maxBytesPerFile: 1000 } });
  for (let i = 0; i < 300; i++) topic.publish(bytes("x"), { deferMs: 3_600_000 });
  for (let i = 0; i < 50; i++) topic.publish(bytes("y"));
  const seen: number[][] = [];
  const { channel } = { channel: topic.channel("c") };
  const note = () => seen.push([topic.depth + channel.depth + channel.deferredCount, channel.depth]);

  note();
  for (let i = 0; i < 100; i++) {
    await Promise.resolve();
    note();
  }
  await broker.idle();

  assertEquals([topic.depth, channel.depth, channel.deferredCount], [0, 50, 300]);
  assertEquals(seen.filter(([all, depth]) => all !== 350 || depth > 50), []);
  assertEquals([stores.reads, stores.syncReads], [0, 0]);
});

Deno.test("Topic asks no channel whether others need a message when one has finished it", () => {
  const { topic, publish, pump } = testTopic();
  const consumers = Array.from({ length: 50 }, (_, i) => new TestConsumer(topic.channel(`c${i}`)));
  publish("a");
  pump();
  let asked = 0;
  const values = topic.channels.values.bind(topic.channels);
  topic.channels.values = () => {
    asked++;
    return values();
  };

  for (const { channel, consumer, deliveries } of consumers) {
    channel.finish(consumer, deliveries[0].position, 0);
  }

  assertEquals([asked, topic.log.segments.map(({ isFinished }) => isFinished)], [0, [true]]);
});
