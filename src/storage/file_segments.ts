/**
 * Segments as files: in the topic's folder a file for each segment, named after the position of its first message, and
 * the state beside them:
 *
 * ```
 *  <data path>/<topic>.topic/000006a1b2c3d4.seg
 *                            000006a1b2c7d4.seg
 *                            000006a1b2c7d4.1042.bad    damaged bytes of a segment, from that offset on
 *                            000006a1b2cbd4.seg.bad     a whole file that cannot be used
 *                            state
 * ```
 *
 * The log gathers messages, so writes are large and few.
 *
 * @module
 */

import { closingOf, TAIL_LENGTH } from "../log/segment_image.ts";
import type { ImagePart, SegmentStore, StoredSegment } from "../log/segment_store.ts";
import {
  type AppendFile,
  type FileSystem,
  removeIfThere,
  removeQuietly,
  replaceFile,
  TEMPORARY_SUFFIX,
} from "./file_system.ts";
import { OPEN_FILES_MAX, OpenFiles } from "./open_files.ts";
import { TopicFolder } from "./topic_folder.ts";

const SEGMENT_SUFFIX = ".seg";
const ASIDE_SUFFIX = ".bad";
const STATE_FILE = "state";
/** A position has at most 53 bits. */
const NAME_DIGITS = 14;
const SEGMENT_NAME = /^([0-9a-f]{14})\.seg$/;

/** Files of a topic that are synced at the same time: after a disk has refused it for long there may be thousands. */
const SYNC_FILES_MAX = 16;

/** The files of one topic. */
export class FileSegments implements SegmentStore {
  readonly #folder: TopicFolder;
  readonly #files: FileSystem;
  /** The file that was written last: the next write is nearly always to the same. */
  #file: { readonly base: number; readonly file: AppendFile } | undefined;
  /** What the file had that was open before: when it has less now, somebody has removed it. */
  #closed: { readonly base: number; readonly size: number } | undefined;
  /** Segments that have been added to since they were synced. */
  readonly #unsynced = new Set<number>();
  /** Something was written since `rest()` was called. */
  #isBusy = false;
  /** Segments whose files go, or are replaced, while they are synced: what was in them need not survive any more. */
  #leftMeanwhile: Set<number> | undefined;
  readonly #openFiles: OpenFiles;

  /** The folder is made with the first segment. */
  constructor(options: { dataPath: string; name: string; files: FileSystem; open?: OpenFiles }) {
    this.#folder = new TopicFolder(options);
    this.#files = options.files;
    this.#openFiles = options.open ?? new OpenFiles(OPEN_FILES_MAX);
  }

  list(): StoredSegment[] {
    const segments: StoredSegment[] = [];
    for (const name of this.#folder.names()) {
      if (name.endsWith(TEMPORARY_SUFFIX)) this.#removeLeftover(name);
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
    // Before: when it fails, what is in the file may still be to be synced, as an earlier program has left it.
    this.#unsynced.add(base);
    this.#open(base).file.truncate(size);
  }

  async replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean> {
    let replaced: boolean;
    try {
      replaced = await this.#replaceFile(this.#path(base), image, () => {
        if (!wanted()) return false;
        this.#leaveFile(base);
        return true;
      });
    } catch (error) {
      this.#leftMeanwhile?.delete(base);
      throw error;
    }
    if (replaced) this.#unsynced.delete(base);
    return replaced;
  }

  async read(base: number): Promise<Uint8Array> {
    return await this.#files.read(this.#path(base));
  }

  async readPart(base: number, part: ImagePart): Promise<Uint8Array> {
    return (await this.#files.readPart(this.#path(base), part)).bytes;
  }

  readSync(base: number): Uint8Array {
    return this.#files.readSync(this.#path(base));
  }

  readPartSync(base: number, part: ImagePart): Uint8Array {
    return this.#files.readPartSync(this.#path(base), part).bytes;
  }

  async remove(base: number): Promise<void> {
    if (this.#folder.isDestroyed) return;
    this.#leaveFile(base);
    this.#unsynced.delete(base);
    this.#folder.nameRemoved();
    try {
      await this.#files.unlink(this.#path(base));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  setAside(base: number): void {
    this.#files.rename(this.#path(base), this.#path(base) + ASIDE_SUFFIX);
    this.#leaveFile(base);
    this.#unsynced.delete(base);
  }

  keepDamage(base: number, offset: number, bytes: Uint8Array): boolean {
    const name = `${nameOf(base)}.${offset}${ASIDE_SUFFIX}`;
    if (this.#folder.names().includes(name)) return false;
    this.#files.write(`${this.#folder.path}/${name}`, bytes);
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

  async writeState(state: AsyncIterable<Uint8Array> | undefined): Promise<void> {
    if (state) {
      // Syncs the folder, and so what was removed from it.
      await this.#replaceFile(this.#statePath, state, () => true);
    } else if (!this.#folder.isDestroyed) {
      // Before: without the state a segment that was removed must not be back.
      if (this.#folder.hasRemoved) await this.#folder.syncRemoved();
      if (this.#folder.isDestroyed) return;
      removeIfThere(this.#files, this.#statePath);
      // After: a state that is back would miss them.
      await this.#folder.syncRemoved();
    }
  }

  setStateAside(): void {
    this.#files.rename(this.#statePath, this.#statePath + ASIDE_SUFFIX);
  }

  async sync(): Promise<void> {
    if (this.#folder.isDestroyed) return;
    await this.#syncNames();
    const bases = [...this.#unsynced];
    this.#unsynced.clear();
    const left = this.#leftMeanwhile = new Set<number>();
    const errors: unknown[] = [];
    const next = bases.values();
    const some = async () => {
      for (const base of next) await this.#syncSegment(base, left).catch((error) => errors.push(error));
    };
    await Promise.all(Array.from({ length: Math.min(bases.length, SYNC_FILES_MAX) }, some));
    this.#leftMeanwhile = undefined;
    if (errors.length > 0) throw errors[0];
  }

  rest(): void {
    if (!this.#isBusy) this.closeFile();
    this.#isBusy = false;
  }

  close(): void {
    this.closeFile();
    this.#folder.removeEmpty();
  }

  async destroy(): Promise<void> {
    if (this.#folder.isDestroyed) return;
    this.closeFile();
    this.#closed = undefined;
    this.#unsynced.clear();
    await this.#folder.destroy();
  }

  /** Ends the writing to the file that is open, until the next. */
  closeFile(): void {
    this.#openFiles.closed(this);
    if (!this.#file) return;
    const { base, file } = this.#file;
    this.#closed = { base, size: file.size };
    this.#file = undefined;
    file.close();
  }

  get #statePath(): string {
    return `${this.#folder.path}/${STATE_FILE}`;
  }

  #path(base: number): string {
    return `${this.#folder.path}/${nameOf(base)}${SEGMENT_SUFFIX}`;
  }

  #describe(base: number): StoredSegment {
    try {
      const { size, end } = this.#files.readEnd(this.#path(base), TAIL_LENGTH);
      return { base, size, closing: closingOf(end, base) };
    } catch {
      // Who reads all of it is told why that does not work; the other segments can be used.
      return { base, size: 0, closing: undefined };
    }
  }

  #open(base: number): { readonly file: AppendFile } {
    this.#isBusy = true;
    if (this.#file?.base === base) return this.#file;
    this.closeFile();
    this.#folder.make();
    this.#openFiles.makeRoom();
    const opened = { base, file: this.#openAppend(base) };
    if (opened.file.size === 0) this.#folder.nameAdded();
    this.#file = opened;
    this.#openFiles.opened(this);
    return opened;
  }

  #openAppend(base: number): AppendFile {
    const path = this.#path(base);
    let file: AppendFile;
    try {
      file = this.#files.openAppend(path);
    } catch (error) {
      // Somebody has removed the folder: the next attempt makes it again.
      if (error instanceof Deno.errors.NotFound) this.#folder.lost();
      throw error;
    }
    if (this.#closed?.base !== base || file.size >= this.#closed.size) return file;
    // Somebody has removed it: without what was before, nothing that is added could be found again.
    file.close();
    removeQuietly(this.#files, path);
    throw new Deno.errors.NotFound(`File is gone: open '${path}'`);
  }

  /** The file of the segment is about to go, or to be replaced; a sync of it that runs may fail. */
  #leaveFile(base: number): void {
    if (this.#file?.base === base) this.closeFile();
    if (this.#closed?.base === base) this.#closed = undefined;
    this.#leftMeanwhile?.add(base);
  }

  /** A file whose writing was interrupted. On a disk that cannot be written to it stays, and is no harm. */
  #removeLeftover(name: string): void {
    try {
      this.#files.remove(`${this.#folder.path}/${name}`);
    } catch {
      // The next start tries again.
    }
  }

  /** Takes a write back that did not end. */
  #cutBack(file: AppendFile, size: number): void {
    try {
      file.truncate(size);
    } catch {
      // The torn batch stays in the file: it is found, and left out, when the file is read.
    }
    if (this.#file?.file === file) this.closeFile();
  }

  async #syncNames(): Promise<void> {
    try {
      await this.#folder.syncNew();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        // Somebody has removed the folder, with all that was in it: what is written next is written anew.
        this.closeFile();
        this.#unsynced.clear();
      }
      throw error;
    }
  }

  async #syncSegment(base: number, left: ReadonlySet<number>): Promise<void> {
    try {
      if (this.#file?.base === base) await this.#file.file.sync();
      else await this.#files.syncFile(this.#path(base));
    } catch (error) {
      // A segment that was removed or replaced meanwhile has nothing to lose.
      if (left.has(base) || this.#folder.isDestroyed) return;
      if (error instanceof Deno.errors.NotFound) {
        // Somebody else has removed it, or the folder: what is written next is written anew.
        this.#folder.lost();
        if (this.#file?.base === base) this.closeFile();
      } else {
        this.#unsynced.add(base);
      }
      throw error;
    }
  }

  /** Puts a file in the place of another, unless all is destroyed meanwhile. */
  async #replaceFile(
    path: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    wanted: () => boolean,
  ): Promise<boolean> {
    if (this.#folder.isDestroyed) return false;
    this.#folder.make();
    try {
      return await replaceFile(this.#files, path, bytes, () => !this.#folder.isDestroyed && wanted());
    } catch (error) {
      if (this.#folder.isDestroyed) return false;
      // Somebody has removed the folder: the next attempt makes it again.
      if (error instanceof Deno.errors.NotFound) this.#folder.lost();
      throw error;
    }
  }
}

function nameOf(base: number): string {
  return base.toString(16).padStart(NAME_DIGITS, "0");
}
