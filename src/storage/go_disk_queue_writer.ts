/**
 * Writes one of Go's disk queues (src/storage/go_disk_queue.ts), as Go's nsqd would have left it after a graceful stop.
 *
 * @module
 */

import { writeU32 } from "../protocol/frames.ts";
import type { AppendFile, FileSystem } from "./file_system.ts";
import { dataFileName, encodeQueueMeta, metaFileName, RECORD_OFFSET } from "./go_disk_queue.ts";

/** Bytes that are gathered before they are written, unless one message has more. */
const GATHERED_BYTES = 1024 * 1024;

/** A message for a disk queue. */
export interface QueueMessage {
  readonly timestampHigh: number;
  readonly timestampLow: number;
  readonly attempts: number;
  /** Its 16 bytes. */
  readonly id: Uint8Array;
  readonly body: Uint8Array;
}

/** The files of one queue, which are made with its first message. */
export class DiskQueueWriter implements Disposable {
  /** Messages that were added. */
  count = 0;
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #name: string;
  readonly #maxBytesPerFile: number;
  #gathered = new Uint8Array(0);
  #gatheredEnd = 0;
  #file: AppendFile | undefined;
  #number = 0;
  /** Bytes of the file of that number, those included that are not written yet. */
  #size = 0;

  constructor(options: { files: FileSystem; folder: string; name: string; maxBytesPerFile: number }) {
    this.#files = options.files;
    this.#folder = options.folder;
    this.#name = options.name;
    this.#maxBytesPerFile = options.maxBytesPerFile;
  }

  /** Adds a message; what it is made of may change afterwards. */
  add({ timestampHigh, timestampLow, attempts, id, body }: QueueMessage): void {
    const length = RECORD_OFFSET.body + body.length;
    if (this.#size > 0 && this.#size + length > this.#maxBytesPerFile) this.#roll();
    const at = this.#room(length);
    const out = this.#gathered;
    writeU32(out, at, length - RECORD_OFFSET.timestamp);
    writeU32(out, at + RECORD_OFFSET.timestamp, timestampHigh);
    writeU32(out, at + RECORD_OFFSET.timestamp + 4, timestampLow);
    out[at + RECORD_OFFSET.attempts] = attempts >>> 8;
    out[at + RECORD_OFFSET.attempts + 1] = attempts;
    out.set(id, at + RECORD_OFFSET.id);
    out.set(body, at + RECORD_OFFSET.body);
    this.#gatheredEnd += length;
    this.#size += length;
    this.count++;
  }

  /** Writes what is left and the metadata, and syncs the files. A queue without a message has none. */
  async finish(): Promise<void> {
    if (this.count === 0) return;
    this.#closeFile();
    const meta = {
      depth: this.count,
      read: { number: 0, offset: 0 },
      write: { number: this.#number, offset: this.#size },
    };
    this.#files.write(`${this.#folder}/${metaFileName(this.#name)}`, encodeQueueMeta(meta));
    const data = Array.from({ length: this.#number + 1 }, (_, number) => dataFileName(this.#name, number));
    for (const name of [...data, metaFileName(this.#name)]) {
      await this.#files.syncFile(`${this.#folder}/${name}`);
    }
    this.#gathered = new Uint8Array(0);
  }

  /** Ends the use of the files. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #roll(): void {
    this.#closeFile();
    this.#number++;
    this.#size = 0;
  }

  /** Where that many bytes may be put. */
  #room(length: number): number {
    if (this.#gatheredEnd + length > this.#gathered.length) {
      this.#write();
      if (length > this.#gathered.length) this.#gathered = new Uint8Array(Math.max(length, GATHERED_BYTES));
    }
    return this.#gatheredEnd;
  }

  #write(): void {
    if (this.#gatheredEnd === 0) return;
    const path = `${this.#folder}/${dataFileName(this.#name, this.#number)}`;
    this.#file ??= this.#files.openAppend(path);
    this.#file.append(this.#gathered.subarray(0, this.#gatheredEnd));
    this.#gatheredEnd = 0;
  }

  #closeFile(): void {
    this.#write();
    this[Symbol.dispose]();
  }
}
