/**
 * When a consumer takes less because its messages fail: go-nsq's machine (consumer.go, `startStopContinueBackoff`), with
 * time passed in.
 *
 * ```
 *            failure                     its time has come
 *   open ──────────────► waiting(level) ─────────────────► testing(level)
 *    ▲                        ▲  nothing counts here          │  one message is let through
 *    │ success at level 1     └──── failure: level + 1 ◄──────┤
 *    └────────────────────────────  success: level - 1 ◄──────┘  requeued without backoff: the same level
 * ```
 *
 * A level lasts for `multiplierMs` × 2^level, or a random part of that; the level does not rise above what `maxMs` allows.
 *
 * @module
 */

/** How long a consumer holds back. */
export interface BackoffOptions {
  /** @default {1000} */
  readonly multiplierMs?: number;
  /** The longest wait; 0 for no backoff at all. @default {120000} */
  readonly maxMs?: number;
  /** Whether a wait is chosen by chance below its limit. @default {false} */
  readonly jitter?: boolean;
}

/** What became of a message. */
export type Outcome = "finished" | "failed" | "requeued";

/** One consumer's. */
export class BackoffMachine {
  readonly #multiplierMs: number;
  readonly #maxMs: number;
  readonly #jitter: boolean;
  readonly #random: () => number;
  #level = 0;
  #waitMs = 0;
  /** The end of the wait, by the monotonic clock; undefined when nothing is waited for. */
  #untilMs: number | undefined;

  constructor(options: BackoffOptions = {}, random: () => number = Math.random) {
    this.#multiplierMs = options.multiplierMs ?? 1000;
    this.#maxMs = options.maxMs ?? 120_000;
    this.#jitter = options.jitter ?? false;
    this.#random = random;
  }

  get state(): "open" | "waiting" | "testing" {
    if (this.#level === 0) return "open";
    return this.#untilMs === undefined ? "testing" : "waiting";
  }

  /** How far the consumer holds back; 0 when it does not. */
  get level(): number {
    return this.#level;
  }

  /** How long the wait is that was begun last, in ms. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /** When the wait is over, by the monotonic clock. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** A message was answered; true if the state has changed. */
  settled(outcome: Outcome, nowMs: number): boolean {
    if (outcome === "finished" && this.#level === 0) return false;
    // Many messages that fail at a time are one failure, and not the way to the highest level.
    if (this.#untilMs !== undefined) return false;
    if (outcome === "finished") this.#level--;
    else if (outcome === "failed" && this.#durationMs(this.#level + 1) <= this.#maxMs) this.#level++;
    if (this.#level === 0) return outcome === "finished";
    this.#waitMs = Math.min(this.#durationMs(this.#level), this.#maxMs);
    this.#untilMs = nowMs + this.#waitMs;
    return true;
  }

  /** Time has passed; true if a wait is over by it. */
  passed(nowMs: number): boolean {
    if (this.#untilMs === undefined || nowMs < this.#untilMs) return false;
    this.#untilMs = undefined;
    return true;
  }

  #durationMs(level: number): number {
    const durationMs = this.#multiplierMs * 2 ** level;
    return this.#jitter ? this.#random() * durationMs : durationMs;
  }
}
