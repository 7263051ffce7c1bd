/**
 * The bytes of something that has not all come: they are gathered until it has.
 *
 * @module
 */

const EMPTY = new Uint8Array(0);

/** A buffer that grows with what has come. */
export class PendingBytes {
  /** How many there are. */
  length = 0;
  #buffer = EMPTY;

  /** What has come: a view, which is good until something is added or dropped. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.length);
  }

  /** Adds bytes. */
  add(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (length > this.#buffer.length) {
      // Doubled, so that what comes byte by byte is not copied with each of them.
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.length);
    this.length = length;
  }

  /** Drops the first bytes. */
  drop(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** All that has come, which stays as it is; nothing is kept. */
  take(): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    this.#buffer = EMPTY;
    this.length = 0;
    return bytes;
  }
}
