/**
 * A slice of time that is always over, and counts how often others have had their turn.
 *
 * @module
 */

import type { Slice } from "../../src/base/time_slice.ts";

/** See above. */
export class CountedSlice implements Slice {
  readonly isOver = true;
  /** Turns that others have had. */
  turns = 0;

  next(): Promise<void> {
    this.turns++;
    return Promise.resolve();
  }
}
