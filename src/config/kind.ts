/**
 * What a value of an option can be: how its text on the command line and its TOML value are read, how it is
 * shown in `--help`, and the form in which `GET /config/:opt` gives it. A kind knows no option by name.
 *
 * The rules are those of Go's flag and strconv packages for the command line, and of mreiferson/go-options for
 * the file, which NSQ resolves its options with.
 *
 * @module
 */
import { hideCredentials } from "../base/credentials.ts";
import { durationToNs, formatDuration, parseDuration } from "../base/duration.ts";
import { LOG_LEVELS, type LogLevel, type LogLevelName, parseLogLevel } from "../base/logger.ts";

/** Reads and shows the values of one type. */
export interface Kind<T> {
  /** Word for such a value in `--help` and in the docs. */
  readonly name: string;
  /** The text that a flag without a value stands for; absent where a value is required. */
  readonly bareText?: string;
  /**
   * The value of the texts given for one flag, one or more in their order; `undefined` leaves the default.
   *
   * @throws {SyntaxError} If a text is no such value; the message says what it must be.
   */
  fromFlag(texts: readonly string[]): T | undefined;
  /**
   * The value of what the file gave; `undefined` leaves the default.
   *
   * @throws {SyntaxError} If it is no such value; the message says what it must be.
   */
  fromFile(value: unknown): T | undefined;
  /** The text of a value, for showing a default; strings are quoted. */
  show(value: T): string;
  /** The value as JSON shows it. */
  toJson(value: T): unknown;
}

/** True or false. */
export const bool: Kind<boolean> = {
  name: "bool",
  bareText: "true",
  fromFlag: (texts) => last(texts.map(parseBool)),
  fromFile(value) {
    if (typeof value === "boolean") return value;
    if (typeof value === "string") return parseBool(value);
    // NSQ compat: a number is true when it is 0, the wrong way round. The loader warns of it.
    if (isWhole(value)) return value === 0;
    throw new SyntaxError("must be true or false");
  },
  show: String,
  toJson: (value) => value,
};

/** A whole number in the range of 64 bits. */
export const int: Kind<number> = {
  name: "int",
  fromFlag: (texts) => last(texts.map(parseInteger)),
  fromFile(value) {
    if (typeof value === "string" && /^[-+]?\d+$/.test(value)) return inRange(BigInt(value));
    if (isWhole(value) && Math.abs(value) <= Number(MAX_INT)) return value;
    throw new SyntaxError("must be a whole number of at most 64 bits");
  },
  show: String,
  toJson: (value) => value,
};

/** A duration, in milliseconds. */
export const duration: Kind<number> = {
  name: "duration",
  fromFlag: (texts) => last(texts.map(parseDuration)),
  fromFile(value) {
    if (typeof value === "string") return parseDuration(value);
    // A bare number means milliseconds in the file; on the command line the unit is required.
    if (isWhole(value)) return value;
    throw new SyntaxError("must be a duration, or a number of milliseconds");
  },
  show: formatDuration,
  toJson: (value) => Number(durationToNs(value)),
};

/** A text. */
export const string: Kind<string> = {
  name: "string",
  fromFlag: last,
  fromFile(value) {
    if (typeof value === "string") return value;
    throw new SyntaxError("must be a string");
  },
  show: (value) => JSON.stringify(value),
  toJson: (value) => value,
};

/** Texts; the flag may be repeated. */
export const stringList: Kind<readonly string[]> = {
  name: "string list",
  fromFlag: (texts) => texts,
  fromFile(value) {
    if (typeof value === "string") return value.split(",");
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw new SyntaxError("must be a list of strings");
  },
  show: (value) => JSON.stringify(value.join(",")),
  toJson: (value) => value,
};

/** URLs, or addresses that become such; what may be a credential in one is not shown. */
export const urlList: Kind<readonly string[]> = {
  ...stringList,
  show: (value) => stringList.show(value.map(hideCredentials)),
  toJson: (value) => value.map(hideCredentials),
};

/** Numbers; the flag may be repeated, and a value may hold several with commas between. */
export const floatList: Kind<readonly number[]> = {
  name: "float list",
  // NSQ compat: what comes from flags is sorted, the largest first; what comes from the file keeps its order.
  fromFlag: (texts) => texts.flatMap((text) => text.split(",").map(parseFloat64)).sort((a, b) => b - a),
  fromFile(value) {
    if (typeof value === "string") return value.split(",").map((part) => parseFloat64(part.trim()));
    if (Array.isArray(value) && value.every((item) => typeof item === "number")) return value;
    throw new SyntaxError("must be a list of numbers");
  },
  show: (value) => value.join(","),
  toJson: (value) => value,
};

/** One of a few words. */
export function choice<T extends string>(words: readonly T[]): Kind<T> {
  const parse = (text: unknown): T => {
    const word = words.find((word) => word === text);
    if (word === undefined) throw new SyntaxError(`must be one of ${words.join(", ")}`);
    return word;
  };
  return {
    name: words.join(" or "),
    fromFlag: (texts) => last(texts.map(parse)),
    fromFile: parse,
    show: (value) => value,
    toJson: (value) => value,
  };
}

/** How much is logged. */
export const logLevel: Kind<LogLevel> = {
  name: "level",
  fromFlag: (texts) => last(texts.map(parseLevel)),
  fromFile: (value) => parseLevel(String(value)),
  show: (value) => LEVEL_NAMES.find((name) => LOG_LEVELS[name] === value) ?? "",
  toJson: (value) => value,
};

/** Whether clients must use TLS: not at all, except for plain HTTP, or everywhere. */
export type TlsRequired = "false" | "tcp-https" | "true";

/** See {@linkcode TlsRequired}. */
export const tlsRequired: Kind<TlsRequired> = {
  name: "bool or tcp-https",
  bareText: "true",
  fromFlag: (texts) => last(texts.map(parseTlsRequired)),
  fromFile: (value) => parseTlsRequired(String(value)),
  show: (value) => value,
  toJson: (value) => ({ "false": 0, "tcp-https": 1, "true": 2 })[value],
};

const TLS_VERSIONS = { "tls1.0": 0x301, "tls1.1": 0x302, "tls1.2": 0x303, "tls1.3": 0x304 } as const;

/** Name of a TLS version. */
export type TlsVersion = keyof typeof TLS_VERSIONS;

/** The lowest TLS version that is spoken. An empty text leaves the default, as in NSQ's example file. */
export const tlsVersion: Kind<TlsVersion> = {
  name: "version",
  fromFlag: (texts) => texts.map(parseTlsVersion).findLast((version) => version !== undefined),
  fromFile: (value) => parseTlsVersion(String(value)),
  show: (value) => value,
  toJson: (value) => TLS_VERSIONS[value],
};

const LEVEL_NAMES = Object.keys(LOG_LEVELS) as LogLevelName[];
const TRUE_TEXTS = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE_TEXTS = ["0", "f", "F", "FALSE", "false", "False"];
const MAX_INT = (1n << 63n) - 1n;

function last<T>(values: readonly T[]): T {
  return values[values.length - 1];
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value);
}

function parseBool(text: string): boolean {
  if (TRUE_TEXTS.includes(text)) return true;
  if (FALSE_TEXTS.includes(text)) return false;
  throw new SyntaxError("must be true or false");
}

/** Decimal, or with a prefix as in Go source: 0x, 0b, 0o or 0. Underscores may stand between digits. */
function parseInteger(text: string): number {
  const form = /^([-+]?)(0[xX](_?[\da-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|[1-9](_?\d)*|0)$/.exec(text);
  if (form === null) throw new SyntaxError("must be a whole number");
  const magnitude = BigInt(form[2].replaceAll("_", "").replace(/^0(?=\d)/, "0o"));
  return inRange(form[1] === "-" ? -magnitude : magnitude);
}

function inRange(value: bigint): number {
  if (value > MAX_INT || value < -MAX_INT - 1n) {
    throw new SyntaxError("must be a whole number of at most 64 bits");
  }
  return Number(value);
}

function parseFloat64(text: string): number {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) throw new SyntaxError("must be a number");
  return Number(text);
}

function parseLevel(text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === undefined) throw new SyntaxError(`must be one of ${LEVEL_NAMES.join(", ")}`);
  return level;
}

function parseTlsRequired(text: string): TlsRequired {
  const lower = text.toLowerCase();
  if (lower === "tcp-https") return lower;
  if (TRUE_TEXTS.includes(lower)) return "true";
  if (FALSE_TEXTS.includes(lower)) return "false";
  throw new SyntaxError("must be true, false or tcp-https");
}

function parseTlsVersion(text: string): TlsVersion | undefined {
  const lower = text.toLowerCase();
  if (lower === "") return undefined;
  if (lower === "tls1.0" || lower === "tls1.1") {
    throw new SyntaxError("is not spoken here: tls1.2 and tls1.3 are");
  }
  if (Object.hasOwn(TLS_VERSIONS, lower)) return lower as TlsVersion;
  throw new SyntaxError(`must be one of ${Object.keys(TLS_VERSIONS).join(", ")}`);
}
