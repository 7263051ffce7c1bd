/**
 * Random numbers that come again with the same seed, for tests that try many cases. (xorshift32)
 *
 * @module
 */

/** A sequence of random numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds are not to begin with neighbouring numbers, and 0 would stay 0.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** The next number, from 0 to 2^32 - 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** A whole number from 0 to `end` - 1. */
  below(end: number): number {
    return this.next() % end;
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of the list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** That many random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.next() >>> 8);
  }

  /** The bytes in pieces of 1 to `sizeMax`. */
  chunks(bytes: Uint8Array, sizeMax: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + 1 + this.below(sizeMax), bytes.length);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    return chunks;
  }
}
