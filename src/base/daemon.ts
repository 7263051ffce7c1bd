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
import { UncaughtFaults } from "./uncaught_faults.ts";

/** A program that runs until it is told to stop. */
export interface Daemon {
  /** Returns, or settles, when it runs. Throws why it cannot; everything is released then. */
  start(): Promise<void> | void;
  /** Settles with the error when a task has failed: the daemon must stop then. */
  readonly failed: Promise<Error>;
  /** Settles when it has nothing more to do, and is to stop. @default {never} */
  readonly finished?: Promise<void>;
  /**
   * Does what is to be done before a stop that a signal asks for, and settles when that is over; another signal, or a fault,
   * lets the daemon be stopped before. @default {nothing}
   */
  finish?(): Promise<void>;
  /** Reports a fault outside of any task as that of a task of this name. */
  fail(task: string, error: unknown): void;
  /** Reads the files again that can change while it runs. @throws {Error} Why nothing has changed. */
  reload(): void;
  /** Stops in order. */
  stop(): Promise<void>;
  /** How long that may take before the process ends all the same, in ms; without it, as long as it takes. */
  readonly stopLimitMs?: number | undefined;
}

const NEVER = new Promise<void>(() => {});

/** How long whoever reads the log may take for what is still to be written when the daemon ends. */
const LOG_TIMEOUT_MS = 2000;
/** The same where there is a limit for the stop, beyond it. */
const LAST_LINES_MS = 500;

/** Runs a daemon until it is told to stop; the result is the exit code. */
export async function runDaemon(name: string, logger: Logger, make: () => Daemon): Promise<number> {
  // Before anything is started: an early signal stops as orderly as a late one.
  using signals = new Signals(logger);
  const { code, isHurried } = await run(signals, { name, logger, make });
  await logger.flush(isHurried ? LAST_LINES_MS : LOG_TIMEOUT_MS);
  return code;
}

/** How a daemon has ended. */
interface End {
  readonly code: number;
  /** There is somebody who kills it soon. */
  readonly isHurried: boolean;
}

async function run(
  signals: Signals,
  { name, logger, make }: { name: string; logger: Logger; make: () => Daemon },
): Promise<End> {
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
    return { code: 1, isHurried: false };
  }
  // What no task has caught stops the daemon in order too, and so loses nothing.
  using _faults = new UncaughtFaults((error) => daemon.fail("uncaught", error));
  signals.reload = () => daemon.reload();
  let failure = await Promise.race([signals.stop, daemon.failed, daemon.finished ?? NEVER]);
  failure ??= await finish(daemon, signals);
  if (failure) logger.fatal(failure.message);
  const { stopLimitMs } = daemon;
  const isStopped = await within(stopLimitMs, daemon.stop());
  if (!isStopped) logger.error(`not stopped in order within ${stopLimitMs}ms: ends all the same`);
  return { code: failure || !isStopped ? 1 : 0, isHurried: stopLimitMs !== undefined };
}

/** Waits for the work; false when it has not been done in that time. */
async function within(limitMs: number | undefined, work: Promise<void>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<false>((resolve) => {
    if (limitMs !== undefined) timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets the daemon finish, unless a signal says that it is enough; a failure is returned. */
async function finish(daemon: Daemon, signals: Signals): Promise<Error | void> {
  const finished = daemon.finish?.();
  if (finished === undefined) return undefined;
  const again = signals.expectAnother();
  const failure = await Promise.race([finished, again, daemon.failed]);
  signals.expectNoMore();
  return failure;
}
