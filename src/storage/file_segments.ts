/**
 * Segments as files: a folder for each topic, a file for each segment, named after the position of its first
 * message, and the state beside them:
 *
 * ```
 *  <data path>/<topic>.topic/000006a1b2c3d4.seg
 *                            000006a1b2c7d4.seg
 *                            000006a1b2c7d4.1042.bad    damaged bytes of a segment, from that offset on
 *                            000006a1b2cbd4.seg.bad     a whole file that cannot be read
 *                            state
 * ```
 *
 * The log gathers messages, so writes are large and few.
 *
 * @module
 */

import { CLOSING_BATCH_LENGTH, closingOf } from "../log/segment_image.ts";
import type { SegmentStore, StoredSegment } from "../log/segment_store.ts";
import type { StoreFactory } from "../broker/broker.ts";
import {
  type AppendFile,
  DENO_FILES,
  type FileSystem,
  removeIfThere,
  replaceFile,
  TEMPORARY_SUFFIX,
} from "./file_system.ts";

const FOLDER_SUFFIX = ".topic";
const SEGMENT_SUFFIX = ".seg";
const ASIDE_SUFFIX = ".bad";
const STATE_FILE = "state";
/** A position has at most 53 bits. */
const NAME_DIGITS = 14;
const SEGMENT_NAME = /^([0-9a-f]{14})\.seg$/;

/** The name of a topic's folder. */
export function topicFolder(topic: string): string {
  return topic + FOLDER_SUFFIX;
}

/** The topics' folders in a data path. */
export class FileStores implements StoreFactory {
  readonly #dataPath: string;
  readonly #files: FileSystem;

  /** `dataPath` must exist. */
  constructor(dataPath: string, files: FileSystem = DENO_FILES) {
    this.#dataPath = dataPath;
    this.#files = files;
  }

  names(): string[] {
    return this.#files.list(this.#dataPath)
      .filter((entry) => entry.isFolder && entry.name.endsWith(FOLDER_SUFFIX))
      .map((entry) => entry.name.slice(0, -FOLDER_SUFFIX.length))
      .sort();
  }

  open(topic: string): FileSegments {
    return new FileSegments({ dataPath: this.#dataPath, name: topicFolder(topic), files: this.#files });
  }
}

/** The files of one topic. */
export class FileSegments implements SegmentStore {
  readonly #dataPath: string;
  readonly #folder: string;
  readonly #files: FileSystem;
  /** The file that was written last: the next write is nearly always to the same. */
  #file: { readonly base: number; readonly file: AppendFile } | undefined;
  /** Segments that have been added to since they were synced. */
  readonly #unsynced = new Set<number>();
  /** The folder is known to be there. */
  #made = false;
  /** Its name in the data path may not survive a loss of power yet. */
  #folderIsNew = false;
  /** Names in it may not survive a loss of power yet. */
  #namesAreNew = false;
  /** Segments that were removed may be back after a loss of power. */
  #removed = false;
  /** What is in the folder now, if there is one, is of another topic of the same name. */
  #destroyed = false;

  /** The folder is made with the first segment. */
  constructor(options: { dataPath: string; name: string; files: FileSystem }) {
    this.#dataPath = options.dataPath;
    this.#folder = `${options.dataPath}/${options.name}`;
    this.#files = options.files;
  }

  list(): StoredSegment[] {
    const segments: StoredSegment[] = [];
    for (const name of this.#names()) {
      if (name.endsWith(TEMPORARY_SUFFIX)) this.#files.remove(`${this.#folder}/${name}`);
      const digits = SEGMENT_NAME.exec(name)?.[1];
      if (digits !== undefined) segments.push(this.#describe(parseInt(digits, 16)));
    }
    return segments.sort((a, b) => a.base - b.base);
  }

  append(base: number, bytes: Uint8Array): void {
    const { file } = this.#open(base);
    const { size } = file;
    // Before: when it fails, some of the bytes may be there all the same.
    this.#unsynced.add(base);
    try {
      file.append(bytes);
    } catch (error) {
      this.#cutBack(file, size);
      throw error;
    }
  }

  truncate(base: number, size: number): void {
    this.#open(base).file.truncate(size);
    this.#unsynced.add(base);
  }

  async replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean> {
    const replaced = await this.#replaceFile(this.#path(base), image, () => {
      if (!wanted()) return false;
      this.#closeFile(base);
      return true;
    });
    if (replaced) this.#unsynced.delete(base);
    return replaced;
  }

  async read(base: number): Promise<Uint8Array> {
    return await this.#files.read(this.#path(base));
  }

  readSync(base: number): Uint8Array {
    return this.#files.readSync(this.#path(base));
  }

  remove(base: number): void {
    this.#closeFile(base);
    this.#unsynced.delete(base);
    this.#removed = true;
    removeIfThere(this.#files, this.#path(base));
  }

  setAside(base: number): void {
    this.#closeFile(base);
    this.#unsynced.delete(base);
    this.#files.rename(this.#path(base), this.#path(base) + ASIDE_SUFFIX);
  }

  keepDamage(base: number, offset: number, bytes: Uint8Array): boolean {
    const name = `${nameOf(base)}.${offset}${ASIDE_SUFFIX}`;
    if (this.#names().includes(name)) return false;
    this.#files.write(`${this.#folder}/${name}`, bytes);
    return true;
  }

  readState(): Uint8Array | undefined {
    try {
      return this.#files.readSync(this.#statePath);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  async writeState(state: Uint8Array | undefined): Promise<void> {
    if (state) {
      // Syncs the folder, and so what was removed from it.
      await this.#replaceFile(this.#statePath, state, () => true);
    } else if (!this.#destroyed) {
      // Before: without the state a segment that was removed must not be back.
      if (this.#removed) await this.#syncRemoved();
      if (!this.#destroyed) removeIfThere(this.#files, this.#statePath);
    }
  }

  setStateAside(): void {
    this.#files.rename(this.#statePath, this.#statePath + ASIDE_SUFFIX);
  }

  async sync(): Promise<void> {
    if (this.#destroyed) return;
    await this.#syncNames();
    const bases = [...this.#unsynced];
    this.#unsynced.clear();
    try {
      await Promise.all(bases.map((base) => this.#syncSegment(base)));
    } catch (error) {
      for (const base of bases) this.#unsynced.add(base);
      throw error;
    }
  }

  close(): void {
    if (this.#file) this.#closeFile(this.#file.base);
    if (this.#made && this.#names().length === 0) this.#removeFolder();
  }

  destroy(): void {
    this.#destroyed = true;
    if (this.#file) this.#closeFile(this.#file.base);
    this.#unsynced.clear();
    // The state last: when it ends half-way, what is left of the topic is not to be without it.
    for (const name of this.#names()) {
      if (SEGMENT_NAME.test(name)) removeIfThere(this.#files, `${this.#folder}/${name}`);
    }
    this.#removeFolder();
  }

  get #statePath(): string {
    return `${this.#folder}/${STATE_FILE}`;
  }

  #path(base: number): string {
    return `${this.#folder}/${nameOf(base)}${SEGMENT_SUFFIX}`;
  }

  #names(): string[] {
    try {
      const names = this.#files.list(this.#folder).map((entry) => entry.name);
      this.#made = true;
      return names;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  #describe(base: number): StoredSegment {
    try {
      const { size, end } = this.#files.readEnd(this.#path(base), CLOSING_BATCH_LENGTH);
      return { base, size, closing: closingOf(end) };
    } catch {
      // Who reads all of it is told why that does not work; the other segments can be used.
      return { base, size: 0, closing: undefined };
    }
  }

  #open(base: number): { readonly file: AppendFile } {
    if (this.#file?.base === base) return this.#file;
    if (this.#file) this.#closeFile(this.#file.base);
    this.#makeFolder();
    try {
      this.#file = { base, file: this.#files.openAppend(this.#path(base)) };
    } catch (error) {
      // Somebody has removed the folder: the next attempt makes it again.
      if (error instanceof Deno.errors.NotFound) this.#made = false;
      throw error;
    }
    if (this.#file.file.size === 0) this.#namesAreNew = true;
    return this.#file;
  }

  #closeFile(base: number): void {
    if (this.#file?.base !== base) return;
    this.#file.file.close();
    this.#file = undefined;
  }

  /** Takes a write back that did not end. */
  #cutBack(file: AppendFile, size: number): void {
    try {
      file.truncate(size);
    } catch {
      // The torn batch stays in the file: it is found, and left out, when the file is read.
    }
    if (this.#file?.file === file) this.#closeFile(this.#file.base);
  }

  async #syncNames(): Promise<void> {
    const { folderIsNew, namesAreNew } = { folderIsNew: this.#folderIsNew, namesAreNew: this.#namesAreNew };
    this.#folderIsNew = this.#namesAreNew = false;
    try {
      if (folderIsNew) await this.#files.syncFolder(this.#dataPath);
      if (namesAreNew) await this.#files.syncFolder(this.#folder);
    } catch (error) {
      // There is nothing to lose any more.
      if (this.#destroyed) return;
      this.#folderIsNew ||= folderIsNew;
      this.#namesAreNew ||= namesAreNew;
      throw error;
    }
  }

  async #syncRemoved(): Promise<void> {
    this.#removed = false;
    try {
      await this.#files.syncFolder(this.#folder);
    } catch (error) {
      // The folder may be gone, with all that was in it.
      if (this.#destroyed || error instanceof Deno.errors.NotFound) return;
      this.#removed = true;
      throw error;
    }
  }

  async #syncSegment(base: number): Promise<void> {
    try {
      if (this.#file?.base === base) await this.#file.file.sync();
      else await this.#files.syncFile(this.#path(base));
    } catch (error) {
      // A segment that was removed meanwhile has nothing to lose.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Puts a file in the place of another, unless all is destroyed meanwhile. */
  async #replaceFile(path: string, bytes: Uint8Array, wanted: () => boolean): Promise<boolean> {
    if (this.#destroyed) return false;
    this.#makeFolder();
    try {
      return await replaceFile(this.#files, path, bytes, () => !this.#destroyed && wanted());
    } catch (error) {
      if (this.#destroyed) return false;
      throw error;
    }
  }

  /** Makes the topic's folder, but never the data path: that one is gone by mistake. */
  #makeFolder(): void {
    if (this.#made) return;
    this.#destroyed = false;
    const wasNew = this.#folderIsNew;
    // Before: when it fails, the folder may be there all the same.
    this.#folderIsNew = true;
    if (!this.#files.makeFolder(this.#folder)) this.#folderIsNew = wasNew;
    this.#made = true;
  }

  #removeFolder(): void {
    this.#made = false;
    try {
      this.#files.removeFolder(this.#folder);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function nameOf(base: number): string {
  return base.toString(16).padStart(NAME_DIGITS, "0");
}
