/**
 * MessagePack values out of a stream of bytes that has them one after the other, with nothing between and nothing
 * that says how long each is. A value is decoded when all of it is there.
 *
 * The end of a value is found by walking over the heads of its parts: one number tells how many parts are still to
 * come, which a map or a list adds to, so that the walk goes on where it stopped when more bytes arrive and each
 * byte is looked at once.
 *
 * ```
 *  82 a3 53 65 71 05 a5 45 72 72 6f 72 a0      {"Seq": 5, "Error": ""}
 *  │  │           │  │                 │
 *  1  4           3  2                 1       parts missing before this one; 0 after the last
 * ```
 *
 * @module
 */

import { decode, type ValueType } from "@std/msgpack";
import { errorText } from "./error_text.ts";

export type { ValueType as MsgpackValue };

const CAPACITY_MIN = 4096;

/** The bytes are no MessagePack, or a value is larger than it may be. */
export class MsgpackError extends Error {
  override readonly name = "MsgpackError";
}

/** Takes bytes as they come, and gives whole values. */
export class MsgpackStream {
  readonly #sizeMax: number;
  #buffer = new Uint8Array(CAPACITY_MIN);
  /** Where the value begins that is not yet whole. */
  #start = 0;
  /** How far it has been walked over. */
  #at = 0;
  /** Parts of it that have not been walked over. */
  #missing = 1;
  #end = 0;

  /** No value may have more than `sizeMax` bytes. */
  constructor(options: { readonly sizeMax: number }) {
    this.#sizeMax = options.sizeMax;
  }

  /** Takes more bytes; they are copied. */
  push(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next value, `undefined` if it is not whole yet.
   *
   * @throws {MsgpackError} If there cannot be one; there is nothing to be had from the stream any more.
   */
  next(): ValueType | undefined {
    if (!this.#walk()) return undefined;
    // A copy, because byte strings in the value are views of what it is decoded from.
    const bytes = this.#buffer.slice(this.#start, this.#at);
    this.#start = this.#at;
    this.#missing = 1;
    try {
      return decode(bytes);
    } catch (cause) {
      throw new MsgpackError(`Cannot decode a MessagePack value: ${errorText(cause)}`, { cause });
    }
  }

  /** Goes to the end of the value, or as far as there are bytes; true when it is whole. */
  #walk(): boolean {
    while (this.#missing > 0) {
      const head = headAt(this.#buffer, this.#at, this.#end);
      if (head === undefined) return false;
      const { size, parts } = head;
      // Each part takes a byte at least.
      if (this.#at - this.#start + size + this.#missing - 1 + parts > this.#sizeMax) {
        throw new MsgpackError(`A MessagePack value has more than ${this.#sizeMax} bytes`);
      }
      if (this.#at + size > this.#end) return false;
      this.#at += size;
      this.#missing += parts - 1;
    }
    return true;
  }

  #makeRoom(length: number): void {
    const used = this.#end - this.#start;
    if (this.#end + length <= this.#buffer.length) return;
    const target = used + length <= this.#buffer.length
      ? this.#buffer
      : new Uint8Array(Math.max(2 * this.#buffer.length, used + length));
    target.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = target;
    this.#at -= this.#start;
    this.#start = 0;
    this.#end = used;
  }
}

/** A part's own bytes, its text or number included, and the number of parts that follow and belong to it. */
interface Head {
  readonly size: number;
  readonly parts: number;
}

/** The head of the part there; `undefined` if not all of it has arrived. */
function headAt(bytes: Uint8Array, at: number, end: number): Head | undefined {
  if (at >= end) return undefined;
  const type = bytes[at];
  if (type < 0x80 || type >= 0xe0) return { size: 1, parts: 0 };
  if (type < 0x90) return { size: 1, parts: 2 * (type & 0x0f) };
  if (type < 0xa0) return { size: 1, parts: type & 0x0f };
  if (type < 0xc0) return { size: 1 + (type & 0x1f), parts: 0 };

  const fixed = FIXED_SIZES.get(type);
  if (fixed !== undefined) return { size: fixed, parts: 0 };
  const counted = COUNTED.get(type);
  if (counted === undefined) {
    throw new MsgpackError(
      `There are MessagePack values of type 0x${type.toString(16)}, which have no meaning here`,
    );
  }
  const { width, of } = counted;
  if (at + 1 + width > end) return undefined;
  const count = readUint(bytes, at + 1, width);
  switch (of) {
    case "bytes":
      return { size: 1 + width + count, parts: 0 };
    case "items":
      return { size: 1 + width, parts: count };
    case "pairs":
      return { size: 1 + width, parts: 2 * count };
  }
}

/** Sizes of nil, booleans and numbers, the type included. */
const FIXED_SIZES: ReadonlyMap<number, number> = new Map([
  [0xc0, 1],
  [0xc2, 1],
  [0xc3, 1],
  [0xca, 5],
  [0xcb, 9],
  [0xcc, 2],
  [0xcd, 3],
  [0xce, 5],
  [0xcf, 9],
  [0xd0, 2],
  [0xd1, 3],
  [0xd2, 5],
  [0xd3, 9],
]);

/** After the type comes a count, of so many bytes. */
interface Counted {
  readonly width: 1 | 2 | 4;
  readonly of: "bytes" | "items" | "pairs";
}

const COUNTED: ReadonlyMap<number, Counted> = new Map([
  [0xc4, { width: 1, of: "bytes" }],
  [0xc5, { width: 2, of: "bytes" }],
  [0xc6, { width: 4, of: "bytes" }],
  [0xd9, { width: 1, of: "bytes" }],
  [0xda, { width: 2, of: "bytes" }],
  [0xdb, { width: 4, of: "bytes" }],
  [0xdc, { width: 2, of: "items" }],
  [0xdd, { width: 4, of: "items" }],
  [0xde, { width: 2, of: "pairs" }],
  [0xdf, { width: 4, of: "pairs" }],
]);

function readUint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i];
  return value;
}
