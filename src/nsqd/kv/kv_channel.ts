/**
 * A channel, as this instance serves it: finds chunks with messages that can be had, leases some, and gives them to those who
 * wait, the one first who has waited longest.
 *
 * @module
 */
import { HttpError } from "../../http/http_error.ts";
import { leaseOf } from "../queue/lease.ts";
import type { LeasedMessage, Place } from "../queue/queue.ts";
import type { Change, ChannelChunk, ChannelChunkContext } from "./channel_chunk.ts";
import { ChannelChunks } from "./channel_chunks.ts";
import { bodiesLength, bodyLength, bodyOf, type Chunk } from "./chunk.ts";
import type { ChunkCache } from "./chunk_cache.ts";
import type { Database, Entry } from "./database.ts";
import { topicCountKey } from "./keys.ts";
import { messageName } from "./message_name.ts";
import type { Taken, Taker, Wish } from "./taker.ts";
import type { KnownChannel, KnownTopic, Topics } from "./topics.ts";
import { channelIn } from "./topic_record.ts";

/** Chunks that one answer is taken from: each is a commit. */
export const CHUNKS_OF_ANSWER_MAX = 16;
/** Of those who wait, so many are served at a time. */
const SERVED_MAX = 8;
/** So long after another instance was faster, it is taken to take from the channel still, in ms. */
const SHARED_MS = 10_000;
/** Instances that share a channel begin with any of so many chunks, so as not to be in each other's way. */
const SPREAD = 16;

/** What a {@linkcode KvChannel} is given. */
export interface KvChannelContext {
  readonly database: Database;
  readonly topics: Topics;
  readonly cache: ChunkCache;
  readonly epoch: string;
  /** Leases of the channel, at most. */
  readonly leasesMax: number;
  /** By the wall clock. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** Begins work that nobody waits for. */
  spawn(work: () => Promise<void>): void;
  /** A chunk is done in the channel, and others have it still, or had. */
  doneHere(topic: string, chunk: ChannelChunk): void;
}

/** Part of what is to be taken. */
interface Pick {
  readonly chunk: ChannelChunk;
  readonly max: number;
  readonly bytesMax: number;
}

/** A channel. */
export class KvChannel {
  readonly place: Place;
  readonly chunks: ChannelChunks;
  readonly #context: KvChannelContext;
  readonly #takers = new Set<Taker>();
  #isServing = false;
  #isRung = false;
  #listing: Promise<void> | undefined;
  #claims = 0;
  /** When another instance was faster the last time, by the wall clock. */
  #conflictMs = -Infinity;
  /** Versionstamps of the topic, and of what was answered in the channel. */
  #heard: readonly string[] = [];
  /** When it was used last, by the monotonic clock. */
  usedMs = 0;

  constructor(place: Place, context: KvChannelContext) {
    this.place = place;
    this.#context = context;
    const { database, topics } = context;
    const shared: ChannelChunkContext = {
      place,
      database,
      topics,
      changed: (chunk) => {
        this.chunks.update(chunk);
        this.ring();
      },
      doneHere: (chunk) => context.doneHere(place.topic, chunk),
      conflicted: () => this.#conflictMs = context.nowMs(),
      sleep: (ms) => context.sleep(ms),
    };
    this.chunks = new ChannelChunks(shared, () => context.nowMs());
  }

  /** Somebody waits. */
  get isWaitedFor(): boolean {
    return this.#takers.size > 0;
  }

  /** Messages that may be leased besides those that are. */
  get leasesLeft(): number {
    return Math.max(this.#context.leasesMax - this.chunks.leased - this.#claims, 0);
  }

  /** Somebody begins to wait. */
  add(taker: Taker): void {
    this.#takers.add(taker);
    this.ring();
  }

  /** Somebody waits no more. */
  remove(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** There may be messages for those who wait. */
  ring(): void {
    if (this.#takers.size === 0) return;
    this.#isRung = true;
    if (!this.#isServing) this.#context.spawn(() => this.#serve());
  }

  /** Looks at the time. */
  look(monotonicMs: number): void {
    for (const taker of this.#takers) taker.look(monotonicMs);
    if (this.chunks.look()) this.ring();
  }

  /** The topic was read, and is like that; `undefined` when it is gone. */
  follow(known: KnownTopic | undefined): void {
    const channel = known && channelIn(known.record, this.place.channel);
    if (channel === undefined) return this.end("deleted");
    this.chunks.follow({ channel });
  }

  /**
   * Takes note of what was read: the record of the topic and its messages, and the sums of what was answered in the channel. Where
   * they are others than the last time, somebody has published, or answered leases.
   *
   * @throws {HttpError}
   */
  async heard(
    { of, answers }: { readonly of: readonly Entry[]; readonly answers: readonly Entry[] },
  ): Promise<void> {
    const [topic, sums] = [of, answers].map((entries) =>
      entries.map(({ versionstamp }) => versionstamp).join()
    );
    const [topicBefore, sumsBefore] = this.#heard;
    this.#heard = [topic, sums];
    if (sums !== sumsBefore) await this.chunks.relearn();
    if (topic !== topicBefore || sums !== sumsBefore) this.ring();
  }

  /** True when a chunk of that versionstamp may have been there: no later one has been published yet. @throws {HttpError} */
  async mayHaveHad(versionstamp: string): Promise<boolean> {
    const [messages] = await this.#context.database.get(topicCountKey(this.place.topic, "messages"));
    return messages.versionstamp !== null && versionstamp <= messages.versionstamp;
  }

  /** Nobody gets anything any more. */
  end(reason: "stopping" | "deleted"): void {
    for (const taker of [...this.#takers]) taker.end(reason);
  }

  /**
   * Leases messages, or finishes them at once. None when there are none, or the channel or its topic is paused.
   *
   * @throws {HttpError}
   */
  async take(wish: Wish): Promise<Taken[]> {
    for (const _try of this.#context.database.tries()) {
      let channel = await this.#context.topics.find(this.place);
      let picks = this.#pick(channel, wish);
      if (picks.length === 0) {
        await this.#list();
        channel = await this.#context.topics.find(this.place);
        picks = this.#pick(channel, wish);
      }
      if (picks.length === 0) return [];
      const taken = await this.#takeFrom(picks, wish);
      if (taken.length > 0) return taken;
    }
    return [];
  }

  /** Puts back what was taken for somebody who has gone. @throws {HttpError} */
  async putBack(taken: readonly Taken[]): Promise<void> {
    await Promise.all(taken.map(({ chunk, index, message: { attempts } }) =>
      chunk.change<void>({
        apply: (state) => {
          if (state.fateOf(index, attempts, this.#context.nowMs()) === "held") state.unlease(index);
        },
        gone: () => {},
        isDoubtful: () => false,
      })
    ));
  }

  /** Looks for chunks that are new; who asks meanwhile waits for the same. */
  #list(): Promise<void> {
    const list = async () => {
      try {
        // What others have changed in the topic counts from now on.
        await Promise.all([this.#context.topics.read(this.place.topic), this.chunks.list()]);
      } finally {
        this.#listing = undefined;
      }
    };
    return this.#listing ??= list();
  }

  /** The chunks to take from, and how much of each. Their messages are claimed. */
  #pick(channel: KnownChannel, { max, bytesMax }: Wish): Pick[] {
    if (channel.channel.paused) return [];
    const picks: Pick[] = [];
    let left = Math.min(max, this.leasesLeft);
    let bytesLeft = bytesMax;
    for (const { chunk, ready } of this.#candidates(channel)) {
      if (left === 0 || picks.length === CHUNKS_OF_ANSWER_MAX) break;
      const size = chunk.entry === undefined ? 0 : bodiesLength(chunk.entry);
      if (picks.length > 0 && size > bytesLeft) break;
      const count = Math.min(ready, left);
      picks.push({ chunk, max: count, bytesMax: Math.max(bytesLeft, 0) });
      chunk.claimed += count;
      left -= count;
      bytesLeft -= size;
    }
    this.#claims += picks.reduce((sum, pick) => sum + pick.max, 0);
    return picks;
  }

  /** What can be had, the oldest first; while others take from the channel, too, beginning with any of the first few. */
  *#candidates(channel: KnownChannel): Generator<{ chunk: ChannelChunk; ready: number }> {
    const isShared = this.#context.nowMs() - this.#conflictMs < SHARED_MS;
    const skipped: { chunk: ChannelChunk; ready: number }[] = [];
    let skip = isShared ? Math.floor(Math.random() * SPREAD) : 0;
    for (const candidate of this.chunks.available(channel)) {
      if (skip === 0) {
        yield candidate;
      } else {
        skipped.push(candidate);
        skip--;
      }
    }
    yield* skipped;
  }

  async #takeFrom(
    picks: readonly Pick[],
    wish: Wish,
  ): Promise<Taken[]> {
    const results = await Promise.allSettled(picks.map(async ({ chunk, max, bytesMax }) => {
      try {
        return await this.#takeFromChunk(chunk, { ...wish, max, bytesMax });
      } finally {
        chunk.claimed -= max;
        this.#claims -= max;
      }
    }));
    const taken = results.flatMap((result) => result.status === "fulfilled" ? result.value : []);
    const failed = results.find((result) => result.status === "rejected");
    // What has been leased is given out; the rest is asked for again.
    if (taken.length === 0 && failed !== undefined) throw failed.reason;
    return taken;
  }

  async #takeFromChunk(chunk: ChannelChunk, wish: Wish): Promise<Taken[]> {
    const { entry } = chunk;
    if (entry === undefined) return [];
    const content = await this.#context.cache.get(this.place.topic, chunk.versionstamp, entry);
    if (content === undefined) {
      // Another has removed it; the change finds that out.
      chunk.doubt();
      await chunk.change({ apply: () => {}, gone: () => {}, isDoubtful: () => true });
      return [];
    }
    const leased = await chunk.change(this.#leasing(content, wish));
    return leased.map(({ index, attempts }) => ({
      chunk,
      index,
      message: this.#message(chunk, content, { index, attempts, timeoutMs: wish.timeoutMs }),
    }));
  }

  #leasing(content: Chunk, wish: Wish): Change<readonly { index: number; attempts: number }[]> {
    const { max, bytesMax, timeoutMs, isAutomatic } = wish;
    return {
      apply: (state, tally) => {
        const nowMs = this.#context.nowMs();
        const leased: { index: number; attempts: number }[] = [];
        let bytes = 0;
        for (let index = 0; index < content.count && leased.length < max; index++) {
          if (!state.isReady(index, nowMs)) continue;
          bytes += bodyLength(content, index);
          if (leased.length > 0 && bytes > bytesMax) break;
          if (state.isTimedOut(index, nowMs)) tally.timedOut++;
          leased.push({ index, attempts: state.lease(index, { timeoutMs, nowMs }) });
          if (!isAutomatic) continue;
          state.finish(index);
          tally.finished++;
        }
        return leased;
      },
      gone: () => [],
      isDoubtful: () => false,
    };
  }

  #message(
    { versionstamp }: ChannelChunk,
    content: Chunk,
    { index, attempts, timeoutMs }: { index: number; attempts: number; timeoutMs: number },
  ): LeasedMessage {
    const id = messageName(versionstamp, index);
    const { high, low } = content.timestamp;
    return {
      id,
      lease: leaseOf({ id, attempt: attempts, epoch: this.#context.epoch }),
      attempts,
      timestampNs: BigInt(high) << 32n | BigInt(low),
      expiresInMs: timeoutMs,
      body: bodyOf(content, index),
    };
  }

  /** Serves those who wait until there is nothing for them. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      while (this.#isRung) {
        this.#isRung = false;
        const wanting = this.#wanting();
        const served = await Promise.all(wanting.map(({ taker, wish }) => this.#serveOne(taker, wish)));
        this.#isRung ||= served.some((isServed) => isServed);
      }
    } finally {
      this.#isServing = false;
    }
  }

  /** Some of those who want messages now, those first whose turn was the longest ago. */
  #wanting(): { taker: Taker; wish: Wish }[] {
    const wanting: { taker: Taker; wish: Wish }[] = [];
    const nowMs = this.#context.nowMs();
    for (const taker of this.#takers) {
      const wish = taker.wish(nowMs);
      if (wish !== undefined) wanting.push({ taker, wish });
      if (wanting.length === SERVED_MAX) break;
    }
    return wanting;
  }

  /** True when it has got something. */
  async #serveOne(taker: Taker, wish: Wish): Promise<boolean> {
    let taken: Taken[];
    try {
      taken = await this.take(wish);
    } catch (error) {
      taker.fail(error);
      return false;
    }
    if (taken.length === 0) return false;
    if (taker.isEnded) {
      await this.#putBackQuietly(taken);
      return true;
    }
    // The others first, the next time.
    this.#takers.delete(taker);
    this.#takers.add(taker);
    taker.give(taken);
    return true;
  }

  async #putBackQuietly(taken: readonly Taken[]): Promise<void> {
    try {
      await this.putBack(taken);
    } catch (error) {
      // The database has said why, and the messages come again when their time is over.
      if (!(error instanceof HttpError)) throw error;
    }
  }
}
