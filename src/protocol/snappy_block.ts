/**
 * A block of Snappy's (google/snappy, format_description.txt), decoded:
 *
 * ```
 *  block = [ length of the data, varint ] element…
 *  tag 00: [ bytes to copy, less 1, or 60-63 for a length of 1-4 bytes u6 ][ length, less 1 ][ bytes ]
 *  tag 01: [ length, less 4, u3 ][ distance back u11 ]      10: [ length, less 1, u6 ][ distance u16 ]
 *  tag 11: [ length, less 1, u6 ][ distance u32 ]           numbers are little-endian
 * ```
 *
 * Blocks are compressed by a package, whose own decoder does not end with some blocks that a peer can send.
 *
 * @module
 */

const KIND = { literal: 0, near: 1, far: 3 } as const;
/** Up to this length bytes are copied by hand: it costs less than making a view. */
const SHORT_LENGTH = 48;

/** The data is corrupt. */
export class SnappyError extends Error {
  override readonly name = "SnappyError";
}

/**
 * The data of a block.
 *
 * @throws {SnappyError} Also when it is longer than `lengthMax`.
 */
export function decodeBlock(block: Uint8Array, lengthMax: number): Uint8Array<ArrayBuffer> {
  const { length, size } = readLength(block);
  if (length > lengthMax) throw new SnappyError(`too much data: ${length}`);
  const data = new Uint8Array(length);
  let end = 0;
  for (let at = size; at < block.length;) {
    const tag = block[at++];
    const kind = tag & 3;
    if (kind === KIND.literal) {
      let count = tag >>> 2;
      if (count >= 60) {
        const countSize = count - 59;
        count = readNumber(block, at, countSize);
        at += countSize;
      }
      count++;
      if (count > block.length - at || count > length - end) throw new SnappyError("corrupt block");
      if (count > SHORT_LENGTH) data.set(block.subarray(at, at + count), end);
      else for (let i = 0; i < count; i++) data[end + i] = block[at + i];
      at += count;
      end += count;
    } else {
      const count = kind === KIND.near ? 4 + (tag >>> 2 & 7) : 1 + (tag >>> 2);
      const distanceSize = kind === KIND.far ? 4 : kind;
      const high = kind === KIND.near ? (tag >>> 5) * 256 : 0;
      const distance = high + readNumber(block, at, distanceSize);
      at += distanceSize;
      if (distance === 0 || distance > end || count > length - end) throw new SnappyError("corrupt block");
      // One by one: what is copied may be part of the copy.
      for (let i = 0; i < count; i++, end++) data[end] = data[end - distance];
    }
  }
  if (end !== length) throw new SnappyError("corrupt block");
  return data;
}

function readLength(block: Uint8Array): { length: number; size: number } {
  let length = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    length += (block[i] & 0x7f) * 2 ** (7 * i);
    if (block[i] < 0x80) return { length, size: i + 1 };
  }
  throw new SnappyError("corrupt block");
}

function readNumber(block: Uint8Array, at: number, size: number): number {
  if (size > block.length - at) throw new SnappyError("corrupt block");
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + block[at + i];
  return value;
}
