/**
 * Publishing to a topic: what comes while commits are under way goes into the next one together, as many messages as a chunk
 * holds. A publisher is answered when its messages are in the database, and not before.
 *
 * A commit that was not answered in time may have been made, and messages that were refused may be there: as everywhere, a
 * message may be there twice, but never not at all.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { HttpError } from "../../http/http_error.ts";
import {
  type BatchPiece,
  batchPieces,
  bodiesLength,
  CHUNK_MESSAGES_MAX,
  encodeEntry,
  PART_SIZE_MAX,
  partsOf,
} from "./chunk.ts";
import { type Database, unavailable } from "./database.ts";
import { entryPrefix, partPrefix, topicCountKey } from "./keys.ts";
import type { Topics } from "./topics.ts";

/** Commits of a topic that are under way at a time. */
export const WRITES_MAX = 4;

/** Messages that are to be published in one chunk. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly dueMs: number;
  readonly done: PromiseWithResolvers<void>;
}

/** What a {@linkcode TopicWriter} is given. */
export interface TopicWriterContext {
  readonly database: Database;
  readonly topics: Topics;
  /** By the wall clock. */
  timestamp(): { high: number; low: number };
  /** Messages are there. */
  published(topic: string): void;
}

/** Publishes to one topic. */
export class TopicWriter {
  readonly #topic: string;
  readonly #context: TopicWriterContext;
  readonly #waiting: Piece[] = [];
  #writing = 0;
  /** When it was used last, by the monotonic clock. */
  usedMs = 0;

  constructor(topic: string, context: TopicWriterContext) {
    this.#topic = topic;
    this.#context = context;
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#writing === 0;
  }

  /** Settles when the messages are kept. @throws {HttpError} */
  publish(block: Uint8Array, { from, to, count }: BatchPiece, dueMs: number): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ bytes: block.subarray(from, to), count, dueMs, done });
    if (this.#writing < WRITES_MAX) void this.#write();
    return done.promise;
  }

  /** Writes until nothing waits. Never rejects. */
  async #write(): Promise<void> {
    this.#writing++;
    // What others publish in this turn goes with it.
    await Promise.resolve();
    for (let pieces = this.#take(); pieces.length > 0; pieces = this.#take()) {
      try {
        await this.#commit(pieces);
        for (const { done } of pieces) done.resolve();
        this.#context.published(this.#topic);
      } catch (error) {
        // Those who wait would only wait as long again, one after the other.
        for (const { done } of [...pieces, ...this.#waiting.splice(0)]) done.reject(error);
      }
    }
    this.#writing--;
  }

  /** The next pieces that fit into one chunk. */
  #take(): Piece[] {
    const waiting = this.#waiting;
    let [pieces, bytes, count] = [0, 0, 0];
    for (const piece of waiting) {
      bytes += piece.bytes.length;
      count += piece.count;
      const fits = bytes <= PART_SIZE_MAX && count <= CHUNK_MESSAGES_MAX && piece.dueMs === waiting[0].dueMs;
      if (pieces > 0 && !fits) break;
      pieces++;
    }
    return waiting.splice(0, pieces);
  }

  async #commit(pieces: readonly Piece[]): Promise<void> {
    const { database, topics } = this.#context;
    const topic = this.#topic;
    const bytes = pieces.length === 1 ? pieces[0].bytes : concat(pieces.map((piece) => piece.bytes));
    const count = pieces.reduce((sum, piece) => sum + piece.count, 0);
    const { dueMs } = pieces[0];
    const parts = partsOf(bytes);
    const timestamp = this.#context.timestamp();
    const shape = { count, parts: parts.length, sizeBytes: bytes.length, dueMs, timestamp };
    const entry = encodeEntry(shape);
    for (const _try of database.tries()) {
      const { check } = await topics.make(topic);
      const versionstamp = await database.commit((operation) => {
        const place = database.versionstamp();
        operation.check(check).set([...entryPrefix(topic, dueMs), place], entry);
        parts.forEach((part, i) => operation.set([...partPrefix(topic, i), place], part));
        operation.sum(topicCountKey(topic, "messages"), BigInt(count));
        operation.sum(topicCountKey(topic, "bytes"), BigInt(bodiesLength(shape)));
      });
      if (versionstamp !== undefined) return;
      // Somebody has changed the topic, or deleted it.
      topics.forget(topic);
    }
    throw unavailable();
  }
}

/** The pieces of a batch, each as large as a chunk may be. @throws {HttpError} If a message is too large for any. */
export function piecesOf(block: Uint8Array): BatchPiece[] {
  try {
    return [...batchPieces(block)];
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new HttpError(413, "BAD_MESSAGE", { cause });
  }
}
