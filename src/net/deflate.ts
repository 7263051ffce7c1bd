/**
 * Deflate over a connection: raw streams, each write ended with a sync flush, as Go's compress/flate does.
 *
 * @module
 */

import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { ReadSize } from "../base/read_size.ts";
import { TimeSlice } from "../base/time_slice.ts";
import { type Connection, writeAll } from "./connection.ts";
import { takeFrom } from "./node_stream.ts";

/** Compressed bytes that are read at once at most: with deflate's greatest ratio they make 16 MiB, in small chunks. */
const READ_SIZE_MAX = 16 * 1024;

/** A connection whose bytes are compressed in both directions. */
export class DeflateConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  readonly #inflate = createInflateRaw();
  readonly #deflate;
  readonly #compressed: Uint8Array[] = [];
  #ended = false;
  #error: Error | undefined;
  readonly #readSize = new ReadSize(READ_SIZE_MAX);
  #fedBytes = 0;
  /** Begins with each read from below. */
  #slice = new TimeSlice();
  /** A chunk of compressed bytes has been given to inflate and is not used up. */
  #feeding = false;
  #wake: (() => void) | undefined;

  constructor(inner: Connection, level: number) {
    this.peer = inner.peer;
    this.#inner = inner;
    this.#deflate = createDeflateRaw({ level, flush: constants.Z_SYNC_FLUSH });
    this.#deflate.on("data", (chunk) => this.#compressed.push(chunk));
    this.#deflate.on("error", (error) => this.#fail(error));
    this.#inflate.on("error", (error) => this.#fail(error));
    this.#inflate.on("readable", () => this.#wake?.());
    this.#inflate.on("end", () => this.#finish());
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    // A few bytes may become megabytes, which come without anybody else's having had a turn.
    if (this.#feeding && this.#slice.isOver) await this.#slice.next();
    for (;;) {
      const chunk = takeFrom(this.#inflate, buffer.length);
      if (chunk) {
        buffer.set(chunk);
        return chunk.length;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return null;
      if (this.#feeding) await new Promise<void>((resolve) => this.#wake = resolve);
      else await this.#feed();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    // Deflate keeps what it is given until it is done with it.
    await new Promise<void>((resolve, reject) => {
      this.#deflate.write(bytes, (error) => error ? reject(error) : resolve());
    });
    for (let chunk = this.#compressed.shift(); chunk; chunk = this.#compressed.shift()) {
      await writeAll(this.#inner, chunk);
    }
    return bytes.length;
  }

  close(): void {
    this.#inner.close();
    this.#inflate.destroy();
    this.#deflate.destroy();
    this.#finish();
  }

  /** Reads compressed bytes and gives them to inflate, which takes them as its output is taken. */
  async #feed(): Promise<void> {
    const buffer = new Uint8Array(this.#readSize.bytes);
    const count = await this.#inner.read(buffer);
    if (count === null) {
      this.#finish();
      return;
    }
    this.#readSize.received(count);
    this.#slice = new TimeSlice();
    this.#feeding = true;
    this.#fedBytes += count;
    this.#inflate.write(buffer.subarray(0, count), () => {
      this.#feeding = false;
      // What it has left lies behind the end of the stream, where nothing belongs.
      if (this.#inflate.bytesWritten < this.#fedBytes) this.#finish();
      else this.#wake?.();
    });
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#finish();
  }

  #finish(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
