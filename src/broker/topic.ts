/**
 * A topic: a log of messages, and the channels that each get all of them (nsqd/topic.go). While it has no
 * channel, or is paused, new messages are its own: what lies before `distributed` belongs to the channels,
 * what lies after it is the topic's depth. Synchronous; I/O only through the log's store.
 *
 * @module
 */

import type { Budget } from "../base/budget.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import type { Pace } from "../base/pace.ts";
import { SharedRun } from "../base/shared_run.ts";
import type { Segment, SegmentUser } from "../log/segment.ts";
import { type Damage, endOfMessages, type Timestamp } from "../log/segment_image.ts";
import type { Change } from "../log/segment_loader.ts";
import type { SegmentStore } from "../log/segment_store.ts";
import type { RecoveredLoss } from "../log/recovery.ts";
import { type LogLimits, TopicLog } from "../log/topic_log.ts";
import { writeU32 } from "../protocol/frames.ts";
import { firstPosition } from "../protocol/message_id.ts";
import { checkChannelName, isEphemeral } from "../protocol/names.ts";
import type { Background } from "./background.ts";
import { Channel, type ChannelLimits } from "./channel.ts";
import { Compaction } from "./compaction.ts";
import type { Consumer } from "./consumer.ts";
import type { Durability } from "./durability.ts";
import { Gathering } from "./gathering.ts";
import type { Latency } from "./latency.ts";
import type { Outstanding } from "./outstanding.ts";
import { type Retired, takeApart } from "./retirement.ts";
import {
  type ChannelState,
  decodeTopicState,
  encodeTopicState,
  neededIn,
  type TopicState,
} from "./topic_state.ts";

/** Messages of segments times channels that are passed on before others have their turn: a ms of work. */
const DISTRIBUTE_AT_ONCE = 500;
/** Segments that are left in one step. */
const SEGMENTS_AT_ONCE = 16;

/** What a topic uses of the broker it belongs to. */
export interface TopicContext {
  readonly limits: ChannelLimits & LogLimits;
  readonly logger: Logger;
  readonly outstanding: Outstanding<Channel, Consumer>;
  /** Bytes that all logs together may be reading. */
  readonly reads: Budget;
  /** Work that is long and can wait. */
  readonly background: Background;
  /** How many parked messages get slots at a time, in all topics. */
  readonly waking: Pace;
  /** The last program on these stores ended in order: nothing has happened since it saved its topics' states. */
  wasStopped(): boolean;
  /** Settles when others have had their turn. */
  othersFirst(): Promise<void>;
  /** Now by the wall clock, in ms since 1970 with fractions. */
  nowMs(): number;
  /** Now by the monotonic clock, in ms with fractions. */
  monotonicMs(): number;
  /** Now, in ns. */
  timestamp(): Timestamp;
  newLatency(): Latency | undefined;
  /** Messages were added that must be committed. */
  added(topic: Topic): void;
  /** A channel may be able to deliver. */
  wake(channel: Channel): void;
  /** What a publisher's OK means for the topic of that name. */
  durabilityOf(topic: string): Durability;
  /** Messages that may be synced by nobody but the topic, before it does so by itself. */
  readonly syncEvery: number;
  /**
   * Messages are about to be acknowledged, or given to channels, for good: so must be what they belong to. Undefined when
   * that is so, else settles when it is, and rejects when it cannot be.
   */
  keeping(): Promise<void> | undefined;
  /** Why that could not be done, while it cannot. */
  keepingFailure(): unknown;
  /** Why no message is taken any more, if that is so: the program is about to end. */
  ending(): string | undefined;
  /** Writing to the store worked, or did not. */
  stored(error: unknown): void;
  /** The store was synced, which took so many ms. */
  synced(durationMs: number): void;
  readonly memory: MemoryState;
  /** A channel came or went. */
  channelsChanged(topic: Topic, channel: Channel): void;
  /** An ephemeral topic has lost its last channel. */
  deserted(topic: Topic): void;
}

/** How much memory there is for messages. */
export interface MemoryState {
  /** What has a store is not to stay in memory. */
  readonly isShort: boolean;
  /** Why no message can be taken, while that is so. */
  readonly refusal: string | undefined;
  /** Takes room for bytes that come into memory only; false when there is none. Without it there always is. */
  hasRoomFor?(sizeBytes: number): boolean;
}

/** There is no memory for a message: whoever tries again later may find that there is. */
export class NoRoomError extends Error {
  override readonly name = "NoRoomError";
}

/** From this length on, in bytes, a segment in memory begins anew when all in it is finished: with each message that would cost too much. */
const RESTART_FROM_BYTES = 2048;

/** Where a small message is put together on its way into the log, for all topics: it is there no longer than that takes. */
const SMALL_BLOCK = new Uint8Array(4096);

/** A topic of the broker. */
export class Topic {
  readonly name: string;
  readonly ephemeral: boolean;
  readonly channels = new Map<string, Channel>();
  readonly durability: Durability;
  readonly log: TopicLog;
  readonly outstanding: Outstanding<Channel, Consumer>;
  /** It has messages to be committed in this turn; kept by the broker. */
  isAdded = false;
  messageCount = 0;
  messageBytes = 0;
  /** Messages that had been acknowledged and are lost, as far as is known: damaged, or missing at the start. */
  lostCount = 0;
  /** Messages for which an ephemeral topic had no room. */
  droppedCount = 0;

  readonly #context: TopicContext;
  readonly #store: SegmentStore | undefined;
  readonly #compaction: Compaction;
  // What was written while a sync ran that fails is in the same segment: a later sync that works does not mean much.
  readonly #sync = new SharedRun(() => this.#syncStore(), { failsAll: true, before: () => this.#gather() });
  readonly #gathering: Gathering;
  readonly #saving = new SharedRun(() => this.#writeState());
  /** Messages that were written since they were synced. */
  #unsyncedMessages = 0;
  /** The log's `closedEnd` that survives a loss of power. */
  #syncedClosedEnd = 0;
  /** Position up to which messages are the channels'. */
  #distributed: number;
  #depth = 0;
  #backendDepth = 0;
  #paused = false;
  #started = false;
  #deleted = false;
  /** What was the topic's own is being passed to the channels. */
  #distributing = false;
  /** The segment that must be read before that goes on. */
  #awaited: Awaited | undefined;
  #uncommittedMessages = 0;
  #uncommittedBytes = 0;
  /** Why there was no memory for some of these. */
  #noRoom: string | undefined;
  /** Why the store has refused the last messages, while it does; empty while it works. */
  #refusal = "";
  /** Why the last sync has failed, if it has. */
  #syncFailure = "";
  /** Why messages were not kept that are still to be committed for those who appended them. */
  #failure: unknown;
  /** Of channels that were there before a restart and have not been made anew. */
  readonly #channelStates = new Map<string, ChannelState>();
  /** The topic is being closed: nothing happens after the state that is saved. */
  #closing = false;
  /** The state has changed since it was saved. */
  #changed = false;
  #stateSaved = false;
  /** Channels that were made and are kept. */
  #channelsMade = 0;
  /** The active segment, if there was nothing in it when memory was last given back. */
  #empty: Segment | undefined;

  constructor(name: string, options: { context: TopicContext; store: SegmentStore | undefined }) {
    const { context, store } = options;
    this.name = name;
    this.ephemeral = isEphemeral(name);
    this.#context = context;
    this.#gathering = new Gathering(context);
    this.#store = store;
    this.durability = store ? context.durabilityOf(name) : "memory";
    this.outstanding = context.outstanding;
    this.log = this.#makeLog();
    const isDistributed = (segment: Segment) => segment.end <= this.#distributed;
    this.#compaction = new Compaction(this.log, { hasStore: store !== undefined, isDistributed });
    this.#distributed = this.log.end;
    if (store) this.#recover(store);
  }

  /** Messages that are not yet the channels'. */
  get depth(): number {
    return this.#depth;
  }

  /** Of these, the ones in the store. */
  get backendDepth(): number {
    return this.#backendDepth;
  }

  /** Position up to which messages are the channels'. */
  get distributed(): number {
    return this.#distributed;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get waking(): Pace {
    return this.#context.waking;
  }

  /** Now by the wall clock, in ms since 1970. */
  nowMs(): number {
    return this.#context.nowMs();
  }

  /** Now by the monotonic clock, in ms. */
  monotonicMs(): number {
    return this.#context.monotonicMs();
  }

  /** Begins to pass messages to channels: after the channels that it had before a restart are there again. */
  start(): void {
    this.#started = true;
    // A channel of that name that is made later must not get, after a crash, what a deleted one had.
    for (const name of this.#channelStates.keys()) this.#changed ||= !this.channels.has(name);
    this.#channelStates.clear();
    this.#distribute();
    this.log.recovered();
    this.#context.background.add(this.#leaving(this.log.segments));
  }

  /** Makes the channels anew that it had before a restart: for a topic that the metadata file does not know. */
  restoreChannels(): void {
    for (const name of [...this.#channelStates.keys()]) this.channel(name);
  }

  /** The channel of that name, which is made if there is none. @throws {TypeError} If it is no name. */
  channel(name: string): Channel {
    const existing = this.channels.get(name);
    if (existing) return existing;
    checkChannelName(name);
    const channel = new Channel({
      name,
      topic: this,
      limits: this.#context.limits,
      latency: this.#context.newLatency(),
    });
    this.channels.set(name, channel);
    if (!channel.ephemeral) this.#channelsMade++;
    this.#context.logger.info(`TOPIC(${this.name}): new channel(${name})`);
    const state = this.#channelStates.get(name);
    if (state) channel.restore(state, { distributed: this.#distributed });
    this.#changed = true;
    this.#distribute();
    this.#context.channelsChanged(this, channel);
    return channel;
  }

  /** Deletes a channel with its messages; false when there is none of that name. */
  deleteChannel(name: string): boolean {
    const channel = this.channels.get(name);
    if (!channel) return false;
    this.#context.logger.info(`TOPIC(${this.name}): deleting channel ${name}`);
    this.#context.logger.info(`CHANNEL(${name}): deleting`);
    this.channels.delete(name);
    channel.delete();
    this.#changed = true;
    this.#context.channelsChanged(this, channel);
    if (this.channels.size === 0 && this.ephemeral) this.#context.deserted(this);
    return true;
  }

  /** Keeps new messages back from the channels. */
  pause(): void {
    this.#paused = true;
  }

  /** Passes messages to the channels again. */
  unpause(): void {
    this.#paused = false;
    this.#distribute();
  }

  /** Drops the messages that are not yet the channels'. */
  empty(): void {
    this.#commitEarlier();
    // No segment is to hold messages that were dropped and such that come later: a restart could not tell them apart.
    this.log.seal();
    const first = this.#distributed;
    this.#distributed = this.log.end;
    // What is waited for is dropped, too.
    if (this.#awaited) this.#passOn();
    this.#changed = true;
    this.#depth = this.#backendDepth = 0;
    this.#context.background.add(this.#leaving([...this.log.allFrom(first)]));
  }

  /**
   * Publishes one message.
   *
   * @throws What the store threw when it could not be kept.
   */
  publish(
    body: Uint8Array,
    options: { deferMs?: number; attributes?: Uint8Array | undefined } = {},
  ): void {
    this.#commitEarlier();
    const length = 4 + body.length;
    const block = length <= SMALL_BLOCK.length ? SMALL_BLOCK : new Uint8Array(length);
    writeU32(block, 0, body.length);
    block.set(body, 4);
    const { deferMs = 0, attributes } = options;
    this.append(block, 0, length, { count: 1, deferMs, attributes });
    this.#commit();
  }

  /**
   * Publishes `count` messages, each a size and a body in `block`.
   *
   * @throws What the store threw when they could not be kept.
   */
  publishBatch(block: Uint8Array, count: number, attributes?: Uint8Array): void {
    if (count === 0) return;
    this.#commitEarlier();
    this.append(block, 0, block.length, { count, deferMs: 0, attributes });
    this.#commit();
  }

  /**
   * Adds messages, the bytes [from, to) of `block`; they are published when they are committed. What has come at one time, which
   * `timestamp` says, shares a batch.
   */
  append(
    block: Uint8Array,
    from: number,
    to: number,
    options: { count: number; deferMs: number; timestamp?: Timestamp; attributes?: Uint8Array | undefined },
  ): void {
    const { deferMs, timestamp = this.#context.timestamp(), attributes } = options;
    if (this.#uncommittedMessages === 0) this.#context.added(this);
    this.#uncommittedMessages += options.count;
    this.#uncommittedBytes += to - from - 4 * options.count;
    // Before anything is allocated: when it is refused, it is refused again and again.
    this.#noRoom ??= this.#noRoomFor(to - from);
    if (this.#noRoom !== undefined) return;
    const kept = this.ephemeral && this.#keepsBack ? this.#ephemeralRoom(options.count) : options.count;
    this.droppedCount += options.count - kept;
    if (kept === 0) return;
    const end = kept === options.count ? to : endOfMessages(block, from, kept);
    const dueMs = deferMs > 0 ? Math.ceil(this.nowMs() + deferMs) : 0;
    const facts = { count: kept, timestamp, dueMs };
    // One form of facts where nothing is traced: this is done for each message.
    this.log.append(block, from, end, attributes === undefined ? facts : { ...facts, attributes });
  }

  /**
   * Publishes what was appended.
   *
   * @throws What the store threw when some of it, since the last call, could not be kept.
   */
  commit(): void {
    const earlier = this.#failure;
    this.#failure = undefined;
    this.#commit();
    if (earlier !== undefined) throw earlier;
  }

  /**
   * What a publisher waits for after a commit before it is told OK; undefined is nothing. Rejects with what the store
   * says when the messages may not survive.
   */
  kept(): Promise<void> | undefined {
    if (this.durability === "memory") return undefined;
    const keeping = this.#context.keeping();
    const synced = this.durability === "fsync" ? this.#sync.request() : undefined;
    if (!keeping || !synced) return keeping ?? synced;
    const both = allOf([keeping, synced]);
    // Who asks needs not wait: what has failed is reported.
    both.catch(unheard);
    return both;
  }

  /** The channel may be able to deliver. */
  wake(channel: Channel): void {
    this.#changed = true;
    this.#context.wake(channel);
  }

  /** What is saved of a channel is not as it was. */
  changed(): void {
    this.#changed = true;
  }

  /** Less of the segment is needed than before, or nothing at all. */
  left(segment: Segment): void {
    if (segment.isFinished) this.#leave(segment);
    else if (segment.sealed && segment.ahead === 0) this.#compaction.thinned(segment);
  }

  /** A channel was emptied: what it had is taken apart. */
  retire(retired: Retired): void {
    const { log, outstanding } = this;
    const left = (segment: Segment) => this.left(segment);
    this.#changed = true;
    this.#context.background.add(takeApart(retired, { log, outstanding, left }));
  }

  /** The last consumer of an ephemeral channel has gone. */
  deserted(channel: Channel): void {
    this.deleteChannel(channel.name);
  }

  /**
   * Makes what was written survive a loss of power, saves the state, and gives memory back; to be called now and then.
   *
   * @throws What the store threw.
   */
  async flush(): Promise<void> {
    await this.sync();
    this.#tidyUp();
    await this.saveState();
    this.#store?.rest();
  }

  /** There is something to compact. */
  get isThinned(): boolean {
    return this.#compaction.isWanted;
  }

  /**
   * Rewrites segments of which little is left; `isEnough`, asked after each, ends it earlier.
   *
   * @throws What the store threw.
   */
  async compact(isEnough: () => boolean = () => false): Promise<void> {
    if (!this.#closing && !this.#deleted) await this.#compaction.run(isEnough);
  }

  /** Puts what is in memory only into the store. @throws What the store threw; the rest stays in memory. */
  async spill(): Promise<void> {
    if (this.#closing || this.#deleted) return;
    this.#commitEarlier();
    try {
      await this.log.spill();
    } finally {
      // Without that, what is in the store and the state does not know would be nobody's after a kill.
      await this.saveState();
    }
  }

  /** All that is done now and then, for programs that have no loops of their own for it. */
  async maintain(): Promise<void> {
    await this.flush();
    if (!this.isThinned) return;
    await this.compact();
    await this.saveState();
  }

  /** Saves what has changed of the state; does nothing while no message is in the store. */
  async saveState(): Promise<void> {
    // Before the start there may be channels that have not taken their part of the state over yet.
    const changed = this.#changed || this.log.hasRemoved;
    if (this.#store && this.#started && changed) await this.#saving.request();
  }

  /** Makes what was written to the store survive a loss of power. */
  async sync(): Promise<void> {
    const isClosing = this.log.closedEnd > this.#syncedClosedEnd;
    // What a run writes that has begun is not there before it has ended.
    if (this.#unsyncedMessages > 0 || isClosing || this.#sync.isRunning) await this.#sync.request();
  }

  /**
   * Saves every message and ends the connections of the consumers.
   *
   * @throws What the store threw.
   */
  async close(): Promise<void> {
    const { logger } = this.#context;
    this.#closing = true;
    logger.info(`TOPIC(${this.name}): closing`);
    for (const channel of this.channels.values()) {
      logger.info(`CHANNEL(${channel.name}): closing`);
      channel.closeConsumers();
      if (this.#store && channel.depth + channel.inFlightCount + channel.deferredCount > 0) {
        logger.info(
          `CHANNEL(${channel.name}): flushing ${channel.memoryDepth} memory ${channel.inFlightCount} in-flight ` +
            `${channel.deferredCount} deferred messages to backend`,
        );
      }
      if (channel.ephemeral) channel.empty();
    }
    await this.#compaction.idle();
    await this.log.idle();
    if (!this.#store) {
      this.#tellEnd();
      return;
    }
    try {
      try {
        await this.log.save();
        await this.#sync.request();
        await this.#gathering.ended();
      } finally {
        // What could be saved goes on where it was.
        this.#changed = true;
        await this.saveState();
      }
    } finally {
      this.#store.close();
    }
  }

  /** Says what is lost where nothing is kept. */
  #tellEnd(): void {
    const counts = [...this.channels.values()].map(({ depth, inFlightCount, deferredCount }) =>
      depth + inFlightCount + deferredCount
    );
    const count = this.#depth + Math.max(0, ...counts);
    if (this.ephemeral || count === 0) return;
    this.#context.logger.warn(
      `TOPIC(${this.name}): ${messagesText(count)} in memory only: lost with the end of this process`,
    );
  }

  /** Deletes the topic with its channels and messages. */
  delete(): void {
    const { logger, background } = this.#context;
    logger.info(`TOPIC(${this.name}): deleting`);
    this.#deleted = true;
    for (const channel of this.channels.values()) {
      logger.info(`CHANNEL(${channel.name}): deleting`);
      channel.delete();
      this.#context.channelsChanged(this, channel);
    }
    this.channels.clear();
    this.#depth = this.#backendDepth = 0;
    background.add(this.log.dropping());
    if (this.#store) background.include(this.#destroy(this.#store));
  }

  async #destroy(store: SegmentStore): Promise<void> {
    try {
      await store.destroy();
    } catch (error) {
      this.#context.stored(error);
      this.#error(`failed to remove its files - ${errorText(error)}`);
    }
  }

  /** No channel needs anything of the segment, and perhaps the topic does not either. */
  #leave(segment: Segment): void {
    // Before the start there may be channels that have not taken their messages over yet.
    if (!this.#started || this.#deleted) return;
    if (segment.end > this.#distributed || segment.committed < segment.count) return;
    if (segment !== this.log.active) this.log.release(segment);
    else if (!segment.stored && segment.used > RESTART_FROM_BYTES) this.log.restartActive();
  }

  #commit(): void {
    const writes = this.log.mustWrite;
    const ending = this.#uncommittedMessages > 0 ? this.#context.ending() : undefined;
    const noRoom = this.#noRoom;
    if (ending !== undefined || noRoom !== undefined) {
      this.log.rollback();
      this.#noRoom = undefined;
      this.#uncommittedMessages = this.#uncommittedBytes = 0;
      throw ending === undefined ? new NoRoomError(noRoom) : new Error(ending);
    }
    try {
      const failure = writes && this.durability !== "memory" ? this.#context.keepingFailure() : undefined;
      if (failure !== undefined) {
        // Whoever tries again may find that it works.
        void this.#context.keeping();
        throw failure;
      }
      this.log.commit();
      if (writes) this.#countUnsynced(this.#uncommittedMessages);
      this.messageCount += this.#uncommittedMessages;
      this.messageBytes += this.#uncommittedBytes;
      if (writes) this.#refusal = "";
      // Otherwise that is not known before it is synced.
      if (writes && this.durability !== "fsync") this.#context.stored(undefined);
    } catch (error) {
      this.log.rollback();
      this.#context.stored(error);
      // A full disk is to be said once, not to every publisher that tries.
      const refusal = errorText(error);
      if (refusal !== this.#refusal) {
        this.#context.logger.error(
          `TOPIC(${this.name}) ERROR: failed to write message to backend - ${refusal}`,
        );
      }
      this.#refusal = refusal;
      throw error;
    } finally {
      this.#uncommittedMessages = this.#uncommittedBytes = 0;
    }
  }

  /** Why there is no memory for so many more bytes, if that is so. */
  #noRoomFor(sizeBytes: number): string | undefined {
    const { memory } = this.#context;
    if (memory.refusal !== undefined || this.#store !== undefined) return memory.refusal;
    return memory.hasRoomFor?.(sizeBytes) === false ? "out of memory" : undefined;
  }

  /** What others have appended in this turn is not to fail, or be kept, together with what comes now. */
  #commitEarlier(): void {
    if (this.#uncommittedMessages === 0) return;
    try {
      this.#commit();
    } catch (error) {
      this.#failure = error;
    }
  }

  /** Counts what was written; many messages do not wait until `sync()` is called. */
  #countUnsynced(count: number): void {
    this.#unsyncedMessages += count;
    this.#gathering.came(count);
    if (this.durability === "fsync" || this.#unsyncedMessages < this.#context.syncEvery) return;
    this.#sync.request();
  }

  /** Who waits for nothing else than the sync may share it with others. */
  #gather(): Promise<void> | undefined {
    return this.durability === "fsync" && !this.#closing ? this.#gathering.begin() : undefined;
  }

  async #syncStore(): Promise<void> {
    const messages = this.#unsyncedMessages;
    this.#unsyncedMessages = 0;
    const { closedEnd } = this.log;
    const startMs = this.monotonicMs();
    try {
      await this.#store?.sync();
      const durationMs = this.monotonicMs() - startMs;
      this.#gathering.synced(messages, durationMs);
      this.#context.synced(durationMs);
      this.#syncedClosedEnd = closedEnd;
      this.#syncFailure = "";
      // While the store refuses messages there may have been nothing to sync.
      if (this.durability === "fsync" && this.#refusal === "") this.#context.stored(undefined);
    } catch (error) {
      // What was written may be lost, even if a later sync of the same file works: nothing is added to it any more.
      this.log.seal();
      this.#unsyncedMessages = 1;
      this.#context.stored(error);
      const failure = errorText(error);
      if (failure !== this.#syncFailure) {
        this.#context.logger.error(`TOPIC(${this.name}): failed to sync - ${failure}`);
      }
      this.#syncFailure = failure;
      throw error;
    }
  }

  async #writeState(): Promise<void> {
    const { isInStore, hasRemoved } = this.log;
    if (!isInStore && !this.#stateSaved && !hasRemoved) return;
    this.#changed = this.log.hasRemoved = false;
    try {
      if (isInStore) await this.#channelsKept();
      await this.#store?.writeState(isInStore ? this.#encodedState() : undefined);
      this.#stateSaved = isInStore;
    } catch (error) {
      this.#changed = true;
      this.log.hasRemoved ||= hasRemoved;
      throw error;
    }
  }

  /** What the state gives to a channel would be nobody's if that channel is not known after a crash: waits until all are. */
  async #channelsKept(): Promise<void> {
    for (let known = -1; known !== this.#channelsMade;) {
      known = this.#channelsMade;
      await this.#context.keeping();
    }
  }

  /** The state at this moment, but for pages that change while it is written: what they say is later then. */
  async *#encodedState(): AsyncGenerator<Uint8Array> {
    let isFirst = true;
    for (const piece of encodeTopicState(this.#state())) {
      if (!isFirst) await this.#context.othersFirst();
      isFirst = false;
      yield piece;
    }
  }

  #state(): TopicState {
    const channels = [...this.channels.values()].filter((channel) => !channel.ephemeral);
    return {
      // Without a channel that is kept, what the ephemeral ones had is the topic's no more than before.
      distributed: this.#distributed,
      end: this.log.committedEnd,
      // What ends in a loss of power is an interrupted write, unless it was closed for good.
      closedEnd: Math.min(this.log.closedEnd, this.#syncedClosedEnd),
      stored: this.log.storedRanges(),
      channels: channels.map((channel) => channel.state()),
    };
  }

  #recover(store: SegmentStore): void {
    const state = this.#readState(store);
    this.#syncedClosedEnd = state?.closedEnd ?? 0;
    this.#distributed = state?.distributed ?? 0;
    const losses = this.log.recover(state);
    for (const loss of losses) this.#tellLoss(loss, state);
    if (state) {
      this.log.end = Math.max(this.log.end, state.end);
      for (const channel of state.channels) this.#channelStates.set(channel.name, channel);
    }
    if (this.log.segments.length === 0) this.#distributed = this.log.end;
    this.#countOwn();
  }

  #countOwn(): void {
    this.#depth = this.#backendDepth = 0;
    for (const segment of this.log.allFrom(this.#distributed)) {
      const own = segment.base + segment.committed - Math.max(segment.base, this.#distributed);
      // Nobody knows how many there are before it can be read.
      if (own <= 0 || segment.isUnread) continue;
      this.#depth += own;
      if (segment.stored) this.#backendDepth += own;
    }
  }

  #readState(store: SegmentStore): TopicState | undefined {
    let size = "unknown size";
    try {
      const bytes = store.readState();
      if (!bytes) return undefined;
      this.#stateSaved = true;
      size = `${bytes.length} bytes`;
      return decodeTopicState(bytes);
    } catch (error) {
      this.#context.logger.error(
        `TOPIC(${this.name}): state of ${size} cannot be used, messages may be delivered again` +
          ` - ${errorText(error)}`,
      );
      this.#setStateAside(store);
      return undefined;
    }
  }

  #setStateAside(store: SegmentStore): void {
    try {
      store.setStateAside();
    } catch (error) {
      // Then the next one takes its place.
      this.#context.stored(error);
    }
  }

  #committed(segment: Segment, from: number, to: number): void {
    if (from === to) return;
    this.#changed = true;
    if (this.#keepsBack) {
      this.#depth += to - from;
      if (segment.stored) this.#backendDepth += to - from;
      return;
    }
    for (const channel of this.channels.values()) channel.extend(segment, from, to);
    this.#distributed = segment.base + to;
    // Ephemeral channels without room have finished it already.
    this.left(segment);
  }

  /** Passes the messages that are the topic's own to the channels. */
  #distribute(): void {
    if (this.#keepsBack || this.#distributed >= this.log.end) return;
    this.#distributing = true;
    this.#context.background.add(this.#passing());
  }

  *#passing(): Generator<void> {
    let passed = 0;
    while (!this.#isHeld) {
      const segment = this.log.from(this.#distributed);
      const from = segment ? Math.max(this.#distributed - segment.base, 0) : 0;
      if (!segment || from >= segment.committed) break;
      if (!this.#canPass(segment, from)) {
        this.#awaited = new Awaited(segment, this.log, () => this.#passOn());
        return;
      }
      this.#pass(segment, from);
      passed += this.channels.size;
      if (passed >= DISTRIBUTE_AT_ONCE) {
        passed = 0;
        yield;
      }
    }
    this.#distributing = false;
  }

  /** Which of a part of a segment wait only its messages say; an ephemeral channel may have room for a part only. */
  #canPass(segment: Segment, from: number): boolean {
    if (segment.resident) return true;
    if (segment.isUnread) return false;
    if (segment.deferred === 0 && segment.holes === 0) return true;
    const waiting = segment.messages - segment.deferred;
    return from === 0 && [...this.channels.values()].every((channel) => channel.hasRoomFor(waiting));
  }

  /** The segment that had to be read is there, or has gone. */
  #passOn(): void {
    const awaited = this.#awaited;
    this.#awaited = undefined;
    this.#context.background.add(this.#passing());
    awaited?.[Symbol.dispose]();
  }

  #pass(segment: Segment, from: number): void {
    const to = segment.committed;
    for (const channel of this.channels.values()) channel.extend(segment, from, to);
    this.#distributed = segment.base + to;
    this.#depth -= to - from;
    if (segment.stored) this.#backendDepth -= to - from;
    this.#changed = true;
    this.left(segment);
  }

  /** New messages are the topic's own for now. */
  get #keepsBack(): boolean {
    return this.#isHeld || this.#distributing;
  }

  /** The topic passes nothing on. */
  get #isHeld(): boolean {
    return this.channels.size === 0 || this.#paused || !this.#started || this.#deleted;
  }

  /** Leaves the segments that nobody needs. */
  *#leaving(segments: readonly Segment[]): Generator<void> {
    for (const [i, segment] of [...segments].entries()) {
      if (segment.sealed) this.left(segment);
      if (i % SEGMENTS_AT_ONCE === SEGMENTS_AT_ONCE - 1) yield;
    }
  }

  #waitingInMemory(): number {
    let most = this.#depth - this.#backendDepth;
    for (const channel of this.channels.values()) {
      // An ephemeral one that nobody reads is full, and is not to send everybody else's messages to the disk.
      if (!channel.ephemeral) most = Math.max(most, channel.memoryDepth);
    }
    return most;
  }

  /** NSQ compat: an ephemeral topic keeps as many messages as fit in memory, and drops the others. */
  #ephemeralRoom(count: number): number {
    const room = this.#context.limits.ephemeralDepthMax - this.#depth - (this.#uncommittedMessages - count);
    return Math.max(Math.min(count, room), 0);
  }

  /** Gives back what nobody uses, and tries again what the store has refused. */
  #tidyUp(): void {
    this.log.retry();
    const { active } = this.log;
    if (active && active.count > 0 && active.isFinished && active.end <= this.#distributed) {
      if (active.stored) this.log.seal();
      else this.log.restartActive();
    }
    this.#shrink();
    for (const channel of this.channels.values()) channel.rest();
  }

  /** Gives the memory of a topic back that has been idle since the last call: it may once have been a busy one. */
  #shrink(): void {
    const { active } = this.log;
    const empty = active?.count === 0 ? active : undefined;
    if (empty && empty === this.#empty) this.log.seal();
    this.#empty = empty;
  }

  #makeLog(): TopicLog {
    const { limits, reads, othersFirst, memory } = this.#context;
    return new TopicLog({
      store: this.#store,
      limits,
      durable: this.durability !== "memory",
      end: firstPosition(this.nowMs()),
      reads,
      othersFirst,
      isMemoryShort: () => memory.isShort,
      owner: {
        waitingInMemory: () => this.#waitingInMemory(),
        committed: (segment, from, to) => this.#committed(segment, from, to),
        sealed: (segment) => this.#sealed(segment),
        spilled: () => {
          this.#changed = true;
          this.#countOwn();
        },
        changed: (segment, change) => this.#segmentChanged(segment, change),
        damaged: (segment, damages) => this.#damaged(segment, damages),
        missing: (segment) => this.#missing(segment),
        removeFailed: (segment, error) => {
          this.#context.stored(error);
          this.#error(`failed to remove segment ${segment.base} - ${errorText(error)}`);
        },
        loadFailed: (segment, error) => {
          this.#context.stored(error);
          this.#error(`failed to read segment ${segment.base} - ${errorText(error)}`);
        },
      },
    });
  }

  #sealed(segment: Segment): void {
    for (const channel of this.channels.values()) channel.sealed(segment);
    this.left(segment);
  }

  /** The segment, which was just read, has not the messages that it was taken to have. */
  #segmentChanged(segment: Segment, { count, lost }: Change): void {
    this.lostCount += lost;
    for (const channel of this.channels.values()) channel.segmentChanged(segment, count);
    this.#countOwn();
    if (segment.count === 0) this.log.release(segment);
    else this.left(segment);
  }

  #damaged(segment: Segment, damages: readonly Damage[]): void {
    for (const { offset, length, reason, torn } of damages) {
      const where = `segment ${segment.base}`;
      // What was never written to its end was never acknowledged.
      if (torn) {
        this.#context.logger.warn(
          `TOPIC(${this.name}): ${where} ends in ${length} bytes of an interrupted write at byte ${offset}, cut off`,
        );
      } else {
        this.#error(`${where} is damaged at byte ${offset}, ${length} bytes are kept aside - ${reason}`);
      }
    }
  }

  #missing(segment: Segment): void {
    // Its files go before its segments leave the log.
    if (this.#deleted) return;
    const messages = messagesText(segment.messages);
    this.#error(`segment ${segment.base} is missing, with ${messages} - somebody has removed it`);
  }

  /** Tells of messages that the state knows and the store does not have; after a stop in order they are lost. */
  #tellLoss({ kind, base, ranges }: RecoveredLoss, state: TopicState | undefined): void {
    // Not again at the next start.
    this.#changed = true;
    const count = ranges.reduce(
      (sum, { from, to }) => sum + (state ? neededIn(state, { from, to }) : to - from),
      0,
    );
    if (count === 0) return;
    const missing = `from segment ${base} on ${messagesText(count)} ${count === 1 ? "is" : "are"} missing`;
    if (kind === "missing" && !this.#context.wasStopped()) {
      this.#context.logger.warn(`TOPIC(${this.name}): ${missing} - finished since the last flush, or lost`);
      return;
    }
    this.lostCount += count;
    if (kind === "missing") this.#error(`${missing} - lost`);
    if (kind === "shorter") this.#error(`segment ${base} has lost its end, with ${messagesText(count)}`);
  }

  #error(text: string): void {
    this.#context.logger.error(`TOPIC(${this.name}): ${text}`);
  }
}

/** Keeps a segment in memory until it has been looked at. */
class Awaited implements SegmentUser, Disposable {
  readonly #segment: Segment;
  readonly #log: TopicLog;
  readonly #onEnd: () => void;

  /** `onEnd` is called when the segment is in memory, or has left the log. */
  constructor(segment: Segment, log: TopicLog, onEnd: () => void) {
    this.#segment = segment;
    this.#log = log;
    this.#onEnd = onEnd;
    segment.addUser(this);
    log.pin(segment);
  }

  leaving(): void {}

  loaded(): void {
    this.#onEnd();
  }

  replaced(): void {}

  restarted(): void {}

  released(): void {
    this.#onEnd();
  }

  [Symbol.dispose](): void {
    this.#segment.removeUser(this);
    this.#log.unpin(this.#segment);
  }
}

function unheard(): void {
  // See kept().
}

async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  await Promise.all(promises);
}

function messagesText(count: number): string {
  return `${count} message${count === 1 ? "" : "s"}`;
}
