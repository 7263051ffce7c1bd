/**
 * The queue on the broker in this process: the same topics and channels as those of TCP clients, delivered by the same turns.
 *
 * @module
 */
import { type Clock, msFrom } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { othersFirst } from "../../base/every.ts";
import { TimeSlice } from "../../base/time_slice.ts";
import type { Logger } from "../../base/logger.ts";
import type { Broker } from "../../broker/broker.ts";
import { type Channel, ChannelError } from "../../broker/channel.ts";
import type { Consumer } from "../../broker/consumer.ts";
import type { Topic } from "../../broker/topic.ts";
import { messageIdPosition } from "../../protocol/message_id.ts";
import { batchParts } from "../node/batch_parts.ts";
import type { NodeOptions } from "../node/options.ts";
import { TopicError } from "../node/topic_opener.ts";
import type { Tracing } from "../node/tracing.ts";
import { backgroundStats, type ClientSource, collectStats, type StatsFilter } from "../stats/stats.ts";
import { LeaseGroup } from "./lease_group.ts";
import { type LeaseProblem, newEpoch, parseLease, problemOf } from "./lease.ts";
import { LeaseStream } from "./lease_stream.ts";
import type { QueueOptions } from "./options.ts";
import type {
  Batch,
  LeaseAnswer,
  LeasedMessage,
  Place,
  PublishOptions,
  Queue,
  QueueStats,
  ReceiveWish,
  StreamSink,
  SubscribeWish,
  Subscription,
  TouchAnswer,
} from "./queue.ts";
import { QueueConsumer, type QueueConsumerContext } from "./queue_consumer.ts";
import { channelNotFound, exiting, notKept, tooMany, topicNotFound } from "./refusals.ts";

/** Different timeouts that may be asked for in a channel at a time: each is a consumer. */
export const TIMEOUTS_MAX = 8;

/** What the queue uses of its daemon. */
export interface BrokerQueueContext {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: QueueOptions & Pick<NodeOptions, "nodeId">;
  /** Absent where nobody has asked for traces. */
  readonly tracing?: Tracing | undefined;
  /** The topic of that name, made if there is none. @throws {TopicError} When that cannot be. */
  openTopic(name: string): Topic;
  readonly turn: {
    /** Commits what others have published in this turn: it stands apart from what comes now. */
    commit(): void;
    /** It is flushed at the end of the turn. */
    hasOutput(member: TurnsEnd): void;
  };
  /** Settles when the metadata file is written with what there is now. Logs a failure, does not reject. */
  persistMetadata(): Promise<void>;
  /** The TCP clients that are connected. */
  sessions(): Iterable<ClientSource>;
  /** The client that a consumer of the broker belongs to that is none of this queue's. */
  clientOf(consumer: Consumer): ClientSource;
}

/** Has something to do at the end of a turn. */
export interface TurnsEnd {
  publishFailed(): void;
  publishKept(): void;
  flush(): void;
}

/** How a lease is answered; what it returns is why it cannot be. */
type Answering = (channel: Channel, position: number, attempt: number) => LeaseProblem | undefined;

/** The queue of one broker. */
export class BrokerQueue implements Queue {
  readonly epoch = newEpoch();
  readonly #context: BrokerQueueContext;
  /** By their channel and timeout. */
  readonly #groups = new Map<Channel, Map<number, LeaseGroup>>();
  readonly #streams = new Set<LeaseStream>();
  readonly #waiters = { count: 0 };
  /** Who has something to do at the end of this turn. */
  readonly #active = new Set<QueueConsumer>();
  #stopped = false;

  constructor(context: BrokerQueueContext) {
    this.#context = context;
  }

  /** Requests that wait for messages. */
  get waiting(): number {
    return this.#waiters.count;
  }

  /** The client behind a consumer, if it is one of this queue's. */
  clientOf(consumer: Consumer): ClientSource | undefined {
    return consumer.sink instanceof QueueConsumer ? consumer.sink : undefined;
  }

  /** Answers who has waited long enough; to be called ten times a second. */
  look(): void {
    const monotonicMs = this.#context.clock.monotonicMs();
    for (const consumer of this.#consumers()) consumer.look(monotonicMs);
  }

  async publish(
    name: string,
    body: Uint8Array,
    options: PublishOptions & { readonly deferMs: number },
  ): Promise<void> {
    const topic = this.#open(name);
    this.#context.turn.commit();
    try {
      topic.publish(body, options);
      const keeping = topic.kept();
      if (keeping) await keeping;
    } catch (cause) {
      throw notKept(cause);
    }
  }

  async publishBatch(
    name: string,
    { block, count }: Batch,
    { attributes }: PublishOptions = {},
  ): Promise<void> {
    for (const part of batchParts(block, { from: 0, to: block.length, count })) {
      if (part.from > 0) await othersFirst();
      // Anew: it may have been deleted meanwhile.
      const topic = this.#open(name);
      this.#context.turn.commit();
      try {
        topic.publishBatch(block.subarray(part.from, part.to), part.count, attributes);
        await topic.kept();
      } catch (cause) {
        throw notKept(cause);
      }
    }
  }

  async receive(place: Place, wish: ReceiveWish): Promise<readonly LeasedMessage[]> {
    const channel = this.#channelToUse(place);
    const { httpMaxLeases, httpMaxWaiters } = this.#context.options;
    if (channel.leasedCount >= httpMaxLeases) throw tooMany("LEASES");
    if (wish.waitMs > 0 && this.#waiters.count >= httpMaxWaiters) throw tooMany("WAITERS");
    return await this.#groupOf(channel, place.topic, wish).receive(wish);
  }

  subscribe(place: Place, wish: SubscribeWish, sink: StreamSink): Promise<Subscription> {
    return Promise.try(() => this.#subscribe(place, wish, sink));
  }

  finish(place: Place, leases: readonly string[]): Promise<LeaseAnswer> {
    const nowMs = this.#context.clock.monotonicMs();
    return this.#answer(place, leases, (channel, position, attempt) => {
      const fate = channel.fateOf(position, attempt);
      if (fate === "finished") return undefined;
      if (fate === "returned") channel.finishReturned(position);
      else if (typeof fate === "string") return problemOf(fate);
      else channel.finish(fate, position, nowMs);
      return undefined;
    });
  }

  requeue(
    place: Place,
    leases: readonly string[],
    options: { readonly delayMs: number },
  ): Promise<LeaseAnswer> {
    const { delayMs } = options;
    const nowMs = this.#context.clock.monotonicMs();
    return this.#answer(place, leases, (channel, position, attempt) => {
      const fate = channel.fateOf(position, attempt);
      if (typeof fate === "string") return problemOf(fate);
      channel.requeue(fate, position, { delayMs, nowMs });
      return undefined;
    });
  }

  async touch(place: Place, leases: readonly string[]): Promise<TouchAnswer> {
    const nowMs = this.#context.clock.monotonicMs();
    let firstMs = Infinity;
    const answer = await this.#answer(place, leases, (channel, position, attempt) => {
      const fate = channel.fateOf(position, attempt);
      if (typeof fate === "string") return problemOf(fate);
      firstMs = Math.min(firstMs, channel.touch(fate, position, nowMs));
      return undefined;
    });
    return { ...answer, expiresInMs: firstMs === Infinity ? undefined : Math.max(msFrom(nowMs, firstMs), 0) };
  }

  createTopic(name: string): Promise<void> {
    return Promise.try(() => void this.#open(name));
  }

  deleteTopic(name: string): Promise<void> {
    return Promise.try(() => {
      if (!this.#context.broker.deleteTopic(name)) throw topicNotFound();
    });
  }

  async emptyTopic(name: string): Promise<void> {
    const topic = this.#existing(name);
    topic.empty();
    await this.#save(topic);
  }

  async pauseTopic(name: string, paused: boolean): Promise<void> {
    const topic = this.#existing(name);
    if (paused) topic.pause();
    else topic.unpause();
    // Before the answer, so that a crash does not undo it.
    await this.#context.persistMetadata();
  }

  createChannel({ topic, channel }: Place): Promise<void> {
    return Promise.try(() => void this.#existing(topic).channel(channel));
  }

  async deleteChannel({ topic: name, channel }: Place): Promise<void> {
    const topic = this.#existing(name);
    if (!topic.deleteChannel(channel)) throw channelNotFound();
    await this.#save(topic);
  }

  async emptyChannel(place: Place): Promise<void> {
    this.#existingChannel(place).empty();
    await this.#save(this.#existing(place.topic));
  }

  async pauseChannel(place: Place, paused: boolean): Promise<void> {
    const channel = this.#existingChannel(place);
    if (paused) channel.pause();
    else channel.unpause();
    await this.#context.persistMetadata();
  }

  async stats(filter: StatsFilter): Promise<QueueStats> {
    const { broker, clock } = this.#context;
    const source = {
      broker,
      clock,
      sessions: () => this.#context.sessions(),
      clientOf: (consumer: Consumer) => this.clientOf(consumer) ?? this.#context.clientOf(consumer),
    };
    const stats = await collectStats(source, filter);
    return { ...stats, background: backgroundStats(broker) };
  }

  /** The streams of the client with that address. Who asks for each message has nothing to end. */
  streamsOf(address: string): LeaseStream[] {
    return [...this.#streams].filter(({ remoteAddress }) => remoteAddress === address);
  }

  stopDelivery(): void {
    this.#stopped = true;
    for (const consumer of this.#consumers()) consumer.stop();
  }

  #consumers(): QueueConsumer[] {
    return [...[...this.#groups.values()].flatMap((groups) => [...groups.values()]), ...this.#streams];
  }

  #subscribe(place: Place, wish: SubscribeWish, sink: StreamSink): Subscription {
    if (this.#streams.size >= this.#context.options.httpMaxStreams) throw tooMany("STREAMS");
    const channel = this.#channelToUse(place);
    const context = this.#consumerContext(place.topic, wish.timeoutMs);
    const stream = new LeaseStream(channel, { wish, sink, context });
    join(stream);
    this.#streams.add(stream);
    stream.awake();
    return { awake: () => stream.awake(), close: () => stream.leave() };
  }

  #groupOf(channel: Channel, topic: string, { timeoutMs, client }: ReceiveWish): LeaseGroup {
    const groups = this.#groups.get(channel) ?? new Map<number, LeaseGroup>();
    const existing = groups.get(timeoutMs);
    if (existing) return existing;
    if (groups.size >= TIMEOUTS_MAX) throw tooMany("TIMEOUTS");
    const group = new LeaseGroup(channel, client, this.#consumerContext(topic, timeoutMs));
    join(group);
    groups.set(timeoutMs, group);
    this.#groups.set(channel, groups);
    return group;
  }

  #consumerContext(topic: string, timeoutMs: number): QueueConsumerContext {
    const { clock, tracing, options: { nodeId, httpMaxLeases } } = this.#context;
    return {
      topic,
      terms: { nodeId, epoch: this.epoch, timeoutMs, tracing },
      leasesMax: httpMaxLeases,
      waiters: this.#waiters,
      atTurnsEnd: (consumer) => {
        this.#active.add(consumer);
        if (this.#active.size === 1) this.#context.turn.hasOutput(this.#turnsEnd);
      },
      ended: (consumer) => this.#forget(consumer),
      monotonicMs: () => clock.monotonicMs(),
      nowMs: () => clock.nowMs(),
    };
  }

  /** One member of the turn for all: it has nothing to do with publishing. */
  readonly #turnsEnd: TurnsEnd = {
    publishFailed: () => {},
    publishKept: () => {},
    flush: () => {
      const active = [...this.#active];
      this.#active.clear();
      for (const consumer of active) consumer.flush();
    },
  };

  #forget(consumer: QueueConsumer): void {
    if (consumer instanceof LeaseStream) this.#streams.delete(consumer);
    const groups = this.#groups.get(consumer.channel);
    if (!groups) return;
    for (const [timeoutMs, group] of groups) if (group === consumer) groups.delete(timeoutMs);
    if (groups.size === 0) this.#groups.delete(consumer.channel);
  }

  /** Answers leases one by one; many take a while, in which others are served. */
  async #answer(place: Place, leases: readonly string[], answering: Answering): Promise<LeaseAnswer> {
    const channel = this.#existingChannel(place);
    const { nodeId, httpMaxLeases } = this.#context.options;
    const wasFull = channel.leasedCount >= httpMaxLeases;
    const failed: { lease: string; problem: LeaseProblem }[] = [];
    const slice = new TimeSlice();
    for (const lease of leases) {
      const parts = parseLease(lease);
      const isOurs = parts !== undefined && parts.epoch === this.epoch;
      const position = isOurs ? messageIdPosition(parts.id, nodeId) : -1;
      const problem = isOurs ? answering(channel, position, parts.attempt) : "UNKNOWN";
      if (problem !== undefined) failed.push({ lease, problem });
      if (slice.isOver) await slice.next();
    }
    // Whose leases they were is awake; the others had no room because of them.
    if (wasFull) this.#awake(channel);
    return { done: leases.length - failed.length, failed };
  }

  #awake(channel: Channel): void {
    for (const consumer of this.#consumers()) {
      if (consumer.channel === channel && consumer.consumer.readyCount > 0) channel.awake(consumer.consumer);
    }
  }

  /** The topic, made if there is none; it has been logged why when it cannot be. */
  #open(name: string): Topic {
    try {
      return this.#context.openTopic(name);
    } catch (cause) {
      if (!(cause instanceof TopicError)) throw cause;
      throw exiting(cause);
    }
  }

  /** The channel, made if there is none, as SUB does. */
  #channelToUse({ topic, channel }: Place): Channel {
    if (this.#stopped) throw exiting();
    return this.#open(topic).channel(channel);
  }

  #existing(name: string): Topic {
    const topic = this.#context.broker.topics.get(name);
    if (topic === undefined) throw topicNotFound();
    return topic;
  }

  #existingChannel({ topic, channel: name }: Place): Channel {
    const channel = this.#existing(topic).channels.get(name);
    if (channel === undefined) throw channelNotFound();
    return channel;
  }

  /** So that a crash does not bring back what was dropped. A disk that refuses it now is asked again with every sync. */
  async #save(topic: Topic): Promise<void> {
    try {
      await topic.saveState();
    } catch (error) {
      this.#context.logger.error(`TOPIC(${topic.name}): failed to save state - ${errorText(error)}`);
    }
  }
}

function join(consumer: QueueConsumer): void {
  try {
    consumer.join();
  } catch (cause) {
    if (!(cause instanceof ChannelError)) throw cause;
    throw tooMany("CONSUMERS", cause);
  }
}
