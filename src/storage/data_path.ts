/**
 * The data path: locked while a daemon uses it, as Go's nsqd locks it (internal/dirlock), so that neither two of
 * ours nor one of each can use the same.
 *
 * @module
 */

import { lockSoon } from "../base/file_lock.ts";
import { DENO_FILES, type FileSystem, removeIfThere, removeQuietly } from "./file_system.ts";

/** Is there between a stop in order and the next start. */
const STOPPED_FILE = "nsqd.stopped";
const PROBE_FILE = "nsqd.probe";
/** More than what a full disk has left in the file system's own nooks. */
const PROBE_BYTES = 64 * 1024;

/** A folder that one daemon uses at a time. */
export class DataPath implements Disposable {
  readonly path: string;
  readonly #files: FileSystem;
  #handle: Deno.FsFile | undefined;
  #wasStopped = false;
  /** The file that says so is still there. */
  #saysStopped = false;

  /** The empty path is the working directory. */
  constructor(path: string, files: FileSystem = DENO_FILES) {
    this.path = path === "" ? Deno.cwd() : path;
    this.#files = files;
  }

  /**
   * Locks the folder until it is disposed of.
   *
   * @throws {Error} Why it cannot be used.
   */
  async lock(): Promise<void> {
    const handle = Deno.openSync(this.path);
    try {
      if (!handle.statSync().isDirectory) throw new Error(`${this.path} is no folder`);
      if (!await lockSoon(handle)) {
        throw new Error(`cannot lock folder ${this.path} (possibly in use by another instance of nsqd)`);
      }
    } catch (error) {
      handle.close();
      throw error;
    }
    this.#handle = handle;
    this.look();
  }

  /** Finds out how the last program here ended, as locking the folder does. */
  look(): void {
    this.#wasStopped = this.#files.list(this.path).some(({ name }) => name === STOPPED_FILE);
    this.#saysStopped = this.#wasStopped;
  }

  /** The last program here ended in order: what it has saved is all there was. Known once the folder is locked. */
  get wasStopped(): boolean {
    return this.#wasStopped;
  }

  /**
   * The folder is in use: should the program be killed, the next one is not to believe that it ended in order. Costs
   * nothing once that is done.
   *
   * @throws Why it cannot be; to be tried again then.
   */
  async use(): Promise<void> {
    if (!this.#saysStopped) return;
    removeIfThere(this.#files, this.#stoppedFile);
    await this.#files.syncFolder(this.path);
    this.#saysStopped = false;
  }

  /**
   * The program ends in order, and all is saved.
   *
   * @throws Why that cannot be written down.
   */
  async stop(): Promise<void> {
    // It has nothing but its name, which is there at once or not at all.
    this.#files.write(this.#stoppedFile, new Uint8Array());
    this.#saysStopped = true;
    await this.#files.syncFolder(this.path);
  }

  /**
   * Writes a little, and takes it away again.
   *
   * @throws Why there is no room, or no right, to write.
   */
  async probe(): Promise<void> {
    const file = `${this.path}/${PROBE_FILE}`;
    try {
      this.#files.write(file, new Uint8Array(PROBE_BYTES));
      await this.#files.syncFile(file);
    } catch (error) {
      removeQuietly(this.#files, file);
      throw error;
    }
    removeIfThere(this.#files, file);
  }

  [Symbol.dispose](): void {
    this.#handle?.close();
    this.#handle = undefined;
  }

  get #stoppedFile(): string {
    return `${this.path}/${STOPPED_FILE}`;
  }
}
