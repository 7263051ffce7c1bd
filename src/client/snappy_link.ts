/**
 * Snappy over a link.
 *
 * @module
 */

import { SnappyDecoder, SnappyEncoder } from "../protocol/snappy_frames.ts";
import type { Link, LinkOwner } from "./link.ts";

/** A link whose bytes are compressed in both directions. */
export class SnappyLink implements Link {
  owner: LinkOwner | undefined;
  readonly #inner: Link;
  readonly #encoder = new SnappyEncoder();

  constructor(inner: Link) {
    const decoder = new SnappyDecoder();
    this.#inner = inner;
    inner.owner = {
      received: (bytes) => {
        for (const part of decoder.decode(bytes)) this.owner?.received(part);
      },
      ended: (error) => this.owner?.ended(error),
    };
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#inner.write(this.#encoder.encode(bytes), done);
  }

  end(): void {
    this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
  }
}
