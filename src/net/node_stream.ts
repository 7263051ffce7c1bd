/**
 * Connections as Node's streams, and Node's streams as connections: TLS and deflate come as streams.
 *
 * @module
 */

import { Duplex, type Readable } from "node:stream";
import { ReadSize } from "../base/read_size.ts";
import { type Connection, writeAll } from "./connection.ts";

/** Bytes that are asked for at once from the connection below at most. */
const READ_SIZE_MAX = 64 * 1024;

/**
 * Whether a connection below a stream may be read. Node's TLS reads on and on in this runtime, whether or not anybody
 * reads what it has decrypted (Deno 2.9.6: a client that only sends fills the memory by 700 MB a second).
 */
export class ReadGate {
  #closed: PromiseWithResolvers<void> | undefined;

  /** Settles when the gate is open. */
  async opened(): Promise<void> {
    while (this.#closed) await this.#closed.promise;
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  close(): void {
    this.#closed ??= Promise.withResolvers();
  }
}

/** A stream over a connection, which is read while the gate is open. Destroying the one closes the other. */
export function streamOf(connection: Connection, gate: ReadGate): Duplex {
  const readSize = new ReadSize(READ_SIZE_MAX);
  const stream: Duplex = new Duplex({
    read() {
      read(connection, gate, readSize).then((bytes) => stream.push(bytes), (error) => stream.destroy(error));
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

async function read(connection: Connection, gate: ReadGate, readSize: ReadSize): Promise<Uint8Array | null> {
  await gate.opened();
  const buffer = new Uint8Array(readSize.bytes);
  const count = await connection.read(buffer);
  if (count === null) return null;
  readSize.received(count);
  return buffer.subarray(0, count);
}

/** What a stream has, `most` bytes of it; null when it has nothing yet, or is at its end. */
export function takeFrom(stream: Readable, most: number): Uint8Array | null {
  // This starts the flow, and takes nothing: some streams answer at once, with more than is wanted.
  if (stream.readableLength === 0) stream.read(0);
  const available = Math.min(stream.readableLength, most);
  return available > 0 ? stream.read(available) : null;
}

/**
 * A connection over a stream of Node's; the gate is open while somebody waits for what it brings. Closing the one
 * destroys the other.
 */
export class StreamConnection implements Connection {
  readonly peer: string;
  readonly #stream: Duplex;
  readonly #gate: ReadGate;
  #error: Error | undefined;
  /** The peer sends no more; it may still read. */
  #ended = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex, gate: ReadGate, peer: string) {
    this.#stream = stream;
    this.#gate = gate;
    this.peer = peer;
    gate.close();
    stream.on("readable", () => this.#wake?.());
    stream.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
    stream.on("close", () => this.#finish());
    stream.on("error", (error) => this.#finish(error));
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk = takeFrom(this.#stream, buffer.length);
      if (chunk) {
        this.#gate.close();
        buffer.set(chunk);
        return chunk.length;
      }
      if (this.#error) throw this.#error;
      if (this.#ended || this.#closed) return null;
      this.#gate.open();
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#error) throw this.#error;
    if (this.#closed) throw new Deno.errors.BrokenPipe("The stream is closed");
    await new Promise<void>((resolve, reject) => {
      // A closed stream does not always call back.
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
    // TLS says goodbye when it is ended, if nothing is being written, and needs a step for it.
    this.#stream.end();
    queueMicrotask(() => this.#stream.destroy());
    this.#finish();
  }

  #finish(error?: Error): void {
    this.#error ??= error;
    this.#closed = true;
    this.#wake?.();
  }
}
