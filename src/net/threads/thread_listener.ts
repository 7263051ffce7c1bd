/**
 * Listening with threads of their own for connections: each thread accepts, reads, writes, decrypts and (de)compresses some of them,
 * and hands bytes over. Who serves the connections is on the main thread, and does not know.
 *
 * ```
 *             ┌─ thread: accept, TLS, deflate, snappy ─┐  up: ring of records
 *   clients ──┤  (the system deals connections out)    ├══════════════════════▶ ThreadConnection ─▶ session
 *             └─ thread …                              ┘ ◀══════════════════════
 *                                                         down: ring of records
 * ```
 *
 * How many connections there may be is counted here, for all threads: a thread reads nothing of a connection before it is let in. A
 * thread that ends takes its connections with it, and another takes its place.
 *
 * @module
 */

import type { AsyncGroup } from "../../base/async_group.ts";
import { errorText } from "../../base/error_text.ts";
import { Seldom } from "../../base/seldom.ts";
import type { Address } from "../../config/address.ts";
import { Admission, type ConnectionLimits } from "../admission.ts";
import type { Connection } from "../connection.ts";
import { admit, ConnectionListener, type ListenerClient, type Listening } from "../listener.ts";
import { Bell, bellMemory } from "./bell.ts";
import { IoThread, type IoThreadOwner } from "./io_thread.ts";
import { writeWindow } from "./records.ts";
import type { ThreadConnection } from "./thread_connection.ts";

/** How long a thread may take until it is there, and until it listens, in ms: much, for a machine that does other things, too. */
const START_TIMEOUT_MS = 120_000;
/** One that has ended sooner after its start is not started again at once, but after so long, in ms. */
const RESTART_PAUSE_MS = 1000;
/** How long threads may take to end, once they are told to, in ms. */
const STOP_TIMEOUT_MS = 5000;

/** Garbage is collected so often at most, in ms. */
const COLLECT_INTERVAL_MS = 5000;

type TcpAddress = Extract<Address, { kind: "tcp" }>;
const NO_LIMITS: ConnectionLimits = { max: 0, perAddressMax: 0 };

/** What threads are started with. */
export interface ThreadsOptions {
  readonly threads: number;
  readonly logger: IoThreadOwner["logger"];
  /** Bytes that may wait for one client to read them; a part of them does so in its thread. */
  readonly outputMax: number;
}

/** Listens on a TCP address with threads. */
export class ThreadListener implements Listening {
  readonly #logger: IoThreadOwner["logger"];
  readonly #writeWindow: number;
  readonly #bellMemory = bellMemory();
  readonly #bell = new Bell(this.#bellMemory);
  readonly #threads = new Map<IoThread, { readonly startedMs: number }>();
  readonly #running: Promise<void>;
  readonly #restarts = new Set<ReturnType<typeof setTimeout>>();
  readonly #refused: Seldom;
  #listens: { readonly address: TcpAddress; readonly text: string } | undefined;
  #admission = new Admission(NO_LIMITS);
  #serving: { readonly group: AsyncGroup; readonly client: ListenerClient<ThreadConnection> } | undefined;
  /** A thread has ended before there was anything to serve. */
  #lost: Error | undefined;
  /** Who has come in this pass, and who in the one before. */
  #arrived: ThreadConnection[] = [];
  #waiting: ThreadConnection[] = [];
  #closed = false;
  #collectDueMs = 0;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;

  /** Starts threads, which do nothing yet. @throws {Error} If they cannot be had. */
  static async start(options: ThreadsOptions): Promise<ThreadListener> {
    const problem = runtimeProblem();
    if (problem !== undefined) throw new Error(problem);
    const listener = new ThreadListener(options);
    try {
      await inTime("start", Array.from({ length: options.threads }, () => listener.#startOne()));
    } catch (error) {
      listener.close();
      throw error;
    }
    return listener;
  }

  private constructor({ logger, outputMax }: ThreadsOptions) {
    this.#logger = logger;
    this.#writeWindow = writeWindow(outputMax);
    this.#refused = new Seldom((text) => logger.warn(`TCP: ${text}`));
    this.#running = this.#run();
  }

  /** Listens on a TCP address. @throws {Error} If it cannot; it is to be closed then. */
  async listen(
    address: TcpAddress,
    limits: ConnectionLimits = NO_LIMITS,
  ): Promise<void> {
    if (this.#lost) throw this.#lost;
    const isAny = address.port === 0;
    // It is alone that tells whether the port is taken: those who share one do so with whoever does as well. A port that was free
    // is shared from the beginning, so that nobody else can have it meanwhile.
    const first = new ConnectionListener(address, { reusePort: isAny });
    try {
      const { text, port } = first;
      if (!isAny) first.close();
      this.#admission = new Admission(limits);
      this.#listens = { address: { ...address, port }, text };
      await inTime("listen", [...this.#threads.keys()].map((thread) => thread.listen({ ...address, port })));
    } finally {
      first.close();
    }
  }

  get text(): string {
    return this.#listens?.text ?? "";
  }

  get port(): number {
    return this.#listens?.address.port ?? -1;
  }

  get admission(): Pick<Admission, "count" | "refused"> {
    return this.#admission;
  }

  async serve(group: AsyncGroup, client: ListenerClient<Connection>): Promise<void> {
    // A descriptor is free when the thread says so, which is when another connection may take its place.
    const serve = async (connection: ThreadConnection) => {
      try {
        await client.serve(connection);
      } finally {
        connection.close();
        await connection.gone;
      }
    };
    if (this.#lost) throw this.#lost;
    this.#serving = { group, client: { ...client, serve } };
    for (const thread of this.#threads.keys()) thread.accept();
    await this.#running;
    clearTimeout(this.#stopTimer);
  }

  /** Has the threads free what nothing refers to any more, now and then: their connections wait while they do. */
  collectGarbage(): void {
    const nowMs = performance.now();
    if (nowMs < this.#collectDueMs) return;
    this.#collectDueMs = nowMs + COLLECT_INTERVAL_MS;
    for (const thread of this.#threads.keys()) thread.collectGarbage();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const thread of this.#threads.keys()) thread.stop();
    if (this.#serving) this.#stopTimer = setTimeout(() => this.#terminate(), STOP_TIMEOUT_MS);
    else this.#terminate();
    // There may be no thread any more that would.
    this.#bell.ring();
  }

  /**
   * Works on what threads bring, until there are none and there will be none. Who has come is let in a pass later, when all is known
   * that was before, on other threads, too: a client that comes again as soon as it has gone finds its place free.
   */
  async #run(): Promise<void> {
    const isBusy = () =>
      this.#isOver || this.#arrived.length + this.#waiting.length > 0 ||
      [...this.#threads.keys()].some((thread) => thread.isBusy);
    while (!this.#isOver) {
      for (const connection of this.#waiting) this.#admit(connection);
      this.#waiting = this.#arrived;
      this.#arrived = [];
      for (const thread of this.#threads.keys()) thread.take();
      await this.#bell.rest(isBusy);
    }
  }

  #terminate(): void {
    for (const thread of this.#threads.keys()) thread.terminate();
    this.#threads.clear();
    this.#bell.ring();
  }

  get #isOver(): boolean {
    return this.#closed && this.#threads.size === 0;
  }

  async #startOne(): Promise<void> {
    const thread = new IoThread({
      mainBell: this.#bellMemory,
      logger: this.#logger,
      writeWindow: this.#writeWindow,
      opened: (connection) => void this.#arrived.push(connection),
      died: (thread, reason) => this.#died(thread, reason),
      stopped: (thread) => this.#threads.delete(thread),
    });
    this.#threads.set(thread, { startedMs: performance.now() });
    await thread.started;
    if (!this.#listens || this.#closed) return;
    await thread.listen(this.#listens.address);
    if (this.#serving) thread.accept();
  }

  #admit(connection: ThreadConnection): void {
    if (this.#closed || !this.#serving) return connection.close();
    const { group, client } = this.#serving;
    admit(connection, group, client, { admission: this.#admission, refused: this.#refused });
  }

  #died(thread: IoThread, reason: string): void {
    const started = this.#threads.get(thread);
    this.#threads.delete(thread);
    this.#bell.ring();
    if (this.#closed || started === undefined) return;
    if (!this.#serving) {
      // Whoever starts it all is told.
      this.#lost = new Error(`an I/O thread has ended - ${reason}`);
      return;
    }
    // Of one that has not come so far says so who has started it.
    if (thread.accepts) {
      this.#logger.error(
        `TCP: an I/O thread has ended, with its connections; another is started - ${reason}`,
      );
    }
    const isEarly = performance.now() - started.startedMs < RESTART_PAUSE_MS;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#startOne().catch((error) => {
        // One that is told to stop before it is there has not failed.
        if (this.#closed) return;
        this.#logger.error(`TCP: an I/O thread cannot start, and is tried again - ${errorText(error)}`);
      });
    }, isEarly ? RESTART_PAUSE_MS : 0);
    this.#restarts.add(timer);
  }
}

/** Waits for threads, but not for longer than they may take. */
async function inTime(what: string, waits: readonly Promise<void>[]): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const failure = new Error(`I/O threads do not ${what} within ${START_TIMEOUT_MS / 1000} s`);
    timer = setTimeout(() => reject(failure), START_TIMEOUT_MS);
  });
  try {
    await Promise.race([Promise.all(waits), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why this runtime cannot have threads that share a port and wake each other, or `undefined` if it can. */
function runtimeProblem(): string | undefined {
  const version = Deno.version.deno;
  const [major, minor] = version.split(".").map(Number);
  // Older ones do not wake a thread from `Atomics.waitAsync` (2.6.10).
  if (major < 2 || major === 2 && minor < 9) {
    return `I/O threads need Deno 2.9, and not this one (${version})`;
  }
  // Without it, asking to share a port ends the process.
  return typeof Deno.listenDatagram === "function"
    ? undefined
    : "I/O threads need Deno's flag --unstable-net";
}
