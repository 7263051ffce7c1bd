/**
 * Where a topic's segments are kept besides memory. The port belongs to its user, the log; each
 * implementation passes tests/contract/segment_store.ts. Ephemeral topics have none.
 *
 * Synchronous where the broker must know before it goes on (a message is kept or refused), asynchronous
 * where it can wait (reading back, removing, and whatever must survive a loss of power).
 *
 * @module
 */

import type { Closing } from "./segment_image.ts";

/** A segment that the store has. */
export interface StoredSegment {
  /** Position of its first message: its name. */
  readonly base: number;
  /** Bytes of its image. */
  readonly size: number;
  /** What the batch at its end says, or undefined when it was never closed and must be read. */
  readonly closing: Closing | undefined;
}

/** Which bytes of an image. */
export interface ImagePart {
  readonly offset: number;
  readonly length: number;
}

/** Keeps the segments and the state of one topic. */
export interface SegmentStore {
  /** The segments that are kept, by base. */
  list(): StoredSegment[];
  /** Adds bytes to the end of a segment's image, which begins with the first call. Throws when it cannot. */
  append(base: number, bytes: Uint8Array): void;
  /** Cuts a segment's image off after `size` bytes; one that is not there begins, empty. */
  truncate(base: number, size: number): void;
  /**
   * Puts another image in a segment's place, at once or not at all, even when power is lost; resolves to false when
   * `wanted`, asked at the last moment, says no.
   */
  replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean>;
  /** The image of a segment, for the caller to keep. Rejects with `Deno.errors.NotFound` when it is not there. */
  read(base: number): Promise<Uint8Array>;
  /** Bytes of an image, as far as there are that many, for the caller to keep. */
  readPart(base: number, part: ImagePart): Promise<Uint8Array>;
  /** As `read`, for the start of the program. */
  readSync(base: number): Uint8Array;
  /** As `readPart`, for the start of the program. */
  readPartSync(base: number, part: ImagePart): Uint8Array;
  /** Removes a segment. */
  remove(base: number): Promise<void>;
  /** Puts a segment aside, where a person can look at it. */
  setAside(base: number): void;
  /** Keeps damaged bytes of a segment where a person can look at them; false when they are kept already. */
  keepDamage(base: number, offset: number, bytes: Uint8Array): boolean;
  /** The state that was saved last. */
  readState(): Uint8Array | undefined;
  /**
   * Saves the state, which comes in pieces, at once or not at all, even when power is lost; undefined removes it, with what
   * must not be there without it.
   */
  writeState(state: AsyncIterable<Uint8Array> | undefined): Promise<void>;
  /** Puts a state that cannot be read aside. */
  setStateAside(): void;
  /** Settles when all that was added before the call survives a loss of power. */
  sync(): Promise<void>;
  /** Gives back what is only good for quick writing, until the next. */
  rest(): void;
  /** Ends the use of the store. */
  close(): void;
  /** Removes all that is kept, at once as far as anybody can see; settles when it has gone from the disk. */
  destroy(): Promise<void>;
}
