/**
 * Connections as Node's streams, and Node's streams as connections: TLS and deflate come as streams.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { type Connection, writeAll } from "./connection.ts";

/** Bytes asked for at once from the connection below. */
const READ_SIZE = 64 * 1024;

/** A stream over a connection. Destroying the one closes the other. */
export function streamOf(connection: Connection): Duplex {
  const stream: Duplex = new Duplex({
    read() {
      const buffer = new Uint8Array(READ_SIZE);
      connection.read(buffer).then(
        (count) => stream.push(count === null ? null : buffer.subarray(0, count)),
        (error) => stream.destroy(error),
      );
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(connection, chunk).then(() => done(), done);
    },
    destroy(error, done) {
      connection.close();
      done(error);
    },
  });
  return stream;
}

/** A connection over a stream of Node's. Closing the one destroys the other. */
export class StreamConnection implements Connection {
  readonly peer: string;
  readonly #stream: Duplex;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex, peer: string) {
    this.#stream = stream;
    this.peer = peer;
    stream.on("readable", () => this.#wake?.());
    stream.on("end", () => this.#finish());
    stream.on("close", () => this.#finish());
    stream.on("error", (error) => this.#finish(error));
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk = this.#next(buffer.length);
      if (chunk) {
        buffer.set(chunk);
        return chunk.length;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#error) throw this.#error;
    if (this.#ended) throw new Deno.errors.BrokenPipe("The stream has ended");
    await new Promise<void>((resolve, reject) => {
      // An ended stream does not always call back.
      this.#stream.once("close", resolve);
      this.#stream.write(bytes, (error) => {
        this.#stream.off("close", resolve);
        if (error) reject(error);
        else resolve();
      });
    });
    return bytes.length;
  }

  close(): void {
    this.#stream.destroy();
    this.#finish();
  }

  #next(most: number): Uint8Array | null {
    const available = Math.min(this.#stream.readableLength, most);
    // read() with nothing in the buffer starts the flow, and says null.
    return this.#stream.read(available > 0 ? available : undefined);
  }

  #finish(error?: Error): void {
    this.#error ??= error;
    this.#ended = true;
    this.#wake?.();
  }
}
