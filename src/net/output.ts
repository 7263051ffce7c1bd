/**
 * What waits to be written to a connection: two buffers, one being filled while the other is being sent.
 * A write costs as much as sixty frames (docs/performance.md), so everything that one turn of the event loop
 * has for a connection goes out in one.
 *
 * @module
 */

import { KeptView } from "../base/kept_view.ts";

const SIZE_MIN = 512;
/** Larger buffers are given back after use, in bytes: above what a busy consumer's output comes to. */
const SIZE_KEPT_MAX = 512 * 1024;

/** So few bytes are copied by hand: it costs less than a call of `set`. */
const FEW_BYTES = 32;

/** A growing buffer. */
export class Output {
  /** What has been put in, up to `length`; another array after `reserve()` or `take()`. */
  bytes = new Uint8Array(SIZE_MIN);
  length = 0;
  #spare = new Uint8Array(SIZE_MIN);
  /** What was taken last of each. */
  #view = new KeptView();
  #spareView = new KeptView();

  /** Makes room for that many bytes and counts them as put in; returns where they are to go. */
  reserve(size: number): number {
    const offset = this.length;
    const needed = offset + size;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, offset));
      this.bytes = larger;
    }
    this.length = needed;
    return offset;
  }

  /** Adds bytes. */
  append(bytes: Readonly<Uint8Array>): void {
    const { length } = bytes;
    const offset = this.reserve(length);
    if (length > FEW_BYTES) return this.bytes.set(bytes, offset);
    for (let i = 0; i < length; i++) this.bytes[offset + i] = bytes[i];
  }

  /** Takes back everything from `length` on. */
  truncate(length: number): void {
    this.length = length;
  }

  /** Gives memory back that is not in use. */
  shrink(): void {
    if (this.length > 0) return;
    this.bytes = new Uint8Array(SIZE_MIN);
    this.#spare = new Uint8Array(SIZE_MIN);
    this.#view.clear();
    this.#spareView.clear();
  }

  /** All that was put in; it stays as it is until the next `take()`. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#view.of(this.bytes, 0, this.length);
    const isLarge = this.bytes.length > SIZE_KEPT_MAX;
    if (isLarge) this.#view.clear();
    [this.#view, this.#spareView] = [this.#spareView, this.#view];
    const spare = this.#spare;
    this.#spare = isLarge ? new Uint8Array(SIZE_MIN) : this.bytes;
    this.bytes = spare;
    this.length = 0;
    return taken;
  }
}
