/**
 * Reads the messages of one of Go's disk queues (src/storage/go_disk_queue.ts) that are still to be read: from where its
 * metadata says, to the end of its last file. As Go's own reader it goes on behind the place where the metadata says that
 * writing ended, because that is as of the last sync. Without metadata (a kill before the first sync; Go's nsqd
 * overwrites such files) it takes everything.
 *
 * A file may have many GiB: it is read in pieces, never as a whole. Nothing is written.
 *
 * @module
 */

import { readI32 } from "../protocol/frames.ts";
import type { FileSystem } from "./file_system.ts";
import { decodeQueueMeta, type DiskQueue, type QueueMeta, RECORD_SIZE_MIN } from "./go_disk_queue.ts";

/** Bytes that are read at a time, unless one message has more. */
const PIECE_BYTES = 1024 * 1024;
const SIZE_LENGTH = 4;

/** Whole records, one after the other, in the first `end` bytes. */
export interface RecordBlock {
  readonly bytes: Uint8Array;
  readonly end: number;
}

/** From `offset` on a data file cannot be read: where the next record would begin is not known. */
export interface QueueDamage {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

/** A queue to be read. */
export interface QueueSource {
  readonly files: FileSystem;
  readonly folder: string;
  readonly queue: DiskQueue;
}

/** The queue's metadata; undefined when there is none that can be used. */
export function readQueueMeta({ files, folder, queue }: QueueSource): QueueMeta | undefined {
  if (queue.metaFile === undefined) return undefined;
  return decodeQueueMeta(files.readSync(`${folder}/${queue.metaFile}`));
}

/** The records of the queue, in their order. What cannot be read is told, and reading goes on with the next file. */
export async function* readQueue(
  source: QueueSource,
  options: { readonly meta: QueueMeta | undefined; readonly onDamage: (damage: QueueDamage) => void },
): AsyncGenerator<RecordBlock, void, undefined> {
  const { files, folder, queue } = source;
  const { number: first, offset } = options.meta?.read ?? { number: 0, offset: 0 };
  for (const { name, number } of queue.dataFiles) {
    // Such a file has been read to its end; its removal failed, or was not synced.
    if (number < first) continue;
    const path = `${folder}/${name}`;
    const damage = yield* readRecords(files, path, number === first ? offset : 0);
    if (damage) options.onDamage({ file: name, ...damage });
  }
}

async function* readRecords(
  files: FileSystem,
  path: string,
  start: number,
): AsyncGenerator<RecordBlock, Omit<QueueDamage, "file"> | undefined, undefined> {
  let offset = start;
  let length = PIECE_BYTES;
  for (;;) {
    const { size, bytes } = await files.readPart(path, { offset, length });
    const left = size - offset;
    if (left === 0) return undefined;
    if (left < 0) return { offset: size, length: 0, reason: `reading is to go on at byte ${offset}` };
    const { end, next, reason } = wholeRecords(bytes, left);
    if (end > 0) yield { bytes, end };
    offset += end;
    if (reason !== undefined) return { offset, length: size - offset, reason };
    length = Math.max(PIECE_BYTES, next);
  }
}

/**
 * Finds the end of the last whole record in the first bytes of the `left` ones, how many bytes the record after it
 * needs, and what is wrong with that one.
 */
function wholeRecords(bytes: Uint8Array, left: number): { end: number; next: number; reason?: string } {
  let end = 0;
  while (end + SIZE_LENGTH <= bytes.length) {
    const size = readI32(bytes, end);
    const next = SIZE_LENGTH + size;
    if (size < RECORD_SIZE_MIN) return { end, next, reason: `a message of ${size} bytes` };
    if (next > left - end) return { end, next, reason: `a message of ${size} bytes where the file ends` };
    if (next > bytes.length - end) return { end, next };
    end += next;
  }
  const torn = left > end && left - end < SIZE_LENGTH;
  return { end, next: SIZE_LENGTH, ...torn && { reason: "half of a message's size" } };
}
