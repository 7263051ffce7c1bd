/**
 * A clock that stands still until it is moved.
 *
 * @module
 */
import type { Clock } from "../../src/base/clock.ts";

/** Where a {@linkcode FakeClock} begins: 2024-01-31 12:00:00 UTC. */
export const FAKE_START_MS = 1_706_702_400_000;
/** Where its monotonic time begins: so far from the other that whatever mixes them up goes wrong. */
export const FAKE_MONOTONIC_START_MS = 1_577_836_800_000;

/** Tells the times that it was given. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;

  constructor(wallMs = FAKE_START_MS, monotonicMs = FAKE_MONOTONIC_START_MS) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  timestamp(): { high: number; low: number } {
    const ns = BigInt(Math.round(this.#wallMs * 1000)) * 1000n;
    return { high: Number(ns >> 32n), low: Number(ns & 0xffffffffn) };
  }

  /** Lets time pass. */
  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Somebody sets the clock: no time passes. */
  step(ms: number): void {
    this.#wallMs += ms;
  }
}
