/**
 * Segments as files: a folder for each topic, a file for each segment, named after the position of its first
 * message, and the state beside them:
 *
 * ```
 *  <data path>/<topic>.topic/000006a1b2c3d4.seg
 *                            000006a1b2c7d4.seg
 *                            state
 * ```
 *
 * Writes are synchronous (25 times cheaper than asynchronous ones on Deno, docs/performance.md) and large:
 * the log gathers messages. Only what may take long, syncing and reading back, is asynchronous.
 *
 * @module
 */

import { CLOSING_BATCH_LENGTH, closingCount } from "../broker/segment_image.ts";
import type { SegmentStore, StoredSegment } from "../broker/segment_store.ts";
import type { StoreFactory } from "../broker/broker.ts";

const FOLDER_SUFFIX = ".topic";
const SEGMENT_SUFFIX = ".seg";
const ASIDE_SUFFIX = ".bad";
const TEMPORARY_SUFFIX = ".tmp";
const STATE_FILE = "state";
/** A position has at most 53 bits. */
const NAME_DIGITS = 14;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o755;

/** The topics' folders in a data path. */
export class FileStores implements StoreFactory {
  readonly #dataPath: string;

  /** `dataPath` must exist. */
  constructor(dataPath: string) {
    this.#dataPath = dataPath;
  }

  names(): string[] {
    return [...Deno.readDirSync(this.#dataPath)]
      .filter((entry) => entry.isDirectory && entry.name.endsWith(FOLDER_SUFFIX))
      .map((entry) => entry.name.slice(0, -FOLDER_SUFFIX.length))
      .sort();
  }

  open(topic: string): SegmentStore {
    return new FileSegments(`${this.#dataPath}/${topic}${FOLDER_SUFFIX}`);
  }
}

/** The files of one topic. */
export class FileSegments implements SegmentStore {
  readonly #folder: string;
  /** The file that was written last: the next write is nearly always to the same. */
  #file: { base: number; handle: Deno.FsFile; size: number } | undefined;
  /** Segments that have been written to since they were synced. */
  readonly #unsynced = new Set<number>();

  /** The folder is made with the first segment. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  list(): StoredSegment[] {
    const segments: StoredSegment[] = [];
    for (const name of this.#names()) {
      if (name.endsWith(TEMPORARY_SUFFIX)) Deno.removeSync(`${this.#folder}/${name}`);
      const digits = name.slice(0, NAME_DIGITS);
      if (name !== digits + SEGMENT_SUFFIX || !/^[0-9a-f]{14}$/.test(digits)) continue;
      segments.push(this.#describe(parseInt(digits, 16)));
    }
    return segments.sort((a, b) => a.base - b.base);
  }

  append(base: number, bytes: Uint8Array): void {
    const file = this.#open(base);
    try {
      writeAll(file.handle, bytes);
      file.size += bytes.length;
      this.#unsynced.add(base);
    } catch (error) {
      this.#cutBack(file);
      throw error;
    }
  }

  replace(base: number, image: Uint8Array): void {
    this.#closeFile(base);
    this.#writeWhole(this.#path(base), image);
    this.#unsynced.add(base);
  }

  async read(base: number): Promise<Uint8Array> {
    return await Deno.readFile(this.#path(base));
  }

  readSync(base: number): Uint8Array {
    return Deno.readFileSync(this.#path(base));
  }

  remove(base: number): void {
    this.#closeFile(base);
    this.#unsynced.delete(base);
    removeIfThere(this.#path(base));
  }

  setAside(base: number, _reason: string): void {
    this.#closeFile(base);
    Deno.renameSync(this.#path(base), this.#path(base) + ASIDE_SUFFIX);
  }

  readState(): Uint8Array | undefined {
    try {
      return Deno.readFileSync(`${this.#folder}/${STATE_FILE}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  writeState(state: Uint8Array | undefined): void {
    const path = `${this.#folder}/${STATE_FILE}`;
    if (state) this.#writeWhole(path, state);
    else removeIfThere(path);
  }

  async sync(): Promise<void> {
    for (const base of [...this.#unsynced]) {
      this.#unsynced.delete(base);
      try {
        await syncFile(this.#path(base));
      } catch (error) {
        // A segment that was removed meanwhile has nothing to lose.
        if (error instanceof Deno.errors.NotFound) continue;
        this.#unsynced.add(base);
        throw error;
      }
    }
  }

  close(): void {
    if (this.#file) this.#closeFile(this.#file.base);
    const names = this.#names();
    if (names.length > 0) return;
    removeIfThere(this.#folder);
  }

  destroy(): void {
    if (this.#file) this.#closeFile(this.#file.base);
    this.#unsynced.clear();
    try {
      Deno.removeSync(this.#folder, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #names(): string[] {
    try {
      return [...Deno.readDirSync(this.#folder)].map((entry) => entry.name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  #describe(base: number): StoredSegment {
    using handle = Deno.openSync(this.#path(base));
    const { size } = handle.statSync();
    const tail = new Uint8Array(Math.min(size, CLOSING_BATCH_LENGTH));
    handle.seekSync(-tail.length, Deno.SeekMode.End);
    handle.readSync(tail);
    return { base, size, count: closingCount(tail) };
  }

  #path(base: number): string {
    return `${this.#folder}/${base.toString(16).padStart(NAME_DIGITS, "0")}${SEGMENT_SUFFIX}`;
  }

  #open(base: number): { base: number; handle: Deno.FsFile; size: number } {
    if (this.#file?.base === base) return this.#file;
    if (this.#file) this.#closeFile(this.#file.base);
    this.#makeFolder();
    const handle = Deno.openSync(this.#path(base), { create: true, append: true, mode: FILE_MODE });
    return this.#file = { base, handle, size: handle.statSync().size };
  }

  #closeFile(base: number): void {
    if (this.#file?.base !== base) return;
    this.#file.handle.close();
    this.#file = undefined;
  }

  /** Takes a write back that did not end. */
  #cutBack(file: { base: number; handle: Deno.FsFile; size: number }): void {
    try {
      file.handle.truncateSync(file.size);
    } catch {
      // The torn batch stays in the file: it is found, and left out, when the file is read.
    }
    this.#closeFile(file.base);
  }

  #writeWhole(path: string, bytes: Uint8Array): void {
    this.#makeFolder();
    const temporary = path + TEMPORARY_SUFFIX;
    try {
      Deno.writeFileSync(temporary, bytes, { mode: FILE_MODE });
      Deno.renameSync(temporary, path);
    } catch (error) {
      removeIfThere(temporary);
      throw error;
    }
  }

  /** Makes the topic's folder, but never the data path: that one is gone by mistake. */
  #makeFolder(): void {
    try {
      Deno.mkdirSync(this.#folder, { mode: FOLDER_MODE });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** With a handle of its own, because the file may be closed while the sync runs. */
async function syncFile(path: string): Promise<void> {
  using handle = await Deno.open(path, { write: true });
  await handle.syncData();
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
