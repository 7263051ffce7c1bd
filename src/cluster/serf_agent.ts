/**
 * Keeps a `serf agent` running: started, started again after a while when it ends, the longer the more often it
 * does, and made to leave the cluster when it is no longer needed.
 *
 * ```
 *  start ──▶ running ──▶ leaving ──▶ end            the signal aborts
 *    ▲  │       │
 *    │  │ too   │ ends by itself
 *    │  │ slow  │
 *    └──┴───────┴── wait: 1 s, 2 s, 4 s … 1 min
 * ```
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { formatDuration } from "../base/duration.ts";
import { errorText } from "../base/error_text.ts";
import { Latch } from "../base/latch.ts";
import type { Logger } from "../base/logger.ts";
import { SYSTEM_TIMERS, type Timers, within } from "../base/timers.ts";
import { SerfClient, type SerfEndpoint } from "./serf_client.ts";
import { SerfError } from "./serf_records.ts";
import { type SerfAgentOptions, SerfProcess } from "./serf_process.ts";

export type { SerfAgentOptions } from "./serf_process.ts";

/** How long after its end an agent is started again, at first and at most. */
const RESTART_DELAY_MIN_MS = 1000;
const RESTART_DELAY_MAX_MS = 60_000;
/** An agent that has run for so long ends for a new reason. */
const STABLE_AFTER_MS = 60_000;
/** How long an agent may take until it accepts requests. */
const START_TIMEOUT_MS = 15_000;
/** How long an agent may take to leave. It takes a second at least, for others to know. */
const LEAVE_TIMEOUT_MS = 5000;

/** An agent of our own. */
export class SerfAgent {
  readonly #options: SerfAgentOptions;
  readonly #logger: Logger;
  readonly #timers: Timers;
  readonly #backoff = new Backoff({ minMs: RESTART_DELAY_MIN_MS, maxMs: RESTART_DELAY_MAX_MS });
  readonly #endpoint = new Latch<SerfEndpoint>();
  #problem: string | undefined;
  #restartCount = 0;
  #pid: number | undefined;
  #retired = false;

  constructor(options: SerfAgentOptions, context: { logger: Logger; timers?: Timers }) {
    this.#options = options;
    this.#logger = context.logger;
    this.#timers = context.timers ?? SYSTEM_TIMERS;
  }

  /** Why there is none running; `undefined` while there is one, and before the first has been started. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** How often it had to be started again. */
  get restartCount(): number {
    return this.#restartCount;
  }

  /** Its process, while there is one. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Where it takes requests, as soon as it does; `undefined` when there will be none any more. */
  endpoint(): Promise<SerfEndpoint | undefined> {
    return this.#endpoint.get();
  }

  /** It will soon be made to leave: should it end before, that is no fault, and it is not started again. */
  retire(): void {
    this.#retired = true;
  }

  /** Runs agents until the signal aborts; settles when the last one has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<"aborted">((resolve) => {
      signal.addEventListener("abort", () => resolve("aborted"), { once: true });
    });
    for (; !signal.aborted && !this.#retired; this.#restartCount++) {
      const startMs = this.#timers.monotonicMs();
      const problem = await this.#runOnce(signal, aborted);
      if (signal.aborted || this.#retired) break;
      this.#problem = problem;
      if (this.#timers.monotonicMs() - startMs >= STABLE_AFTER_MS) this.#backoff.reset();
      const delayMs = this.#backoff.next();
      this.#logger.error(`SERF: ${problem}; trying again in ${formatDuration(delayMs)}`);
      await this.#timers.sleep(delayMs, signal);
    }
    this.#endpoint.end();
  }

  /** Runs one agent to its end; why it has ended. */
  async #runOnce(signal: AbortSignal, aborted: Promise<"aborted">): Promise<string> {
    let process: SerfProcess;
    try {
      process = await SerfProcess.start(this.#options, this.#logger);
    } catch (error) {
      return `cannot start an agent - ${errorText(error)}`;
    }
    this.#pid = process.pid;
    try {
      const first = Promise.race([process.running, process.ended, aborted]);
      const state = await within(this.#timers, START_TIMEOUT_MS, first);
      if (state === undefined) {
        process.signal("SIGKILL");
        await process.ended;
        return `agent was not ready within ${formatDuration(START_TIMEOUT_MS)}`;
      }
      if (state === "running") await this.#serve(process, aborted);
      if (signal.aborted) await this.#leave(process);
      return await process.ended;
    } finally {
      this.#pid = undefined;
    }
  }

  async #serve(process: SerfProcess, aborted: Promise<unknown>): Promise<void> {
    this.#problem = undefined;
    this.#logger.info(`SERF: agent ${process.pid} runs`);
    this.#endpoint.set(process.endpoint);
    await Promise.race([process.ended, aborted]);
    this.#endpoint.clear();
  }

  async #leave(process: SerfProcess): Promise<void> {
    process.leaving();
    const asked = this.#askToLeave(process);
    if (await within(this.#timers, LEAVE_TIMEOUT_MS, process.ended) === undefined) {
      this.#logger.error(`SERF: agent has not left within ${formatDuration(LEAVE_TIMEOUT_MS)}`);
      process.signal("SIGKILL");
      await process.ended;
    }
    await asked;
  }

  /** Not by a signal: a service manager may have sent it one already, and at a second one it would not leave. */
  async #askToLeave(process: SerfProcess): Promise<void> {
    let client: SerfClient;
    try {
      client = await SerfClient.connect(process.endpoint);
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      return process.signal("SIGINT");
    }
    try {
      await client.leave();
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      this.#logger.debug(`SERF: ${error.message}`);
    } finally {
      await client.close();
    }
  }
}
