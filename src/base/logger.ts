/**
 * The log: lines in the form of Go NSQ (internal/lg/lg.go), which operators grep for:
 * `[nsqd] 2024/01/31 23:59:59.123456 INFO: TOPIC(x): created`. Passed in, never imported as a global. For programs that
 * read it there are the same fields as JSON.
 *
 * Whatever a line is told to say is cut and escaped here, and nowhere else: whoever logs needs not think of who has
 * written the text. And no line is waited for: see line_writer.ts.
 *
 * @module
 */

import { LineWriter } from "./line_writer.ts";
import { oneLine } from "./one_line.ts";

/** Levels by NSQ's numbers (`GET /config/log_level` answers with one). */
export const LOG_LEVELS = { debug: 1, info: 2, warn: 3, error: 4, fatal: 5 } as const;

/** Name of a level, as flags spell it. */
export type LogLevelName = keyof typeof LOG_LEVELS;
/** Number of a level. */
export type LogLevel = typeof LOG_LEVELS[LogLevelName];

const LABELS = ["", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"] as const;

/** The level of that name in any case, or `undefined`. */
export function parseLogLevel(name: string): LogLevel | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(LOG_LEVELS, key) ? LOG_LEVELS[key as LogLevelName] : undefined;
}

/** The forms of a line: NSQ's, or an object in JSON. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** What a {@linkcode Logger} is made from. */
export interface LoggerOptions {
  /** What every line of text begins with. */
  readonly prefix: string;
  readonly level: LogLevel;
  /** @default {"text"} */
  readonly format?: LogFormat;
  /** Gets whole lines without the line end. @default {they go to standard error, as fast as that takes them} */
  readonly write?: (line: string) => void;
}

/** The longest text of a line, in characters; what is longer is cut. Longer than what a client can put into a command. */
export const LOG_TEXT_LENGTH_MAX = 20_000;

/** Writes lines at and above a level, which may change while running. */
export class Logger {
  /** Lines below this level are not written. */
  level: LogLevel;
  readonly #prefix: string;
  readonly #format: LogFormat;
  readonly #write: (line: string) => void;
  readonly #flush: (timeoutMs: number) => Promise<boolean>;

  constructor(options: LoggerOptions) {
    this.#prefix = options.prefix;
    this.#format = options.format ?? "text";
    this.level = options.level;
    if (options.write !== undefined) {
      this.#write = options.write;
      this.#flush = () => Promise.resolve(true);
      return;
    }
    const writer = new LineWriter({
      target: Deno.stderr,
      droppedLine: (count) =>
        this.#line(LOG_LEVELS.warn, `LOG: ${count} lines were dropped, for whoever reads the log did not`),
    });
    this.#write = (line) => writer.write(line);
    this.#flush = (timeoutMs) => writer.flush(timeoutMs);
  }

  /** True when debug lines are written: guards the making of lines on hot paths. */
  get debugs(): boolean {
    return this.level <= LOG_LEVELS.debug;
  }

  /** Details of each command and message. */
  debug(text: string): void {
    this.#log(LOG_LEVELS.debug, text);
  }

  /** Life-cycle events. */
  info(text: string): void {
    this.#log(LOG_LEVELS.info, text);
  }

  /** What healed itself. */
  warn(text: string): void {
    this.#log(LOG_LEVELS.warn, text);
  }

  /** What an operator must see. */
  error(text: string): void {
    this.#log(LOG_LEVELS.error, text);
  }

  /** What ends the program. */
  fatal(text: string): void {
    this.#log(LOG_LEVELS.fatal, text);
  }

  /** A line of another form than the log's, among its lines; it is written as it is. */
  raw(line: string): void {
    this.#write(line);
  }

  /** Waits until all lines are written, but not longer than that; false when that was not enough. */
  flush(timeoutMs: number): Promise<boolean> {
    return this.#flush(timeoutMs);
  }

  #log(level: LogLevel, text: string): void {
    if (level < this.level) return;
    this.#write(this.#line(level, oneLine(cut(text))));
  }

  #line(level: LogLevel, text: string): string {
    const now = new Date();
    if (this.#format === "text") return `${this.#prefix}${timestamp(now)} ${LABELS[level]}: ${text}`;
    const prefix = this.#prefix.trim() || undefined;
    return JSON.stringify({ time: now.toISOString(), level: LABELS[level], prefix, message: text });
  }
}

function cut(text: string): string {
  if (text.length <= LOG_TEXT_LENGTH_MAX) return text;
  return `${text.slice(0, LOG_TEXT_LENGTH_MAX)}… (${text.length - LOG_TEXT_LENGTH_MAX} more characters)`;
}

/** Local time as Go's log package prints it with microseconds: `2024/01/31 23:59:59.123000`. */
function timestamp(now: Date): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  const date = `${now.getFullYear()}/${pad(now.getMonth() + 1)}/${pad(now.getDate())}`;
  const time = `${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}`;
  return `${date} ${time}.${pad(now.getMilliseconds(), 3)}000`;
}
