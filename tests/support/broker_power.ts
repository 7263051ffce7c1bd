/**
 * What a loss of power leaves of a topic's store: what was synced, and of the rest whatever the disk had got to.
 *
 * @module
 */
import type { SegmentStore } from "../../src/log/segment_store.ts";
import type { Random } from "./random.ts";

/** Bytes [from, to) of an image. */
interface Extent {
  readonly from: number;
  readonly to: number;
}

/** A segment's image, as far as the disk has it. */
interface OnDisk {
  /** Bytes that survive, but for the lost ones. */
  synced: number;
  /** A sync of these has failed: they may be lost even when a later one works. */
  readonly lost: Extent[];
}

/** What has been synced of one topic. */
export class PowerRecord {
  readonly #segments = new Map<number, OnDisk>();
  /** Removed since names were synced last: they may be there again. */
  readonly #removed = new Map<number, Uint8Array>();

  appended(base: number): void {
    if (!this.#segments.has(base)) this.#segments.set(base, { synced: 0, lost: [] });
  }

  truncated(base: number, size: number): void {
    const segment = this.#segments.get(base);
    if (segment) segment.synced = Math.min(segment.synced, size);
  }

  replaced(base: number, size: number): void {
    this.#segments.set(base, { synced: size, lost: [] });
  }

  removed(base: number, image: Uint8Array | undefined): void {
    const segment = this.#segments.get(base);
    if (segment && image && segment.synced > 0) this.#removed.set(base, image.slice(0, segment.synced));
    this.#segments.delete(base);
  }

  /** The state has been put in its place, and with it every change of a name. */
  namesSynced(): void {
    this.#removed.clear();
  }

  forgotten(): void {
    this.#segments.clear();
    this.#removed.clear();
  }

  /** A sync begins; what it returns says how it has ended. */
  syncing(store: SegmentStore): (worked: boolean) => void {
    const sizes = store.list().map(({ base, size }) => ({ base, size, segment: this.#segments.get(base) }));
    return (worked) => {
      for (const { base, size, segment } of sizes) {
        // Replaced or removed meanwhile.
        if (!segment || this.#segments.get(base) !== segment || size <= segment.synced) continue;
        if (!worked) segment.lost.push({ from: segment.synced, to: size });
        segment.synced = size;
      }
    };
  }

  /** The images after a loss of power, by base. */
  images(store: SegmentStore, random: Random): Map<number, Uint8Array> {
    const images = new Map<number, Uint8Array>();
    for (const { base, size } of store.list()) {
      const { synced, lost } = this.#segments.get(base) ?? { synced: size, lost: [] };
      const image = store.readSync(base);
      const left = Math.max(Math.min(synced, size), random.below(size + 1));
      // The size may be there before the bytes are.
      if (random.oneIn(2)) image.fill(0, Math.max(Math.min(synced, size), random.below(left + 1)), left);
      for (const { from, to } of lost) {
        if (random.oneIn(2)) image.fill(0, from, to);
      }
      if (left > 0) images.set(base, image.subarray(0, left));
    }
    for (const [base, image] of this.#removed) {
      if (!images.has(base) && random.oneIn(2)) images.set(base, image);
    }
    return images;
  }
}
