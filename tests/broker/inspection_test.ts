import { assert, assertEquals, assertThrows } from "@std/assert";
import { TimeSlice } from "../../src/base/time_slice.ts";
import { ChannelError, type MessageFact, type MessageState } from "../../src/broker/channel.ts";
import {
  ChannelPlace,
  Peek,
  type PeekEnd,
  type PeekPlace,
  type PeekPoint,
  TopicPlace,
} from "../../src/broker/peek.ts";
import { textOf } from "../support/broker_messages.ts";
import { bytes, killed, type TestChannel, testChannel, testTopic } from "../support/broker_setup.ts";

const ALL: readonly MessageState[] = ["waiting", "in_flight", "deferred", "parked"];
const START: PeekPoint = { position: 0, offset: 0 };
const HOUR_MS = 3_600_000;
/** Every segment but the last is on disk only. */
const ON_DISK = { limits: { memQueueSize: 0, maxBytesPerFile: 400 } };

interface Seen {
  readonly body: string;
  readonly state: MessageState;
  readonly fact: MessageFact;
}

/** What a look at most so many messages shows. */
async function look(
  place: PeekPlace,
  { from = START, states = ALL, max = Infinity }: {
    from?: PeekPoint;
    states?: readonly MessageState[];
    max?: number;
  } = {},
): Promise<{ seen: Seen[]; end: PeekEnd }> {
  const seen: Seen[] = [];
  const peek = new Peek(place, {
    from,
    states: new Set(states),
    slice: new TimeSlice(),
    see: ({ segment, index, state, ...fact }) => {
      seen.push({ body: textOf(segment, index), state, fact });
      return seen.length < max;
    },
  });
  return { end: await peek.run(() => false), seen };
}

function placeOf({ topic, channel }: TestChannel): ChannelPlace {
  return new ChannelPlace(topic, channel);
}

/** Bodies and states of what the channel has. */
async function shown(test: TestChannel, states = ALL): Promise<string[]> {
  return (await look(placeOf(test), { states })).seen.map(({ body, state }) => `${body} ${state}`);
}

/** The message with that body. */
async function factOf(test: TestChannel, body: string): Promise<MessageFact> {
  const found = (await look(placeOf(test))).seen.find((seen) => seen.body === body);
  assert(found, `${body} is not there`);
  return found.fact;
}

/** A channel with a message in each state. */
function mixed(options: Parameters<typeof testChannel>[0] = {}): TestChannel {
  const test = testChannel(options);
  test.publish("flying", "again");
  const { consumer } = test.subscribe({ readyCount: 2 });
  test.pump();
  consumer.readyCount = 0;
  const [, again] = test.channel.pages[0].slots.indexes();
  const position = test.channel.pages[0].segment.base + again;
  test.channel.requeue(consumer, position, { delayMs: 0, nowMs: test.clock.monotonicMs() });
  test.topic.publish(bytes("soon"), { deferMs: 1000 });
  test.topic.publish(bytes("late"), { deferMs: HOUR_MS });
  test.publish("next", "last");
  return test;
}

for (const [where, options] of [["memory", {}], ["disk", ON_DISK]] as const) {
  Deno.test(`Peek shows every message of a channel with its state, in the order of publishing, from ${where}`, async () => {
    const test = mixed(options);
    if (where === "disk") {
      test.topic.log.seal();
      test.channel.rest();
    }

    assertEquals(await shown(test), [
      "flying in_flight",
      "again waiting",
      "soon deferred",
      "late parked",
      "next waiting",
      "last waiting",
    ]);
  });

  Deno.test(`Peek shows only messages of the states that are asked for, from ${where}`, async () => {
    const test = mixed(options);
    if (where === "disk") test.topic.log.seal();

    assertEquals(await shown(test, ["in_flight"]), ["flying in_flight"]);
    assertEquals(await shown(test, ["deferred"]), ["soon deferred"]);
    assertEquals(await shown(test, ["parked"]), ["late parked"]);
    assertEquals(await shown(test, ["waiting"]), ["again waiting", "next waiting", "last waiting"]);
  });
}

Deno.test("Peek changes nothing: no count, no segment in memory, no state to be saved", async () => {
  const test = testChannel(ON_DISK);
  for (let i = 0; i < 100; i++) test.publish(`message ${i}`);
  test.topic.log.seal();
  test.channel.rest();
  await test.topic.flush();
  const { log } = test.topic;
  const written: string[] = [];
  test.stores.onState = (topic) => {
    written.push(topic);
    return () => {};
  };
  const before = {
    written: [],
    depth: test.channel.depth,
    pinned: log.segments.filter((segment) => log.isPinned(segment)).length,
    slots: test.broker.outstanding.size,
  };
  assert(log.segments.every(({ resident }) => !resident));

  const { seen, end } = await look(placeOf(test));

  await test.topic.flush();
  assertEquals(seen.length, 100);
  assertEquals(end, { next: undefined, looked: 100, unreadable: 0 });
  assert(log.segments.every(({ resident }) => !resident));
  assertEquals({
    written,
    depth: test.channel.depth,
    pinned: log.segments.filter((segment) => log.isPinned(segment)).length,
    slots: test.broker.outstanding.size,
  }, before);
});

Deno.test("Peek goes on where a page has ended, though messages have come and gone", async () => {
  const test = testChannel(ON_DISK);
  for (let i = 0; i < 30; i++) test.publish(`m${i}`);
  const first = await look(placeOf(test), { max: 10 });
  const consumer = test.subscribe({ readyCount: 15 });
  await test.settle();
  for (const { position } of consumer.deliveries.slice(0, 12)) {
    test.channel.finish(consumer.consumer, position, test.clock.monotonicMs());
  }
  test.publish("new");

  assertEquals(first.seen.map(({ body }) => body), Array.from({ length: 10 }, (_, i) => `m${i}`));
  const rest = await look(placeOf(test), { from: first.end.next ?? START });
  assertEquals(
    rest.seen.map(({ body, state }) => `${body} ${state}`),
    [
      ...[12, 13, 14].map((i) => `m${i} in_flight`),
      ...Array.from({ length: 15 }, (_, i) => `m${15 + i} waiting`),
      "new waiting",
    ],
  );
});

Deno.test("Peek finds its place again in a segment that was rewritten", async () => {
  const test = testChannel(ON_DISK);
  for (let i = 0; i < 12; i++) test.publish(`m${i}`);
  const { seen: [, , third] } = await look(placeOf(test));

  // Another batch, or none, lies there now.
  for (const offset of [1, 17, third.fact.offset - 1, 399, 4000]) {
    const { seen } = await look(placeOf(test), { from: { position: third.fact.position, offset }, max: 2 });
    assertEquals(seen.map(({ body }) => body), ["m2", "m3"], `from byte ${offset}`);
  }
});

Deno.test("Peek passes over what cannot be read, and counts it", async () => {
  const test = testChannel(ON_DISK);
  for (let i = 0; i < 30; i++) test.publish(`m${i}`);
  const store = test.stores.open("t");
  const [{ base }] = test.topic.log.segments;
  const image = store.readSync(base);
  image[60] ^= 1;
  await store.replace(base, image, () => true);
  test.channel.rest();

  const { seen, end } = await look(placeOf(test));

  assertEquals(end.unreadable, 1);
  assert(seen.length > 10 && seen.length < 30, `${seen.length} seen`);
  assertEquals(seen.at(-1)?.body, "m29");
});

Deno.test("Peek shows what is still the topic's own", async () => {
  const { topic, publish } = testTopic();
  publish("a");
  topic.publish(bytes("b"), { deferMs: HOUR_MS });
  const own = await look(new TopicPlace(topic));

  topic.channel("c");

  const after = await look(new TopicPlace(topic));
  assertEquals(own.seen.map(({ body, state }) => `${body} ${state}`), ["a waiting", "b deferred"]);
  assertEquals(after.seen, []);
});

for (const body of ["flying", "again", "soon", "late", "next"]) {
  Deno.test(`Channel.discard() drops a message: the one that is ${body}`, async () => {
    const test = mixed();
    const before = await shown(test);

    assert(test.channel.discard(await factOf(test, body)));

    assertEquals(await shown(test), before.filter((text) => !text.startsWith(body)));
    const { depth, inFlightCount, deferredCount } = test.channel;
    assertEquals(depth + inFlightCount + deferredCount, 5);
    test.clock.advance(2 * HOUR_MS);
    const other = test.subscribe();
    test.broker.scan(test.clock.monotonicMs());
    await test.settle();
    assertEquals(
      other.take().sort(),
      ["again", "flying", "last", "late", "next", "soon"].filter((b) => b !== body),
    );
  });

  Deno.test(`Channel.hasten() makes a message the next one: the one that is ${body}`, async () => {
    const test = mixed();

    assert(test.channel.hasten(await factOf(test, body)));

    const other = test.subscribe({ readyCount: 1 });
    await test.settle();
    assertEquals(other.take(), [body]);
  });

  Deno.test(`Channel keeps through a kill what was done by hand to the one that is ${body}`, async () => {
    const test = mixed(ON_DISK);
    assert(test.channel.discard(await factOf(test, body)));
    const hastened = body === "late" ? "soon" : "late";
    assert(test.channel.hasten(await factOf(test, hastened)));
    await test.topic.saveState();

    const after = await killed(test, "c");

    const channel = after.topic.channels.get("c");
    assert(channel);
    const again: TestChannel = { ...test, ...after, channel };
    const bodies = (await look(placeOf(again))).seen.map(({ body }) => body);
    assertEquals(
      bodies,
      ["flying", "again", "soon", "late", "next", "last"].filter((other) => other !== body),
    );
    const states = (await look(placeOf(again))).seen.filter((seen) => seen.body === hastened);
    assertEquals(states.map(({ state }) => state), ["waiting"]);
  });
}

Deno.test("Channel takes a message away from the consumer that has it: its answer comes too late", async () => {
  for (const way of ["discard", "hasten"] as const) {
    const test = testChannel();
    test.publish("a");
    const { consumer, deliveries } = test.subscribe({ readyCount: 1 });
    test.pump();
    consumer.readyCount = 0;
    const { position } = deliveries[0];

    assert(test.channel[way](await factOf(test, "a")));

    const nowMs = test.clock.monotonicMs();
    assertThrows(() => test.channel.finish(consumer, position, nowMs), ChannelError, "ID not in flight");
    assertThrows(() => test.channel.touch(consumer, position, nowMs), ChannelError, "ID not in flight");
    const options = { delayMs: 0, nowMs };
    assertThrows(() => test.channel.requeue(consumer, position, options), ChannelError, "ID not in flight");
    assertEquals(consumer.inFlightCount, 0);
  }
});

Deno.test("Channel.hasten() counts a message that was in flight as requeued, and no other", async () => {
  const test = mixed();
  const { requeueCount } = test.channel;

  for (const body of ["again", "soon", "late", "next"]) test.channel.hasten(await factOf(test, body));
  assertEquals(test.channel.requeueCount, requeueCount);
  test.channel.hasten(await factOf(test, "flying"));

  assertEquals(test.channel.requeueCount, requeueCount + 1);
});

Deno.test("Channel.discard() refuses to leave more than 1000 ranges between what it has dropped", async () => {
  const test = testChannel();
  for (let i = 0; i < 2100; i++) test.publish(`m${i}`);
  const { seen } = await look(placeOf(test));
  const every = (step: number, count: number) =>
    Array.from({ length: count }, (_, i) => seen[1 + i * step].fact);

  for (const fact of every(2, 999)) assert(test.channel.discard(fact));

  const [next] = [seen[2005].fact];
  assertEquals(test.channel.ranges.length, 1000);
  assertEquals([test.channel.discard(next), test.channel.hasten(next)], [false, false]);
  assertEquals(test.channel.depth, 2100 - 999);
  // At the end of a range there is no further one.
  assert(test.channel.discard(seen[0].fact));
});

Deno.test("Channel.discard() lets a segment go of which nothing is left", async () => {
  const test = testChannel({ limits: { memQueueSize: 0, maxBytesPerFile: 150 } });
  for (let i = 0; i < 9; i++) test.publish(`m${i}`);
  const { segments } = test.topic.log;
  const [, second] = segments;
  const before = segments.length;

  for (const { fact } of (await look(placeOf(test))).seen) {
    if (fact.position >= second.base && fact.position < second.end) assert(test.channel.discard(fact));
  }

  assertEquals(test.topic.log.segments.length, before - 1);
  assert(!test.topic.log.has(second));
  await test.broker.idle();
});
