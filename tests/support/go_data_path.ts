/**
 * Data paths as Go's nsqd leaves them, and what data paths hold, theirs and ours. Written apart from src/storage, so
 * that a mistake there is not made here too.
 *
 * @module
 */

import { Segment } from "../../src/log/segment.ts";
import type { PositionRange } from "../../src/log/topic_log.ts";
import { decodeTopicState } from "../../src/broker/topic_state.ts";
import { FileStores } from "../../src/storage/file_stores.ts";
import type { FileSystem } from "../../src/storage/file_system.ts";
import { bytesOf, i32, join, textOf } from "./frames.ts";

/** A message in one of Go's queues; text and bodies are byte strings. */
export interface GoMessage {
  readonly body: string;
  readonly id?: string;
  readonly attempts?: number;
  readonly timestampNs?: bigint;
}

/** What is said of a message by {@linkcode goMessageText} unless it says otherwise. */
const USUAL = { id: "18a46c1097e69000", attempts: 0, timestampNs: 1_795_357_164_903_014_972n } as const;

/** Messages with these bodies, each with an id and a timestamp of its own. */
export function goMessages(...bodies: readonly string[]): GoMessage[] {
  return bodies.map((body, i) => ({
    body,
    id: (0x18a46c1097e69000n + BigInt(i)).toString(16),
    timestampNs: USUAL.timestampNs + BigInt(i),
  }));
}

/** What there is to know of a message, in a line. */
export function goMessageText(message: GoMessage): string {
  const { id, attempts, timestampNs, body } = { ...USUAL, ...message };
  return `${id} ${attempts} ${timestampNs} ${body}`;
}

/** A data file of these messages. */
export function goRecords(messages: readonly GoMessage[]): Uint8Array<ArrayBuffer> {
  return join(...messages.map((message) => {
    const { id, attempts, timestampNs, body } = { ...USUAL, ...message };
    const head = new Uint8Array(10);
    const view = new DataView(head.buffer);
    view.setBigInt64(0, timestampNs);
    view.setUint16(8, attempts);
    return join(i32(26 + body.length), head, id, body);
  }));
}

/** The messages of a data file. */
export function goMessagesIn(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; at += 4 + view.getInt32(at)) {
    messages.push(goMessageText({
      timestampNs: view.getBigInt64(at + 4),
      attempts: view.getUint16(at + 12),
      id: textOf(bytes.subarray(at + 14, at + 30)),
      body: textOf(bytes.subarray(at + 30, at + 4 + view.getInt32(at))),
    }));
  }
  return messages;
}

/** Files by name. */
export type FolderContent = Readonly<Record<string, string | Uint8Array>>;

/** A queue that Go's nsqd has written and closed: one data file, nothing of it read. */
export function goQueue(name: string, ...bodies: readonly string[]): FolderContent {
  const data = goRecords(goMessages(...bodies));
  return {
    [`${name}.diskqueue.000000.dat`]: data,
    [`${name}.diskqueue.meta.dat`]: `${bodies.length}\n0,0\n0,${data.length}\n`,
  };
}

/** `nsqd.dat` that names these topics with their channels. */
export function goMetadata(topics: Readonly<Record<string, readonly string[]>>): FolderContent {
  const list = Object.entries(topics).map(([name, channels]) => ({
    name,
    paused: false,
    channels: channels.map((name) => ({ name, paused: false })),
  }));
  return { "nsqd.dat": JSON.stringify({ topics: list, version: "1.3.0" }) };
}

/** Writes files into a folder. */
export function fillFolder(files: FileSystem, folder: string, content: FolderContent): void {
  for (const [name, data] of Object.entries(content)) files.write(`${folder}/${name}`, bytesOf(data));
}

/** The names in a folder, sorted, those of folders with a slash behind. */
export function namesIn(files: FileSystem, folder: string): string[] {
  return files.list(folder).map(({ name, isFolder }) => isFolder ? `${name}/` : name).sort();
}

/**
 * The messages that our data path holds, by `topic` or `topic:channel` of whom they are: what nsqd would deliver, the
 * attempts as they were before that.
 */
export function messagesIn(files: FileSystem, dataPath: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const topic of new FileStores(dataPath, files).names()) {
    const store = new FileStores(dataPath, files).open(topic);
    const { distributed, channels } = decodeTopicState(store.readState() ?? new Uint8Array());
    const cursors = [...channels];
    for (const { base } of store.list()) {
      const segment = new Segment({ base, capacityBytes: 0, stored: true });
      const damages = segment.restore(store.readSync(base));
      if (damages.length > 0) throw new Error(`Segment ${base} of ${topic} is damaged: ${damages[0].reason}`);
      const has = (ranges: readonly PositionRange[]) =>
        ranges.some(({ from, to }) => from <= base && segment.end <= to);
      const owners = base >= distributed
        ? [topic]
        : cursors.filter(({ ranges }) => has(ranges)).map(({ name }) => `${topic}:${name}`);
      for (const owner of owners) {
        (found[owner] ??= []).push(
          ...Array.from({ length: segment.count }, (_, index) => textOfMessage(segment, index)),
        );
      }
    }
    store.close();
  }
  return found;
}

function textOfMessage(segment: Segment, index: number): string {
  const { bytes } = segment;
  const idAt = segment.foreignId(index);
  const bodyAt = segment.bodyOffset(index);
  return goMessageText({
    id: textOf(bytes.subarray(idAt, idAt + 16)),
    attempts: segment.earlierAttempts(index),
    timestampNs: BigInt(segment.timestampHigh(index)) << 32n | BigInt(segment.timestampLow(index)),
    body: textOf(bytes.subarray(bodyAt, bodyAt + segment.bodyLength(index))),
  });
}
