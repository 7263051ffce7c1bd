/**
 * Which bytes of a segment's image are copied when it is rewritten without some of its messages: runs of messages of one
 * batch, which become batches of their own.
 *
 * @module
 */

import { readU32 } from "../protocol/frames.ts";
import { BATCH_BYTES_MAX, BatchReader } from "./segment_image.ts";

/** Batches, and bytes of them, that are looked at before others have their turn: a ms of work at most. */
export const BATCHES_AT_ONCE = 2000;
export const BYTES_AT_ONCE = 512 * 1024;

/** Messages in a row, of one batch. */
export interface Run {
  /** Where the batch begins. */
  readonly batch: number;
  readonly index: number;
  count: number;
  readonly from: number;
  to: number;
}

/** What is kept. */
export interface KeptRuns {
  readonly runs: readonly Run[];
  /** Bytes that they take as batches. */
  readonly size: number;
  readonly deferred: number;
}

/** The runs of the messages for which `keep` is true, found in steps. */
export function* keptRuns(
  image: Uint8Array,
  batches: Iterable<{ readonly index: number; readonly offset: number }>,
  keep: (index: number) => boolean,
): Generator<void, KeptRuns> {
  const batch = new BatchReader(image);
  const runs: Run[] = [];
  let size = 0;
  let deferred = 0;
  let count = 0;
  let stepEnd = BYTES_AT_ONCE;
  for (const { index, offset } of batches) {
    if (++count % BATCHES_AT_ONCE === 0 || offset > stepEnd) {
      stepEnd = offset + BYTES_AT_ONCE;
      yield;
    }
    batch.readUnchecked(offset);
    let run: Run | undefined;
    batch.walk((i, start, body) => {
      if (!keep(index + i)) {
        run = undefined;
        return;
      }
      const end = body + readU32(image, body - 4);
      // Batches of version 1 may be longer than one is to be.
      if (run && end - run.from <= BATCH_BYTES_MAX) {
        run.count++;
        run.to = end;
      } else {
        run = { batch: offset, index: index + i, count: 1, from: start, to: end };
        runs.push(run);
        size += batch.messages - offset;
      }
      size += end - start;
      if (batch.dueMs > 0) deferred++;
    });
  }
  return { runs, size, deferred };
}
