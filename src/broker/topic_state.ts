/**
 * What a topic must know besides its segments to go on after a restart, and the bytes it is saved as:
 *
 * ```
 *  "NSQSTA" [ version u16 ][ crc u32 of what follows ]
 *  [ first ][ distributed ][ end ][ segments ][ channels ]
 *  segment = [ distance from the one before ][ messages ]
 *  channel = [ name's length ][ name ][ pages ] page…
 *  page    = [ base ][ record's length ] record
 *  record  = [ n ]( [ gap ][ length ] )×n                                        finished messages
 *            [ n ]( [ gap ][ length ] )×n [ earliest due, ms ]                   parked messages
 *            [ n ]( [ gap ][ attempts ][ due, ms ] )×n                           outstanding messages
 * ```
 *
 * The version and the checksum (CRC-32C) are big-endian, every other number is a varint: seven bits a byte, the low
 * ones first. A gap is the distance from the end of the entry before. So what costs many bytes is rare: a message that
 * is finished or deferred out of order. A page is as long as a channel's view of one segment; it changes seldom, and
 * is encoded once for every change.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { crc32c } from "../base/crc32c.ts";

/** Messages [from, to) of a segment, by index. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A message that was delivered, or requeued, and is not finished. */
export interface OutstandingState {
  readonly index: number;
  readonly attempts: number;
  /** When it is due; 0 is at once: it was in flight or ready again. */
  readonly dueMs: number;
}

/** What became of a segment's messages in one channel; the others wait. */
export interface PageState {
  /** By index, as all the lists here. */
  readonly finished: readonly Range[];
  /** Deferred when they were published: their segment says until when. */
  readonly parked: readonly Range[];
  /** When the first of the parked ones is due. */
  readonly parkedDueMs: number;
  readonly outstanding: readonly OutstandingState[];
}

/** A segment that the store has. */
export interface SegmentRecord {
  readonly base: number;
  /** Messages, finished ones too. */
  readonly count: number;
}

/** A page's record, by the position of its segment. */
export interface PageRecord {
  readonly base: number;
  readonly bytes: Uint8Array;
}

/** A channel's part. */
export interface ChannelState {
  readonly name: string;
  /** In the segments without a page every message waits. */
  readonly pages: readonly PageRecord[];
}

/** A topic's state. */
export interface TopicState {
  /** What lies before it is finished, even when the store still has it. */
  readonly first: number;
  /** Messages below are the channels', the others the topic's own. */
  readonly distributed: number;
  /** Position after the last message. */
  readonly end: number;
  /** By position. One that is not in the store any more is finished, or was removed by somebody else. */
  readonly segments: readonly SegmentRecord[];
  readonly channels: readonly ChannelState[];
}

/** The saved state cannot be read. */
export class StateFormatError extends Error {
  override readonly name = "StateFormatError";
}

const MAGIC = new TextEncoder().encode("NSQSTA");
const VERSION = 3;
const HEADER_LENGTH = 12;
/** The most bytes of a varint of 53 bits. */
const VARINT_LENGTH_MAX = 8;

/** The state as bytes. */
export function encodeTopicState(state: TopicState): Uint8Array<ArrayBuffer> {
  const out = new VarintWriter();
  out.put(state.first);
  out.put(state.distributed);
  out.put(state.end);
  out.put(state.segments.length);
  let last = 0;
  for (const { base, count } of state.segments) {
    out.put(base - last);
    out.put(count);
    last = base;
  }
  out.put(state.channels.length);
  for (const channel of state.channels) {
    out.putBytes(new TextEncoder().encode(channel.name));
    out.put(channel.pages.length);
    for (const page of channel.pages) {
      out.put(page.base);
      out.putBytes(page.bytes);
    }
  }
  const header = new Uint8Array(HEADER_LENGTH);
  header.set(MAGIC);
  const bytes = concat([header, out.bytes]);
  const view = new DataView(bytes.buffer);
  view.setUint16(6, VERSION);
  view.setUint32(8, crc32c(bytes, HEADER_LENGTH));
  return bytes;
}

/**
 * The state in the bytes.
 *
 * @throws {StateFormatError}
 */
export function decodeTopicState(bytes: Uint8Array): TopicState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_LENGTH || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new StateFormatError("Not a state file");
  }
  if (view.getUint16(6) !== VERSION) {
    throw new StateFormatError(`State file of version ${view.getUint16(6)}, this program knows ${VERSION}`);
  }
  if (view.getUint32(8) !== crc32c(bytes, HEADER_LENGTH)) throw new StateFormatError("Wrong checksum");
  const input = new VarintReader(bytes, HEADER_LENGTH);
  let base = 0;
  return {
    first: input.take(),
    distributed: input.take(),
    end: input.take(),
    segments: input.list(() => ({ base: base += input.take(), count: input.take() })),
    channels: input.list(() => ({
      name: new TextDecoder().decode(input.takeBytes()),
      pages: input.list(() => ({ base: input.take(), bytes: input.takeBytes() })),
    })),
  };
}

/** A page's record. */
export function encodePage(page: PageState): Uint8Array {
  const out = new VarintWriter();
  for (const ranges of [page.finished, page.parked]) {
    out.put(ranges.length);
    let end = 0;
    for (const { from, to } of ranges) {
      out.put(from - end);
      out.put(to - from);
      end = to;
    }
  }
  out.put(page.parkedDueMs);
  out.put(page.outstanding.length);
  let end = 0;
  for (const { index, attempts, dueMs } of page.outstanding) {
    out.put(index - end);
    out.put(attempts);
    out.put(dueMs);
    end = index + 1;
  }
  return out.bytes.slice();
}

/** The record of a page of which all `count` messages are finished. */
export function encodeFinishedPage(count: number): Uint8Array {
  return encodePage({ finished: [{ from: 0, to: count }], parked: [], parkedDueMs: 0, outstanding: [] });
}

/** What a page's record says. */
export function decodePage(bytes: Uint8Array): PageState {
  const input = new VarintReader(bytes, 0);
  const ranges = () => {
    let end = 0;
    return input.list((): Range => {
      const from = end + input.take();
      end = from + input.take();
      return { from, to: end };
    });
  };
  const finished = ranges();
  const parked = ranges();
  const parkedDueMs = input.take();
  let end = 0;
  const outstanding = input.list((): OutstandingState => {
    const index = end + input.take();
    end = index + 1;
    return { index, attempts: input.take(), dueMs: input.take() };
  });
  return { finished, parked, parkedDueMs, outstanding };
}

/** Whole numbers of up to 53 bits; fractions are rounded up. */
class VarintWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  put(value: number): void {
    this.#reserve(VARINT_LENGTH_MAX);
    let left = Math.ceil(value);
    while (left >= 128) {
      this.#bytes[this.#length++] = left % 128 | 128;
      left = Math.floor(left / 128);
    }
    this.#bytes[this.#length++] = left;
  }

  /** A length, and that many bytes. */
  putBytes(bytes: Uint8Array): void {
    this.put(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, needed));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Reads what a {@linkcode VarintWriter} wrote; the checksum has been looked at before. */
class VarintReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  take(): number {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new StateFormatError("State file ends too early");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  takeBytes(): Uint8Array {
    const length = this.take();
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new StateFormatError("State file ends too early");
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  list<T>(one: () => T): T[] {
    return Array.from({ length: this.take() }, one);
  }
}
