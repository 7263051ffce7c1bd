/**
 * A body that comes in chunks, each with its size in front (RFC 9112, 7.1): bytes in, places of data out.
 *
 * ```
 *  5 CR LF hello CR LF   6;a=b CR LF  world CR LF   0 CR LF   X: trailer CR LF   CR LF
 *  ─size── ─data─        ── ext is dropped          ─end──    ─ dropped ───────  ─end─
 * ```
 *
 * @module
 */

/** The encoding is broken. */
export class ChunkError extends Error {
  override readonly name = "ChunkError";
}

/** Longest line of a size, in bytes. */
const LINE_LENGTH_MAX = 4096;
/** Bytes that may come of sizes and the like, beyond what a chunk needs and as much again as its data: Go's limit. */
const EXCESS_MAX = 16 * 1024;
const SLACK_PER_CHUNK = 16;
/** Bytes of trailers. */
const TRAILERS_SIZE_MAX = 16 * 1024;
const SIZE_DIGITS_MAX = 13;

const LF = 10;
const CR = 13;

type State = "size" | "extension" | "size-end" | "data" | "data-end" | "trailer" | "done";

/** Decodes one body. What follows its end is left. */
export class ChunkDecoder {
  #state: State = "size";
  #size = 0;
  #digits = 0;
  /** Bytes of data that the chunk has left. */
  #left = 0;
  #line = 0;
  #excess = 0;
  #trailers = 0;
  /** The last byte of trailers. */
  #last = 0;

  /** True when all has come. */
  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Reads what is there between two places, and tells where data is.
   *
   * @returns How far it has read: to `end`, or to the end of the body.
   * @throws {ChunkError}
   */
  decode(bytes: Uint8Array, start: number, end: number, data: (from: number, to: number) => void): number {
    let at = start;
    while (at < end && this.#state !== "done") {
      if (this.#state === "data") {
        const to = Math.min(end, at + this.#left);
        data(at, to);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#begin("data-end");
      } else {
        this.#take(bytes[at++]);
      }
    }
    return at;
  }

  #take(byte: number): void {
    this.#line++;
    switch (this.#state) {
      case "size":
        return this.#takeSize(byte);
      case "extension":
        if (byte === CR) this.#state = "size-end";
        else if (byte === LF) throw new ChunkError("A line ends without CR");
        else if (this.#line > LINE_LENGTH_MAX) throw new ChunkError("The line of a size is too long");
        return;
      case "size-end":
        if (byte !== LF) throw new ChunkError("CR without LF");
        return this.#beginData();
      case "data-end":
        if (byte !== (this.#line === 1 ? CR : LF)) throw new ChunkError("A chunk is longer than its size");
        if (this.#line === 2) this.#begin("size");
        return;
      case "trailer":
        return this.#takeTrailer(byte);
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS_MAX) throw new ChunkError("A size is too large");
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new ChunkError("There is no size");
    if (byte === CR) this.#state = "size-end";
    else if (byte === 0x3b || byte === 0x20 || byte === 0x09) this.#state = "extension";
    else throw new ChunkError("A size is no number");
  }

  #beginData(): void {
    this.#excess = Math.max(0, this.#excess + this.#line + 2 - SLACK_PER_CHUNK - 2 * this.#size);
    if (this.#excess > EXCESS_MAX) throw new ChunkError("There is too much around the data");
    this.#left = this.#size;
    this.#begin(this.#size === 0 ? "trailer" : "data");
  }

  #takeTrailer(byte: number): void {
    if (++this.#trailers > TRAILERS_SIZE_MAX) throw new ChunkError("The trailers are too long");
    const isEmpty = this.#line === 1 || this.#line === 2 && this.#last === CR;
    this.#last = byte;
    if (byte !== LF) return;
    if (isEmpty) this.#state = "done";
    this.#line = 0;
  }

  #begin(state: State): void {
    this.#state = state;
    this.#line = 0;
    this.#size = 0;
    this.#digits = 0;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
