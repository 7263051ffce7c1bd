/**
 * The way out of service: from now on no message is taken and no topic made, discovery forgets this nsqd, consumers finish what
 * there is, and then it ends.
 *
 * ```
 *  begin() ─▶ gone from discovery ─┐
 *        └──▶ all of it on the disk ┴─▶ looked at every 200 ms ──▶ over: nothing is left,
 *                                                                  or nothing that anybody could finish,
 *                                                                  or time is up
 * ```
 *
 * What is left then stays on the disk, if there is one, and is there at the next start: nothing is lost by a drain, and nothing by ending it
 * early. It is all on the disk from the beginning, in case a supervisor has less patience than this.
 *
 * Not everything can be waited for. Messages of a topic without a channel, of a channel without a consumer, and of what is paused
 * are finished by nobody: they are waited for only as long as a consumer may take to come back. A deferred one is waited for if
 * the first of all of them is due before time is up.
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { TimeSlice } from "../base/time_slice.ts";
import type { Timers } from "../base/timers.ts";
import type { Topic } from "../broker/topic.ts";
import { bool, duration } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";

/** How often it is looked at what is left. */
const LOOK_INTERVAL_MS = 200;
/** How often the log says so. */
const REPORT_INTERVAL_MS = 10_000;
/** How long a consumer may take to come back for messages that nobody else would finish. */
export const RETURN_TIME_MS = 5000;
/** The log names so many topics. */
export const TOPICS_TOLD_MAX = 5;
const MINUTE_MS = 60_000;

/** The table. */
export const DRAIN_OPTIONS = {
  drainOnStop: option({
    flag: "drain-on-stop",
    kind: bool,
    default: false,
    description:
      "Let consumers finish what there is before the stop that SIGTERM or SIGINT asks for, and take no more messages; another such signal stops at once.",
  }),
  drainTimeoutMs: option({
    flag: "drain-timeout",
    kind: duration,
    default: 5 * MINUTE_MS,
    description:
      "How long a drain may take (--drain-on-stop, POST /drain); what is left then stays on the disk; 0 is no limit.",
  }),
};

/** What a drain is configured with. */
export type DrainOptions = OptionsOf<typeof DRAIN_OPTIONS>;

/** What a drain works with. */
export interface DrainContext {
  readonly logger: Logger;
  readonly timers: Timers;
  readonly options: Pick<DrainOptions, "drainTimeoutMs">;
  readonly topics: ReadonlyMap<string, Topic>;
  /** When the first deferred message is due, by the monotonic clock of `timers`; Infinity if there is none. */
  readonly nextDueMs: () => number;
  /** Takes this nsqd out of discovery. */
  readonly leave: () => Promise<void>;
  /** Puts on the disk what is in memory only; absent where there is none. */
  readonly spill: (() => Promise<void>) | undefined;
}

/** How far it is, as `/health/ready` shows it. */
export interface DrainProgress {
  /** Messages that are there, of each channel its own. */
  readonly messages_left: number;
  readonly topics_left: number;
  /** Of these messages, those that consumers hold. */
  readonly in_flight: number;
  readonly deferred: number;
  /** Those that nobody is there to finish. */
  readonly unattended: number;
  /** Absent without a limit. */
  readonly seconds_left: number | undefined;
}

interface Count {
  left: number;
  inFlight: number;
  deferred: number;
  /** Deferred ones that somebody is there for. */
  attendedDeferred: number;
  unattended: number;
  /** Topics that have some. */
  topics: number;
  /** Those with the most, the first of them with the most of all. */
  readonly largest: { readonly name: string; readonly left: number }[];
}

/** Why publishers are refused, in NSQ's word. */
const EXITING = "exiting";

/** The drain of one nsqd, which may never begin. */
export class Drain {
  readonly #context: DrainContext;
  readonly #over = Promise.withResolvers<void>();
  #beginMs: number | undefined;
  #count = emptyCount();
  #reportMs = 0;
  /** Since when only what nobody finishes has been left. */
  #aloneMs = Infinity;

  constructor(context: DrainContext) {
    this.#context = context;
  }

  /** True from its beginning on. */
  get isOn(): boolean {
    return this.#beginMs !== undefined;
  }

  /** Why no message can be taken, while that is so. */
  get refusal(): string | undefined {
    return this.#beginMs === undefined ? undefined : EXITING;
  }

  /** Settles when it is over: nsqd is to stop then. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** How far it is; undefined before it has begun. */
  get progress(): DrainProgress | undefined {
    if (this.#beginMs === undefined) return undefined;
    const { left, topics, inFlight, deferred, unattended } = this.#count;
    const leftMs = this.#endMs - this.#context.timers.monotonicMs();
    return {
      messages_left: left,
      topics_left: topics,
      in_flight: inFlight,
      deferred,
      unattended,
      seconds_left: leftMs === Infinity ? undefined : Math.max(Math.ceil(leftMs / 1000), 0),
    };
  }

  /** From now on nothing is taken any more; `run` does the rest. False if that was so already. */
  begin(): boolean {
    if (this.#beginMs !== undefined) return false;
    this.#beginMs = this.#reportMs = this.#context.timers.monotonicMs();
    return true;
  }

  /** Waits until it is over, or the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, timers, leave } = this.#context;
    this.#count = await this.#look();
    const limit = this.#endMs === Infinity
      ? ""
      : `, for ${formatDuration(this.#context.options.drainTimeoutMs)} at most`;
    logger.info(`DRAIN: no more messages are taken${limit}; ${this.#text()}`);
    // Neither is waited for: what hangs is not to outlast the limit.
    const prepared = Promise.all([leave(), this.#spill()]);
    while (!signal.aborted) {
      this.#count = await this.#look();
      if (this.#isOver()) break;
      this.#report();
      await timers.sleep(LOOK_INTERVAL_MS, signal);
    }
    const { left } = this.#count;
    const why = signal.aborted ? "ended" : "done";
    logger.info(`DRAIN: ${why}; ${this.#text()}${left === 0 ? "" : this.#fate}`);
    this.#over.resolve();
    await prepared;
  }

  get #endMs(): number {
    const { drainTimeoutMs } = this.#context.options;
    return drainTimeoutMs > 0 && this.#beginMs !== undefined ? this.#beginMs + drainTimeoutMs : Infinity;
  }

  #isOver(): boolean {
    const nowMs = this.#context.timers.monotonicMs();
    const { left, unattended, attendedDeferred } = this.#count;
    if (left === 0 || nowMs >= this.#endMs) return true;
    const beyond = this.#context.nextDueMs() > this.#endMs ? attendedDeferred : 0;
    if (left > unattended + beyond) this.#aloneMs = Infinity;
    else this.#aloneMs = Math.min(this.#aloneMs, nowMs);
    return nowMs - this.#aloneMs >= RETURN_TIME_MS;
  }

  async #look(): Promise<Count> {
    const slice = new TimeSlice();
    const count = emptyCount();
    for (const topic of this.#context.topics.values()) {
      countTopic(topic, count);
      if (slice.isOver) await slice.next();
    }
    return count;
  }

  async #spill(): Promise<void> {
    try {
      await this.#context.spill?.();
    } catch (error) {
      // It is tried again at the stop.
      this.#context.logger.error(`DRAIN: failed to put messages on the disk - ${errorText(error)}`);
    }
  }

  /** What becomes of those that are left. */
  get #fate(): string {
    return this.#context.spill === undefined ? ", which are lost" : ", which stay on the disk";
  }

  #report(): void {
    const nowMs = this.#context.timers.monotonicMs();
    if (nowMs - this.#reportMs < REPORT_INTERVAL_MS) return;
    this.#reportMs = nowMs;
    this.#context.logger.info(`DRAIN: ${this.#text()}`);
  }

  #text(): string {
    const { left, inFlight, deferred, unattended, topics, largest } = this.#count;
    if (left === 0) return "no message is left";
    const names = largest.map(({ name, left }) => `${name} ${left}`).join(", ");
    const more = topics > largest.length ? ` and ${topics - largest.length} more topics` : "";
    return `${left} messages are left (${inFlight} in flight, ${deferred} deferred, ` +
      `${unattended} that nobody consumes): ${names}${more}`;
  }
}

function emptyCount(): Count {
  return { left: 0, inFlight: 0, deferred: 0, attendedDeferred: 0, unattended: 0, topics: 0, largest: [] };
}

function countTopic(topic: Topic, count: Count): void {
  const before = count.left;
  count.left += topic.depth;
  // With channels it is on its way to them.
  if (topic.channels.size === 0 || topic.paused) count.unattended += topic.depth;
  for (const { depth, inFlightCount, deferredCount, consumers, paused } of topic.channels.values()) {
    count.left += depth + inFlightCount + deferredCount;
    count.inFlight += inFlightCount;
    count.deferred += deferredCount;
    if (consumers.size === 0 || paused) count.unattended += depth + deferredCount;
    else count.attendedDeferred += deferredCount;
  }
  if (count.left > before) tell(count, { name: topic.name, left: count.left - before });
}

/** There may be a million topics: they are not sorted for the sake of a few. */
function tell(count: Count, topic: Count["largest"][number]): void {
  count.topics++;
  const { largest } = count;
  const at = largest.findIndex(({ left }) => left < topic.left);
  largest.splice(at < 0 ? largest.length : at, 0, topic);
  if (largest.length > TOPICS_TOLD_MAX) largest.pop();
}
