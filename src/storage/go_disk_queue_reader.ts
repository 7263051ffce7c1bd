/**
 * Reads the messages of one of Go's disk queues (src/storage/go_disk_queue.ts) that are still to be read: from where
 * reading goes on (src/storage/go_disk_queue_start.ts), to the end of its last file. As Go's own reader it goes on behind
 * the place where the metadata says that writing ended, because that is as of the last sync. Without metadata (a kill
 * before the first sync; Go's nsqd overwrites such files) it takes everything.
 *
 * A file may have many GiB: it is read in pieces, never as a whole. Nothing is written.
 *
 * @module
 */

import type { FileSystem } from "./file_system.ts";
import { scanRecords } from "./go_disk_queue.ts";
import {
  PIECE_BYTES,
  type QueueDamage,
  type QueuePart,
  type QueueSource,
  type QueueStart,
} from "./go_disk_queue_start.ts";

/** Whole records, one after the other, in the first `end` bytes. */
export interface RecordBlock {
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** The records of the queue, in their order. What cannot be read is told, and reading goes on with the next file. */
export async function* readQueue(
  { files, folder }: QueueSource,
  { parts, damage }: QueueStart,
  onDamage: (damage: QueueDamage) => void,
): AsyncGenerator<RecordBlock, void, undefined> {
  if (damage) onDamage(damage);
  for (const part of parts) {
    const damage = yield* readRecords(files, folder, part);
    if (damage) onDamage(damage);
  }
}

async function* readRecords(
  files: FileSystem,
  folder: string,
  { file: { name }, offset: start, proven }: QueuePart,
): AsyncGenerator<RecordBlock, QueueDamage | undefined, undefined> {
  let offset = start;
  let length = PIECE_BYTES;
  for (;;) {
    const { size, bytes } = await files.readPart(`${folder}/${name}`, { offset, length });
    const left = size - offset;
    if (left <= 0) return undefined;
    const { end, next = 0, reason } = scanRecords(bytes, { left, proven: proven - offset });
    if (end > 0) yield { bytes, end };
    offset += end;
    if (reason !== undefined) return { file: name, offset, length: size - offset, reason };
    length = Math.max(PIECE_BYTES, next);
  }
}
