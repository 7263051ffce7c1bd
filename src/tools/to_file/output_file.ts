/**
 * A file that messages are written to, and what becomes of it when it is complete. What is synced survives a loss of
 * power, its name too: folders are synced with the first sync of a file, and when it has been moved.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { tryLock } from "../../base/file_lock.ts";

/** How a file is opened. */
export interface OpenOptions {
  /** Whether it must be there already, must not be, or may. */
  readonly kind: "existing" | "new" | "either";
  /** Nobody else may adopt it while it is open. */
  readonly locked: boolean;
  /** Folders from here on are made, and synced. */
  readonly base: string;
}

const FOLDER_MODE = 0o770;
const NEWLINE = Uint8Array.of(10);

/** An open file, at whose end bytes are put. */
export class OutputFile {
  readonly path: string;
  /** When it was opened, by `performance.now()`. */
  readonly openedMs = performance.now();
  /** What it had when it was opened, in bytes. */
  readonly initialSize: number;
  readonly #file: Deno.FsFile;
  readonly #base: string;
  #isKnown = false;
  #isDirty = false;

  /** Opens it; undefined if that is not possible as it is wanted, or somebody else has locked it. */
  static async open(path: string, { kind, locked, base }: OpenOptions): Promise<OutputFile | undefined> {
    if (kind !== "existing") await makeFolder(dirname(path));
    const refusal = kind === "existing" ? Deno.errors.NotFound : Deno.errors.AlreadyExists;
    const options = { read: true, append: true, create: kind === "either", createNew: kind === "new" };
    const file = await orUndefined(refusal, () => Deno.open(path, options));
    if (file === undefined) return undefined;
    try {
      const { size, ino } = await file.stat();
      if (!locked || await lockedAt(path, file, ino)) return new OutputFile(path, file, { size, base });
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** @ignore */
  constructor(path: string, file: Deno.FsFile, { size, base }: { size: number; base: string }) {
    this.path = path;
    this.#file = file;
    this.initialSize = size;
    this.#base = base;
  }

  /** Puts bytes at the end. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#isDirty = true;
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
  }

  /** Ends the line that a crash has left without an end, so that the next one is not glued to it. */
  async endLine(): Promise<void> {
    if (this.initialSize === 0) return;
    const last = new Uint8Array(1);
    await this.#file.seek(-1, Deno.SeekMode.End);
    await this.#file.read(last);
    if (last[0] !== NEWLINE[0]) await this.append(NEWLINE);
  }

  /** Cuts what a crash has left unfinished. */
  async truncate(size: number): Promise<void> {
    this.#isDirty = true;
    await this.#file.truncate(size);
  }

  /** Reads a part. */
  async readAt(offset: number, size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    await this.#file.seek(offset, Deno.SeekMode.Start);
    let length = 0;
    for (let read: number | null = 0; read !== null && length < size;) {
      read = await this.#file.read(bytes.subarray(length));
      length += read ?? 0;
    }
    return bytes.subarray(0, length);
  }

  /** Settles when what was put in is on the disk, and can be found there. */
  async sync(): Promise<void> {
    if (this.#isDirty) await this.#file.syncData();
    this.#isDirty = false;
    if (!this.#isKnown) await syncFolders(dirname(this.path), this.#base);
    this.#isKnown = true;
  }

  /** Syncs it, and ends its use. */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      this.abandon();
    }
  }

  /** Ends its use. */
  abandon(): void {
    this.#file.close();
  }
}

/** Where a complete file is to go. */
export interface Destination {
  readonly path: string;
  /** Folders from here on are made, and synced. */
  readonly base: string;
}

/** How a file gets a second name; tests stand in for it. */
export type Link = (source: string, destination: string) => Promise<void>;

/**
 * Moves a complete file to where whole files are; false if there is a file of that name, which stays as it is. On another
 * file system it is copied first: there, too, it is whole from the moment that it has its name.
 */
export async function moveFile(
  source: string,
  { path, base }: Destination,
  link: Link = Deno.link,
): Promise<boolean> {
  await makeFolder(dirname(path));
  if (!await linked(source, path, link)) return false;
  await syncFolders(dirname(path), base);
  await Deno.remove(source);
  return true;
}

async function linked(source: string, path: string, link: Link): Promise<boolean> {
  try {
    return await linkedNew(source, path, link);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EXDEV") throw error;
  }
  const copy = join(dirname(path), `.${crypto.randomUUID()}.nsq_to_file`);
  try {
    await Deno.copyFile(source, copy);
    using file = await Deno.open(copy, { write: true });
    await file.sync();
    return await linkedNew(copy, path, Deno.link);
  } finally {
    await orUndefined(Deno.errors.NotFound, () => Deno.remove(copy));
  }
}

/** Unlike a rename, a link never takes the place of a file. */
async function linkedNew(source: string, path: string, link: Link): Promise<boolean> {
  return await orUndefined(Deno.errors.AlreadyExists, () => link(source, path).then(() => true)) ?? false;
}

/** Whether there is a file of that name. */
export async function exists(path: string): Promise<boolean> {
  return await orUndefined(Deno.errors.NotFound, () => Deno.stat(path)) !== undefined;
}

/** Locks the file that is still there; whoever had the lock before may have moved it. */
async function lockedAt(path: string, file: Deno.FsFile, ino: number | null): Promise<boolean> {
  if (!await tryLock(file)) return false;
  const there = await orUndefined(Deno.errors.NotFound, () => Deno.stat(path));
  return there?.ino === ino;
}

async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
}

/** Syncs the folder, and those above up to the one that the base is in: any of them may be new. */
async function syncFolders(path: string, base: string): Promise<void> {
  for (let folder = path;; folder = dirname(folder)) {
    using handle = await Deno.open(folder);
    await handle.sync();
    if (folder.length < base.length || folder === dirname(folder)) return;
  }
}

async function orUndefined<T>(
  expected: new (...args: string[]) => Error,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof expected) return undefined;
    throw error;
  }
}
