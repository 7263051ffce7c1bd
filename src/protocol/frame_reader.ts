/**
 * Reads the frames that nsqd sends out of a stream of bytes, for whoever is its client (the frames are drawn in
 * frames.ts). Owns no socket: bytes are pushed in, in whatever pieces they come, and the owner is told of each frame
 * that is complete.
 *
 * Frames that lie whole in a piece are not copied: what the owner is given are places in the piece. Only a frame that is
 * cut is gathered, in a buffer that grows with what has come: sizes are counted, not believed.
 *
 * @module
 */

import { FRAME_HEADER_LENGTH, FRAME_TYPE, MESSAGE_HEADER_LENGTH, readI32, readU32 } from "./frames.ts";

/** Bytes of the size that a frame begins with; it does not count itself. */
const SIZE_LENGTH = 4;
const EMPTY = new Uint8Array(0);

/** The peer does not send frames. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Whoever is told of the frames. Bytes stay as they are. */
export interface FrameOwner {
  /** A message, whose data, without the frame's header, are `bytes` from `start` to `end`. */
  message(bytes: Uint8Array, start: number, end: number): void;
  response(data: Uint8Array): void;
  error(data: Uint8Array): void;
}

/** One connection's frames. */
export class FrameReader {
  readonly #owner: FrameOwner;
  readonly #sizeMax: number;
  /** The frame that is cut: the first `#pendingLength` bytes. */
  #pending: Uint8Array = EMPTY;
  #pendingLength = 0;

  /** Frames of more than `sizeMax` bytes are refused. */
  constructor(owner: FrameOwner, { sizeMax }: { readonly sizeMax: number }) {
    this.#owner = owner;
    this.#sizeMax = sizeMax;
  }

  /**
   * Takes bytes, which must stay as they are, and tells of the frames that are complete now.
   *
   * @throws {FrameError}
   */
  push(bytes: Uint8Array): void {
    let offset = 0;
    while (this.#pendingLength > 0) {
      const taken = this.#complete(bytes, offset);
      if (taken < 0) return;
      offset = taken;
    }
    const length = bytes.length;
    while (length - offset >= FRAME_HEADER_LENGTH) {
      const end = offset + SIZE_LENGTH + this.#sizeAt(bytes, offset);
      if (end > length) break;
      this.#tell(bytes, offset, end);
      offset = end;
    }
    if (offset < length) this.#keep(bytes.subarray(offset));
  }

  /** Adds to the frame that is cut; where the rest of the bytes begins, or -1 when it is still not complete. */
  #complete(bytes: Uint8Array, offset: number): number {
    const wanted = this.#pendingLength < FRAME_HEADER_LENGTH
      ? FRAME_HEADER_LENGTH
      : SIZE_LENGTH + this.#sizeAt(this.#pending, 0);
    const end = Math.min(bytes.length, offset + wanted - this.#pendingLength);
    this.#keep(bytes.subarray(offset, end));
    if (this.#pendingLength < wanted) return -1;
    const frameEnd = SIZE_LENGTH + this.#sizeAt(this.#pending, 0);
    if (frameEnd === this.#pendingLength) {
      const frame = this.#pending;
      this.#pending = EMPTY;
      this.#pendingLength = 0;
      this.#tell(frame, 0, frameEnd);
    }
    return end;
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#pendingLength + bytes.length;
    if (length > this.#pending.length) {
      // Doubled, so that what comes byte by byte is not copied with each of them.
      const larger = new Uint8Array(Math.max(length, 2 * this.#pending.length));
      larger.set(this.#pending.subarray(0, this.#pendingLength));
      this.#pending = larger;
    }
    this.#pending.set(bytes, this.#pendingLength);
    this.#pendingLength = length;
  }

  #sizeAt(bytes: Uint8Array, offset: number): number {
    const size = readI32(bytes, offset);
    if (size < SIZE_LENGTH) throw new FrameError(`Not a frame: its size is ${size}`);
    if (size > this.#sizeMax) throw new FrameError(`A frame of ${size} bytes, ${this.#sizeMax} is the limit`);
    return size;
  }

  #tell(bytes: Uint8Array, offset: number, end: number): void {
    const type = readU32(bytes, offset + SIZE_LENGTH);
    const start = offset + FRAME_HEADER_LENGTH;
    if (type === FRAME_TYPE.message) {
      if (end - offset < MESSAGE_HEADER_LENGTH) {
        throw new FrameError(`Not a message: it has ${end - start} bytes`);
      }
      this.#owner.message(bytes, start, end);
    } else if (type === FRAME_TYPE.response) this.#owner.response(bytes.subarray(start, end));
    else if (type === FRAME_TYPE.error) this.#owner.error(bytes.subarray(start, end));
    else throw new FrameError(`Not a frame: its type is ${type}`);
  }
}
