/**
 * The data path: locked while a daemon uses it, as Go's nsqd locks it (internal/dirlock), so that neither two of
 * ours nor one of each can use the same.
 *
 * @module
 */

import { DENO_FILES, removeIfThere } from "./file_system.ts";

/** How long an older Deno, which cannot ask for a lock without waiting, waits for it, in ms. */
const LOCK_WAIT_MS = 250;

const PROBE_FILE = "nsqd.probe";
/** More than what a full disk has left in the file system's own nooks. */
const PROBE_BYTES = 64 * 1024;

/** A folder that one daemon uses at a time. */
export class DataPath implements Disposable {
  readonly path: string;
  #handle: Deno.FsFile | undefined;

  /** The empty path is the working directory. */
  constructor(path: string) {
    this.path = path === "" ? Deno.cwd() : path;
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
      if (!await tryLock(handle)) {
        throw new Error(`cannot lock folder ${this.path} (possibly in use by another instance of nsqd)`);
      }
    } catch (error) {
      handle.close();
      throw error;
    }
    this.#handle = handle;
  }

  /**
   * Writes a little, and takes it away again.
   *
   * @throws Why there is no room, or no right, to write.
   */
  async probe(): Promise<void> {
    const file = `${this.path}/${PROBE_FILE}`;
    try {
      DENO_FILES.write(file, new Uint8Array(PROBE_BYTES));
      await DENO_FILES.syncFile(file);
    } finally {
      removeIfThere(DENO_FILES, file);
    }
  }

  [Symbol.dispose](): void {
    this.#handle?.close();
    this.#handle = undefined;
  }
}

/** A file; before Deno 2.7 there is no `tryLockSync`. */
interface LockableFile {
  lock(exclusive: boolean): Promise<void>;
  tryLockSync?(exclusive: boolean): boolean;
}

async function tryLock(handle: LockableFile): Promise<boolean> {
  if (handle.tryLockSync) return handle.tryLockSync(true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), LOCK_WAIT_MS));
  const locked = await Promise.race([lockOf(handle), timeout]);
  clearTimeout(timer);
  return locked;
}

async function lockOf(handle: LockableFile): Promise<true> {
  await handle.lock(true);
  return true;
}
