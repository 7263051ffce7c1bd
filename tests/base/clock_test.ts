import { assert, assertEquals } from "@std/assert";
import { SystemClock } from "../../src/base/clock.ts";

/** How far the system's clock and the clock under test may be apart, in ms: one is read after the other. */
const TOLERANCE_MS = 1000;

Deno.test("SystemClock.nowMs() is the system's time", () => {
  const clock = new SystemClock();

  clock.adjust();

  assert(Math.abs(clock.nowMs() - Date.now()) < TOLERANCE_MS);
});

Deno.test("SystemClock.nowMs() has fractions and does not go back", () => {
  const clock = new SystemClock();

  const times = Array.from({ length: 1000 }, () => clock.nowMs());

  assert(times.every((time, i) => i === 0 || time >= times[i - 1]));
  assert(times.some((time) => !Number.isInteger(time)));
});

Deno.test("SystemClock.timestamp() is nowMs() in ns, in two halves of 32 bits", () => {
  const clock = new SystemClock();

  const before = clock.nowMs();
  const { high, low } = clock.timestamp();
  const after = clock.nowMs();

  const ns = (BigInt(high) << 32n) + BigInt(low);
  assert(ns >= BigInt(Math.floor(before * 1000)) * 1000n && ns <= BigInt(Math.ceil(after * 1000)) * 1000n);
  assert(high >= 0 && high < 2 ** 32 && low >= 0 && low < 2 ** 32);
});

Deno.test("SystemClock.adjust() follows the system's clock when it was set", () => {
  const clock = new SystemClock();
  clock.adjust();
  const now = Date.now;
  try {
    Date.now = () => now() + 3_600_000;

    const before = clock.nowMs();
    clock.adjust();
    const moved = clock.nowMs() - before;

    assert(Math.abs(moved - 3_600_000) < TOLERANCE_MS, `moved by ${moved} ms`);
  } finally {
    Date.now = now;
  }
});

Deno.test("SystemClock.adjust() leaves a clock alone that is off by less than 5 ms", () => {
  const clock = new SystemClock();
  const { now: systemNow } = Date;
  const performanceNow = performance.now;
  try {
    performance.now = () => 1000;
    Date.now = () => 10_000_000;
    clock.adjust();
    Date.now = () => 10_000_004;
    clock.adjust();

    assertEquals(clock.nowMs(), 10_000_000);
  } finally {
    Date.now = systemNow;
    performance.now = performanceNow;
  }
});
