/**
 * Reads single messages, and what is due next, out of a log's stored segments, without the segments: what is read is in
 * proportion to what is wanted. What is not where it was said to be (the segment was rewritten meanwhile, or is damaged)
 * is left out; whoever wants it has the segment read as a whole, which finds and tells what is wrong.
 *
 * @module
 */

import type { Budget } from "../base/budget.ts";
import { readU32 } from "../protocol/frames.ts";
import { Segment } from "./segment.ts";
import {
  BATCH_HEADER_LENGTH,
  BatchReader,
  type DueEntry,
  type DueIndex,
  INDEX_ENTRIES_MAX,
  indexBlock,
  KIND,
  readIndexBlock,
  SEGMENT_HEADER_LENGTH,
} from "./segment_image.ts";
import type { SegmentStore } from "./segment_store.ts";

/** Bytes that are read at once of batches in a row, unless a single one is longer. */
const CHUNK_BYTES = 256 * 1024;
/** The most bytes that are read at once for several messages. */
const SPAN_BYTES_MAX = 1024 * 1024;
/** Messages are read together when that is not more than so many times their own bytes. */
const SPAN_FACTOR = 4;

/** Where a message is. */
export interface MessagePlace {
  readonly position: number;
  /** Of its segment. */
  readonly base: number;
  /** Where its batch lies in the segment's file. */
  readonly offset: number;
  readonly length: number;
}

/** A moment in the order of what is due: entries at it and before have been seen. */
export interface DuePoint {
  readonly dueMs: number;
  /** Of the message in its segment. */
  readonly index: number;
}

/** Before everything. */
export const NOTHING_DUE: DuePoint = { dueMs: -Infinity, index: -1 };

/** True when what is due at `dueMs`, with that index, has not been seen at the point. */
export function isAfter({ dueMs, index }: DuePoint, point: DuePoint): boolean {
  return dueMs > point.dueMs || dueMs === point.dueMs && index > point.index;
}

/** A batch, read on its own. */
export interface ReadBatch {
  /** Its messages. */
  readonly segment: Segment;
  /** Where it lies in its segment's file. */
  readonly offset: number;
  readonly length: number;
}

/** Batches in a row. */
export interface ReadBatches {
  readonly batches: readonly ReadBatch[];
  /** What follows is not whole, or cannot be read. */
  readonly isBroken: boolean;
}

/** Bytes in a row that have several messages. */
interface Span {
  readonly base: number;
  readonly offset: number;
  end: number;
  /** Bytes of the messages alone. */
  wanted: number;
  readonly places: MessagePlace[];
}

/** Reads parts of segments. */
export class MessageReader {
  readonly #store: SegmentStore;
  readonly #reads: Budget;
  /** The block of a segment's index that was found last, with its last entry: the next search is mostly for what follows. */
  readonly #hints = new WeakMap<DueIndex, { readonly block: number; readonly last: DuePoint }>();

  /** `reads` bounds the bytes that all readers together have under way. */
  constructor(store: SegmentStore, reads: Budget) {
    this.#store = store;
    this.#reads = reads;
  }

  /** The messages that are where they are said to be, each as a segment that has it at its position. */
  async read(places: readonly MessagePlace[]): Promise<Map<number, Segment>> {
    const found = new Map<number, Segment>();
    for (const span of spansOf(places)) await this.#readSpan(span, found);
    return found;
  }

  /**
   * Batches of a segment's file, which has so many bytes, from the one on that has the position or the next behind it; none when
   * there is none. One that began at or before the position is at `hint`, unless the file was rewritten meanwhile; 0 is unknown.
   */
  async readFrom(
    { base, size, position, hint }: { base: number; size: number; position: number; hint: number },
  ): Promise<ReadBatches> {
    let offset = Math.max(hint, SEGMENT_HEADER_LENGTH);
    for (let isFirst = true;; isFirst = false) {
      const chunk = await this.#readChunk(base, offset, size);
      if (isFirst && hint > 0 && !(chunk.batches[0]?.segment.base <= position)) {
        offset = SEGMENT_HEADER_LENGTH;
        continue;
      }
      const batches = chunk.batches.filter(({ segment }) => segment.end > position);
      if (batches.length > 0 || chunk.isBroken || chunk.end >= size) {
        return { batches, isBroken: chunk.isBroken };
      }
      offset = chunk.end;
    }
  }

  /**
   * The entries of a segment's index behind `after`, up to those of one block, in their order; none when there are no more.
   * Undefined when the index is damaged.
   *
   * Rejects with what the store says when it cannot be read.
   */
  async readDue(base: number, index: DueIndex, after: DuePoint): Promise<DueEntry[] | undefined> {
    // The first block whose last entry is behind `after`; it is mostly the one of the last search, or the next.
    const hint = this.#hints.get(index);
    let low = hint && !isAfter(hint.last, after) ? hint.block + 1 : 0;
    let high = Math.ceil(index.entries / INDEX_ENTRIES_MAX);
    let found: { readonly block: number; readonly entries: readonly DueEntry[] } | undefined;
    let block = Math.max(hint?.block ?? 0, low);
    for (let tries = 0; low < high; tries++) {
      block = Math.min(block, high - 1);
      const entries = await this.#readBlock(base, index, block);
      const [first, last] = [entries?.[0], entries?.at(-1)];
      if (!entries || !first || !last) return undefined;
      if (isAfter(last, after)) {
        high = block;
        found = { block, entries };
        if (!isAfter(first, after)) break;
      } else {
        low = block + 1;
      }
      block = tries === 0 ? low : (low + high) >>> 1;
    }
    if (!found) return [];
    const { entries } = found;
    this.#hints.set(index, { block: found.block, last: entries[entries.length - 1] });
    return entries.filter((entry) => isAfter(entry, after));
  }

  /**
   * All entries of a segment's index, for the start of the program; undefined when there is none, or it is damaged.
   *
   * @throws What the store throws when it cannot be read.
   */
  readDueSync(base: number, index: DueIndex | undefined): DueEntry[] | undefined {
    if (!index) return undefined;
    const all: DueEntry[] = [];
    for (let rank = 0; rank < index.entries; rank += INDEX_ENTRIES_MAX) {
      const entries = readIndexBlock(this.#store.readPartSync(base, indexBlock(index, rank)));
      if (!entries) return undefined;
      all.push(...entries);
    }
    return all;
  }

  async #readSpan({ base, offset: start, end, places }: Span, found: Map<number, Segment>): Promise<void> {
    using _ = await this.#reads.take(end - start);
    let bytes: Uint8Array;
    try {
      bytes = await this.#store.readPart(base, { offset: start, length: end - start });
    } catch {
      // Whoever reads the segment as a whole is told why.
      return;
    }
    let last: { offset: number; length: number; segment: Segment | undefined } | undefined;
    for (const { position, offset, length } of places) {
      if (last?.offset !== offset || last.length !== length) {
        // Of its own: one message that waits longer than the others must not hold them all in memory.
        const batch = bytes.slice(offset - start, offset - start + length);
        last = { offset, length, segment: Segment.ofBatch(batch) };
      }
      const { segment } = last;
      if (segment && position >= segment.base && position < segment.end) found.set(position, segment);
    }
  }

  /** The batches with messages that begin at the offset, as far as a chunk goes, and where they end. */
  async #readChunk(
    base: number,
    start: number,
    size: number,
  ): Promise<ReadBatches & { readonly end: number }> {
    const batches: ReadBatch[] = [];
    let bytes = await this.#readBytes(base, start, Math.min(CHUNK_BYTES, size - start));
    const needed = bytes && bytes.length >= BATCH_HEADER_LENGTH ? batchLength(bytes) : 0;
    if (bytes && needed > bytes.length) {
      bytes = await this.#readBytes(base, start, Math.min(needed, size - start));
    }
    if (!bytes) return { batches, isBroken: true, end: start };
    const reader = new BatchReader(bytes);
    let at = 0;
    while (at < bytes.length && reader.read(at)) {
      const [offset, length] = [start + at, reader.end - at];
      const isOfMessages = reader.count > 0 && !(reader.kind & KIND.index);
      const segment = isOfMessages ? Segment.ofBatch(bytes.subarray(at, reader.end)) : undefined;
      if (segment) batches.push({ segment, offset, length });
      at = reader.end;
    }
    // What a chunk ends in the middle of is read with the next.
    const isBroken = at < bytes.length && (at === 0 || !reader.fault.startsWith("torn"));
    return { batches, isBroken: isBroken || bytes.length === 0 && start < size, end: start + at };
  }

  async #readBytes(base: number, offset: number, length: number): Promise<Uint8Array | undefined> {
    using _ = await this.#reads.take(Math.max(length, 0));
    try {
      return await this.#store.readPart(base, { offset, length: Math.max(length, 0) });
    } catch {
      // Whoever reads the segment as a whole is told why.
      return undefined;
    }
  }

  async #readBlock(base: number, index: DueIndex, block: number): Promise<DueEntry[] | undefined> {
    const part = indexBlock(index, block * INDEX_ENTRIES_MAX);
    using _ = await this.#reads.take(part.length);
    return readIndexBlock(await this.#store.readPart(base, part));
  }
}

/** Bytes of the batch whose header the bytes begin with, as that says. */
function batchLength(bytes: Uint8Array): number {
  return BATCH_HEADER_LENGTH - 2 + readU32(bytes, 8);
}

/** Joins what lies close together. */
function spansOf(places: readonly MessagePlace[]): Span[] {
  const spans: Span[] = [];
  const ordered = [...places].sort((a, b) => a.base - b.base || a.offset - b.offset);
  for (const place of ordered) {
    const { base, offset, length } = place;
    const last = spans.at(-1);
    const end = offset + length;
    if (last && last.base === base) {
      const isSame = last.places.at(-1)?.offset === offset;
      const wanted = last.wanted + (isSame ? 0 : length);
      const bytes = Math.max(end, last.end) - last.offset;
      if (isSame || bytes <= SPAN_BYTES_MAX && bytes <= SPAN_FACTOR * wanted) {
        last.end = Math.max(end, last.end);
        last.wanted = wanted;
        last.places.push(place);
        continue;
      }
    }
    spans.push({ base, offset, end, wanted: length, places: [place] });
  }
  return spans;
}
