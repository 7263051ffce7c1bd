/**
 * The broker: all topics, and the work that is due on them. It never waits and does no I/O but through the
 * stores; whoever runs it calls {@linkcode Broker.commit}, {@linkcode Broker.pump} and
 * {@linkcode Broker.scan}, and gives it the time.
 *
 * @module
 */

import { Budget } from "../base/budget.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { Pace } from "../base/pace.ts";
import type { SegmentStore } from "../log/segment_store.ts";
import type { LogLimits } from "../log/topic_log.ts";
import { checkTopicName, isEphemeral } from "../protocol/names.ts";
import { Background } from "./background.ts";
import type { Channel, ChannelLimits } from "./channel.ts";
import type { Consumer } from "./consumer.ts";
import type { Durability } from "./durability.ts";
import type { Latency } from "./latency.ts";
import { NONE, Outstanding } from "./outstanding.ts";
import { PumpBudget } from "./pump_budget.ts";
import { type MemoryState, Topic, type TopicContext } from "./topic.ts";

/** Messages, and bytes of their bodies, that one channel delivers before other channels have their turn. */
const CHANNEL_MESSAGES_MAX = 5000;
const CHANNEL_BYTES_MAX = 4 * 1024 * 1024;
/** What all channels deliver before the sockets have their turn. */
const PUMP_MESSAGES_MAX = 20_000;
const PUMP_BYTES_MAX = 8 * 1024 * 1024;
/** Deferred messages that become ready, and messages in flight that time out, before others have their turn. */
const SCAN_MESSAGES_MAX = 5000;
/** Parked messages that get slots before others have their turn. */
const WAKE_MESSAGES_MAX = 5000;
/** Topics that are put into their stores before others have their turn. */
const SPILL_TOPICS_AT_ONCE = 100;
/** Bytes of segments that may be being read at the same time. */
const READING_BYTES_MAX = 32 * 1024 * 1024;

/** What a commit mostly comes to. */
const NONE_FAILED: Commit["failed"] = new Map();
const NONE_PENDING: Commit["pending"] = new Map();

const ENOUGH_MEMORY: MemoryState = { isShort: false, refusal: undefined };

/** Keeps the topics' stores. */
export interface StoreFactory {
  /** Names of the topics that have something in the store. */
  names(): string[];
  /** The store of a topic. */
  open(topic: string): SegmentStore;
}

/** What a broker asks of them. */
export interface TopicStores {
  /** The store of a topic; undefined where its messages are in memory only. */
  open(topic: string): SegmentStore | undefined;
}

/** What a broker is made from. */
export interface BrokerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ChannelLimits & LogLimits;
  readonly stores: TopicStores;
  /** The last program on these stores ended in order: nothing has happened since it saved its topics' states. */
  readonly wasStopped: () => boolean;
  readonly newLatency: () => Latency | undefined;
  /** What a publisher's OK means for a topic. */
  readonly durabilityOf: (topic: string) => Durability;
  /** Messages that a topic writes before it syncs them unasked. */
  readonly syncEvery: number;
  /**
   * Messages are about to be acknowledged, or given to channels, for good: so must be what they belong to. Undefined when
   * that is so, else settles when it is, and rejects when it cannot be.
   */
  readonly keeping: () => Promise<void> | undefined;
  /** Why that could not be done, while it cannot. */
  readonly keepingFailure: () => unknown;
  /** There is something for `commit` or `pump` to do. */
  readonly onWork: () => void;
  /** Settles when others have had their turn: for work that is long, and can be done in pieces. */
  readonly othersFirst: () => Promise<void>;
  /** A fault in work that nobody waits for: the program cannot go on. */
  readonly onFault: (error: unknown) => void;
  /** Starts a topic that is made while running, now or when its channels are known; by default it is started at once. */
  readonly startTopic?: (topic: Topic) => void;
  /** A topic or channel came or went; `kept` is false for ephemeral ones. */
  readonly onChange: (change: { topic: Topic; channel?: Channel; kept: boolean }) => void;
  /** Writing to a store worked (undefined), or did not. */
  readonly onStored: (error: unknown) => void;
  /** Why no message is taken any more, if that is so: the program is about to end. */
  readonly ending?: () => string | undefined;
  /** A topic's files were synced, which took so many ms. */
  readonly onSynced?: (durationMs: number) => void;
  /** How much memory there is; without it, always enough. */
  readonly memory?: MemoryState;
}

/** What became of the messages that were appended. */
export interface Commit {
  /** Topics that could not keep them, with the reason. */
  readonly failed: ReadonlyMap<Topic, unknown>;
  /** Topics whose publishers must wait for this before they are told OK, or why not. */
  readonly pending: ReadonlyMap<Topic, Promise<void>>;
}

/** What goes on behind the answers. */
export interface BackgroundWork {
  /** What was deleted or emptied and is being taken apart. */
  readonly tasks: number;
  /** Segments that are being removed from the stores, and their bytes. */
  readonly segments: number;
  readonly bytes: number;
}

/** All topics. */
export class Broker {
  readonly topics = new Map<string, Topic>();
  readonly outstanding = new Outstanding<Channel, Consumer>();
  /** What was deleted or emptied and is being taken apart. */
  readonly background: Background;
  readonly #options: BrokerOptions;
  readonly #context: TopicContext;
  /**
   * Topics with messages to be committed, and channels that may be able to deliver; each says by itself that it is here. They
   * are no sets: one that is filled and emptied again and again makes a new table each time, once it is old among what is
   * old, and that only full collections free (V8 15; 50 to 250 bytes for each message).
   */
  readonly #added: Topic[] = [];
  #awake: Channel[] = [];
  #isShrinking = false;

  constructor(options: BrokerOptions) {
    this.#options = options;
    const { clock, othersFirst, onFault } = options;
    this.background = new Background({ othersFirst, onFault });
    this.#context = {
      limits: options.limits,
      logger: options.logger,
      outstanding: this.outstanding,
      reads: new Budget(READING_BYTES_MAX),
      background: this.background,
      waking: new Pace(WAKE_MESSAGES_MAX, othersFirst),
      wasStopped: options.wasStopped,
      othersFirst,
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      timestamp: () => clock.timestamp(),
      newLatency: options.newLatency,
      durabilityOf: options.durabilityOf,
      syncEvery: options.syncEvery,
      keeping: options.keeping,
      keepingFailure: options.keepingFailure,
      added: (topic) => {
        if (topic.isAdded) return;
        topic.isAdded = true;
        this.#added.push(topic);
        options.onWork();
      },
      wake: (channel) => {
        if (channel.isAwake) return;
        channel.isAwake = true;
        this.#awake.push(channel);
        options.onWork();
      },
      ending: options.ending ?? (() => undefined),
      stored: options.onStored,
      synced: (durationMs) => options.onSynced?.(durationMs),
      memory: options.memory ?? ENOUGH_MEMORY,
      channelsChanged: (topic, channel) =>
        options.onChange({ topic, channel, kept: !channel.ephemeral && !topic.ephemeral }),
      deserted: (topic) => this.deleteTopic(topic.name),
    };
  }

  /** The topic of that name, which is made if there is none; it may not be started yet. @throws {TypeError} If it is no name. */
  topic(name: string): Topic {
    const existing = this.topics.get(name);
    if (existing) return existing;
    const topic = this.recoverTopic(name);
    // Nothing was kept of it: what is published before it is started is not to stay in memory.
    topic.log.recovered();
    if (this.#options.startTopic) this.#options.startTopic(topic);
    else topic.start();
    return topic;
  }

  /** The topic of that name with what its store has; it is to be started when its channels are there. */
  recoverTopic(name: string): Topic {
    const existing = this.topics.get(name);
    if (existing) return existing;
    // For whatever way a name has come: what is told of it, and kept under it, must be able to bear it.
    checkTopicName(name);
    const store = isEphemeral(name) ? undefined : this.#options.stores.open(name);
    const topic = new Topic(name, { context: this.#context, store });
    this.topics.set(name, topic);
    this.#options.logger.info(`TOPIC(${name}): created`);
    this.#options.onChange({ topic, kept: !topic.ephemeral });
    return topic;
  }

  /** Deletes a topic with its channels and messages; false when there is none of that name. */
  deleteTopic(name: string): boolean {
    const topic = this.topics.get(name);
    if (!topic) return false;
    this.topics.delete(name);
    topic.isAdded = false;
    topic.delete();
    this.#options.onChange({ topic, kept: !topic.ephemeral });
    return true;
  }

  /** Publishes what was appended to topics. */
  commit(): Commit {
    let failed: Map<Topic, unknown> | undefined;
    let pending: Map<Topic, Promise<void>> | undefined;
    for (const topic of this.#added) {
      // Deleted since.
      if (!topic.isAdded) continue;
      try {
        topic.commit();
        const kept = topic.kept();
        if (kept) (pending ??= new Map()).set(topic, kept);
      } catch (error) {
        (failed ??= new Map()).set(topic, error);
      }
      topic.isAdded = false;
    }
    this.#added.length = 0;
    return { failed: failed ?? NONE_FAILED, pending: pending ?? NONE_PENDING };
  }

  /** Delivers what can be delivered, up to a bound; `onWork` is called for the rest. `nowMs` is monotonic. */
  pump(nowMs: number): void {
    const awake = this.#awake;
    if (awake.length === 0) return;
    const whole = new PumpBudget(PUMP_MESSAGES_MAX, PUMP_BYTES_MAX);
    this.#awake = [];
    for (const channel of awake) channel.isAwake = false;
    const unfinished: Channel[] = [];
    let next = 0;
    for (; next < awake.length && !whole.isSpent; next++) {
      const channel = awake[next];
      whole.share(CHANNEL_MESSAGES_MAX, CHANNEL_BYTES_MAX, (part) => {
        if (!channel.pump(nowMs, part)) unfinished.push(channel);
      });
    }
    // Those that have had no turn are the first in the next.
    for (; next < awake.length; next++) this.#context.wake(awake[next]);
    for (const channel of unfinished) this.#context.wake(channel);
  }

  /**
   * Makes the deferred messages ready that are due, and those in flight whose time is over. `nowMs` is monotonic.
   *
   * @returns false when it stopped at a bound: there is more.
   */
  scan(nowMs: number): boolean {
    const table = this.outstanding;
    let left = SCAN_MESSAGES_MAX;
    for (let slot = table.firstDue(nowMs); slot !== NONE && left > 0; slot = table.firstDue(nowMs)) {
      table.undefer(slot);
      left -= Math.max(table.owners.get(table.owner[slot])?.due(slot) ?? 0, 1);
    }
    for (const topic of this.topics.values()) {
      for (const channel of topic.channels.values()) {
        if (left > 0) left -= channel.expire(nowMs, left);
      }
    }
    return left > 0;
  }

  /** When the deferred message is due that is the first, by the monotonic clock, or some seconds earlier; Infinity without one. */
  get nextDueMs(): number {
    const slot = this.outstanding.firstDue(Infinity);
    return slot === NONE ? Infinity : this.outstanding.key[slot];
  }

  /** The wall clock was set forward by so many ms, or back. */
  wallClockStepped(stepMs: number): void {
    this.outstanding.wallClockStepped(stepMs);
  }

  /** Puts what is in memory only into the stores. @throws What a store threw first; every topic has been tried. */
  async spill(): Promise<void> {
    const errors: unknown[] = [];
    let count = 0;
    for (const topic of this.topics.values()) {
      try {
        await topic.spill();
      } catch (error) {
        errors.push(error);
      }
      // Most have nothing to wait for.
      if (++count % SPILL_TOPICS_AT_ONCE === 0) await this.#options.othersFirst();
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Gives memory back that tables do not need any more, behind what is more urgent; to be called now and then. */
  shrink(): void {
    if (this.#isShrinking) return;
    this.#isShrinking = true;
    this.background.add(this.#shrinking());
  }

  /** Bytes that messages take, finished ones too as long as their segments are there. */
  get bytes(): number {
    let bytes = 0;
    for (const { log } of this.topics.values()) bytes += log.bytes;
    return bytes;
  }

  /** What is done in the background: pieces of work, and segments that are finished and still in the stores. */
  get backgroundWork(): BackgroundWork {
    let [segments, bytes] = [0, 0];
    for (const { log } of this.topics.values()) {
      segments += log.leaving.segments;
      bytes += log.leaving.bytes;
    }
    return { tasks: this.background.size, segments, bytes };
  }

  /** Settles when nothing is done in the background any more. */
  async idle(): Promise<void> {
    await this.background.idle();
    for (const topic of this.topics.values()) await topic.log.idle();
  }

  *#shrinking(): Generator<void> {
    yield* this.outstanding.shrinking();
    this.#isShrinking = false;
  }
}
