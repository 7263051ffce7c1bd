/**
 * The chunks of a channel that this instance knows of, in the order in which they can be had: those found first, and at the
 * end what was given back or has timed out.
 *
 * Chunks are listed once, in the order of their versionstamps: later ones always come behind. Those of deferred messages are
 * listed by when they are due, and only then; so a million reminders cost nothing until their time. With the chunks of a list
 * their states are read, and so what others have begun or done costs no further look.
 *
 * @module
 */
import type { Place } from "../queue/queue.ts";
import { ChannelChunk, type ChannelChunkContext } from "./channel_chunk.ts";
import { decodeEntry } from "./chunk.ts";
import { type Database, ENTRIES_MAX, type Entry } from "./database.ts";
import {
  after,
  BEGINNING,
  chunksPrefix,
  deferredPrefix,
  stateKey,
  statesPrefix,
  versionstampOf,
} from "./keys.ts";
import { isKeptBack } from "./topic_record.ts";
import type { KnownChannel } from "./topics.ts";

/** Chunks of a channel that an instance knows of at a time. What lies behind is looked at when some of them are done. */
export const CHUNKS_MAX = 20_000;
/** Deferred chunks are listed anew from so long before the last one that was due: clocks are not the same everywhere. */
const DUE_OVERLAP_MS = 10_000;
/** Greater than every versionstamp. */
const END = "g";

/** What is known of a chunk besides itself. */
interface Summary {
  leased: number;
  ready: number;
  changeMs: number;
}

/** Knows them. */
export class ChannelChunks {
  readonly #place: Place;
  readonly #database: Database;
  readonly #context: ChannelChunkContext;
  readonly #nowMs: () => number;
  readonly #chunks = new Map<string, ChannelChunk>();
  readonly #summaries = new Map<ChannelChunk, Summary>();
  /** Chunks with messages that are to be had. */
  readonly #ready = new Set<ChannelChunk>();
  /** The last chunk that was listed. */
  #listed = BEGINNING;
  /** Where deferred chunks are listed from. */
  #dueFrom: Deno.KvKey;
  #leased = 0;

  /** `nowMs` is by the wall clock. */
  constructor(context: ChannelChunkContext, nowMs: () => number) {
    this.#place = context.place;
    this.#database = context.database;
    this.#context = context;
    this.#nowMs = nowMs;
    this.#dueFrom = [...deferredPrefix(context.place.topic), 0];
  }

  /** Messages that are leased, as far as is known. */
  get leased(): number {
    return this.#leased;
  }

  /** Chunks that are known. */
  get count(): number {
    return this.#chunks.size;
  }

  /** Those with messages that are to be had and that nobody has asked for, of a topic that is paused or not. */
  *available({ record }: KnownChannel): Generator<{ chunk: ChannelChunk; ready: number }> {
    for (const chunk of this.#ready) {
      const ready = (this.#summaries.get(chunk)?.ready ?? 0) - chunk.claimed;
      if (ready > 0 && !isKeptBack(record, chunk.versionstamp)) yield { chunk, ready };
    }
  }

  /** The chunk, known or not. */
  of(versionstamp: string): ChannelChunk {
    return this.#chunks.get(versionstamp) ??
      this.#add(new ChannelChunk(versionstamp, undefined, this.#context));
  }

  /** The state of a chunk has changed, or what is known of it. */
  update(chunk: ChannelChunk): void {
    if (chunk.isGone) return this.#remove(chunk);
    // It may have been taken for gone meanwhile.
    if (this.#chunks.get(chunk.versionstamp) !== chunk) return;
    const { ready, leased, changeMs } = chunk.counts(this.#nowMs());
    this.#leased += leased - (this.#summaries.get(chunk)?.leased ?? 0);
    this.#summaries.set(chunk, { ready, leased, changeMs });
    if (ready === 0) this.#ready.delete(chunk);
    else this.#ready.add(chunk);
  }

  /** Looks which messages are due or have timed out by now; true if there are any. */
  look(): boolean {
    const nowMs = this.#nowMs();
    const changed = [...this.#summaries].filter(([, { changeMs }]) => changeMs <= nowMs);
    for (const [chunk] of changed) this.update(chunk);
    return changed.length > 0;
  }

  /** Forgets the chunks that the channel has no more. */
  follow({ channel: { start } }: Pick<KnownChannel, "channel">): void {
    if (start > this.#listed) this.#listed = start;
    for (const chunk of this.#chunks.values()) if (chunk.versionstamp <= start) this.#remove(chunk);
  }

  /** Finds chunks that are new, or due by now. @throws {HttpError} */
  async list(): Promise<void> {
    const { topic, channel } = this.#place;
    const room = CHUNKS_MAX - this.#chunks.size;
    if (room <= 0) return;
    const prefix = chunksPrefix(topic);
    const [fresh, deferred] = await Promise.all([
      this.#database.list({ start: [...prefix, after(this.#listed)], end: [...prefix, END] }, room),
      this.#database.list({ start: this.#dueFrom, end: [...deferredPrefix(topic), this.#nowMs() + 1] }),
    ]);
    if (fresh.length > 0) {
      const [first, last] = [fresh[0], fresh[fresh.length - 1]].map(({ key }) => versionstampOf(key));
      const [start, end] = [stateKey(topic, channel, first), stateKey(topic, channel, after(last))];
      this.#learn(fresh, await this.#database.list({ start, end }));
      this.#listed = last;
    }
    if (deferred.length > 0) {
      const due = deferred.filter(({ key }) => !this.#chunks.has(versionstampOf(key)));
      const keys = due.map(({ key }) => stateKey(topic, channel, versionstampOf(key)));
      this.#learn(due, await this.#database.get(...keys));
      this.#dueFrom = this.#behind(deferred);
    }
  }

  /** Reads the states again of all chunks that are begun: others may have answered leases. @throws {HttpError} */
  async relearn(): Promise<void> {
    const { topic, channel } = this.#place;
    const states = new Map<string, Deno.KvEntry<unknown>>();
    for await (const entries of this.#database.all(statesPrefix(topic, channel))) {
      for (const entry of entries) states.set(versionstampOf(entry.key), entry);
    }
    for (const chunk of [...this.#chunks.values()]) {
      const entry = states.get(chunk.versionstamp);
      // Without one it is untouched, or done and removed: that is looked at when it is asked for.
      if (entry === undefined) chunk.doubt();
      else chunk.learn(entry.value, entry.versionstamp);
      this.update(chunk);
    }
  }

  #learn(entries: readonly Deno.KvEntry<unknown>[], found: readonly Entry[]): void {
    const states = new Map(found.map((entry) => [versionstampOf(entry.key), entry]));
    for (const { key, value } of entries) {
      const versionstamp = versionstampOf(key);
      const existing = this.#chunks.get(versionstamp);
      if (existing !== undefined && (existing.entry !== undefined || !existing.isIdle)) continue;
      const state = states.get(versionstamp);
      const chunk = new ChannelChunk(versionstamp, decodeEntry(value), this.#context);
      chunk.learn(state?.value, state?.versionstamp ?? null);
      // Most of what a slower channel has not finished yet is done here.
      if (chunk.isGone) continue;
      this.#add(chunk);
      this.update(chunk);
    }
  }

  /** Where the list of deferred chunks goes on. */
  #behind(deferred: readonly Deno.KvEntry<unknown>[]): Deno.KvKey {
    const last = deferred[deferred.length - 1].key;
    const dueMs = Number(last[last.length - 2]);
    const prefix = deferredPrefix(this.#place.topic);
    // There are more of them.
    if (deferred.length >= ENTRIES_MAX) return [...prefix, dueMs, after(versionstampOf(last))];
    return [...prefix, dueMs - DUE_OVERLAP_MS];
  }

  #add(chunk: ChannelChunk): ChannelChunk {
    this.#chunks.set(chunk.versionstamp, chunk);
    this.#summaries.set(chunk, { ready: 0, leased: 0, changeMs: Infinity });
    return chunk;
  }

  #remove(chunk: ChannelChunk): void {
    this.#leased -= this.#summaries.get(chunk)?.leased ?? 0;
    this.#ready.delete(chunk);
    this.#summaries.delete(chunk);
    if (this.#chunks.get(chunk.versionstamp) === chunk) this.#chunks.delete(chunk.versionstamp);
  }
}
