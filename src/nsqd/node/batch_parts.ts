/**
 * Batches of very many messages in parts, between which others have their turn. As in NSQ, whose nsqd puts a batch's messages
 * one by one, those of the parts before are published when one cannot be.
 *
 * @module
 */

import { endOfMessages } from "../../log/segment_image.ts";

/** Messages that are published before others have their turn: some ms of work. */
export const PART_MESSAGES_MAX = 100_000;

/** Messages of a batch: so many, in the bytes [from, to) of its block. */
export interface BatchPart {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** The parts of a batch of so many messages, each a size and a body, in the bytes [from, to) of the block. */
export function* batchParts(block: Uint8Array, { from, to, count }: BatchPart): Generator<BatchPart> {
  let start = from;
  for (let left = count; left > 0; left -= PART_MESSAGES_MAX) {
    const some = Math.min(left, PART_MESSAGES_MAX);
    const end = some === left ? to : endOfMessages(block, start, some);
    yield { from: start, to: end, count: some };
    start = end;
  }
}
