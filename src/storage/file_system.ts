/**
 * What storage asks of a file system, and Deno's. The port is small, so that tests can put a simulated one in its
 * place that loses what was not synced and fails any call (tests/support/simulated_file_system.ts).
 *
 * Writes are synchronous (25 times cheaper than asynchronous ones on Deno, docs/performance.md). Syncing takes as
 * long as the disk does, so it is asynchronous.
 *
 * @module
 */

/** Files of the owner's only: messages may be secret, and so may names of topics, and how much there is of them. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Ending of a file that is still being written. */
export const TEMPORARY_SUFFIX = ".tmp";
/** Files that were replaced asynchronously. */
let replaced = 0;

/** A file that bytes are added to. */
export interface AppendFile {
  /** Its size, in bytes. */
  readonly size: number;
  /** Adds the bytes; when that fails, some of them may have been added. */
  append(bytes: Uint8Array): void;
  /** Makes it end there. */
  truncate(size: number): void;
  /** Settles when all that was added before the call survives a loss of power. May run while bytes are added. */
  sync(): Promise<void>;
  /** Ends its use; a sync that runs goes on to its end. */
  close(): void;
}

/** Which bytes of a file. */
export interface FilePart {
  readonly offset: number;
  readonly length: number;
}

/** Files and folders by path. What is not there is a `Deno.errors.NotFound`. */
export interface FileSystem {
  /** The names in a folder. */
  list(folder: string): { readonly name: string; readonly isFolder: boolean }[];
  /** Makes a folder in one that is there; false when it is there already. */
  makeFolder(path: string): boolean;
  /** Removes a folder with all that is in it. */
  removeFolder(path: string): void;
  /** As `removeFolder`, for many files: nothing else waits for it. */
  removeTree(path: string): Promise<void>;
  /** Opens a file, which is made if it is not there, to add bytes to its end. */
  openAppend(path: string): AppendFile;
  /** Writes a file, which is made or emptied before. */
  write(path: string, bytes: Uint8Array): void;
  /** The bytes of a file, for the caller to keep. */
  read(path: string): Promise<Uint8Array>;
  /** As `read`, for the start of the program. */
  readSync(path: string): Uint8Array;
  /** The size of a file and its last bytes, up to that many. */
  readEnd(path: string, length: number): { readonly size: number; readonly end: Uint8Array };
  /** The size of a file and its bytes from `offset` on, up to `length` of them, for the caller to keep. */
  readPart(path: string, part: FilePart): Promise<{ readonly size: number; readonly bytes: Uint8Array }>;
  /** As `readPart`, for the start of the program. */
  readPartSync(path: string, part: FilePart): { readonly size: number; readonly bytes: Uint8Array };
  /** Gives a file or folder another name, under which what was there before is gone; at once or not at all. */
  rename(from: string, to: string): void;
  /** Removes a file. */
  remove(path: string): void;
  /** As `remove`, for what may be long: nothing else waits for it. */
  unlink(path: string): Promise<void>;
  /** Makes a file's bytes survive a loss of power. */
  syncFile(path: string): Promise<void>;
  /** Makes what was made, renamed or removed in a folder survive a loss of power. */
  syncFolder(path: string): Promise<void>;
}

/**
 * Puts bytes in the place of a file, at once or not at all, whatever happens, a loss of power included.
 * They may come in pieces. `wanted` is asked right before the file is replaced.
 *
 * @returns false when it was not wanted any more.
 */
export async function replaceFile(
  files: FileSystem,
  path: string,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  wanted: () => boolean = () => true,
): Promise<boolean> {
  // Of its own: a topic that was deleted, and one that has its name now, may save their states at the same time.
  const temporary = `${path}.${replaced++}${TEMPORARY_SUFFIX}`;
  try {
    if (bytes instanceof Uint8Array) files.write(temporary, bytes);
    else await writePieces(files, temporary, bytes);
    // Before the renaming: a name that survives must not stand for bytes that did not.
    await files.syncFile(temporary);
    if (!wanted()) {
      removeIfThere(files, temporary);
      return false;
    }
    files.rename(temporary, path);
  } catch (error) {
    removeQuietly(files, temporary);
    // The same fault is the same text, however often it is tried.
    if (error instanceof Error) error.message = error.message.replaceAll(temporary, path);
    throw error;
  }
  await files.syncFolder(folderOf(path));
  return true;
}

async function writePieces(
  files: FileSystem,
  path: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  let file: AppendFile | undefined;
  let isEmpty = true;
  try {
    for await (const piece of pieces) {
      if (isEmpty) files.write(path, piece);
      else (file ??= files.openAppend(path)).append(piece);
      isEmpty = false;
    }
    if (isEmpty) files.write(path, new Uint8Array());
  } finally {
    file?.close();
  }
}

/** Removes a file if there is one. */
export function removeIfThere(files: FileSystem, path: string): void {
  try {
    files.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** For what is left of a failure that is reported anyway; the next attempt, or the next start, takes it away. */
export function removeQuietly(files: FileSystem, path: string): void {
  try {
    files.remove(path);
  } catch {
    // The disk that made the first call fail may make this one fail, too.
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** The machine's files. */
export const DENO_FILES: FileSystem = {
  list: (folder) =>
    [...Deno.readDirSync(folder)].map(({ name, isDirectory }) => ({ name, isFolder: isDirectory })),

  makeFolder(path) {
    try {
      Deno.mkdirSync(path, { mode: FOLDER_MODE });
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      throw error;
    }
  },

  removeFolder: (path) => Deno.removeSync(path, { recursive: true }),

  removeTree: (path) => Deno.remove(path, { recursive: true }),

  openAppend: (path) => new DenoAppendFile(path),

  write(path, bytes) {
    using file = Deno.openSync(path, { create: true, write: true, truncate: true, mode: FILE_MODE });
    writeAll(file, bytes);
  },

  read: (path) => Deno.readFile(path),

  readSync: (path) => Deno.readFileSync(path),

  readEnd(path, length) {
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    const end = new Uint8Array(Math.min(size, length));
    file.seekSync(size - end.length, Deno.SeekMode.Start);
    for (let read = 0; read < end.length;) read += file.readSync(end.subarray(read)) ?? end.length;
    return { size, end };
  },

  async readPart(path, { offset, length }) {
    // Opening costs less when it is waited for; reading may take as long as the disk does.
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    const bytes = new Uint8Array(Math.max(Math.min(size - offset, length), 0));
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let read = 0; read < bytes.length;) read += await file.read(bytes.subarray(read)) ?? bytes.length;
    return { size, bytes };
  },

  readPartSync(path, { offset, length }) {
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    const bytes = new Uint8Array(Math.max(Math.min(size - offset, length), 0));
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let read = 0; read < bytes.length;) read += file.readSync(bytes.subarray(read)) ?? bytes.length;
    return { size, bytes };
  },

  rename: (from, to) => Deno.renameSync(from, to),

  remove: (path) => Deno.removeSync(path),

  unlink: (path) => Deno.remove(path),

  async syncFile(path) {
    using file = await Deno.open(path, { write: true });
    await file.syncData();
  },

  async syncFolder(path) {
    using folder = await Deno.open(path);
    await folder.sync();
  },
};

/** Two handles on one file, because while a handle syncs, it takes no bytes. */
class DenoAppendFile implements AppendFile {
  size: number;
  readonly #path: string;
  readonly #writer: Deno.FsFile;
  #syncer: Deno.FsFile | undefined;
  #syncing = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
    this.#writer = Deno.openSync(path, { create: true, append: true, mode: FILE_MODE });
    this.size = this.#writer.statSync().size;
  }

  append(bytes: Uint8Array): void {
    writeAll(this.#writer, bytes);
    this.size += bytes.length;
  }

  truncate(size: number): void {
    this.#writer.truncateSync(size);
    this.size = size;
  }

  async sync(): Promise<void> {
    const syncer = this.#syncer ??= Deno.openSync(this.#path, { write: true });
    this.#syncing++;
    try {
      await syncer.syncData();
      // Whoever has removed the file has removed what is in it: nothing of that is safe.
      if (syncer.statSync().nlink === 0) throw new Deno.errors.NotFound(`File is gone: sync '${this.#path}'`);
    } finally {
      this.#syncing--;
      if (this.#closed) this.#closeSyncer();
    }
  }

  close(): void {
    this.#closed = true;
    this.#writer.close();
    this.#closeSyncer();
  }

  #closeSyncer(): void {
    if (this.#syncing > 0) return;
    this.#syncer?.close();
    this.#syncer = undefined;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}
