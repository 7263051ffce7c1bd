/**
 * Snappy's framing format (google/snappy, framing_format.txt), which NSQ compresses connections with:
 *
 * ```
 *  stream = identifier chunk…
 *  chunk  = [ type u8 ][ length u24, little-endian ][ length bytes ]
 *  type 0x00: [ masked CRC-32C of the data u32 ][ compressed data ]     0x01: the same, not compressed
 *  type 0xff: the identifier "sNaPpY"      0x80-0xfe: to be skipped      0x02-0x7f: an error
 * ```
 *
 * Bytes in, bytes out; no I/O. A package compresses the blocks.
 *
 * @module
 */

import { joined } from "../base/joined.ts";
import { PendingBytes } from "../base/pending_bytes.ts";
import { compress } from "snappyjs";
import { crc32c } from "../base/crc32c.ts";
import { decodeBlock, SnappyError } from "./snappy_block.ts";

/** The most data in a chunk. */
export const CHUNK_DATA_MAX = 65536;
/** The most bytes of a chunk's body: data that did not become smaller, or grew as little as it may, and its checksum. */
const CHUNK_LENGTH_MAX = 4 + 32 + CHUNK_DATA_MAX + Math.floor(CHUNK_DATA_MAX / 6);
const CHUNK_HEADER_LENGTH = 4;
const CHECKSUM_LENGTH = 4;

const TYPE = { compressed: 0, plain: 1, skippableFrom: 0x80, identifier: 0xff } as const;
const IDENTIFIER = Uint8Array.of(0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);

/** Makes a stream. */
export class SnappyEncoder {
  #begun = false;

  /** The bytes as chunks that can be read at once. */
  encode(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const parts = this.#begun ? [] : [IDENTIFIER];
    this.#begun = true;
    for (let start = 0; start < bytes.length; start += CHUNK_DATA_MAX) {
      parts.push(chunkOf(bytes.subarray(start, start + CHUNK_DATA_MAX)));
    }
    return joined(parts);
  }
}

/** Reads a stream, in whatever pieces it comes. */
export class SnappyDecoder {
  /** The chunk that is not complete. */
  readonly #pending = new PendingBytes();
  #begun = false;

  /**
   * The data of the chunks that are complete now; no part of it is empty.
   *
   * @throws {SnappyError}
   */
  decode(bytes: Uint8Array): Uint8Array[] {
    const pending = this.#pending;
    const isBegun = pending.length > 0;
    if (isBegun) pending.add(bytes);
    const input = isBegun ? pending.bytes : bytes;
    const data: Uint8Array[] = [];
    let offset = 0;
    while (input.length - offset >= CHUNK_HEADER_LENGTH) {
      const type = input[offset];
      const length = input[offset + 1] | input[offset + 2] << 8 | input[offset + 3] << 16;
      const start = offset + CHUNK_HEADER_LENGTH;
      // Before its bytes are waited for: what is too long, or of no known type, is never kept.
      this.#check(type, length);
      if (input.length - start < length) break;
      const body = input.subarray(start, start + length);
      if (type === TYPE.identifier) checkIdentifier(body);
      else if (type <= TYPE.plain) {
        const part = dataOf(type, body);
        if (part.length > 0) data.push(part);
      }
      offset = start + length;
    }
    // An idle connection keeps nothing.
    if (offset === input.length) pending.take();
    else if (isBegun) pending.drop(offset);
    else pending.add(input.subarray(offset));
    return data;
  }

  #check(type: number, length: number): void {
    if (!this.#begun && type !== TYPE.identifier) throw new SnappyError("no stream identifier");
    this.#begun = true;
    if (type > TYPE.plain && type < TYPE.skippableFrom) throw new SnappyError(`unknown chunk type ${type}`);
    if (length > CHUNK_LENGTH_MAX) throw new SnappyError(`chunk too long: ${length}`);
  }
}

function chunkOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const compressed = compress(data);
  // As Go does it: what does not save an eighth is sent as it is.
  const smaller = compressed.length < data.length - data.length / 8;
  const body = smaller ? compressed : data;
  const length = CHECKSUM_LENGTH + body.length;
  const chunk = new Uint8Array(CHUNK_HEADER_LENGTH + length);
  chunk[0] = smaller ? TYPE.compressed : TYPE.plain;
  chunk[1] = length;
  chunk[2] = length >>> 8;
  chunk[3] = length >>> 16;
  new DataView(chunk.buffer).setUint32(CHUNK_HEADER_LENGTH, maskedChecksum(data), true);
  chunk.set(body, CHUNK_HEADER_LENGTH + CHECKSUM_LENGTH);
  return chunk;
}

function dataOf(type: number, body: Uint8Array): Uint8Array {
  if (body.length < CHECKSUM_LENGTH) throw new SnappyError("chunk too short");
  const checksum = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  const packed = body.subarray(CHECKSUM_LENGTH);
  const data = type === TYPE.plain ? packed.slice() : decodeBlock(packed, CHUNK_DATA_MAX);
  if (data.length > CHUNK_DATA_MAX) throw new SnappyError(`too much data: ${data.length}`);
  if (maskedChecksum(data) !== checksum) throw new SnappyError("wrong checksum");
  return data;
}

function checkIdentifier(body: Uint8Array): void {
  const expected = IDENTIFIER.subarray(CHUNK_HEADER_LENGTH);
  if (body.length !== expected.length || body.some((byte, i) => byte !== expected[i])) {
    throw new SnappyError("wrong stream identifier");
  }
}

function maskedChecksum(data: Uint8Array): number {
  const crc = crc32c(data);
  return (crc >>> 15 | crc << 17) + 0xa282ead8 >>> 0;
}
