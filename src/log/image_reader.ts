/**
 * Finds the messages of a segment's image, whatever has happened to it: of a file that was cut off, or damaged, what is
 * whole is taken, and what is not is told. In steps that are short, whatever the bytes are.
 *
 * Behind a damaged batch the next whole one is looked for byte by byte: the damaged one may not tell its length.
 *
 * @module
 */

import { readU32 } from "../protocol/frames.ts";
import { BATCHES_AT_ONCE, BYTES_AT_ONCE } from "./kept_runs.ts";
import { MessageTable } from "./message_table.ts";
import {
  BATCH_HEADER_LENGTH,
  BATCH_MAGIC,
  BatchReader,
  type Closing,
  type Damage,
  hasFileMagic,
  isPlausible,
  isZero,
  KIND,
  readHeader,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_MESSAGES_MAX,
  SegmentFormatError,
} from "./segment_image.ts";

/** So many times the bytes of an image are looked at, at most, to find whole batches behind damaged ones. */
const SEARCH_FACTOR = 16;
/** The most places of an image that are told to be damaged; the last is said to go on to the end of further ones. */
const DAMAGES_MAX = 16;

/** What is known of a segment before its image is read. */
export interface ImageExpectation {
  readonly base: number;
  /** The most positions that it can have. */
  readonly countMax: number;
  /** It has as many as that: what lies behind them was refused, and is left out without a word. */
  readonly isKnown: boolean;
  /** The writing of an MPUB at its end may have been interrupted: such a one is kept whole or not at all. */
  readonly mayBeTorn: boolean;
}

/** What an image has. */
export interface ImageContent {
  readonly table: MessageTable;
  /** Positions up to the last message. */
  readonly count: number;
  /** Messages at these, without the holes. */
  readonly messages: number;
  /** What the last batch says of the segment; undefined when it was not closed. */
  readonly closing: Closing | undefined;
  /** Where the last batch ends that is whole. */
  readonly wholeEnd: number;
  readonly damages: readonly Damage[];
}

/**
 * Reads an image, in steps.
 *
 * @throws {SegmentFormatError} When it is of an unknown version, of another segment, or none.
 */
export function* readImage(
  image: Uint8Array,
  expected: ImageExpectation,
): Generator<void, ImageContent> {
  return yield* new ImageReader(image, expected).run();
}

/** Reads one image. */
class ImageReader {
  readonly #image: Uint8Array;
  readonly #expected: ImageExpectation;
  readonly #batch: BatchReader;
  readonly #search: BatchSearch;
  readonly #table: MessageTable;
  #damages: Damage[] = [];
  #count = 0;
  #messages = 0;
  #closing: Closing | undefined;
  #wholeEnd = SEGMENT_HEADER_LENGTH;
  /** Where the batches begin of an MPUB whose end has not been seen, and what there was before. */
  #unended: { readonly offset: number; readonly count: number } | undefined;

  constructor(image: Uint8Array, expected: ImageExpectation) {
    this.#image = image;
    this.#expected = expected;
    this.#batch = new BatchReader(image);
    this.#search = new BatchSearch(image);
    this.#table = new MessageTable(expected.isKnown ? expected.countMax : 0);
  }

  *run(): Generator<void, ImageContent> {
    const image = this.#image;
    const batch = this.#batch;
    let offset = yield* this.#firstBatch();
    let batches = 0;
    let stepEnd = offset + BYTES_AT_ONCE;
    while (offset < image.length) {
      if (++batches % BATCHES_AT_ONCE === 0 || offset > stepEnd) {
        stepEnd = offset + BYTES_AT_ONCE;
        yield;
      }
      if (batch.read(offset)) {
        this.#take(offset);
        offset = batch.end;
        continue;
      }
      const { fault } = batch;
      const next = yield* this.#search.from(offset + 1);
      const torn = next === image.length && (fault.startsWith("torn") || isZero(image, offset, next));
      this.#tell({ offset, length: next - offset, reason: fault, torn });
      offset = next;
    }
    this.#leaveOutTorn();
    this.#tellMissing();
    return {
      table: this.#table,
      count: this.#count,
      messages: this.#messages,
      closing: this.#closing,
      wholeEnd: this.#wholeEnd,
      damages: this.#damages,
    };
  }

  /** Where the first batch is to begin: at the beginning when the header is damaged and batches of the segment follow. */
  *#firstBatch(): Generator<void, number> {
    const image = this.#image;
    const { base } = this.#expected;
    if (hasFileMagic(image)) {
      readHeader(image, base);
      return SEGMENT_HEADER_LENGTH;
    }
    const first = this.#batch;
    const index = first.read(yield* this.#search.from(0)) ? first.firstPosition - base : -1;
    if (index < 0 || index >= SEGMENT_MESSAGES_MAX) throw new SegmentFormatError("Not a segment file");
    return 0;
  }

  /** Takes the batch that has just been read. */
  #take(offset: number): void {
    const batch = this.#batch;
    const { base, countMax, isKnown } = this.#expected;
    const { closing } = batch;
    const index = batch.firstPosition - base;
    if (batch.count > 0 && !(batch.kind & KIND.index)) {
      if (isKnown && index >= countMax) return;
      const reason = this.#add(index, offset);
      if (reason !== undefined) this.#tell({ offset, length: batch.end - offset, reason, torn: false });
    } else if (closing && index === closing.positions && index <= countMax && isPlausible(closing)) {
      this.#closing = closing;
    }
    this.#wholeEnd = batch.end;
  }

  /** Adds the messages of the batch, the first of which is at the index. Returns why they cannot be used, if they cannot. */
  #add(index: number, offset: number): string | undefined {
    const batch = this.#batch;
    const count = index + batch.count;
    if (index < this.#count || count > this.#expected.countMax) return "positions out of order";
    if (!this.#table.index(batch, index, offset)) return "messages that do not fill their batch";
    if (batch.kind & KIND.more) this.#unended ??= { offset, count: this.#count };
    else this.#unended = undefined;
    this.#count = count;
    this.#messages += batch.count;
    return undefined;
  }

  #tell(damage: Damage): void {
    const last = this.#damages.at(-1);
    if (last && this.#damages.length === DAMAGES_MAX) {
      this.#damages[DAMAGES_MAX - 1] = { ...last, length: damage.offset + damage.length - last.offset };
    } else {
      this.#damages.push(damage);
    }
  }

  /** Whole batches that are gone leave nothing behind that is damaged. */
  #tellMissing(): void {
    const { messages = 0 } = this.#closing ?? {};
    if (this.#messages >= messages || this.#damages.length > 0) return;
    this.#tell({ offset: 0, length: this.#image.length, reason: "batches are missing", torn: false });
  }

  /** Leaves out an MPUB whose writing was interrupted. One that is damaged, and not torn, is not that. */
  #leaveOutTorn(): void {
    const cut = this.#unended;
    if (!cut || this.#closing || !this.#expected.mayBeTorn) return;
    if (this.#damages.some(({ offset, length, torn }) => !torn && offset + length > cut.offset)) return;
    this.#messages -= this.#table.presentIn(cut.count, this.#count);
    this.#table.truncate(cut.count, this.#count);
    this.#count = cut.count;
    this.#wholeEnd = cut.offset;
    this.#damages = this.#damages.filter(({ offset }) => offset < cut.offset);
    this.#tell({
      offset: cut.offset,
      length: this.#image.length - cut.offset,
      reason: "torn MPUB",
      torn: true,
    });
  }
}

/** Looks for whole batches among bytes that are not. */
class BatchSearch {
  readonly #bytes: Uint8Array;
  readonly #batch: BatchReader;
  /** Bytes that may still be summed up: what looks like many long batches must not take for ever. */
  #left: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#batch = new BatchReader(bytes);
    this.#left = SEARCH_FACTOR * bytes.length;
  }

  /** Where the next whole batch begins at or after `offset`, or the end. */
  *from(offset: number): Generator<void, number> {
    const bytes = this.#bytes;
    const batch = this.#batch;
    let looked = 0;
    for (
      let at = bytes.indexOf(BATCH_MAGIC >>> 24, offset);
      at >= 0 && this.#left > 0;
      at = bytes.indexOf(BATCH_MAGIC >>> 24, at + 1)
    ) {
      if (batch.read(at)) return at;
      looked += BATCH_HEADER_LENGTH;
      if (batch.fault === "wrong checksum") {
        const length = readU32(bytes, at + 8);
        this.#left -= length;
        looked += length;
      }
      if (looked > BYTES_AT_ONCE) {
        looked = 0;
        yield;
      }
    }
    return bytes.length;
  }
}
