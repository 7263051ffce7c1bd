/**
 * The time, passed in wherever it is needed, so that tests can hold it. There are two clocks, and neither can take the
 * other's place:
 *
 * - The wall clock says what time it is. It is set now and then: by an operator, by ntpd, when a machine that was
 *   suspended goes on. It jumps then, forward or back. What is shown, sent or stored is by it: timestamps, due times.
 * - The monotonic clock says how much time has passed, and never jumps. Whatever this process compares is by it:
 *   timeouts, heartbeats, ages, intervals.
 *
 * @module
 */

/** Tells both times. */
export interface Clock {
  /** ms since 1970 by the wall clock, with fractions. */
  nowMs(): number;
  /** ns since 1970 by the wall clock as two unsigned 32-bit halves, because a double cannot hold them. */
  timestamp(): { high: number; low: number };
  /** ms by the monotonic clock, with fractions; above 0. */
  monotonicMs(): number;
}

/** When something was, by both clocks: to be shown, and to be compared. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Now. */
export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}

const US_PER_MS = 1000;

/**
 * The time from one moment to another of a clock, in ms, exact to a µs: what was added to a time with fractions does not
 * always come out again, and would be a whole ms less for who shows whole ones.
 */
export function msFrom(startMs: number, endMs: number): number {
  return Math.round((endMs - startMs) * US_PER_MS) / US_PER_MS;
}

/** How far the wall clock may be off the system's before it is set anew, in ms. */
const DRIFT_MAX_MS = 5;
/** In longer than this, reading two clocks one after the other tells nothing of how far they are apart, in ms. */
const READ_MAX_MS = 1;

/** What {@linkcode SystemClock} may be told. */
export interface SystemClockOptions {
  /**
   * The monotonic clock is asked more often than this, in ms, whenever the process runs: longer than that without being asked,
   * it has stood still (a container was paused, a machine moved), and that time does not count. Nobody is to be given up, and no
   * message timed out, because of what they have sent and nobody could read. By default all time counts.
   */
  readonly stillMs?: number;
}

/**
 * The system's clocks in steps of about a µs. `Date.now()` has whole ms only, so the wall clock is the monotonic one
 * with an anchor, which `adjust()` moves when the system's clock was set. Until then both say the same.
 */
export class SystemClock implements Clock {
  /** Never moved. */
  readonly #startMs = performance.timeOrigin;
  #wallAnchorMs = performance.timeOrigin;
  readonly #stillMs: number;
  #askedMs = performance.now();
  /** For how long the process has stood still, and how much of that `adjust()` has told. */
  #stoodStillMs = 0;
  #toldStillMs = 0;

  constructor({ stillMs = Infinity }: SystemClockOptions = {}) {
    this.#stillMs = stillMs;
  }

  nowMs(): number {
    return this.#wallAnchorMs + performance.now();
  }

  monotonicMs(): number {
    const nowMs = performance.now();
    const passedMs = nowMs - this.#askedMs;
    this.#askedMs = nowMs;
    if (passedMs > this.#stillMs) this.#stoodStillMs += passedMs;
    return this.#startMs + nowMs - this.#stoodStillMs;
  }

  timestamp(): { high: number; low: number } {
    const us = Math.floor(this.nowMs() * 1000);
    // Each product fits a double, and ns would not. (With BigInt it costs three times as much, once a message.)
    const usHigh = Math.floor(us / 2 ** 32);
    const nsLow = (us - usHigh * 2 ** 32) * 1000;
    const carry = Math.floor(nsLow / 2 ** 32);
    return { high: usHigh * 1000 + carry, low: nsLow - carry * 2 ** 32 };
  }

  /**
   * Lets the wall clock follow the system's; to be called every second or so.
   *
   * @returns By how many ms that has set it against the monotonic clock: forward above 0, back below, and mostly 0.
   */
  adjust(): number {
    const stillMs = this.#stoodStillMs - this.#toldStillMs;
    this.#toldStillMs = this.#stoodStillMs;
    return stillMs + this.#follow();
  }

  #follow(): number {
    const beforeMs = performance.now();
    const stepMs = Date.now() - (this.#wallAnchorMs + beforeMs);
    // The process may have stood still in between; the next call will tell.
    if (performance.now() - beforeMs > READ_MAX_MS) return 0;
    if (Math.abs(stepMs) <= DRIFT_MAX_MS) return 0;
    this.#wallAnchorMs += stepMs;
    return stepMs;
  }
}
