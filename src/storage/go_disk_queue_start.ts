/**
 * Where reading one of Go's disk queues (src/storage/go_disk_queue.ts) goes on: where its metadata says, if that can be.
 * Faults of Go's nsqd leave positions that are inside a record, or of other files (nsqio/go-diskqueue#28,
 * nsqio/nsq#1514). Nothing marks a record's beginning, but a file begins with one, and each leads to the next:
 *
 * - A position that the file's records lead to is right.
 * - From one that is inside a record reading goes back to where that one begins. A message has been read when the
 *   position is behind all of it; this one may not have been, and twice is better than never.
 * - When the records before it lead nowhere (they have been read, and may be damaged), or past it to where none begins,
 *   it is right if a message's id is where one would be.
 * - Else no beginning is known, and the file is left out.
 *
 * Metadata that contradicts itself or the files is worth nothing: everything is read, as without it.
 *
 * @module
 */

import type { FileSystem } from "./file_system.ts";
import {
  type DataFile,
  decodeQueueMeta,
  type DiskQueue,
  mayBeginRecord,
  META_LENGTH_MAX,
  type QueueMeta,
  type QueuePlace,
  RECORD_OFFSET,
  scanRecords,
} from "./go_disk_queue.ts";

/** Bytes of a data file that are read at a time, unless one message has more. */
export const PIECE_BYTES = 1024 * 1024;

/** A queue to be read. */
export interface QueueSource {
  readonly files: FileSystem;
  readonly folder: string;
  readonly queue: DiskQueue;
}

/** What is to be read of a data file. */
export interface QueuePart {
  readonly file: DataFile;
  readonly offset: number;
  /** From there on it is not known that records follow one another: Go's nsqd may have left a torn one. */
  readonly proven: number;
}

/** From `offset` on a data file cannot be read: where the next record would begin is not known. */
export interface QueueDamage {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

/** Where reading goes on. */
export interface QueueStart {
  /** What the queue's metadata says, if it can be read. */
  readonly meta: QueueMeta | undefined;
  /** In their order. */
  readonly parts: readonly QueuePart[];
  /** What is odd, for the log. */
  readonly warnings: readonly string[];
  /** Why the file is not among the parts that reading was to go on in. */
  readonly damage: QueueDamage | undefined;
}

/** Finds out where reading goes on. Nothing is written. */
export async function findStart(source: QueueSource): Promise<QueueStart> {
  const { metaFile, dataFiles } = source.queue;
  if (metaFile === undefined) return everything(dataFiles);
  const meta = decodeQueueMeta(await readAt(source, metaFile, { offset: 0, length: META_LENGTH_MAX }));
  const doubt = meta ? doubtOf(meta, source) : "it does not have the form";
  if (!meta || doubt !== undefined) {
    return { ...everything(dataFiles, `its metadata cannot be right, everything is taken: ${doubt}`), meta };
  }
  const parts = dataFiles.filter(({ number }) => number >= meta.read.number).map((file) => ({
    file,
    offset: 0,
    proven: file.number === meta.write.number ? meta.write.offset : Infinity,
  }));
  const warnings = [
    ...leftOut(dataFiles.slice(0, dataFiles.length - parts.length)),
    ...missing(parts, meta.read.number),
  ];
  const [first, ...others] = parts;
  if (first?.file.number !== meta.read.number) return { meta, parts, warnings, damage: undefined };
  const found = await locate(source, first.file.name, meta.read.offset);
  if ("reason" in found) return { meta, parts: others, warnings, damage: found };
  if (found.warning !== undefined) warnings.push(found.warning);
  const proven = Math.min(first.proven, found.proven);
  return {
    meta,
    parts: [{ ...first, offset: found.offset, proven }, ...others],
    warnings,
    damage: undefined,
  };
}

function everything(dataFiles: readonly DataFile[], ...warnings: string[]): QueueStart {
  const parts = dataFiles.map((file) => ({ file, offset: 0, proven: Infinity }));
  return { meta: undefined, parts, warnings: [...warnings, ...missing(parts)], damage: undefined };
}

/** Why the metadata cannot be of these files. */
function doubtOf({ read, write }: QueueMeta, { files, folder, queue }: QueueSource): string | undefined {
  if (isBehind(read, write)) {
    return `reading is at ${textOf(read)}, behind writing at ${textOf(write)}`;
  }
  const { dataFiles } = queue;
  const last = dataFiles.at(-1);
  if (last && last.number < read.number) {
    return `reading is at ${textOf(read)}, behind the last file, ${last.name}`;
  }
  const name = dataFiles.find(({ number }) => number === read.number)?.name;
  if (name === undefined) return undefined;
  const { size } = files.readEnd(`${folder}/${name}`, 0);
  return read.offset > size ? `reading is at byte ${read.offset} of ${name}, which has ${size}` : undefined;
}

/** What is said of files before the one that reading goes on in. Their removal failed, or was not synced. */
function leftOut(older: readonly DataFile[]): string[] {
  if (older.length === 0) return [];
  return [
    `${older.length} files are left out, from ${
      older[0].name
    } on: its metadata says that they have been read`,
  ];
}

/** What is said of files that somebody has removed, or that the disk has lost. */
function missing(parts: readonly QueuePart[], first = parts[0]?.file.number): string[] {
  let next = first;
  return parts.flatMap(({ file: { name, number } }) => {
    const count = number - next;
    next = number + 1;
    return count > 0 ? [`${count} files are missing, right before ${name}`] : [];
  });
}

/** A place to begin, and from where on it is not known that records follow one another. */
interface Beginning {
  readonly offset: number;
  readonly proven: number;
  readonly warning?: string;
}

/** Finds the record to begin with in the file that reading goes on in at `position`, which it reaches to. */
async function locate(source: QueueSource, name: string, position: number): Promise<Beginning | QueueDamage> {
  const { size } = source.files.readEnd(`${source.folder}/${name}`, 0);
  if (position === 0 || position === size) return { offset: position, proven: Infinity };
  const way = await follow(source, name, { to: position, proven: 0 });
  if (way.offset === position) return { offset: position, proven: Infinity };
  const isHead = size - position >= RECORD_OFFSET.body && await mayBegin(source, name, position);
  if (way.end !== undefined && (!isHead || await mayBegin(source, name, way.end))) {
    const warning = `reading is to go on at byte ${position} of ${name}, inside a message: ` +
      `it goes on with all of that one, at byte ${way.offset}`;
    return { offset: way.offset, proven: Infinity, warning };
  }
  if (isHead) return { offset: position, proven: position };
  // Records without ids are Go's only if two witnesses agree.
  const { offset } = await follow(source, name, { to: position, proven: Infinity });
  if (offset === position) return { offset: position, proven: Infinity };
  const reason = `none begins there, and before it is ${way.reason} at byte ${way.offset}`;
  return { file: name, offset: position, length: size - position, reason };
}

/** Where following records has led: to the place, to a record that ends behind it, or to where it went wrong. */
interface Way {
  readonly offset: number;
  readonly end?: number;
  readonly reason?: string;
}

/** Follows the records of a file from its beginning on. */
async function follow(
  source: QueueSource,
  name: string,
  { to, proven }: { readonly to: number; readonly proven: number },
): Promise<Way> {
  const path = `${source.folder}/${name}`;
  let offset = 0;
  while (offset < to) {
    const { size, bytes } = await source.files.readPart(path, { offset, length: PIECE_BYTES });
    const scan = scanRecords(bytes, { left: size - offset, until: to - offset, proven });
    offset += scan.end;
    if (scan.reason !== undefined) return { offset, reason: scan.reason };
    if (scan.next === undefined) continue;
    const end = offset + scan.next;
    if (end > to) return { offset, end };
    offset = end;
  }
  return { offset };
}

async function mayBegin(source: QueueSource, name: string, offset: number): Promise<boolean> {
  return mayBeginRecord(await readAt(source, name, { offset, length: RECORD_OFFSET.body }));
}

async function readAt(
  { files, folder }: QueueSource,
  name: string,
  part: { readonly offset: number; readonly length: number },
): Promise<Uint8Array> {
  return (await files.readPart(`${folder}/${name}`, part)).bytes;
}

function isBehind(a: QueuePlace, b: QueuePlace): boolean {
  return a.number > b.number || a.number === b.number && a.offset > b.offset;
}

function textOf({ number, offset }: QueuePlace): string {
  return `${number},${offset}`;
}
