/**
 * How much to ask for at once from a connection that may be idle for long: a read that waits holds its buffer.
 *
 * @module
 */

/** What is asked for when nothing says that more is waiting, in bytes. */
export const READ_SIZE_MIN = 4 * 1024;
/** How much more is asked for after a read that was filled. */
const GROWTH = 4;

/** Follows what comes. */
export class ReadSize {
  readonly #max: number;
  #size = READ_SIZE_MIN;

  /** It asks for up to `max` bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Bytes to ask for. */
  get bytes(): number {
    return this.#size;
  }

  /** So many have come. */
  received(count: number): void {
    this.#size = count === this.#size ? Math.min(GROWTH * this.#size, this.#max) : READ_SIZE_MIN;
  }
}
