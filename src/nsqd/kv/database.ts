/**
 * A Deno KV database, with a limit on the time of each operation. Without one, a database that is away is waited for without
 * end: the runtime's client tries again and again. What takes too long, or fails, is refused with 503; a commit that was
 * refused so may have been made all the same, and whoever asks again must not mind.
 *
 * @module
 */
import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import { Seldom } from "../../base/seldom.ts";
import { HttpError } from "../../http/http_error.ts";
import { removalsPrefix } from "./keys.ts";

/** As much of `Deno.Kv` as is used; tests put one in its place that fails. */
export type Kv = Pick<Deno.Kv, "get" | "getMany" | "list" | "atomic" | "commitVersionstamp" | "close">;

/** What is read of one key. */
export type Entry = Deno.KvEntryMaybe<unknown>;

/** Operations that may be under way although they have been given up: more than that are not begun. */
export const LATE_MAX = 100;
/** How often a commit is tried again that others have come before. */
export const TRIES_MAX = 50;
/** Keys that are read in one operation: Deno KV's own limit. */
export const KEYS_MAX = 10;
/** Entries of one list: Deno KV gets more in several operations. */
export const ENTRIES_MAX = 500;

/** How long a client should wait before it asks again, in seconds. */
const RETRY_AFTER_S = "1";

/** The database cannot be used now. */
export function unavailable(cause?: unknown): HttpError {
  return new HttpError(503, "UNAVAILABLE", { headers: [["Retry-After", RETRY_AFTER_S]], cause });
}

/** What a {@linkcode Database} is made with. */
export interface DatabaseOptions {
  readonly logger: Logger;
  /** How long an operation may take, in ms. */
  readonly timeoutMs: number;
}

/** A database. */
export class Database {
  readonly #kv: Kv;
  readonly #timeoutMs: number;
  readonly #complaints: Seldom;
  #late = 0;
  #problem: string | undefined;

  constructor(kv: Kv, { logger, timeoutMs }: DatabaseOptions) {
    this.#kv = kv;
    this.#timeoutMs = timeoutMs;
    this.#complaints = new Seldom((text) => logger.error(`KV: ${text}`));
  }

  /** What was wrong with the last operation, if anything. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Stands in a key for the versionstamp of the commit. */
  versionstamp(): symbol {
    return this.#kv.commitVersionstamp();
  }

  /** Of this moment, in the order of the keys; any number of them. @throws {HttpError} */
  async get(...keys: readonly Deno.KvKey[]): Promise<Entry[]> {
    const reads: Promise<Entry[]>[] = [];
    for (let from = 0; from < keys.length; from += KEYS_MAX) {
      const some = keys.slice(from, from + KEYS_MAX);
      reads.push(this.#limited(() => this.#kv.getMany<unknown[]>(some)));
    }
    return (await Promise.all(reads)).flat();
  }

  /** The first entries of a list, {@linkcode ENTRIES_MAX} at most. @throws {HttpError} */
  list(selector: Deno.KvListSelector, limit = ENTRIES_MAX): Promise<Deno.KvEntry<unknown>[]> {
    return this.#limited(async () => {
      const count = Math.min(limit, ENTRIES_MAX);
      return await Array.fromAsync(this.#kv.list<unknown>(selector, { limit: count, batchSize: count }));
    });
  }

  /** All entries of a list, some at a time. @throws {HttpError} */
  async *all(prefix: Deno.KvKey, start?: Deno.KvKey): AsyncGenerator<Deno.KvEntry<unknown>[]> {
    for (let from = start;;) {
      const entries = await this.list(from === undefined ? { prefix } : { prefix, start: from });
      if (entries.length > 0) yield entries;
      const last = entries.at(-1);
      if (last === undefined || entries.length < ENTRIES_MAX) return;
      from = following(last.key);
    }
  }

  /**
   * Carries out what `fill` puts into an atomic operation.
   *
   * @returns The versionstamp, or `undefined` if what was checked has changed.
   * @throws {HttpError}
   */
  async commit(fill: (operation: Deno.AtomicOperation) => void): Promise<string | undefined> {
    const result = await this.#limited(() => {
      const operation = this.#kv.atomic();
      fill(operation);
      return operation.commit();
    });
    return result.ok ? result.versionstamp : undefined;
  }

  /** Asks it something. @throws {HttpError} If it cannot be used. */
  async probe(): Promise<void> {
    await this.get(removalsPrefix());
  }

  /** Tries of what others may come before: some, but for no longer than one operation may take. */
  *tries(): Generator<void> {
    const endMs = performance.now() + this.#timeoutMs;
    for (let i = 0; i < TRIES_MAX && (i === 0 || performance.now() < endMs); i++) yield;
  }

  close(): void {
    this.#kv.close();
  }

  async #limited<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#late >= LATE_MAX) throw this.#failed(`${this.#late} operations have not been answered`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLate = false;
    const limit = new Promise<typeof LATE>((resolve) => {
      timer = setTimeout(() => resolve(LATE), this.#timeoutMs);
    });
    const settled = Promise.try(operation).finally(() => {
      if (isLate) this.#late--;
    });
    let result: T | typeof LATE;
    try {
      result = await Promise.race([settled, limit]);
    } catch (cause) {
      throw this.#failed(errorText(cause), cause);
    } finally {
      clearTimeout(timer);
    }
    if (result === LATE) {
      isLate = true;
      this.#late++;
      settled.catch(unheard);
      throw this.#failed(`not answered within ${this.#timeoutMs}ms`);
    }
    this.#problem = undefined;
    return result;
  }

  #failed(problem: string, cause?: unknown): HttpError {
    this.#problem = problem;
    this.#complaints.say(problem);
    return unavailable(cause);
  }
}

const LATE = Symbol("late");

function unheard(): void {
  // Nobody waits for it any more, and that it was late has been told.
}

/** The key right after this one: its last part is a text or a number. */
function following(key: Deno.KvKey): Deno.KvKey {
  return [...key, ""];
}
