/**
 * Durations in the syntax of Go's time package, which flags and configuration files of NSQ use:
 * `1m30s500ms`, `-1.5h`, `0`. In the program a duration is a number of milliseconds, which may have a fraction.
 *
 * Parsing counts whole nanoseconds in a BigInt, as Go does in an int64, so that the same texts are refused. The
 * milliseconds are exact to the nanosecond up to 104 days. It runs at start only, never for a message.
 *
 * @module
 */

const NS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n, // U+00B5, micro sign
  μs: 1_000n, // U+03BC, Greek letter mu
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const NS_PER_MS = 1e6;
/** A duration is a signed 64-bit number of nanoseconds; the negative range is one longer. */
const MAX_NS = (1n << 63n) - 1n;
/** Digits behind the point that can still make a whole nanosecond of an hour, with room to spare. */
const FRACTION_DIGITS = 18;

/**
 * The number of milliseconds that a duration says.
 *
 * @example Parse
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseDuration } from "./duration.ts";
 *
 * assertEquals(parseDuration("1m30s500ms"), 90_500);
 * ```
 *
 * @throws {SyntaxError} If the text is no duration; the message quotes it.
 */
export function parseDuration(text: string): number {
  const invalid = () => new SyntaxError(`invalid duration ${JSON.stringify(text)}`);
  const negative = text.startsWith("-");
  const unsigned = /^[-+]/.test(text) ? text.slice(1) : text;
  if (unsigned === "0") return 0;
  if (unsigned === "") throw invalid();

  const term = /(\d*)(\.\d*)?([^\d.]*)/y;
  let totalNs = 0n;
  while (term.lastIndex < unsigned.length) {
    const [, whole, point = "", unit] = term.exec(unsigned) ?? [];
    const fraction = point.slice(1, 1 + FRACTION_DIGITS);
    if (whole === "" && fraction === "") throw invalid();
    if (unit === "") throw new SyntaxError(`missing unit in duration ${JSON.stringify(text)}`);
    if (!Object.hasOwn(NS_PER_UNIT, unit)) {
      throw new SyntaxError(`unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    const unitNs = NS_PER_UNIT[unit];
    totalNs += BigInt(whole) * unitNs + BigInt(fraction) * unitNs / 10n ** BigInt(fraction.length);
  }
  if (totalNs > MAX_NS + (negative ? 1n : 0n)) throw invalid();
  return Number(negative ? -totalNs : totalNs) / NS_PER_MS;
}

/**
 * The text of a duration as Go prints it: `1m30s`, `250ms`, `1h0m0s`, `0s`.
 *
 * @example Format
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatDuration } from "./duration.ts";
 *
 * assertEquals(formatDuration(90_500), "1m30.5s");
 * ```
 */
export function formatDuration(ms: number): string {
  const ns = durationToNs(Math.abs(ms));
  const sign = ms < 0 && ns > 0n ? "-" : "";
  if (ns === 0n) return "0s";
  if (ns < NS_PER_UNIT.us) return `${sign}${ns}ns`;
  if (ns < NS_PER_UNIT.ms) return `${sign}${decimal(ns, 3)}µs`;
  if (ns < NS_PER_UNIT.s) return `${sign}${decimal(ns, 6)}ms`;
  const hours = ns / NS_PER_UNIT.h;
  const minutes = ns % NS_PER_UNIT.h / NS_PER_UNIT.m;
  const seconds = `${decimal(ns % NS_PER_UNIT.m, 9)}s`;
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}` : sign + seconds;
}

/** A duration as the whole number of nanoseconds that NSQ's JSON shows. */
export function durationToNs(ms: number): bigint {
  return BigInt(Math.round(ms * NS_PER_MS));
}

/** `value` with the point moved left by `places`, without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const digits = String(value).padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  const whole = digits.slice(0, -places);
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
