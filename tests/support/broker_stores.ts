/**
 * Stores in memory that can be made to misbehave: calls that fail, reads and syncs that take their time, and a copy of
 * what a killed program would have left behind.
 *
 * @module
 */
import type { StoreFactory } from "../../src/broker/broker.ts";
import { BatchReader } from "../../src/log/segment_image.ts";
import type { ImagePart, SegmentStore, StoredSegment } from "../../src/log/segment_store.ts";
import { MemoryStores } from "../../src/storage/memory_segments.ts";
import { PowerRecord } from "./broker_power.ts";
import type { Random } from "./random.ts";

/** What a write is to do instead of working: fail cleanly, or leave half of its bytes behind. */
export type WriteFault = "fails" | "tears";

/** {@linkcode MemoryStores} with faults. */
export class TestStores implements StoreFactory {
  /** Nothing fails while this is set. */
  faultless = false;
  /** Asked before each write of messages. */
  fault: () => WriteFault | undefined = () => undefined;
  /** Asked before each write of a state: true when it is to fail. */
  stateFault: () => boolean = () => false;
  /** Asked before an image is replaced: true when that is to fail. */
  replaceFault: () => boolean = () => false;
  /** Asked when an image or a state has been replaced: true when that is not to be sure. */
  nameFault: () => boolean = () => false;
  /** Asked before an image is cut off: true when that is to fail. */
  truncateFault: () => boolean = () => false;
  /** Asked before a segment is removed: true when that is to fail. */
  removeFault: () => boolean = () => false;
  /** Asked when a sync ends: true when it is to fail. */
  syncFault: () => boolean = () => false;
  /** Asked before each reading while the broker runs: true when it is to fail. */
  readFault: () => boolean = () => false;
  /** What such a reading fails with. */
  readError = new Error("input/output error");
  /** Asked when a state is read, and when it is put aside: true when that is to fail. */
  stateReadFault: (call: "read" | "set aside") => boolean = () => false;
  /** Asked when the program starts and reads a segment: true when that is to fail. */
  readSyncFault: () => boolean = () => false;
  /** Called when a state is about to be written; what it returns is called with how far that has come. */
  onState: (topic: string) => (reached: "written" | "synced") => void = () => () => {};
  /** How many segments were read while the broker ran. */
  reads = 0;
  /** How many parts of segments were read while the broker ran, and their bytes. */
  partReads = 0;
  partBytes = 0;
  /** How many segments were replaced, most of them without what was finished. */
  replaced = 0;
  /** How many segments were read while the program waited for it. */
  syncReads = 0;
  /** How many writes of messages have failed. */
  failedWrites = 0;
  /** How many times taking bytes back has failed: cutting an image off, or removing it. */
  failedRemovals = 0;
  /** How many syncs have begun. */
  syncs = 0;
  /** Damaged bytes that were kept, as `topic base offset length`. */
  readonly damages: string[] = [];
  /** What was set aside, as `topic base` or `topic state`. */
  readonly aside: string[] = [];
  readonly #kept = new MemoryStores();
  readonly #power = new Map<string, PowerRecord>();
  readonly #readGate = new Gate();
  readonly #syncGate = new Gate();

  names(): string[] {
    return this.#kept.names();
  }

  open(topic: string): SegmentStore {
    const power = this.#power.get(topic) ?? new PowerRecord();
    this.#power.set(topic, power);
    return new TestSegments(this, { topic, kept: this.#kept.open(topic), power });
  }

  /** Lets reads wait until `releaseReads`. */
  holdReads(): void {
    this.#readGate.close();
  }

  /** Lets reads go on. */
  releaseReads(): void {
    this.#readGate.open();
  }

  /** Settles when reads may go on. */
  get readable(): Promise<void> | undefined {
    return this.#readGate.passable;
  }

  /** Lets syncs wait until `releaseSyncs`. */
  holdSyncs(): void {
    this.#syncGate.close();
  }

  /** Lets syncs end. */
  releaseSyncs(): void {
    this.#syncGate.open();
  }

  /** Settles when syncs may end. */
  get syncable(): Promise<void> | undefined {
    return this.#syncGate.passable;
  }

  /** What a program leaves behind that is killed at this moment, in stores of its own. */
  snapshot(): Promise<TestStores> {
    return this.#copy((store) => new Map(store.list().map(({ base }) => [base, store.readSync(base)])));
  }

  /** As `snapshot`, when power is lost. */
  powerLoss(random: Random): Promise<TestStores> {
    return this.#copy((store, name) => this.#power.get(name)?.images(store, random) ?? new Map());
  }

  /** Names of the topics that have a segment or a state. */
  used(topics: Iterable<string>): string[] {
    return [...topics].filter((name) => {
      const store = this.#kept.open(name);
      return store.list().length > 0 || store.readState() !== undefined;
    });
  }

  async #copy(
    images: (store: SegmentStore, topic: string) => ReadonlyMap<number, Uint8Array>,
  ): Promise<TestStores> {
    const copy = new TestStores();
    copy.damages.push(...this.damages);
    // All of it at this moment: the broker goes on in the steps that follow.
    const kept = [...this.#power.keys()].map((name) => {
      const store = this.#kept.open(name);
      return { name, images: images(store, name), state: store.readState() };
    });
    for (const { name, images, state } of kept) {
      const store = copy.open(name);
      for (const [base, image] of images) await store.replace(base, image, () => true);
      await store.writeState(state && piecesOf(state));
    }
    return copy;
  }
}

/** Holds up who waits for it to be passable. */
class Gate {
  #closed: PromiseWithResolvers<void> | undefined;

  close(): void {
    this.#closed ??= Promise.withResolvers<void>();
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  get passable(): Promise<void> | undefined {
    return this.#closed?.promise;
  }
}

/** Passes everything on to the store that keeps it, but for the faults. */
class TestSegments implements SegmentStore {
  readonly #stores: TestStores;
  readonly #topic: string;
  readonly #kept: SegmentStore;
  readonly #power: PowerRecord;
  /** What was begun before is not to end behind it. */
  #destroyed = false;

  constructor(stores: TestStores, options: { topic: string; kept: SegmentStore; power: PowerRecord }) {
    this.#stores = stores;
    this.#topic = options.topic;
    this.#kept = options.kept;
    this.#power = options.power;
  }

  append(base: number, bytes: Uint8Array): void {
    const fault = this.#stores.faultless ? undefined : this.#stores.fault();
    this.#power.appended(base);
    if (fault === undefined) {
      this.#kept.append(base, bytes);
      return;
    }
    if (!closesOnly(bytes)) this.#stores.failedWrites++;
    if (fault === "tears") this.#kept.append(base, bytes.subarray(0, bytes.length >> 1));
    throw new Error("disk full");
  }

  truncate(base: number, size: number): void {
    if (this.#fails(this.#stores.truncateFault)) {
      this.#stores.failedRemovals++;
      throw new Error("input/output error");
    }
    this.#kept.truncate(base, size);
    this.#power.truncated(base, size);
  }

  async read(base: number): Promise<Uint8Array> {
    this.#stores.reads++;
    await this.#stores.readable;
    if (this.#fails(this.#stores.readFault)) throw this.#stores.readError;
    return await this.#kept.read(base);
  }

  async readPart(base: number, part: ImagePart): Promise<Uint8Array> {
    this.#stores.partReads++;
    this.#stores.partBytes += part.length;
    await this.#stores.readable;
    if (this.#fails(this.#stores.readFault)) throw this.#stores.readError;
    return await this.#kept.readPart(base, part);
  }

  list(): StoredSegment[] {
    return this.#kept.list();
  }

  async replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean> {
    await this.#stores.syncable;
    if (this.#destroyed) return false;
    if (this.#fails(this.#stores.replaceFault)) throw new Error("disk full");
    const replaced = await this.#kept.replace(base, image, wanted);
    if (!replaced) return false;
    this.#stores.replaced++;
    this.#power.replaced(base, image.length);
    await this.#syncNames();
    return true;
  }

  readSync(base: number): Uint8Array {
    this.#stores.syncReads++;
    if (this.#fails(this.#stores.readSyncFault)) throw new Error("input/output error");
    return this.#kept.readSync(base);
  }

  readPartSync(base: number, part: ImagePart): Uint8Array {
    if (this.#fails(this.#stores.readSyncFault)) throw new Error("input/output error");
    return this.#kept.readPartSync(base, part);
  }

  async remove(base: number): Promise<void> {
    if (this.#destroyed) return;
    if (this.#fails(this.#stores.removeFault)) {
      this.#stores.failedRemovals++;
      throw new Error("operation not permitted");
    }
    this.#power.removed(base, this.#imageOf(base));
    await this.#kept.remove(base);
  }

  setAside(base: number): void {
    this.#stores.aside.push(`${this.#topic} ${base}`);
    this.#power.removed(base, undefined);
    this.#kept.setAside(base);
  }

  keepDamage(base: number, offset: number, bytes: Uint8Array): boolean {
    const damage = `${this.#topic} ${base} ${offset} ${bytes.length}`;
    if (this.#stores.damages.includes(damage)) return false;
    this.#stores.damages.push(damage);
    return true;
  }

  readState(): Uint8Array | undefined {
    if (this.#stores.stateReadFault("read")) throw new Error("input/output error");
    return this.#kept.readState();
  }

  async writeState(state: AsyncIterable<Uint8Array> | undefined): Promise<void> {
    const done = this.#stores.onState(this.#topic);
    const pieces = state && await Array.fromAsync(state);
    await this.#stores.syncable;
    if (this.#destroyed) return;
    if (this.#fails(this.#stores.stateFault)) throw new Error("disk full");
    await this.#kept.writeState(pieces && piecesOf(...pieces));
    done("written");
    await this.#syncNames();
    this.#power.namesSynced();
    done("synced");
  }

  setStateAside(): void {
    if (this.#stores.stateReadFault("set aside")) throw new Error("read-only file system");
    this.#stores.aside.push(`${this.#topic} state`);
    this.#kept.setStateAside();
  }

  async sync(): Promise<void> {
    this.#stores.syncs++;
    const ended = this.#power.syncing(this.#kept);
    await this.#stores.syncable;
    const fails = this.#fails(this.#stores.syncFault);
    ended(!fails);
    if (fails) throw new Error("input/output error");
    await this.#kept.sync();
  }

  rest(): void {
    this.#kept.rest();
  }

  close(): void {
    this.#kept.close();
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    this.#power.forgotten();
    await this.#kept.destroy();
  }

  async #syncNames(): Promise<void> {
    await this.#stores.syncable;
    if (this.#fails(this.#stores.nameFault)) throw new Error("input/output error");
  }

  #fails(fault: () => boolean): boolean {
    return !this.#stores.faultless && fault();
  }

  #imageOf(base: number): Uint8Array | undefined {
    return this.#kept.list().some((segment) => segment.base === base) ? this.#kept.readSync(base) : undefined;
  }
}

/** A state in these pieces. */
export async function* piecesOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** True when the bytes have no messages. */
function closesOnly(bytes: Uint8Array): boolean {
  const batch = new BatchReader(bytes);
  for (let at = 0; at < bytes.length; at = batch.end) {
    if (!batch.read(at) || batch.count > 0) return false;
  }
  return true;
}
