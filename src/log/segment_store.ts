/**
 * Where a topic's segments are kept besides memory. The port belongs to its user, the broker; each
 * implementation passes tests/contract/segment_store.ts. Ephemeral topics have none.
 *
 * Synchronous where the broker must know before it goes on (a message is kept or refused), asynchronous
 * where it can wait (reading back, and whatever must survive a loss of power).
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

/** Keeps the segments and the state of one topic. */
export interface SegmentStore {
  /** The segments that are kept, by base. */
  list(): StoredSegment[];
  /** Adds bytes to the end of a segment's image, which begins with the first call. Throws when it cannot. */
  append(base: number, bytes: Uint8Array): void;
  /** Cuts a segment's image off after `size` bytes. */
  truncate(base: number, size: number): void;
  /**
   * Puts another image in a segment's place, at once or not at all, even when power is lost; resolves to false when
   * `wanted`, asked at the last moment, says no.
   */
  replace(base: number, image: Uint8Array, wanted: () => boolean): Promise<boolean>;
  /** The image of a segment, for the caller to keep. Rejects with `Deno.errors.NotFound` when it is not there. */
  read(base: number): Promise<Uint8Array>;
  /** As `read`, for the start of the program. */
  readSync(base: number): Uint8Array;
  /** Removes a segment. */
  remove(base: number): void;
  /** Puts a segment that cannot be read aside, where a person can look at it. */
  setAside(base: number): void;
  /** Keeps damaged bytes of a segment where a person can look at them; false when they are kept already. */
  keepDamage(base: number, offset: number, bytes: Uint8Array): boolean;
  /** The state that was saved last. */
  readState(): Uint8Array | undefined;
  /** Saves the state, at once or not at all, even when power is lost; undefined removes it. */
  writeState(state: Uint8Array | undefined): Promise<void>;
  /** Puts a state that cannot be read aside. */
  setStateAside(): void;
  /** Settles when all that was added before the call survives a loss of power. */
  sync(): Promise<void>;
  /** Ends the use of the store. */
  close(): void;
  /** Removes all that is kept. */
  destroy(): void;
}
