/**
 * A ring whose other end is the test: it sees what is posted to another thread.
 *
 * @module
 */

import { Bell, bellMemory } from "../../src/net/threads/bell.ts";
import { Outbox } from "../../src/net/threads/outbox.ts";
import { ringMemory, RingReader, RingWriter } from "../../src/net/threads/ring.ts";

const CAPACITY = 1024 * 1024;

/** What was posted. */
export interface PostedRecord {
  readonly kind: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** An outbox, and what comes out of the ring that it puts records into. */
export class RecordRing {
  readonly outbox: Outbox;
  readonly bell = new Bell(bellMemory());
  readonly #reader: RingReader;

  constructor(capacity: number = CAPACITY) {
    const memory = ringMemory(capacity);
    this.#reader = new RingReader(memory);
    this.outbox = new Outbox(new RingWriter(memory), this.bell);
  }

  /** What has been posted since this was last asked; the room that it had is free then. */
  take(mostBytes = Infinity): PostedRecord[] {
    const records: PostedRecord[] = [];
    this.#reader.take((kind, id, bytes, start, end) => {
      records.push({ kind, id, payload: bytes.slice(start, end) });
    }, mostBytes);
    return records;
  }
}
