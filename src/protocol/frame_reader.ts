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

import { PendingBytes } from "../base/pending_bytes.ts";
import { FRAME_HEADER_LENGTH, FRAME_TYPE, MESSAGE_HEADER_LENGTH, readI32, readU32 } from "./frames.ts";

/** Bytes of the size that a frame begins with; it does not count itself. */
const SIZE_LENGTH = 4;

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
  /** The frame that is cut. */
  readonly #pending = new PendingBytes();

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
    while (this.#pending.length > 0) {
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
    if (offset < length) this.#pending.add(bytes.subarray(offset));
  }

  /** Adds to the frame that is cut; where the rest of the bytes begins, or -1 when it is still not complete. */
  #complete(bytes: Uint8Array, offset: number): number {
    const pending = this.#pending;
    const wanted = pending.length < FRAME_HEADER_LENGTH
      ? FRAME_HEADER_LENGTH
      : SIZE_LENGTH + this.#sizeAt(pending.bytes, 0);
    const end = Math.min(bytes.length, offset + wanted - pending.length);
    pending.add(bytes.subarray(offset, end));
    if (pending.length < wanted) return -1;
    if (SIZE_LENGTH + this.#sizeAt(pending.bytes, 0) === pending.length) {
      const frame = pending.take();
      this.#tell(frame, 0, frame.length);
    }
    return end;
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
