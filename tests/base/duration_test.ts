import { assertEquals, assertThrows } from "@std/assert";
import { durationToNs, formatDuration, parseDuration } from "../../src/base/duration.ts";

const VALID: readonly (readonly [text: string, ms: number, shown: string])[] = [
  ["0", 0, "0s"],
  ["-0", 0, "0s"],
  ["0s", 0, "0s"],
  ["1ns", 0.000001, "1ns"],
  ["1us", 0.001, "1µs"],
  ["1µs", 0.001, "1µs"],
  ["1μs", 0.001, "1µs"],
  ["1500ns", 0.0015, "1.5µs"],
  ["250ms", 250, "250ms"],
  ["250.25ms", 250.25, "250.25ms"],
  ["1s", 1000, "1s"],
  ["1.s", 1000, "1s"],
  [".5s", 500, "500ms"],
  ["60s", 60_000, "1m0s"],
  ["1m30s500ms", 90_500, "1m30.5s"],
  ["15m", 900_000, "15m0s"],
  ["1h", 3_600_000, "1h0m0s"],
  ["1h1h", 7_200_000, "2h0m0s"],
  ["-1.5h", -5_400_000, "-1h30m0s"],
  ["+5s", 5000, "5s"],
  ["-1ns", -0.000001, "-1ns"],
  ["0.9ns", 0, "0s"],
  ["1.00000000000000000000001s", 1000, "1s"],
  ["2562047h", 9_223_369_200_000, "2562047h0m0s"],
];

for (const [text, ms] of VALID) {
  Deno.test(`parseDuration() reads "${text}"`, () => {
    assertEquals(parseDuration(text), ms);
  });
}

for (const [, ms, shown] of VALID) {
  Deno.test(`formatDuration() shows ${ms} ms as "${shown}"`, () => {
    assertEquals(formatDuration(ms), shown);
  });
}

const INVALID: readonly (readonly [text: string, message: string])[] = [
  ["", 'invalid duration ""'],
  ["-", 'invalid duration "-"'],
  [".", 'invalid duration "."'],
  [".s", 'invalid duration ".s"'],
  ["soon", 'invalid duration "soon"'],
  [" 1s", 'invalid duration " 1s"'],
  ["2562048h", 'invalid duration "2562048h"'],
  ["60", 'missing unit in duration "60"'],
  ["1m30", 'missing unit in duration "1m30"'],
  ["1d", 'unknown unit "d" in duration "1d"'],
  ["1s ", 'unknown unit "s " in duration "1s "'],
  ["1constructor", 'unknown unit "constructor" in duration "1constructor"'],
];

for (const [text, message] of INVALID) {
  Deno.test(`parseDuration() refuses "${text}"`, () => {
    assertThrows(() => parseDuration(text), SyntaxError, message);
  });
}

Deno.test("parseDuration() reads the longest negative duration, which has no positive twin", () => {
  assertEquals(parseDuration("-9223372036854775808ns"), -9_223_372_036_854.775808);
  assertThrows(() => parseDuration("9223372036854775808ns"), SyntaxError);
});

Deno.test("durationToNs() rounds to whole nanoseconds", () => {
  assertEquals(durationToNs(90_500.25), 90_500_250_000n);
});
