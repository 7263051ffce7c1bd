/**
 * Channels and their consumers: who gets a message, for how long, and what becomes of it when that one goes.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ChannelError } from "../../src/broker/channel.ts";
import { NEARNESS } from "../../src/broker/consumer.ts";
import { testChannel } from "../support/broker_setup.ts";

Deno.test("Channel gives consumers that are ready a message in turn", () => {
  const { publish, pump, subscribe } = testChannel();
  const [first, full, third] = [subscribe(), subscribe(), subscribe()];
  full.hasRoom = false;

  publish("a", "b", "c", "d");
  pump();

  assertEquals([first.take(), full.take(), third.take()], [["a", "c"], [], ["b", "d"]]);
});

Deno.test("Channel gives messages to the nearest consumer that is ready, and counts where they went", () => {
  const { channel, publish, pump, subscribe } = testChannel();
  const far = subscribe({ nearness: NEARNESS.global });
  const zone = subscribe({ nearness: NEARNESS.zone, readyCount: 2 });
  const region = subscribe({ nearness: NEARNESS.region, readyCount: 1 });

  publish("a", "b", "c", "d");
  pump();

  assertEquals([zone.take(), region.take(), far.take()], [["a", "b"], ["c"], ["d"]]);
  const { zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount } = channel;
  assertEquals([zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount], [2, 1, 1]);
});

Deno.test("Channel takes back a message whose time is over, and delivers it again", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ msgTimeoutMs: 1000 });
  publish("a");
  pump();

  clock.advance(999);
  broker.scan(clock.monotonicMs());
  assertEquals([channel.inFlightCount, channel.timeoutCount], [1, 0]);
  clock.advance(1);
  broker.scan(clock.monotonicMs());
  assertEquals([channel.inFlightCount, channel.timeoutCount, channel.depth], [0, 1, 1]);
  pump();

  assertEquals(consumer.deliveries.map(({ attempts }) => attempts), [1, 2]);
});

Deno.test("Channel.touch() gives the consumer its timeout anew", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ msgTimeoutMs: 1000 });
  publish("touched", "left");
  pump();

  clock.advance(900);
  channel.touch(consumer.consumer, consumer.deliveries[0].position, clock.monotonicMs());
  clock.advance(999);
  broker.scan(clock.monotonicMs());
  assertEquals([channel.inFlightCount, channel.timeoutCount], [1, 1]);
  clock.advance(1);
  broker.scan(clock.monotonicMs());

  assertEquals([channel.inFlightCount, channel.timeoutCount], [0, 2]);
});

Deno.test("Channel.touch() gives no more in all than the longest timeout", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel({
    limits: { maxMsgTimeoutMs: 2500 },
  });
  const consumer = subscribe({ msgTimeoutMs: 1000 });
  publish("a");
  pump();

  for (let i = 0; i < 3; i++) {
    clock.advance(800);
    channel.touch(consumer.consumer, consumer.deliveries[0].position, clock.monotonicMs());
  }
  clock.advance(99);
  broker.scan(clock.monotonicMs());
  assertEquals(channel.timeoutCount, 0);
  clock.advance(1);
  broker.scan(clock.monotonicMs());

  assertEquals(channel.timeoutCount, 1);
});

Deno.test("Channel.removeConsumer() leaves the messages in flight to their timeout", () => {
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const gone = subscribe({ msgTimeoutMs: 1000 });
  publish("a");
  pump();

  channel.removeConsumer(gone.consumer);
  const next = subscribe();
  pump();
  assertEquals([channel.inFlightCount, next.take()], [1, []]);
  clock.advance(1000);
  broker.scan(clock.monotonicMs());
  pump();

  assertEquals(next.deliveries.map(({ body, attempts }) => [body, attempts]), [["a", 2]]);
  assertEquals([channel.timeoutCount, channel.consumers.size], [1, 1]);
});

Deno.test("Channel.addConsumer() refuses one more than there may be", () => {
  const { channel, subscribe } = testChannel({ limits: { maxChannelConsumers: 2 } });
  const [first] = [subscribe(), subscribe()];

  assertThrows(() => subscribe(), ChannelError, "consumers for t:c exceeds limit of 2");
  channel.removeConsumer(first.consumer);
  subscribe();

  assertEquals(channel.consumers.size, 2);
});

Deno.test("Channel drops requeued messages too that a consumer with a sample rate does not get", () => {
  const { random } = Math;
  const { broker, channel, clock, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ sampleRate: 30 });
  const draws = [0, 0.9];
  try {
    Math.random = () => draws.shift() ?? 1;
    publish("a");
    pump();
    const [{ position }] = consumer.deliveries;
    channel.requeue(consumer.consumer, position, { delayMs: 0, nowMs: clock.monotonicMs() });
    pump();
  } finally {
    Math.random = random;
  }

  assertEquals([consumer.take(), channel.depth, broker.outstanding.size], [["a"], 0, 0]);
});

Deno.test("Channel drops what a consumer with a sample rate does not get", () => {
  const { random } = Math;
  const { broker, channel, publish, pump, subscribe } = testChannel();
  const consumer = subscribe({ sampleRate: 30 });
  const draws = [0.29, 0.3, 0.9, 0];
  try {
    Math.random = () => draws.shift() ?? 1;
    publish("a", "b", "c", "d");
    pump();
  } finally {
    Math.random = random;
  }

  assertEquals(consumer.take(), ["a", "d"]);
  assertEquals([channel.depth, channel.inFlightCount, broker.outstanding.size], [0, 2, 2]);
});
