/**
 * The log of a topic: its messages in the order they came, in segments. It decides where a message is kept
 * and when a segment goes; what the messages mean to channels is the topic's matter.
 *
 * - Messages are added in two steps: `append` takes them, `commit` makes them the topic's, written to the
 *   store where their segment is a stored one. A failed commit takes them back.
 * - In a durable log every segment is a stored one. Else at most `memQueueSize` waiting messages are in memory
 *   only, and what comes beyond goes to stored segments. A segment is of one kind from its first message on.
 * - A stored segment that nobody pins is evicted from memory once it is finished and written. Pinning it
 *   reads it back in the background (segment_loader.ts); single messages are read without it (message_reader.ts).
 * - A segment that is finished leaves the log at once, and the store in the background.
 *
 * Does no I/O but through its store.
 *
 * @module
 */

import type { Budget } from "../base/budget.ts";
import { type DuePoint, type MessagePlace, MessageReader, type ReadBatches } from "./message_reader.ts";
import { type Expectation, type RecoveredLoss, recoverSegments } from "./recovery.ts";
import { type MessageFacts, Segment, SEGMENT_BYTES_MAX } from "./segment.ts";
import { type DueEntry, endOfMessages, SEGMENT_MESSAGES_MAX } from "./segment_image.ts";
import { SegmentList } from "./segment_list.ts";
import { type LoaderOwner, SegmentLoader } from "./segment_loader.ts";
import type { SegmentStore } from "./segment_store.ts";

/** A small topic starts small: thousands of idle ones must not cost much memory. */
const SEGMENT_BYTES_MIN = 4 * 1024;
/** Segments that are dropped before others have their turn. */
const SEGMENTS_AT_ONCE = 16;

/** What the log asks of, and tells, its topic. */
export interface LogOwner extends LoaderOwner {
  /** Waiting messages that are in memory only, for the channel that has most. */
  waitingInMemory(): number;
  /** Messages [from, to) of the segment have become the topic's. */
  committed(segment: Segment, from: number, to: number): void;
  /** No more messages are added to the segment. */
  sealed(segment: Segment): void;
  /** The segment, which was in memory only, is in the store. */
  spilled(segment: Segment): void;
}

/** Sizes that bound a log. */
export interface LogLimits {
  /** Messages that may wait in memory only. */
  readonly memQueueSize: number;
  /** The most bytes of a segment's file. */
  readonly maxBytesPerFile: number;
}

/** What a log is made from. */
export interface LogOptions {
  readonly owner: LogOwner;
  readonly store: SegmentStore | undefined;
  readonly limits: LogLimits;
  /** Every message is written to the store. */
  readonly durable: boolean;
  /** Position that an empty log begins at. */
  readonly end: number;
  /** Bytes that all logs together may be reading. */
  readonly reads: Budget;
  /** Settles when others have had their turn. */
  readonly othersFirst: () => Promise<void>;
  /** Nothing more is to be in memory only. */
  readonly isMemoryShort: () => boolean;
}

/** Positions [from, to). */
export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

/** A topic's messages. */
export class TopicLog {
  /** Position after the last message. */
  end: number;
  /** Segments were removed since the state was saved: they may be back after a loss of power. */
  hasRemoved = false;
  /** Bytes that were written to the store. */
  writtenBytes = 0;
  readonly #options: LogOptions;
  readonly #list = new SegmentList();
  readonly #loader: SegmentLoader | undefined;
  readonly #reader: MessageReader | undefined;
  /** The last segment, while messages can be added to it. */
  #active: Segment | undefined;
  /** Segments with messages that are not committed. */
  readonly #uncommitted: Segment[] = [];
  /** Segments that are in memory only, by position. */
  #inMemory: Segment[] = [];
  /** Bytes of the sealed segments, more or less. */
  #sealedBytes = 0;
  /** Messages that may be added to memory before it must be counted again what waits there. */
  #memoryBudget = 0;
  /** Segments in memory that were to be put on disk: it has failed, but there may be an image of them all the same. */
  readonly #perhapsStored = new Set<Segment>();
  /** Segments that have left the log and are still in the store. */
  readonly #leaving = new Set<Segment>();
  /** Of these, the ones that the store could not remove. */
  readonly #unremoved = new Set<Segment>();
  /** Settles when the store has removed what it can. */
  #removing: Promise<void> | undefined;
  /** Parts of segments that are being read. */
  readonly #reading = new Set<Promise<unknown>>();
  /** What many channels ask at the start of the program. */
  readonly #deferredIndexes = new Map<Segment, readonly number[]>();

  constructor(options: LogOptions) {
    this.#options = options;
    this.end = options.end;
    const { owner, store, reads, othersFirst } = options;
    if (!store) return;
    this.#loader = new SegmentLoader({ owner, store, reads, othersFirst, segments: this.#list });
    this.#reader = new MessageReader(store, reads);
  }

  /** The segments, by position. */
  get segments(): readonly Segment[] {
    return this.#list.all;
  }

  /** The segment that messages are added to. */
  get active(): Segment | undefined {
    return this.#active;
  }

  /** Segments that are in memory only, by position. */
  get inMemory(): readonly Segment[] {
    return this.#inMemory;
  }

  /** True while something is in the store, be it only what is being removed. */
  get isInStore(): boolean {
    return this.#leaving.size > 0 || this.#unremoved.size > 0 ||
      this.segments.some((segment) => segment.written > 0);
  }

  /** Segments that have left the log and are still in the store, and their bytes. */
  get leaving(): { readonly segments: number; readonly bytes: number } {
    let bytes = 0;
    for (const segment of this.#leaving) bytes += segment.written;
    return { segments: this.#leaving.size, bytes };
  }

  /** Bytes of all segments, more or less. */
  get bytes(): number {
    return this.#sealedBytes + (this.#active?.used ?? 0);
  }

  /** Position after the last message that is the topic's. */
  get committedEnd(): number {
    const segment = this.#uncommitted.at(0);
    return segment ? segment.base + segment.committed : this.end;
  }

  /** True while messages of stored segments wait for `commit`. */
  get mustWrite(): boolean {
    return this.#uncommitted.some((segment) => segment.stored);
  }

  /** The segment that has the position, or else the first one behind it. */
  from(position: number): Segment | undefined {
    return this.#list.from(position);
  }

  /** The segments that have positions at or behind it; the log is not to change meanwhile. */
  *allFrom(position: number): Generator<Segment> {
    const { all } = this.#list;
    for (let i = this.#list.indexFrom(position); i < all.length; i++) yield all[i];
  }

  /** True while the segment is part of the log. */
  has(segment: Segment): boolean {
    return this.#list.has(segment);
  }

  /** What is in the store, committed, as few ranges of positions. */
  storedRanges(): PositionRange[] {
    const ranges: PositionRange[] = [];
    for (const segment of this.segments) {
      if (segment.written === 0) continue;
      const last = ranges.at(-1);
      const to = segment.base + segment.committed;
      if (last?.to === segment.base) ranges[ranges.length - 1] = { from: last.from, to };
      else ranges.push({ from: segment.base, to });
    }
    return ranges;
  }

  /** Every segment in the store that begins before this position has been closed there. */
  get closedEnd(): number {
    let end = 0;
    for (const segment of this.segments) {
      if (segment.written === 0) continue;
      if (!segment.isClosed) return segment.base;
      end = segment.end;
    }
    return end;
  }

  /** Adds messages, the bytes [from, to) of `block`, each a size and a body. */
  append(block: Uint8Array, from: number, to: number, facts: MessageFacts): void {
    let left = facts.count;
    let start = from;
    while (left > 0) {
      const kind = this.#kindOfNext();
      const count = Math.min(left, kind.most, SEGMENT_MESSAGES_MAX);
      const end = count === left ? to : endOfMessages(block, start, count, facts.own);
      const segment = this.#room(kind.stored, count, end - start, facts);
      if (!segment) continue;
      segment.append(block, start, end, count === facts.count ? facts : { ...facts, count });
      if (this.#uncommitted.at(-1) !== segment) this.#uncommitted.push(segment);
      if (!segment.stored) this.#memoryBudget -= count;
      this.end = segment.end;
      left -= count;
      start = end;
    }
  }

  /**
   * Makes the added messages the topic's.
   *
   * @throws What the store threw; none of the messages are kept then.
   */
  commit(): void {
    try {
      for (const segment of this.#uncommitted) {
        if (segment.stored) this.#write(segment);
      }
    } catch (error) {
      this.rollback();
      throw error;
    }
    for (const segment of this.#uncommitted.splice(0)) {
      const from = segment.committed;
      segment.commit();
      this.#options.owner.committed(segment, from, segment.count);
      this.#loader?.evictUnpinned(segment);
    }
  }

  /** Takes the added messages back. Their positions are not used again: a file may still hold some of them. */
  rollback(): void {
    for (const segment of this.#uncommitted.splice(0)) {
      if (segment.sealed) this.#sealedBytes -= segment.used;
      segment.rollback();
      if (segment === this.#active) this.#active = undefined;
      if (segment.count === 0) {
        this.release(segment);
        continue;
      }
      try {
        if (segment.stored) this.#options.store?.truncate(segment.base, segment.written);
        segment.close();
        if (segment.stored) this.#write(segment);
      } catch {
        // Then a restart may bring messages back that were refused: more than once is allowed, never is not.
        segment.sealed = true;
        segment.reopenImage();
      }
      // Again, for those that were: now it has no messages that are not the topic's.
      this.#seal(segment);
    }
    this.#memoryBudget = 0;
  }

  /** Finishes the segment that messages are added to. */
  seal(): void {
    const segment = this.#active;
    if (!segment) return;
    this.#active = undefined;
    if (segment.count === 0) {
      this.release(segment);
      return;
    }
    // One in memory ends when it is written, if it ever is.
    if (segment.stored) segment.close();
    else segment.sealed = true;
    if (segment.stored && segment.committed === segment.count) {
      try {
        this.#write(segment);
      } catch {
        // Nothing is lost: without its closing batch the segment is read to be counted. Whatever keeps the
        // store from writing refuses the next message, and is reported there.
        segment.reopenImage();
      }
    }
    this.#seal(segment);
  }

  /** Removes a segment that nobody needs. */
  release(segment: Segment): void {
    if (!this.#list.remove(segment)) return;
    if (segment === this.#active) this.#active = undefined;
    if (segment.sealed) this.#sealedBytes = Math.max(this.#sealedBytes - segment.used, 0);
    this.#loader?.forget(segment);
    for (const user of [...segment.users]) user.released();
    if (!segment.stored) this.#inMemory = this.#inMemory.filter((other) => other !== segment);
    const isPerhapsStored = this.#perhapsStored.delete(segment);
    if (segment.stored || segment.written > 0 || isPerhapsStored) this.#remove(segment);
    segment.evict();
  }

  /** Puts an empty segment in the place of the active one, whose messages are all finished, and reuses its memory. */
  restartActive(): void {
    const segment = this.#active;
    if (!segment || segment.stored) throw new Error("No segment in memory to begin anew");
    const next = segment.restartAt(this.end);
    this.#loader?.replaced(segment, next);
    this.#list.replace(segment, next);
    this.#inMemory[this.#inMemory.length - 1] = next;
    this.#memoryBudget = 0;
    this.#active = next;
  }

  /** Keeps a segment in memory, and brings it there. */
  pin(segment: Segment): void {
    this.#loader?.pin(segment);
  }

  /** Takes a `pin` back. */
  unpin(segment: Segment): void {
    this.#loader?.unpin(segment);
  }

  /** True while somebody keeps the segment in memory. */
  isPinned(segment: Segment): boolean {
    return this.#loader?.isPinned(segment) ?? false;
  }

  /** Settles when a pinned segment is in memory, or could not be read. */
  async loaded(segment: Segment): Promise<void> {
    await this.#loader?.loaded(segment);
  }

  /** Single messages of stored segments, by position, as far as they are where they are said to be. */
  async readMessages(places: readonly MessagePlace[]): Promise<ReadonlyMap<number, Segment>> {
    const reader = this.#reader;
    return reader ? await this.#tracked(this.#readSlowly(reader, places)) : new Map();
  }

  /** Batches of a segment that is not in memory, from the position on, as {@linkcode MessageReader.readFrom} has them. */
  async readFrom(segment: Segment, position: number, hint: number): Promise<ReadBatches> {
    const { base, used: size } = segment;
    const reading = this.#reader?.readFrom({ base, size, position, hint });
    const read = reading && await this.#tracked(reading);
    await this.#options.othersFirst();
    return read ?? { batches: [], isBroken: true };
  }

  /** Some of what is due next in a stored segment, in order; undefined when its index cannot be used. */
  async readDue(segment: Segment, after: DuePoint): Promise<DueEntry[] | undefined> {
    if (!segment.dueIndex || !this.#reader) return undefined;
    try {
      return await this.#tracked(this.#reader.readDue(segment.base, segment.dueIndex, after));
    } catch {
      // Read as a whole, the segment tells what is wrong.
      return undefined;
    }
  }

  /** Messages [from, to) of a segment that are not deferred: also of a part of one on disk, which is read for that. */
  waitingIn(segment: Segment, from: number, to: number): number {
    if (segment.resident || from === 0 && to === segment.count) return segment.waitingIn(from, to);
    if (segment.isUnread || segment.deferred === 0 && segment.holes === 0) return to - from;
    const deferred = segment.holes === 0 ? this.#deferredOf(segment) : undefined;
    if (deferred) return to - from - deferred.filter((index) => index >= from && index < to).length;
    let count = to - from;
    this.lookAt(segment, () => {
      if (segment.resident) count = segment.waitingIn(from, to);
    });
    return count;
  }

  /** Tries again what the store has refused: reading pinned segments, and removing finished ones. */
  retry(): void {
    this.#loader?.retry();
    if (this.#unremoved.size === 0) return;
    for (const segment of this.#unremoved) this.#leaving.add(segment);
    this.#removing ??= this.#removeAll();
  }

  /**
   * Makes a copy of a segment that is in memory, of the messages for which `keep` is true now, and puts it in its place.
   *
   * @returns The copy, or undefined when the segment has gone meanwhile.
   * @throws What the store threw; everything is as before then.
   */
  async rewrite(
    segment: Segment,
    keep: (index: number) => boolean,
    options: { stored: boolean },
  ): Promise<Segment | undefined> {
    const steps = segment.compacting(keep, options);
    let step = steps.next();
    for (; !step.done; step = steps.next()) await this.#options.othersFirst();
    const copy = step.value;
    return copy && await this.replace(segment, copy) ? copy : undefined;
  }

  /**
   * Puts a copy of a segment, without some of its messages, in its place.
   *
   * @returns false when the segment has gone meanwhile.
   * @throws What the store threw; everything is as before then.
   */
  async replace(segment: Segment, copy: Segment): Promise<boolean> {
    let isReplaced = false;
    try {
      isReplaced = await this.#putInStore(segment, copy) && this.#list.replace(segment, copy);
    } finally {
      if (!isReplaced) copy.evict();
    }
    if (!isReplaced) return false;
    // An image of the one that failed to be written goes with the other.
    if (this.#perhapsStored.delete(segment)) this.#perhapsStored.add(copy);
    this.#sealedBytes += copy.used - segment.used;
    if (!segment.stored) {
      this.#inMemory = copy.stored
        ? this.#inMemory.filter((other) => other !== segment)
        : this.#inMemory.map((other) => other === segment ? copy : other);
    }
    this.#loader?.replaced(segment, copy);
    // At once: what is finished from now on is finished in the copy.
    copy.ahead = segment.ahead;
    copy.open = segment.open;
    for (const user of [...segment.users]) {
      segment.removeUser(user);
      copy.addUser(user);
      user.replaced(copy);
    }
    segment.evict();
    this.#loader?.evictUnpinned(copy);
    return true;
  }

  /**
   * Writes what is in memory only, and closes every segment.
   *
   * @throws What the store threw first; every segment has been tried.
   */
  async save(): Promise<void> {
    if (!this.#options.store) return;
    this.seal();
    const errors: unknown[] = [];
    for (const segment of [...this.segments]) {
      // What nobody needs any more may leave meanwhile.
      if (segment.written === segment.used || !this.has(segment)) continue;
      try {
        this.#write(segment);
      } catch (error) {
        errors.push(error);
      }
      await this.#options.othersFirst();
    }
    if (errors.length > 0) throw errors[0];
  }

  /**
   * Puts what is in memory only into the store, a segment at a time. There are to be no messages that are not committed.
   *
   * @throws What the store threw; the rest stays in memory.
   */
  async spill(): Promise<void> {
    if (!this.#options.store) return;
    if (this.#active?.stored === false) this.seal();
    for (const segment of [...this.#inMemory]) {
      // What nobody needs any more may leave meanwhile.
      if (!this.has(segment) || !segment.sealed) continue;
      this.#write(segment);
      segment.stored = true;
      this.#inMemory = this.#inMemory.filter((other) => other !== segment);
      this.#options.owner.spilled(segment);
      this.#loader?.evictUnpinned(segment);
      await this.#options.othersFirst();
    }
  }

  /**
   * Takes the segments that the store has kept. Those that had to be read stay in memory until `recovered()`.
   *
   * @param expected What the state says of them.
   * @returns What of that is not there.
   */
  recover(expected: Expectation | undefined): readonly RecoveredLoss[] {
    const { store, owner } = this.#options;
    const loader = this.#loader;
    if (!store || !loader) return [];
    loader.keepAll();
    const { segments, useless, losses } = recoverSegments({ store, owner, loader, expected });
    for (const segment of segments) {
      this.#list.push(segment);
      this.#sealedBytes += segment.used;
      this.end = Math.max(this.end, segment.end);
    }
    for (const segment of useless) this.#remove(segment);
    return losses;
  }

  /** Lets channels look at a segment's messages at once: it is in memory for as long as `look` takes. */
  lookAt(segment: Segment, look: () => void): void {
    if (this.#loader) this.#loader.lookAt(segment, look);
    else look();
  }

  /** The channels are there again, and need only what they have pinned. */
  recovered(): void {
    this.#deferredIndexes.clear();
    this.#loader?.keepPinned();
  }

  /** Settles when nothing is being read or removed. */
  async idle(): Promise<void> {
    while (this.#reading.size > 0) await Promise.allSettled(this.#reading);
    await this.#loader?.idle();
    await this.#removing;
  }

  /** Gives all memory back, of a log whose store is gone, in steps. */
  *dropping(): Generator<void> {
    this.#active = undefined;
    this.#leaving.clear();
    this.#unremoved.clear();
    for (const [i, segment] of [...this.segments].entries()) {
      this.#list.remove(segment);
      this.#loader?.forget(segment);
      segment.evict();
      if (i % SEGMENTS_AT_ONCE === SEGMENTS_AT_ONCE - 1) yield;
    }
    this.#inMemory = [];
  }

  /** Which messages of a segment on disk are deferred, as its index says; undefined when it does not. */
  #deferredOf(segment: Segment): readonly number[] | undefined {
    const known = this.#deferredIndexes.get(segment);
    if (known) return known;
    try {
      const indexes = this.#reader?.readDueSync(segment.base, segment.dueIndex)?.map(({ index }) => index);
      if (indexes) this.#deferredIndexes.set(segment, indexes);
      return indexes;
    } catch {
      // Read as a whole, the segment tells what is wrong.
      return undefined;
    }
  }

  /** Puts a copy of a segment in its place in the store; false when that one has gone meanwhile. */
  async #putInStore(segment: Segment, copy: Segment): Promise<boolean> {
    const { store } = this.#options;
    if (!copy.stored || !store) return true;
    const image = copy.unwritten();
    copy.written = copy.used;
    if (!segment.stored) this.#perhapsStored.add(segment);
    // From now on the copy may be in the store, even if this fails: what is not in it is not lost.
    segment.isCounted = false;
    try {
      const isReplaced = await store.replace(copy.base, image, () => this.has(segment));
      this.writtenBytes += image.length;
      this.#perhapsStored.delete(segment);
      return isReplaced;
    } finally {
      segment.isCounted = false;
    }
  }

  /** Who reads again as soon as this is taken would otherwise, with files alone, keep the runtime from looking at sockets. */
  async #readSlowly(reader: MessageReader, places: readonly MessagePlace[]): Promise<Map<number, Segment>> {
    const messages = await reader.read(places);
    await this.#options.othersFirst();
    return messages;
  }

  async #tracked<T>(reading: Promise<T>): Promise<T> {
    this.#reading.add(reading);
    try {
      return await reading;
    } finally {
      this.#reading.delete(reading);
    }
  }

  #seal(segment: Segment): void {
    this.#sealedBytes += segment.used;
    this.#options.owner.sealed(segment);
    this.#loader?.evictUnpinned(segment);
  }

  #remove(segment: Segment): void {
    this.#leaving.add(segment);
    this.#removing ??= this.#removeAll();
  }

  /** One after the other, so that however many there are, others have their turn. */
  async #removeAll(): Promise<void> {
    for (const segment of this.#leaving) {
      try {
        await this.#options.store?.remove(segment.base);
        this.hasRemoved = true;
        this.#unremoved.delete(segment);
      } catch (error) {
        if (!this.#unremoved.has(segment)) this.#options.owner.removeFailed(segment, error);
        this.#unremoved.add(segment);
      }
      this.#leaving.delete(segment);
    }
    this.#removing = undefined;
  }

  #kindOfNext(): { stored: boolean; most: number } {
    const active = this.#active;
    const { store, durable, limits, owner, isMemoryShort } = this.#options;
    if (active?.stored) return { stored: true, most: Infinity };
    if (!store) return { stored: false, most: Infinity };
    if (durable || isMemoryShort()) return { stored: true, most: Infinity };
    if (this.#memoryBudget <= 0) {
      this.#memoryBudget = limits.memQueueSize - owner.waitingInMemory() - this.#uncommittedInMemory();
    }
    return this.#memoryBudget > 0
      ? { stored: false, most: this.#memoryBudget }
      : { stored: true, most: Infinity };
  }

  #uncommittedInMemory(): number {
    let count = 0;
    for (const segment of this.#uncommitted) {
      if (!segment.stored) count += segment.count - segment.committed;
    }
    return count;
  }

  /** A segment of that kind with room for that many messages of that many bytes; undefined to ask for the kind anew. */
  #room(stored: boolean, count: number, bytes: number, facts: MessageFacts): Segment | undefined {
    const attributesLength = facts.attributes?.length ?? 0;
    const active = this.#active;
    if (active && active.stored === stored && active.fits(count, bytes, attributesLength)) return active;
    if (active) {
      this.seal();
      if (active.stored) {
        // The next one may be of the other kind: what waits in memory has changed since this one began.
        this.#memoryBudget = 0;
        return undefined;
      }
    }
    // A log that grows gets larger segments.
    const usual = Math.min(SEGMENT_BYTES_MAX, this.#options.limits.maxBytesPerFile);
    const capacityBytes = Math.max(
      Math.min(Math.max(2 * this.#sealedBytes, SEGMENT_BYTES_MIN), usual),
      Segment.capacityFor(bytes, attributesLength),
    );
    const segment = new Segment({ base: this.end, capacityBytes, stored });
    this.#list.push(segment);
    if (!stored) this.#inMemory.push(segment);
    this.#active = segment;
    return segment;
  }

  #write(segment: Segment): void {
    if (this.#perhapsStored.has(segment)) {
      this.#options.store?.truncate(segment.base, 0);
      this.#perhapsStored.delete(segment);
    }
    if (!segment.stored) segment.close();
    const bytes = segment.unwritten();
    try {
      this.#options.store?.append(segment.base, bytes);
      this.writtenBytes += bytes.length;
    } catch (error) {
      if (!segment.stored) this.#perhapsStored.add(segment);
      throw error;
    }
    segment.written = segment.used;
  }
}
