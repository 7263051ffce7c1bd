/**
 * A clock that stands still until it is moved.
 *
 * @module
 */
import type { Clock } from "../../src/base/clock.ts";

/** Where a {@linkcode FakeClock} begins: 2024-01-31 12:00:00 UTC. */
export const FAKE_START_MS = 1_706_702_400_000;

/** Tells the time that it was given. */
export class FakeClock implements Clock {
  #nowMs: number;

  constructor(nowMs = FAKE_START_MS) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  timestamp(): { high: number; low: number } {
    const ns = BigInt(Math.round(this.#nowMs * 1000)) * 1000n;
    return { high: Number(ns >> 32n), low: Number(ns & 0xffffffffn) };
  }

  /** Lets time pass. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
