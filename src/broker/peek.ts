/**
 * Looking at the messages of a channel, or at those that are still the topic's own, in the order of their positions and
 * whatever their state. Nothing changes by that: no counter, no cursor, no place of a segment. What is in memory is looked at
 * there; of what is on disk only, parts are read, and forgotten.
 *
 * A place among the messages ({@linkcode PeekPoint}) stays good while messages come and go, because positions do.
 *
 * @module
 */

import type { Slice } from "../base/time_slice.ts";
import type { Segment } from "../log/segment.ts";
import type { MessagePlace } from "../log/message_reader.ts";
import type { TopicLog } from "../log/topic_log.ts";
import { type Channel, type MessageFact, type MessageState, stateOfSlot } from "./channel.ts";
import type { Page } from "./page.ts";
import type { Topic } from "./topic.ts";

/** Messages whose segment is not in memory that are read together, each on its own. */
const PLACES_MAX = 64;
/** Bytes of these, unless a single message is longer. */
const PLACES_BYTES_MAX = 256 * 1024;

/** Where looking goes on. */
export interface PeekPoint {
  /** The first message that has not been looked at. */
  readonly position: number;
  /** Where a batch lies in its segment's file that begins at or before it; 0 when that is not known. */
  readonly offset: number;
}

/** A message that is looked at; its segment may leave memory as soon as others have their turn. */
export interface PeekedMessage extends MessageFact {
  readonly segment: Segment;
  readonly index: number;
  readonly state: MessageState;
}

/** What looking has come to. */
export interface PeekEnd {
  /** Where it goes on; undefined at the end. */
  readonly next: PeekPoint | undefined;
  /** Messages that were looked at. */
  readonly looked: number;
  /** Segments of which something could not be read, and was passed over. */
  readonly unreadable: number;
}

/** Says of a message whether there may be more. */
export type See = (message: PeekedMessage) => boolean | Promise<boolean>;

/** What is looked at: the messages of one channel, or a topic's own. */
export interface PeekPlace {
  readonly log: TopicLog;
  /** The part of a segment that may have messages of these states, from the position on. */
  candidates(segment: Segment, states: ReadonlySet<MessageState>, from: number): Candidates | undefined;
  stateOf(message: Pick<MessageFact, "position" | "dueMs">): MessageState | undefined;
}

/** Messages [from, to) of a segment. */
export interface Candidates {
  readonly from: number;
  readonly to: number;
  /** Where the next ones lie, if the segment is not in memory, and these are all that can be of interest; none at its end. */
  readonly places?: readonly MessagePlace[];
}

/** The messages of a channel. */
export class ChannelPlace implements PeekPlace {
  readonly log: TopicLog;
  readonly #channel: Channel;

  constructor(topic: Topic, channel: Channel) {
    this.log = topic.log;
    this.#channel = channel;
  }

  candidates(segment: Segment, states: ReadonlySet<MessageState>, from: number): Candidates | undefined {
    const page = this.#channel.pageOf(segment.base);
    const whole = { from: 0, to: segment.count };
    if (page && states.has("parked") && page.parked > 0) return whole;
    const waiting = states.has("waiting") ? this.#waitingIn(segment) : undefined;
    if (!page || page.slots.size === 0) return waiting;
    const places = waiting || segment.resident ? undefined : this.#placesOf(page, states, from);
    return places ? { ...whole, places } : whole;
  }

  stateOf(message: Pick<MessageFact, "position" | "dueMs">): MessageState | undefined {
    return this.#channel.stateOf(message);
  }

  /** The part of the segment that the cursor has not passed, without what lies between. */
  #waitingIn({ base, end }: Segment): Candidates | undefined {
    const own = this.#channel.ranges.filter(({ from, to }) => from < end && to > base);
    if (own.length === 0) return undefined;
    return { from: Math.max(own[0].from - base, 0), to: Math.min(own[own.length - 1].to, end) - base };
  }

  /** Where the next messages lie, from the position on, that have slots of these states; undefined when that is not known. */
  #placesOf(page: Page, states: ReadonlySet<MessageState>, from: number): MessagePlace[] | undefined {
    const table = this.#channel.outstanding;
    const { base } = page.segment;
    const places: MessagePlace[] = [];
    let bytes = 0;
    for (const index of page.slots.indexes()) {
      const slot = page.slots.get(index);
      if (base + index < from || !states.has(stateOfSlot(table.state[slot]))) continue;
      const [offset, length] = [table.offset[slot], table.length[slot]];
      if (length === 0) return undefined;
      bytes += length;
      if (places.length > 0 && (places.length === PLACES_MAX || bytes > PLACES_BYTES_MAX)) break;
      places.push({ position: base + index, base, offset, length });
    }
    return places;
  }
}

/** What a topic has not passed to its channels. */
export class TopicPlace implements PeekPlace {
  readonly log: TopicLog;
  readonly #topic: Topic;

  constructor(topic: Topic) {
    this.log = topic.log;
    this.#topic = topic;
  }

  candidates({ base, committed }: Segment): Candidates | undefined {
    const from = Math.max(this.#topic.distributed - base, 0);
    return from < committed ? { from, to: committed } : undefined;
  }

  stateOf({ position, dueMs }: Pick<MessageFact, "position" | "dueMs">): MessageState | undefined {
    if (position < this.#topic.distributed || position >= this.log.committedEnd) return undefined;
    return dueMs > 0 ? "deferred" : "waiting";
  }
}

/** A look at messages. */
export class Peek {
  readonly #place: PeekPlace;
  readonly #states: ReadonlySet<MessageState>;
  readonly #slice: Slice;
  readonly #see: See;
  #looked = 0;
  #unreadable = 0;
  #point: PeekPoint;
  #ended = false;

  constructor(
    place: PeekPlace,
    options: { from: PeekPoint; states: ReadonlySet<MessageState>; slice: Slice; see: See },
  ) {
    this.#place = place;
    this.#states = options.states;
    this.#slice = options.slice;
    this.#see = options.see;
    this.#point = options.from;
  }

  /** Shows messages until it is told that these are enough, `isEnough` says so between them, or there are no more. */
  async run(isEnough: () => boolean): Promise<PeekEnd> {
    const { log } = this.#place;
    while (!this.#ended) {
      // Anew each time: the log may have changed.
      const segment = log.from(this.#point.position);
      if (!segment) return { next: undefined, ...this.#counts };
      await this.#lookIn(segment, isEnough);
      if (this.#slice.isOver) await this.#slice.next();
      if (isEnough()) break;
    }
    return { next: this.#point, ...this.#counts };
  }

  get #counts() {
    return { looked: this.#looked, unreadable: this.#unreadable };
  }

  /** Looks at the segment, or at a part of it. */
  async #lookIn(segment: Segment, isEnough: () => boolean): Promise<void> {
    const { base, end } = segment;
    const candidates = this.#place.candidates(segment, this.#states, this.#point.position);
    const position = Math.max(this.#point.position, base + (candidates?.from ?? 0));
    // Where no message is, there may be some later: an active segment is the last.
    if (!candidates || position >= base + candidates.to) return this.#pass(Math.max(end, base + 1));
    // What is known of the place is not of another segment.
    const hint = this.#point.position > base ? this.#point.offset : 0;
    this.#point = { position, offset: hint };
    if (segment.resident) {
      await this.#lookAt(segment, { to: candidates.to });
    } else if (candidates.places) {
      await this.#lookAtPlaces(segment, candidates.places, isEnough);
    } else {
      const { batches, isBroken } = await this.#place.log.readFrom(segment, position, hint);
      for (const { segment: batch, offset, length } of batches) {
        if (this.#point.position >= batch.end) continue;
        this.#point = { position: Math.max(this.#point.position, batch.base), offset };
        if (!await this.#lookThrough(batch, { to: batch.count, offset, length }, isEnough)) return;
      }
      if (isBroken && batches.length === 0) this.#unreadable++;
      if (batches.length === 0) this.#pass(end);
    }
  }

  /** Looks at the messages of a batch, which stays in memory while others have their turn; false when these are enough. */
  async #lookThrough(
    batch: Segment,
    part: { to: number; offset: number; length: number },
    isEnough: () => boolean,
  ): Promise<boolean> {
    while (!await this.#lookAt(batch, part)) {
      if (this.#ended) return false;
      if (this.#slice.isOver) await this.#slice.next();
      if (isEnough()) return false;
    }
    return true;
  }

  /** Looks at the messages of a segment in memory, or of a batch, from the point on; false when it has stopped before the end. */
  async #lookAt(
    segment: Segment,
    { to, offset = 0, length = 0 }: { to: number; offset?: number; length?: number },
  ): Promise<boolean> {
    while (this.#point.position < segment.base + to) {
      const { position } = this.#point;
      const index = position - segment.base;
      this.#point = { position: position + 1, offset };
      if (segment.has(index)) {
        this.#looked++;
        const fact = { position, dueMs: segment.dueMs(index), offset, length };
        const state = this.#place.stateOf(fact);
        if (state !== undefined && this.#states.has(state)) {
          const more = this.#see({ ...fact, segment, index, state });
          // After that nothing is as it was.
          if (typeof more !== "boolean") {
            this.#ended = !await more;
            return false;
          }
          if (!more) {
            this.#ended = true;
            return false;
          }
        }
      }
      if (this.#slice.isOver) return false;
    }
    return true;
  }

  /** Reads messages one by one, and looks at them. */
  async #lookAtPlaces(
    segment: Segment,
    places: readonly MessagePlace[],
    isEnough: () => boolean,
  ): Promise<void> {
    const read = await this.#place.log.readMessages(places);
    for (const { position, offset, length } of places) {
      const batch = read.get(position);
      if (!batch) this.#unreadable++;
      this.#point = { position, offset: 0 };
      const part = { to: batch ? position + 1 - batch.base : 0, offset, length };
      if (batch && !await this.#lookThrough(batch, part, isEnough)) return;
    }
    if (places.length === 0) this.#pass(segment.end);
    else this.#point = { position: places[places.length - 1].position + 1, offset: 0 };
  }

  #pass(end: number): void {
    this.#point = { position: end, offset: 0 };
  }
}
