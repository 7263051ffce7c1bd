/**
 * A topic: a log of messages, and the channels that each get all of them (nsqd/topic.go). While it has no
 * channel, or is paused, new messages are its own: what lies before `distributed` belongs to the channels,
 * what lies after it is the topic's depth. Synchronous; I/O only through the log's store.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import type { Quantile } from "../base/quantile.ts";
import { SharedRun } from "../base/shared_run.ts";
import { writeU32 } from "../protocol/frames.ts";
import { firstPosition } from "../protocol/message_id.ts";
import { isEphemeral } from "../protocol/names.ts";
import { Channel, type ChannelLimits } from "./channel.ts";
import type { Durability } from "./durability.ts";
import type { Outstanding } from "./outstanding.ts";
import { FINISHED } from "./page.ts";
import type { Segment } from "../log/segment.ts";
import { type Damage, endOfMessages, type Timestamp } from "../log/segment_image.ts";
import type { SegmentStore } from "../log/segment_store.ts";
import { type LogLimits, TopicLog } from "../log/topic_log.ts";
import {
  type ChannelState,
  decodeTopicState,
  encodeTopicState,
  type SegmentRecord,
  type TopicState,
} from "./topic_state.ts";

/** A segment of which less than this part is left is rewritten without the rest. */
const COMPACT_BELOW = 0.25;
/** Smaller segments are not worth rewriting, in bytes. */
const COMPACT_SIZE_MIN = 64 * 1024;

/** What a topic uses of the broker it belongs to. */
export interface TopicContext {
  readonly limits: ChannelLimits & LogLimits;
  readonly logger: Logger;
  readonly outstanding: Outstanding;
  /** Now, in ms since 1970 with fractions. */
  nowMs(): number;
  /** Now, in ns. */
  timestamp(): Timestamp;
  newLatency(): Quantile | undefined;
  /** Messages were added that must be committed. */
  added(topic: Topic): void;
  /** A channel may be able to deliver. */
  wake(channel: Channel): void;
  /** What a publisher's OK means for the topic of that name. */
  durabilityOf(topic: string): Durability;
  /** Messages that may be synced by nobody but the topic, before it does so by itself. */
  readonly syncEvery: number;
  /**
   * Messages are about to be acknowledged, or given to channels, for good: so must be what they belong to. Throws when
   * that cannot be.
   */
  keeping(): void;
  /** Writing to the store worked, or did not. */
  stored(error: unknown): void;
  /** A channel came or went. */
  channelsChanged(topic: Topic, channel: Channel): void;
  /** An ephemeral topic has lost its last channel. */
  deserted(topic: Topic): void;
}

/** A topic of the broker. */
export class Topic {
  readonly name: string;
  readonly ephemeral: boolean;
  readonly channels = new Map<string, Channel>();
  readonly durability: Durability;
  readonly log: TopicLog;
  readonly outstanding: Outstanding;
  messageCount = 0;
  messageBytes = 0;

  readonly #context: TopicContext;
  readonly #store: SegmentStore | undefined;
  // What was written while a sync ran that fails is in the same segment: a later sync that works does not mean much.
  readonly #sync = new SharedRun(() => this.#syncStore(), { failsAll: true });
  readonly #saving = new SharedRun(() => this.#writeState());
  /** Messages that were written since they were synced. */
  #unsyncedMessages = 0;
  /** Position up to which messages are the channels'. */
  #distributed: number;
  #depth = 0;
  #backendDepth = 0;
  #paused = false;
  #started = false;
  #uncommittedMessages = 0;
  #uncommittedBytes = 0;
  /** Why the store has refused the last messages, while it does; empty while it works. */
  #refusal = "";
  /** Why the last sync has failed, if it has. */
  #syncFailure = "";
  /** Why messages were not kept that are still to be committed for those who appended them. */
  #failure: unknown;
  /** Of channels that were there before a restart and have not been made anew. */
  readonly #channelStates = new Map<string, ChannelState>();
  /** Where the log ended when that was saved. */
  #knownEnd = 0;
  /** Segments that are being read to be compacted. */
  readonly #compacting = new Set<Segment>();
  /** The state has changed since it was saved. */
  #changed = false;
  #stateSaved = false;
  /** The active segment, if there was nothing in it when memory was last given back. */
  #empty: Segment | undefined;

  constructor(name: string, options: { context: TopicContext; store: SegmentStore | undefined }) {
    this.name = name;
    this.ephemeral = isEphemeral(name);
    this.#context = options.context;
    this.#store = options.store;
    this.durability = options.store ? options.context.durabilityOf(name) : "memory";
    this.outstanding = options.context.outstanding;
    this.log = new TopicLog({
      store: options.store,
      limits: options.context.limits,
      durable: this.durability !== "memory",
      end: firstPosition(options.context.nowMs()),
      owner: {
        waitingInMemory: () => this.#waitingInMemory(),
        committed: (segment, from, to) => this.#committed(segment, from, to),
        sealed: (segment) => {
          for (const channel of this.channels.values()) channel.sealed(segment);
          this.leave(segment);
        },
        loaded: (segment) => this.#loaded(segment),
        replaced: (segment, copy) => {
          for (const channel of this.channels.values()) channel.replaceSegment(segment, copy);
        },
        damaged: (segment, damages) => this.#damaged(segment, damages),
        missing: (segment) => {
          this.#context.logger.error(
            `TOPIC(${this.name}): ${missingText([segment])} - somebody has removed it`,
          );
        },
        removeFailed: (segment, error) => {
          this.#context.stored(error);
          this.#context.logger.error(
            `TOPIC(${this.name}): failed to remove segment ${segment.base} - ${errorText(error)}`,
          );
        },
        loadFailed: (segment, error) => {
          this.#context.stored(error);
          this.#context.logger.error(
            `TOPIC(${this.name}): failed to read segment ${segment.base} - ${errorText(error)}`,
          );
        },
      },
    });
    this.#distributed = this.log.end;
    if (options.store) this.#recover(options.store);
  }

  /** Messages that are not yet the channels'. */
  get depth(): number {
    return this.#depth;
  }

  /** Of these, the ones in the store. */
  get backendDepth(): number {
    return this.#backendDepth;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Begins to pass messages to channels: after the channels that it had before a restart are there again. */
  start(): void {
    this.#started = true;
    // A channel of that name that is made later must not get, after a crash, what a deleted one had.
    for (const name of this.#channelStates.keys()) this.#changed ||= !this.channels.has(name);
    this.#channelStates.clear();
    this.#distribute({ recovering: true });
    this.log.recovered();
    for (const segment of [...this.log.segments]) this.leave(segment);
  }

  /** Makes the channels anew that it had before a restart: for a topic that the metadata file does not know. */
  restoreChannels(): void {
    for (const name of [...this.#channelStates.keys()]) this.channel(name);
  }

  /** The channel of that name, which is made if there is none. */
  channel(name: string): Channel {
    const existing = this.channels.get(name);
    if (existing) return existing;
    const channel = new Channel({
      name,
      topic: this,
      limits: this.#context.limits,
      latency: this.#context.newLatency(),
    });
    this.channels.set(name, channel);
    this.#context.logger.info(`TOPIC(${this.name}): new channel(${name})`);
    const state = this.#channelStates.get(name);
    if (state) {
      channel.restore(state, {
        knownEnd: this.#knownEnd,
        distributed: this.#distributed,
        nowMs: this.#context.nowMs(),
      });
    }
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
    this.#distributed = this.log.end;
    for (const channel of this.channels.values()) channel.passOver();
    this.#changed = true;
    this.#depth = this.#backendDepth = 0;
    for (const segment of [...this.log.segments]) this.leave(segment);
  }

  /**
   * Publishes one message.
   *
   * @throws What the store threw when it could not be kept.
   */
  publish(body: Uint8Array, options: { deferMs?: number } = {}): void {
    this.#commitEarlier();
    const block = new Uint8Array(4 + body.length);
    writeU32(block, 0, body.length);
    block.set(body, 4);
    this.append(block, 0, block.length, { count: 1, deferMs: options.deferMs ?? 0 });
    this.#commit();
  }

  /**
   * Publishes `count` messages, each a size and a body in `block`.
   *
   * @throws What the store threw when they could not be kept.
   */
  publishBatch(block: Uint8Array, count: number): void {
    if (count === 0) return;
    this.#commitEarlier();
    this.append(block, 0, block.length, { count, deferMs: 0 });
    this.#commit();
  }

  /** Adds messages, the bytes [from, to) of `block`; they are published when they are committed. */
  append(block: Uint8Array, from: number, to: number, options: { count: number; deferMs: number }): void {
    const { deferMs } = options;
    this.#uncommittedMessages += options.count;
    this.#uncommittedBytes += to - from - 4 * options.count;
    this.#context.added(this);
    const kept = this.ephemeral && this.#keepsBack ? this.#ephemeralRoom(options.count) : options.count;
    if (kept === 0) return;
    const end = kept === options.count ? to : endOfMessages(block, from, kept);
    this.log.append(block, from, end, {
      count: kept,
      timestamp: this.#context.timestamp(),
      dueMs: deferMs > 0 ? this.#context.nowMs() + deferMs : 0,
    });
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
    if (this.durability !== "fsync") return undefined;
    return this.#sync.request();
  }

  #commit(): void {
    const writes = this.log.mustWrite;
    try {
      if (writes && this.durability !== "memory") this.#context.keeping();
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

  /** The channel may be able to deliver. */
  wake(channel: Channel): void {
    this.#changed = true;
    this.#context.wake(channel);
  }

  /** What is saved of a channel is not as it was. */
  changed(): void {
    this.#changed = true;
  }

  /** A channel, or the topic, needs nothing of the segment any more. */
  leave(segment: Segment): void {
    // Before the start there may be channels that have not taken their messages over yet.
    if (!this.#started) return;
    if (segment.holders > 0 || segment.end > this.#distributed || segment.committed < segment.count) return;
    if (segment.sealed || segment !== this.log.active) {
      this.#compacting.delete(segment);
      this.log.release(segment);
    } else {
      this.drained(segment);
    }
  }

  /** Everything in the active segment is finished for one channel: it begins anew when it is for all. */
  drained(segment: Segment): void {
    if (segment.stored || segment !== this.log.active || segment.count === 0) return;
    if (!this.#isFinished(segment)) return;
    for (const channel of this.channels.values()) channel.restart(segment);
    this.log.restartActive();
  }

  /** The last consumer of an ephemeral channel has gone. */
  deserted(channel: Channel): void {
    this.deleteChannel(channel.name);
  }

  /**
   * Work that can wait: gives memory and disk space back, and saves the state.
   *
   * @throws What the store threw.
   */
  async maintain(): Promise<void> {
    this.log.retry();
    const { active } = this.log;
    if (active?.stored && this.#isFinished(active)) this.log.seal();
    else if (active) this.drained(active);
    this.#shrink();
    for (const channel of this.channels.values()) channel.advance();
    await this.#compact();
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
    // What a run writes that has begun is not there before it has ended.
    if (this.#unsyncedMessages > 0 || this.#sync.isRunning) await this.#sync.request();
  }

  /**
   * Saves every message and ends the connections of the consumers.
   *
   * @throws What the store threw.
   */
  async close(): Promise<void> {
    const { logger } = this.#context;
    logger.info(`TOPIC(${this.name}): closing`);
    for (const channel of this.channels.values()) {
      logger.info(`CHANNEL(${channel.name}): closing`);
      channel.closeConsumers();
      if (channel.depth + channel.inFlightCount + channel.deferredCount > 0) {
        logger.info(
          `CHANNEL(${channel.name}): flushing ${channel.memoryDepth} memory ${channel.inFlightCount} in-flight ` +
            `${channel.deferredCount} deferred messages to backend`,
        );
      }
      if (channel.ephemeral) channel.empty();
    }
    await this.log.idle();
    if (!this.#store) return;
    try {
      try {
        this.log.save();
      } finally {
        // What could be saved goes on where it was.
        this.#changed = true;
        await this.saveState();
      }
      await this.#sync.request();
    } finally {
      this.#store.close();
    }
  }

  /** Deletes the topic with its channels and messages. */
  delete(): void {
    this.#context.logger.info(`TOPIC(${this.name}): deleting`);
    for (const channel of this.channels.values()) {
      this.#context.logger.info(`CHANNEL(${channel.name}): deleting`);
      channel.delete();
      this.#context.channelsChanged(this, channel);
    }
    this.channels.clear();
    this.empty();
    this.#store?.destroy();
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
    if (this.durability === "fsync" || this.#unsyncedMessages < this.#context.syncEvery) return;
    this.#sync.request();
  }

  async #syncStore(): Promise<void> {
    this.#unsyncedMessages = 0;
    try {
      await this.#store?.sync();
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
    const inStore = this.log.inStore.length > 0;
    const { hasRemoved } = this.log;
    if (!inStore && !this.#stateSaved && !hasRemoved) return;
    this.#changed = this.log.hasRemoved = false;
    try {
      // What the state gives to a channel would be nobody's if that channel is not known after a crash.
      if (inStore) this.#context.keeping();
      await this.#store?.writeState(inStore ? encodeTopicState(this.#state()) : undefined);
      this.#stateSaved = inStore;
    } catch (error) {
      this.#changed = true;
      this.log.hasRemoved ||= hasRemoved;
      throw error;
    }
  }

  #recover(store: SegmentStore): void {
    const inStore = this.log.recover();
    const state = this.#readState(store);
    this.#distributed = state?.distributed ?? 0;
    if (state) {
      this.log.end = Math.max(this.log.end, state.end);
      for (const channel of state.channels) this.#channelStates.set(channel.name, channel);
      for (const segment of [...this.log.segments]) {
        // Removed before the state was saved, but power was lost before that had reached the disk.
        if (segment.end <= state.first) this.log.release(segment);
      }
      this.#knownEnd = state.end;
      this.#tellMissing(state.segments.filter(({ base }) => !inStore.has(base)));
    }
    if (this.log.segments.length === 0) this.#distributed = this.log.end;
    for (const segment of this.log.segments) {
      const own = Math.max(Math.min(segment.end - this.#distributed, segment.count), 0);
      this.#depth += own;
      this.#backendDepth += own;
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

  #state(): TopicState {
    const segments = this.log.inStore;
    const channels = [...this.channels.values()].filter((channel) => !channel.ephemeral);
    return {
      first: this.log.segments[0]?.base ?? this.log.end,
      // Without a channel that is kept, what the ephemeral ones had is the topic's no more than before.
      distributed: this.#distributed,
      end: this.log.committedEnd,
      segments: segments.map(({ base, count }) => ({ base, count })),
      channels: channels.map((channel) => channel.state(segments, this.#distributed)),
    };
  }

  #committed(segment: Segment, from: number, to: number): void {
    if (from === to) return;
    this.#changed = true;
    if (this.#keepsBack) {
      this.#depth += to - from;
      if (segment.stored) this.#backendDepth += to - from;
      return;
    }
    const nowMs = segment.deferred > 0 ? this.#context.nowMs() : 0;
    for (const channel of this.channels.values()) channel.extend(segment, { from, to, nowMs });
    this.#distributed = segment.base + to;
    // Ephemeral channels without room have finished it already.
    this.leave(segment);
  }

  /** Passes the messages that are the topic's own to the channels. */
  #distribute({ recovering } = { recovering: false }): void {
    if (this.#keepsBack) return;
    const nowMs = this.#context.nowMs();
    for (const segment of [...this.log.segments]) {
      const from = Math.max(this.#distributed - segment.base, 0);
      const to = segment.committed;
      if (from >= to) continue;
      const extend = () => {
        for (const channel of this.channels.values()) channel.extend(segment, { from, to, nowMs });
      };
      if (recovering && segment.deferred > 0) this.log.lookAt(segment, extend);
      else extend();
      this.#distributed = segment.base + segment.committed;
      this.#changed = true;
      this.leave(segment);
    }
    this.#depth = this.#backendDepth = 0;
  }

  /** New messages are the topic's own for now. */
  get #keepsBack(): boolean {
    return this.channels.size === 0 || this.#paused || !this.#started;
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

  #loaded(segment: Segment): void {
    const nowMs = this.#context.nowMs();
    for (const channel of this.channels.values()) channel.loaded(segment, nowMs);
  }

  #damaged(segment: Segment, damages: readonly Damage[]): void {
    const { logger } = this.#context;
    for (const { offset, length, reason, torn } of damages) {
      const where = `TOPIC(${this.name}): segment ${segment.base}`;
      // What was never written to its end was never acknowledged.
      if (torn) {
        logger.warn(`${where} ends in ${length} bytes of an interrupted write at byte ${offset}, cut off`);
      } else {logger.error(
          `${where} is damaged at byte ${offset}, ${length} bytes are kept aside - ${reason}`,
        );}
    }
  }

  /** Tells of segments that the state knows and the store does not have; after a stop in order they are lost. */
  #tellMissing(segments: readonly SegmentRecord[]): void {
    if (segments.length === 0) return;
    // Not again at the next start.
    this.#changed = true;
    this.#context.logger.warn(
      `TOPIC(${this.name}): ${missingText(segments)} - finished since the last flush, or lost`,
    );
  }

  #isFinished(segment: Segment): boolean {
    if (segment.end > this.#distributed || segment.committed < segment.count) return false;
    for (const channel of this.channels.values()) {
      if (!channel.hasFinished(segment)) return false;
    }
    return true;
  }

  /** Gives the memory of a topic back that has been idle since the last call: it may once have been a busy one. */
  #shrink(): void {
    const { active } = this.log;
    const empty = active?.count === 0 ? active : undefined;
    if (empty && empty === this.#empty) this.log.seal();
    this.#empty = empty;
  }

  /**
   * Rewrites segments of which little is left, so that a few deferred messages do not keep them whole; and those in
   * memory of which only parked messages are left, so that these are on disk only.
   */
  async #compact(): Promise<void> {
    for (const segment of [...this.log.segments]) {
      const pages = [...this.channels.values()].map((channel) => channel.pageOf(segment)).filter((page) =>
        !!page
      );
      // Segments come in order: what a cursor has not passed here, it has not passed in any later one.
      if (!segment.sealed || segment.end > this.#distributed) return;
      if (pages.some((page) => page.near || page.waiting > 0)) return;
      if (segment.used < COMPACT_SIZE_MIN) continue;
      const left = pages.reduce((sum, page) => sum + page.unfinished, 0);
      const toDisk = !segment.stored && this.#store !== undefined && left > 0 &&
        pages.every((page) => page.parked === page.unfinished);
      if (!toDisk && left >= COMPACT_BELOW * (segment.count - segment.holes)) continue;
      if (!segment.resident) {
        if (!this.#compacting.has(segment)) {
          this.#compacting.add(segment);
          this.log.pin(segment);
        }
        continue;
      }
      const copy = segment.compacted(
        (index) =>
          pages.some((page) => index >= page.start && index < page.end && page.state(index) !== FINISHED),
        { stored: segment.stored || toDisk },
      );
      const replaced = await this.log.replace(segment, copy);
      if (this.#compacting.delete(segment) && replaced) this.log.unpin(copy);
    }
  }
}

function missingText(segments: readonly SegmentRecord[]): string {
  const count = segments.reduce((sum, segment) => sum + segment.count, 0);
  const which = segments.length === 1
    ? `segment ${segments[0].base} is`
    : `${segments.length} segments from ${segments[0].base} on are`;
  return `${which} missing, with ${count} message${count === 1 ? "" : "s"}`;
}
