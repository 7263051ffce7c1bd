/**
 * The files of one name, one after the other: which is open, when the next one begins, and where each goes when it is
 * complete. NSQ's rules: a name that changes with the time begins at revision 0; the same name again, because the file is
 * old or large or was closed, at the next revision; a file that is there already is never replaced.
 *
 * @module
 */

import { join } from "node:path";
import { formatDuration } from "../../base/duration.ts";
import type { Logger } from "../../base/logger.ts";
import { Output } from "../../net/output.ts";
import { compressed, type Compression, MEMBER_SIZE_MAX } from "./compression.ts";
import { withRev } from "./file_name.ts";
import { exists, type Link, moveFile, OutputFile } from "./output_file.ts";
import { othersFirst } from "../../base/every.ts";

/** What holds for all files. */
export interface FileSettings {
  readonly workDir: string;
  readonly outputDir: string;
  readonly compression: Compression;
  readonly level: number;
  /** In bytes; 0 for any. */
  readonly rotateSize: number;
  /** In ms; 0 for never. */
  readonly rotateIntervalMs: number;
  /** Whether messages end with a line end, so that a file that a crash has cut can be appended to. */
  readonly isLines: boolean;
  /** Whether a file may be appended to that is there already. */
  readonly appends: boolean;
  /** What lines of the log begin with. */
  readonly scope: string;
  readonly log: Logger;
  /** Is told of each file that is complete. */
  readonly completed: (path: string) => void;
  /** Tests stand in for it. */
  readonly link?: Link;
}

/** Files of one name. */
export class FileStream {
  /** What was put in since the last write. */
  readonly output = new Output();
  readonly #settings: FileSettings;
  #file: OutputFile | undefined;
  #name = "";
  #rev = 0;
  /** Before compression. */
  #size = 0;

  constructor(settings: FileSettings) {
    this.#settings = settings;
  }

  /** Whether a file is open. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Whether messages of that name belong into another file than the one that is open. */
  needsRotation(name: string): boolean {
    return this.#file === undefined || this.#reasonToRotate(name, this.#file) !== undefined;
  }

  /** Closes the file, if one is open, and opens the next of that name. */
  async rotate(name: string): Promise<void> {
    const { log, scope } = this.#settings;
    if (this.#file) log.info(`${scope} ${this.#reasonToRotate(name, this.#file)}, rotating...`);
    await this.close();
    await this.#open(name);
  }

  async #open(name: string): Promise<void> {
    const { workDir, outputDir, appends, rotateSize, isLines, log, scope } = this.#settings;
    this.#rev = name === this.#name ? this.#rev + 1 : 0;
    this.#name = name;
    for (;; this.#rev++) {
      const relative = withRev(name, this.#rev);
      if (workDir !== outputDir && await exists(join(outputDir, relative))) {
        log.warn(`${scope} output file already exists: ${join(outputDir, relative)}`);
        continue;
      }
      const path = join(workDir, relative);
      const locked = workDir !== outputDir;
      const file = await OutputFile.open(path, { kind: appends ? "either" : "new", locked, base: workDir });
      if (file === undefined) {
        log.warn(`${scope} working file already exists: ${path}`);
        // Without a revision in it, a name is the same for ever: only a lock can be in the way, and that is another's.
        if (relative === withRev(name, this.#rev + 1)) {
          throw new Error(`${path} is in use by another process`);
        }
        continue;
      }
      log.info(`${scope} opening ${path}`);
      if (rotateSize > 0 && file.initialSize > rotateSize) {
        log.info(`${scope} ${path} currently ${file.initialSize} bytes (> ${rotateSize}), rotating...`);
        file.abandon();
        continue;
      }
      if (isLines && appends) await file.endLine();
      this.#file = file;
      this.#size = file.initialSize;
      return;
    }
  }

  /** Writes what was put in, so that it can be seen; compressed, it is kept until a member is full. */
  async write(): Promise<void> {
    if (this.#settings.compression === "none" || this.output.length >= MEMBER_SIZE_MAX) {
      await this.#writeAll();
    }
  }

  /** Settles when all that was put in is on the disk. */
  async sync(): Promise<void> {
    await this.#writeAll();
    await this.#file?.sync();
  }

  /** Syncs and closes the file, and moves it to where whole files are. */
  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await this.#writeAll();
    this.#file = undefined;
    await file.close();
    const { workDir, outputDir, completed } = this.#settings;
    completed(workDir === outputDir ? file.path : await moveToOutput(file.path, this.#settings, this.#place));
  }

  /** Ends the use of the file as it is, when it has failed. */
  abandon(): void {
    this.#file?.abandon();
    this.#file = undefined;
  }

  get #place(): { readonly name: string; readonly rev: number } {
    return { name: this.#name, rev: this.#rev };
  }

  #reasonToRotate(name: string, file: OutputFile): string | undefined {
    const { rotateIntervalMs, rotateSize } = this.#settings;
    if (name !== this.#name) return `new filename ${name}`;
    if (rotateIntervalMs > 0) {
      const age = performance.now() - file.openedMs;
      if (age > rotateIntervalMs) return `${formatDuration(Math.round(age))} since last open`;
    }
    const size = this.#size + this.output.length;
    if (rotateSize > 0 && size > rotateSize) {
      return `${file.path} currently ${size} bytes (> ${rotateSize})`;
    }
    return undefined;
  }

  async #writeAll(): Promise<void> {
    if (this.output.length === 0) return;
    const { compression, level } = this.#settings;
    const bytes = this.output.take();
    this.#size += bytes.length;
    if (compression === "none") return await this.#file?.append(bytes);
    for (let at = 0; at < bytes.length; at += MEMBER_SIZE_MAX) {
      if (at > 0) await othersFirst();
      await this.#file?.append(compressed(compression, level, bytes.subarray(at, at + MEMBER_SIZE_MAX)));
    }
  }
}

/** Moves a complete file to the first revision that is free; the result is its path. */
export async function moveToOutput(
  source: string,
  { outputDir, scope, log, link }: Pick<FileSettings, "outputDir" | "scope" | "log" | "link">,
  { name, rev }: { readonly name: string; readonly rev: number },
): Promise<string> {
  for (let next = rev;; next++) {
    const path = join(outputDir, withRev(name, next));
    log.info(`${scope} moving finished file ${source} to ${path}`);
    if (await moveFile(source, { path, base: outputDir }, link)) return path;
    log.warn(`${scope} destination file already exists: ${path}`);
  }
}
