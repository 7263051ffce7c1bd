/**
 * The names of nsq_to_file's files: `<TOPIC>.<HOST><REV>.<DATETIME>.log` and whatever else was asked for. Pure.
 *
 * A name goes through three forms: the format, with its tokens; the name at a time and for a message, in which only
 * `<REV>` is left; the path of a file, in which that is a number or nothing.
 *
 * @module
 */

import { jsonIn, type JsonPath, parsePath, valueAt } from "../json_path.ts";

const REV = "<REV>";
const FIELD = /<FIELD:([^<>]*)>/g;
/** Longer values of fields are cut, in characters: a name of a file has a limit, and this is a part of one. */
export const FIELD_LENGTH_MAX = 100;

/** What a name is made from. */
export interface NameOptions {
  readonly format: string;
  readonly datetimeFormat: string;
  readonly topic: string;
  /** In place of the host's short name, if it is not empty; may have `<SHORT_HOST>` and `<HOSTNAME>` in it. */
  readonly hostIdentifier: string;
  readonly hostname: string;
  readonly pid: number;
  /** Whether files have revisions. */
  readonly hasRev: boolean;
  /** What names end with, whatever the format is. */
  readonly suffix: "" | ".gz" | ".zst";
}

/** A name that was found on the disk. */
export interface FoundName {
  /** With `<REV>` where the revision was. */
  readonly name: string;
  readonly rev: number;
}

/** The names of one topic's files. */
export class FileNames {
  /** Whether a name depends on the message. */
  readonly hasFields: boolean;
  /** How many folders deep its files are. */
  readonly depth: number;
  readonly #format: string;
  readonly #datetimeFormat: string;
  readonly #pattern: RegExp;
  readonly #paths: readonly JsonPath[];
  #second = NaN;
  #atSecond = "";

  /** @throws {SyntaxError} If a field's path is none, or the format has no `<REV>` and needs one. */
  constructor(options: NameOptions) {
    const { format, hasRev, suffix } = options;
    if (hasRev && !format.includes(REV)) {
      throw new SyntaxError(
        "missing <REV> in --filename-format when gzip, rotation, or work dir enabled, or when --compress or --format makes files that cannot be appended to",
      );
    }
    const whole = (hasRev ? format : format.replaceAll(REV, "")).replaceAll("<TOPIC>", options.topic)
      .replaceAll("<HOST>", host(options));
    const ended = whole.endsWith(suffix) ? whole : whole + suffix;
    this.#format = ended.replaceAll("<PID>", String(options.pid));
    this.#datetimeFormat = options.datetimeFormat;
    this.#paths = Array.from(this.#format.matchAll(FIELD), ([, path]) => parsePath(path));
    this.hasFields = this.#paths.length > 0;
    this.depth = this.at(0).split("/").length - 1;
    this.#pattern = patternOf(ended, options.datetimeFormat);
  }

  /** The name for a message of that time, still with `<REV>`. */
  at(nowMs: number, body?: Uint8Array): string {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#atSecond = this.#format.replaceAll("<DATETIME>", strftime(this.#datetimeFormat, new Date(nowMs)));
    }
    if (!this.hasFields || body === undefined) return this.#atSecond;
    const json = jsonIn(body);
    let at = 0;
    return this.#atSecond.replace(FIELD, () => fieldText(valueAt(json, this.#paths[at++])));
  }

  /** Whether messages of that time may have that name. */
  mayBe(name: string, nowMs: number): boolean {
    const literals = this.at(nowMs).split(FIELD).filter((_part, i) => i % 2 === 0);
    return new RegExp(`^${literals.map((literal) => RegExp.escape(literal)).join("[^/]+")}$`, "s").test(name);
  }

  /** Reads the path of a file, from the folder of all files on; undefined if none of this topic's has such a one. */
  find(path: string): FoundName | undefined {
    const match = this.#pattern.exec(path);
    if (match === null) return undefined;
    const [, first, rev, ...others] = match;
    if (rev === undefined) return { name: first, rev: 0 };
    return { name: [first, ...others].join(REV), rev: Number(rev) };
  }
}

/** The path of a file of that revision. */
export function withRev(name: string, rev: number): string {
  return name.replaceAll(REV, `-${String(rev).padStart(6, "0")}`);
}

function host({ hostIdentifier, hostname }: NameOptions): string {
  const [short] = hostname.split(".");
  if (hostIdentifier === "") return short;
  return hostIdentifier.replaceAll("<SHORT_HOST>", short).replaceAll("<HOSTNAME>", hostname);
}

/** A value as a part of a file's name: nothing in a message may choose a folder, or hide a file. */
function fieldText(value: unknown): string {
  if (value === undefined || value === null || value === "") return "_";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.slice(0, FIELD_LENGTH_MAX).replace(/[/\\<>\p{Cc}]/gu, "_").replace(/^\.+/, "_");
}

/** What the names of all times, messages, revisions and processes look like; its groups are what is around `<REV>`. */
function patternOf(format: string, datetimeFormat: string): RegExp {
  const pieces = format.split(REV).map((piece) => {
    const tokens = piece.split(/(<DATETIME>|<PID>|<FIELD:[^<>]*>)/);
    return `(${tokens.map((token) => tokenPattern(token, datetimeFormat)).join("")})`;
  });
  const rev = (i: number) => i === 0 ? "" : i === 1 ? "-(\\d{6,})" : "-\\2";
  return new RegExp(`^${pieces.map((piece, i) => rev(i) + piece).join("")}$`, "s");
}

function tokenPattern(token: string, datetimeFormat: string): string {
  if (token === "<DATETIME>") {
    return datetimeFormat.replace(
      /%[BbmAadHIMSYypZz%]|[^]/g,
      (part) => PARTS[part]?.pattern ?? RegExp.escape(part),
    );
  }
  if (token === "<PID>") return "\\d+";
  return token.startsWith("<FIELD:") ? "[^/]+" : RegExp.escape(token);
}

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

interface DatePart {
  readonly text: (date: Date) => string;
  readonly pattern: string;
}

const digits = (count: number, value: (date: Date) => number): DatePart => ({
  text: (date) => String(value(date)).padStart(count, "0"),
  pattern: `\\d{${count}}`,
});
const word = (text: (date: Date) => string): DatePart => ({ text, pattern: "[A-Za-z]+" });

/** The parts of strftime that NSQ knows. */
const PARTS: Readonly<Record<string, DatePart>> = {
  "%B": word((date) => MONTHS[date.getMonth()]),
  "%b": word((date) => MONTHS[date.getMonth()].slice(0, 3)),
  "%m": digits(2, (date) => date.getMonth() + 1),
  "%A": word((date) => DAYS[date.getDay()]),
  "%a": word((date) => DAYS[date.getDay()].slice(0, 3)),
  "%d": digits(2, (date) => date.getDate()),
  "%H": digits(2, (date) => date.getHours()),
  "%I": digits(2, (date) => (date.getHours() + 11) % 12 + 1),
  "%M": digits(2, (date) => date.getMinutes()),
  "%S": digits(2, (date) => date.getSeconds()),
  "%Y": digits(4, (date) => date.getFullYear()),
  "%y": digits(2, (date) => date.getFullYear() % 100),
  "%p": word((date) => date.getHours() < 12 ? "AM" : "PM"),
  "%Z": { text: zoneName, pattern: "[^/]+?" },
  "%z": { text: zoneOffset, pattern: "[-+]\\d{4}" },
  "%%": { text: () => "%", pattern: "%" },
};

/** A local time. What NSQ does not know stays as it is. */
export function strftime(format: string, date: Date): string {
  return format.replace(/%[^]/g, (part) => PARTS[part]?.text(date) ?? part);
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const pad = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${pad(Math.abs(minutes) / 60)}${pad(Math.abs(minutes) % 60)}`;
}
