/**
 * Deflate over a link: raw streams, each write ended with a sync flush, as Go's compress/flate does.
 *
 * @module
 */

import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { joined } from "../base/joined.ts";
import type { Link, LinkOwner } from "./link.ts";

/** A link whose bytes are compressed in both directions. */
export class DeflateLink implements Link {
  owner: LinkOwner | undefined;
  readonly #inner: Link;
  readonly #deflate;
  readonly #inflate = createInflateRaw();
  #compressed: Uint8Array[] = [];
  #ended = false;

  constructor(inner: Link, level: number) {
    this.#inner = inner;
    this.#deflate = createDeflateRaw({ level, flush: constants.Z_SYNC_FLUSH });
    this.#deflate.on("data", (chunk) => this.#compressed.push(chunk));
    this.#deflate.on("error", (error) => this.#fail(error));
    this.#inflate.on("data", (chunk) => {
      try {
        this.owner?.received(chunk);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
    this.#inflate.on("error", (error) => this.#fail(error));
    inner.owner = {
      received: (bytes) => this.#inflate.write(bytes),
      ended: (error) => {
        // What has come is told first: inflate has not necessarily been through all of it.
        if (error) this.#finish(error);
        else this.#inflate.write(new Uint8Array(0), () => this.#finish());
      },
    };
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#deflate.write(bytes, (error) => {
      if (error) return done(error);
      const parts = this.#compressed;
      this.#compressed = [];
      this.#inner.write(parts.length === 1 ? parts[0] : joined(parts), done);
    });
  }

  end(): void {
    this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
    this.#release();
  }

  #fail(error: Error): void {
    this.#inner.destroy();
    this.#finish(error);
  }

  #finish(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    this.owner?.ended(error);
  }

  #release(): void {
    this.#deflate.destroy();
    this.#inflate.destroy();
  }
}
