/**
 * Numbers for objects, so that typed arrays can speak of them.
 *
 * @module
 */

/** Objects by number; a number that was given back is given out again. */
export class Registry<T> {
  readonly #items: (T | undefined)[] = [];
  readonly #free: number[] = [];

  /** A number for the item. */
  add(item: T): number {
    const id = this.#free.pop() ?? this.#items.length;
    this.#items[id] = item;
    return id;
  }

  /** The item with that number. */
  get(id: number): T | undefined {
    return this.#items[id];
  }

  /** Takes the number back. */
  remove(id: number): void {
    this.#items[id] = undefined;
    this.#free.push(id);
  }
}
