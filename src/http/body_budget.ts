/**
 * How much memory all request bodies together may take while they come: what one sends, others cannot use.
 *
 * @module
 */

/** The bytes that are left. */
export class BodyBudget {
  readonly #sizeMax: number;
  #size = 0;

  /** 0 is no limit. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax === 0 ? Infinity : sizeMax;
  }

  /** Bytes that are taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes bytes, if there are as many. */
  take(size: number): boolean {
    if (this.#size + size > this.#sizeMax) return false;
    this.#size += size;
    return true;
  }

  /** Gives bytes back. */
  giveBack(size: number): void {
    this.#size -= size;
  }
}
