/**
 * Removes what nobody has any more: chunks that every channel has done, and what is left of topics and channels that were
 * deleted or emptied. Those leave a record behind that says so, and whose versionstamp says what is older; any instance works
 * it off, so nothing is forgotten when one ends in between. To remove something twice does no harm.
 *
 * @module
 */
import { type ChunkEntry, decodeEntry } from "./chunk.ts";
import { ChunkState } from "./chunk_state.ts";
import type { Database } from "./database.ts";
import {
  chunksPrefix,
  deferredPrefix,
  entryPrefix,
  partPrefix,
  removalsPrefix,
  stateKey,
  statesPrefix,
  topicsPrefix,
  versionstampOf,
} from "./keys.ts";
import { isOf, type TopicRecord } from "./topic_record.ts";
import type { KnownTopic, Topics } from "./topics.ts";

/** Keys that one commit removes at most: Deno KV takes 1000 mutations. */
export const MUTATIONS_MAX = 900;
/** Of each topic, so many of the oldest chunks are looked at in each round. */
const OLDEST_COUNT = 100;

/** A chunk that may be nobody's. */
interface Found {
  readonly versionstamp: string;
  readonly entry: ChunkEntry;
}

/** Removes it. */
export class Remover {
  readonly #database: Database;
  readonly #topics: Topics;

  constructor(database: Database, topics: Topics) {
    this.#database = database;
    this.#topics = topics;
  }

  /** Works off what is recorded, and looks at what others may have left. @throws {HttpError} */
  async run(): Promise<void> {
    for await (const records of this.#database.all(removalsPrefix())) {
      for (const { key, versionstamp } of records) {
        const [, , , topic, channel] = key.map(String);
        if (channel === undefined) await this.#removeTopic(topic, versionstamp);
        else await this.#removeOfChannel({ topic, channel }, versionstamp);
        await this.#database.commit((operation) => operation.check({ key, versionstamp }).delete(key));
      }
    }
    for await (const topics of this.#database.all(topicsPrefix())) {
      for (const { key } of topics) await this.#removeOldest(versionstampOf(key));
    }
  }

  /** Removes the chunk if every channel that has it is done with it; true if it is gone. @throws {HttpError} */
  async collect(topic: string, known: KnownTopic, { versionstamp, entry }: Found): Promise<boolean> {
    const owners = ownersOf(known.record, versionstamp);
    if (owners === undefined) return false;
    const states = await this.#database.get(
      ...owners.map((channel) => stateKey(topic, channel, versionstamp)),
    );
    if (!states.every(({ value }) => value !== null && ChunkState.decode(value).isDone)) return false;
    const key = [...entryPrefix(topic, entry.dueMs), versionstamp];
    const committed = await this.#database.commit((operation) => {
      operation.check(known.check, { key, versionstamp }).delete(key);
      for (let i = 0; i < entry.parts; i++) operation.delete([...partPrefix(topic, i), versionstamp]);
      for (const state of states) operation.delete(state.key);
    });
    return committed !== undefined;
  }

  async #removeOldest(topic: string): Promise<void> {
    const known = await this.#topics.read(topic);
    if (known === undefined) return;
    for (const prefix of [chunksPrefix(topic), deferredPrefix(topic)]) {
      for (const { key, value } of await this.#database.list({ prefix }, OLDEST_COUNT)) {
        await this.collect(topic, known, { versionstamp: versionstampOf(key), entry: decodeEntry(value) });
      }
    }
  }

  async #removeOfChannel(place: { topic: string; channel: string }, versionstamp: string): Promise<void> {
    const { topic, channel } = place;
    const known = await this.#topics.read(topic);
    // The topic's own removal takes all of it.
    if (known === undefined) return;
    const { channels } = known.record;
    const start = Object.hasOwn(channels, channel) ? channels[channel].start : versionstamp;
    await this.#removeAll(statesPrefix(topic, channel), start);
    for (const prefix of [chunksPrefix(topic), deferredPrefix(topic)]) {
      for await (const chunks of this.#database.all(prefix)) {
        for (const { key, value } of chunks) {
          if (versionstampOf(key) > versionstamp) continue;
          await this.collect(topic, known, { versionstamp: versionstampOf(key), entry: decodeEntry(value) });
        }
      }
    }
  }

  async #removeTopic(topic: string, versionstamp: string): Promise<void> {
    for (const prefix of [chunksPrefix(topic), deferredPrefix(topic)]) {
      for await (const chunks of this.#database.all(prefix)) {
        const keys = chunks.filter(({ key }) => versionstampOf(key) <= versionstamp).flatMap((
          { key, value },
        ) => [
          key,
          ...Array.from(
            { length: decodeEntry(value).parts },
            (_, i) => [...partPrefix(topic, i), versionstampOf(key)],
          ),
        ]);
        await this.#remove(keys);
      }
    }
    await this.#removeAll(statesPrefix(topic), versionstamp);
  }

  /** Removes what ends in a versionstamp up to this one. */
  async #removeAll(prefix: Deno.KvKey, versionstamp: string): Promise<void> {
    for await (const entries of this.#database.all(prefix)) {
      await this.#remove(entries.map(({ key }) => key).filter((key) => versionstampOf(key) <= versionstamp));
    }
  }

  async #remove(keys: readonly Deno.KvKey[]): Promise<void> {
    for (let from = 0; from < keys.length; from += MUTATIONS_MAX) {
      await this.#database.commit((operation) => {
        for (const key of keys.slice(from, from + MUTATIONS_MAX)) operation.delete(key);
      });
    }
  }
}

/** The channels that have the chunk; `undefined` while it waits for the topic's first one. */
function ownersOf({ channels, start }: TopicRecord, versionstamp: string): string[] | undefined {
  const names = Object.keys(channels);
  if (names.length === 0 && versionstamp > start.versionstamp) return undefined;
  return names.filter((name) => isOf(channels[name], versionstamp));
}
