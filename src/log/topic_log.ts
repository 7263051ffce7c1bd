/**
 * The log of a topic: its messages in the order they came, in segments. It decides where a message is kept
 * and when a segment goes; what the messages mean to channels is the topic's matter.
 *
 * - Messages are added in two steps: `append` takes them, `commit` makes them the topic's, written to the
 *   store where their segment is a stored one. A failed commit takes them back.
 * - In a durable log every segment is a stored one. Else at most `memQueueSize` waiting messages are in memory
 *   only, and what comes beyond goes to stored segments. A segment is of one kind from its first message on.
 * - A stored segment that nobody pins is evicted from memory once it is finished and written. Pinning it
 *   reads it back in the background.
 *
 * Does no I/O but through its store.
 *
 * @module
 */

import { type MessageFacts, Segment, SEGMENT_BYTES_MAX } from "./segment.ts";
import {
  BATCH_HEADER_LENGTH,
  CLOSING_BATCH_LENGTH,
  type Damage,
  DUE_ATTRIBUTE_LENGTH,
  endOfMessages,
  isTornHeader,
  ORIGIN_ATTRIBUTE_LENGTH,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_MESSAGES_MAX,
  SegmentFormatError,
} from "./segment_image.ts";
import type { SegmentStore } from "./segment_store.ts";

/** A small topic starts small: thousands of idle ones must not cost much memory. */
const SEGMENT_BYTES_MIN = 4 * 1024;
/** Room for a batch's header and attributes, and for closing the segment. */
export const SEGMENT_OVERHEAD = SEGMENT_HEADER_LENGTH + BATCH_HEADER_LENGTH + DUE_ATTRIBUTE_LENGTH +
  ORIGIN_ATTRIBUTE_LENGTH + CLOSING_BATCH_LENGTH;

/** So often is a file read that the disk cannot read before it is put aside, with every `--sync-timeout` once. */
const LOAD_ATTEMPTS_MAX = 5;

/** What the log asks of, and tells, its topic. */
export interface LogOwner {
  /** Waiting messages that are in memory only, for the channel that has most. */
  waitingInMemory(): number;
  /** Messages [from, to) of the segment have become the topic's. */
  committed(segment: Segment, from: number, to: number): void;
  /** The segment is in memory again; when it was damaged, it has more holes than before. */
  loaded(segment: Segment): void;
  /** A copy, without some of its messages, is in the segment's place. */
  replaced(segment: Segment, copy: Segment): void;
  /** No more messages are added to the segment. */
  sealed(segment: Segment): void;
  /** What an operator should know. */
  damaged(segment: Segment, damages: readonly Damage[]): void;
  /** Reading a segment back failed; it will be tried again. */
  loadFailed(segment: Segment, error: unknown): void;
  /** Somebody has removed the segment from the store. */
  missing(segment: Segment): void;
  /** What is not needed any more is still in the store; it will be tried again. */
  removeFailed(segment: Segment, error: unknown): void;
}

/** Sizes that bound a log. */
export interface LogLimits {
  /** Messages that may wait in memory only. */
  readonly memQueueSize: number;
  /** The most bytes of a segment's file. */
  readonly maxBytesPerFile: number;
}

/** A topic's messages. */
export class TopicLog {
  /** The segments, by position. */
  readonly segments: Segment[] = [];
  /** Position after the last message. */
  end: number;
  /** Segments were removed since the state was saved: they may be back after a loss of power. */
  hasRemoved = false;
  readonly #owner: LogOwner;
  readonly #store: SegmentStore | undefined;
  readonly #limits: LogLimits;
  readonly #durable: boolean;
  /** The last segment, while messages can be added to it. */
  #active: Segment | undefined;
  /** Segments with messages that are not committed. */
  readonly #uncommitted: Segment[] = [];
  /** Messages that may be added to memory before it must be counted again what waits there. */
  #memoryBudget = 0;
  readonly #pins = new Map<Segment, number>();
  readonly #loading = new Map<Segment, Promise<void>>();
  /** How often in a row the disk could not read a segment. */
  readonly #failedLoads = new WeakMap<Segment, number>();
  /** Segments in memory that were to be put on disk: it has failed, but there may be an image of them all the same. */
  readonly #perhapsStored = new Set<Segment>();
  /** Segments that are finished, and that the store could not remove. */
  readonly #unremoved = new Set<Segment>();
  /** Segments stay in memory: channels are to look at them. */
  #recovering = false;

  constructor(
    options: {
      owner: LogOwner;
      store: SegmentStore | undefined;
      limits: LogLimits;
      durable: boolean;
      end: number;
    },
  ) {
    this.#durable = options.durable;
    this.#owner = options.owner;
    this.#store = options.store;
    this.#limits = options.limits;
    this.end = options.end;
  }

  /** The segment that messages are added to. */
  get active(): Segment | undefined {
    return this.#active;
  }

  /** Segments that the store has, by position; those that it could not remove are finished. */
  get inStore(): Segment[] {
    const segments = this.segments.filter((segment) => segment.written > 0);
    if (this.#unremoved.size === 0) return segments;
    return [...segments, ...this.#unremoved].sort((a, b) => a.base - b.base);
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

  /** Adds messages, the bytes [from, to) of `block`, each a size and a body. */
  append(block: Uint8Array, from: number, to: number, facts: MessageFacts): void {
    let left = facts.count;
    let start = from;
    while (left > 0) {
      const kind = this.#kindOfNext();
      const count = Math.min(left, kind.most, SEGMENT_MESSAGES_MAX);
      const end = count === left ? to : endOfMessages(block, start, count);
      const segment = this.#room(kind.stored, count, end - start);
      if (!segment) continue;
      segment.append(block, start, end, { ...facts, count });
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
      this.#owner.committed(segment, from, segment.count);
      this.#evictUnpinned(segment);
    }
  }

  /** Takes the added messages back. Their positions are not used again: a file may still hold some of them. */
  rollback(): void {
    for (const segment of this.#uncommitted.splice(0)) {
      segment.rollback();
      if (segment === this.#active) this.#active = undefined;
      if (segment.count === 0) {
        this.release(segment);
        continue;
      }
      try {
        if (segment.stored) this.#store?.truncate(segment.base, segment.written);
        segment.close();
        if (segment.stored) this.#write(segment);
      } catch {
        // Then a restart may bring messages back that were refused: more than once is allowed, never is not.
        segment.sealed = true;
        segment.reopenImage();
      }
      this.#owner.sealed(segment);
      this.#evictUnpinned(segment);
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
    segment.close();
    if (segment.stored && segment.committed === segment.count) {
      try {
        this.#write(segment);
      } catch {
        // Nothing is lost: without its closing batch the segment is read to be counted. Whatever keeps the
        // store from writing refuses the next message, and is reported there.
        segment.reopenImage();
      }
    }
    this.#owner.sealed(segment);
    this.#evictUnpinned(segment);
  }

  /** Removes a segment that nobody needs. */
  release(segment: Segment): void {
    const at = this.segments.indexOf(segment);
    if (at < 0) return;
    this.segments.splice(at, 1);
    this.#pins.delete(segment);
    if (segment === this.#active) this.#active = undefined;
    if (segment.stored || segment.written > 0 || this.#perhapsStored.delete(segment)) this.#remove(segment);
    segment.evict();
  }

  /** Puts an empty segment in the place of the active one, whose messages are all finished, and reuses its memory. */
  restartActive(): Segment {
    const segment = this.#active;
    if (!segment || segment.stored) throw new Error("No segment in memory to begin anew");
    const next = segment.restartAt(this.end);
    this.segments[this.segments.length - 1] = next;
    this.#memoryBudget = 0;
    this.#pins.delete(segment);
    this.#active = next;
    return next;
  }

  /** Keeps a segment in memory, and brings it there. */
  pin(segment: Segment): void {
    this.#pins.set(segment, (this.#pins.get(segment) ?? 0) + 1);
    if (!segment.resident) this.#load(segment);
  }

  /** Takes a `pin` back. */
  unpin(segment: Segment): void {
    const pins = (this.#pins.get(segment) ?? 0) - 1;
    if (pins > 0) {
      this.#pins.set(segment, pins);
    } else {
      this.#pins.delete(segment);
      this.#evictUnpinned(segment);
    }
  }

  /** Tries again what the store has refused: reading pinned segments, and removing finished ones. */
  retry(): void {
    for (const segment of this.#pins.keys()) {
      if (!segment.resident) this.#load(segment);
    }
    for (const segment of this.#unremoved) this.#remove(segment);
  }

  /**
   * Puts a copy of a segment, without some of its messages, in its place.
   *
   * @returns false when the segment has gone meanwhile.
   * @throws What the store threw; everything is as before then.
   */
  async replace(segment: Segment, copy: Segment): Promise<boolean> {
    if (copy.stored && this.#store) {
      const image = copy.unwritten();
      copy.written = copy.used;
      if (!segment.stored) this.#perhapsStored.add(segment);
      await this.#store.replace(copy.base, image, () => this.segments.includes(segment));
      this.#perhapsStored.delete(segment);
    }
    const at = this.segments.indexOf(segment);
    if (at < 0) return false;
    this.segments[at] = copy;
    copy.holders = segment.holders;
    const pins = this.#pins.get(segment);
    this.#pins.delete(segment);
    if (pins !== undefined) this.#pins.set(copy, pins);
    // At once: what is finished from now on is finished in the copy.
    this.#owner.replaced(segment, copy);
    this.#evictUnpinned(copy);
    return true;
  }

  /**
   * Writes what is in memory only, and closes every segment.
   *
   * @throws What the store threw first; every segment has been tried.
   */
  save(): void {
    if (!this.#store) return;
    this.seal();
    const errors: unknown[] = [];
    for (const segment of this.segments) {
      try {
        if (segment.written < segment.used) this.#write(segment);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /**
   * Takes the segments that the store has kept. Those that had to be read stay in memory until `recovered()`.
   *
   * @returns The positions of all that are in the store, those too that are of no use.
   */
  recover(): Set<number> {
    if (!this.#store) return new Set();
    this.#recovering = true;
    const stored = this.#store.list();
    for (const [i, { base, size, closing }] of stored.entries()) {
      const countMax = Math.min((stored[i + 1]?.base ?? Infinity) - base, SEGMENT_MESSAGES_MAX);
      const segment = closing
        ? Segment.onDisk({ base, size, closing })
        : this.#recoverUnclosed(this.#store, base, countMax);
      if (!segment) continue;
      this.segments.push(segment);
      this.end = Math.max(this.end, segment.end);
    }
    return new Set(stored.map(({ base }) => base));
  }

  /** Lets channels look at a segment's messages before `recovered()`: it is in memory for as long as `look` takes. */
  lookAt(segment: Segment, look: () => void): void {
    const wasResident = segment.resident;
    try {
      if (!wasResident && this.#store) this.#take(segment, this.#store.readSync(segment.base));
    } catch (error) {
      // Its messages are looked at when they are needed.
      this.#owner.loadFailed(segment, error);
    }
    look();
    if (!wasResident && !this.#pins.has(segment)) segment.evict();
  }

  /** The channels are there again, and need only what they have pinned. */
  recovered(): void {
    this.#recovering = false;
    for (const segment of this.segments) this.#evictUnpinned(segment);
  }

  /** Settles when no segment is being read. */
  async idle(): Promise<void> {
    while (this.#loading.size > 0) await Promise.all(this.#loading.values());
  }

  /** A segment that was being written when the program was killed: what is whole of it counts. */
  #recoverUnclosed(store: SegmentStore, base: number, countMax: number): Segment | undefined {
    const segment = Segment.onDisk({ base, size: 0 });
    let image: Uint8Array;
    try {
      image = store.readSync(base);
    } catch (error) {
      this.#owner.loadFailed(segment, error);
      // What it holds is known when it can be read again: until then it is the channels' as if it were full.
      const closing = { positions: countMax, deferred: 0 };
      return Segment.onDisk({ base, size: SEGMENT_HEADER_LENGTH, closing });
    }
    if (isTornHeader(image, base)) {
      const { length } = image;
      if (length > 0) {
        this.#owner.damaged(segment, [{ offset: 0, length, reason: "torn header", torn: true }]);
      }
      this.#remove(segment);
      return undefined;
    }
    try {
      this.#take(segment, image);
    } catch (error) {
      if (!(error instanceof SegmentFormatError)) throw error;
      this.#setAside(segment, image.length, error);
      return undefined;
    }
    if (segment.count === 0) {
      this.#remove(segment);
      return undefined;
    }
    try {
      if (segment.used < image.length) store.truncate(base, segment.used);
      segment.close();
      this.#write(segment);
    } catch {
      // The disk is full, perhaps: what is in the file can be delivered all the same.
      segment.reopenImage();
    }
    return segment;
  }

  /** Takes an image as the segment's; what is damaged in it is kept aside, once, and told. */
  #take(segment: Segment, image: Uint8Array): void {
    const damages = segment.restore(image).filter((damage) =>
      damage.torn || this.#keepDamage(segment, damage)
    );
    if (damages.length > 0) this.#owner.damaged(segment, damages);
  }

  /** False when it is kept already, and was told then. */
  #keepDamage(segment: Segment, { offset, length }: Damage): boolean {
    try {
      return this.#store?.keepDamage(segment.base, offset, segment.bytes.subarray(offset, offset + length)) ??
        true;
    } catch (error) {
      this.#owner.loadFailed(segment, error);
      return true;
    }
  }

  /** False when that did not work: then its file must stay where it is. */
  #setAside(segment: Segment, length: number, error: Error): boolean {
    try {
      this.#store?.setAside(segment.base);
    } catch (cause) {
      this.#owner.removeFailed(segment, cause);
      return false;
    }
    this.#owner.damaged(segment, [{ offset: 0, length, reason: error.message, torn: false }]);
    return true;
  }

  #remove(segment: Segment): void {
    try {
      this.#store?.remove(segment.base);
      this.hasRemoved = true;
      this.#unremoved.delete(segment);
    } catch (error) {
      if (!this.#unremoved.has(segment)) this.#owner.removeFailed(segment, error);
      this.#unremoved.add(segment);
    }
  }

  #kindOfNext(): { stored: boolean; most: number } {
    const active = this.#active;
    if (active?.stored) return { stored: true, most: Infinity };
    if (!this.#store) return { stored: false, most: Infinity };
    if (this.#durable) return { stored: true, most: Infinity };
    if (this.#memoryBudget <= 0) {
      this.#memoryBudget = this.#limits.memQueueSize - this.#owner.waitingInMemory() -
        this.#uncommittedInMemory();
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
  #room(stored: boolean, count: number, bytes: number): Segment | undefined {
    const active = this.#active;
    if (active && active.stored === stored && active.fits(count, bytes)) return active;
    if (active) {
      this.seal();
      if (active.stored) {
        // The next one may be of the other kind: what waits in memory has changed since this one began.
        this.#memoryBudget = 0;
        return undefined;
      }
    }
    // A log that grows gets larger segments.
    const total = this.segments.reduce((sum, segment) => sum + segment.used, 0);
    const usual = Math.min(SEGMENT_BYTES_MAX, this.#limits.maxBytesPerFile);
    const capacityBytes = Math.max(
      Math.min(Math.max(2 * total, SEGMENT_BYTES_MIN), usual),
      bytes + SEGMENT_OVERHEAD,
    );
    const segment = new Segment({ base: this.end, capacityBytes, stored });
    this.segments.push(segment);
    this.#active = segment;
    return segment;
  }

  #write(segment: Segment): void {
    if (this.#perhapsStored.has(segment)) {
      this.#store?.remove(segment.base);
      this.#perhapsStored.delete(segment);
    }
    this.#store?.append(segment.base, segment.unwritten());
    segment.written = segment.used;
  }

  #evictUnpinned(segment: Segment): void {
    if (!segment.stored || !segment.sealed || segment.written < segment.used || !segment.resident) return;
    if (this.#recovering) return;
    if (this.#pins.has(segment) || segment.committed < segment.count) return;
    segment.evict();
  }

  #load(segment: Segment): void {
    const store = this.#store;
    if (!store || this.#loading.has(segment)) return;
    const loading = store.read(segment.base).then((image) => {
      // At once: who pins the segment after it was evicted again is not to wait for a reading that has ended.
      this.#loading.delete(segment);
      this.#failedLoads.delete(segment);
      this.#restore(segment, image);
    }).catch((error) => {
      this.#loading.delete(segment);
      if (!this.segments.includes(segment)) return;
      // Its messages are lost: channels go on without them, instead of waiting for ever.
      if (error instanceof SegmentFormatError || this.#isUnreadable(segment, error)) {
        if (!this.#setAside(segment, segment.used, error)) throw error;
      } else if (error instanceof Deno.errors.NotFound) {
        this.#owner.missing(segment);
      } else {
        throw error;
      }
      this.#restore(segment, new Segment({ base: segment.base, capacityBytes: 0, stored: true }).bytes);
    }).catch((error) => this.#owner.loadFailed(segment, error));
    this.#loading.set(segment, loading);
  }

  /** True when the disk has failed so often to read the segment's file that it hardly ever will. */
  #isUnreadable(segment: Segment, error: Error & { readonly code?: string }): boolean {
    if (error.code !== "EIO" && error.code !== "EISDIR") return false;
    const attempts = (this.#failedLoads.get(segment) ?? 0) + 1;
    this.#failedLoads.set(segment, attempts);
    return attempts >= LOAD_ATTEMPTS_MAX;
  }

  #restore(segment: Segment, image: Uint8Array): void {
    if (!this.segments.includes(segment)) return;
    this.#take(segment, image);
    // Pinned, so that it stays while the owner looks at it.
    this.pin(segment);
    this.#owner.loaded(segment);
    this.unpin(segment);
  }
}
