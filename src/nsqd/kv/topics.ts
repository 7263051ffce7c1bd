/**
 * The records of topics, as this instance knows them. What it knows may be old: each commit checks it, and what is refused for
 * that reason is tried again with what is there now.
 *
 * @module
 */
import { channelNotFound, topicNotFound } from "../queue/refusals.ts";
import type { Place } from "../queue/queue.ts";
import { type Database, type Entry, unavailable } from "./database.ts";
import { BEGINNING, removalKey, topicCountKey, topicKey } from "./keys.ts";
import {
  channelIn,
  type ChannelRecord,
  type Mark,
  newTopic,
  type TopicRecord,
  topicRecordOf,
} from "./topic_record.ts";

/** A topic as it was read. */
export interface KnownTopic {
  readonly record: TopicRecord;
  /** Holds as long as the record is that. */
  readonly check: Deno.AtomicCheck;
}

/** A topic and one of its channels as they were read. */
export interface KnownChannel extends KnownTopic {
  readonly channel: ChannelRecord;
}

/** What a change of a record may go by. */
export interface ChangeInput {
  /** Now. */
  readonly now: Mark;
  /** Of the other keys that were to be read. */
  readonly entries: readonly Entry[];
}

/** A change of a record; what it returns is the new one, `undefined` for none. */
export interface RecordChange {
  readonly change: (record: TopicRecord, input: ChangeInput) => TopicRecord | undefined;
  /** Other keys to be read for it. */
  readonly keys?: readonly Deno.KvKey[];
  /** What else is to be in the commit. */
  readonly also?: (operation: Deno.AtomicOperation, record: TopicRecord) => void;
}

/** Knows them. */
export class Topics {
  readonly #database: Database;
  readonly #known = new Map<string, KnownTopic>();
  readonly #onRead: (topic: string, known: KnownTopic | undefined) => void;

  /** `onRead` is told whatever is read or written. */
  constructor(database: Database, onRead: (topic: string, known: KnownTopic | undefined) => void) {
    this.#database = database;
    this.#onRead = onRead;
  }

  /** The topic, which is made if there is none. @throws {HttpError} */
  async make(topic: string): Promise<KnownTopic> {
    for (const _try of this.#database.tries()) {
      const known = this.#known.get(topic) ?? await this.read(topic) ?? await this.#create(topic);
      if (known !== undefined) return known;
    }
    throw unavailable();
  }

  /** The topic and its channel. @throws {HttpError} If there is no such, or the database cannot be used. */
  async find({ topic, channel: name }: Place): Promise<KnownChannel> {
    const cached = this.#known.get(topic);
    const known = cached && channelIn(cached.record, name) ? cached : await this.read(topic);
    if (known === undefined) throw topicNotFound();
    const channel = channelIn(known.record, name);
    if (channel === undefined) throw channelNotFound();
    return { ...known, channel };
  }

  /** What was read last, if that is known. */
  known(topic: string): KnownTopic | undefined {
    return this.#known.get(topic);
  }

  /** The topic as it is now, `undefined` if there is none. @throws {HttpError} */
  async read(topic: string): Promise<KnownTopic | undefined> {
    const [entry] = await this.#database.get(topicKey(topic));
    return this.learn(topic, entry);
  }

  /** Takes note of what was read under the topic's key. */
  learn(topic: string, { key, value, versionstamp }: Entry): KnownTopic | undefined {
    const known = versionstamp === null
      ? undefined
      : { record: topicRecordOf(value), check: { key, versionstamp } };
    this.#keep(topic, known);
    return known;
  }

  /** Changes the record of a topic. @throws {HttpError} If there is no such topic, or the database cannot be used. */
  async update(topic: string, { change, keys = [], also = () => {} }: RecordChange): Promise<void> {
    for (const _try of this.#database.tries()) {
      const [entry, messages, ...entries] = await this.#database.get(
        topicKey(topic),
        topicCountKey(topic, "messages"),
        ...keys,
      );
      const known = this.learn(topic, entry);
      if (known === undefined) throw topicNotFound();
      const now = markOf(messages, known.record);
      const record = change(known.record, { now, entries });
      if (record === known.record) return;
      const { key } = entry;
      const versionstamp = await this.#database.commit((operation) => {
        operation.check(known.check);
        if (record === undefined) operation.delete(key);
        else operation.set(key, record);
        also(operation, known.record);
      });
      if (versionstamp === undefined) continue;
      this.#keep(topic, record && { record, check: { key, versionstamp } });
      return;
    }
    throw unavailable();
  }

  /** Forgets what is known; it is read again when it is needed. */
  forget(topic: string): void {
    this.#known.delete(topic);
  }

  async #create(topic: string): Promise<KnownTopic | undefined> {
    const key = topicKey(topic);
    // One of that name may have been there: what is left of it is no part of this.
    const [removal] = await this.#database.get(removalKey(topic));
    const record = newTopic(removal.versionstamp ?? BEGINNING);
    const versionstamp = await this.#database.commit((operation) => {
      operation.check({ key, versionstamp: null }, removal).set(key, record);
    });
    if (versionstamp === undefined) return undefined;
    const known = { record, check: { key, versionstamp } };
    this.#keep(topic, known);
    return known;
  }

  #keep(topic: string, known: KnownTopic | undefined): void {
    if (known === undefined) this.#known.delete(topic);
    else this.#known.set(topic, known);
    this.#onRead(topic, known);
  }
}

/** This moment, as the sum of a topic's messages says it. Nothing may have been published yet. */
function markOf(messages: Entry, { start }: TopicRecord): Mark {
  const versionstamp = messages.versionstamp ?? BEGINNING;
  return versionstamp > start.versionstamp ? { versionstamp, messages: countOf(messages) } : start;
}

/** The value of a sum. */
export function countOf({ value }: Entry): number {
  return value === null ? 0 : Number((value as Deno.KvU64).value);
}
