/**
 * Snappy over a connection; each write is made of whole chunks.
 *
 * @module
 */

import { SnappyDecoder, SnappyEncoder } from "../protocol/snappy_frames.ts";
import { type Connection, writeAll } from "./connection.ts";

/** Compressed bytes read at once: at most 21 times as many come of them. */
const READ_SIZE = 64 * 1024;

/** A connection whose bytes are compressed in both directions. */
export class SnappyConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  readonly #encoder = new SnappyEncoder();
  readonly #decoder = new SnappyDecoder();
  /** Data that has been decoded and not been read, the first part from `#offset` on. */
  #decoded: Uint8Array[] = [];
  #offset = 0;

  constructor(inner: Connection) {
    this.peer = inner.peer;
    this.#inner = inner;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#decoded.length === 0) {
      const packed = new Uint8Array(READ_SIZE);
      const count = await this.#inner.read(packed);
      if (count === null) return null;
      this.#decoded = this.#decoder.decode(packed.subarray(0, count));
    }
    const data = this.#decoded[0].subarray(this.#offset, this.#offset + buffer.length);
    buffer.set(data);
    this.#offset += data.length;
    if (this.#offset === this.#decoded[0].length) {
      this.#decoded.shift();
      this.#offset = 0;
    }
    return data.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await writeAll(this.#inner, this.#encoder.encode(bytes));
    return bytes.length;
  }

  close(): void {
    this.#inner.close();
  }
}
