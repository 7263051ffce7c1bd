/**
 * Chunks that were read: they never change, and their messages are often asked for a few at a time, and by several channels.
 *
 * @module
 */
import { type Chunk, type ChunkEntry, chunkOf } from "./chunk.ts";
import type { Database } from "./database.ts";
import { partPrefix } from "./keys.ts";

/** Bytes of chunks that are kept. */
export const CACHE_BYTES_MAX = 32 * 1024 * 1024;

/** Keeps them, and forgets those that were not asked for the longest. */
export class ChunkCache {
  readonly #database: Database;
  readonly #chunks = new Map<string, Promise<Chunk | undefined>>();
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The chunk, `undefined` when it is gone. @throws {HttpError} */
  get(topic: string, versionstamp: string, entry: ChunkEntry): Promise<Chunk | undefined> {
    // No name has a space in it.
    const name = `${topic} ${versionstamp}`;
    const cached = this.#chunks.get(name);
    if (cached !== undefined) {
      this.#chunks.delete(name);
      this.#chunks.set(name, cached);
      return cached;
    }
    const chunk = this.#read(topic, versionstamp, entry);
    this.#chunks.set(name, chunk);
    this.#sizes.set(name, entry.sizeBytes);
    this.#bytes += entry.sizeBytes;
    chunk.catch(() => this.#forget(name));
    this.#shrink();
    return chunk;
  }

  async #read(topic: string, versionstamp: string, entry: ChunkEntry): Promise<Chunk | undefined> {
    const keys = Array.from({ length: entry.parts }, (_, i) => [...partPrefix(topic, i), versionstamp]);
    const parts = await this.#database.get(...keys);
    if (parts.every(({ value }) => value === null)) return undefined;
    return chunkOf(entry, parts.map(({ value }) => value));
  }

  #shrink(): void {
    for (const name of this.#chunks.keys()) {
      if (this.#bytes <= CACHE_BYTES_MAX || this.#chunks.size === 1) return;
      this.#forget(name);
    }
  }

  #forget(name: string): void {
    if (!this.#chunks.delete(name)) return;
    this.#bytes -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
  }
}
