/**
 * A file, pipe or terminal that takes bytes when a test lets it.
 *
 * @module
 */

import type { ByteTarget } from "../../src/base/line_writer.ts";

/** What {@linkcode TestTarget.take} says of a write. */
export interface Taken {
  /** Bytes that are taken; by default all. */
  readonly bytes?: number;
  /** What the write fails with, once these bytes are taken. */
  readonly error?: Error;
}

/** Takes nothing until it is told to. */
export class TestTarget implements ByteTarget {
  /** What has been taken. */
  text = "";
  /** Takes everything at once while true. */
  open = false;
  readonly #waiting: { readonly bytes: Uint8Array; readonly end: PromiseWithResolvers<number> }[] = [];

  write(bytes: Uint8Array): Promise<number> {
    const end = Promise.withResolvers<number>();
    this.#waiting.push({ bytes, end });
    if (this.open) this.take();
    return end.promise;
  }

  /** The bytes of the write that waits. */
  get offered(): string {
    return this.#waiting.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  }

  /** Lets the write that waits go on. */
  take({ bytes: count, error }: Taken = {}): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw new Error("no write waits");
    const taken = waiting.bytes.subarray(0, count ?? (error ? 0 : waiting.bytes.length));
    this.text += new TextDecoder().decode(taken);
    if (error) waiting.end.reject(error);
    else waiting.end.resolve(taken.length);
  }

  /** Takes what waits, and everything that comes. */
  takeAll(): void {
    this.open = true;
    while (this.#waiting.length > 0) this.take();
  }
}
