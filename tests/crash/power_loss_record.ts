/**
 * What a campaign knows of the messages that it has published: where they belong, what was said about them, and so what
 * must, may and must not be there after a crash. It knows nothing of logs and segments.
 *
 * Everything that happens has a tick, a moment in the order of things. A topic's state that was saved completely, in a
 * run that began at a tick, is `flushed` up to that tick: what had become of a message by then is not undone by any
 * crash. What became of it later may be undone or not.
 *
 * @module
 */
import type { Durability } from "../../src/broker/durability.ts";
import { durabilityOf, type Topology } from "./power_loss_node.ts";

/** What a message survives, once its publisher was told OK. */
export const KEPT = { nothing: 0, kill: 1, powerLoss: 2 } as const;
/** One of these. */
export type Kept = typeof KEPT[keyof typeof KEPT];

/** It has begun, and nobody knows when it will have happened. */
const LATER = Number.MAX_SAFE_INTEGER;

/** A message that was published, or refused. */
export interface Message {
  readonly id: number;
  readonly size: number;
  /** When it is due, in ms: not before `low`, and not after `high`; 0 is at once. */
  low: number;
  high: number;
  topic: TopicRecord;
  kept: Kept;
  /** It is in the store; in a memory topic that is not known before the end of a node. */
  isStored: boolean;
  /** Its bytes were in a sync that failed: no later sync of the same file makes up for that. */
  unsynced: boolean;
  /** When it was given to the channels there were, or dropped; Infinity while it is the topic's own. */
  distributed: number;
}

/** What is known of a message in a channel from a tick on. */
export interface Moment {
  readonly tick: number;
  readonly attempts: number;
  /** When it is due: not before `low`, and not much later than `high`. */
  readonly low: number;
  readonly high: number;
}

/** A message in a channel. */
export interface Entry {
  readonly message: Message;
  /** By tick; the last one is now. */
  moments: Moment[];
  /** The channel was there when the message was published: so it must not be forgotten. */
  readonly needsChannel: boolean;
  /** It was gone already, and a kill has brought it back: a loss of power may take it away again. */
  readonly isBack: boolean;
  /** When it was finished, or dropped; Infinity while it is there. */
  gone: number;
  /** It is delivered, and not answered. */
  inFlight: boolean;
}

/** A topic, from when it was made until it was deleted. */
export class TopicRecord {
  readonly name: string;
  readonly durability: Durability;
  /** Every channel that there ever was, with every message that it ever had. */
  readonly channels = new Map<string, Map<number, Entry>>();
  /** The channels that are there. */
  readonly live = new Set<string>();
  readonly pausedChannels = new Set<string>();
  paused = false;
  /** Messages that are not yet the channels'. */
  readonly own = new Map<number, Message>();
  /** Appended, and not committed. */
  pending: Message[] = [];
  /** Committed, and the publishers have not been told yet. */
  unanswered: Message[] = [];
  /** What became of messages up to this tick is saved. */
  flushed = -1;
  /** The saved state could not be read, and was put aside: it may be back after a loss of power. */
  lostState = false;
  /** What is not there any more was seen after a kill, and may be back after a loss of power. */
  uncertain = false;
  /** When it was deleted. */
  deleted = Infinity;

  constructor(name: string) {
    this.name = name;
    this.durability = durabilityOf(name);
  }

  /** The messages that the channel ever had. */
  entries(channel: string): Map<number, Entry> {
    const known = this.channels.get(channel);
    if (known) return known;
    const entries = new Map<number, Entry>();
    this.channels.set(channel, entries);
    return entries;
  }

  /** The saved state is gone. */
  loseState(): void {
    this.flushed = -1;
    this.lostState = true;
    for (const entries of this.channels.values()) {
      for (const entry of entries.values()) {
        const { low, high } = entry.message;
        const later = entry.moments.map((moment) => ({ ...moment, tick: Math.max(moment.tick, 0) }));
        entry.moments = [{ tick: -1, attempts: 0, low, high }, ...later];
      }
    }
  }

  /** The messages that are in the channel. */
  present(channel: string): Entry[] {
    return [...this.entries(channel).values()].filter((entry) => entry.gone === Infinity);
  }
}

/** The record of a campaign's run. */
export class CrashRecord {
  readonly topics = new Map<string, TopicRecord>();
  readonly messages = new Map<number, Message>();
  /** Which message a position of a topic's log is. */
  readonly positions = new Map<string, Map<number, number>>();
  tick = 0;
  /** The wall clock was set back: positions, which begin with the time, may come again with another program. */
  wasSetBack = false;
  /** Folders that were made or removed up to this tick are so after a loss of power, too. */
  foldersSynced = -1;
  /** Topologies that the metadata file may have after a crash: the first for sure, until one of the others is. */
  #topologies: Topology[] = [[]];
  #persisting = 0;

  /** The next moment. */
  next(): number {
    return ++this.tick;
  }

  /** The topic of that name, which is made if there is none. */
  topic(name: string): TopicRecord {
    const known = this.topics.get(name);
    if (known) return known;
    const topic = new TopicRecord(name);
    this.topics.set(name, topic);
    return topic;
  }

  /** A message that is published now. */
  publish(topic: TopicRecord, { size, dueMs }: { size: number; dueMs: number }): Message {
    const id = this.messages.size + 1;
    const message: Message = {
      id,
      size,
      low: dueMs,
      high: dueMs,
      topic,
      kept: KEPT.nothing,
      isStored: topic.durability !== "memory",
      unsynced: false,
      distributed: Infinity,
    };
    this.messages.set(id, message);
    topic.pending.push(message);
    return message;
  }

  /** Messages have become the topic's. */
  commit(topic: TopicRecord): void {
    for (const message of topic.pending) topic.own.set(message.id, message);
    topic.unanswered.push(...topic.pending);
    topic.pending = [];
  }

  /** The first so many of the topic's own messages have become the channels'; some have just been published. */
  pass(topic: TopicRecord, count: number, published: ReadonlySet<Message> = new Set()): void {
    if (count <= 0) return;
    const tick = this.next();
    for (const message of [...topic.own.values()].slice(0, count)) {
      message.distributed = tick;
      for (const channel of topic.live) this.#enter(channel, message, published.has(message));
      topic.own.delete(message.id);
    }
  }

  /** Makes a channel. */
  makeChannel(topic: TopicRecord, channel: string): void {
    topic.live.add(channel);
    this.next();
  }

  /** The channel's messages are dropped. */
  emptyChannel(topic: TopicRecord, channel: string): void {
    const tick = this.next();
    for (const entry of topic.present(channel)) leave(entry, tick);
  }

  /** The topic's own messages are dropped. */
  emptyTopic(topic: TopicRecord): void {
    const tick = this.next();
    for (const message of topic.own.values()) message.distributed = tick;
    topic.own.clear();
  }

  /** The channel goes, with its messages. */
  deleteChannel(topic: TopicRecord, channel: string): void {
    this.emptyChannel(topic, channel);
    topic.live.delete(channel);
    topic.pausedChannels.delete(channel);
  }

  /** The topic goes, with its messages; when its folder has gone, too, that is to be said. */
  deleteTopic(topic: TopicRecord): void {
    topic.deleted = LATER;
    topic.pending = [];
    topic.unanswered = [];
    this.topics.delete(topic.name);
  }

  /** The topic was not deleted; what has had its name since was. */
  restoreTopic(topic: TopicRecord): void {
    const other = this.topics.get(topic.name);
    if (other) this.deleteTopic(other);
    topic.deleted = Infinity;
    this.topics.set(topic.name, topic);
  }

  /** The topic's folder has gone. */
  topicIsDeleted(topic: TopicRecord): void {
    topic.deleted = this.next();
  }

  /** The message was finished. */
  finish(entry: Entry): void {
    leave(entry, this.next());
  }

  /** The message was delivered; it is not deferred any more. */
  deliver(entry: Entry, attempts: number): void {
    entry.inFlight = true;
    entry.moments.push({ tick: this.next(), attempts, low: 0, high: 0 });
  }

  /** The message was given back, deferred until `dueMs`. */
  requeue(entry: Entry, dueMs: number): void {
    entry.inFlight = false;
    const { attempts } = now(entry);
    entry.moments.push({ tick: this.next(), attempts, low: dueMs, high: dueMs });
  }

  /**
   * The wall clock was set: what is deferred is due as long after that as before, or at the same time of day.
   */
  stepClock(stepMs: number): void {
    const widen = <T extends { low: number; high: number }>(due: T): T => {
      if (due.high === 0) return due;
      const low = due.low === 0 ? 0 : Math.max(Math.min(due.low, due.low + stepMs), 1);
      return { ...due, low, high: Math.max(due.high, due.high + stepMs) };
    };
    const topics = new Set(this.topics.values());
    for (const message of this.messages.values()) {
      Object.assign(message, widen({ low: message.low, high: message.high }));
      topics.add(message.topic);
    }
    for (const topic of topics) {
      for (const entries of topic.channels.values()) {
        for (const entry of entries.values()) entry.moments = entry.moments.map(widen);
      }
    }
    this.wasSetBack ||= stepMs < 0;
  }

  /** What happened to the topic's messages up to the tick is saved. */
  flush(topic: TopicRecord, tick: number): void {
    topic.flushed = Math.max(topic.flushed, tick);
  }

  /** The topic's state could not be read at a start: nothing is known any more of what became of its messages. */
  loseState(name: string): void {
    const topics = new Set([...this.messages.values()].map(({ topic }) => topic));
    for (const topic of topics) {
      if (topic.name === name) topic.loseState();
    }
  }

  /**
   * The metadata file is being replaced, or has been; and so its folder is synced. A node that nothing was compared with
   * may have found deleted topics there, and so it is not known which ones are gone now.
   */
  persist(topology: Topology, when: "begins" | "is there", options: { isCompared: boolean }): void {
    if (when === "begins") {
      this.#persisting = this.next();
      this.#topologies.push(topology);
    } else {
      if (options.isCompared) this.foldersSynced = this.#persisting;
      this.#topologies = [topology];
    }
  }

  /** True when the message is not finished everywhere. */
  isThere({ id, topic }: Message): boolean {
    return topic.own.has(id) ||
      [...topic.live].some((channel) => topic.entries(channel).get(id)?.gone === Infinity);
  }

  /** Messages survive so much from now on; but those that are finished may be lost, even if that is forgotten. */
  keep(messages: Iterable<Message>, kept: Kept): void {
    for (const message of messages) {
      if (!message.unsynced && message.kept < kept && this.isThere(message)) message.kept = kept;
    }
  }

  /** True when the metadata file names the channel after every crash. */
  isNamed(topic: string, channel: string): boolean {
    return this.#topologies.every((topology) =>
      topology.find(({ name }) => name === topic)?.channels.some(({ name }) => name === channel)
    );
  }

  /** True when no crash brings the message back to the channel. */
  isSettled(message: Message, channel: string): boolean {
    const { topic } = message;
    if (this.#isGone(topic)) return true;
    const entry = topic.channels.get(channel)?.get(message.id);
    // Never given to that channel: it may get the message when the topic's own ones are given to channels again.
    return (entry ? entry.gone : message.distributed) <= flushedOf(message);
  }

  /** True when no crash makes the message the topic's own again. */
  isGoneFromTopic(message: Message): boolean {
    return this.#isGone(message.topic) || message.distributed <= flushedOf(message);
  }

  /** Whatever is not there at the tick does not come back. */
  settle(tick: number): void {
    this.foldersSynced = tick;
    for (const topic of this.topics.values()) {
      for (const [channel, entries] of topic.channels) {
        if (topic.live.has(channel)) continue;
        // The state may still have them, or not, for a channel of that name.
        for (const entry of entries.values()) {
          if (entry.gone <= flushedOf(entry.message)) continue;
          entry.gone = tick + 1;
          const { attempts } = now(entry);
          const high = entry.moments.reduce((latest, { high }) => Math.max(latest, high), 0);
          entry.moments = [{ tick: -1, attempts: 0, low: 0, high }, {
            tick: tick + 1,
            attempts,
            low: 0,
            high,
          }];
        }
      }
      topic.flushed = tick;
    }
    for (const message of this.messages.values()) {
      const { topic } = message;
      if (topic.deleted < Infinity) topic.deleted = Math.min(topic.deleted, tick);
      else if (!this.isThere(message)) message.distributed = Math.min(message.distributed, tick);
    }
  }

  #isGone(topic: TopicRecord): boolean {
    return topic.deleted <= this.foldersSynced;
  }

  #enter(channel: string, message: Message, needsChannel: boolean): void {
    const { low, high, topic } = message;
    const entries = topic.entries(channel);
    entries.set(message.id, {
      message,
      moments: [{ tick: this.tick, attempts: 0, low, high }],
      needsChannel,
      isBack: false,
      gone: Infinity,
      inFlight: false,
    });
  }
}

/** What is known of the message now. */
export function now(entry: Entry): Moment {
  return entry.moments[entry.moments.length - 1];
}

/** What a crash may have left of what is known of the message: what was flushed, or anything later. */
export function afterCrash(
  entry: Entry,
): { attemptsMin: number; attemptsMax: number; low: number; high: number } {
  const since = momentsSince(entry, flushedOf(entry.message));
  return {
    attemptsMin: since[0].attempts,
    // Not always the last: a state that could not be read may be back after a loss of power.
    attemptsMax: since.reduce((most, { attempts }) => Math.max(most, attempts), 0),
    // What is deferred becomes ready only when it is due: so what came later does not make it earlier.
    low: since[0].low,
    high: since.reduce((latest, { high }) => Math.max(latest, high), 0),
  };
}

/** Up to when it is saved what became of the message: what is in memory only has no part in the state. */
export function flushedOf({ topic, isStored }: Message): number {
  return isStored ? topic.flushed : -1;
}

/** What was known at the tick, and since. */
export function momentsSince(entry: Entry, tick: number): Moment[] {
  const first = entry.moments.findLastIndex((moment) => moment.tick <= tick);
  return entry.moments.slice(Math.max(first, 0));
}

function leave(entry: Entry, tick: number): void {
  entry.gone = tick;
  entry.inFlight = false;
}
