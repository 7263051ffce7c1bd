/**
 * What a topic must know besides its segments to go on after a restart: where its channels' cursors are, and what is out of
 * order. It grows with what is in flight, deferred or requeued, and not with what lies before or behind the cursors. The
 * bytes, version 5:
 *
 * ```
 *  file    = "NSQSTA" [ version u16 ] chunk… [ 0 u32 ][ chunks u32 ]
 *  chunk   = [ length u32 ][ crc u32 of the items ] item…
 *  items   = [ distributed ][ end ][ closed end ] ranges channel… [ 0 ]
 *  ranges  = [ n ]( [ gap ][ length ] )×n
 *  channel = [ 1 ][ name's length ][ name ] ranges page… [ 0 ]
 *  page    = [ 1 ][ base ][ start ][ end ][ parked ][ next due ][ woken: due ][ woken: index + 1 ]
 *            [ n ]( [ gap ][ attempts ][ due ][ offset ][ length ] )×n [ n ]( [ gap ] )×n
 * ```
 *
 * The numbers of items are varints: seven bits a byte, the low ones first; those of the file and its chunks are
 * big-endian, the checksums CRC-32C. A gap is the distance from the end of the entry before, times are in ms. The ranges of
 * the topic are the positions that were in the store, those of a channel what its cursor has not passed. A page is as in
 * page.ts, with the messages that have slots and where their batches lie, and those that were taken out though they would be
 * parked.
 *
 * To change this format: write a new version number, keep the reader of the old one, add a golden file of the old one to
 * tests/broker/golden. What changed so far:
 *
 * - Version 4 had no messages that were taken out.
 * - Version 3 had a record of each segment and of each channel's part of it, finished ones too (topic_state_v3.ts).
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import type { DuePoint } from "../log/message_reader.ts";
import type { PositionRange } from "../log/topic_log.ts";
import { readU32, writeU32 } from "../protocol/frames.ts";
import { StateFormatError, VarintReader, VarintWriter } from "./varints.ts";
import { decodeTopicStateV3 } from "./topic_state_v3.ts";

/** A message that has a slot. */
export interface SlotState {
  /** In its segment. */
  readonly index: number;
  readonly attempts: number;
  /** When it is due, in ms since 1970; 0 is at once: it was in flight or ready again. */
  readonly dueMs: number;
  /** Where its batch lies in the segment's file; 0 bytes when that is not known. */
  readonly offset: number;
  readonly length: number;
}

/** A page. */
export interface PageState {
  /** Position of its segment. */
  readonly base: number;
  readonly start: number;
  readonly end: number;
  readonly parked: number;
  /** When the first of the parked ones is due, in ms since 1970; 0 is unknown. */
  readonly nextDueMs: number;
  readonly woken: DuePoint;
  readonly slots: readonly SlotState[];
  /** Messages that would be parked and were taken out, by index. */
  readonly taken: readonly number[];
  /** Of version 3: parked messages that are to get slots, by index. */
  readonly unparked?: readonly { readonly from: number; readonly to: number }[];
}

/** A channel's part. */
export interface ChannelState {
  readonly name: string;
  /** What the cursor has not passed. */
  readonly ranges: readonly PositionRange[];
  readonly pages: Iterable<PageState>;
}

/** A topic's state. */
export interface TopicState {
  /** Messages below are the channels', the others the topic's own. */
  readonly distributed: number;
  /** Position after the last message. */
  readonly end: number;
  /** The segments that begin before this position were closed. */
  readonly closedEnd: number;
  /** Positions that were in the store. */
  readonly stored: readonly PositionRange[];
  readonly channels: Iterable<ChannelState>;
}

const MAGIC = new TextEncoder().encode("NSQSTA");
const VERSION = 5;
/** The oldest version that is read as this one is. */
const VERSION_MIN = 4;
const HEADER_LENGTH = 8;
const CHUNK_HEADER_LENGTH = 8;
/** So long a chunk gets, more or less: what is encoded and written in one go. */
const CHUNK_LENGTH = 64 * 1024;

/** The state as bytes, in pieces: what it says of a channel's pages is asked for only when their turn comes. */
export function* encodeTopicState(state: TopicState): Generator<Uint8Array> {
  const header = new Uint8Array(HEADER_LENGTH);
  header.set(MAGIC);
  header[7] = VERSION;
  yield header;
  const out = new VarintWriter();
  let chunks = 0;
  for (const _ of putItems(out, state)) {
    if (out.length < CHUNK_LENGTH) continue;
    yield chunkOf(out);
    chunks++;
  }
  yield chunkOf(out);
  const end = new Uint8Array(CHUNK_HEADER_LENGTH);
  writeU32(end, 4, chunks + 1);
  yield end;
}

/**
 * The state in the bytes.
 *
 * @throws {StateFormatError}
 */
export function decodeTopicState(bytes: Uint8Array): TopicState {
  if (bytes.length < HEADER_LENGTH || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new StateFormatError("Not a state file");
  }
  const version = bytes[6] << 8 | bytes[7];
  if (version === 3) return decodeTopicStateV3(bytes);
  if (version < VERSION_MIN || version > VERSION) {
    throw new StateFormatError(`State file of version ${version}, this program knows ${VERSION}`);
  }
  const input = new VarintReader(itemsOf(bytes));
  const head = {
    distributed: input.take(),
    end: input.take(),
    closedEnd: input.take(),
    stored: takeRanges(input),
  };
  return { ...head, channels: input.untilZero(() => takeChannel(input, version)) };
}

/** Positions [from, to) that the topic or a channel had still to deliver, more or less: never fewer than there were. */
export function neededIn(state: TopicState, range: PositionRange): number {
  const own = overlap(range, { from: state.distributed, to: Infinity });
  let most = 0;
  for (const { ranges, pages } of state.channels) {
    let needed = overlapOf(ranges, range);
    for (const { base, start, end, slots, parked, unparked = [] } of pages) {
      for (const { from, to } of unparked) needed += overlap({ from: base + from, to: base + to }, range);
      // Deferred ones that the cursor has not come to are in its ranges.
      const passed = { from: Math.max(base + start, range.from), to: Math.min(base + end, range.to) };
      needed += Math.min(parked, Math.max(passed.to - passed.from - overlapOf(ranges, passed), 0));
      for (const { index } of slots) {
        const place = { from: base + index, to: base + index + 1 };
        if (overlap(place, range) > 0 && overlapOf(ranges, place) === 0) needed++;
      }
    }
    most = Math.max(most, needed);
  }
  return own + most;
}

function overlapOf(ranges: readonly PositionRange[], range: PositionRange): number {
  return ranges.reduce((sum, other) => sum + overlap(other, range), 0);
}

function overlap(a: PositionRange, b: PositionRange): number {
  return Math.max(Math.min(a.to, b.to) - Math.max(a.from, b.from), 0);
}

/** Puts the items one after the other, and yields where a chunk may end. */
function* putItems(out: VarintWriter, state: TopicState): Generator<void> {
  out.put(state.distributed);
  out.put(state.end);
  out.put(state.closedEnd);
  putRanges(out, state.stored);
  yield;
  for (const { name, ranges, pages } of state.channels) {
    out.put(1);
    out.putBytes(new TextEncoder().encode(name));
    putRanges(out, ranges);
    for (const page of pages) {
      putPage(out, page);
      yield;
    }
    out.put(0);
  }
  out.put(0);
}

function putPage(out: VarintWriter, page: PageState): void {
  const { base, start, end: pageEnd, parked, nextDueMs, woken, slots, taken } = page;
  out.put(1);
  out.put(base);
  out.put(start);
  out.put(pageEnd);
  out.put(parked);
  out.put(nextDueMs);
  out.put(Math.max(woken.dueMs, 0));
  out.put(woken.index + 1);
  out.put(slots.length);
  let end = 0;
  for (const { index, attempts, dueMs, offset, length } of slots) {
    out.put(index - end);
    out.put(attempts);
    out.put(dueMs);
    out.put(offset);
    out.put(length);
    end = index + 1;
  }
  out.put(taken.length);
  end = 0;
  for (const index of taken) {
    out.put(index - end);
    end = index + 1;
  }
}

function takeChannel(input: VarintReader, version: number): ChannelState {
  return {
    name: new TextDecoder().decode(input.takeBytes()),
    ranges: takeRanges(input),
    pages: input.untilZero(() => takePage(input, version)),
  };
}

function takePage(input: VarintReader, version: number): PageState {
  const page = {
    base: input.take(),
    start: input.take(),
    end: input.take(),
    parked: input.take(),
    nextDueMs: input.take(),
    woken: { dueMs: input.take(), index: input.take() - 1 },
  };
  let end = 0;
  const slots = input.list(() => {
    const index = input.takeBeyond(end);
    end = index + 1;
    return {
      index,
      attempts: input.take(),
      dueMs: input.take(),
      offset: input.take(),
      length: input.take(),
    };
  });
  if (version < 5) return { ...page, slots, taken: [] };
  end = 0;
  const taken = input.list(() => {
    const index = input.takeBeyond(end);
    end = index + 1;
    return index;
  });
  return { ...page, slots, taken };
}

function putRanges(out: VarintWriter, ranges: readonly PositionRange[]): void {
  out.put(ranges.length);
  let end = 0;
  for (const { from, to } of ranges) {
    out.put(from - end);
    out.put(to - from);
    end = to;
  }
}

function takeRanges(input: VarintReader): PositionRange[] {
  let end = 0;
  return input.list(() => {
    const from = input.takeBeyond(end);
    end = input.takeBeyond(from);
    return { from, to: end };
  });
}

/** What has been put, as a chunk; the next begins. */
function chunkOf(out: VarintWriter): Uint8Array {
  const items = out.takeAll();
  const chunk = new Uint8Array(CHUNK_HEADER_LENGTH + items.length);
  chunk.set(items, CHUNK_HEADER_LENGTH);
  writeU32(chunk, 0, items.length);
  writeU32(chunk, 4, crc32c(items));
  return chunk;
}

/** The items of all chunks. */
function itemsOf(bytes: Uint8Array): Uint8Array {
  const items = new Uint8Array(bytes.length);
  let length = 0;
  let chunks = 0;
  for (let at = HEADER_LENGTH; at + CHUNK_HEADER_LENGTH <= bytes.length;) {
    const start = at + CHUNK_HEADER_LENGTH;
    const end = start + readU32(bytes, at);
    const check = readU32(bytes, at + 4);
    if (end === start) {
      if (check !== chunks || end !== bytes.length) throw new StateFormatError("State file without an end");
      return items.subarray(0, length);
    }
    if (end > bytes.length || crc32c(bytes, start, end) !== check) {
      throw new StateFormatError("Wrong checksum");
    }
    items.set(bytes.subarray(start, end), length);
    length += end - start;
    chunks++;
    at = end;
  }
  throw new StateFormatError("State file ends too early");
}
