import { assertEquals } from "@std/assert";
import { blockOfTexts } from "../support/broker_messages.ts";
import { bytes, TestConsumer, testTopic } from "../support/broker_setup.ts";

Deno.test("Channel that is ephemeral keeps the messages that came first, and counts all", () => {
  const { topic, publish, pump } = testTopic({ limits: { ephemeralDepthMax: 3 } });
  const channel = topic.channel("c#ephemeral");

  publish("a", "b");
  topic.publishBatch(blockOfTexts("c", "d", "e"), 3);
  publish("f");
  assertEquals([channel.depth, channel.messageCount], [3, 6]);
  const consumer = new TestConsumer(channel);
  pump();

  assertEquals(consumer.take(), ["a", "b", "c"]);
});

Deno.test("Channel that is ephemeral has room again when a message is delivered", () => {
  const { topic, publish, pump } = testTopic({ limits: { ephemeralDepthMax: 1 } });
  const consumer = new TestConsumer(topic.channel("c#ephemeral"));

  publish("a", "dropped");
  pump();
  publish("b");
  pump();

  assertEquals(consumer.take(), ["a", "b"]);
});

Deno.test("Channel that is ephemeral keeps deferred messages beside those that wait", () => {
  const { topic, publish } = testTopic({ limits: { ephemeralDepthMax: 1 } });
  const channel = topic.channel("c#ephemeral");

  publish("a");
  topic.publish(bytes("b"), { deferMs: 100 });

  assertEquals([channel.depth, channel.deferredCount], [1, 1]);
});

Deno.test("Channel that is ephemeral goes with its last consumer", () => {
  const { topic, changes } = testTopic();
  const channel = topic.channel("c#ephemeral");
  const [first, second] = [new TestConsumer(channel), new TestConsumer(channel)];

  channel.removeConsumer(first.consumer);
  assertEquals([...topic.channels.keys()], ["c#ephemeral"]);
  channel.removeConsumer(second.consumer);

  assertEquals([topic.channels.size, changes], [0, ["t", "-t/c#ephemeral", "-t/c#ephemeral"]]);
});

Deno.test("Channel that was deleted does not take the one that has its name now with it", () => {
  const { topic } = testTopic();
  const old = new TestConsumer(topic.channel("c#ephemeral"));
  topic.deleteChannel("c#ephemeral");
  const next = new TestConsumer(topic.channel("c#ephemeral"));

  // As a connection that was told to end does it, later.
  old.channel.removeConsumer(old.consumer);

  assertEquals([topic.channels.get("c#ephemeral") === next.channel, next.closed], [true, false]);
});

Deno.test("Channel that is ephemeral and full keeps no segment but those of its messages", () => {
  const { broker, topic } = testTopic({ limits: { ephemeralDepthMax: 2, maxBytesPerFile: 300 } });
  topic.channel("c#ephemeral");

  for (let turn = 0; turn < 50; turn++) {
    for (let i = 0; i < 10; i++) {
      const block = blockOfTexts("x".repeat(30));
      topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
    }
    broker.commit();
  }

  assertEquals(topic.log.segments.length, 2);
});

Deno.test("Topic forgets messages of which a full ephemeral channel has kept none", () => {
  const { topic, publish, pump } = testTopic({ limits: { ephemeralDepthMax: 1, maxBytesPerFile: 150 } });
  const consumer = new TestConsumer(topic.channel("c#ephemeral"));
  publish("kept".padEnd(60), "dropped".padEnd(60));
  pump();
  consumer.channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);

  assertEquals(topic.log.segments.map(({ isFinished }) => isFinished), [true]);
});

Deno.test("Channel that is ephemeral and full does not send the topic's messages to the store", () => {
  const { topic, publish, pump, stores } = testTopic({ limits: { ephemeralDepthMax: 2, memQueueSize: 2 } });
  topic.channel("full#ephemeral");
  const consumer = new TestConsumer(topic.channel("c"));

  for (const body of ["a", "b", "c", "d", "e"]) {
    publish(body);
    pump();
  }

  assertEquals([consumer.take().length, stores.used(["t"])], [5, []]);
});

Deno.test("Topic that is ephemeral keeps the messages that came first, and counts all", () => {
  const { topic, publish } = testTopic({ name: "t#ephemeral", limits: { ephemeralDepthMax: 3 } });

  publish("a", "b");
  topic.publishBatch(blockOfTexts("c", "d", "e"), 3);
  publish("f");

  assertEquals([topic.depth, topic.messageCount, topic.messageBytes], [3, 6, 6]);
  assertEquals(topic.channel("c").depth, 3);
});

Deno.test("Topic that is ephemeral and paused keeps no more messages than without a channel", () => {
  const { topic, publish } = testTopic({ name: "t#ephemeral", limits: { ephemeralDepthMax: 3 } });
  topic.channel("c");
  topic.pause();

  publish("a", "b", "c", "d");

  assertEquals([topic.depth, topic.messageCount], [3, 4]);
});

Deno.test("Topic that is ephemeral keeps nothing in a store", () => {
  const { topic, publish, stores } = testTopic({ name: "t#ephemeral", limits: { memQueueSize: 0 } });

  publish("a", "b");
  topic.saveState();

  assertEquals([stores.used(["t#ephemeral"]), topic.depth], [[], 2]);
});

Deno.test("Topic that is ephemeral goes with its last channel", () => {
  const { broker, topic, changes } = testTopic({ name: "t#ephemeral" });
  topic.channel("x");
  topic.channel("y");

  topic.deleteChannel("x");
  assertEquals([...broker.topics.keys()], ["t#ephemeral"]);
  topic.deleteChannel("y");

  assertEquals(broker.topics.size, 0);
  assertEquals(changes.at(-1), "-t#ephemeral");
});
