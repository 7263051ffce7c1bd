/**
 * A connection in memory: the test is the peer, and says what comes, when, and whether writes go through.
 *
 * @module
 */

import type { Connection } from "../../src/net/connection.ts";

/** The server's end of a connection whose other end is the test. */
export class MemoryConnection implements Connection {
  readonly peer: string;
  /** What has been written to the peer. */
  readonly written: Uint8Array[] = [];
  /** The most bytes that one write takes. */
  writeSizeMax = Infinity;
  closed = false;
  readonly #input: Uint8Array[] = [];
  #ended = false;
  #reader: { wake(): void; fail(error: Error): void } | undefined;
  #held: PromiseWithResolvers<void> | undefined;
  #takes = 0;
  #waiting = 0;

  constructor(peer: string) {
    this.peer = peer;
  }

  /** The peer sends bytes. */
  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#input.push(bytes);
    this.#reader?.wake();
  }

  /** The peer sends no more. */
  end(): void {
    this.#ended = true;
    this.#reader?.wake();
  }

  /** The peer stops reading: writes wait. */
  hold(): void {
    this.#held ??= Promise.withResolvers<void>();
  }

  /** The peer reads again. */
  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#input.length === 0) {
      if (this.closed) throw new Deno.errors.BadResource("Bad resource ID");
      if (this.#ended) return null;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#reader = { wake: resolve, fail: reject };
      await promise;
      this.#reader = undefined;
    }
    const bytes = this.#input[0];
    const count = Math.min(bytes.length, buffer.length);
    buffer.set(bytes.subarray(0, count));
    if (count === bytes.length) this.#input.shift();
    else this.#input[0] = bytes.subarray(count);
    return count;
  }

  /** The peer, which has stopped reading, reads so many bytes and stops again. */
  take(bytes: number): void {
    this.#takes += bytes;
    this.release();
  }

  /** A write waits for the peer to read. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  async write(bytes: Uint8Array): Promise<number> {
    // The bytes are taken when the write ends, as a socket may: they must stay as they are until then.
    this.#waiting++;
    await this.#held?.promise;
    this.#waiting--;
    if (this.closed) throw new Deno.errors.BrokenPipe("Broken pipe");
    const count = Math.min(bytes.length, this.writeSizeMax, this.#takes || Infinity);
    if (this.#takes > 0) {
      this.#takes -= count;
      if (this.#takes === 0) this.hold();
    }
    this.written.push(bytes.slice(0, count));
    return count;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#reader?.fail(new Deno.errors.Interrupted("operation canceled"));
    this.#reader = undefined;
    this.release();
  }
}
