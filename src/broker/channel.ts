/**
 * A channel: a cursor into its topic's log, plus the exceptions to it (src/broker/outstanding.ts), and the
 * consumers that share its messages (nsqd/channel.go).
 *
 * ```
 *   pages      [ done ][ . . F . D . ][ . . . . . . ][ . . .
 *                          |   |     ^ cursor
 *                     in flight  deferred
 * ```
 *
 * Every message of a page is one of: waiting (at or after the cursor), in flight, deferred, ready again, or
 * finished. Each of the first four is counted, so depth is never searched for. Synchronous, no I/O; times
 * are arguments.
 *
 * @module
 */

import type { Quantile } from "../base/quantile.ts";
import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import { isEphemeral } from "../protocol/names.ts";
import {
  type ChannelState,
  decodePage,
  encodeFinishedPage,
  type PageRecord,
  type PageState,
} from "./topic_state.ts";
import { type Consumer, NEARNESS } from "./consumer.ts";
import { ConsumerTurns } from "./consumer_turns.ts";
import { NONE, type Outstanding, type SlotList, STATE } from "./outstanding.ts";
import { FINISHED, Page, PARKED, UNTOUCHED } from "./page.ts";
import { PageList } from "./page_list.ts";
import type { Segment } from "../log/segment.ts";
import type { TopicLog } from "../log/topic_log.ts";

/** A message that is deferred for longer than this when it is published is parked: it gets no slot yet. */
const PARK_BEYOND_MS = 60_000;
/** Parked messages are looked at this long before the first of them is due; it takes time to read them back. */
const PARK_LEAD_MS = 10_000;

/** An answer of a consumer that does not fit the channel's state; the text is NSQ's. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** What a channel asks of, and tells, its topic. */
export interface ChannelOwner {
  readonly name: string;
  readonly log: TopicLog;
  readonly outstanding: Outstanding;
  /** The channel may be able to deliver. */
  wake(channel: Channel): void;
  /** What is saved of the channel is not as it was. */
  changed(): void;
  /** The channel needs nothing of the segment any more. */
  leave(segment: Segment): void;
  /** Everything that was added to the segment so far is finished for the channel. */
  drained(segment: Segment): void;
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
export class Channel {
  readonly name: string;
  readonly ephemeral: boolean;
  /** Time from publishing to FIN, when percentiles of it are asked for. */
  readonly latency: Quantile | undefined;
  readonly consumers = new Set<Consumer>();
  inFlightCount = 0;
  deferredCount = 0;
  messageCount = 0;
  requeueCount = 0;
  timeoutCount = 0;
  zoneLocalMessageCount = 0;
  regionLocalMessageCount = 0;
  globalMessageCount = 0;
  /** It has delivered messages that have kept the ids of another queue: ask `positionOf()` which one an id means. */
  hasForeignIds = false;

  readonly #topic: ChannelOwner;
  readonly #limits: ChannelLimits;
  #paused = false;
  #deleted = false;
  readonly #pages: PageList;
  /** Messages at or after the cursor that have no other state. */
  #waiting = 0;
  /** Requeued messages, to be delivered again. */
  readonly #ready: SlotList = { head: NONE, tail: NONE };
  #readyCount = 0;
  /** Consumers that went while messages were in flight to them. */
  readonly #departed = new Set<Consumer>();
  readonly #turns = new ConsumerTurns();
  constructor(
    options: { name: string; topic: ChannelOwner; limits: ChannelLimits; latency: Quantile | undefined },
  ) {
    this.name = options.name;
    this.ephemeral = isEphemeral(options.name);
    this.latency = options.latency;
    this.#topic = options.topic;
    this.#pages = new PageList(options.topic.log);
    this.#limits = options.limits;
  }

  /** Messages that wait to be delivered. */
  get depth(): number {
    return this.#waiting + this.#readyCount;
  }

  /** Waiting messages that have a place in the store. */
  get backendDepth(): number {
    return this.#pages.waitingWhere((segment) => segment.stored);
  }

  /** Waiting messages that are in memory only. */
  get memoryDepth(): number {
    return this.#pages.waitingWhere((segment) => !segment.stored);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Stops delivery. */
  pause(): void {
    this.#paused = true;
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

  /** Moves the cursor on to the first message that waits: what it has passed needs not be in memory. */
  advance(): void {
    this.#pages.firstUntouched();
  }

  /** Takes the messages [from, to) of the segment as the channel's. */
  extend(segment: Segment, { from, to, nowMs }: { from: number; to: number; nowMs: number }): void {
    let page = this.#pages.last;
    if (page?.segment !== segment) {
      page = new Page(segment, from);
      this.#pages.push(page);
    }
    page.end = to;
    this.messageCount += to - from;
    let waiting = to - from;
    if (segment.deferred > 0 && segment.resident) waiting -= this.#defer(page, from, nowMs);
    this.#waiting += waiting;
    if (this.ephemeral && this.depth > this.#limits.ephemeralDepthMax) this.#dropNewest(page, from, to);
    if (segment.holes > 0 && segment.resident) this.loaded(segment, nowMs);
    if (waiting > 0) this.#topic.wake(this);
  }

  /** The topic's own messages were dropped: the rest of a segment that the channel has begun does not come. */
  passOver(): void {
    const page = this.#pages.last;
    if (!page) return;
    const from = page.end;
    page.end = page.segment.committed;
    for (let i = from; i < page.end; i++) page.finish(i);
    this.#checkDone(page);
  }

  /**
   * Delivers to consumers, in turn, while there are messages and consumers ready for them.
   *
   * @returns false when it stopped at `most` messages.
   */
  pump(nowMs: number, most: number): boolean {
    for (let delivered = 0; this.depth > 0 && !this.#paused; delivered++) {
      if (delivered === most) return false;
      // Attempts are counted.
      if (delivered === 0) this.#topic.changed();
      const consumer = this.#turns.next();
      if (!consumer || !this.#deliver(consumer, nowMs)) break;
    }
    return true;
  }

  /**
   * Position of the message that the consumer means by the 16 bytes of an id. `position` is what they say as an id of
   * this node; but a message that was taken over from another queue has kept the id that it had there.
   */
  positionOf(consumer: Consumer, id: Uint8Array, position: number): number {
    if (this.#isInFlight(position) && this.#foreignIdAt(position) === undefined) return position;
    const table = this.#topic.outstanding;
    for (let slot = consumer.inFlight.head; slot !== NONE; slot = table.next(slot)) {
      const foreign = this.#foreignIdAt(table.position[slot]);
      if (foreign?.every((byte, i) => byte === id[i])) return table.position[slot];
    }
    return position;
  }

  /** FIN: the consumer has done the message. */
  finish(consumer: Consumer, position: number, nowMs: number): void {
    const page = this.#owned(consumer, position);
    const index = position - page.segment.base;
    if (this.latency && page.segment.resident) {
      const { segment } = page;
      const publishedMs = segment.timestampHigh(index) * (2 ** 32 / 1e6) + segment.timestampLow(index) / 1e6;
      this.latency.insert(Math.max(nowMs - publishedMs, 0) * 1e6, nowMs);
    }
    this.#endFlight(consumer, page.state(index) - 1);
    this.#pages.unpin(page);
    consumer.finishCount++;
    this.#forget(page, index);
    this.#topic.wake(this);
  }

  /** REQ: the consumer gives the message back, to be delivered again after `delayMs`. */
  requeue(consumer: Consumer, position: number, options: { delayMs: number; nowMs: number }): void {
    const page = this.#owned(consumer, position);
    const slot = page.state(position - page.segment.base) - 1;
    this.#endFlight(consumer, slot);
    consumer.requeueCount++;
    this.requeueCount++;
    page.changed();
    if (options.delayMs > 0) {
      this.#deferSlot(slot, options.nowMs + options.delayMs);
      this.#pages.unpin(page);
    } else {
      this.#makeReady(slot);
    }
    this.#topic.wake(this);
  }

  /** TOUCH: the consumer needs more time, but never more than the longest timeout in all. */
  touch(consumer: Consumer, position: number, nowMs: number): void {
    const page = this.#owned(consumer, position);
    const table = this.#topic.outstanding;
    const slot = page.state(position - page.segment.base) - 1;
    const last = table.deliveredMs[slot] + this.#limits.maxMsgTimeoutMs;
    table.remove(consumer.inFlight, slot);
    table.key[slot] = Math.min(nowMs + consumer.msgTimeoutMs, last);
    table.insertByKey(consumer.inFlight, slot);
  }

  /** Takes back the messages in flight whose time is over. */
  expire(nowMs: number): void {
    for (const consumer of this.consumers) this.#expireOf(consumer, nowMs);
    for (const consumer of this.#departed) {
      this.#expireOf(consumer, nowMs);
      if (consumer.inFlight.head === NONE) this.#departed.delete(consumer);
    }
  }

  /** The deferred message of the slot, which is in no list now, is due; or it is time to look at parked ones. */
  due(slot: number, nowMs: number): void {
    const table = this.#topic.outstanding;
    const page = this.#pages.at(table.position[slot]);
    if (!page) throw new Error("A deferred message is in no page");
    this.#pages.pin(page);
    if (table.state[slot] === STATE.parked) {
      table.release(slot);
      page.parkSlot = NONE;
      page.waking = true;
      if (page.segment.resident) this.#wakeParked(page, nowMs);
      return;
    }
    this.deferredCount--;
    page.changed();
    this.#makeReady(slot);
    this.#topic.wake(this);
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
    this.#turns.offer(consumer);
  }

  /** Removes a consumer; NSQ compat: its messages in flight wait for their timeout. */
  removeConsumer(consumer: Consumer): void {
    if (!this.consumers.delete(consumer)) return;
    consumer.readyCount = 0;
    this.#turns.remove(consumer);
    if (consumer.inFlight.head !== NONE) this.#departed.add(consumer);
    // A deleted one has left its name to another.
    if (this.consumers.size === 0 && this.ephemeral && !this.#deleted) this.#topic.deserted(this);
  }

  /** Drops every message, whatever its state. */
  empty(): void {
    const table = this.#topic.outstanding;
    const pages = this.#pages.clear();
    for (const page of pages) {
      for (const slot of page.slots()) {
        if (table.state[slot] === STATE.deferred) table.undefer(slot);
        table.release(slot);
      }
      this.#forgetParking(page);
    }
    for (const consumer of [...this.consumers, ...this.#departed]) {
      consumer.inFlight.head = consumer.inFlight.tail = NONE;
      consumer.inFlightCount = 0;
      this.#turns.offer(consumer);
    }
    this.#departed.clear();
    this.#ready.head = this.#ready.tail = NONE;
    this.#readyCount =
      this.#waiting =
      this.inFlightCount =
      this.deferredCount =
        0;
    for (const page of pages) this.#topic.leave(page.segment);
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

  /** Another segment holds the same messages now. */
  replaceSegment(segment: Segment, copy: Segment): void {
    const page = this.pageOf(segment);
    if (page) page.segment = copy;
  }

  /** The active segment, whose messages are all finished, begins anew as `next`. */
  restart(segment: Segment): void {
    if (this.#pages.last?.segment === segment) this.#pages.forgetLast();
  }

  /** True when all the messages of the segment that the channel got are finished. */
  hasFinished(segment: Segment): boolean {
    const page = this.#pages.last;
    return page?.segment !== segment || page.unfinished === 0;
  }

  /** The segment is in memory again: messages that are holes now are gone. */
  loaded(segment: Segment, nowMs: number): void {
    const page = this.pageOf(segment);
    if (!page) return;
    this.#loseHoles(page);
    if (page.waking) this.#wakeParked(page, nowMs);
    this.#topic.wake(this);
    this.#checkDone(page);
  }

  /** The active segment has been sealed: perhaps nothing of it is left. */
  sealed(segment: Segment): void {
    const page = this.pageOf(segment);
    if (page) this.#checkDone(page);
  }

  /** The channel's view of the segment, while it is not finished with it. */
  pageOf(segment: Segment): Page | undefined {
    return this.#pages.of(segment);
  }

  /** What must be known to go on after a restart, of those segments, as far as they are the channels'. */
  state(segments: readonly Segment[], distributed: number): ChannelState {
    const pages: PageRecord[] = [];
    // Pages come in the order of their segments; a segment without one is finished.
    let next = 0;
    for (const segment of segments) {
      // The rest is the topic's own.
      if (segment.base >= distributed) break;
      while (next < this.#pages.all.length && this.#pages.all[next].segment.base < segment.base) next++;
      const page = this.#pages.all[next];
      const bytes = page?.segment === segment
        ? page.record(this.#topic.outstanding)
        : encodeFinishedPage(Math.min(segment.committed, distributed - segment.base));
      if (bytes) pages.push({ base: segment.base, bytes });
    }
    return { name: this.name, pages };
  }

  /**
   * Goes on where `state` ended: takes all that lies below `distributed`, and then what the state says of it. What lies
   * at or after `knownEnd` came after the state was saved.
   */
  restore(state: ChannelState, options: { knownEnd: number; distributed: number; nowMs: number }): void {
    const { log } = this.#topic;
    const records = new Map(state.pages.map((page) => [page.base, page.bytes]));
    const pages: Page[] = [];
    for (const segment of log.segments) {
      const end = Math.min(segment.end, options.distributed) - segment.base;
      if (end <= 0) break;
      const record = records.get(segment.base);
      const known = record && decodePage(record);
      if (known && end === segment.count && known.finished[0]?.from === 0 && known.finished[0].to >= end) {
        continue;
      }
      const page = new Page(segment, 0);
      page.end = end;
      pages.push(page);
      if (known) this.#takeOver(page, known);
      if (segment.deferred > 0 && segment.end > options.knownEnd) {
        log.lookAt(segment, () => segment.resident && this.#defer(page, 0, options.nowMs));
      }
      this.#waiting += page.waiting;
      // It had to be read, and was damaged.
      if (segment.resident) this.#loseHoles(page);
    }
    this.#pages.adopt(pages);
    for (const page of pages) this.#checkDone(page);
  }

  /** What the messages of a page of a recovered segment had become. */
  #takeOver(page: Page, known: PageState): void {
    const inPage = (index: number) => index < page.end && page.state(index) === UNTOUCHED;
    for (const { from, to } of known.finished) {
      for (let i = from; i < to && inPage(i); i++) page.finish(i);
    }
    for (const { from, to } of known.parked) {
      for (let i = from; i < to && inPage(i); i++) this.#park(page, i, known.parkedDueMs);
    }
    for (const { index, attempts, dueMs } of known.outstanding) {
      if (!inPage(index)) continue;
      const slot = this.#topic.outstanding.allocate(this, page.segment.base + index, attempts);
      page.setState(index, slot + 1);
      if (dueMs > 0) {
        this.#deferSlot(slot, dueMs);
      } else {
        this.#pages.pin(page);
        this.#makeReady(slot);
      }
    }
    this.#scheduleParking(page);
  }

  /** Gives one message to the consumer; false when none can be given now. */
  #deliver(consumer: Consumer, nowMs: number): boolean {
    const page = this.#waiting > 0 ? this.#pages.firstUntouched() : undefined;
    const cursor = page ? page.segment.base + page.next : this.#topic.log.end;
    const ready = this.#ready.head;
    // Requeued messages go to the end of the line, as in NSQ: behind what had come when they were requeued.
    if (ready !== NONE && (this.#topic.outstanding.key[ready] <= cursor || !page)) {
      const readyPage = this.#pages.at(this.#topic.outstanding.position[ready]);
      if (readyPage?.segment.resident) {
        this.#deliverReady(consumer, readyPage, ready, nowMs);
        return true;
      }
    }
    if (!page || !page.segment.resident) return false;
    const index = page.next++;
    this.#waiting--;
    if (page.segment.deferred > 0 && page.segment.dueMs(index) > nowMs) {
      // Its segment was on disk only when the channel got it, so nobody knew.
      this.#deferAt(page, index, nowMs);
      this.#scheduleParking(page);
      return true;
    }
    if (consumer.sampleRate > 0 && !sampled(consumer.sampleRate)) {
      page.finish(index);
      this.#checkDone(page);
      return true;
    }
    const attempts = page.segment.earlierAttempts(index);
    const slot = this.#topic.outstanding.allocate(this, page.segment.base + index, attempts);
    this.#topic.outstanding.countAttempt(slot);
    page.setState(index, slot + 1);
    this.#pages.pin(page);
    this.#beginFlight(consumer, page.segment, slot, { index, nowMs });
    return true;
  }

  #deliverReady(consumer: Consumer, page: Page, slot: number, nowMs: number): void {
    const table = this.#topic.outstanding;
    const index = table.position[slot] - page.segment.base;
    table.remove(this.#ready, slot);
    this.#readyCount--;
    if (consumer.sampleRate > 0 && !sampled(consumer.sampleRate)) {
      this.#pages.unpin(page);
      this.#forget(page, index);
      return;
    }
    table.countAttempt(slot);
    page.changed();
    this.#beginFlight(consumer, page.segment, slot, { index, nowMs });
  }

  #beginFlight(
    consumer: Consumer,
    segment: Segment,
    slot: number,
    options: { index: number; nowMs: number },
  ): void {
    const table = this.#topic.outstanding;
    table.state[slot] = STATE.inFlight;
    table.consumer[slot] = consumer;
    table.deliveredMs[slot] = options.nowMs;
    table.key[slot] = options.nowMs + consumer.msgTimeoutMs;
    table.insertByKey(consumer.inFlight, slot);
    this.inFlightCount++;
    if (consumer.nearness === NEARNESS.global) this.globalMessageCount++;
    else if (consumer.nearness === NEARNESS.region) this.regionLocalMessageCount++;
    else this.zoneLocalMessageCount++;
    consumer.inFlightCount++;
    consumer.messageCount++;
    if (segment.foreignId(options.index) > 0) this.hasForeignIds = true;
    consumer.sink.send(segment, options.index, table.attempts[slot]);
  }

  /** Takes the slot out of the consumer's list; the caller says what becomes of it. */
  #endFlight(consumer: Consumer, slot: number): void {
    const table = this.#topic.outstanding;
    table.remove(consumer.inFlight, slot);
    table.consumer[slot] = undefined;
    this.inFlightCount--;
    consumer.inFlightCount--;
    this.#turns.offer(consumer);
  }

  #expireOf(consumer: Consumer, nowMs: number): void {
    const table = this.#topic.outstanding;
    for (let slot = consumer.inFlight.head; slot !== NONE; slot = consumer.inFlight.head) {
      if (table.key[slot] > nowMs) return;
      this.#endFlight(consumer, slot);
      this.timeoutCount++;
      this.#makeReady(slot);
      this.#topic.wake(this);
    }
  }

  /** Puts a message whose page is pinned at the end of the line. */
  #makeReady(slot: number): void {
    const table = this.#topic.outstanding;
    table.state[slot] = STATE.ready;
    table.key[slot] = this.#topic.log.end;
    table.append(this.#ready, slot);
    this.#readyCount++;
  }

  #deferSlot(slot: number, dueMs: number): void {
    const table = this.#topic.outstanding;
    table.state[slot] = STATE.deferred;
    table.key[slot] = dueMs;
    table.defer(slot);
    this.deferredCount++;
  }

  /** Takes the deferred messages from `from` on out of the line, if they wait in it; returns how many. */
  #defer(page: Page, from: number, nowMs: number): number {
    const { segment } = page;
    let count = 0;
    for (let i = from; i < page.end; i++) {
      if (segment.dueMs(i) === 0 || page.state(i) !== UNTOUCHED) continue;
      this.#deferAt(page, i, nowMs);
      count++;
    }
    this.#scheduleParking(page);
    return count;
  }

  #deferAt(page: Page, index: number, nowMs: number): void {
    const { segment } = page;
    const dueMs = segment.dueMs(index);
    if (dueMs > nowMs + PARK_BEYOND_MS) {
      this.#park(page, index, dueMs);
      return;
    }
    const slot = this.#topic.outstanding.allocate(this, segment.base + index, segment.earlierAttempts(index));
    page.setState(index, slot + 1);
    this.#deferSlot(slot, dueMs);
  }

  /** Defers a message without a slot. */
  #park(page: Page, index: number, dueMs: number): void {
    page.setState(index, PARKED);
    page.parked++;
    page.parkedDueMs = Math.min(page.parkedDueMs, dueMs);
    this.deferredCount++;
  }

  /** Sees to it that the page's parked messages are looked at in time. */
  #scheduleParking(page: Page): void {
    const table = this.#topic.outstanding;
    const lookMs = page.parkedDueMs - PARK_LEAD_MS;
    if (page.parked === 0 || page.waking) return;
    if (page.parkSlot !== NONE) {
      if (table.key[page.parkSlot] <= lookMs) return;
      this.#forgetParking(page);
    }
    const slot = page.parkSlot = table.allocate(this, page.segment.base + page.start, 0);
    table.state[slot] = STATE.parked;
    table.key[slot] = lookMs;
    table.defer(slot);
  }

  #forgetParking(page: Page): void {
    if (page.parkSlot === NONE) return;
    this.#topic.outstanding.undefer(page.parkSlot);
    this.#topic.outstanding.release(page.parkSlot);
    page.parkSlot = NONE;
  }

  /** Gives slots to the parked messages that are due soon; their segment is in memory. */
  #wakeParked(page: Page, nowMs: number): void {
    page.waking = false;
    page.parkedDueMs = Infinity;
    const { segment } = page;
    for (let i = page.start; i < page.end && page.parked > 0; i++) {
      if (page.state(i) !== PARKED) continue;
      const dueMs = segment.dueMs(i);
      if (dueMs > nowMs + PARK_BEYOND_MS) {
        page.parkedDueMs = Math.min(page.parkedDueMs, dueMs);
        continue;
      }
      page.parked--;
      this.deferredCount--;
      this.#deferAt(page, i, nowMs);
    }
    this.#scheduleParking(page);
    this.#pages.unpin(page);
  }

  /** NSQ compat: an ephemeral channel keeps as many messages as fit in memory, and those that came first. */
  #dropNewest(page: Page, from: number, to: number): void {
    let surplus = this.depth - this.#limits.ephemeralDepthMax;
    for (let i = to - 1; i >= from && surplus > 0; i--) {
      if (page.state(i) !== UNTOUCHED) continue;
      page.finish(i);
      this.#waiting--;
      surplus--;
    }
    this.#checkDone(page);
  }

  /** Messages of a segment in memory that are holes are gone. */
  #loseHoles(page: Page): void {
    const { segment } = page;
    for (let i = page.start; segment.holes > 0 && i < page.end; i++) {
      if (!segment.has(i) && page.state(i) !== FINISHED) this.#lose(page, i);
    }
  }

  /** The message's segment has lost it. */
  #lose(page: Page, index: number): void {
    const table = this.#topic.outstanding;
    const state = page.state(index);
    if (state === UNTOUCHED) {
      if (index >= page.next) this.#waiting--;
      page.finish(index);
      return;
    }
    if (state === PARKED) {
      page.parked--;
      this.deferredCount--;
      page.finish(index);
      return;
    }
    const slot = state - 1;
    const consumer = table.consumer[slot];
    if (table.state[slot] === STATE.inFlight && consumer) {
      this.#endFlight(consumer, slot);
      this.#pages.unpin(page);
    } else if (table.state[slot] === STATE.ready) {
      table.remove(this.#ready, slot);
      this.#readyCount--;
      this.#pages.unpin(page);
    } else {
      table.undefer(slot);
      this.deferredCount--;
    }
    table.release(slot);
    page.finish(index);
  }

  #isInFlight(position: number): boolean {
    const page = this.#pages.at(position);
    const slot = page ? page.state(position - page.segment.base) - 1 : NONE;
    return slot >= 0 && this.#topic.outstanding.state[slot] === STATE.inFlight;
  }

  #foreignIdAt(position: number): Uint8Array | undefined {
    const segment = this.#pages.at(position)?.segment;
    const at = segment?.resident ? segment.foreignId(position - segment.base) : 0;
    return at > 0 ? segment?.bytes.subarray(at, at + MESSAGE_ID_LENGTH) : undefined;
  }

  /** The page of a message that is in flight to the consumer. */
  #owned(consumer: Consumer, position: number): Page {
    const page = this.#pages.at(position);
    const table = this.#topic.outstanding;
    const slot = page ? page.state(position - page.segment.base) - 1 : NONE;
    if (!page || slot < 0 || table.state[slot] !== STATE.inFlight) throw new ChannelError("ID not in flight");
    if (table.consumer[slot] !== consumer) throw new ChannelError("client does not own message");
    return page;
  }

  /** The message is finished and in no list. */
  #forget(page: Page, index: number): void {
    this.#topic.outstanding.release(page.state(index) - 1);
    page.finish(index);
    this.#checkDone(page);
  }

  #checkDone(page: Page): void {
    if (page.unfinished > 0) return;
    this.#forgetParking(page);
    const { segment } = page;
    if (!segment.sealed) {
      this.#topic.drained(segment);
      return;
    }
    if (page.end < segment.count) return;
    if (this.#pages.remove(page)) this.#topic.leave(segment);
  }
}

/** Unlike NSQ, which delivers N+1 of 100 messages at a sample rate of N. */
function sampled(rate: number): boolean {
  return Math.random() * 100 < rate;
}
