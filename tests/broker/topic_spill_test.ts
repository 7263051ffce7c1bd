/**
 * What is in memory only goes to the store when memory is short, and nothing is taken when there is none.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bytes, killed, testChannel, TestConsumer, testTopic } from "../support/broker_setup.ts";

Deno.test("Topic keeps new messages in the store while memory is short", () => {
  const memory = { isShort: false, refusal: undefined };
  const { topic, publish } = testTopic({ memory });
  publish("in memory");
  memory.isShort = true;
  publish("in the store");
  memory.isShort = false;
  topic.log.seal();
  publish("in memory again");

  assertEquals([topic.depth, topic.backendDepth], [3, 1]);
});

Deno.test("Topic.spill() puts what waits in memory into the store, where it leaves memory", async () => {
  const test = testChannel();
  test.publish("a", "b");
  test.topic.log.seal();
  test.publish("c");
  assertEquals([test.channel.depth, test.channel.memoryDepth], [3, 3]);

  await test.topic.spill();

  assertEquals([test.channel.depth, test.channel.memoryDepth], [3, 0]);
  assertEquals(test.topic.log.segments.map(({ stored, resident }) => [stored, resident]), [
    [true, false],
    [true, false],
  ]);
  const consumer = test.subscribe();
  await test.settle();
  assertEquals(consumer.take(), ["a", "b", "c"]);
});

Deno.test("Topic.spill() counts the messages that are the topic's own as those of the store", async () => {
  const test = testTopic();
  test.publish("a", "b");
  assertEquals([test.topic.depth, test.topic.backendDepth], [2, 0]);

  await test.topic.spill();

  assertEquals([test.topic.depth, test.topic.backendDepth], [2, 2]);
});

Deno.test("Topic.spill() keeps what is in flight, deferred and ready again what it is, and a kill does not take it", async () => {
  const test = testChannel();
  test.publish("finished", "in flight", "again", "later");
  test.topic.publish(bytes("deferred"), { deferMs: 200_000 });
  const consumer = test.subscribe({ readyCount: 4 });
  test.pump();
  const [finished, , again, later] = consumer.deliveries.splice(0).map(({ position }) => position);
  const nowMs = test.clock.monotonicMs();
  consumer.consumer.readyCount = 0;
  test.channel.finish(consumer.consumer, finished, nowMs);
  test.channel.requeue(consumer.consumer, again, { delayMs: 0, nowMs });
  test.channel.requeue(consumer.consumer, later, { delayMs: 1000, nowMs });

  await test.topic.spill();
  await test.topic.saveState();
  const after = await killed(test, "c");

  for (const { topic, broker, clock, settle } of [test, after]) {
    const channel = topic.channel("c");
    const another = new TestConsumer(channel, { readyCount: 10 });
    clock.advance(1000);
    broker.scan(clock.monotonicMs());
    await settle();
    assertEquals(another.deliveries.map(({ body }) => body).filter((body) => body !== "in flight").sort(), [
      "again",
      "later",
    ]);
    assertEquals(channel.deferredCount, 1);
  }
});

Deno.test("Topic.spill() leaves in memory what the store does not take, and takes it with the next", async () => {
  const test = testChannel();
  test.publish("a");
  test.topic.log.seal();
  test.publish("b");
  test.stores.fault = () => "tears";

  await assertRejects(() => test.topic.spill(), Error, "disk full");
  assertEquals(test.channel.memoryDepth, 2);
  test.stores.fault = () => undefined;
  await test.topic.spill();

  assertEquals(test.channel.memoryDepth, 0);
  const after = await killed(test, "c");
  const consumer = new TestConsumer(after.topic.channel("c"));
  await after.settle();
  assertEquals(consumer.take(), ["a", "b"]);
});

Deno.test("Topic.spill() has nothing to do for an ephemeral topic", async () => {
  const test = testTopic({ name: "t#ephemeral" });
  test.publish("a");

  await test.topic.spill();

  assertEquals([test.topic.depth, test.topic.backendDepth], [1, 0]);
});

Deno.test("Broker.spill() tries every topic, whatever the store says of others", async () => {
  const test = testTopic();
  const other = testTopic({ name: "other", test });
  for (const { publish } of [test, other]) publish("a");
  let writes = 0;
  test.stores.fault = () => writes++ === 0 ? "fails" : undefined;

  await assertRejects(() => test.broker.spill(), Error, "disk full");

  assertEquals([test.topic.backendDepth, other.topic.backendDepth], [0, 1]);
});

Deno.test("Topic refuses messages while there is no memory, and takes them again when there is", () => {
  const memory: { isShort: boolean; refusal: string | undefined } = {
    isShort: true,
    refusal: "out of memory",
  };
  for (const name of ["t", "t#ephemeral"]) {
    for (const durability of ["memory", "disk"] as const) {
      const { topic, publish } = testTopic({ name, memory, durability });
      memory.refusal = "out of memory";
      assertThrows(() => publish("refused"), Error, "out of memory");
      assertEquals(topic.depth, 0);

      memory.refusal = undefined;
      publish("taken");

      assertEquals(topic.depth, 1);
    }
  }
});
