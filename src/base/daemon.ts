/**
 * The frame that a daemon runs in: it is started, and stopped in order by a signal, by a task that fails or by an
 * error that nobody has caught. Knows no daemon by name, and reads no options.
 *
 * @module
 */

import { errorText } from "./error_text.ts";
import type { Logger } from "./logger.ts";

/** A program that runs until it is told to stop. */
export interface Daemon {
  /** Returns, or settles, when it runs. Throws why it cannot; everything is released then. */
  start(): Promise<void> | void;
  /** Settles with the error when a task has failed: the daemon must stop then. */
  readonly failed: Promise<Error>;
  /** Reports a fault outside of any task as that of a task of this name. */
  fail(task: string, error: unknown): void;
  /** Stops in order. */
  stop(): Promise<void>;
}

const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT"];

/** Runs a daemon until it is told to stop; the result is the exit code. */
export async function runDaemon(name: string, logger: Logger, make: () => Daemon): Promise<number> {
  // Before anything is started: an early signal stops as orderly as a late one.
  using signals = new StopSignals();
  let daemon: Daemon;
  try {
    daemon = make();
    await daemon.start();
  } catch (error) {
    logger.fatal(`failed to start ${name} - ${errorText(error)}`);
    return 1;
  }
  // What no task has caught stops the daemon in order too, and so loses nothing.
  using _faults = new UncaughtFaults((error) => daemon.fail("uncaught", error));
  const failure = await Promise.race([signals.first, daemon.failed]);
  if (failure) logger.fatal(failure.message);
  await daemon.stop();
  return failure ? 1 : 0;
}

/** Waits for the first signal to stop; a second one ends the program at once. */
class StopSignals implements Disposable {
  readonly #first = Promise.withResolvers<void>();
  #count = 0;

  constructor() {
    for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, this.#onSignal);
  }

  /** Settles with the first signal. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  [Symbol.dispose](): void {
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, this.#onSignal);
  }

  readonly #onSignal = (): void => {
    if (++this.#count > 1) Deno.exit(1);
    this.#first.resolve();
  };
}

/** Errors and rejections that nobody has handled. */
class UncaughtFaults implements Disposable {
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
    globalThis.addEventListener("error", this.#onError);
    globalThis.addEventListener("unhandledrejection", this.#onRejection);
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("error", this.#onError);
    globalThis.removeEventListener("unhandledrejection", this.#onRejection);
  }

  readonly #onError = (event: ErrorEvent): void => {
    event.preventDefault();
    this.#report(event.error);
  };

  readonly #onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.#report(event.reason);
  };
}
