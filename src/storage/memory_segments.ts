/**
 * Segments kept in memory, for programs without a disk and for tests; they live as long as the
 * {@linkcode MemoryStores} object.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { StoreFactory } from "../broker/broker.ts";
import { closingOf } from "../log/segment_image.ts";
import type { ImagePart, SegmentStore, StoredSegment } from "../log/segment_store.ts";

/** The topics' segments. */
export class MemoryStores implements StoreFactory {
  readonly #stores = new Map<string, MemorySegments>();

  names(): string[] {
    return [...this.#stores].filter(([, store]) => store.isUsed).map(([name]) => name).sort();
  }

  open(topic: string): SegmentStore {
    const store = this.#stores.get(topic) ?? new MemorySegments();
    this.#stores.set(topic, store);
    return store;
  }
}

/** The segments of one topic. */
export class MemorySegments implements SegmentStore {
  /** By base, in the pieces in which they came: joining them at each would cost more with each. */
  readonly #images = new Map<number, Uint8Array[]>();
  readonly #damages = new Set<string>();
  #state: Uint8Array | undefined;
  /** Counts how often everything was removed: what was begun before is not to end behind it. */
  #generation = 0;

  /** True when there is something in it. */
  get isUsed(): boolean {
    return this.#images.size > 0 || this.#state !== undefined;
  }

  list(): StoredSegment[] {
    return [...this.#images.keys()]
      .map((base) => this.#join(base))
      .map(({ base, image }) => ({ base, size: image.length, closing: closingOf(image, base) }))
      .sort((a, b) => a.base - b.base);
  }

  append(base: number, bytes: Uint8Array): void {
    const pieces = this.#images.get(base);
    if (pieces) pieces.push(bytes.slice());
    else this.#images.set(base, [bytes.slice()]);
  }

  truncate(base: number, size: number): void {
    const image = this.#images.has(base) ? this.#join(base).image : new Uint8Array();
    this.#images.set(base, [image.slice(0, size)]);
  }

  async replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean> {
    const copy = image.slice();
    const generation = this.#generation;
    await Promise.resolve();
    if (generation !== this.#generation || !wanted()) return false;
    this.#images.set(base, [copy]);
    return true;
  }

  async read(base: number): Promise<Uint8Array> {
    await Promise.resolve();
    return this.readSync(base);
  }

  async readPart(base: number, part: ImagePart): Promise<Uint8Array> {
    await Promise.resolve();
    return this.readPartSync(base, part);
  }

  readSync(base: number): Uint8Array {
    return this.#join(base).image.slice();
  }

  readPartSync(base: number, { offset, length }: ImagePart): Uint8Array {
    return this.#join(base).image.slice(offset, offset + length);
  }

  async remove(base: number): Promise<void> {
    this.#images.delete(base);
    await Promise.resolve();
  }

  setAside(base: number): void {
    this.#images.delete(base);
  }

  keepDamage(base: number, offset: number): boolean {
    const damage = `${base} ${offset}`;
    if (this.#damages.has(damage)) return false;
    this.#damages.add(damage);
    return true;
  }

  readState(): Uint8Array | undefined {
    return this.#state;
  }

  async writeState(state: AsyncIterable<Uint8Array> | undefined): Promise<void> {
    const generation = this.#generation;
    const copy = state ? concat(await Array.fromAsync(state)) : undefined;
    if (generation === this.#generation) this.#state = copy;
  }

  setStateAside(): void {
    this.#state = undefined;
  }

  async sync(): Promise<void> {}

  rest(): void {}

  close(): void {}

  destroy(): Promise<void> {
    this.#generation++;
    this.#images.clear();
    this.#damages.clear();
    this.#state = undefined;
    return Promise.resolve();
  }

  #join(base: number): { base: number; image: Uint8Array } {
    const pieces = this.#images.get(base);
    if (!pieces) throw new Deno.errors.NotFound(`No segment ${base}`);
    if (pieces.length === 1) return { base, image: pieces[0] };
    const image = concat(pieces);
    this.#images.set(base, [image]);
    return { base, image };
  }
}
