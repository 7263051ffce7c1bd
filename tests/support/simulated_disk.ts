/**
 * A disk in memory that knows which of its bytes and names would survive a loss of power. Files and folders have a
 * state that programs see, and one that has been synced; what was not synced survives in part, as file systems allow:
 *
 * - of a file's bytes, those that were synced and not cut off later are there; the others up to some byte, or with
 *   gaps: blocks that are zero, or older than their neighbours, as when a file's size is written before its bytes;
 * - of what was made, renamed or removed, the first so many are there, in the order in which they were done, in the
 *   whole file system (as a journal does it) or in each folder by itself.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** A sync that runs. */
export interface RunningSync {
  /** It has worked. */
  end(): void;
  /** It has failed, and what it should have written is not written by a later one either. */
  fail(random: Random): void;
}

/** A file. */
export class SimulatedFile {
  /** What programs see is the first `size` of these. */
  #bytes = new Uint8Array(0);
  size = 0;
  /** What survives in any case, but for what the `#changes` cut off. */
  #synced = new Uint8Array(0);
  /** What was done since, in order. */
  #changes: Change[] = [];

  /** What programs see. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const offset = this.size;
    const size = offset + bytes.length;
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length, 64));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, offset);
    this.size = size;
    this.#changes.push({ offset, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    if (size > this.size) throw new Error("Files are never made longer without bytes");
    this.size = size;
    this.#changes.push({ offset: size, bytes: undefined });
  }

  /** Begins a sync: when it has ended, what is there now survives. */
  sync(): RunningSync {
    const { size } = this;
    const last = this.#changes.at(-1);
    // Another sync, which began later, may have ended before.
    const count = () => last === undefined ? 0 : this.#changes.indexOf(last) + 1;
    return {
      end: () => {
        this.#synced = this.#states(count())[count()];
        this.#changes = this.#changes.slice(count());
      },
      fail: (random) => {
        this.#synced = mixed(random, this.#states(count()), size);
        this.#changes = this.#changes.slice(count());
      },
    };
  }

  /** What a loss of power leaves of it; with `gaps`, or cut off somewhere. */
  survivor(random: Random, gaps: boolean): SimulatedFile {
    const file = new SimulatedFile();
    const states = this.#states(this.#changes.length);
    if (this.isSynced) file.#synced = this.#synced;
    else file.#synced = gaps ? mixed(random, states, sizeOfOne(random, states)) : this.#cut(random, states);
    file.#bytes = file.#synced.slice();
    file.size = file.#bytes.length;
    return file;
  }

  clone(): SimulatedFile {
    const file = new SimulatedFile();
    file.#bytes = this.#bytes.slice(0, this.size);
    file.size = this.size;
    file.#synced = this.#synced;
    file.#changes = [...this.#changes];
    return file;
  }

  /** True when a loss of power leaves it as it is. */
  get isSynced(): boolean {
    return this.#changes.length === 0;
  }

  /** The first so many changes have happened, and part of the next. */
  #cut(random: Random, states: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
    const whole = random.below(states.length);
    const next = this.#changes[whole];
    if (next?.bytes === undefined) return states[whole];
    const bytes = next.bytes.subarray(0, random.below(next.bytes.length + 1));
    return changed(states[whole], { offset: next.offset, bytes });
  }

  /** The bytes after none, one, … and `count` of the changes. */
  #states(count: number): Uint8Array<ArrayBuffer>[] {
    const states = [this.#synced];
    for (const change of this.#changes.slice(0, count)) {
      states.push(changed(states[states.length - 1], change));
    }
    return states;
  }
}

/** The size of one of the states, or less. */
function sizeOfOne(random: Random, states: readonly Uint8Array[]): number {
  return Math.max(safeSize(states), random.pick(states).length - (random.oneIn(4) ? random.below(100) : 0));
}

/** Up to there the bytes were synced, and never cut off. */
function safeSize(states: readonly Uint8Array[]): number {
  return states.reduce((least, state) => Math.min(least, state.length), Infinity);
}

/** Of that size; each block is of some state, or zero. */
function mixed(
  random: Random,
  states: readonly Uint8Array<ArrayBuffer>[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(size);
  const safe = Math.min(safeSize(states), size);
  result.set(states[0].subarray(0, safe));
  const blockSize = random.pick([16, 64, 512]);
  for (let at = safe; at < size;) {
    const end = Math.min(size, at - at % blockSize + blockSize);
    if (!random.oneIn(3)) {
      const state = random.oneIn(2) ? states[states.length - 1] : random.pick(states);
      result.set(state.subarray(at, end), at);
    }
    at = end;
  }
  return result;
}

/** Bytes that were added at an offset, or a file that was cut off there. */
interface Change {
  readonly offset: number;
  readonly bytes: Uint8Array | undefined;
}

function changed(bytes: Uint8Array<ArrayBuffer>, { offset, bytes: added }: Change): Uint8Array<ArrayBuffer> {
  if (added === undefined) return bytes.slice(0, offset);
  const result = new Uint8Array(offset + added.length);
  result.set(bytes.subarray(0, offset));
  result.set(added, offset);
  return result;
}

/** A folder. */
export class SimulatedFolder {
  /** What programs see. */
  readonly entries = new Map<string, SimulatedNode>();
  /** What survives in any case. */
  readonly synced = new Map<string, SimulatedNode>();
}

/** What a name stands for. */
export type SimulatedNode = SimulatedFile | SimulatedFolder;

/** A name that came (or stands for another file now), or went; a renaming is both, at once. */
interface NameChange {
  readonly folder: SimulatedFolder;
  readonly name: string;
  readonly node: SimulatedNode | undefined;
}

/** Changes of names in their order; those of one element happen together. */
type Journal = readonly (readonly NameChange[])[];

/** Everything on it. */
export class SimulatedDisk {
  /** Each folder's names survive by themselves; otherwise what happened before survives before what happened later. */
  readonly byFolder: boolean;
  #root = new SimulatedFolder();
  #journal: Journal = [];

  constructor(options: { byFolder: boolean }) {
    this.byFolder = options.byFolder;
  }

  /** What the path stands for. */
  find(path: string): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.#root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      if (!(node instanceof SimulatedFolder)) return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /** Changes names, all at once. */
  change(...changes: readonly NameChange[]): void {
    for (const { folder, name, node } of changes) set(folder.entries, name, node);
    this.#journal = [...this.#journal, changes];
  }

  /** Begins a sync of a folder; the function that is returned ends it. */
  syncFolder(folder: SimulatedFolder): () => void {
    const begun = this.#journal;
    const done = new Set(
      this.byFolder ? begun.filter((changes) => changes.some((change) => change.folder === folder)) : begun,
    );
    return () => {
      for (const changes of this.#journal) {
        if (done.has(changes)) apply(changes);
      }
      this.#journal = this.#journal.filter((changes) => !done.has(changes));
    };
  }

  /** What a loss of power leaves; with `gaps` in files, or only parts missing at their ends. */
  survivor(random: Random, options: { gaps: boolean }): SimulatedDisk {
    const copy = this.clone();
    const keyOf = (changes: readonly NameChange[]) => this.byFolder ? changes[0].folder : undefined;
    const left = new Map<SimulatedFolder | undefined, number>();
    for (const changes of copy.#journal) {
      const key = keyOf(changes);
      left.set(key, (left.get(key) ?? 0) + 1);
    }
    for (const [key, count] of left) left.set(key, random.below(count + 1));
    for (const changes of copy.#journal) {
      const key = keyOf(changes);
      const count = left.get(key) ?? 0;
      if (count > 0) apply(changes);
      left.set(key, count - 1);
    }
    const disk = new SimulatedDisk(this);
    disk.#root = survivingFolder(copy.#root, random, options.gaps);
    return disk;
  }

  clone(): SimulatedDisk {
    const copies = new Map<SimulatedNode, SimulatedNode>();
    const copyOf = <T extends SimulatedNode>(node: T): T => {
      const known = copies.get(node);
      if (known) return known as T;
      const copy = node instanceof SimulatedFile ? node.clone() : new SimulatedFolder();
      copies.set(node, copy);
      if (node instanceof SimulatedFolder && copy instanceof SimulatedFolder) {
        for (const [name, child] of node.entries) copy.entries.set(name, copyOf(child));
        for (const [name, child] of node.synced) copy.synced.set(name, copyOf(child));
      }
      return copy as T;
    };
    const disk = new SimulatedDisk(this);
    disk.#root = copyOf(this.#root);
    disk.#journal = this.#journal.map((changes) =>
      changes.map(({ folder, name, node }) => ({ folder: copyOf(folder), name, node: node && copyOf(node) }))
    );
    return disk;
  }

  /** The paths of all files. */
  paths(): string[] {
    const paths: string[] = [];
    const visit = (folder: SimulatedFolder, path: string) => {
      for (const [name, node] of folder.entries) {
        if (node instanceof SimulatedFolder) visit(node, `${path}/${name}`);
        else paths.push(`${path}/${name}`);
      }
    };
    visit(this.#root, "");
    return paths.sort();
  }
}

function apply(changes: readonly NameChange[]): void {
  for (const { folder, name, node } of changes) set(folder.synced, name, node);
}

function set(names: Map<string, SimulatedNode>, name: string, node: SimulatedNode | undefined): void {
  if (node) names.set(name, node);
  else names.delete(name);
}

function survivingFolder(folder: SimulatedFolder, random: Random, gaps: boolean): SimulatedFolder {
  const survivor = new SimulatedFolder();
  for (const [name, node] of folder.synced) {
    const left = node instanceof SimulatedFile
      ? node.survivor(random, gaps)
      : survivingFolder(node, random, gaps);
    survivor.entries.set(name, left);
    survivor.synced.set(name, left);
  }
  return survivor;
}
