/**
 * A chunk of a channel, as this instance knows it, and the changes of its state. What is asked for while a commit is under way
 * goes into the next one together. A commit checks three things: that the topic is as it was read, that the state is, and
 * that the chunk is still there; without the last, one that was finished and removed by another would begin anew.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { Place } from "../queue/queue.ts";
import { type ChunkEntry, decodeEntry } from "./chunk.ts";
import { type ChunkShape, ChunkState, type StateCounts } from "./chunk_state.ts";
import { type Database, unavailable } from "./database.ts";
import { channelCountKey, entryPrefix, partPrefix, stateKey } from "./keys.ts";
import { isOf } from "./topic_record.ts";
import type { KnownChannel, Topics } from "./topics.ts";

/** Waits between tries are up to so long, in ms: those who are in each other's way are not again. */
const CONFLICT_WAIT_MS = 20;

/** What a commit adds to the sums of its channel. */
export interface Tally {
  finished: number;
  requeued: number;
  timedOut: number;
}

/** A change of the state of a chunk. */
export interface Change<T> {
  /** Makes it, on a copy of the state as it is known. */
  apply(state: ChunkState, tally: Tally): T;
  /** What comes of it when the chunk is gone. */
  gone(): T;
  /** True for what would be told wrongly if another has changed the state meanwhile, and which no commit proves. */
  isDoubtful(outcome: T): boolean;
}

/** What the chunks of a channel have in common. */
export interface ChannelChunkContext {
  readonly place: Place;
  readonly database: Database;
  readonly topics: Topics;
  /** What is known of the chunk has changed. */
  changed(chunk: ChannelChunk): void;
  /** It is done in this channel, but others have it still. */
  doneHere(chunk: ChannelChunk): void;
  /** Another instance has been faster. */
  conflicted(): void;
  /** Lets so much time pass. */
  sleep(ms: number): Promise<void>;
}

interface Pending {
  readonly change: Change<unknown>;
  readonly done: PromiseWithResolvers<unknown>;
}

/** A state as it was read; there is no record, and nothing in memory for it, before something has become of the chunk. */
interface KnownState {
  readonly state: ChunkState | undefined;
  readonly versionstamp: string | null;
}

/** A chunk in a channel. */
export class ChannelChunk {
  readonly versionstamp: string;
  readonly #context: ChannelChunkContext;
  readonly #pending: Pending[] = [];
  #entry: ChunkEntry | undefined;
  #known: KnownState | undefined;
  #isRunning = false;
  #isGone = false;
  /** Messages of it that are being asked for. */
  claimed = 0;

  /** Of one whose entry is known, or not yet. */
  constructor(versionstamp: string, entry: ChunkEntry | undefined, context: ChannelChunkContext) {
    this.versionstamp = versionstamp;
    this.#entry = entry;
    this.#context = context;
  }

  /** What it holds, if that is known. */
  get entry(): ChunkEntry | undefined {
    return this.#entry;
  }

  /** All of it is done, or it was removed. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Nobody waits for a change of it. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** What of it is to be had, as far as is known. */
  counts(nowMs: number): StateCounts {
    if (this.#isGone) return { ready: 0, leased: 0, deferred: 0, changeMs: Infinity };
    if (this.#known?.state !== undefined) return this.#known.state.counts(nowMs);
    const count = this.#entry?.count ?? 0;
    const dueMs = this.#entry?.dueMs ?? 0;
    if (dueMs > nowMs) return { ready: 0, leased: 0, deferred: count, changeMs: dueMs };
    return { ready: count, leased: 0, deferred: 0, changeMs: Infinity };
  }

  /** True while the lease of a message is valid, as far as is known. */
  isHeld(index: number, attempt: number, nowMs: number): boolean {
    return !this.#isGone && this.#known?.state?.fateOf(index, attempt, nowMs) === "held";
  }

  /** Takes note of what was read. @throws {DamagedRecordError} */
  learn(value: unknown, versionstamp: string | null): void {
    if (this.#isRunning || this.#entry === undefined) return;
    this.#know(value, versionstamp);
  }

  /** What is known of it may be wrong. */
  doubt(): void {
    if (!this.#isRunning) this.#known = undefined;
  }

  /** Makes a change; settles when it is in the database. @throws {HttpError} */
  change<T>(change: Change<T>): Promise<T> {
    const done = Promise.withResolvers<unknown>();
    this.#pending.push({ change, done });
    if (!this.#isRunning) void this.#run();
    return done.promise as Promise<T>;
  }

  /** Works until nobody waits. Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    // What others ask for in this turn goes with it.
    await Promise.resolve();
    for (let batch = this.#pending.splice(0); batch.length > 0; batch = this.#pending.splice(0)) {
      try {
        const outcomes = await this.#commit(batch.map(({ change }) => change));
        batch.forEach(({ done }, i) => done.resolve(outcomes[i]));
      } catch (error) {
        this.#known = undefined;
        for (const { done } of batch) done.reject(error);
      }
      this.#context.changed(this);
    }
    this.#isRunning = false;
  }

  async #commit(changes: readonly Change<unknown>[]): Promise<unknown[]> {
    let isFresh = false;
    for (const _try of this.#context.database.tries()) {
      if (this.#isGone && isFresh) return changes.map((change) => change.gone());
      const topic = await this.#context.topics.find(this.#context.place);
      if (!isOf(topic.channel, this.versionstamp)) {
        this.#isGone = true;
        return changes.map((change) => change.gone());
      }
      if (this.#known === undefined || this.#isGone) {
        await this.#read();
        isFresh = true;
        continue;
      }
      const { state, versionstamp } = this.#known;
      const draft = state?.copy() ?? ChunkState.initial(this.#shape());
      const tally: Tally = { finished: 0, requeued: 0, timedOut: 0 };
      const outcomes = changes.map((change) => change.apply(draft, tally));
      if (!isFresh && changes.some((change, i) => change.isDoubtful(outcomes[i]))) {
        this.#known = undefined;
        continue;
      }
      if (!draft.isChanged) return outcomes;
      const committed = await this.#write({ topic, draft, versionstamp, tally });
      if (committed !== undefined) {
        this.#known = { state: draft, versionstamp: committed };
        if (draft.isDone) this.#isGone = true;
        return outcomes;
      }
      this.#known = undefined;
      this.#context.topics.forget(this.#context.place.topic);
      isFresh = false;
      this.#context.conflicted();
      await this.#context.sleep(Math.random() * CONFLICT_WAIT_MS);
    }
    throw unavailable();
  }

  async #read(): Promise<void> {
    const { place: { topic, channel }, database } = this.#context;
    const key = stateKey(topic, channel, this.versionstamp);
    const dueMs = this.#entry?.dueMs ?? 0;
    const entryKey = [...entryPrefix(topic, dueMs), this.versionstamp];
    let [entry, state] = await database.get(entryKey, key);
    if (entry.value === null && state.value !== null && this.#entry === undefined) {
      // It was deferred when it was published: its state says so.
      const { shape } = ChunkState.decode(state.value);
      [entry, state] = await database.get([...entryPrefix(topic, shape.dueMs), this.versionstamp], key);
    }
    if (entry.versionstamp === null) {
      this.#isGone = true;
      return;
    }
    this.#isGone = false;
    this.#entry = decodeEntry(entry.value);
    this.#know(state.value, state.versionstamp);
  }

  #know(value: unknown, versionstamp: string | null): void {
    const state = versionstamp === null ? undefined : ChunkState.decode(value);
    this.#known = { state, versionstamp };
    this.#isGone = state?.isDone ?? false;
  }

  #shape(): ChunkShape {
    assert(this.#entry, "A state is known of a chunk that is not");
    return this.#entry;
  }

  async #write(
    { topic, draft, versionstamp, tally }: {
      topic: KnownChannel;
      draft: ChunkState;
      versionstamp: string | null;
      tally: Tally;
    },
  ): Promise<string | undefined> {
    const { place, database } = this.#context;
    const { parts, dueMs } = draft.shape;
    const entryKey = [...entryPrefix(place.topic, dueMs), this.versionstamp];
    const key = stateKey(place.topic, place.channel, this.versionstamp);
    const owners = Object.values(topic.record.channels).filter((each) => isOf(each, this.versionstamp));
    const isLast = draft.isDone && owners.length === 1;
    const committed = await database.commit((operation) => {
      operation.check(topic.check, { key, versionstamp }, { key: entryKey, versionstamp: this.versionstamp });
      if (isLast) {
        operation.delete(entryKey).delete(key);
        for (let i = 0; i < parts; i++) operation.delete([...partPrefix(place.topic, i), this.versionstamp]);
      } else {
        operation.set(key, draft.encode());
      }
      for (const what of ["finished", "requeued", "timedOut"] as const) {
        if (tally[what] > 0) operation.sum(channelCountKey(place, what), BigInt(tally[what]));
      }
    });
    if (committed !== undefined && draft.isDone && !isLast) this.#context.doneHere(this);
    return committed;
  }
}
