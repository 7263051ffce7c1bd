/**
 * What signals mean to a daemon:
 *
 * | | |
 * | --- | --- |
 * | SIGTERM, SIGINT | stop in order; more of them change nothing, but end what is done before the stop |
 * | SIGINT on a terminal, some seconds after the first | end at once: somebody is there, and does not want to wait |
 * | SIGHUP | read files again; stop in order when the terminal is gone that the daemon was started on |
 * | others that would end the process, by chance or by mistake | nothing |
 *
 * @module
 */

import { formatDuration } from "./duration.ts";
import { errorText } from "./error_text.ts";
import { InspectorGuard } from "./inspector_guard.ts";
import type { Logger } from "./logger.ts";

/** What signals come from, and what a process can do about them; tests stand in for it. */
export interface SignalWorld {
  readonly listen: (signal: Deno.Signal, listener: () => void) => void;
  readonly unlisten: (signal: Deno.Signal, listener: () => void) => void;
  /** True while the process has a terminal. */
  readonly hasTerminal: () => boolean;
  readonly monotonicMs: () => number;
  readonly exit: (code: number) => void;
}

const WORLD: SignalWorld = {
  listen: Deno.addSignalListener,
  unlisten: Deno.removeSignalListener,
  hasTerminal: () => Deno.stdin.isTerminal(),
  monotonicMs: () => performance.now(),
  exit: Deno.exit,
};

/** So long after the first SIGINT another one is meant. */
export const IMPATIENT_AFTER_MS = 3000;
/** Signals that come together are one: whoever runs a program in a program may pass on what both have got. */
export const AGAIN_AFTER_MS = 500;
/** How long the last line may take to get out. */
const LAST_LINE_MS = 500;

/**
 * These end a process that does not listen to them, and Go's take no notice of them. SIGPIPE is not among them: the runtime
 * passes it over from the beginning, but not any more once somebody has listened to it and stopped (Deno 2.9.6).
 */
const PASSED_OVER: readonly Deno.Signal[] = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGIO",
  "SIGPWR",
];

/** Listens to signals until it is disposed of. */
export class Signals implements Disposable {
  readonly #logger: Logger;
  readonly #world: SignalWorld;
  readonly #listeners: ReadonlyMap<Deno.Signal, () => void>;
  /** Those that there are not. */
  readonly #unheard: Deno.Signal[] = [];
  readonly #stop = Promise.withResolvers<void>();
  readonly #inspector: InspectorGuard;
  readonly #hadTerminal: boolean;
  #stopping = false;
  /** When the last signal to stop came that counts. */
  #stopMs = 0;
  /** Settles with the next signal to stop, while it is waited for. */
  #again: PromiseWithResolvers<void> | undefined;
  #interruptedMs: number | undefined;
  #reload: (() => void) | undefined;
  #reloadIsDue = false;

  constructor(logger: Logger, world: SignalWorld = WORLD) {
    this.#logger = logger;
    this.#world = world;
    this.#hadTerminal = world.hasTerminal();
    this.#inspector = new InspectorGuard(logger);
    this.#listeners = new Map<Deno.Signal, () => void>([
      ...PASSED_OVER.map((signal) => [signal, () => {}] as const),
      // The runtime takes notice of this one.
      ["SIGUSR1", () => this.#inspector.close()],
      ["SIGTERM", () => this.#terminate()],
      ["SIGINT", () => this.#interrupt()],
      ["SIGHUP", () => this.#hangUp()],
    ]);
    for (const [signal, listener] of this.#listeners) {
      if (!this.#listen(signal, listener)) this.#unheard.push(signal);
    }
    // Which others there are differs from one system to the next.
    const unheard = this.#unheard.filter((signal) => !PASSED_OVER.includes(signal));
    if (unheard.length > 0) logger.info(`without ${unheard.join(", ")}, which this system does not have`);
  }

  /** Settles when the daemon is to stop. */
  get stop(): Promise<void> {
    return this.#stop.promise;
  }

  /** The daemon does something before it stops: settles with the next signal to stop. */
  expectAnother(): Promise<void> {
    this.#again ??= Promise.withResolvers();
    return this.#again.promise;
  }

  /** The daemon stops now; patience counts from here. */
  expectNoMore(): void {
    this.#again = undefined;
    if (this.#interruptedMs !== undefined) this.#interruptedMs = this.#world.monotonicMs();
  }

  /** Says what reads files again. A signal that has come before is not lost. */
  set reload(reload: () => void) {
    this.#reload = reload;
    if (this.#reloadIsDue) this.#hangUp();
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) {
      if (!this.#unheard.includes(signal)) this.#world.unlisten(signal, listener);
    }
    this.#inspector[Symbol.dispose]();
  }

  /** False where there is no such signal. */
  #listen(signal: Deno.Signal, listener: () => void): boolean {
    try {
      this.#world.listen(signal, listener);
      return true;
    } catch (error) {
      // Windows has four of them, and a platform that ends its instances by itself may have none.
      if (error instanceof TypeError || error instanceof Deno.errors.NotSupported) return false;
      throw error;
    }
  }

  #terminate(): void {
    const nowMs = this.#world.monotonicMs();
    if (this.#stopping && nowMs - this.#stopMs >= AGAIN_AFTER_MS) this.#again?.resolve();
    if (!this.#stopping) this.#stopMs = nowMs;
    this.#stopping = true;
    this.#stop.resolve();
  }

  #interrupt(): void {
    const nowMs = this.#world.monotonicMs();
    const firstMs = this.#interruptedMs ??= nowMs;
    this.#terminate();
    if (this.#again) return;
    if (firstMs === nowMs || !this.#world.hasTerminal()) return;
    if (nowMs - firstMs >= IMPATIENT_AFTER_MS) void this.#endAtOnce();
    else {
      const after = formatDuration(IMPATIENT_AFTER_MS);
      this.#logger.info(`still stopping; SIGINT ${after} after the first one ends at once, without saving`);
    }
  }

  async #endAtOnce(): Promise<void> {
    this.#logger.fatal("SIGINT again: ends at once, without saving");
    await this.#logger.flush(LAST_LINE_MS);
    this.#world.exit(1);
  }

  #hangUp(): void {
    if (this.#stopping) return;
    if (this.#hadTerminal && !this.#world.hasTerminal()) {
      this.#logger.info("the terminal is gone: stopping");
      this.#terminate();
      return;
    }
    this.#reloadIsDue = this.#reload === undefined;
    try {
      this.#reload?.();
    } catch (error) {
      this.#logger.error(`failed to reload - ${errorText(error)}`);
    }
  }
}
