/**
 * The runtime's inspector, which SIGUSR1 opens under `deno run`, whoever listens to the signal (Deno 2.9.6; a compiled
 * program does not). Every user of the machine could carry out code through it.
 *
 * @module
 */

import type { Logger } from "./logger.ts";

/** What it is looked at with; it is loaded when the program has begun. */
type Inspector = typeof import("node:inspector");

/** It opens a little later than the signal is heard of: it is looked for so often, and for so long. */
const LOOK_INTERVAL_MS = 5;
const LOOK_FOR_MS = 1000;
/** When it is found out whether one is open already: after what whoever waits for the program to begin waits for. */
const FIRST_LOOK_MS = 1000;

/** Closes an inspector that nobody has asked for. */
export class InspectorGuard implements Disposable {
  readonly #logger: Logger;
  /** Somebody has: `--inspect`. Undefined until it is looked for. */
  #isWanted: boolean | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #untilMs = 0;
  #disposed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setTimeout(() => void this.#lookFirst(), FIRST_LOOK_MS);
  }

  /** Closes the inspector that is about to open. */
  close(): void {
    // With a signal that comes so early, nobody can tell one that is wanted.
    this.#isWanted ??= false;
    if (this.#isWanted) return;
    this.#untilMs = performance.now() + LOOK_FOR_MS;
    void this.#watch();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #lookFirst(): Promise<void> {
    const isOpenNow = isOpen(await import("node:inspector")) === true;
    this.#isWanted ??= isOpenNow;
  }

  async #watch(): Promise<void> {
    const inspector = await import("node:inspector");
    this.#rest();
    if (!this.#disposed) this.#timer = setInterval(() => this.#look(inspector), LOOK_INTERVAL_MS);
  }

  #look(inspector: Inspector): void {
    const found = isOpen(inspector);
    if (found === true) {
      inspector.close();
      this.#logger.info("SIGUSR1: closed the runtime's inspector");
    }
    if (found === undefined) {
      this.#logger.error(
        "SIGUSR1 may have opened the runtime's inspector; closing it takes the permission --allow-sys=inspector",
      );
    }
    if (found !== false || performance.now() > this.#untilMs) this.#rest();
  }
}

/** Undefined without the permission to find out. */
function isOpen(inspector: Inspector): boolean | undefined {
  try {
    return inspector.url() !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
