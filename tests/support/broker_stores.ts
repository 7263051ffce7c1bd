/**
 * Stores in memory that can be made to misbehave: writes that fail, reads that take their time, and a copy of
 * what a killed program would have left behind.
 *
 * @module
 */
import type { StoreFactory } from "../../src/broker/broker.ts";
import { CLOSING_BATCH_LENGTH, closingCount } from "../../src/broker/segment_image.ts";
import type { SegmentStore, StoredSegment } from "../../src/broker/segment_store.ts";
import { MemoryStores } from "../../src/storage/memory_segments.ts";

/** What a write is to do instead of working: fail cleanly, or leave half of its bytes behind. */
export type WriteFault = "fails" | "tears";

/** {@linkcode MemoryStores} with faults. */
export class TestStores implements StoreFactory {
  /** Asked before each write of messages. */
  fault: () => WriteFault | undefined = () => undefined;
  /** Asked before each write of a state: true when it is to fail. */
  stateFault: () => boolean = () => false;
  /** Asked before an image is replaced: true when that is to fail. */
  replaceFault: () => boolean = () => false;
  /** Asked before each reading while the broker runs: true when it is to fail. */
  readFault: () => boolean = () => false;
  /** How many segments were read while the broker ran. */
  reads = 0;
  /** How many writes of messages have failed. */
  failedWrites = 0;
  readonly #kept = new MemoryStores();
  #gate: PromiseWithResolvers<void> | undefined;

  names(): string[] {
    return this.#kept.names();
  }

  open(topic: string): SegmentStore {
    return new TestSegments(this, this.#kept.open(topic));
  }

  /** Lets reads wait until `releaseReads`. */
  holdReads(): void {
    this.#gate ??= Promise.withResolvers<void>();
  }

  /** Lets reads go on. */
  releaseReads(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** Settles when reads may go on. */
  get readable(): Promise<void> | undefined {
    return this.#gate?.promise;
  }

  /** What is kept at this moment, in stores of its own. */
  snapshot(): TestStores {
    const copy = new TestStores();
    for (const name of this.names()) {
      const from = this.#kept.open(name);
      const to = copy.#kept.open(name);
      for (const { base } of from.list()) to.replace(base, from.readSync(base));
      to.writeState(from.readState());
    }
    return copy;
  }

  /** Names of the topics that have a segment or a state. */
  used(topics: Iterable<string>): string[] {
    return [...topics].filter((name) => {
      const store = this.#kept.open(name);
      return store.list().length > 0 || store.readState() !== undefined;
    });
  }
}

/** Passes everything on to the store that keeps it, but for the faults. */
class TestSegments implements SegmentStore {
  readonly #stores: TestStores;
  readonly #kept: SegmentStore;

  constructor(stores: TestStores, kept: SegmentStore) {
    this.#stores = stores;
    this.#kept = kept;
  }

  append(base: number, bytes: Uint8Array): void {
    const fault = this.#stores.fault();
    if (fault === undefined) {
      this.#kept.append(base, bytes);
      return;
    }
    const closesOnly = bytes.length === CLOSING_BATCH_LENGTH && closingCount(bytes) >= 0;
    if (!closesOnly) this.#stores.failedWrites++;
    if (fault === "tears") this.#kept.append(base, bytes.subarray(0, bytes.length >> 1));
    throw new Error("disk full");
  }

  async read(base: number): Promise<Uint8Array> {
    this.#stores.reads++;
    await this.#stores.readable;
    if (this.#stores.readFault()) throw new Error("input/output error");
    return await this.#kept.read(base);
  }

  list(): StoredSegment[] {
    return this.#kept.list();
  }

  replace(base: number, image: Uint8Array): void {
    if (this.#stores.replaceFault()) throw new Error("disk full");
    this.#kept.replace(base, image);
  }

  readSync(base: number): Uint8Array {
    return this.#kept.readSync(base);
  }

  remove(base: number): void {
    this.#kept.remove(base);
  }

  setAside(base: number, reason: string): void {
    this.#kept.setAside(base, reason);
  }

  readState(): Uint8Array | undefined {
    return this.#kept.readState();
  }

  writeState(state: Uint8Array | undefined): void {
    if (this.#stores.stateFault()) throw new Error("disk full");
    this.#kept.writeState(state);
  }

  sync(): Promise<void> {
    return this.#kept.sync();
  }

  close(): void {
    this.#kept.close();
  }

  destroy(): void {
    this.#kept.destroy();
  }
}
