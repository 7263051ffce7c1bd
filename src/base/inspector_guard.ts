/**
 * The runtime's inspector, which SIGUSR1 opens under `deno run`, whoever listens to the signal (Deno 2.9.6; a compiled
 * program does not). Every user of the machine could carry out code through it.
 *
 * @module
 */

import inspector from "node:inspector";
import type { Logger } from "./logger.ts";

/** It opens a little later than the signal is heard of: it is looked for so often, and for so long. */
const LOOK_INTERVAL_MS = 5;
const LOOK_FOR_MS = 1000;

/** Closes an inspector that nobody has asked for. */
export class InspectorGuard implements Disposable {
  readonly #logger: Logger;
  /** Somebody has: `--inspect`. */
  readonly #isWanted: boolean;
  #timer: ReturnType<typeof setInterval> | undefined;
  #untilMs = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#isWanted = isOpen() === true;
  }

  /** Closes the inspector that is about to open. */
  close(): void {
    if (this.#isWanted) return;
    this.#untilMs = performance.now() + LOOK_FOR_MS;
    this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const found = isOpen();
    if (found === true) {
      inspector.close();
      this.#logger.info("SIGUSR1: closed the runtime's inspector");
    }
    if (found === undefined) {
      this.#logger.error(
        "SIGUSR1 may have opened the runtime's inspector; closing it takes the permission --allow-sys=inspector",
      );
    }
    if (found !== false || performance.now() > this.#untilMs) this[Symbol.dispose]();
  }
}

/** Undefined without the permission to find out. */
function isOpen(): boolean | undefined {
  try {
    return inspector.url() !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
