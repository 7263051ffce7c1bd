import { assertEquals, assertThrows } from "@std/assert";
import { Latency } from "../../src/broker/latency.ts";
import { ChannelError } from "../../src/broker/channel.ts";
import { PumpBudget } from "../../src/broker/pump_budget.ts";
import { bytes, testBroker, testChannel } from "../support/broker_setup.ts";

Deno.test("Channel delivers messages in the order they came, each once", () => {
  const { publish, pump, subscribe } = testChannel();
  const consumer = subscribe();

  publish("a", "b");
  pump();
  publish("c");
  pump();
  pump();

  assertEquals(consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [["a", 1], ["b", 1], [
    "c",
    1,
  ]]);
});

Deno.test("Channel delivers no more than RDY, and goes on after a FIN", () => {
  const { channel, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ readyCount: 2 });
  publish("a", "b", "c");
  pump();
  assertEquals(consumer.deliveries.map(({ body }) => body), ["a", "b"]);
  assertEquals([channel.depth, channel.inFlightCount], [1, 2]);

  channel.finish(consumer.consumer, consumer.deliveries[1].position, 0);
  pump();

  assertEquals(consumer.deliveries.map(({ body }) => body), ["a", "b", "c"]);
  assertEquals([channel.depth, channel.inFlightCount, consumer.consumer.finishCount], [0, 2, 1]);
});

Deno.test("Channel.pump() stops after as many messages as it was told, and says so", () => {
  const { channel, clock, publish, subscribe } = testChannel();
  const consumer = subscribe();
  publish("a", "b", "c");

  assertEquals(channel.pump(clock.monotonicMs(), new PumpBudget(2, 1000)), false);
  assertEquals(consumer.take(), ["a", "b"]);
  assertEquals(channel.pump(clock.monotonicMs(), new PumpBudget(2, 1000)), true);
  assertEquals(consumer.take(), ["c"]);
});

Deno.test("Channel.pump() stops when it has given as many bytes as it was told, and says so", () => {
  const { channel, clock, publish, subscribe } = testChannel();
  const consumer = subscribe();
  publish("four", "five!", "six");

  assertEquals(channel.pump(clock.monotonicMs(), new PumpBudget(100, 5)), false);
  assertEquals(consumer.take(), ["four", "five!"]);
  assertEquals(channel.pump(clock.monotonicMs(), new PumpBudget(100, 5)), true);
  assertEquals(consumer.take(), ["six"]);
});

Deno.test("Channel.pause() stops delivery until unpause()", () => {
  const { channel, publish, pump, subscribe } = testChannel();
  const consumer = subscribe();
  channel.pause();

  publish("a");
  pump();
  assertEquals([consumer.take(), channel.depth], [[], 1]);
  channel.unpause();
  pump();

  assertEquals(consumer.take(), ["a"]);
});

Deno.test("Channel.finish() refuses what is not in flight, and what is in flight to another", () => {
  const { channel, publish, pump, subscribe } = testChannel();
  const [owner, other] = [subscribe(), subscribe({ readyCount: 0 })];
  publish("a", "b");
  pump();
  const [{ position }] = owner.deliveries;

  assertThrows(
    () => channel.finish(other.consumer, position, 0),
    ChannelError,
    "client does not own message",
  );
  channel.finish(owner.consumer, position, 0);
  for (const unknown of [position, position + 2, position - 1, 0, -1]) {
    assertThrows(() => channel.finish(owner.consumer, unknown, 0), ChannelError, "ID not in flight");
  }
  assertEquals([channel.inFlightCount, owner.consumer.inFlightCount], [1, 1]);
});

Deno.test("Channel.finish() measures the time since the message was published", () => {
  const latency = new Latency({ quantiles: [1], windowMs: 60_000, nowMs: 0 });
  const { channel, clock, publish, pump, subscribe } = testChannel({ test: testBroker({ latency }) });
  const consumer = subscribe();
  publish("a");
  pump();

  clock.advance(1250);
  channel.finish(consumer.consumer, consumer.deliveries[0].position, clock.monotonicMs());

  const { percentiles } = latency.result(clock.monotonicMs());
  assertEquals(percentiles?.map(({ value }) => Math.round(value / 1e6)), [1250]);
});

Deno.test("Channel.requeue() puts a message behind those that wait, with one attempt more", () => {
  const { channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ readyCount: 1 });
  publish("a", "b");
  pump();

  const requeue = (position: number) =>
    channel.requeue(consumer.consumer, position, { delayMs: 0, nowMs: clock.monotonicMs() });
  requeue(consumer.deliveries[0].position);
  publish("c");
  for (let i = 0; i < 3; i++) {
    pump();
    const last = consumer.deliveries.at(-1);
    if (last && i < 2) channel.finish(consumer.consumer, last.position, 0);
  }

  const got = consumer.deliveries.map(({ body, attempts }) => [body, attempts]);
  assertEquals(got, [["a", 1], ["b", 1], ["a", 2], ["c", 1]]);
  assertEquals([channel.requeueCount, consumer.consumer.requeueCount], [1, 1]);
});

Deno.test("Channel.requeue() with a delay keeps a message until it is due", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe();
  publish("a");
  pump();

  const [{ position }] = consumer.deliveries;
  channel.requeue(consumer.consumer, position, { delayMs: 500, nowMs: clock.monotonicMs() });
  assertEquals([channel.deferredCount, channel.inFlightCount, channel.depth], [1, 0, 0]);
  clock.advance(499);
  broker.scan(clock.monotonicMs());
  assertEquals([channel.deferredCount, channel.depth], [1, 0]);
  clock.advance(1);
  broker.scan(clock.monotonicMs());
  assertEquals([channel.deferredCount, channel.depth], [0, 1]);
  pump();

  assertEquals(consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [["a", 1], ["a", 2]]);
});

Deno.test("Channel delivers deferred messages in the order they are due", () => {
  const { broker, channel, clock, topic, pump, subscribe } = testChannel();
  const consumer = subscribe();
  topic.publish(bytes("late"), { deferMs: 300 });
  topic.publish(bytes("early"), { deferMs: 100 });
  topic.publish(bytes("middle"), { deferMs: 200 });
  assertEquals([channel.deferredCount, channel.depth, channel.messageCount], [3, 0, 3]);

  clock.advance(1000);
  broker.scan(clock.monotonicMs());
  pump();

  assertEquals(consumer.deliveries.map(({ body, attempts }) => [body, attempts]), [
    ["early", 1],
    ["middle", 1],
    ["late", 1],
  ]);
});

Deno.test("Channel.empty() drops messages in every state, and frees their slots", () => {
  const { broker, channel, clock, topic, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ readyCount: 3 });
  publish("in flight", "ready", "deferred", "waiting");
  pump();
  const [, ready, deferred] = consumer.deliveries.map(({ position }) => position);
  consumer.hasRoom = false;
  channel.requeue(consumer.consumer, ready, { delayMs: 0, nowMs: clock.monotonicMs() });
  channel.requeue(consumer.consumer, deferred, { delayMs: 50, nowMs: clock.monotonicMs() });
  topic.publish(bytes("deferred too"), { deferMs: 70 });
  assertEquals([channel.depth, channel.inFlightCount, channel.deferredCount], [2, 1, 2]);

  channel.empty();

  assertEquals([channel.depth, channel.inFlightCount, channel.deferredCount], [0, 0, 0]);
  assertEquals([broker.outstanding.size, consumer.consumer.inFlightCount, channel.messageCount], [0, 0, 5]);
  clock.advance(100_000);
  broker.scan(clock.monotonicMs());
  consumer.hasRoom = true;
  publish("new");
  pump();
  assertEquals(consumer.take().slice(3), ["new"]);
});

Deno.test("Channel.empty() makes an answer to what was in flight an error", () => {
  const { channel, publish, pump, subscribe } = testChannel();
  const consumer = subscribe();
  publish("a");
  pump();

  channel.empty();

  const [{ position }] = consumer.deliveries;
  assertThrows(() => channel.finish(consumer.consumer, position, 0), ChannelError, "ID not in flight");
});

Deno.test("Channel.finishCount counts what all of its consumers have finished", () => {
  const { channel, clock, publish, pump, subscribe } = testChannel();
  const consumers = [subscribe({ readyCount: 1 }), subscribe({ readyCount: 1 })];
  publish("a", "b");
  pump();

  for (const { consumer, deliveries } of consumers) {
    channel.finish(consumer, deliveries[0].position, clock.monotonicMs());
  }

  assertEquals(channel.finishCount, 2);
});

Deno.test("Channel.oldestMs is when the message was published that is next, or undefined without one", () => {
  const { channel, clock, publish, pump, subscribe } = testChannel();
  const startMs = clock.nowMs();
  const before = channel.oldestMs;
  publish("a");
  clock.advance(1000);
  publish("b");

  const both = channel.oldestMs;
  const consumer = subscribe({ readyCount: 1 });
  pump();
  const one = channel.oldestMs;
  const [{ position }] = consumer.deliveries;
  channel.requeue(consumer.consumer, position, { delayMs: 0, nowMs: clock.monotonicMs() });

  assertEquals([before, both, one, channel.oldestMs], [undefined, startMs, startMs + 1000, startMs]);
});

Deno.test("Channel.oldestMs passes over what is deferred", () => {
  const { channel, clock, publish, topic } = testChannel();
  topic.publish(new Uint8Array(1), { deferMs: 60_000 });
  clock.advance(1000);
  publish("a");

  assertEquals(channel.oldestMs, clock.nowMs());
});
