/**
 * The broker: all topics, and the work that is due on them. It never waits and does no I/O but through the
 * stores; whoever runs it calls {@linkcode Broker.commit}, {@linkcode Broker.pump} and
 * {@linkcode Broker.scan}, and gives it the time.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Quantile } from "../base/quantile.ts";
import { isEphemeral } from "../protocol/names.ts";
import type { Channel, ChannelLimits } from "./channel.ts";
import type { Durability } from "./durability.ts";
import { NONE, Outstanding } from "./outstanding.ts";
import type { SegmentStore } from "../log/segment_store.ts";
import { Topic, type TopicContext } from "./topic.ts";
import type { LogLimits } from "../log/topic_log.ts";

/** Messages that one channel delivers before others, and the sockets, have their turn. */
const PUMP_MESSAGES_MAX = 5000;
/** Deferred messages that become ready before others have their turn. */
const DUE_MESSAGES_MAX = 50_000;

/** Keeps the topics' stores. */
export interface StoreFactory {
  /** Names of the topics that have something in the store. */
  names(): string[];
  /** The store of a topic. */
  open(topic: string): SegmentStore;
}

/** What a broker is made from. */
export interface BrokerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ChannelLimits & LogLimits;
  readonly stores: StoreFactory;
  readonly newLatency: () => Quantile | undefined;
  /** What a publisher's OK means for a topic. */
  readonly durabilityOf: (topic: string) => Durability;
  /** Messages that a topic writes before it syncs them unasked. */
  readonly syncEvery: number;
  /**
   * Messages are about to be acknowledged, or given to channels, for good: so must be what they belong to. Throws when
   * that cannot be.
   */
  readonly onKeeping: () => void;
  /** There is something for `commit` or `pump` to do. */
  readonly onWork: () => void;
  /** Starts a topic that is made while running, now or when its channels are known; by default it is started at once. */
  readonly startTopic?: (topic: Topic) => void;
  /** A topic or channel came or went; `kept` is false for ephemeral ones. */
  readonly onChange: (change: { topic: Topic; channel?: Channel; kept: boolean }) => void;
  /** Writing to a store worked (undefined), or did not. */
  readonly onStored: (error: unknown) => void;
}

/** What became of the messages that were appended. */
export interface Commit {
  /** Topics that could not keep them, with the reason. */
  readonly failed: ReadonlyMap<Topic, unknown>;
  /** Topics whose publishers must wait for this before they are told OK, or why not. */
  readonly pending: ReadonlyMap<Topic, Promise<void>>;
}

/** All topics. */
export class Broker {
  readonly topics = new Map<string, Topic>();
  readonly outstanding = new Outstanding();
  readonly #options: BrokerOptions;
  readonly #context: TopicContext;
  readonly #added = new Set<Topic>();
  readonly #awake = new Set<Channel>();

  constructor(options: BrokerOptions) {
    this.#options = options;
    const { clock } = options;
    this.#context = {
      limits: options.limits,
      logger: options.logger,
      outstanding: this.outstanding,
      nowMs: () => clock.nowMs(),
      timestamp: () => clock.timestamp(),
      newLatency: options.newLatency,
      durabilityOf: options.durabilityOf,
      syncEvery: options.syncEvery,
      keeping: options.onKeeping,
      added: (topic) => {
        this.#added.add(topic);
        options.onWork();
      },
      wake: (channel) => {
        this.#awake.add(channel);
        options.onWork();
      },
      stored: options.onStored,
      channelsChanged: (topic, channel) =>
        options.onChange({ topic, channel, kept: !channel.ephemeral && !topic.ephemeral }),
      deserted: (topic) => this.deleteTopic(topic.name),
    };
  }

  /** The topic of that name, which is made if there is none; it may not be started yet. */
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
    this.#added.delete(topic);
    topic.delete();
    this.#options.onChange({ topic, kept: !topic.ephemeral });
    return true;
  }

  /** Publishes what was appended to topics. */
  commit(): Commit {
    const failed = new Map<Topic, unknown>();
    const pending = new Map<Topic, Promise<void>>();
    for (const topic of this.#added) {
      try {
        topic.commit();
        const kept = topic.kept();
        if (kept) pending.set(topic, kept);
      } catch (error) {
        failed.set(topic, error);
      }
    }
    this.#added.clear();
    return { failed, pending };
  }

  /** Delivers what can be delivered. */
  pump(nowMs: number): void {
    const awake = [...this.#awake];
    this.#awake.clear();
    for (const channel of awake) {
      if (!channel.pump(nowMs, PUMP_MESSAGES_MAX)) this.#context.wake(channel);
    }
  }

  /** Makes the deferred messages ready that are due, and those in flight whose time is over. */
  scan(nowMs: number): void {
    const table = this.outstanding;
    for (let i = 0; i < DUE_MESSAGES_MAX; i++) {
      const slot = table.firstDue(nowMs);
      if (slot === NONE) break;
      table.undefer(slot);
      table.channel[slot]?.due(slot, nowMs);
    }
    for (const topic of this.topics.values()) {
      for (const channel of topic.channels.values()) channel.expire(nowMs);
    }
  }
}
