/**
 * The frame that a daemon runs in: it is started, and stopped in order by a signal, by a task that fails or by an
 * error that nobody has caught; its log is written to the end then. Knows no daemon by name, and reads no options.
 *
 * @module
 */

import { variablesInForce } from "./environment.ts";
import { errorText } from "./error_text.ts";
import type { Logger } from "./logger.ts";
import { Signals } from "./signals.ts";

/** A program that runs until it is told to stop. */
export interface Daemon {
  /** Returns, or settles, when it runs. Throws why it cannot; everything is released then. */
  start(): Promise<void> | void;
  /** Settles with the error when a task has failed: the daemon must stop then. */
  readonly failed: Promise<Error>;
  /** Reports a fault outside of any task as that of a task of this name. */
  fail(task: string, error: unknown): void;
  /** Reads the files again that can change while it runs. @throws {Error} Why nothing has changed. */
  reload(): void;
  /** Stops in order. */
  stop(): Promise<void>;
}

/** How long whoever reads the log may take for what is still to be written when the daemon ends. */
const LOG_TIMEOUT_MS = 2000;

/** Runs a daemon until it is told to stop; the result is the exit code. */
export async function runDaemon(name: string, logger: Logger, make: () => Daemon): Promise<number> {
  // Before anything is started: an early signal stops as orderly as a late one.
  using signals = new Signals(logger);
  const code = await run(signals, { name, logger, make });
  await logger.flush(LOG_TIMEOUT_MS);
  return code;
}

async function run(
  signals: Signals,
  { name, logger, make }: { name: string; logger: Logger; make: () => Daemon },
): Promise<number> {
  const inForce = variablesInForce();
  if (inForce.length > 0) {
    logger.warn(
      `variables of the environment may change what is done; to prevent it, --allow-env=${inForce}`,
    );
  }
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
  signals.reload = () => daemon.reload();
  const failure = await Promise.race([signals.stop, daemon.failed]);
  if (failure) logger.fatal(failure.message);
  await daemon.stop();
  return failure ? 1 : 0;
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
