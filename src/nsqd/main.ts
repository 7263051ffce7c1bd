/**
 * nsqd's entry: reads its options, runs the daemon, and stops it on a signal.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { Logger } from "../base/logger.ts";
import { Nsqd } from "./nsqd.ts";
import { loadNsqdOptions } from "./options.ts";

const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT"];

/** Runs nsqd until it is told to stop; the result is the exit code. */
export async function runNsqd(args: readonly string[]): Promise<number> {
  const start = loadNsqdOptions(args);
  if (start.kind === "exit") {
    if (start.code === 0) console.log(start.text);
    else console.error(start.text);
    return start.code;
  }
  const { logPrefix, logLevel } = start.options;
  const logger = new Logger({ prefix: logPrefix, level: logLevel });
  for (const warning of start.warnings) logger.warn(warning);

  // Before anything is started: an early signal stops as orderly as a late one.
  using signals = new StopSignals();
  let nsqd: Nsqd;
  try {
    nsqd = new Nsqd(start, logger);
    await nsqd.start();
  } catch (error) {
    logger.fatal(`failed to start nsqd - ${errorText(error)}`);
    return 1;
  }
  // What no task has caught stops the daemon in order too, and so loses nothing.
  using _faults = new UncaughtFaults((error) => nsqd.fail("uncaught", error));
  const failure = await Promise.race([signals.first, nsqd.failed]);
  if (failure) logger.fatal(failure.message);
  await nsqd.stop();
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
