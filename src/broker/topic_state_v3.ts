/**
 * Reads a topic's state of version 3:
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
 * It had a record of each segment and of each channel's part of it; in segments without one every message waits. Parked
 * messages were listed one by one: they get slots now.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { NOTHING_DUE } from "../log/message_reader.ts";
import type { PositionRange } from "../log/topic_log.ts";
import { readU32 } from "../protocol/frames.ts";
import type { ChannelState, PageState, SlotState, TopicState } from "./topic_state.ts";
import { StateFormatError, VarintReader } from "./varints.ts";

const HEADER_LENGTH = 12;

/** Messages [from, to) of a segment. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** What was saved of a channel's part of a segment. */
interface PageRecord {
  readonly finished: readonly Range[];
  readonly parked: readonly Range[];
  /** When the first of them is due, in ms. */
  readonly parkedDueMs: number;
  readonly slots: readonly SlotState[];
}

/**
 * The state in the bytes.
 *
 * @throws {StateFormatError}
 */
export function decodeTopicStateV3(bytes: Uint8Array): TopicState {
  if (bytes.length < HEADER_LENGTH || readU32(bytes, 8) !== crc32c(bytes, HEADER_LENGTH)) {
    throw new StateFormatError("Wrong checksum");
  }
  const input = new VarintReader(bytes, HEADER_LENGTH);
  const first = input.take();
  const distributed = input.take();
  const end = input.take();
  let last: PositionRange = { from: 0, to: 0 };
  const segments = input.list((): PositionRange => {
    const from = input.takeBeyond(last.from);
    if (from < last.to) throw new StateFormatError("Segments that overlap");
    return last = { from, to: input.takeBeyond(from) };
  }).filter(({ to }) => to > first);
  const channels = input.list((): ChannelState => {
    const name = new TextDecoder().decode(input.takeBytes());
    const records = new Map(input.list(() => [input.take(), takeRecord(input.takeBytes())] as const));
    return {
      name,
      ranges: rangesOf(segments, records, distributed),
      pages: [...records].flatMap(([base, record]) => pageOf(base, record)),
    };
  });
  // Whether a segment had been closed was not said.
  return { distributed, end, closedEnd: 0, stored: segments, channels };
}

function takeRecord(bytes: Uint8Array): PageRecord {
  const input = new VarintReader(bytes);
  const ranges = () => {
    let end = 0;
    return input.list((): Range => {
      const from = input.takeBeyond(end);
      end = input.takeBeyond(from);
      return { from, to: end };
    });
  };
  const finished = ranges();
  const parked = ranges();
  const parkedDueMs = input.take();
  let end = 0;
  const slots = input.list((): SlotState => {
    const index = input.takeBeyond(end);
    end = index + 1;
    return { index, attempts: input.take(), dueMs: input.take(), offset: 0, length: 0 };
  });
  return { finished, parked, parkedDueMs, slots };
}

/** What waits: in each segment all that its record does not speak of. */
function rangesOf(
  segments: readonly PositionRange[],
  records: ReadonlyMap<number, PageRecord>,
  distributed: number,
): PositionRange[] {
  const waiting: PositionRange[] = [];
  for (const { from: base, to } of segments) {
    const end = Math.min(to, distributed);
    const { finished = [], parked = [], slots = [] } = records.get(base) ?? {};
    const others = [...finished, ...parked, ...slots.map(({ index }) => ({ from: index, to: index + 1 }))]
      .sort((a, b) => a.from - b.from);
    let at = base;
    for (const other of [...others, { from: end - base, to: end - base }]) {
      const to = Math.min(base + other.from, end);
      if (at < to) waiting.push({ from: at, to });
      at = Math.max(at, base + other.to);
    }
  }
  return joined(waiting);
}

function joined(ranges: readonly PositionRange[]): PositionRange[] {
  const result: PositionRange[] = [];
  for (const range of ranges) {
    const last = result.at(-1);
    if (last?.to === range.from) result[result.length - 1] = { from: last.from, to: range.to };
    else result.push(range);
  }
  return result;
}

function pageOf(base: number, { parked, parkedDueMs: nextDueMs, slots }: PageRecord): PageState[] {
  if (parked.length === 0 && slots.length === 0) return [];
  return [{
    base,
    start: 0,
    end: 0,
    parked: 0,
    nextDueMs,
    woken: NOTHING_DUE,
    taken: [],
    slots,
    unparked: parked,
  }];
}
