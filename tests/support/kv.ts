/**
 * Deno KV databases for tests, and the queue on them, on a clock that stands still unless it is moved.
 *
 * @module
 */
import { AsyncGroup } from "../../src/base/async_group.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import type { Kv } from "../../src/nsqd/kv/database.ts";
import { KvQueue } from "../../src/nsqd/kv/kv_queue.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { FakeClock } from "./fake_clock.ts";
import { settle } from "./settle.ts";

/** As nsqd has it. */
const LOOK_INTERVAL_MS = 100;
/** Longer than any operation takes that a test does not hold. */
const TIMEOUT_MS = 10_000;

/** What is done to the operations of a database: each is called before it begins. */
export interface KvFaults {
  /** May wait, or throw, in place of the operation. */
  before?(kind: "read" | "list" | "commit"): Promise<void> | void;
  /** The operation is done: may wait, or throw, although it was. */
  after?(kind: "read" | "list" | "commit"): Promise<void> | void;
}

/** A database that knows what is under way, and fails as it is told. */
export class TestKv implements Kv {
  readonly #kv: Deno.Kv;
  faults: KvFaults = {};
  /** Operations under way. */
  pending = 0;
  /** Operations so far. */
  readonly counts = { read: 0, list: 0, commit: 0 };
  /** The most checks and mutations that a commit had. */
  readonly most = { checks: 0, mutations: 0 };

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  get<T = unknown>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    return this.#run("read", () => this.#kv.get<T>(key));
  }

  getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: Deno.KvKey }],
  ): Promise<{ [K in keyof T]: Deno.KvEntryMaybe<T[K]> }> {
    return this.#run("read", () => this.#kv.getMany<T>(keys));
  }

  list<T = unknown>(selector: Deno.KvListSelector, options?: Deno.KvListOptions): Deno.KvListIterator<T> {
    const entries = this.#kv.list<T>(selector, options);
    const next = entries.next.bind(entries);
    let isFirst = true;
    return Object.assign(entries, {
      next: () => {
        if (!isFirst) return next();
        isFirst = false;
        return this.#run("list", next);
      },
    });
  }

  atomic(): Deno.AtomicOperation {
    const operation = this.#kv.atomic();
    let [checks, mutations] = [0, 0];
    const counted = new Proxy(operation, {
      get: (target, name) => {
        if (name === "commit") {
          return () => {
            this.most.checks = Math.max(this.most.checks, checks);
            this.most.mutations = Math.max(this.most.mutations, mutations);
            return this.#run("commit", () => target.commit());
          };
        }
        return (...args: unknown[]) => {
          if (name === "check") checks += args.length;
          else mutations++;
          Reflect.apply(Reflect.get(target, name), target, args);
          return counted;
        };
      },
    });
    return counted;
  }

  commitVersionstamp(): symbol {
    return this.#kv.commitVersionstamp();
  }

  close(): void {
    this.#kv.close();
  }

  async #run<T>(kind: "read" | "list" | "commit", operation: () => Promise<T>): Promise<T> {
    this.pending++;
    this.counts[kind]++;
    try {
      await this.faults.before?.(kind);
      const result = await operation();
      await this.faults.after?.(kind);
      return result;
    } finally {
      this.pending--;
    }
  }
}

/** A queue under test, and what is behind it. */
export interface TestKvQueue extends AsyncDisposable {
  readonly queue: KvQueue;
  readonly kv: TestKv;
  readonly clock: FakeClock;
  readonly tasks: AsyncGroup;
  readonly lines: string[];
  /** Lets so much time pass, and everything happen that happens by then. */
  advance(ms: number): Promise<void>;
  /** Puts something there that is none of the queue's. */
  damage(key: Deno.KvKey, value: unknown): Promise<void>;
}

/** An instance on the database; its clock may be off. */
export function kvQueue(
  opened: Deno.Kv,
  given: { readonly options?: Partial<NsqdOptions>; readonly clock?: FakeClock } = {},
): TestKvQueue {
  const { clock = new FakeClock(), options = {} } = given;
  const kv = new TestKv(opened);
  const tasks = new AsyncGroup();
  const lines: string[] = [];
  const queue = new KvQueue({
    kv,
    clock,
    logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write: (line) => lines.push(line) }),
    options: { ...defaultOptions(NSQD_OPTIONS), kvTimeoutMs: TIMEOUT_MS, ...options },
    tasks,
    sleep: () => settle(),
  });
  return {
    queue,
    kv,
    clock,
    tasks,
    lines,
    async advance(ms) {
      // A second at a time is enough for what takes minutes.
      const stepMs = Math.max(LOOK_INTERVAL_MS, Math.ceil(ms / 60));
      await idle(kv);
      for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
        clock.advance(Math.min(leftMs, stepMs));
        queue.look();
        await idle(kv);
      }
    },
    async damage(key, value) {
      await opened.set(key, value);
    },
    async [Symbol.asyncDispose]() {
      queue.stopDelivery();
      await tasks.stop();
    },
  };
}

/** Waits until nothing is under way. */
export async function idle(...databases: readonly TestKv[]): Promise<void> {
  for (let quiet = 0; quiet < 2;) {
    await settle();
    quiet = databases.some(({ pending }) => pending > 0) ? 0 : quiet + 1;
  }
}

/** A database that is only there for a while. */
export async function withKv(
  where: ":memory:" | "file",
  use: (kv: Deno.Kv) => Promise<void>,
): Promise<void> {
  const folder = where === "file" ? await Deno.makeTempDir() : undefined;
  const kv = await Deno.openKv(folder === undefined ? where : `${folder}/kv.sqlite`);
  try {
    await use(kv);
  } finally {
    kv.close();
    if (folder !== undefined) await Deno.remove(folder, { recursive: true });
  }
}

/** Everything that a database has. */
export async function allKeys(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  const keys: Deno.KvKey[] = [];
  for await (const { key } of kv.list({ prefix: [] })) keys.push(key);
  return keys;
}

/** Lets nobody pass before so many have arrived; then everybody. */
export class Barrier {
  readonly #count: number;
  readonly #open = Promise.withResolvers<void>();
  readonly #arrivals: { count: number; done: PromiseWithResolvers<void> }[] = [];
  #arrived = 0;

  constructor(count: number) {
    this.#count = count;
  }

  get isOpen(): boolean {
    return this.#arrived >= this.#count;
  }

  /** Arrives, and waits for the others. */
  arrive(): Promise<void> {
    this.#arrived++;
    for (const { count, done } of this.#arrivals) if (this.#arrived >= count) done.resolve();
    if (this.isOpen) this.#open.resolve();
    return this.#open.promise;
  }

  /** Settles when so many have arrived. */
  reached(count: number): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#arrivals.push({ count, done });
    if (this.#arrived >= count) done.resolve();
    return done.promise;
  }
}
