/**
 * The time, passed in wherever it is needed, so that tests can hold it.
 *
 * @module
 */

/** Tells the time of day. */
export interface Clock {
  /** ms since 1970, with fractions. */
  nowMs(): number;
  /** ns since 1970 as two unsigned 32-bit halves, because a double cannot hold them. */
  timestamp(): { high: number; low: number };
}

/** How far the anchored clock may be off the system's before it is set anew, in ms. */
const DRIFT_MAX_MS = 5;

/**
 * The system's time in steps of about a µs. `Date.now()` has whole ms only, so the monotonic clock is
 * anchored to it, and anchored again by `adjust()` when the system's clock was set.
 */
export class SystemClock implements Clock {
  #anchorMs = performance.timeOrigin;

  nowMs(): number {
    return this.#anchorMs + performance.now();
  }

  timestamp(): { high: number; low: number } {
    const ns = BigInt(Math.floor(this.nowMs() * 1000)) * 1000n;
    return { high: Number(ns >> 32n), low: Number(ns & 0xffffffffn) };
  }

  /** Follows the system's clock; to be called every second or so. */
  adjust(): void {
    if (Math.abs(Date.now() - this.nowMs()) > DRIFT_MAX_MS) this.#anchorMs = Date.now() - performance.now();
  }
}
