/**
 * A channel: a cursor into its topic's log (cursor.ts), plus the exceptions to it (page.ts, outstanding.ts), and the
 * consumers that share its messages (nsqd/channel.go).
 *
 * ```
 *   log        [ finished ][ . . F . D . ][ . . . . P . ][ . . .
 *                              |   |     ^ cursor    |
 *                         in flight  deferred      parked
 * ```
 *
 * Every message is one of: waiting (at or after the cursor), in flight, deferred, parked (deferred for long), ready again,
 * or finished. All but the last are counted, so depth is never searched for. A message costs memory while it has a slot;
 * its bytes are in memory while its segment is, or else read on their own when it is about to be delivered.
 *
 * Synchronous, no I/O. Times that are arguments are of the monotonic clock; when a message is due, as its segment says it,
 * is a time of the wall clock, and becomes one of the monotonic clock with the message's slot.
 *
 * @module
 */

import type { Pace } from "../base/pace.ts";
import type { Segment } from "../log/segment.ts";
import type { MessagePlace } from "../log/message_reader.ts";
import type { PositionRange, TopicLog } from "../log/topic_log.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import { isEphemeral } from "../protocol/names.ts";
import { type Consumer, type FlightEnd, NEARNESS } from "./consumer.ts";
import { ConsumerTurns } from "./consumer_turns.ts";
import { Cursor, type CursorOwner } from "./cursor.ts";
import { ForeignIds } from "./foreign_ids.ts";
import type { Latency } from "./latency.ts";
import { NONE, type Outstanding, type SlotList, type SlotOwner, STATE } from "./outstanding.ts";
import { Page, type PageOwner } from "./page.ts";
import { PageList } from "./page_list.ts";
import { monotonicOf, Parking, type ParkingOwner, wallOf } from "./parking.ts";
import type { PumpBudget } from "./pump_budget.ts";
import { ReadAhead } from "./read_ahead.ts";
import type { SlotMap } from "./slot_map.ts";
import type { Retired } from "./retirement.ts";
import type { ChannelState, PageState, SlotState } from "./topic_state.ts";

/** Ready messages that are looked at to find those that should be read. */
const LOOK_AHEAD_MAX = 4096;
/** Rounds of `rest()` without a delivery after which a channel is not being read. */
const IDLE_ROUNDS = 2;

/** An answer of a consumer that does not fit the channel's state; the text is NSQ's. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/**
 * What has become of a delivery: who has the message by it, or
 * - `returned`: its time is over, or it was given back, and nobody has had the message since;
 * - `superseded`: the message was delivered again;
 * - `finished`: it is done, by whomever;
 * - `unknown`: there was no such delivery.
 */
export type DeliveryFate = Consumer | "returned" | "superseded" | "finished" | "unknown";

/** What a message is to a channel that has it: whatever is not due yet is `deferred` or, without a slot, `parked`. */
export type MessageState = "waiting" | "in_flight" | "deferred" | "parked";

/** A message that has a slot. */
export interface SlotFacts {
  readonly attempts: number;
  /** In flight: when it times out. Deferred: when it is due. By the monotonic clock. */
  readonly keyMs: number;
  readonly holder: Consumer | undefined;
}

/** A message as its segment has it. */
export interface MessageFact {
  readonly position: number;
  /** When it was to be due when it was published, in ms since 1970; 0 is at once. */
  readonly dueMs: number;
  /** Where its batch lies in its segment's file; 0 bytes when that is not known. */
  readonly offset: number;
  readonly length: number;
}

/** What a channel asks of, and tells, its topic. */
export interface ChannelOwner {
  readonly name: string;
  readonly log: TopicLog;
  readonly outstanding: Outstanding<Channel, Consumer>;
  /** How many parked messages get slots at a time. */
  readonly waking: Pace;
  /** Now by the wall clock, in ms since 1970. */
  nowMs(): number;
  /** Now by the monotonic clock, in ms. */
  monotonicMs(): number;
  /** The channel may be able to deliver. */
  wake(channel: Channel): void;
  /** What is saved of the channel is not as it was. */
  changed(): void;
  /** Less of the segment is needed than before. */
  left(segment: Segment): void;
  /** The channel was emptied: what it had is to be taken apart. */
  retire(retired: Retired): void;
  /** The last consumer of an ephemeral channel has gone. */
  deserted(channel: Channel): void;
}

/** Options that bound a channel. */
export interface ChannelLimits {
  /** 0 is no limit. */
  readonly maxChannelConsumers: number;
  /** The longest that a message may be in flight, however often it is touched. */
  readonly maxMsgTimeoutMs: number;
  /** Messages that an ephemeral channel keeps waiting. */
  readonly ephemeralDepthMax: number;
}

/** A channel of a topic. */
export class Channel implements SlotOwner, PageOwner, CursorOwner, ParkingOwner {
  readonly name: string;
  readonly ephemeral: boolean;
  /** Its number in the table of what is outstanding. */
  readonly ownerId: number;
  readonly outstanding: Outstanding<Channel, Consumer>;
  /** Time from publishing to FIN, when that is asked for. */
  readonly latency: Latency | undefined;
  readonly consumers = new Set<Consumer>();
  /** Requeued messages, to be delivered again. */
  readonly ready: SlotList = { head: NONE, tail: NONE };
  /** It may be able to deliver, and is to be asked in this turn; kept by the broker. */
  isAwake = false;
  inFlightCount = 0;
  /** Messages in flight to consumers whose messages are leased. */
  leasedCount = 0;
  messageCount = 0;
  requeueCount = 0;
  timeoutCount = 0;
  finishCount = 0;
  /** Messages for which an ephemeral channel had no room. */
  droppedCount = 0;
  zoneLocalMessageCount = 0;
  regionLocalMessageCount = 0;
  globalMessageCount = 0;

  readonly #topic: ChannelOwner;
  readonly #limits: ChannelLimits;
  #paused = false;
  #deleted = false;
  readonly #cursor: Cursor;
  readonly #pages = new PageList();
  /** The page that messages were delivered from last. */
  #page: Page | undefined;
  /** Of a page that has gone, for the next: it has grown to what is mostly in flight. */
  #spareSlots: SlotMap | undefined;
  #readyCount = 0;
  /** Deferred messages that have slots. */
  #deferredSlots = 0;
  readonly #parking: Parking;
  readonly #readAhead: ReadAhead;
  readonly #foreignIds = new ForeignIds();
  /** When messages in flight were published, by slot, as far as that is asked for. */
  readonly #publishedMs = new Map<number, number>();
  /** Consumers that went while messages were in flight to them. */
  readonly #departed = new Set<Consumer>();
  readonly #turns = new ConsumerTurns();
  /** Rounds of `rest()` since something was delivered. */
  #idleRounds = 0;

  constructor(
    options: { name: string; topic: ChannelOwner; limits: ChannelLimits; latency: Latency | undefined },
  ) {
    const { name, topic, limits, latency } = options;
    this.name = name;
    this.ephemeral = isEphemeral(name);
    this.latency = latency;
    this.outstanding = topic.outstanding;
    this.ownerId = topic.outstanding.owners.add(this);
    this.#topic = topic;
    this.#limits = limits;
    this.#cursor = new Cursor(topic.log, this);
    this.#parking = new Parking(topic, this);
    this.#readAhead = new ReadAhead(topic.log, (missing) => this.#wasRead(missing));
  }

  /** Messages that wait to be delivered. */
  get depth(): number {
    return this.#cursor.waiting + this.#readyCount;
  }

  /** Waiting messages that have a place in the store. */
  get backendDepth(): number {
    return this.#cursor.waiting - this.memoryDepth;
  }

  /** Waiting messages that are in memory only. */
  get memoryDepth(): number {
    return this.#cursor.waitingInMemory;
  }

  /** Messages that are not due yet. */
  get deferredCount(): number {
    return this.#deferredSlots + this.#parking.count;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * When the older one was published of the two messages that are first in line, the next that was never delivered and the
   * next that was requeued, in ms since 1970; undefined when nothing waits, or that is not known. It is exact while their
   * segments are in memory, and otherwise as if their messages had come evenly: nothing is read for it.
   */
  get oldestMs(): number | undefined {
    const { waiting, position } = this.#cursor;
    const { head } = this.ready;
    const times = [
      waiting > 0 ? publishedAt(this.#topic.log, position) : undefined,
      head !== NONE ? publishedAt(this.#topic.log, this.outstanding.position[head]) : undefined,
    ].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** What its cursor does not describe. */
  get pages(): readonly Page[] {
    return this.#pages.all;
  }

  /** What its cursor has not passed. */
  get ranges(): readonly PositionRange[] {
    return this.#cursor.ranges;
  }

  /** The page of the segment that begins at the position. */
  pageOf(base: number): Page | undefined {
    return this.#pages.of(base);
  }

  /** True when the bytes of a message that is ready are in memory. */
  isAtHand(position: number): boolean {
    const segment = this.#pages.at(position)?.segment;
    return segment !== undefined && (segment.resident || this.#readAhead.get(position) !== undefined);
  }

  /** It has messages in flight that have kept the ids of another queue: ask `positionOf()` which one an id means. */
  get hasForeignIds(): boolean {
    return !this.#foreignIds.isEmpty;
  }

  /** True when so many more messages can wait in it. */
  hasRoomFor(count: number): boolean {
    return !this.ephemeral || this.depth + count <= this.#limits.ephemeralDepthMax;
  }

  /** Stops delivery. */
  pause(): void {
    this.#paused = true;
    this.#rest();
  }

  /** Goes on with delivery. */
  unpause(): void {
    this.#paused = false;
    this.#topic.wake(this);
  }

  /** The consumer may be ready for more: messages are delivered at the end of the turn. */
  awake(consumer: Consumer): void {
    this.#turns.offer(consumer);
    this.#topic.wake(this);
  }

  /**
   * Takes the messages [from, to) of the segment as the channel's. It is in memory, or has neither holes nor deferred
   * messages, or it is taken as a whole and the channel has room for it.
   */
  extend(segment: Segment, from: number, to: number): void {
    const waiting = segment.waitingIn(from, to);
    const deferred = segment.deferredIn(from, to);
    this.messageCount += to - from;
    this.#cursor.extend(segment, from, to, waiting);
    if (deferred > 0) this.#parking.take(this.#pageOf(segment, from), { from, to, deferred });
    const surplus = this.ephemeral ? this.depth - this.#limits.ephemeralDepthMax : 0;
    // NSQ compat: an ephemeral channel keeps as many messages as fit in memory, and those that came first.
    if (surplus > 0) {
      this.#cursor.dropNewest(segment, from, surplus);
      this.droppedCount += surplus;
    }
    if (waiting > 0) this.#topic.wake(this);
    else this.#cursor.settle();
  }

  /**
   * Delivers to consumers, in turn, while there are messages and consumers ready for them.
   *
   * @returns false when it stopped at the end of the budget.
   */
  pump(nowMs: number, budget: PumpBudget): boolean {
    let isFirst = true;
    while (this.depth > 0 && !this.#paused) {
      if (budget.isSpent) return false;
      const consumer = this.#turns.next();
      const bytes = consumer ? this.#deliver(consumer, nowMs) : -1;
      if (bytes < 0) break;
      // Attempts are counted.
      if (isFirst) this.#topic.changed();
      isFirst = false;
      budget.spend(bytes);
    }
    if (!isFirst) this.#idleRounds = 0;
    this.#cursor.settle();
    return true;
  }

  /**
   * Position of the message that the consumer means by the 16 bytes of an id. `position` is what they say as an id of
   * this node; but a message that was taken over from another queue has kept the id that it had there.
   */
  positionOf(consumer: Consumer, id: Uint8Array, position: number): number {
    const holderOf = (position: number) => this.outstanding.holderOf(this.#slotAt(position));
    if (holderOf(position) !== undefined && !this.#foreignIds.has(position)) return position;
    return this.#foreignIds.of(id).find((position) => holderOf(position) === consumer) ?? position;
  }

  /** FIN: the consumer has done the message. */
  finish(consumer: Consumer, position: number, nowMs: number): void {
    const page = this.#pages.at(position);
    const slot = this.#owned(consumer, page, position);
    if (this.latency) {
      const publishedMs = this.#publishedMs.get(slot);
      if (publishedMs !== undefined) {
        this.latency.insert(Math.max(this.#topic.nowMs() - publishedMs, 0) * 1e6, nowMs);
      }
    }
    this.#endFlight(consumer, slot, "finished");
    consumer.finishCount++;
    this.finishCount++;
    this.outstanding.release(slot);
    if (page) {
      page.take(position - page.segment.base);
      this.#settlePage(page);
    }
    this.#topic.wake(this);
  }

  /** REQ: the consumer gives the message back, to be delivered again after `delayMs`. */
  requeue(consumer: Consumer, position: number, options: { delayMs: number; nowMs: number }): void {
    const slot = this.#owned(consumer, this.#pages.at(position), position);
    this.#endFlight(consumer, slot, "requeued");
    consumer.requeueCount++;
    this.requeueCount++;
    if (options.delayMs > 0) this.#defer(slot, options.nowMs + options.delayMs);
    else this.#makeReady(slot);
    this.#topic.wake(this);
  }

  /** TOUCH: the consumer needs more time, but never more than the longest timeout in all. Returns when that is over. */
  touch(consumer: Consumer, position: number, nowMs: number): number {
    const slot = this.#owned(consumer, this.#pages.at(position), position);
    const table = this.outstanding;
    const last = table.deliveredMs[slot] + this.#limits.maxMsgTimeoutMs;
    table.remove(consumer.inFlight, slot);
    table.key[slot] = Math.min(nowMs + consumer.msgTimeoutMs, last);
    table.insertByKey(consumer.inFlight, slot);
    return table.key[slot];
  }

  /** What has become of the delivery of a message that was the so-manyth, to a consumer whose messages are leased. */
  fateOf(position: number, attempt: number): DeliveryFate {
    const table = this.outstanding;
    const slot = this.#slotAt(position);
    if (slot === NONE) {
      const isThere = position >= 0 && position < this.#topic.log.end && !this.#mayWait(position);
      // What is parked has never been delivered.
      return isThere && !this.#isParked(position) ? "finished" : "unknown";
    }
    const attempts = table.attempts[slot];
    if (attempts !== attempt) return attempt < attempts ? "superseded" : "unknown";
    const holder = table.holderOf(slot);
    if (holder === undefined) return "returned";
    return holder.isLeased ? holder : "superseded";
  }

  /** Finishes a message that has a slot: of one that is ready again, or deferred, who had it last has done it all the same. */
  finishReturned(position: number): void {
    const page = this.#pages.at(position);
    if (!page) return;
    this.#readAhead.forget(position);
    this.#lose(page, position - page.segment.base);
    this.#settlePage(page);
    this.#topic.wake(this);
  }

  /** What a message is to the channel; undefined when it has finished it, or never had it. */
  stateOf({ position, dueMs }: Pick<MessageFact, "position" | "dueMs">): MessageState | undefined {
    const page = this.#pages.at(position);
    const index = page ? position - page.segment.base : 0;
    const slot = page ? page.slots.get(index) : NONE;
    if (slot !== NONE) return stateOfSlot(this.outstanding.state[slot]);
    if (page && page.parked > 0 && page.isParkedUntil(dueMs, index)) return "parked";
    return dueMs === 0 && this.#cursor.has(position) ? "waiting" : undefined;
  }

  /** What is known of a message that has a slot: who has it in flight, and until when, or when it is due. */
  outstandingAt(position: number): SlotFacts | undefined {
    const table = this.outstanding;
    const slot = this.#slotAt(position);
    if (slot === NONE) return undefined;
    return { attempts: table.attempts[slot], keyMs: table.key[slot], holder: table.holderOf(slot) };
  }

  /**
   * Drops a message that the channel has, as if it had been finished: a consumer that has it in flight cannot answer it any
   * more. False when too many that wait have been taken from between others.
   */
  discard(message: MessageFact): boolean {
    const { position } = message;
    const page = this.#pages.at(position);
    if (this.#slotAt(position) !== NONE) {
      this.finishReturned(position);
    } else if (this.stateOf(message) === "parked" && page) {
      this.#parking.takeOut(page, position - page.segment.base);
      this.#settlePage(page);
    } else {
      const segment = this.#topic.log.from(position);
      if (!segment || !this.#cursor.canTakeOut(position)) return false;
      this.#cursor.takeOut(segment, position);
    }
    this.#topic.changed();
    return true;
  }

  /**
   * Makes a message that the channel has the next that is delivered, whatever it is now: from a consumer that has it in flight
   * it is taken away. False as with `discard`.
   */
  hasten(message: MessageFact): boolean {
    const { position, offset, length } = message;
    const table = this.outstanding;
    const state = this.stateOf(message);
    let slot = this.#slotAt(position);
    if (slot !== NONE) {
      this.#unlist(slot);
      if (state === "in_flight") this.requeueCount++;
    } else {
      const segment = this.#topic.log.from(position);
      if (!segment || state === "waiting" && !this.#cursor.canTakeOut(position)) return false;
      const index = position - segment.base;
      const page = this.#pageOf(segment, index);
      slot = table.allocate(this.ownerId, position, 0);
      table.offset[slot] = offset;
      table.length[slot] = length;
      if (state === "parked") {
        this.#parking.takeOut(page, index, slot);
      } else {
        // First: what nobody needs leaves the log.
        page.put(index, slot);
        this.#cursor.takeOut(segment, position);
      }
    }
    table.state[slot] = STATE.ready;
    // Before whatever waits.
    table.key[slot] = 0;
    table.prepend(this.ready, slot);
    this.#readyCount++;
    this.#topic.wake(this);
    return true;
  }

  /** Takes back messages in flight whose time is over, `most` at most; returns how many. */
  expire(nowMs: number, most: number): number {
    let count = 0;
    for (const consumer of this.consumers) {
      if (consumer.inFlight.head !== NONE) count += this.#expireOf(consumer, nowMs, most - count);
    }
    for (const consumer of this.#departed) {
      count += this.#expireOf(consumer, nowMs, most - count);
      if (consumer.inFlight.head === NONE) this.#forgetDeparted(consumer);
    }
    return count;
  }

  due(slot: number): number {
    const table = this.outstanding;
    const position = table.position[slot];
    if (table.state[slot] === STATE.parked) {
      const page = this.#pages.of(position);
      if (page?.parkSlot === slot) {
        return this.#parking.due(page);
      }
    } else if (this.#slotAt(position) === slot) {
      this.#deferredSlots--;
      this.#makeReady(slot);
      this.#topic.wake(this);
      return 1;
    }
    // The channel was emptied, and its pages have not been taken apart: the slot is in no list any more.
    table.state[slot] = STATE.ready;
    return 0;
  }

  moved(from: number, to: number): boolean {
    const table = this.outstanding;
    const position = table.position[from];
    if (table.state[from] === STATE.parked) {
      const page = this.#pages.of(position);
      if (page?.parkSlot !== from) return false;
      page.parkSlot = to;
      return true;
    }
    if (this.#slotAt(position) !== from) return false;
    const page = this.#pages.at(position);
    page?.slots.replace(position - page.segment.base, to);
    const publishedMs = this.#publishedMs.get(from);
    if (publishedMs !== undefined) {
      this.#publishedMs.delete(from);
      this.#publishedMs.set(to, publishedMs);
    }
    return true;
  }

  /**
   * Adds a consumer.
   *
   * @throws {ChannelError} When there are as many as there may be, or the channel is being deleted.
   */
  addConsumer(consumer: Consumer): void {
    if (this.#deleted) throw new ChannelError("exiting");
    const { maxChannelConsumers } = this.#limits;
    if (maxChannelConsumers !== 0 && this.consumers.size >= maxChannelConsumers) {
      throw new ChannelError(
        `consumers for ${this.#topic.name}:${this.name} exceeds limit of ${maxChannelConsumers}`,
      );
    }
    this.consumers.add(consumer);
    consumer.holderId = this.outstanding.holders.add(consumer);
    this.#turns.offer(consumer);
  }

  /** Removes a consumer; NSQ compat: its messages in flight wait for their timeout. */
  removeConsumer(consumer: Consumer): void {
    if (!this.consumers.delete(consumer)) return;
    consumer.readyCount = 0;
    this.#turns.remove(consumer);
    if (consumer.inFlight.head !== NONE) this.#departed.add(consumer);
    else this.outstanding.holders.remove(consumer.holderId);
    // A deleted one has left its name to another.
    if (this.consumers.size === 0 && this.ephemeral && !this.#deleted) this.#topic.deserted(this);
  }

  /** Drops every message, whatever its state. */
  empty(): void {
    const pages = this.#pages.clear();
    for (const page of pages) page.isRetired = true;
    this.#page = undefined;
    for (const consumer of [...this.consumers, ...this.#departed]) {
      consumer.inFlight.head = consumer.inFlight.tail = NONE;
      consumer.inFlightCount = 0;
      consumer.observer?.emptied();
      this.#turns.offer(consumer);
    }
    for (const consumer of this.#departed) this.#forgetDeparted(consumer);
    this.ready.head = this.ready.tail = NONE;
    this.#readyCount =
      this.inFlightCount =
      this.leasedCount =
      this.#deferredSlots =
      this.#parking.count =
        0;
    this.#readAhead.clear();
    this.#foreignIds.clear();
    this.#publishedMs.clear();
    this.#topic.retire({ pages, ranges: this.#cursor.clear(), owner: this.#deleted ? this.ownerId : NONE });
    this.#topic.wake(this);
  }

  /** Drops every message and ends the connections of the consumers. */
  delete(): void {
    this.#deleted = true;
    this.closeConsumers();
    this.empty();
  }

  /** Ends the connections of the consumers. */
  closeConsumers(): void {
    for (const consumer of this.consumers) consumer.sink.close();
  }

  /** Gives back what is in memory for reading if nobody reads; to be called now and then. */
  rest(): void {
    this.#idleRounds++;
    if (!this.#isRead()) this.#rest();
  }

  /** No message is added to the segment any more. */
  sealed(segment: Segment): void {
    this.#cursor.sealed(segment);
    const page = this.#pages.of(segment.base);
    if (page) this.#settlePage(page);
  }

  /** The segment, in memory now, has not the messages that it was taken to have; it was taken to have so many positions. */
  segmentChanged(segment: Segment, countBefore: number): void {
    const page = this.#pages.of(segment.base);
    if (page) this.#loseHoles(page);
    // What it has passed now it may leave.
    this.#cursor.recount(segment, countBefore);
    if (page) this.#settlePage(page);
    // Other messages may be the next.
    this.#topic.wake(this);
  }

  deferred(position: number, attempts: number, dueMs: number): number {
    const slot = this.outstanding.allocate(this.ownerId, position, attempts);
    this.#defer(slot, monotonicOf(dueMs, this.#topic));
    return slot;
  }

  looked(page: Page): void {
    this.#settlePage(page);
    this.#topic.changed();
  }

  passed(segment: Segment): void {
    const page = this.#pages.of(segment.base);
    if (page) this.#settlePage(page);
    else this.#topic.left(segment);
  }

  readable(): void {
    this.#topic.wake(this);
  }

  pageLoaded(page: Page): void {
    this.#parking.loaded(page);
    // Where its messages lie is noted when the segment leaves memory again.
    if (page.isLocating) this.#topic.log.unpin(page.segment);
    page.isLocating = false;
    if (page.segment.holes > 0) {
      // After a crash the saved state may speak of what was finished, and left out, since it was saved.
      this.#loseHoles(page);
    }
    this.#settlePage(page);
    this.#topic.wake(this);
  }

  pageReplaced(page: Page): void {
    this.pageLoaded(page);
  }

  pageReleased(page: Page): void {
    this.#dropPage(page);
  }

  /** What must be known to go on after a restart. What it says of pages is asked for later, but for those that come. */
  state(): ChannelState {
    const ranges = this.#cursor.ranges.map(({ from, to }) => ({ from, to }));
    return { name: this.name, ranges, pages: this.#pageStates([...this.#pages.all]) };
  }

  /** Goes on where `state` ended: takes what it says of that which lies below `distributed`. */
  restore(state: ChannelState, { distributed }: { distributed: number }): void {
    const { log } = this.#topic;
    const ranges: PositionRange[] = [];
    let waiting = 0;
    let last: Segment | undefined;
    for (const { from, to } of state.ranges) {
      const end = Math.min(to, distributed);
      for (const segment of log.allFrom(from)) {
        if (segment.base >= end) break;
        const first = Math.max(from - segment.base, 0);
        waiting += log.waitingIn(segment, first, Math.min(end - segment.base, segment.count));
        if (segment !== last) segment.ahead++;
        last = segment;
      }
      if (from < end) ranges.push({ from, to: end });
    }
    this.#cursor.adopt(ranges, waiting);
    for (const page of state.pages) this.#restorePage(page, distributed);
    this.#cursor.settle();
  }

  /** Gives one message to the consumer; returns its bytes, or -1 when none can be given now. */
  #deliver(consumer: Consumer, nowMs: number): number {
    const cursor = this.#cursor;
    const segment = cursor.waiting > 0 ? cursor.front() : undefined;
    const ready = this.ready.head;
    // Requeued messages go to the end of the line, as in NSQ: behind what had come when they were requeued.
    if (ready !== NONE && (cursor.waiting === 0 || this.outstanding.key[ready] <= cursor.position)) {
      const bytes = this.#deliverReady(consumer, ready, nowMs);
      if (bytes >= 0) return bytes;
    }
    if (!segment) return -1;
    const index = cursor.take(segment);
    if (consumer.sampleRate > 0 && !sampled(consumer.sampleRate)) return 0;
    const page = this.#page?.segment === segment ? this.#page : this.#pageOf(segment, index);
    // The saved state may have had it as waiting and as requeued, when it was requeued while that was written.
    if (page.isRestored && page.slots.get(index) !== NONE) return 0;
    const slot = this.outstanding.allocate(this.ownerId, segment.base + index, 0);
    page.put(index, slot);
    return this.#beginFlight(consumer, slot, { segment, index, nowMs });
  }

  /** As `#deliver`, for the message that is ready first. */
  #deliverReady(consumer: Consumer, slot: number, nowMs: number): number {
    const table = this.outstanding;
    const position = table.position[slot];
    const page = this.#pages.at(position);
    if (!page) throw new Error("A message that is ready is in no page");
    const segment = page.segment.resident ? page.segment : this.#readAhead.get(position);
    if (!segment) {
      this.#readAhead.request(this.#placesOfReady());
      return -1;
    }
    table.remove(this.ready, slot);
    this.#readyCount--;
    if (segment !== page.segment) {
      this.#readAhead.forget(position);
      if (this.#readAhead.isLow) this.#readAhead.request(this.#placesOfReady());
    }
    if (consumer.sampleRate > 0 && !sampled(consumer.sampleRate)) {
      table.release(slot);
      page.take(position - page.segment.base);
      this.#settlePage(page);
      return 0;
    }
    return this.#beginFlight(consumer, slot, { segment, index: position - segment.base, nowMs });
  }

  #beginFlight(
    consumer: Consumer,
    slot: number,
    { segment, index, nowMs }: { segment: Segment; index: number; nowMs: number },
  ): number {
    const table = this.outstanding;
    const idAt = segment.foreignId(index);
    if (idAt > 0) {
      this.#foreignIds.add(segment.base + index, segment.bytes.subarray(idAt, idAt + MESSAGE_ID_LENGTH));
      // Before the first delivery it may not have been in memory.
      if (table.attempts[slot] === 0) table.attempts[slot] = segment.earlierAttempts(index);
    }
    table.countAttempt(slot);
    table.state[slot] = STATE.inFlight;
    table.holder[slot] = consumer.holderId;
    table.deliveredMs[slot] = nowMs;
    table.key[slot] = nowMs + consumer.msgTimeoutMs;
    table.insertByKey(consumer.inFlight, slot);
    this.inFlightCount++;
    if (consumer.isLeased) this.leasedCount++;
    if (consumer.nearness === NEARNESS.global) this.globalMessageCount++;
    else if (consumer.nearness === NEARNESS.region) this.regionLocalMessageCount++;
    else this.zoneLocalMessageCount++;
    consumer.inFlightCount++;
    consumer.messageCount++;
    if (this.latency) this.#publishedMs.set(slot, segment.timestampMs(index));
    if (consumer.observer !== undefined) consumer.observer.began(segment, index, table.attempts[slot]);
    return consumer.sink.send(segment, index, table.attempts[slot]);
  }

  /** Nothing is in flight any more to a consumer that has gone. */
  #forgetDeparted(consumer: Consumer): void {
    this.#departed.delete(consumer);
    this.outstanding.holders.remove(consumer.holderId);
  }

  /** Takes the slot out of the consumer's list; the caller says what becomes of it. */
  #endFlight(consumer: Consumer, slot: number, how: FlightEnd): void {
    const table = this.outstanding;
    if (consumer.observer !== undefined) consumer.observer.ended(table.position[slot], how);
    table.remove(consumer.inFlight, slot);
    this.inFlightCount--;
    if (consumer.isLeased) this.leasedCount--;
    consumer.inFlightCount--;
    if (!this.#foreignIds.isEmpty) this.#foreignIds.remove(table.position[slot]);
    if (this.latency) this.#publishedMs.delete(slot);
    this.#turns.offer(consumer);
  }

  #expireOf(consumer: Consumer, nowMs: number, most: number): number {
    const table = this.outstanding;
    let count = 0;
    for (let slot = consumer.inFlight.head; slot !== NONE && count < most; slot = consumer.inFlight.head) {
      if (table.key[slot] > nowMs) break;
      this.#endFlight(consumer, slot, "timedOut");
      this.timeoutCount++;
      this.#makeReady(slot);
      count++;
    }
    if (count > 0) this.#topic.wake(this);
    return count;
  }

  /** Puts a message at the end of the line. */
  #makeReady(slot: number): void {
    const table = this.outstanding;
    table.state[slot] = STATE.ready;
    table.key[slot] = this.#topic.log.end;
    table.append(this.ready, slot);
    this.#readyCount++;
  }

  #defer(slot: number, dueMs: number): void {
    const table = this.outstanding;
    this.#deferredSlots++;
    table.state[slot] = STATE.deferred;
    table.key[slot] = dueMs;
    table.defer(slot);
  }

  /** Where the next ready messages lie whose segments are not in memory. */
  *#placesOfReady(): Generator<MessagePlace> {
    const table = this.outstanding;
    let looked = 0;
    for (let slot = this.ready.head; slot !== NONE && looked++ < LOOK_AHEAD_MAX; slot = table.next(slot)) {
      const position = table.position[slot];
      const page = this.#pages.at(position);
      if (!page || page.segment.resident) continue;
      const [offset, length] = [table.offset[slot], table.length[slot]];
      if (length === 0) this.#locate(page);
      else yield { position, base: page.segment.base, offset, length };
    }
  }

  /** Messages were read, but for those that were not where they should be. */
  #wasRead(missing: readonly number[]): void {
    for (const position of missing) {
      const page = this.#pages.at(position);
      const slot = this.#slotAt(position);
      if (!page || slot === NONE) continue;
      this.outstanding.length[slot] = 0;
      this.#locate(page);
    }
    this.#topic.wake(this);
  }

  /** Has the page's segment read, to find where its messages lie, and what is wrong with it. */
  #locate(page: Page): void {
    if (page.isLocating || page.segment.resident) return;
    page.isLocating = true;
    this.#topic.log.pin(page.segment);
  }

  /** The page of the segment, which is made if there is none; the messages before `start` may not be the channel's. */
  #pageOf(segment: Segment, start: number): Page {
    let page = this.#pages.of(segment.base);
    if (!page) {
      page = new Page(this, segment, { start, slots: this.#spareSlots });
      this.#spareSlots = undefined;
      this.#pages.add(page);
    }
    return this.#page = page;
  }

  /** The page may be at its end, and its segment, too. */
  #settlePage(page: Page): void {
    const { segment } = page;
    // The next message of the segment is mostly delivered at once.
    const isPassed = segment.sealed && segment !== this.#cursor.segment;
    if (isPassed) {
      if (page.unfinished === 0) this.#dropPage(page);
      else page.slots.trim();
    }
    this.#topic.left(segment);
  }

  #dropPage(page: Page): void {
    this.#parking.forget(page);
    this.#pages.remove(page);
    if (this.#page === page) this.#page = undefined;
    if (page.slots.size === 0) this.#spareSlots = page.slots;
    page.detach();
  }

  /** True when the message, which has no slot, is parked, as far as that is known without reading. */
  #isParked(position: number): boolean {
    const page = this.#pages.at(position);
    return page !== undefined && page.parked > 0 && page.segment.resident &&
      page.isParked(position - page.segment.base);
  }

  /** True when the message, which has no slot, waits, as far as that is known without reading: it may be a deferred one. */
  #mayWait(position: number): boolean {
    const segment = this.#cursor.has(position) ? this.#topic.log.from(position) : undefined;
    if (!segment || segment.deferred === 0) return segment !== undefined;
    return segment.resident && segment.dueMs(position - segment.base) === 0;
  }

  /** Messages of the page, whose segment is in memory, are gone that have slots or were parked. */
  #loseHoles(page: Page): void {
    for (const index of page.slots.indexes()) {
      if (!page.segment.has(index)) this.#lose(page, index);
    }
    this.#parking.recount(page);
  }

  /** The message, which has a slot, is lost. */
  #lose(page: Page, index: number): void {
    const slot = page.slots.get(index);
    this.#unlist(slot);
    this.outstanding.release(slot);
    page.take(index);
  }

  /** Takes the slot of a message out of the list, or the heap, that it is in. */
  #unlist(slot: number): void {
    const table = this.outstanding;
    const holder = table.holderOf(slot);
    if (holder) {
      this.#endFlight(holder, slot, "dropped");
    } else if (table.state[slot] === STATE.ready) {
      table.remove(this.ready, slot);
      this.#readyCount--;
    } else {
      table.undefer(slot);
      this.#deferredSlots--;
    }
  }

  /** The slot of the message at the position, or `NONE`. */
  #slotAt(position: number): number {
    const page = this.#pages.at(position);
    return page ? page.slots.get(position - page.segment.base) : NONE;
  }

  /** The slot of a message of the page that is in flight to the consumer. */
  #owned(consumer: Consumer, page: Page | undefined, position: number): number {
    const table = this.outstanding;
    const slot = page ? page.slots.get(position - page.segment.base) : NONE;
    if (slot === NONE || table.state[slot] !== STATE.inFlight) throw new ChannelError("ID not in flight");
    if (table.holder[slot] !== consumer.holderId) throw new ChannelError("client does not own message");
    return slot;
  }

  /** Somebody takes messages, or would if they were there; a consumer that is busy for long does not. */
  #isRead(): boolean {
    if (this.#paused) return false;
    for (const consumer of this.consumers) {
      if (consumer.ready || consumer.readyCount > 0 && this.#idleRounds <= IDLE_ROUNDS) return true;
    }
    return false;
  }

  #rest(): void {
    this.#spareSlots = undefined;
    this.#cursor.rest();
    this.#readAhead.clear();
  }

  *#pageStates(pages: readonly Page[]): Generator<PageState> {
    for (const page of pages) {
      // What is in memory only is lost with the program, unless it was saved before.
      if (page.isRetired || page.unfinished === 0 || page.segment.written === 0) continue;
      const { segment: { base }, start, end, parked, woken } = page;
      const nextDueMs = this.#parking.nextDueMs(page);
      const taken = [...page.taken].sort((a, b) => a - b);
      yield { base, start, end, parked, nextDueMs, woken, taken, slots: this.#slotStates(page) };
    }
  }

  #slotStates({ segment, slots }: Page): SlotState[] {
    const table = this.outstanding;
    return Array.from(slots.indexes(), (index) => {
      const slot = slots.get(index);
      const isDeferred = table.state[slot] === STATE.deferred;
      const isThere = segment.resident && segment.stored;
      const offset = isThere ? segment.batchOffset(index) : table.offset[slot];
      const length = isThere ? segment.batchLength(offset) : table.length[slot];
      const dueMs = isDeferred ? wallOf(table.key[slot], this.#topic) : 0;
      return { index, attempts: table.attempts[slot], dueMs, offset, length };
    });
  }

  #restorePage(state: PageState, distributed: number): void {
    const { base, parked, unparked = [] } = state;
    const { log } = this.#topic;
    const segment = log.from(base);
    if (segment?.base !== base || base >= distributed) return;
    // The page was written some time after `distributed`: what came in between is the channel's again, and not to be twice.
    const end = Math.min(state.end, distributed - base, segment.count);
    const isAsked = unparked.length > 0 || parked > 0 && end < state.end;
    // Only its messages say when these are due. What is found to be missing of them is known before there is a page.
    if (isAsked) log.lookAt(segment, () => this.#restorePageOf(segment, { ...state, end }, distributed));
    else this.#restorePageOf(segment, { ...state, end }, distributed);
  }

  #restorePageOf(segment: Segment, state: PageState, distributed: number): void {
    const { start, end, parked, nextDueMs, woken, taken, slots, unparked = [] } = state;
    const page = this.#pageOf(segment, start);
    page.isRestored = true;
    page.woken = woken;
    page.end = end;
    for (const index of taken) page.taken.add(index);
    for (const state of slots) {
      if (segment.base + state.index < distributed) this.#restoreSlot(page, state);
    }
    this.#parking.restore(page, segment.isUnread ? parked : Math.min(parked, segment.deferred), nextDueMs);
    // It was read because its end is missing: what the state says is parked may not be there.
    if (segment.resident) this.#parking.recount(page);
    for (const { from, to } of unparked) {
      for (let index = from; index < Math.min(to, segment.count); index++) {
        this.#restoreParked(page, index, nextDueMs);
      }
    }
    if (page.unfinished === 0) this.#dropPage(page);
  }

  #restoreSlot(page: Page, { index, attempts, dueMs, offset, length }: SlotState): void {
    const { segment } = page;
    if (index >= segment.count || page.slots.get(index) !== NONE) return;
    if (segment.resident && !segment.has(index)) return;
    const table = this.outstanding;
    const slot = table.allocate(this.ownerId, segment.base + index, attempts);
    table.offset[slot] = offset;
    table.length[slot] = length;
    page.put(index, slot);
    if (dueMs > 0) this.#defer(slot, monotonicOf(dueMs, this.#topic));
    else this.#makeReady(slot);
  }

  /** A message that was parked and gets a slot. Where its segment cannot be read, it is due as early as the first one. */
  #restoreParked(page: Page, index: number, firstDueMs: number): void {
    const { segment } = page;
    if (index >= segment.count || page.slots.get(index) !== NONE) return;
    if (segment.resident && !segment.has(index)) return;
    const dueMs = segment.resident ? segment.dueMs(index) : firstDueMs;
    page.put(index, this.deferred(segment.base + index, 0, dueMs));
  }
}

/** What a message with a slot is. */
export function stateOfSlot(state: number): MessageState {
  if (state === STATE.inFlight) return "in_flight";
  return state === STATE.ready ? "waiting" : "deferred";
}

/** Unlike NSQ, which delivers N+1 of 100 messages at a sample rate of N. */
function sampled(rate: number): boolean {
  return Math.random() * 100 < rate;
}

/** When the first message at or behind the position was published that waits, as far as that is known. */
function publishedAt(log: TopicLog, position: number): number | undefined {
  const segment = log.from(position);
  return segment?.waitingSinceMs(Math.max(position - segment.base, 0));
}
