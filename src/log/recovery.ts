/**
 * What a store has kept of a log, at the start of the program: which segments can be used, and what of that which the
 * saved state knows of is not there. A segment that was being written when the program was killed may end in an
 * interrupted write, of which nothing was acknowledged; one that had been closed may not: what is missing of it was lost.
 *
 * @module
 */

import { Segment } from "./segment.ts";
import { type Damage, isTornHeader, SEGMENT_MESSAGES_MAX, SegmentFormatError } from "./segment_image.ts";
import type { SegmentLoader } from "./segment_loader.ts";
import type { SegmentStore, StoredSegment } from "./segment_store.ts";
import type { LogOwner, PositionRange } from "./topic_log.ts";

/** What the saved state says of the store. */
export interface Expectation {
  /** Positions that were in it. */
  readonly stored: readonly PositionRange[];
  /** The segments that begin before this position had been closed. */
  readonly closedEnd: number;
  /** Position after all that there was. */
  readonly end: number;
}

/** What recovery works with. */
export interface RecoveryOptions {
  readonly owner: LogOwner;
  readonly store: SegmentStore;
  readonly loader: SegmentLoader;
  readonly expected: Expectation | undefined;
}

/** What is there. */
export interface Recovered {
  /** By position. */
  readonly segments: Segment[];
  /** To be removed: nothing in them was ever acknowledged. */
  readonly useless: Segment[];
  readonly losses: RecoveredLoss[];
}

/** Positions that should be in the store and are not. */
export interface RecoveredLoss {
  /** A segment is shorter than it was; parts of one are damaged, which was told; or those of all that are not there. */
  readonly kind: "shorter" | "damaged" | "missing";
  /** Where the segment begins; or the first one that is not there. */
  readonly base: number;
  readonly ranges: readonly PositionRange[];
}

/** Takes what the store has, and says what it should have and has not. */
export function recoverSegments(options: RecoveryOptions): Recovered {
  const { store, expected } = options;
  const recovered: Recovered = { segments: [], useless: [], losses: [] };
  /** Segments of which something is known to be lost, by the position where that begins. */
  const told = new Map<number, Pick<RecoveredLoss, "kind" | "base">>();
  const stored = store.list();
  for (const [i, found] of stored.entries()) {
    const { base, size, closing } = found;
    const range = rangeAt(expected?.stored ?? [], base);
    if (expected && base < expected.end && !range) {
      // Finished or refused before the state was saved, and perhaps removed already.
      recovered.useless.push(Segment.onDisk({ base, size, closing }));
      continue;
    }
    const next = stored[i + 1];
    const countMax = Math.min((next?.base ?? Infinity) - base, SEGMENT_MESSAGES_MAX);
    const closedCount = expected && range && base < expected.closedEnd
      ? Math.min(range.to - base, countMax)
      : 0;
    // The last one may have been added to until the end, and a message at its end could look like what closes a segment.
    if (closing && (closedCount > 0 || next || endsClosed(store, base))) {
      recovered.segments.push(Segment.onDisk({ base, size, closing }));
      if (closedCount === 0) syncLater(store, found);
      continue;
    }
    const recovery = new UnclosedRecovery(options, found, { countMax, closedCount });
    const segment = recovery.run(recovered.useless);
    if (segment) recovered.segments.push(segment);
    if (recovery.loss) told.set(segment?.end ?? base, { kind: recovery.loss, base });
    else if (recovery.holes.length > 0) {
      recovered.losses.push({ kind: "damaged", base, ranges: recovery.holes });
    }
  }
  const there = recovered.segments.map(({ base, end }): PositionRange => ({ from: base, to: end }));
  const missing: PositionRange[] = [];
  for (const range of cutAt(missingOf(expected?.stored ?? [], there), [...told.keys()])) {
    const loss = told.get(range.from);
    if (loss) recovered.losses.push({ ...loss, ranges: [range] });
    else missing.push(range);
  }
  // Together: of a large backlog that was finished before a crash there may be thousands.
  if (missing.length > 0) recovered.losses.push({ kind: "missing", base: missing[0].from, ranges: missing });
  return recovered;
}

/** True when the batch at the end of a segment is one that closes it. */
function endsClosed(store: SegmentStore, base: number): boolean {
  const segment = Segment.onDisk({ base, size: 0 });
  try {
    const image = store.readSync(base);
    segment.restore(image);
    return segment.isClosed && segment.used === image.length;
  } catch {
    // Who goes on with it, as with one that is not, is told why it cannot be read.
    return false;
  } finally {
    segment.evict();
  }
}

/** The program that wrote the segment may have been killed before it was synced: that is to be done with the next sync. */
function syncLater(store: SegmentStore, { base, size }: StoredSegment): void {
  try {
    store.truncate(base, size);
  } catch {
    // A disk that cannot be written to has nothing left to write.
  }
}

/** A segment that has no closing batch. */
class UnclosedRecovery {
  /** It had been closed, and its end is missing; or it is no segment any more. */
  loss: "shorter" | "damaged" | undefined;
  /** Positions that it had messages at, and has not. */
  holes: readonly PositionRange[] = [];
  readonly #options: RecoveryOptions;
  readonly #base: number;
  readonly #size: number;
  /** The most positions that it can have. */
  readonly #countMax: number;
  /** Positions that it had when it was closed: what is wrong with it then is no interrupted write. 0 is not known. */
  readonly #closedCount: number;

  constructor(
    options: RecoveryOptions,
    { base, size }: StoredSegment,
    { countMax, closedCount }: { readonly countMax: number; readonly closedCount: number },
  ) {
    this.#options = options;
    this.#base = base;
    this.#size = size;
    this.#countMax = countMax;
    this.#closedCount = closedCount;
  }

  /** The segment, as far as it is whole; undefined when nothing of it is. */
  run(useless: Segment[]): Segment | undefined {
    const { store, owner, loader } = this.#options;
    const base = this.#base;
    const segment = Segment.unread({ base, size: this.#size, countMax: this.#countMax });
    let image: Uint8Array;
    try {
      image = store.readSync(base);
    } catch (error) {
      owner.loadFailed(segment, error);
      // What it holds is known when it can be read again.
      return segment;
    }
    const { length } = image;
    if (isTornHeader(image, base)) {
      this.#leaveEmpty(segment, length, useless);
      return undefined;
    }
    let damages: readonly Damage[];
    try {
      damages = segment.restore(image, { wasClosed: this.#closedCount > 0 });
    } catch (error) {
      if (!(error instanceof SegmentFormatError)) throw error;
      this.loss = "damaged";
      loader.setAside(segment, length, error.message);
      return undefined;
    }
    if (segment.count < this.#closedCount) return this.#keepRest(segment, damages, length);
    this.#tell(segment, damages);
    if (segment.count === 0) {
      useless.push(segment);
      return undefined;
    }
    // No segment has holes by itself that was not closed before.
    if (!segment.isClosed) this.holes = holesOf(segment);
    this.#close(segment, length);
    // Of thousands of topics not all last segments are to be in memory at once. What is missing is to be seen in it.
    if (segment.isClosed && this.holes.length === 0) segment.evict();
    return segment;
  }

  /** A segment of which not even the header is there. */
  #leaveEmpty(segment: Segment, length: number, useless: Segment[]): void {
    const { owner, loader } = this.#options;
    if (this.#closedCount > 0) {
      this.loss = "shorter";
      loader.setAside(segment, length, "nothing is left of it");
      return;
    }
    if (length > 0) owner.damaged(segment, [{ offset: 0, length, reason: "torn header", torn: true }]);
    useless.push(segment);
  }

  /** What is torn in a segment that had been closed was not torn by an interrupted write. */
  #tell(segment: Segment, damages: readonly Damage[]): void {
    const { owner, loader } = this.#options;
    const wasClosed = this.#closedCount > 0;
    const told = damages.map((damage) => wasClosed ? { ...damage, torn: false } : damage)
      .filter((damage) => damage.torn || loader.keepDamage(segment, damage));
    if (told.length > 0) owner.damaged(segment, told);
  }

  /** Cuts off what is torn, and ends a segment that was being written. */
  #close(segment: Segment, length: number): Segment {
    const { store } = this.#options;
    try {
      // Also where nothing is torn: the program that wrote it may have been killed before it was synced.
      if (segment.used < length || this.#closedCount === 0) store.truncate(segment.base, segment.used);
      if (segment.isClosed) return segment;
      segment.close();
      store.append(segment.base, segment.unwritten());
      segment.written = segment.used;
    } catch {
      // The disk is full, perhaps: what is in the file can be delivered all the same.
      if (!segment.isClosed) segment.reopenImage();
    }
    return segment;
  }

  /**
   * Goes on with what is left of a segment whose end is missing, in its place: what is there may be synced, and is to stay
   * so. What was found is kept aside.
   */
  #keepRest(segment: Segment, damages: readonly Damage[], length: number): Segment | undefined {
    const { store, owner, loader } = this.#options;
    this.loss = "shorter";
    if (segment.count === 0) {
      loader.setAside(segment, length, "nothing is left of it");
      return undefined;
    }
    try {
      store.keepDamage(segment.base, 0, segment.bytes.subarray(0, length));
    } catch (error) {
      // A disk that cannot be written to: what is in the file can be delivered all the same.
      owner.loadFailed(segment, error);
      return segment;
    }
    // That its end is missing is told apart.
    this.#tell(segment, damages.filter(({ torn }) => !torn));
    return this.#close(segment, length);
  }
}

function holesOf(segment: Segment): PositionRange[] {
  const holes: PositionRange[] = [];
  for (let index = 0; index < segment.count; index++) {
    if (segment.has(index)) continue;
    const position = segment.base + index;
    const last = holes.at(-1);
    if (last?.to === position) holes[holes.length - 1] = { from: last.from, to: position + 1 };
    else holes.push({ from: position, to: position + 1 });
  }
  return holes;
}

/** The one of ordered ranges that has the position. */
function rangeAt(ranges: readonly PositionRange[], position: number): PositionRange | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle].to <= position) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range && range.from <= position ? range : undefined;
}

/** Ordered ranges, divided at these positions, which are ordered, too. */
function cutAt(ranges: readonly PositionRange[], positions: readonly number[]): PositionRange[] {
  const parts: PositionRange[] = [];
  let next = 0;
  for (const { from, to } of ranges) {
    let at = from;
    for (; next < positions.length && positions[next] < to; next++) {
      if (positions[next] <= at) continue;
      parts.push({ from: at, to: positions[next] });
      at = positions[next];
    }
    parts.push({ from: at, to });
  }
  return parts;
}

/** The parts of ordered ranges that others, ordered too, do not cover. */
function missingOf(wanted: readonly PositionRange[], there: readonly PositionRange[]): PositionRange[] {
  const missing: PositionRange[] = [];
  let next = 0;
  for (const { from, to } of wanted) {
    let at = from;
    while (next < there.length && there[next].to <= from) next++;
    for (let i = next; i < there.length && there[i].from < to; i++) {
      if (there[i].from > at) missing.push({ from: at, to: there[i].from });
      at = Math.max(at, there[i].to);
    }
    if (at < to) missing.push({ from: at, to });
  }
  return missing;
}
