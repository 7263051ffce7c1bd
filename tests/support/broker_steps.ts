/**
 * Random steps of the model test: what producers, consumers, operators, time and the disk may do to a broker.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Channel, ChannelError, type MessageFact } from "../../src/broker/channel.ts";
import {
  ChannelPlace,
  Peek,
  type PeekEnd,
  type PeekPlace,
  type PeekPoint,
  TopicPlace,
} from "../../src/broker/peek.ts";
import { TimeSlice } from "../../src/base/time_slice.ts";
import { MESSAGE_ID_LENGTH } from "../../src/protocol/message_id.ts";
import type { ModelChannel, ModelEntry } from "./broker_model.ts";
import { settle } from "./broker_checks.ts";
import type { Durability } from "../../src/broker/durability.ts";
import type { TrialClient } from "./broker_client.ts";
import type { BrokerLimits } from "./broker_setup.ts";
import type { BrokerTrial } from "./broker_trial.ts";
import type { Random } from "./random.ts";

/** What a trial is like. */
export interface TrialProfile {
  readonly limits: BrokerLimits;
  /** The longest body, in bytes. */
  readonly bodySizeMax: number;
  readonly defers: boolean;
  readonly restarts: boolean;
  readonly durability: Durability;
  readonly syncEvery: number;
}

/** A random profile: small segments, or small memory, or neither. */
export function randomProfile(random: Random): TrialProfile {
  const fewEphemeral = random.oneIn(3);
  // Only large segments are compacted.
  const large = random.oneIn(4);
  return {
    limits: {
      memQueueSize: random.pick([0, 1, 3, 10, 100_000]),
      maxBytesPerFile: large ? 150_000 : random.pick([150, 1000, 6000]),
      maxChannelConsumers: 0,
      maxMsgTimeoutMs: 3000,
      ephemeralDepthMax: fewEphemeral ? 4 : 1e9,
    },
    bodySizeMax: large ? 12_000 : random.pick([40, 400, 1500]),
    // Of messages that may be waiting or deferred nobody knows whether an ephemeral channel has room for them.
    defers: !fewEphemeral,
    restarts: random.oneIn(2),
    durability: random.pick(["memory", "memory", "disk", "fsync"]),
    syncEvery: random.pick([1, 5, 2500]),
  };
}

const TOPICS = ["a", "a", "b", "c#ephemeral"];
const CHANNELS = ["x", "x", "y", "z#ephemeral"];
const DELAYS_MS = [0.5, 20, 300, 2000, 30_000, 90_000, 300_000];
/** Longer than a message is kept in memory for. */
const LONG_DELAYS_MS = [100_000, 110_000, 300_000, 900_000];
/** What the states of the model are called. */
const STATES = { waiting: "waiting", ready: "waiting", inFlight: "in_flight", deferred: "deferred" } as const;
const TIMEOUTS_MS = [100, 1000, 10_000];

type Step = (trial: BrokerTrial, random: Random, profile: TrialProfile) => void | Promise<void>;

/** How often each step comes, its name and the step. */
const STEPS: readonly (readonly [weight: number, name: string, step: Step])[] = [
  [10, "append", (t, r, p) => t.append(r.pick(TOPICS), sizes(r, p, r.oneIn(3) ? 20 : 1))],
  [6, "publish", (t, r, p) => t.publish(r.pick(TOPICS), sizes(r, p, 1))],
  [4, "publish batch", (t, r, p) => t.publish(r.pick(TOPICS), sizes(r, p, 20))],
  [5, "append deferred", (t, r, p) => {
    if (p.defers) t.append(r.pick(TOPICS), sizes(r, p, 1), r.pick(DELAYS_MS));
  }],
  [3, "publish deferred", (t, r, p) => {
    if (p.defers) t.publish(r.pick(TOPICS), sizes(r, p, 1), r.pick(DELAYS_MS));
  }],
  [4, "append many deferred", (t, r, p) => {
    const [topic, delayMs] = [r.pick(TOPICS), r.pick(LONG_DELAYS_MS)];
    if (p.defers) { for (const size of sizes(r, p, 20)) t.append(topic, [size], delayMs); }
  }],
  [3, "take over", (t, r, p) => {
    const attempts = r.pick([0, 1, 700, 65535]);
    const delayMs = p.defers && r.oneIn(2) ? r.pick(DELAYS_MS) : 0;
    t.takeOver(r.pick(TOPICS), sizes(r, p, 1)[0], { attempts, delayMs });
  }],
  [12, "commit", (t) => t.commit()],
  [14, "pump", (t) => t.pump()],
  [18, "finish", (t, r) => answer(t, r, (client, entry) => finish(client, entry))],
  [4, "finish all", (t, r) => {
    const client = someClient(t, r);
    for (const entry of [...client?.inFlight ?? []]) if (client) finish(client, entry);
  }],
  [6, "requeue", (t, r) => answer(t, r, (client, entry) => requeue(t, client, entry, 0))],
  [4, "requeue with delay", (t, r) => {
    answer(t, r, (client, entry) => requeue(t, client, entry, t.delay(r.pick(DELAYS_MS))));
  }],
  [4, "touch", (t, r) => {
    answer(t, r, (client, entry) => {
      client.real.touch(client.consumer, positionOf(client, entry), t.clock.monotonicMs());
      client.model.touch(entry, t.clock.nowMs());
    });
  }],
  [12, "lease", answerLease],
  [3, "look", look],
  [5, "discard", (t, r) =>
    withMessage(t, r, ({ real, model }, entry, fact) => {
      assert(real.discard(fact));
      model.discard(entry);
    })],
  [5, "hasten", (t, r) =>
    withMessage(t, r, ({ name, real, model }, entry, fact) => {
      assert(real.hasten(fact));
      model.hasten(entry);
      t.hastened.add(`${name} ${fact.position}`);
    })],
  [3, "wrong answer", wrongAnswer],
  [8, "time", (t, r) => t.clock.advance(r.pick([0.125, 1, 40, 400]))],
  [5, "scan", (t) => t.scan()],
  [3, "much time", (t, r) => {
    t.clock.advance(r.pick([1000, 5000, 20_000, 60_000, 200_000]));
    t.scan();
  }],
  [5, "add client", (t, r) => {
    if (t.clients.size < 8) {
      t.addClient(r.pick(TOPICS), r.pick(CHANNELS), {
        readyCount: r.below(8),
        msgTimeoutMs: r.pick(TIMEOUTS_MS),
        isLeased: r.oneIn(2),
      });
    }
  }],
  [3, "remove client", (t, r) => withClient(t, r, (client) => t.removeClient(client))],
  [6, "ready", (t, r) => withClient(t, r, (client) => client.setReady(r.pick([0, 1, 2, 5, 50])))],
  [3, "room", (t, r) => withClient(t, r, (client) => client.setRoom(r.oneIn(2)))],
  [3, "pause topic", (t, r) => pauseTopic(t, r.pick([...t.model.keys()]), r.oneIn(2))],
  [3, "pause channel", (t, r) => {
    const channel = someChannel(t, r);
    if (channel) pauseChannel(t, channel.topic, channel.name, r.oneIn(2));
  }],
  [1, "empty topic", (t, r) => emptyTopic(t, r.pick([...t.model.keys()]))],
  [1, "empty channel", (t, r) => {
    const channel = someChannel(t, r);
    if (!channel) return;
    const { real, model } = t.channel(channel.topic, channel.name);
    real.empty();
    model.empty();
  }],
  [3, "create channel", (t, r) => void t.channel(r.pick(TOPICS), r.pick(CHANNELS))],
  [1, "delete channel", (t, r) => t.deleteChannel(r.pick(TOPICS), r.pick(CHANNELS))],
  [0.5, "delete topic", (t, r) => {
    const name = r.pick(TOPICS);
    if (t.model.has(name)) t.deleteTopic(name);
  }],
  [5, "maintain", async (t) => {
    t.stores.releaseSyncs();
    t.stores.releaseReads();
    for (const topic of t.broker.topics.values()) await t.maintain(topic);
  }],
  [2, "maintain behind", (t, r) => {
    if (r.oneIn(2)) t.stores.holdSyncs();
    for (const topic of t.broker.topics.values()) void t.maintain(topic);
  }],
  [3, "hold syncs", (t) => t.stores.holdSyncs()],
  [3, "a sync ends", async (t) => {
    t.stores.releaseSyncs();
    t.stores.holdSyncs();
    // What waited goes on up to what it must wait for next.
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }],
  [2, "spill", (t) => t.spill()],
  [5, "leave few", leaveFew],
  [3, "hold reads", (t) => t.stores.holdReads()],
  [5, "idle", (t) => t.idle()],
  [3, "settle", (t) => settle(t)],
  [1, "restart", (t, _, p) => p.restarts ? t.restart() : undefined],
];

const WEIGHT = STEPS.reduce((sum, [weight]) => sum + weight, 0);

/** A random step, and its name. */
export function randomStep(random: Random): { name: string; step: Step } {
  let at = random.below(WEIGHT * 2) / 2;
  for (const [weight, name, step] of STEPS) {
    at -= weight;
    if (at < 0) return { name, step };
  }
  throw new Error("unreachable");
}

/** All channels of a topic finish what there is, but for a few messages that are put off: what is left is rewritten. */
async function leaveFew(trial: BrokerTrial, random: Random): Promise<void> {
  const name = random.pick([...trial.model.keys()]);
  if (name === undefined) return;
  pauseTopic(trial, name, false);
  for (const channel of trial.topic(name).model.channels.keys()) {
    pauseChannel(trial, name, channel, false);
    trial.addClient(name, channel, { readyCount: 1000, msgTimeoutMs: 10_000 });
  }
  for (let round = 0; round < 3; round++) {
    await settle(trial);
    for (const client of trial.clients) {
      for (const entry of client.topic === name ? [...client.inFlight] : []) {
        if (random.oneIn(10)) requeue(trial, client, entry, 100_000);
        else finish(client, entry);
      }
    }
  }
  const topic = trial.broker.topics.get(name);
  for (let round = 0; round < 2 && topic; round++) await trial.maintain(topic);
}

/** The channel pauses, or goes on. */
export function pauseChannel(trial: BrokerTrial, topic: string, name: string, paused: boolean): void {
  const { real, model } = trial.channel(topic, name);
  model.paused = paused;
  if (paused) real.pause();
  else real.unpause();
}

/** The topic pauses, or goes on. */
export function pauseTopic(trial: BrokerTrial, name: string | undefined, paused: boolean): void {
  if (name === undefined) return;
  const { real, model } = trial.topic(name);
  model.paused = paused;
  if (paused) {
    real.pause();
  } else {
    real.unpause();
    trial.follow(name);
  }
}

/** FIN */
export function finish(client: TrialClient, entry: ModelEntry): void {
  client.real.finish(client.consumer, positionOf(client, entry), 0);
  client.model.finish(entry);
}

/** Somebody brings a lease, new or old, and finishes its message, gives it back, or asks for more time, as far as it may. */
function answerLease(trial: BrokerTrial, random: Random): void {
  if (trial.leases.length === 0) return;
  const { topic, channel, position, attempt } = random.pick(trial.leases);
  const model = trial.model.get(topic)?.channels.get(channel);
  const real = trial.broker.topics.get(topic)?.channels.get(channel);
  if (!model || !real) return;
  const fate = model.fateOf(position, attempt);
  const realFate = real.fateOf(position, attempt);
  if (typeof fate === "string") {
    assertEquals(realFate, fate, `fate of ${position}.${attempt}`);
    // A channel that was made anew has nothing of what the one before had.
    if (fate !== "returned") return;
    real.finishReturned(position);
    model.finishReturned(position);
    return;
  }
  const client = fate as TrialClient;
  const entry = client.inFlight.find(({ message }) => message.position === position);
  assert(entry);
  assert(realFate === client.consumer, `${position}.${attempt} is held by another, or ${realFate}`);
  const nowMs = trial.clock.monotonicMs();
  const end = random.below(3);
  if (end === 0) {
    real.finish(realFate, position, nowMs);
    model.finish(entry);
  } else if (end === 1) {
    real.requeue(realFate, position, { delayMs: 0, nowMs });
    model.requeue(entry, { dueMs: 0, logEnd: client.log.end });
  } else {
    real.touch(realFate, position, nowMs);
    model.touch(entry, trial.clock.nowMs());
  }
}

/** An operator looks at all there is: at every message in its state, but for what the disk does not read. */
async function look(trial: BrokerTrial): Promise<void> {
  await trial.idle();
  for (const [name, topic] of trial.model) {
    trial.follow(name);
    const real = trial.broker.topics.get(name);
    assert(real);
    const own = topic.own.map(({ position, dueMs }) => `${position} ${dueMs > 0 ? "deferred" : "waiting"}`);
    await checkSeen(new TopicPlace(real), () => own, `${name}'s own`);
    for (const [channelName, { entries }] of topic.channels) {
      const channel = real.channels.get(channelName);
      assert(channel);
      const expected = () =>
        entries.map(({ message: { position }, state }) => `${position} ${STATES[state]}`);
      await checkSeen(new ChannelPlace(real, channel), expected, `${name}/${channelName}`);
    }
  }
}

/** Looks at a place page by page, and sees what there is to be seen. */
async function checkSeen(place: PeekPlace, expected: () => string[], name: string): Promise<void> {
  const messages: string[] = [];
  let unreadable = 0;
  let from: PeekPoint | undefined = { position: 0, offset: 0 };
  while (from) {
    let left = 3;
    const peek: Peek = new Peek(place, {
      from,
      states: new Set(["waiting", "in_flight", "deferred", "parked"]),
      slice: new TimeSlice(),
      see: ({ position, state }) => {
        messages.push(`${position} ${state === "parked" ? "deferred" : state}`);
        return --left > 0;
      },
    });
    const end: PeekEnd = await peek.run(() => false);
    unreadable += end.unreadable;
    from = end.next;
  }
  const there = expected().sort();
  if (unreadable === 0) assertEquals(messages, there, `what is seen of ${name}`);
  else assertEquals(messages.filter((message) => !there.includes(message)), [], `what is seen of ${name}`);
}

/** An operator picks a message of a channel, whatever it is; the channel knows what that is. */
function withMessage(
  trial: BrokerTrial,
  random: Random,
  use: (
    channel: { name: string; real: Channel; model: ModelChannel },
    entry: ModelEntry,
    fact: MessageFact,
  ) => void,
): void {
  const some = someChannel(trial, random);
  if (!some) return;
  const { real, model } = trial.channel(some.topic, some.name);
  if (model.entries.length === 0) return;
  const entry = random.pick(model.entries);
  const { message: { position, dueMs } } = entry;
  const fact = { position, dueMs, offset: 0, length: 0 };
  const state = real.stateOf(fact);
  assertEquals(state === "parked" ? "deferred" : state, STATES[entry.state], `state of ${position}`);
  use({ name: `${some.topic}/${some.name}`, real, model }, entry, fact);
}

/** What the channel makes of the id that the client has got. */
function positionOf({ real, consumer, inFlight }: TrialClient, { message }: ModelEntry): number {
  const { position, origin } = message;
  const id = origin?.id ?? new Uint8Array(MESSAGE_ID_LENGTH);
  // Another queue's id may look like one of ours, and mean anything.
  const others = inFlight.filter((entry) => entry.message.origin);
  const meant = origin ? others[0]?.message.position ?? position + 1 : position;
  assertEquals(real.hasForeignIds || !origin, true, "hasForeignIds");
  return real.positionOf(consumer, id, meant);
}

function requeue(trial: BrokerTrial, client: TrialClient, entry: ModelEntry, delayMs: number): void {
  const { clock } = trial;
  client.real.requeue(client.consumer, positionOf(client, entry), { delayMs, nowMs: clock.monotonicMs() });
  const dueMs = delayMs > 0 ? clock.nowMs() + delayMs : 0;
  client.model.requeue(entry, { dueMs, logEnd: client.log.end });
}

function emptyTopic(trial: BrokerTrial, name: string | undefined): void {
  if (name === undefined) return;
  const { real, model } = trial.topic(name);
  // What was published before in the same turn is dropped with the rest.
  trial.commit();
  real.empty();
  model.own = [];
}

/** An answer about a message that is not the consumer's, or is not in flight. */
function wrongAnswer(trial: BrokerTrial, random: Random): void {
  const client = someClient(trial, random);
  if (!client) return;
  const others = client.model.entries.filter((entry) => entry.holder !== client);
  const position = others.length > 0
    ? random.pick(others).message.position
    : client.log.end + random.below(9);
  const nowMs = trial.clock.monotonicMs();
  const { real, consumer } = client;
  assertThrows(() => real.finish(consumer, position, nowMs), ChannelError);
  assertThrows(() => real.requeue(consumer, position, { delayMs: 0, nowMs }), ChannelError);
  assertThrows(() => real.touch(consumer, position, nowMs), ChannelError);
}

function sizes(random: Random, profile: TrialProfile, countMax: number): number[] {
  const most = random.oneIn(4) || profile.bodySizeMax > 2000 ? profile.bodySizeMax : 30;
  return Array.from({ length: 1 + random.below(countMax) }, () => 1 + random.below(most));
}

function someClient(trial: BrokerTrial, random: Random): TrialClient | undefined {
  return trial.clients.size === 0 ? undefined : random.pick([...trial.clients]);
}

function withClient(trial: BrokerTrial, random: Random, use: (client: TrialClient) => void): void {
  const client = someClient(trial, random);
  if (client) use(client);
}

/** A consumer that has messages answers about one of them, mostly about the oldest. */
function answer(
  trial: BrokerTrial,
  random: Random,
  use: (client: TrialClient, entry: ModelEntry) => void,
): void {
  const busy = [...trial.clients].filter((client) => client.inFlight.length > 0);
  if (busy.length === 0) return;
  const client = random.pick(busy);
  const entry = random.oneIn(2) ? client.inFlight[0] : random.pick(client.inFlight);
  assert(entry);
  use(client, entry);
}

function someChannel(trial: BrokerTrial, random: Random): { topic: string; name: string } | undefined {
  const all = [...trial.model].flatMap(([topic, { channels }]) =>
    [...channels.keys()].map((name) => ({ topic, name }))
  );
  return all.length === 0 ? undefined : random.pick(all);
}
