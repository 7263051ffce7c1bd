/**
 * The audit log: who did what, one JSON object a line, apart from the log for operators. Whoever notes something never
 * waits for it; what a disk refuses is dropped, counted and said in the log, and what was dropped is a line here, too.
 *
 * @module
 */

import { errorText } from "./error_text.ts";
import { type ByteTarget, LineWriter } from "./line_writer.ts";
import type { Logger } from "./logger.ts";
import { escaped } from "./one_line.ts";

/** What has happened; which fields there are depends on what, and one that is undefined is left out. */
export interface AuditEvent {
  readonly event: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** Takes events. */
export interface Audit {
  note(event: AuditEvent): void;
}

/** What {@linkcode AuditLog.open} is given. */
export interface AuditLogOptions {
  /** Path of a file that lines are added to, or `stderr`: among the lines of the log. */
  readonly to: string;
  /** Whose events these are. */
  readonly program: string;
  readonly logger: Logger;
  readonly clock: { nowMs(): number };
}

/** In place of a path. */
export const AUDIT_TO_STDERR = "stderr";
/** The longest text of a field, in characters. */
export const AUDIT_TEXT_LENGTH_MAX = 1000;

const FILE_MODE = 0o600;

/** An audit log; it must be closed. */
export class AuditLog implements Audit {
  readonly #options: AuditLogOptions;
  /** Absent where lines go to the log. */
  #file: Deno.FsFile | undefined;
  #writer: LineWriter | undefined;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** @throws {Error} If there can be no such file. */
  static open(options: AuditLogOptions): AuditLog {
    const log = new AuditLog(options);
    if (options.to !== AUDIT_TO_STDERR) log.#begin(openFile(options.to));
    return log;
  }

  /** Notes what has happened now. */
  note(event: AuditEvent): void {
    const line = this.#line(event);
    if (this.#writer) this.#writer.write(line);
    else this.#options.logger.raw(line);
  }

  /**
   * Opens the file anew, by whose name there may be another one now, or none; what is returned lets the lines go there.
   *
   * @throws {Error} If that is not possible; they go on to the old one then.
   */
  prepare(): () => void {
    if (this.#writer === undefined) return () => {};
    const file = openFile(this.#options.to);
    return () => void this.#redirect(file);
  }

  /** Waits until all is written, but not longer than that, and lets go of the file. */
  async close(timeoutMs: number): Promise<void> {
    const written = await this.#writer?.flush(timeoutMs) ?? true;
    // A write that goes on would find it closed.
    if (written) this.#file?.close();
    this.#file = undefined;
  }

  #begin(file: Deno.FsFile): void {
    const { to, logger } = this.#options;
    this.#file = file;
    this.#writer = new LineWriter({
      target: file,
      droppedLine: (count) => this.#line({ event: "dropped", count }),
      onChange: (error) => {
        if (error === undefined) logger.info(`AUDIT: ${to} can be written to again`);
        else logger.error(`AUDIT: failed to write to ${to}, events are dropped - ${errorText(error)}`);
      },
    });
  }

  async #redirect(file: Deno.FsFile): Promise<void> {
    const old = this.#file;
    this.#file = file;
    await this.#writer?.redirect(file);
    old?.close();
  }

  #line({ event, ...fields }: AuditEvent): string {
    const { program, clock } = this.#options;
    const time = new Date(clock.nowMs()).toISOString();
    const text = JSON.stringify({ time, program, event, ...fields }, cut);
    // JSON escapes control characters of the first kind only.
    return escaped(text, (hex) => `\\u${hex}`);
  }
}

function cut(_name: string, value: unknown): unknown {
  return typeof value === "string" && value.length > AUDIT_TEXT_LENGTH_MAX
    ? `${value.slice(0, AUDIT_TEXT_LENGTH_MAX)}…`
    : value;
}

function openFile(path: string): Deno.FsFile & ByteTarget {
  try {
    return Deno.openSync(path, { append: true, create: true, mode: FILE_MODE });
  } catch (cause) {
    throw new Error(`Cannot open audit log "${path}": ${errorText(cause)}`, { cause });
  }
}
