/**
 * Something that is there at times, such as a connection, and that others wait for.
 *
 * @module
 */

/** Holds a value while there is one. */
export class Latch<T> {
  #value: T | undefined;
  #next = Promise.withResolvers<T | undefined>();
  #ended = false;

  /** The value that is there now. */
  get value(): T | undefined {
    return this.#value;
  }

  /** The value, as soon as there is one; `undefined` when there will be none any more. */
  get(): Promise<T | undefined> {
    return this.#next.promise;
  }

  /** There is a value. */
  set(value: T): void {
    if (this.#ended) return;
    this.clear();
    this.#value = value;
    this.#next.resolve(value);
  }

  /** The value is no longer there. */
  clear(): void {
    if (this.#value === undefined || this.#ended) return;
    this.#value = undefined;
    this.#next = Promise.withResolvers();
  }

  /** There will be no value any more. */
  end(): void {
    this.clear();
    this.#ended = true;
    this.#next.resolve(undefined);
  }
}
