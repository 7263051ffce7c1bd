/**
 * Reads one of Go's disk queues with the code under test.
 *
 * @module
 */

import { DENO_FILES, type FilePart } from "../../src/storage/file_system.ts";
import { findDiskQueues } from "../../src/storage/go_disk_queue.ts";
import { readQueue } from "../../src/storage/go_disk_queue_reader.ts";
import { findStart, type QueueDamage } from "../../src/storage/go_disk_queue_start.ts";
import { fillFolder, type FolderContent, goMessages, goMessagesIn, goMessageText } from "./go_data_path.ts";
import { withDataPath } from "./nsqd_in_process.ts";

/** What came of reading a queue. */
export interface QueueReading {
  readonly messages: string[];
  readonly damages: QueueDamage[];
  readonly warnings: readonly string[];
  /** What was asked of files, but for their sizes. */
  readonly asked: readonly FilePart[];
}

/** The files of queue `q` with the numbers from 0 on. */
export function dataFiles(...files: readonly Uint8Array[]): FolderContent {
  return Object.fromEntries(files.map((bytes, number) => [`q.diskqueue.00000${number}.dat`, bytes]));
}

/** The metadata of queue `q`. */
export function meta(text: string): FolderContent {
  return { "q.diskqueue.meta.dat": text };
}

/** Reads queue `q`, whose files are these after `change`. */
export async function readQ(
  content: FolderContent,
  change: (folder: string) => void = () => {},
): Promise<QueueReading> {
  const messages: string[] = [];
  const damages: QueueDamage[] = [];
  const asked: FilePart[] = [];
  let warnings: readonly string[] = [];
  await withDataPath(async (folder) => {
    fillFolder(DENO_FILES, folder, content);
    change(folder);
    const files = {
      ...DENO_FILES,
      readPart(path: string, part: FilePart) {
        asked.push(part);
        return DENO_FILES.readPart(path, part);
      },
    };
    const [queue] = findDiskQueues(DENO_FILES.list(folder).map(({ name }) => name));
    const source = { files, folder, queue };
    const start = await findStart(source);
    warnings = start.warnings;
    for await (const { bytes, end } of readQueue(source, start, (damage) => damages.push(damage))) {
      messages.push(...goMessagesIn(bytes.subarray(0, end)));
    }
  });
  return { messages, damages, warnings, asked };
}

/** One message a body, as they are read. */
export function texts(...bodies: readonly string[]): string[] {
  return goMessages(...bodies).map(goMessageText);
}
