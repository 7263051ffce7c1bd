import { assert, assertEquals } from "@std/assert";
import { momentOf, msFrom, SystemClock } from "../../src/base/clock.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** How far the system's clock and the clock under test may be apart, in ms: one is read after the other. */
const TOLERANCE_MS = 1000;

Deno.test("msFrom() is exactly what was added to a time, whatever fractions that has", () => {
  for (const startMs of [0, 34_497.647546, 1_706_702_400_000.123]) {
    assertEquals(msFrom(startMs, startMs + 60_000), 60_000);
  }
  assertEquals(34_497.647546 + 60_000 - 34_497.647546 < 60_000, true);
  assertEquals([msFrom(1.25, 3.5), msFrom(3.5, 1.25), msFrom(1, Infinity)], [2.25, -2.25, Infinity]);
});

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

Deno.test("SystemClock has one time until the system's clock is set", () => {
  const clock = new SystemClock();

  const before = clock.monotonicMs();
  const nowMs = clock.nowMs();

  assert(before <= nowMs && nowMs <= clock.monotonicMs());
});

Deno.test("SystemClock.adjust() follows the system's clock when it was set, and says by how many ms", () => {
  using system = new StandingSystem();
  const clock = new SystemClock();
  clock.adjust();

  for (const stepMs of [90_000, 3_600_000, -7_200_000, 6, -6]) {
    const before = clock.nowMs();
    system.wallMs += stepMs;

    assertEquals(clock.adjust(), stepMs);
    assertEquals(clock.nowMs() - before, stepMs);
    assertEquals(clock.adjust(), 0);
  }
});

Deno.test("SystemClock.monotonicMs() goes on when the system's clock is set", () => {
  using system = new StandingSystem();
  const clock = new SystemClock();
  const before = clock.monotonicMs();

  for (const stepMs of [3_600_000, -7_200_000]) {
    system.wallMs += stepMs;
    clock.adjust();
  }
  const afterSteps = clock.monotonicMs();
  system.passedMs += 10;

  assertEquals([afterSteps - before, clock.monotonicMs() - before], [0, 10]);
});

Deno.test("SystemClock.adjust() leaves a clock alone that is off by up to 5 ms", () => {
  using system = new StandingSystem();
  const clock = new SystemClock();
  clock.adjust();

  for (const offMs of [5, -5]) {
    system.wallMs = StandingSystem.WALL_MS + offMs;
    assertEquals(clock.adjust(), 0);
  }

  assertEquals(clock.nowMs(), StandingSystem.WALL_MS);
});

Deno.test("SystemClock.adjust() takes no notice when the process stood still between two looks at the time", () => {
  using system = new StandingSystem();
  const clock = new SystemClock();
  clock.adjust();

  system.stallMs = 50;
  const stalled = clock.adjust();
  system.stallMs = 0;

  assertEquals([stalled, clock.adjust()], [0, 0]);
});

Deno.test("SystemClock.monotonicMs() does not count the time in which the process stood still", () => {
  using system = new StandingSystem();
  const clock = new SystemClock({ stillMs: 1000 });
  const before = clock.monotonicMs();
  const passed: number[] = [];

  for (const ms of [1000, 1001, 60_000, 10]) {
    system.passedMs += ms;
    passed.push(clock.monotonicMs() - before);
  }

  assertEquals(passed, [1000, 1000, 1000, 1010]);
});

Deno.test("SystemClock.adjust() says that the wall clock has gone on while the process stood still", () => {
  using system = new StandingSystem();
  const clock = new SystemClock({ stillMs: 1000 });
  clock.adjust();
  const before = clock.nowMs();

  system.passedMs += 60_000;
  system.wallMs += 60_000;
  clock.monotonicMs();

  assertEquals([clock.adjust(), clock.adjust()], [60_000, 0]);
  assertEquals(clock.nowMs() - before, 60_000);
});

Deno.test("SystemClock counts all time unless it is told that it is asked often", () => {
  using system = new StandingSystem();
  const clock = new SystemClock();
  const before = clock.monotonicMs();

  system.passedMs += 1_000_000;

  assertEquals(clock.monotonicMs() - before, 1_000_000);
});

Deno.test("momentOf() is now by both clocks", () => {
  const clock = new FakeClock();
  clock.advance(5);
  clock.step(1000);

  assertEquals(momentOf(clock), { wallMs: 1_706_702_401_005, monotonicMs: 1_577_836_800_005 });
});

/** The system's clocks, which stand still until they are moved. */
class StandingSystem implements Disposable {
  static readonly WALL_MS = 10_000_000_000;
  wallMs = StandingSystem.WALL_MS;
  passedMs = 1000;
  /** How long the process stands still while it looks at the time of day. */
  stallMs = 0;
  readonly #systemNow = Date.now;
  readonly #performanceNow = performance.now;

  constructor() {
    performance.now = () => this.passedMs;
    Date.now = () => {
      this.passedMs += this.stallMs;
      this.wallMs += this.stallMs;
      return this.wallMs;
    };
  }

  [Symbol.dispose](): void {
    Date.now = this.#systemNow;
    performance.now = this.#performanceNow;
  }
}
