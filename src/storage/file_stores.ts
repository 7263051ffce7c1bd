/**
 * The topics of a data path, each with a folder:
 *
 * ```
 *  <data path>/<topic>.topic/                           its segments and its state (file_segments.ts)
 *  <data path>/<topic>.topic.3.deleted                  a topic that was deleted, until its files are gone
 * ```
 *
 * In the name of a folder a capital letter of the topic's name is `+` and the small one, so that topics whose names differ
 * in nothing else have folders of their own where the file system takes no notice of that.
 *
 * @module
 */

import type { StoreFactory } from "../broker/broker.ts";
import { FileSegments } from "./file_segments.ts";
import { DENO_FILES, type FileSystem } from "./file_system.ts";
import { OPEN_FILES_MAX, OpenFiles } from "./open_files.ts";

const FOLDER_SUFFIX = ".topic";
const DELETED_NAME = /\.topic\.\d+\.deleted$/;

/** The name of a topic's folder. */
export function topicFolder(topic: string): string {
  return topic.replace(/[A-Z]/g, (letter) => `+${letter.toLowerCase()}`) + FOLDER_SUFFIX;
}

/** The topic whose folder has that name; undefined when it is no topic's. */
function topicOfFolder(name: string): string | undefined {
  if (!name.endsWith(FOLDER_SUFFIX)) return undefined;
  return name.slice(0, -FOLDER_SUFFIX.length).replace(/\+([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** The topics' folders in a data path. */
export class FileStores implements StoreFactory {
  readonly #dataPath: string;
  readonly #files: FileSystem;
  readonly #open = new OpenFiles(OPEN_FILES_MAX);
  /** Names of folders that have capital letters, as all topics' had before version 0.1, while nobody has opened them. */
  #plain: Set<string> | undefined;

  /** `dataPath` must exist. */
  constructor(dataPath: string, files: FileSystem = DENO_FILES) {
    this.#dataPath = dataPath;
    this.#files = files;
  }

  names(): string[] {
    const names = this.#folders().map(topicOfFolder).filter((topic) => topic !== undefined);
    return [...new Set(names)].sort();
  }

  open(topic: string): FileSegments {
    const name = this.folderOf(topic);
    // When it is deleted, the next topic of that name has a folder like all others.
    this.#plain?.delete(name);
    return new FileSegments({ dataPath: this.#dataPath, name, files: this.#files, open: this.#open });
  }

  /** The name of the folder that the topic has, or would have. */
  folderOf(topic: string): string {
    const name = topicFolder(topic);
    const plain = topic + FOLDER_SUFFIX;
    // Asked of the names on the disk: where it takes no notice of case, another topic's folder would be found.
    return plain !== name && (this.#plain ??= this.#plainFolders()).has(plain) ? plain : name;
  }

  /**
   * Removes what is left of topics that were deleted.
   *
   * @throws What the file system threw first; all of it has been tried.
   */
  async removeDeleted(): Promise<void> {
    const left = this.#files.list(this.#dataPath).filter(({ name }) => DELETED_NAME.test(name));
    const errors: unknown[] = [];
    for (const { name } of left) {
      try {
        await this.#files.removeTree(`${this.#dataPath}/${name}`);
      } catch (error) {
        // Somebody else may be as quick.
        if (!(error instanceof Deno.errors.NotFound)) errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #plainFolders(): Set<string> {
    const names = new Set(this.#folders());
    const isPlain = (name: string) => {
      const topic = topicOfFolder(name);
      return topic !== undefined && topicFolder(topic) !== name && !names.has(topicFolder(topic));
    };
    return new Set([...names].filter(isPlain));
  }

  /** The names of folders in the data path. */
  #folders(): string[] {
    return this.#files.list(this.#dataPath).flatMap(({ name, isFolder }) => isFolder ? [name] : []);
  }
}
