/**
 * Takes over what Go's nsqd has left in the data path (src/storage/go_disk_queue.ts), at the first start on it. A crash
 * or a loss of power at any moment loses and doubles nothing:
 *
 * 1. All topics are made below `nsq-import.tmp/`, and synced. Go's files are not touched. A crash: begun again.
 * 2. That folder becomes `nsq-import.done/`, at once. From here on the import counts.
 * 3. Topics move out of it into the data path, and Go's files into it. A crash: what has not moved yet, does.
 * 4. When the topics are loaded and in `nsqd.dat`, it becomes `nsq-diskqueue/`, for the operator to remove.
 *
 * A topic that has messages in both forms is refused before anything is touched. Of what is in the data path only files
 * are ever moved, and links to files, which have a name that is one of Go's: never a folder, and never a link to one,
 * whatever it is called. Topics may have any name, too.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { firstPosition } from "../protocol/message_id.ts";
import { FileStores } from "./file_stores.ts";
import type { FileSystem } from "./file_system.ts";
import { type DiskQueue, findDiskQueues, isQueueFile } from "./go_disk_queue.ts";
import { readQueue } from "./go_disk_queue_reader.ts";
import { findStart, type QueueDamage, type QueueSource, type QueueStart } from "./go_disk_queue_start.ts";
import { ImportedLog } from "./go_import_log.ts";

const BUILDING = "nsq-import.tmp";
const BUILT = "nsq-import.done";
const TAKEN_OVER = "nsq-diskqueue";

/** How often a long import says how far it has come. */
const PROGRESS_INTERVAL_MS = 5000;
const MIB = 1024 * 1024;

/** What an import needs to know. */
export interface ImportOptions {
  readonly dataPath: string;
  readonly files: FileSystem;
  readonly logger: Logger;
  /** The most bytes of a segment's file. */
  readonly maxBytesPerFile: number;
  /** Now, in ms since 1970. */
  readonly nowMs: () => number;
}

/** An import that is to be finished when its topics are loaded. */
export interface Import {
  /** Topics that had a queue, or a channel with one. Some may have had no message. */
  readonly topics: ReadonlySet<string>;
  /** To be called when the topics and channels that were taken over are kept otherwise, too. */
  finish(): Promise<void>;
}

/** There was nothing to take over. */
export const NO_IMPORT: Import = { topics: new Set(), finish: () => Promise.resolve() };

/** True when there are messages in the data path, or may be, that a start of nsqd takes over first. */
export function needsImport(files: FileSystem, dataPath: string): boolean {
  return foldersIn(files, dataPath).includes(BUILT) ||
    findDiskQueues(queueFilesIn(files, dataPath)).length > 0;
}

/**
 * Takes over the queues of Go's nsqd, if there are any.
 *
 * @throws {Error} Why it cannot; everything is as it was then, or the next call goes on.
 */
export async function importDiskQueues(options: ImportOptions): Promise<Import> {
  const { dataPath, files, logger } = options;
  const folders = foldersIn(files, dataPath);
  if (folders.includes(BUILT)) {
    logger.info("NSQ: importing the queues of Go's nsqd was interrupted, going on");
    return await complete(options);
  }
  if (folders.includes(BUILDING)) files.removeFolder(`${dataPath}/${BUILDING}`);
  const queues = findDiskQueues(queueFilesIn(files, dataPath));
  if (queues.length === 0) return NO_IMPORT;
  try {
    await refuseTaken(options, queues);
    await new Builder(options, queues).build();
    files.rename(`${dataPath}/${BUILDING}`, `${dataPath}/${BUILT}`);
    await files.syncFolder(dataPath);
  } catch (cause) {
    throw new Error(`failed to import the queues of Go's nsqd - ${errorText(cause)}`, { cause });
  }
  return await complete(options);
}

/**
 * Throws for a topic that has messages in Go's files and in files of ours: which of them came first is not known. And where
 * something else has a name that the import needs.
 */
async function refuseTaken({ files, dataPath }: ImportOptions, queues: readonly DiskQueue[]): Promise<void> {
  const entries = new Map(files.list(dataPath).map(({ name, isFolder }) => [name, isFolder]));
  for (const name of [BUILDING, BUILT]) {
    if (entries.get(name) === false) throw new Error(`${dataPath}/${name} is in the way, which is no folder`);
  }
  const stores = new FileStores(dataPath, files);
  for (const queue of queues) {
    const folder = stores.folderOf(queue.topic);
    const isFolder = entries.get(folder);
    if (isFolder === undefined || isFolder && namesIn(files, `${dataPath}/${folder}`).length === 0) continue;
    if (!await hasMessages({ files, folder: dataPath, queue })) continue;
    const other = isFolder ? `in ${folder}` : `${folder}, which is no folder, is in their way`;
    throw new Error(
      `topic ${queue.topic} has messages in ${queue.name}.diskqueue.* and ${other}: move one of them, with a copy of ` +
        "nsqd.dat, to a data path of its own and start another nsqd there; nothing was changed",
    );
  }
}

async function hasMessages(source: QueueSource): Promise<boolean> {
  const { done } = await readQueue(source, await findStart(source), () => {}).next();
  return done !== true;
}

/** Step 1. */
class Builder {
  readonly #options: ImportOptions;
  readonly #queues: readonly DiskQueue[];
  readonly #folder: string;
  #count = 0;
  #bytes = 0;
  #saidMs: number;

  constructor(options: ImportOptions, queues: readonly DiskQueue[]) {
    this.#options = options;
    this.#queues = queues;
    this.#folder = `${options.dataPath}/${BUILDING}`;
    this.#saidMs = options.nowMs();
  }

  async build(): Promise<void> {
    const { files, dataPath, logger } = this.#options;
    logger.info(`NSQ: importing ${this.#queues.length} queues of Go's nsqd from ${dataPath}`);
    files.makeFolder(this.#folder);
    try {
      for (const topic of new Set(this.#queues.map(({ topic }) => topic))) await this.#buildTopic(topic);
    } catch (error) {
      this.#discard();
      throw error;
    }
    logger.info(`NSQ: imported ${this.#count} messages of Go's nsqd`);
  }

  async #buildTopic(topic: string): Promise<void> {
    const { files, maxBytesPerFile, nowMs } = this.#options;
    const store = new FileStores(this.#folder, files).open(topic);
    const log = new ImportedLog({ store, first: firstPosition(nowMs()), maxBytesPerFile });
    try {
      for (const queue of this.#queues) {
        if (queue.topic === topic) await this.#buildQueue(log, queue);
      }
      await log.finish();
    } finally {
      store.close();
    }
  }

  async #buildQueue(log: ImportedLog, queue: DiskQueue): Promise<void> {
    const { files, dataPath: folder, logger } = this.#options;
    const source = { files, folder, queue };
    const start = await findStart(source);
    const before = log.count;
    await log.begin(queue.channel, sizeOf(source, start));
    for (const warning of start.warnings) logger.warn(`DISKQUEUE(${queue.name}): ${warning}`);
    const onDamage = (damage: QueueDamage) => logger.error(`DISKQUEUE(${queue.name}): ${textOf(damage)}`);
    for await (const block of readQueue(source, start, onDamage)) {
      await log.add(block);
      this.#bytes += block.end;
      this.#sayProgress(queue, log.count - before);
    }
    const count = log.count - before;
    this.#count += count;
    logger.info(`DISKQUEUE(${queue.name}): imported ${count} messages${startText(queue, start)}`);
    const depth = start.meta?.depth ?? count;
    if (depth !== count) {
      logger.warn(`DISKQUEUE(${queue.name}): its metadata says ${depth} messages, ${count} are in its files`);
    }
  }

  #sayProgress(queue: DiskQueue, count: number): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#saidMs < PROGRESS_INTERVAL_MS) return;
    this.#saidMs = nowMs;
    const total = this.#count + count;
    this.#options.logger.info(
      `NSQ: imported ${total} messages, ${Math.round(this.#bytes / MIB)} MiB so far, now at ${queue.name}`,
    );
  }

  /** Gives the room back that a failed attempt has taken; the next start would do so, too. */
  #discard(): void {
    try {
      this.#options.files.removeFolder(this.#folder);
    } catch {
      // The error that led here is the one to be told.
    }
  }
}

/** Step 3, and what step 4 will be. */
async function complete({ dataPath, files, logger }: ImportOptions): Promise<Import> {
  const built = `${dataPath}/${BUILT}`;
  const move = async (names: readonly string[], from: string, to: string) => {
    for (const name of names) files.rename(`${from}/${name}`, `${to}/${name}`);
    // Where they are now comes first: a name that is lost in one folder must not be missing in the other.
    await files.syncFolder(to);
    await files.syncFolder(from);
  };
  await move(foldersIn(files, built), built, dataPath);
  await move(queueFilesIn(files, dataPath), dataPath, built);
  return {
    topics: new Set(findDiskQueues(queueFilesIn(files, built)).map(({ topic }) => topic)),
    async finish() {
      const folder = freeName(namesIn(files, dataPath));
      files.rename(built, `${dataPath}/${folder}`);
      await files.syncFolder(dataPath);
      logger.info(`NSQ: the files of Go's nsqd are in ${dataPath}/${folder} now, and can be removed`);
    },
  };
}

/** A name for Go's files that an earlier import has not taken. */
function freeName(names: readonly string[]): string {
  for (let number = 2, name = TAKEN_OVER;; name = `${TAKEN_OVER}.${number++}`) {
    if (!names.includes(name)) return name;
  }
}

function namesIn(files: FileSystem, folder: string): string[] {
  return files.list(folder).map(({ name }) => name);
}

function foldersIn(files: FileSystem, folder: string): string[] {
  return files.list(folder).flatMap(({ name, isFolder }) => isFolder ? [name] : []);
}

/** The names of Go's files in a folder. */
function queueFilesIn(files: FileSystem, folder: string): string[] {
  return files.list(folder)
    .filter(({ name, isFolder }) =>
      !isFolder && isQueueFile(name) && !isLinkToFolder(files, `${folder}/${name}`)
    )
    .map(({ name }) => name);
}

/** Tells of what is no folder itself, whether it leads to one. */
function isLinkToFolder(files: FileSystem, path: string): boolean {
  try {
    files.list(path);
    return true;
  } catch (error) {
    // A file; or a link to nothing: that is a file which is missing, and its reader will say so.
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.NotFound) return false;
    // Only a folder's content can be forbidden to be listed.
    if (error instanceof Deno.errors.PermissionDenied) return true;
    throw error;
  }
}

/** The bytes of the files that a queue is read from. */
function sizeOf({ files, folder }: QueueSource, { parts }: QueueStart): number {
  return parts.reduce((sum, { file }) => sum + files.readEnd(`${folder}/${file.name}`, 0).size, 0);
}

/** Where in its files a queue was read from. */
function startText({ metaFile }: DiskQueue, { parts: [first] }: QueueStart): string {
  if (!first) return "";
  const reason = metaFile === undefined ? ", because it has no metadata" : "";
  return `, from byte ${first.offset} of ${first.file.name} on${reason}`;
}

function textOf({ file, offset, length, reason }: QueueDamage): string {
  return `${file} cannot be read from byte ${offset} on, ${length} bytes are left out - ${reason}`;
}
