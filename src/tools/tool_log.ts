/**
 * What a tool says to whoever runs it, on standard error: lines as of Go's log package, which scripts may know, and where
 * that is a terminal a last line that changes, for progress. No line is waited for: see line_writer.ts.
 *
 * @module
 */

import { type ByteTarget, LineWriter } from "../base/line_writer.ts";
import { oneLine } from "../base/one_line.ts";

/** Levels of go-nsq's lines, and their order. */
const LEVELS = { INF: 1, WRN: 2, ERR: 3 } as const;

/** How important a line about a connection is, in go-nsq's words. */
export type ClientLevel = keyof typeof LEVELS;

/** Empties the line above, which is the last one that was written, and goes there. */
const REPLACE = "\x1b[A\r\x1b[K";
/** Longer progress would wrap, and could not be cleared. */
const PROGRESS_LENGTH_MAX = 78;
/** How long whoever reads the log may take for what is still to be written when a tool ends. */
const FLUSH_MS = 2000;

/** Where the lines go. */
export interface ToolLogOptions {
  readonly target: ByteTarget;
  readonly isTerminal: boolean;
  /** Says what goes wrong, and nothing else. */
  readonly quiet: boolean;
}

/** Writes lines. */
export class ToolLog {
  readonly #target: ByteTarget;
  readonly #isTerminal: boolean;
  readonly #writer: LineWriter;
  #quiet: boolean;
  #progress = "";

  constructor(options: ToolLogOptions) {
    this.#target = options.target;
    this.#isTerminal = options.isTerminal;
    this.#quiet = options.quiet;
    this.#writer = new LineWriter({
      target: { write: (bytes) => this.#target.write(bytes) },
      droppedLine: (count) => `${timestamp(new Date())} ${count} lines were dropped, for nobody read them`,
    });
  }

  /** Whether progress can be seen: there is a terminal, and it is wanted. */
  get showsProgress(): boolean {
    return this.#isTerminal && !this.#quiet;
  }

  /** Nothing but errors from now on. */
  set quiet(quiet: boolean) {
    this.#quiet = quiet;
  }

  /** What is good to know. */
  info(text: string): void {
    if (!this.#quiet) this.error(text);
  }

  /** What must be known. */
  error(text: string): void {
    this.#line(`${timestamp(new Date())} ${oneLine(text)}`);
  }

  /** A line about a connection in the form of go-nsq; `id` numbers the consumers and producers of a tool. */
  client(level: ClientLevel, id: number, text: string): void {
    if (this.#quiet && LEVELS[level] < LEVELS.WRN) return;
    this.error(`${level} ${String(id).padStart(4)} ${text}`);
  }

  /** A line of another form, as it is: what was wrong with the command line. */
  plain(line: string): void {
    this.#line(line);
  }

  /** Shows how far the tool is, in place of what was shown before; nothing where there is no terminal. */
  progress(text: string): void {
    if (!this.showsProgress) return;
    const isFirst = this.#progress === "";
    this.#progress = oneLine(text).slice(0, PROGRESS_LENGTH_MAX);
    this.#writer.write(isFirst ? this.#progress : `${REPLACE}${this.#progress}`);
  }

  /** Everything is written, or nobody reads it. */
  async flush(): Promise<void> {
    await this.#writer.flush(FLUSH_MS);
  }

  #line(text: string): void {
    if (this.#progress === "") this.#writer.write(text);
    else this.#writer.write(`${REPLACE}${text}\n${this.#progress}`);
  }
}

/** Local time as Go's log package prints it: `2024/01/31 23:59:59`. */
export function timestamp(now: Date): string {
  const pad = (value: number) => String(value).padStart(2, "0");
  const date = `${now.getFullYear()}/${pad(now.getMonth() + 1)}/${pad(now.getDate())}`;
  return `${date} ${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}`;
}
