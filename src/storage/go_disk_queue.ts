/**
 * The files that Go's nsqd keeps messages in (nsqio/go-diskqueue; nsqd/message.go): their names, and what their bytes
 * mean. No I/O. Each topic and each channel has a queue of its own in the data path:
 *
 * ```
 *  <topic>.diskqueue.meta.dat               where reading and writing go on; as of the last sync
 *  <topic>.diskqueue.000000.dat             messages; the next file has the next number
 *  <topic>:<channel>.diskqueue.…            of a channel; on Windows with ";" for ":"
 *  ….diskqueue.000000.dat.bad               messages that Go's nsqd has given up on
 *  ….diskqueue.meta.dat.<digits>.tmp        metadata whose writing was interrupted
 *
 *  meta = "<depth>\n<number>,<offset> of the next read\n<number>,<offset> of the next write\n"
 *  data = record…
 *  record = [ size i32 ][ timestamp i64, ns ][ attempts u16 ][ id, 16 bytes ][ body ]
 * ```
 *
 * The size is that of what follows it; numbers in records are big-endian. There is no checksum. An id is 16 hexadecimal
 * digits, so bytes that are none are not where a message begins, which is all there is to tell a record by.
 *
 * What comes behind the last `.diskqueue.` has none of its own and says which of the four kinds a file is, and neither
 * ":" nor ";" is in a name. So a file belongs to one queue at most, whatever that is called: `a.diskqueue.000000.dat` may
 * be a topic as well. (Go's nsqd looks for its files by the queues that nsqd.dat names; it finds the same.) Names that are
 * only like these are not Go's.
 *
 * @module
 */

import { readI32 } from "../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import { isEphemeral, isValidChannelName, isValidTopicName } from "../protocol/names.ts";

/** Where in a record the timestamp is, and so on; the body is last. */
export const RECORD_OFFSET = { timestamp: 4, attempts: 12, id: 14, body: 14 + MESSAGE_ID_LENGTH } as const;
/** The least that a record can say its size is. */
export const RECORD_SIZE_MIN = RECORD_OFFSET.body - RECORD_OFFSET.timestamp;

/** A longer record is not believed without an id: NSQ's own limit, unless it is told another. */
const SIZE_MAX_WITHOUT_ID = RECORD_SIZE_MIN + 1024 * 1024;

const NUMBER_DIGITS = 6;
const FILE_NAME =
  /^([^:;]+)(?:[:;]([^:;]+))?\.diskqueue\.(?:(meta)\.dat|(\d{6}|[1-9]\d{6,})\.dat(\.bad)?|meta\.dat\.\d+\.tmp)$/;
/** Line ends as Go reads them: an operator may have written the file. */
const META = /^(-?\d+)\r?\n(\d+),(\d+)\r?\n(\d+),(\d+)(?:\r?\n|$)/;
/** A metadata file has fewer bytes. */
export const META_LENGTH_MAX = 128;

/** A file of messages. */
export interface DataFile {
  readonly name: string;
  readonly number: number;
}

/** The files of a topic's queue, or of a channel's. */
export interface DiskQueue {
  /** What their names begin with. */
  readonly name: string;
  readonly topic: string;
  /** Undefined for a topic's own messages. */
  readonly channel: string | undefined;
  /** Name of the file that says where reading goes on; undefined before the first sync. */
  readonly metaFile: string | undefined;
  /** By number. */
  readonly dataFiles: readonly DataFile[];
}

/** A place in a queue's files. */
export interface QueuePlace {
  readonly number: number;
  readonly offset: number;
}

/** What a queue's metadata says. */
export interface QueueMeta {
  readonly depth: number;
  readonly read: QueuePlace;
  readonly write: QueuePlace;
}

/** What the beginning of a part of a data file holds. */
export interface RecordScan {
  /** Where its last whole record ends. */
  readonly end: number;
  /** The length of the record that begins there, if that is known and it does not end there, too. */
  readonly next?: number;
  /** Why none begins there. */
  readonly reason?: string;
}

/** True for the name of any file of a disk queue, those given up on included. */
export function isQueueFile(name: string): boolean {
  return parseFileName(name) !== undefined;
}

/** The queues that files of these names belong to: by topic, the channels' before the topic's own. */
export function findDiskQueues(names: readonly string[]): DiskQueue[] {
  const queues = new Map<string, DiskQueue & { metaFile: string | undefined; dataFiles: DataFile[] }>();
  for (const name of names) {
    const file = parseFileName(name);
    if (!file || !file.isMeta && file.number === undefined) continue;
    const { queue: key, topic, channel } = file;
    const queue = queues.get(key) ?? { name: key, topic, channel, metaFile: undefined, dataFiles: [] };
    queues.set(key, queue);
    if (file.number !== undefined) queue.dataFiles.push({ name, number: file.number });
    else queue.metaFile = name;
  }
  for (const queue of queues.values()) queue.dataFiles.sort((a, b) => a.number - b.number);
  return [...queues.values()].sort(inOrder);
}

/** What the names of a queue's files begin with, on this operating system. */
export function diskQueueName(topic: string, channel?: string): string {
  if (channel === undefined) return topic;
  return topic + (Deno.build.os === "windows" ? ";" : ":") + channel;
}

/** Name of a queue's metadata file. */
export function metaFileName(queue: string): string {
  return `${queue}.diskqueue.meta.dat`;
}

/** Name of a queue's data file of that number. */
export function dataFileName(queue: string, number: number): string {
  return `${queue}.diskqueue.${String(number).padStart(NUMBER_DIGITS, "0")}.dat`;
}

/** What the bytes of a metadata file say; undefined when they are none: an interrupted write leaves an empty file. */
export function decodeQueueMeta(bytes: Uint8Array): QueueMeta | undefined {
  const numbers = META.exec(new TextDecoder().decode(bytes))?.slice(1).map(Number);
  if (!numbers?.every(Number.isSafeInteger)) return undefined;
  const [depth, readNumber, readOffset, writeNumber, writeOffset] = numbers;
  return {
    depth,
    read: { number: readNumber, offset: readOffset },
    write: { number: writeNumber, offset: writeOffset },
  };
}

/** The bytes of a metadata file. */
export function encodeQueueMeta({ depth, read, write }: QueueMeta): Uint8Array {
  const text = `${depth}\n${read.number},${read.offset}\n${write.number},${write.offset}\n`;
  return new TextEncoder().encode(text);
}

/**
 * Looks for whole records, one after the other, in the first bytes of the `left` ones that there are. Only those that end
 * by `until` count. From `proven` on it is not known that records follow one another: there each must have an id.
 */
export function scanRecords(
  bytes: Uint8Array,
  { left, until = Infinity, proven = Infinity }: {
    readonly left: number;
    readonly until?: number;
    readonly proven?: number;
  },
): RecordScan {
  let end = 0;
  while (end + RECORD_OFFSET.timestamp <= bytes.length) {
    const size = readI32(bytes, end);
    const next = RECORD_OFFSET.timestamp + size;
    if (size < RECORD_SIZE_MIN) return { end, reason: `a message of ${size} bytes` };
    if (next > left - end) return { end, reason: `a message of ${size} bytes where the file ends` };
    if (end + RECORD_OFFSET.body > bytes.length) return { end };
    if ((end >= proven || size > SIZE_MAX_WITHOUT_ID) && !hasId(bytes, end)) {
      return { end, reason: `a message of ${size} bytes without an id` };
    }
    if (next > bytes.length - end || end + next > until) return { end, next };
    end += next;
  }
  const torn = left > end && left - end < RECORD_OFFSET.timestamp;
  return { end, ...torn && { reason: "half of a message's size" } };
}

/** True when a record may begin with these bytes, as far as they go. */
export function mayBeginRecord(bytes: Uint8Array): boolean {
  if (bytes.length < RECORD_OFFSET.body) return true;
  return readI32(bytes, 0) >= RECORD_SIZE_MIN && hasId(bytes, 0);
}

function hasId(bytes: Uint8Array, record: number): boolean {
  for (let at = record + RECORD_OFFSET.id; at < record + RECORD_OFFSET.body; at++) {
    if (!isHexDigit(bytes[at])) return false;
  }
  return true;
}

/** Lower case, as Go writes them. */
function isHexDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39 || byte >= 0x61 && byte <= 0x66;
}

interface FileName {
  readonly queue: string;
  readonly topic: string;
  readonly channel: string | undefined;
  readonly isMeta: boolean;
  /** Of a data file that is to be read. */
  readonly number: number | undefined;
}

/** Undefined for what no topic and channel of NSQ's could have. */
function parseFileName(name: string): FileName | undefined {
  const [, topic, channel, meta, digits, bad] = FILE_NAME.exec(name) ?? [];
  if (topic === undefined || !isValidTopicName(topic) || isEphemeral(topic)) return undefined;
  if (channel !== undefined && (!isValidChannelName(channel) || isEphemeral(channel))) return undefined;
  return {
    queue: name.slice(0, name.lastIndexOf(".diskqueue.")),
    topic,
    channel,
    isMeta: meta !== undefined,
    number: digits === undefined || bad !== undefined ? undefined : Number(digits),
  };
}

function inOrder(a: DiskQueue, b: DiskQueue): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  if ((a.channel === undefined) !== (b.channel === undefined)) return a.channel === undefined ? 1 : -1;
  return a.name < b.name ? -1 : 1;
}
