/**
 * Where a topic's segments are kept besides memory. The port belongs to its user, the broker; each
 * implementation passes tests/contract/segment_store.ts. Ephemeral topics have none.
 *
 * Synchronous where the broker must know before it goes on (a message is kept or refused), asynchronous
 * where it can wait (reading back).
 *
 * @module
 */

/** A segment that the store has. */
export interface StoredSegment {
  /** Position of its first message: its name. */
  readonly base: number;
  /** Bytes of its image. */
  readonly size: number;
  /** Positions in it, or -1 when that is known only by reading it, because it was never closed. */
  readonly count: number;
}

/** Keeps the segments and the state of one topic. */
export interface SegmentStore {
  /** The segments that are kept, by base. */
  list(): StoredSegment[];
  /** Adds bytes to the end of a segment's image, which begins with the first call. Throws when it cannot. */
  append(base: number, bytes: Uint8Array): void;
  /** Puts another image in a segment's place, at once or not at all. */
  replace(base: number, image: Uint8Array): void;
  /** The image of a segment, for the caller to keep. Rejects with `Deno.errors.NotFound` when it is not there. */
  read(base: number): Promise<Uint8Array>;
  /** As `read`, for the start of the program. */
  readSync(base: number): Uint8Array;
  /** Removes a segment. */
  remove(base: number): void;
  /** Puts a segment that cannot be read aside, where a person can look at it. */
  setAside(base: number, reason: string): void;
  /** The state that was saved last. */
  readState(): Uint8Array | undefined;
  /** Saves the state, at once or not at all; undefined removes it. */
  writeState(state: Uint8Array | undefined): void;
  /** Makes what was written survive a loss of power. */
  sync(): Promise<void>;
  /** Ends the use of the store. */
  close(): void;
  /** Removes all that is kept. */
  destroy(): void;
}
