/**
 * Alert rules, as they are written on the command line and in the configuration file:
 *
 * ```
 *  depth(orders*, !*#ephemeral) > 10000 for 5m
 *  └kind └which of them          └limit     └how long, before it fires and before it is over again
 *
 *  rule  = kind [ "(" pattern { "," pattern } ")" ] [ ">" limit ] [ "for" duration ]
 * ```
 *
 * @module
 */

import { formatDuration, parseDuration } from "../../base/duration.ts";
import type { Kind } from "../../config/kind.ts";
import { requeuedPercent, type Series } from "../watch/series.ts";
import { AlertFilter } from "./filter.ts";

/** Rules at most. */
export const RULES_MAX = 50;
/** The longest rule, in characters. */
export const RULE_LENGTH_MAX = 1000;

const HUNDREDTHS = 100;
const MS_PER_S = 1000;

/** What a limit is written as; `none` where there is nothing to be limited. */
type Unit = "count" | "per second" | "percent" | "duration" | "none";

/** What there may be rules about. */
export interface AlertKind {
  /** Topics and channels, channels only, nodes, those who tell of nodes, or all at once; the filter is of their names. */
  readonly of: "series" | "channels" | "nodes" | "registries" | "cluster";
  readonly unit: Unit;
  /** Where a rule need not say its limit. */
  readonly limit?: number;
  /** Of a topic or channel, what must be above the limit. */
  readonly measure?: (series: Series) => number;
}

/** All kinds of rules, by name. */
export const ALERT_KINDS = {
  depth: { of: "series", unit: "count", measure: (series) => series.sum("depth") },
  growth: {
    of: "channels",
    unit: "per second",
    // Also messages in flight and deferred: what comes in and is not finished.
    measure: (series) => series.sum("inRate") - series.sum("outRate"),
  },
  "no-consumers": {
    of: "channels",
    unit: "count",
    limit: 0,
    measure: (series) => series.sum("consumers") > 0 ? 0 : series.sum("depth"),
  },
  requeued: {
    of: "channels",
    unit: "percent",
    measure: (series) => requeuedPercent((field) => series.sum(field)),
  },
  oldest: { of: "channels", unit: "duration", measure: (series) => series.sum("oldestS") * MS_PER_S },
  paused: { of: "series", unit: "none", measure: (series) => series.sum("paused") },
  "node-gone": { of: "nodes", unit: "none" },
  "node-failing": { of: "nodes", unit: "none" },
  "lookupd-failing": { of: "registries", unit: "none" },
  "lookupd-disagreement": { of: "nodes", unit: "none" },
  "version-skew": { of: "cluster", unit: "none" },
} as const satisfies Readonly<Record<string, AlertKind>>;

/** A kind of rule. */
export type AlertKindName = keyof typeof ALERT_KINDS;

/** A rule. */
export interface AlertRule {
  /** As it is shown: in one form, however it was written. */
  readonly text: string;
  readonly kind: AlertKindName;
  readonly filter: AlertFilter;
  /** What is above it is to be alerted about; a duration in ms. */
  readonly limit: number;
  readonly forMs: number;
}

/** Rules that there are without being asked for. */
export const DEFAULT_RULES: readonly AlertRule[] = [
  "node-gone",
  "node-failing for 1m",
  "no-consumers(!*#ephemeral) > 0 for 5m",
].map(parseAlertRule);

/** A rule as it is written. @throws {SyntaxError} If it is none. */
export function parseAlertRule(text: string): AlertRule {
  if (text.length > RULE_LENGTH_MAX) throw new SyntaxError(`is longer than ${RULE_LENGTH_MAX} characters`);
  const form = /^\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*(?:>\s*(\S+))?\s*(?:\bfor\s+(\S+))?\s*$/.exec(text);
  if (form === null) {
    throw new SyntaxError(`must be like "depth(topic/channel) > 1000 for 5m": ${JSON.stringify(text)}`);
  }
  const [, kind, inBrackets, limitText, forText] = form;
  if (!isKind(kind)) {
    throw new SyntaxError(
      `must begin with one of ${Object.keys(ALERT_KINDS).join(", ")}: ${JSON.stringify(kind)}`,
    );
  }
  const about: AlertKind = ALERT_KINDS[kind];
  const patterns = inBrackets?.split(",").map((pattern) => pattern.trim()) ?? [];
  if (about.of === "cluster" && patterns.length > 0) {
    throw new SyntaxError(`${kind} is about all, and has no patterns`);
  }
  const limit = limitOf(kind, about, limitText);
  const forMs = forText === undefined ? 0 : parseDuration(forText);
  if (forMs < 0) throw new SyntaxError(`must not be for less than nothing: ${JSON.stringify(forText)}`);
  const shown = [
    kind + (patterns.length === 0 ? "" : `(${patterns.join(", ")})`),
    about.unit === "none" ? "" : `> ${formatAlertValue(kind, limit)}`,
    forMs === 0 ? "" : `for ${shortDuration(forMs)}`,
  ].filter((part) => part !== "");
  return { text: shown.join(" "), kind, filter: new AlertFilter(patterns), limit, forMs };
}

/** Something that was measured, in the unit of the rule's kind. */
export function formatAlertValue(kind: AlertKindName, value: number): string {
  const rounded = Math.round(value * HUNDREDTHS) / HUNDREDTHS;
  switch (ALERT_KINDS[kind].unit) {
    case "duration":
      return shortDuration(value);
    case "percent":
      return `${rounded}%`;
    case "per second":
      return `${rounded}/s`;
    default:
      return String(rounded);
  }
}

/** Rules; the flag may be repeated. */
export const alertRules: Kind<readonly AlertRule[]> = {
  name: "rule list",
  fromFlag: parseAll,
  fromFile(value) {
    // Not with commas between: there may be some in a rule.
    if (typeof value === "string") return parseAll([value]);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return parseAll(value);
    throw new SyntaxError("must be a list of strings");
  },
  show: (rules) => JSON.stringify(rules.map(({ text }) => text).join(", ")),
  toJson: (rules) => rules.map(({ text }) => text),
};

function parseAll(texts: readonly string[]): AlertRule[] {
  if (texts.length > RULES_MAX) throw new SyntaxError(`must be ${RULES_MAX} rules at most`);
  return texts.map(parseAlertRule);
}

/** As people write it: 5m, where Go writes 5m0s. */
function shortDuration(ms: number): string {
  return formatDuration(ms).replace(/m0s$/, "m").replace(/h0m$/, "h");
}

function isKind(text: string): text is AlertKindName {
  return Object.hasOwn(ALERT_KINDS, text);
}

function limitOf(kind: string, { unit, limit }: AlertKind, text: string | undefined): number {
  if (unit === "none") {
    if (text !== undefined) throw new SyntaxError(`${kind} is or is not, and has no limit`);
    return 0;
  }
  if (text === undefined) {
    if (limit === undefined) throw new SyntaxError(`${kind} must have a limit: ${kind} > …`);
    return limit;
  }
  if (unit === "duration") {
    const ms = parseDuration(text);
    if (ms < 0) throw new SyntaxError(`must be no negative limit: ${JSON.stringify(text)}`);
    return ms;
  }
  const suffix = { count: "", "per second": "(?:/s)?", percent: "%" }[unit];
  const number = new RegExp(`^(\\d{1,15}(?:\\.\\d{1,6})?)${suffix}$`).exec(text);
  if (number === null) {
    const form = { count: "a number", "per second": "a number per second, as 10/s", percent: "as 10%" }[unit];
    throw new SyntaxError(`the limit of ${kind} must be ${form}: ${JSON.stringify(text)}`);
  }
  return Number(number[1]);
}
