/**
 * The folder of a topic: made when something is to be in it, moved out of the way when the topic is deleted, and synced
 * when the names in it are to survive a loss of power. Somebody may remove it at any time; then it is made again.
 *
 * @module
 */

import type { FileSystem } from "./file_system.ts";

const DELETED_SUFFIX = ".deleted";

/** A folder in the data path. */
export class TopicFolder {
  readonly path: string;
  readonly #dataPath: string;
  readonly #files: FileSystem;
  /** It is known to be there. */
  #made = false;
  /** Its name in the data path may not survive a loss of power yet. */
  #isNew = false;
  /** Names in it may not survive a loss of power yet. */
  #namesAreNew = false;
  /** Files that were removed may be back after a loss of power. */
  #removed = false;
  #destroyed = false;

  constructor(options: { dataPath: string; name: string; files: FileSystem }) {
    this.path = `${options.dataPath}/${options.name}`;
    this.#dataPath = options.dataPath;
    this.#files = options.files;
  }

  /** What is there now, if anything is, is of another topic of the same name. */
  get isDestroyed(): boolean {
    return this.#destroyed;
  }

  /** Files that were removed may be back after a loss of power. */
  get hasRemoved(): boolean {
    return this.#removed;
  }

  /** The names in it; none while it is not there. */
  names(): string[] {
    try {
      const names = this.#files.list(this.path).map((entry) => entry.name);
      this.#made = true;
      return names;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Makes it, but never the data path: that one is gone by mistake. */
  make(): void {
    if (this.#made) return;
    this.#destroyed = false;
    const wasNew = this.#isNew;
    // Before: when it fails, the folder may be there all the same.
    this.#isNew = true;
    if (!this.#files.makeFolder(this.path)) this.#isNew = wasNew;
    this.#made = true;
  }

  /** Somebody has removed it, or files in it: the next attempt to write makes it again. */
  lost(): void {
    this.#made = false;
  }

  /** There is a file in it that was not there before. */
  nameAdded(): void {
    this.#namesAreNew = true;
  }

  /** There is a file less in it. */
  nameRemoved(): void {
    this.#removed = true;
  }

  /**
   * Makes what is new survive a loss of power.
   *
   * @throws What the file system threw; NotFound when somebody has removed the folder, with all that was in it.
   */
  async syncNew(): Promise<void> {
    const { isNew, namesAreNew } = { isNew: this.#isNew, namesAreNew: this.#namesAreNew };
    this.#isNew = this.#namesAreNew = false;
    try {
      if (isNew) await this.#files.syncFolder(this.#dataPath);
      if (namesAreNew) await this.#files.syncFolder(this.path);
    } catch (error) {
      // There is nothing to lose any more.
      if (this.#destroyed) return;
      if (error instanceof Deno.errors.NotFound) {
        this.#made = false;
      } else {
        this.#isNew ||= isNew;
        this.#namesAreNew ||= namesAreNew;
      }
      throw error;
    }
  }

  /** Makes what was removed stay so after a loss of power. */
  async syncRemoved(): Promise<void> {
    this.#removed = false;
    try {
      await this.#files.syncFolder(this.path);
    } catch (error) {
      // The folder may be gone, with all that was in it.
      if (this.#destroyed || error instanceof Deno.errors.NotFound) return;
      this.#removed = true;
      throw error;
    }
  }

  /** Removes it if nothing is in it. */
  removeEmpty(): void {
    if (!this.#made || this.#destroyed || this.names().length > 0) return;
    this.#made = false;
    try {
      this.#files.removeFolder(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Removes it with all that is in it: at once as far as anybody can see, and settles when that has gone from the disk. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    this.#made = false;
    const name = this.#freeName();
    try {
      // At once: another topic may have the name from now on.
      this.#files.rename(this.path, name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    await this.#files.syncFolder(this.#dataPath);
    await this.#files.removeTree(name);
  }

  /** A name that no folder has which is still being removed, or could not be. */
  #freeName(): string {
    for (let n = 0;; n++) {
      const name = `${this.path}.${n}${DELETED_SUFFIX}`;
      try {
        this.#files.list(name);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return name;
        throw error;
      }
    }
  }
}
