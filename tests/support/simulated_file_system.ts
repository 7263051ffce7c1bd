/**
 * A file system on a simulated disk, for the storage code: calls can be made to fail, or to be the last thing that
 * the program does; asynchronous ones end when the test says so. One object is what one run of a program sees; the
 * next run gets another one on the same disk, or on what a loss of power has left of it.
 *
 * @module
 */
import type { AppendFile, FilePart, FileSystem } from "../../src/storage/file_system.ts";
import type { Random } from "./random.ts";
import { type RunningSync, type SimulatedDisk, SimulatedFile, SimulatedFolder } from "./simulated_disk.ts";

/** What programs ask of a file system. */
export const CALLS = [
  "list",
  "makeFolder",
  "removeFolder",
  "create",
  "open",
  "append",
  "truncate",
  "write",
  "read",
  "readSync",
  "readEnd",
  "readPart",
  "readPartSync",
  "rename",
  "remove",
  "unlink",
  "removeTree",
  "sync",
  "syncFile",
  "syncFolder",
] as const;
/** One of these. */
export type Call = typeof CALLS[number];

/** Why a call fails. */
export const FAULTS = {
  ENOSPC: "No space left on device (os error 28)",
  EIO: "Input/output error (os error 5)",
  EROFS: "Read-only file system (os error 30)",
} as const;
/** One of these. */
export type Fault = keyof typeof FAULTS;

/** Calls that a full disk, or one that cannot be written to, refuses. */
const REFUSES: Record<Fault, ReadonlySet<Call>> = {
  ENOSPC: new Set<Call>(["makeFolder", "create", "append", "write", "rename", "sync", "syncFile"]),
  EROFS: new Set<Call>([
    "makeFolder",
    "removeFolder",
    "create",
    "open",
    "append",
    "truncate",
    "write",
    "rename",
    "remove",
    "unlink",
    "removeTree",
  ]),
  EIO: new Set(CALLS),
};

/** The program has ended in the middle of a call: nothing that it does any more has an effect. */
export class Died extends Error {
  override readonly name = "Died";
  override readonly message = "Died";
}

/** A call that fails. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  readonly code: Fault;

  constructor(code: Fault, call: Call, path: string) {
    super(`${FAULTS[code]}: ${call} '${path}'`);
    this.code = code;
  }
}

/** What the calls have been, for a test that wants to know whether all of them were. */
export type CallCounts = Map<string, number>;

/** What a program sees of a disk. */
export class SimulatedFileSystem implements FileSystem {
  /** Decides what is left to chance; may be replaced at any time. */
  random: Random;
  /** Asked before each call; why it is to fail. */
  fault: (call: Call, path: string) => Fault | undefined = () => undefined;
  /** The program ends in the middle of this call, counted from 1. */
  lastCall = Infinity;
  /** How many calls there were. */
  calls = 0;
  /** Some bytes of a call that failed were written, or a sync that failed has lost some. */
  tore = false;
  dead = false;
  /** Folders that were synced. */
  readonly syncedFolders = new Set<string>();
  /** Names that files were given. */
  readonly newNames = new Set<string>();
  readonly #disk: SimulatedDisk;
  readonly #counts: CallCounts;
  /** Ends an asynchronous call. */
  #pending: (() => void)[] = [];
  #open = 0;

  constructor(disk: SimulatedDisk, options: { random: Random; counts?: CallCounts }) {
    this.#disk = disk;
    this.random = options.random;
    this.#counts = options.counts ?? new Map();
  }

  /** How many asynchronous calls run. */
  get running(): number {
    return this.#pending.length;
  }

  /** How many files are open. */
  get openFiles(): number {
    return this.#open;
  }

  /** Ends one of the asynchronous calls that run, if there is one. */
  endOne(): void {
    if (this.#pending.length === 0 || this.dead) return;
    const [end] = this.#pending.splice(this.random.below(this.#pending.length), 1);
    end();
  }

  /** The program ends; calls that run have no effect. */
  kill(): void {
    this.dead = true;
    this.#pending = [];
  }

  list(path: string): { readonly name: string; readonly isFolder: boolean }[] {
    this.#call("list", path);
    const entries = [...this.#folder(path).entries].map(([name, node]) => ({
      name,
      isFolder: node instanceof SimulatedFolder,
    }));
    // No order can be relied on.
    for (let i = entries.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1);
      [entries[i], entries[j]] = [entries[j], entries[i]];
    }
    return entries;
  }

  makeFolder(path: string): boolean {
    const { folder, name } = this.#place(path);
    const make = () => {
      if (!folder.entries.has(name)) this.#disk.change({ folder, name, node: new SimulatedFolder() });
    };
    this.#call("makeFolder", path, () => this.#perhaps(make));
    if (folder.entries.has(name)) return false;
    make();
    return true;
  }

  removeFolder(path: string): void {
    const { folder, name } = this.#place(path);
    const doomed = folder.entries.get(name);
    if (!(doomed instanceof SimulatedFolder)) {
      this.#call("removeFolder", path);
      throw notFound(path);
    }
    const children = [...doomed.entries.keys()].sort(() => this.random.oneIn(2) ? 1 : -1);
    const remove = (child: string) => this.#disk.change({ folder: doomed, name: child, node: undefined });
    this.#call("removeFolder", path, () => {
      for (const child of children.slice(0, this.random.below(children.length + 1))) remove(child);
    });
    for (const child of children) remove(child);
    this.#disk.change({ folder, name, node: undefined });
  }

  /** One name after the other, in any order; whatever ends it leaves the others. */
  async removeTree(path: string): Promise<void> {
    const { folder, name } = this.#place(path);
    const doomed = folder.entries.get(name);
    if (!(doomed instanceof SimulatedFolder)) {
      this.#call("removeTree", path);
      throw notFound(path);
    }
    const children = [...doomed.entries.keys()].sort(() => this.random.oneIn(2) ? 1 : -1);
    for (const child of children) {
      this.#call("removeTree", path);
      await this.#later("removeTree", path, () => {
        this.#disk.change({ folder: doomed, name: child, node: undefined });
      });
    }
    this.#call("removeTree", path);
    await this.#later("removeTree", path, () => {
      this.#disk.change({ folder, name, node: undefined });
    });
  }

  openAppend(path: string): AppendFile {
    const call = this.#disk.find(path) ? "open" : "create";
    this.#call(call, path, () => this.#perhaps(() => this.#fileToWrite(path)));
    const file = this.#fileToWrite(path);
    this.#open++;
    let open = true;
    let syncer: SimulatedFile | undefined;
    const mustBeOpen = () => {
      if (!open) throw new Deno.errors.BadResource("Bad resource ID");
    };
    const append = (bytes: Uint8Array) => {
      mustBeOpen();
      this.#call("append", path, () => this.#part(file, bytes));
      file.append(bytes);
      handle.size += bytes.length;
    };
    const truncate = (size: number) => {
      mustBeOpen();
      this.#call("truncate", path, () => this.#perhaps(() => file.truncate(size)));
      file.truncate(size);
      handle.size = size;
    };
    const sync = async () => {
      mustBeOpen();
      // By its name, as Deno's does.
      const synced = syncer ??= this.#file(path);
      await this.#sync("sync", path, synced.sync());
      if (this.#disk.find(path) !== synced) throw notFound(path);
    };
    const close = () => {
      mustBeOpen();
      open = false;
      this.#open--;
    };
    const handle = { size: file.size, append, truncate, sync, close };
    return handle;
  }

  write(path: string, bytes: Uint8Array): void {
    this.#call("write", path, () => {
      if (this.random.oneIn(4)) return;
      const file = this.#fileToWrite(path);
      file.truncate(0);
      this.#part(file, bytes);
    });
    const file = this.#fileToWrite(path);
    file.truncate(0);
    file.append(bytes);
  }

  async read(path: string): Promise<Uint8Array> {
    this.#call("read", path);
    const opened = this.random.oneIn(2) ? this.#file(path) : undefined;
    return await this.#later("read", path, () => (opened ?? this.#file(path)).bytes.slice());
  }

  readSync(path: string): Uint8Array {
    this.#call("readSync", path);
    return this.#file(path).bytes.slice();
  }

  readEnd(path: string, length: number): { readonly size: number; readonly end: Uint8Array } {
    this.#call("readEnd", path);
    const { bytes } = this.#file(path);
    return { size: bytes.length, end: bytes.slice(Math.max(bytes.length - length, 0)) };
  }

  async readPart(path: string, { offset, length }: FilePart): Promise<{ size: number; bytes: Uint8Array }> {
    this.#call("readPart", path);
    return await this.#later("readPart", path, () => {
      const { bytes } = this.#file(path);
      return { size: bytes.length, bytes: bytes.slice(offset, offset + length) };
    });
  }

  readPartSync(path: string, { offset, length }: FilePart): { size: number; bytes: Uint8Array } {
    this.#call("readPartSync", path);
    const { bytes } = this.#file(path);
    return { size: bytes.length, bytes: bytes.slice(offset, offset + length) };
  }

  rename(from: string, to: string): void {
    const source = this.#place(from);
    const target = this.#place(to);
    const node = source.folder.entries.get(source.name);
    const rename = () => {
      this.newNames.add(to);
      if (node) this.#disk.change({ ...target, node }, { ...source, node: undefined });
    };
    this.#call("rename", from, () => this.#perhaps(rename));
    if (!node) throw notFound(from);
    rename();
  }

  remove(path: string): void {
    const { folder, name } = this.#place(path);
    const isFile = folder.entries.get(name) instanceof SimulatedFile;
    const remove = () => this.#disk.change({ folder, name, node: undefined });
    this.#call("remove", path, () => isFile && this.#perhaps(remove));
    if (!isFile) throw notFound(path);
    remove();
  }

  async unlink(path: string): Promise<void> {
    const { folder, name } = this.#place(path);
    const remove = () => this.#disk.change({ folder, name, node: undefined });
    const isFile = () => folder.entries.get(name) instanceof SimulatedFile;
    this.#call("unlink", path, () => isFile() && this.#perhaps(remove));
    await this.#later("unlink", path, () => {
      if (!isFile()) throw notFound(path);
      remove();
    }, () => isFile() && this.#perhaps(remove));
  }

  async syncFile(path: string): Promise<void> {
    await this.#sync("syncFile", path, this.#file(path).sync());
  }

  async syncFolder(path: string): Promise<void> {
    const end = this.#disk.syncFolder(this.#folder(path));
    await this.#sync("syncFolder", path, { end, fail: () => {} });
    this.syncedFolders.add(path);
  }

  /** Settles when others have had their turn: like a call that takes its time, and never fails. */
  othersFirst(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.push(resolve);
    return promise;
  }

  /** Of a file or folder, for a test that prepares a disk: programs have no such call, so it neither fails nor counts. */
  syncSync(path: string): void {
    const node = this.#disk.find(path);
    if (!node) throw notFound(path);
    const end = node instanceof SimulatedFile ? node.sync().end : this.#disk.syncFolder(node);
    end();
  }

  async #sync(call: Call, path: string, sync: RunningSync): Promise<void> {
    this.#call(call, path, () => this.#failSync(sync));
    await this.#later(call, path, sync.end, () => this.#failSync(sync));
  }

  /** Counts a call and lets it fail; `part` is what it has done by then. */
  #call(call: Call, path: string, part: () => void = () => {}): void {
    if (this.dead) throw new Died();
    this.calls++;
    if (this.calls >= this.lastCall) {
      part();
      this.#count(`${call} dies`);
      this.kill();
      throw new Died();
    }
    this.#count(call);
    this.#fail(call, path, part);
  }

  #fail(call: Call, path: string, part: () => void): void {
    const fault = this.fault(call, path);
    if (fault === undefined || !REFUSES[fault].has(call)) return;
    this.#count(`${call} ${fault}`);
    // Most errors come before anything was done.
    if (call === "append" || call === "write" || this.random.oneIn(2)) part();
    throw new FaultError(fault, call, path);
  }

  /** Ends a call later, when it may still fail. */
  #later<T>(call: Call, path: string, end: () => T, part: () => void = () => {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.push(() => {
      try {
        this.#fail(call, path, part);
        resolve(end());
      } catch (error) {
        reject(error);
      }
    });
    return promise;
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  #perhaps(work: () => void): void {
    if (this.random.oneIn(2)) work();
  }

  /** A failed sync may leave all as it was, for the next one; or the system forgets that it has still to write. */
  #failSync(sync: RunningSync): void {
    this.#perhaps(() => {
      sync.fail(this.random);
      this.tore = true;
    });
  }

  #part(file: SimulatedFile, bytes: Uint8Array): void {
    const length = this.random.oneIn(4) ? bytes.length : this.random.below(bytes.length + 1);
    file.append(bytes.subarray(0, length));
    if (length > 0) this.tore = true;
  }

  #file(path: string): SimulatedFile {
    const node = this.#disk.find(path);
    if (node instanceof SimulatedFile) return node;
    throw notFound(path);
  }

  #folder(path: string): SimulatedFolder {
    const node = this.#disk.find(path);
    if (node instanceof SimulatedFolder) return node;
    throw notFound(path);
  }

  #fileToWrite(path: string): SimulatedFile {
    const { folder, name } = this.#place(path);
    const node = folder.entries.get(name);
    if (node instanceof SimulatedFile) return node;
    if (node) throw new Error(`Is a directory (os error 21): open '${path}'`);
    const file = new SimulatedFile();
    this.#disk.change({ folder, name, node: file });
    return file;
  }

  #place(path: string): { folder: SimulatedFolder; name: string } {
    const at = path.lastIndexOf("/");
    return { folder: this.#folder(path.slice(0, at)), name: path.slice(at + 1) };
  }
}

function notFound(path: string): Error {
  return new Deno.errors.NotFound(`No such file or directory (os error 2): '${path}'`);
}
