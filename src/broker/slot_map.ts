/**
 * Which messages of a segment have slots, by index: a hash table in one typed array. Its memory follows the messages
 * that are in it, not the length of the segment; an index is its own hash, so messages in a row lie side by side, as in a
 * plain array of them. Those that meet in a cell are kept in the order of their hashes (Robin Hood hashing), so that taking one
 * out of a long row moves none that lies where it belongs.
 *
 * @module
 */

import { NONE } from "./outstanding.ts";

const CAPACITY_MIN = 8;
/** It gets smaller when this many times the messages would fit. */
const SHRINK_FACTOR = 8;

/** Of a map that has nothing in it. */
const EMPTY = new Int32Array(2);

/** From the index of a message to its slot. */
export class SlotMap {
  /** Messages in it. */
  size = 0;
  /** Pairs of an index plus one and a slot; 0 is no pair. A power of two, and at most half full. */
  #cells = EMPTY;
  #mask = 0;

  /** The slot of the message, or `NONE`. */
  get(index: number): number {
    const at = this.#find(index);
    return at < 0 ? NONE : this.#cells[2 * at + 1];
  }

  /** Gives a message that has no slot one. */
  add(index: number, slot: number): void {
    if (2 * this.size > this.#mask - 1) this.#resize(Math.max(2 * (this.#mask + 1), CAPACITY_MIN));
    this.size++;
    const at = 2 * (index & this.#mask);
    if (this.#cells[at] !== 0) return this.#squeeze(index, slot);
    this.#cells[at] = index + 1;
    this.#cells[at + 1] = slot;
  }

  /** Gives a message that has a slot another one. */
  replace(index: number, slot: number): void {
    this.#cells[2 * this.#find(index) + 1] = slot;
  }

  /** Forgets the message. */
  delete(index: number): void {
    let at = this.#find(index);
    if (at < 0) return;
    const cells = this.#cells;
    const mask = this.#mask;
    for (let next = (at + 1) & mask; this.#distance(next) > 0; next = (next + 1) & mask) {
      cells[2 * at] = cells[2 * next];
      cells[2 * at + 1] = cells[2 * next + 1];
      at = next;
    }
    cells[2 * at] = 0;
    this.size--;
  }

  /** Gives memory back that so few messages do not need: not with each that goes, for others may come in their place. */
  trim(): void {
    if (SHRINK_FACTOR * Math.max(this.size, 1) > this.#mask) return;
    let capacity = CAPACITY_MIN;
    while (2 * this.size > capacity) capacity *= 2;
    this.#resize(capacity);
  }

  /** The messages that have slots, in order. */
  indexes(): Int32Array {
    const indexes = new Int32Array(this.size);
    let count = 0;
    for (let at = 0; at < this.#cells.length; at += 2) {
      if (this.#cells[at] > 0) indexes[count++] = this.#cells[at] - 1;
    }
    return indexes.sort();
  }

  /** The cell of the message, or -1. */
  #find(index: number): number {
    const cells = this.#cells;
    let at = index & this.#mask;
    // Mostly it lies where it belongs.
    if (cells[2 * at] === index + 1) return at;
    if (this.size === 0) return -1;
    for (let distance = 0; this.#distance(at) >= distance; distance++) {
      if (cells[2 * at] === index + 1) return at;
      at = (at + 1) & this.#mask;
    }
    return -1;
  }

  /** How far from where it belongs the message in the cell is; -1 when there is none. */
  #distance(at: number): number {
    const key = this.#cells[2 * at];
    return key === 0 ? -1 : (at - key + 1) & this.#mask;
  }

  /** Adds a message whose cell is taken; there is room. */
  #squeeze(index: number, slot: number): void {
    const cells = this.#cells;
    let key = index + 1;
    let value = slot;
    let at = index & this.#mask;
    for (let distance = 0; cells[2 * at] !== 0; distance++) {
      const other = this.#distance(at);
      if (other < distance) {
        // The one that is nearer to where it belongs makes room.
        [key, cells[2 * at]] = [cells[2 * at], key];
        [value, cells[2 * at + 1]] = [cells[2 * at + 1], value];
        distance = other;
      }
      at = (at + 1) & this.#mask;
    }
    cells[2 * at] = key;
    cells[2 * at + 1] = value;
  }

  #resize(capacity: number): void {
    const before = this.#cells;
    this.#cells = new Int32Array(2 * capacity);
    this.#mask = capacity - 1;
    this.size = 0;
    for (let at = 0; at < before.length; at += 2) {
      if (before[at] > 0) this.add(before[at] - 1, before[at + 1]);
    }
  }
}
