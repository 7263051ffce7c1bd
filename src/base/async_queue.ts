/**
 * A queue between one who puts in, and never waits, and one who takes out, and waits for what comes.
 *
 * @module
 */

/** Items in the order in which they came, to be iterated over once. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #countMax: number;
  #items: T[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  /** No more than `countMax` items wait at a time. */
  constructor(options: { readonly countMax: number }) {
    this.#countMax = options.countMax;
  }

  /** Puts an item in; false, and it is not in, when there is no room. */
  push(item: T): boolean {
    if (this.#items.length >= this.#countMax) return false;
    this.#items.push(item);
    this.#wake?.();
    return true;
  }

  /** There will be no more: the iteration ends after what is in. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const items = this.#items;
      this.#items = [];
      yield* items;
      if (this.#items.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
