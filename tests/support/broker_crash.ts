/**
 * The model test's crash: what is started on the bytes that were written so far must deliver every message that it
 * is to have kept, each at its time and with its attempts, none that was never published, and none that was finished
 * when the state was saved.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import { Consumer } from "../../src/broker/consumer.ts";
import type { Segment } from "../../src/log/segment.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { bodyOf, sameBytes } from "./broker_messages.ts";
import { type ModelEntry, oneMore } from "./broker_model.ts";
import { piecesOf, type TestStores } from "./broker_stores.ts";
import type { BrokerTrial } from "./broker_trial.ts";
import type { Random } from "./random.ts";

/** What has happened: the program was killed, and the disk may have suffered meanwhile; or power was lost. */
export type CrashKind = "kill" | "damage" | "power";

/** Time passes in steps of this after the crash, in ms. */
const STEP_MS = 45_000;
/** Longer than any delay of a trial: after as many steps everything is due. */
const STEPS_MAX = 40;

/** What the disk has lost. */
interface Loss {
  /** Nothing is lost that the program does not see at once when it starts. */
  readonly known: boolean;
  /** Of this segment everything may be missing, but of no other. */
  readonly base: number | undefined;
  readonly state: boolean;
}

/** Messages of a channel that must be delivered, by position, as they were before the crash. */
type Expected = ReadonlyMap<number, ModelEntry | undefined>;

/** Ends the trial with a crash, and takes everything out of the broker that is started after it. */
export async function crash(trial: BrokerTrial, kind: CrashKind, random: Random): Promise<void> {
  for (const { log } of trial.broker.topics.values()) trial.stores.failedRemovals += log.leaving.segments;
  const left = kind === "power" ? trial.stores.powerLoss(random) : trial.stores.snapshot();
  trial.notes.end();
  let stores = await left;
  let loss = kind === "damage"
    ? await damage(stores, random)
    : { known: kind === "kill", base: undefined, state: false };
  const expected = mustSurvive(trial, kind, loss);
  trial.clock.advance(2);
  if (random.oneIn(3)) {
    // Another crash right after the start.
    trial.recover(stores);
    stores = await stores.snapshot();
    trial.clock.advance(2);
  }
  if (random.oneIn(4)) {
    // What cannot be read at the start can be read later.
    loss = { ...loss, known: false };
    stores.readSyncFault = () => random.oneIn(2);
  }
  const broker = trial.recover(stores);
  for (const topic of broker.topics.values()) {
    topic.unpause();
    if (topic.channels.size === 0) topic.channel("last");
    for (const channel of topic.channels.values()) {
      channel.unpause();
      const missing = expected.get(`${topic.name}/${channel.name}`) ?? new Map();
      await new Aftermath({ trial, broker, topic, channel, expected: missing, loss }).takeAll();
    }
    await topic.maintain();
    await broker.idle();
    await topic.maintain();
  }
  assertEquals(broker.outstanding.size, 0, "slots");
  assertEquals(stores.used(["a", "b"]), [], "topics in the store");
  // Of the broker that was killed.
  await trial.idle();
}

/** Flips a bit of a segment or cuts it off somewhere, and now and then spoils the state. */
async function damage(stores: TestStores, random: Random): Promise<Loss> {
  const names = stores.names().filter((name) => stores.open(name).list().length > 0);
  if (names.length === 0) return { known: true, base: undefined, state: false };
  const store = stores.open(random.pick(names));
  const state = store.readState();
  const spoilsState = state !== undefined && random.oneIn(4);
  if (spoilsState) {
    state[random.below(state.length)] ^= 1 << random.below(8);
    await store.writeState(piecesOf(state));
  }
  const { base } = random.pick(store.list());
  const image = store.readSync(base);
  if (random.oneIn(2)) image[random.below(image.length)] ^= 1 << random.below(8);
  const left = random.oneIn(2) ? image : image.subarray(0, random.below(image.length));
  await store.replace(base, left, () => true);
  return { known: false, base, state: spoilsState };
}

/** What each channel must deliver, by `topic/channel`. */
function mustSurvive(trial: BrokerTrial, kind: CrashKind, loss: Loss): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const [name, topic] of trial.model) {
    if (topic.ephemeral) continue;
    const stored = trial.broker.topics.get(name)?.log.segments.filter((segment) =>
      segment.stored && segment.base !== loss.base
    ) ?? [];
    const survives = (position: number) => {
      if (kind === "power") {
        return trial.durability === "fsync" && trial.notes.isAcknowledged(name, position);
      }
      // What was spilled is nobody's when the state could not be saved after it.
      const noted = trial.faulty && trial.durability === "memory" ? trial.notes.state(name) : undefined;
      if (noted && !noted.has(position)) {
        return false;
      }
      // With a durability of memory this is what was spilled, else it is everything.
      return stored.some((segment) =>
        segment.base <= position && position < segment.end
      );
    };
    const own = topic.own.filter(({ position }) => survives(position));
    const kept = [...topic.channels].filter(([, channel]) => !channel.ephemeral);
    const channels: [string, readonly ModelEntry[]][] = kept.map(([name, { entries }]) => [name, entries]);
    if (kept.length === 0) channels.push(["last", []]);
    for (const [channelName, entries] of channels) {
      const unfinished = new Map<number, ModelEntry | undefined>();
      for (const entry of entries) {
        if (survives(entry.message.position)) unfinished.set(entry.message.position, entry);
      }
      for (const { position } of own) unfinished.set(position, undefined);
      expected.set(`${name}/${channelName}`, unfinished);
    }
  }
  return expected;
}

/** A channel after the crash, of which everything is taken. */
class Aftermath {
  readonly #trial: BrokerTrial;
  readonly #broker: Broker;
  readonly #topic: Topic;
  readonly #channel: Channel;
  readonly #expected: Expected;
  readonly #loss: Loss;
  readonly #delivered = new Set<number>();
  readonly #inFlight: number[] = [];

  constructor(
    options: {
      trial: BrokerTrial;
      broker: Broker;
      topic: Topic;
      channel: Channel;
      expected: Expected;
      loss: Loss;
    },
  ) {
    this.#trial = options.trial;
    this.#broker = options.broker;
    this.#topic = options.topic;
    this.#channel = options.channel;
    this.#expected = options.expected;
    this.#loss = options.loss;
  }

  async takeAll(): Promise<void> {
    const channel = this.#channel;
    const { clock } = this.#trial;
    // What the topic has kept for itself may have to be read before it is the channel's.
    await this.#broker.idle();
    const { depth, deferredCount } = channel;
    assertEquals(channel.inFlightCount, 0, "in flight after the start");
    const consumer = new Consumer({
      sink: { hasRoom: true, close: () => {}, send: (...message) => this.#take(...message) },
      msgTimeoutMs: 2 * STEP_MS,
      sampleRate: 0,
    });
    consumer.readyCount = 100;
    channel.addConsumer(consumer);
    channel.awake(consumer);
    for (let step = 0; step < STEPS_MAX; step++) {
      await this.#takeDue(consumer);
      if (step === 0) this.#checkWaiting(depth);
      for (const [position, entry] of this.#expected) {
        if (this.#dueMs(position, entry) > clock.nowMs()) continue;
        assert(this.#delivered.has(position), `${this.#name} has lost ${position}, or delivers it late`);
      }
      if (channel.depth + channel.deferredCount === 0) break;
      clock.advance(STEP_MS);
    }
    assertEquals(
      channel.depth + channel.inFlightCount + channel.deferredCount,
      0,
      `what is left in ${this.#name}`,
    );
    if (this.#loss.known) {
      assertEquals(this.#delivered.size, depth + deferredCount, `counts of ${this.#name} after the start`);
    }
    channel.removeConsumer(consumer);
  }

  /** Of what was counted as waiting at the start, all has been delivered: none of it is deferred. */
  #checkWaiting(depth: number): void {
    const { paused = true, channels } = this.#trial.model.get(this.#topic.name) ?? {};
    const model = channels?.get(this.#channel.name);
    // What the topic passes on later, or what was put on disk since the state was saved, may have to be read first.
    const { durability, stores } = this.#trial;
    // So may be what was refused, and could not be taken back.
    const isKnown = this.#loss.known && durability !== "memory" && stores.failedRemovals === 0;
    if (paused || !model || !isKnown) return;
    assertGreaterOrEqual(this.#delivered.size, depth, `depth of ${this.#name} after the start`);
  }

  /** Takes what can be delivered at this moment. */
  async #takeDue(consumer: Consumer): Promise<void> {
    const { clock } = this.#trial;
    for (let idle = 0; idle < 3;) {
      const { depth } = this.#channel;
      this.#broker.scan(clock.monotonicMs());
      this.#broker.pump(clock.monotonicMs());
      await this.#broker.idle();
      for (const position of this.#inFlight) this.#channel.finish(consumer, position, clock.monotonicMs());
      idle = this.#inFlight.length === 0 && this.#channel.depth === depth ? idle + 1 : 0;
      this.#inFlight.length = 0;
    }
  }

  #take(segment: Segment, index: number, attempts: number): number {
    const position = segment.base + index;
    const what = `message ${position} of ${this.#name}`;
    this.#checkPublished(segment, index);
    assert(!this.#delivered.has(position), `${what} came again after FIN`);
    const noted = this.#loss.state ? undefined : this.#trial.notes.state(this.#topic.name);
    const unfinished = noted?.channels.get(this.#channel.name);
    const then = unfinished?.get(position);
    const nowMs = this.#trial.clock.nowMs();
    const published = this.#trial.notes.message(this.#topic.name, position);
    const finished = published && unfinished && noted?.has(position) && !then;
    assert(!finished, `${what} was finished when the state was saved`);
    const dueMs = this.#trial.hastened.has(`${this.#name} ${position}`) ? 0 : published?.dueMs ?? 0;
    assertGreaterOrEqual(nowMs, dueMs, `${what} is deferred`);
    const earlier = published?.origin?.attempts ?? 0;
    const entry = this.#expected.get(position);
    const most = Math.max(entry?.attempts ?? Infinity, earlier);
    assertLessOrEqual(attempts, oneMore(most), `attempts of ${what}`);
    if (then && noted?.has(position)) {
      assertGreaterOrEqual(nowMs, then.dueMs, `${what} was requeued for later`);
      assertGreaterOrEqual(attempts, oneMore(then.attempts), `attempts of ${what}`);
    }
    assertGreaterOrEqual(attempts, oneMore(earlier), `attempts of ${what}`);
    this.#delivered.add(position);
    this.#inFlight.push(position);
    return segment.bodyLength(index);
  }

  #checkPublished(segment: Segment, index: number): void {
    const { notes, stores } = this.#trial;
    const position = segment.base + index;
    const published = notes.message(this.#topic.name, position) ??
      // What could not be taken back may come back.
      (stores.failedRemovals > 0 ? notes.refusedMessage(this.#topic.name, position) : undefined);
    assert(published && sameBytes(bodyOf(segment, index), published.body), `${position} was not published`);
    const at = segment.foreignId(index);
    const id = at > 0 ? segment.bytes.slice(at, at + 16) : undefined;
    assertEquals(id, published.origin?.id, `id of ${position}`);
  }

  /** When a message must have been delivered. */
  #dueMs(position: number, entry: ModelEntry | undefined): number {
    const { notes } = this.#trial;
    const then = notes.state(this.#topic.name)?.channels.get(this.#channel.name)?.get(position);
    const published = notes.message(this.#topic.name, position)?.dueMs ?? 0;
    // That it has been hastened may not have been saved.
    const wasHastened = this.#trial.hastened.has(`${this.#name} ${position}`);
    const requeued = entry && (entry.state === "deferred" || wasHastened) ? entry.dueMs : 0;
    return Math.max(published, requeued, then?.dueMs ?? 0);
  }

  get #name(): string {
    return `${this.#topic.name}/${this.#channel.name}`;
  }
}
