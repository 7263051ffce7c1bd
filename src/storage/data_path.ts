/**
 * The data path: locked while a daemon uses it, as Go's nsqd locks it (internal/dirlock), so that neither two of
 * ours nor one of each can use the same.
 *
 * @module
 */

/** A locked folder. */
export class DataPath implements Disposable {
  readonly path: string;
  readonly #handle: Deno.FsFile;

  /**
   * Locks the folder; the empty path is the working directory.
   *
   * @throws {Error} Why it cannot be used.
   */
  constructor(path: string) {
    this.path = path === "" ? Deno.cwd() : path;
    this.#handle = Deno.openSync(this.path);
    try {
      if (!this.#handle.statSync().isDirectory) throw new Error(`${this.path} is no folder`);
      if (!this.#handle.tryLockSync(true)) {
        throw new Error(`cannot lock folder ${this.path} (possibly in use by another instance of nsqd)`);
      }
    } catch (error) {
      this.#handle.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}
