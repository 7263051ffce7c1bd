/**
 * Makes a topic's log out of the messages of Go's disk queues. Each queue becomes a run of segments of its own: the
 * channels' first, then the topic's, with `distributed` between them. So the log holds a message as often as the queues
 * did, and a channel's cursor has its own run before it and has passed the others'.
 *
 * Ids, timestamps and attempts stay what they were: a message's `origin` in the log. One segment is in memory at a time.
 *
 * @module
 */

import { Segment, SEGMENT_BYTES_MAX } from "../log/segment.ts";
import { type ChannelState, encodeTopicState } from "../broker/topic_state.ts";
import {
  ATTRIBUTE,
  ATTRIBUTE_HEADER_LENGTH,
  ORIGIN_ATTRIBUTE_LENGTH,
  ORIGIN_LENGTH,
  writeAttribute,
} from "../log/segment_image.ts";
import type { SegmentStore } from "../log/segment_store.ts";
import type { PositionRange } from "../log/topic_log.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import { RECORD_OFFSET } from "./go_disk_queue.ts";
import type { RecordBlock } from "./go_disk_queue_reader.ts";

/** A segment has at most that many times the bytes of the data file that its messages come from. */
const GROWTH_MAX = 2;

/** A segment that was written. */
interface WrittenSegment {
  readonly base: number;
  readonly count: number;
  /** Whose run it is in; undefined is the topic's. */
  readonly channel: string | undefined;
}

/** A log that is being made in an empty store. */
export class ImportedLog {
  readonly #store: SegmentStore;
  readonly #bytesMax: number;
  readonly #segments: WrittenSegment[] = [];
  #active: Segment | undefined;
  #end: number;
  #channel: string | undefined;
  #sizeHint = 0;
  /** The attribute that a message's origin is. */
  readonly #origin = new Uint8Array(ORIGIN_ATTRIBUTE_LENGTH);
  /** A message as the log has it: its size and its body. */
  #message = new Uint8Array(0);

  /** `first` is the position that the log begins at. */
  constructor(options: { store: SegmentStore; first: number; maxBytesPerFile: number }) {
    this.#store = options.store;
    this.#end = options.first;
    this.#bytesMax = Math.min(SEGMENT_BYTES_MAX, options.maxBytesPerFile);
    writeAttribute(this.#origin, 0, ATTRIBUTE.origin, ORIGIN_LENGTH);
  }

  /** Messages that were added. */
  get count(): number {
    return this.#segments.reduce((sum, { count }) => sum + count, this.#active?.count ?? 0);
  }

  /** Begins the run of a queue of about that many bytes: a channel's, or the topic's own, which must be the last. */
  async begin(channel: string | undefined, sizeBytes: number): Promise<void> {
    await this.#write();
    this.#channel = channel;
    this.#sizeHint = Segment.capacityFor(GROWTH_MAX * sizeBytes, ORIGIN_ATTRIBUTE_LENGTH);
  }

  /** Adds messages of that queue. */
  async add({ bytes, end }: RecordBlock): Promise<void> {
    for (let at = 0; at < end;) {
      const length = RECORD_OFFSET.timestamp + readU32(bytes, at);
      const size = 4 + length - RECORD_OFFSET.body;
      const segment = this.#active?.fits(1, size, ORIGIN_ATTRIBUTE_LENGTH)
        ? this.#active
        : await this.#next(size);
      this.#append(segment, bytes.subarray(at, at + length));
      at += length;
    }
  }

  /** Writes what is left, and the state. Everything survives a loss of power then. */
  async finish(): Promise<void> {
    await this.#write();
    if (this.#segments.length > 0) await this.#store.writeState(this.#state());
  }

  async #next(size: number): Promise<Segment> {
    await this.#write();
    const capacityBytes = Math.max(
      Math.min(this.#sizeHint, this.#bytesMax),
      Segment.capacityFor(size, ORIGIN_ATTRIBUTE_LENGTH),
    );
    return this.#active = new Segment({ base: this.#end, capacityBytes, stored: true });
  }

  #append(segment: Segment, record: Uint8Array): void {
    const body = record.subarray(RECORD_OFFSET.body);
    if (4 + body.length > this.#message.length) this.#message = new Uint8Array(2 * (4 + body.length));
    writeU32(this.#message, 0, body.length);
    this.#message.set(body, 4);
    const attempts = record.subarray(RECORD_OFFSET.attempts, RECORD_OFFSET.id);
    this.#origin.set(record.subarray(RECORD_OFFSET.id, RECORD_OFFSET.body), ATTRIBUTE_HEADER_LENGTH);
    this.#origin.set(attempts, ATTRIBUTE_HEADER_LENGTH + MESSAGE_ID_LENGTH);
    segment.append(this.#message, 0, 4 + body.length, {
      count: 1,
      timestamp: {
        high: readU32(record, RECORD_OFFSET.timestamp),
        low: readU32(record, RECORD_OFFSET.timestamp + 4),
      },
      dueMs: 0,
      attributes: this.#origin,
    });
    this.#end = segment.end;
  }

  /** Ends the segment that messages are added to. */
  async #write(): Promise<void> {
    const segment = this.#active;
    if (!segment) return;
    this.#active = undefined;
    segment.close();
    this.#store.append(segment.base, segment.unwritten());
    this.#segments.push({ base: segment.base, count: segment.count, channel: this.#channel });
    segment.evict();
    // One by one, so that a huge import does not fill the machine's memory with what is to be written.
    await this.#store.sync();
  }

  async *#state(): AsyncGenerator<Uint8Array> {
    const own = this.#segments.find(({ channel }) => channel === undefined);
    const runs = new Map<string, PositionRange>();
    for (const { base, count, channel } of this.#segments) {
      if (channel !== undefined) {
        runs.set(channel, { from: runs.get(channel)?.from ?? base, to: base + count });
      }
    }
    yield* encodeTopicState({
      distributed: own?.base ?? this.#end,
      end: this.#end,
      closedEnd: this.#end,
      stored: [{ from: this.#segments[0].base, to: this.#end }],
      channels: [...runs].map(([name, run]): ChannelState => ({ name, ranges: [run], pages: [] })),
    });
  }
}
