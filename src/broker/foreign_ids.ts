/**
 * Ids of messages in flight that came from another queue and have kept the ids that they had there: an id of ours is a
 * position, such a one must be looked up.
 *
 * @module
 */

/** From id to position, and back. */
export class ForeignIds {
  /** More than one message may have an id: a queue that was killed may have had a message twice. */
  readonly #positions = new Map<string, number[]>();
  readonly #ids = new Map<number, string>();

  /** True when there are none. */
  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  /** The message at the position goes out with this id. */
  add(position: number, id: Uint8Array): void {
    const text = textOf(id);
    this.#ids.set(position, text);
    const positions = this.#positions.get(text);
    if (positions) positions.push(position);
    else this.#positions.set(text, [position]);
  }

  /** The message at the position is in flight no more. */
  remove(position: number): void {
    const text = this.#ids.get(position);
    if (text === undefined) return;
    this.#ids.delete(position);
    const left = this.#positions.get(text)?.filter((other) => other !== position) ?? [];
    if (left.length > 0) this.#positions.set(text, left);
    else this.#positions.delete(text);
  }

  /** True when the message at the position has such an id. */
  has(position: number): boolean {
    return this.#ids.has(position);
  }

  /** Positions of the messages with this id. */
  of(id: Uint8Array): readonly number[] {
    return this.#positions.get(textOf(id)) ?? [];
  }

  clear(): void {
    this.#positions.clear();
    this.#ids.clear();
  }
}

function textOf(id: Uint8Array): string {
  return String.fromCharCode(...id);
}
