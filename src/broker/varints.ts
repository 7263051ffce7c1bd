/**
 * Whole numbers of up to 53 bits as varints: seven bits a byte, the low ones first.
 *
 * @module
 */

/** The most bytes of a varint of 53 bits. */
const VARINT_LENGTH_MAX = 8;
const BUFFER_LENGTH = 256;

/** Bytes are not what they should be. */
export class StateFormatError extends Error {
  override readonly name = "StateFormatError";
}

/** Puts numbers one after the other. */
export class VarintWriter {
  #bytes = new Uint8Array(BUFFER_LENGTH);
  #length = 0;

  /** Bytes that have been put. */
  get length(): number {
    return this.#length;
  }

  /** What has been put, in a copy; it begins anew. */
  takeAll(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** Puts a number; fractions are rounded up. */
  put(value: number): void {
    this.#reserve(VARINT_LENGTH_MAX);
    let left = Math.ceil(value);
    while (left >= 128) {
      this.#bytes[this.#length++] = left % 128 | 128;
      left = Math.floor(left / 128);
    }
    this.#bytes[this.#length++] = left;
  }

  /** A length, and that many bytes. */
  putBytes(bytes: Uint8Array): void {
    this.put(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, needed));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Reads what a {@linkcode VarintWriter} wrote. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** @throws {StateFormatError} If there is none, or none that is exact. */
  take(): number {
    return this.takeBeyond(0);
  }

  /**
   * A number that was put as what it is more than `start`.
   *
   * @throws {StateFormatError} If there is none, or none that is exact.
   */
  takeBeyond(start: number): number {
    let value = start;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new StateFormatError("State file ends too early");
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 128) return value;
    }
    throw new StateFormatError("Number out of range");
  }

  /** @throws {StateFormatError} */
  takeBytes(): Uint8Array {
    const length = this.take();
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new StateFormatError("State file ends too early");
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A number, and that many of what `one` takes; each has a byte at least. */
  list<T>(one: () => T): T[] {
    const length = this.take();
    if (length > this.#bytes.length - this.#at) throw new StateFormatError("State file ends too early");
    return Array.from({ length }, one);
  }

  /** What `one` takes, for as long as there is no 0 in front of it. */
  untilZero<T>(one: () => T): T[] {
    const all: T[] = [];
    while (this.take() !== 0) all.push(one());
    return all;
  }
}
