/**
 * Segments kept in memory, for programs without a disk and for tests; they live as long as the
 * {@linkcode MemoryStores} object.
 *
 * @module
 */

import type { StoreFactory } from "../broker/broker.ts";
import { closingCount } from "../broker/segment_image.ts";
import type { SegmentStore, StoredSegment } from "../broker/segment_store.ts";

/** The topics' segments. */
export class MemoryStores implements StoreFactory {
  readonly #stores = new Map<string, MemorySegments>();

  names(): string[] {
    return [...this.#stores].filter(([, store]) => store.list().length > 0).map(([name]) => name).sort();
  }

  open(topic: string): SegmentStore {
    const store = this.#stores.get(topic) ?? new MemorySegments();
    this.#stores.set(topic, store);
    return store;
  }
}

/** The segments of one topic. */
export class MemorySegments implements SegmentStore {
  readonly #images = new Map<number, Uint8Array>();
  #state: Uint8Array | undefined;

  list(): StoredSegment[] {
    return [...this.#images]
      .map(([base, image]) => ({ base, size: image.length, count: closingCount(image) }))
      .sort((a, b) => a.base - b.base);
  }

  append(base: number, bytes: Uint8Array): void {
    const image = this.#images.get(base) ?? new Uint8Array();
    const longer = new Uint8Array(image.length + bytes.length);
    longer.set(image);
    longer.set(bytes, image.length);
    this.#images.set(base, longer);
  }

  replace(base: number, image: Uint8Array): void {
    this.#images.set(base, image.slice());
  }

  async read(base: number): Promise<Uint8Array> {
    await Promise.resolve();
    return this.readSync(base);
  }

  readSync(base: number): Uint8Array {
    const image = this.#images.get(base);
    if (!image) throw new Deno.errors.NotFound(`No segment ${base}`);
    return image.slice();
  }

  remove(base: number): void {
    this.#images.delete(base);
  }

  setAside(base: number, _reason: string): void {
    this.#images.delete(base);
  }

  readState(): Uint8Array | undefined {
    return this.#state;
  }

  writeState(state: Uint8Array | undefined): void {
    this.#state = state?.slice();
  }

  async sync(): Promise<void> {}

  close(): void {}

  destroy(): void {
    this.#images.clear();
    this.#state = undefined;
  }
}
