/**
 * Snappy over a connection; each write is made of whole chunks.
 *
 * @module
 */

import { ReadSize } from "../base/read_size.ts";
import { TimeSlice } from "../base/time_slice.ts";
import { SnappyDecoder, SnappyEncoder } from "../protocol/snappy_frames.ts";
import { type Connection, writeAll } from "./connection.ts";

/** Compressed bytes that are read at once at most: up to 21 times as many come of them. */
const READ_SIZE_MAX = 64 * 1024;

/** A connection whose bytes are compressed in both directions. */
export class SnappyConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  readonly #encoder = new SnappyEncoder();
  readonly #decoder = new SnappyDecoder();
  readonly #readSize = new ReadSize(READ_SIZE_MAX);
  /** Data that has been decoded and not been read: the parts from `#part` on, the first of them from `#offset` on. */
  #decoded: Uint8Array[] = [];
  #part = 0;
  #offset = 0;
  /** Begins with each read from below. */
  #slice = new TimeSlice();

  constructor(inner: Connection) {
    this.peer = inner.peer;
    this.#inner = inner;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    // What has been decoded comes without anybody else's having had a turn.
    if (this.#part < this.#decoded.length && this.#slice.isOver) await this.#slice.next();
    while (this.#part === this.#decoded.length) {
      const packed = new Uint8Array(this.#readSize.bytes);
      const count = await this.#inner.read(packed);
      if (count === null) return null;
      this.#readSize.received(count);
      this.#slice = new TimeSlice();
      this.#decoded = this.#decoder.decode(packed.subarray(0, count));
      this.#part = 0;
    }
    // All that fits: a read for each of thousands of tiny chunks would take as many turns of whoever reads.
    let end = 0;
    while (end < buffer.length && this.#part < this.#decoded.length) {
      const part = this.#decoded[this.#part];
      const data = part.subarray(this.#offset, this.#offset + buffer.length - end);
      buffer.set(data, end);
      end += data.length;
      this.#offset += data.length;
      if (this.#offset < part.length) break;
      this.#part++;
      this.#offset = 0;
    }
    if (this.#part === this.#decoded.length) {
      this.#decoded = [];
      this.#part = 0;
    }
    return end;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await writeAll(this.#inner, this.#encoder.encode(bytes));
    return bytes.length;
  }

  close(): void {
    this.#inner.close();
  }
}
