/**
 * Which of a log's stored segments are in memory: those that somebody has pinned, and those that are not written to
 * their end. What is pinned and not there is read back in the background, in short steps, with a bound on the bytes
 * of all logs that are being read at the same time; what is not pinned is evicted.
 *
 * @module
 */

import type { Budget } from "../base/budget.ts";
import { errorText } from "../base/error_text.ts";
import type { Segment } from "./segment.ts";
import { type Damage, SEGMENT_HEADER_LENGTH, SegmentFormatError, writeHeader } from "./segment_image.ts";
import type { SegmentList } from "./segment_list.ts";
import type { SegmentStore } from "./segment_store.ts";

/** So often is a file read that the disk cannot read before it is put aside, with every `--sync-timeout` once. */
const LOAD_ATTEMPTS_MAX = 5;

/** What a segment had, or was taken to have, before it was read. */
export interface Change {
  /** Its positions. */
  readonly count: number;
  /** Messages that are lost. */
  readonly lost: number;
}

/** Whom the loader tells what an operator or the channels should know. */
export interface LoaderOwner {
  /** The segment is in memory and has not the messages that it was taken to have: fewer, if some were lost. */
  changed(segment: Segment, change: Change): void;
  /** What was found to be damaged. */
  damaged(segment: Segment, damages: readonly Damage[]): void;
  /** Reading a segment back failed; it will be tried again. */
  loadFailed(segment: Segment, error: unknown): void;
  /** Somebody has removed the segment from the store. */
  missing(segment: Segment): void;
  /** What was to be taken out of the store is still in it; it will be tried again. */
  removeFailed(segment: Segment, error: unknown): void;
}

/** What a loader works with. */
export interface LoaderOptions {
  readonly owner: LoaderOwner;
  readonly store: SegmentStore;
  readonly segments: SegmentList;
  /** Bytes that all logs together may be reading. */
  readonly reads: Budget;
  /** Settles when others have had their turn. */
  readonly othersFirst: () => Promise<void>;
}

/** Keeps pinned segments in memory. */
export class SegmentLoader {
  readonly #options: LoaderOptions;
  readonly #pins = new Map<Segment, number>();
  readonly #loading = new Map<Segment, Promise<void>>();
  /** Of segments that could not be read the last time. */
  readonly #failures = new WeakMap<Segment, Failure>();
  /** Segments stay in memory: channels are to look at them. */
  #keepsAll = false;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Keeps a segment of the log in memory, and brings it there. */
  pin(segment: Segment): void {
    if (!this.#options.segments.has(segment)) return;
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
      this.evictUnpinned(segment);
    }
  }

  isPinned(segment: Segment): boolean {
    return this.#pins.has(segment);
  }

  /** Settles when the segment is not being read any more. */
  async loaded(segment: Segment): Promise<void> {
    await this.#loading.get(segment);
  }

  /** Forgets a segment that has left the log. */
  forget(segment: Segment): void {
    this.#pins.delete(segment);
  }

  /** A copy is in the segment's place, for whoever has pinned that. */
  replaced(segment: Segment, copy: Segment): void {
    const pins = this.#pins.get(segment);
    this.#pins.delete(segment);
    if (pins !== undefined) this.#pins.set(copy, pins);
  }

  /** Gives a segment's memory back if its file has it all and nobody has pinned it. */
  evictUnpinned(segment: Segment): void {
    if (!segment.stored || !segment.sealed || segment.written < segment.used || !segment.resident) return;
    if (this.#keepsAll || this.#pins.has(segment) || segment.committed < segment.count) return;
    evict(segment);
  }

  /** Nothing is evicted until `keepPinned`. */
  keepAll(): void {
    this.#keepsAll = true;
  }

  /** From now on, only what is pinned stays. */
  keepPinned(): void {
    this.#keepsAll = false;
    for (const segment of this.#options.segments.all) this.evictUnpinned(segment);
  }

  /** Tries again to read what could not be read. */
  retry(): void {
    for (const segment of this.#pins.keys()) {
      if (!segment.resident) this.#load(segment);
    }
  }

  /** Settles when no segment is being read. */
  async idle(): Promise<void> {
    while (this.#loading.size > 0) await Promise.all(this.#loading.values());
  }

  /** Brings a segment into memory for as long as `look` takes: for the start of the program, and for what is rare. */
  lookAt(segment: Segment, look: () => void): void {
    const { store, owner } = this.#options;
    const wasResident = segment.resident;
    this.#pins.set(segment, (this.#pins.get(segment) ?? 0) + 1);
    try {
      if (!wasResident) {
        const before = countsOf(segment);
        this.#settle(segment, before, segment.restore(store.readSync(segment.base)));
      }
    } catch (error) {
      // Its messages are looked at when they are needed.
      owner.loadFailed(segment, error);
    }
    look();
    const isAwaited = (this.#pins.get(segment) ?? 0) > 1;
    if (isAwaited && !wasResident && segment.resident) this.#tellUsers(segment);
    this.unpin(segment);
    if (!isAwaited && !wasResident && segment.resident) evict(segment);
  }

  #load(segment: Segment): void {
    if (this.#loading.has(segment) || !this.#isWanted(segment)) return;
    this.#loading.set(segment, this.#loadWhileWanted(segment));
  }

  async #loadWhileWanted(segment: Segment): Promise<void> {
    try {
      // Again, if it was given up and is wanted after all.
      while (this.#isWanted(segment)) {
        using _ = await this.#options.reads.take(segment.used);
        if (!this.#isWanted(segment)) continue;
        if (!await this.#read(segment)) return;
      }
    } finally {
      // Here, and not when the promise settles: who wants it in between would wait for ever.
      this.#loading.delete(segment);
    }
  }

  /** Reads a segment, as long as it is wanted; false when that did not work, and is to be tried again with `retry`. */
  async #read(segment: Segment): Promise<boolean> {
    const { store, segments, othersFirst } = this.#options;
    const before = countsOf(segment);
    let damages: readonly Damage[] | undefined;
    try {
      const steps = segment.restoring(await store.read(segment.base));
      while (!damages) {
        if (!this.#isWanted(segment)) return true;
        const { done, value } = steps.next();
        if (done) damages = value;
        else await othersFirst();
      }
    } catch (error) {
      if (!segments.has(segment) || segment.resident) return true;
      if (!this.#isLost(segment, error)) return false;
      // Channels go on without its messages, instead of waiting for ever.
      damages = segment.restore(emptyImage(segment.base));
    }
    this.#failures.delete(segment);
    // It stays while they look at it, also when whoever has wanted it does not any more.
    this.pin(segment);
    this.#settle(segment, before, damages);
    this.#tellUsers(segment);
    this.unpin(segment);
    return true;
  }

  /** True when a segment that could not be read never will be. That is told, or else why it could not be read now. */
  #isLost(segment: Segment, error: unknown): boolean {
    const { owner } = this.#options;
    if (error instanceof Deno.errors.NotFound) {
      owner.missing(segment);
      return true;
    }
    const failure = this.#failureOf(segment);
    if (isOfDisk(error)) failure.count++;
    const isHopeless = error instanceof SegmentFormatError || failure.count >= LOAD_ATTEMPTS_MAX;
    if (isHopeless && this.setAside(segment, segment.used, errorText(error))) return true;
    if (isNews(failure, error)) owner.loadFailed(segment, error);
    return false;
  }

  /** Tells everybody that a segment, which is pinned, is in memory, unless it has left the log. */
  #tellUsers(segment: Segment): void {
    if (!this.#options.segments.has(segment)) return;
    for (const user of [...segment.users]) user.loaded();
  }

  /** A segment that was just read: what is damaged in it is kept aside, once, and told. */
  #settle(segment: Segment, before: Counts, damages: readonly Damage[]): void {
    const { owner } = this.#options;
    const told = damages.filter((damage) => damage.torn || this.keepDamage(segment, damage));
    if (told.length > 0) owner.damaged(segment, told);
    const lost = before.isKnown ? before.messages - segment.messages : 0;
    if (lost > 0 || !before.isKnown) owner.changed(segment, { count: before.count, lost });
  }

  /** Keeps damaged bytes aside; false when that was done, and told, before. */
  keepDamage(segment: Segment, { offset, length }: Damage): boolean {
    const { store, owner } = this.#options;
    try {
      return store.keepDamage(segment.base, offset, segment.bytes.subarray(offset, offset + length));
    } catch (error) {
      owner.loadFailed(segment, error);
      return true;
    }
  }

  /** Puts a segment's file aside. False when that did not work: then it must stay where it is. */
  setAside(segment: Segment, length: number, reason: string): boolean {
    const { store, owner } = this.#options;
    try {
      store.setAside(segment.base);
    } catch (error) {
      if (isNews(this.#failureOf(segment), error)) owner.removeFailed(segment, error);
      return false;
    }
    owner.damaged(segment, [{ offset: 0, length, reason, torn: false }]);
    return true;
  }

  #failureOf(segment: Segment): Failure {
    const failure = this.#failures.get(segment) ?? { count: 0, told: new Set() };
    this.#failures.set(segment, failure);
    return failure;
  }

  #isWanted(segment: Segment): boolean {
    return this.#pins.has(segment) && !segment.resident && this.#options.segments.has(segment);
  }
}

/** Why a segment could not be read. */
interface Failure {
  /** How often in a row it was the disk. */
  count: number;
  /** What was said of it. */
  readonly told: Set<string>;
}

interface Counts {
  readonly count: number;
  readonly messages: number;
  readonly isKnown: boolean;
}

function countsOf({ count, messages, isCounted }: Segment): Counts {
  return { count, messages, isKnown: isCounted };
}

function evict(segment: Segment): void {
  for (const user of segment.users) user.leaving();
  segment.evict();
}

/** True when the error has not been told yet: it is once, however often it is tried again. */
function isNews({ told }: Failure, error: unknown): boolean {
  const text = errorText(error);
  if (told.has(text)) return false;
  told.add(text);
  return true;
}

/** True for what is a fault of the disk, or of what stands in the file's place, and no passing one. */
function isOfDisk(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EIO" || code === "EISDIR";
}

function emptyImage(base: number): Uint8Array {
  const image = new Uint8Array(SEGMENT_HEADER_LENGTH);
  writeHeader(image, base);
  return image;
}
