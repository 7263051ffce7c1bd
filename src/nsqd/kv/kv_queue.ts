/**
 * The queue on a Deno KV database: every instance that uses it serves the same topics and channels. None of them owns anything.
 * What a message goes through are commits, each of which checks that nothing has changed that it goes by (channel_chunk.ts), so
 * whichever instance is asked gives the same answer, and one that ends, however it ends, leaves nothing behind but leases
 * whose time will be over.
 *
 * What is in memory is only what was read, and may be wrong at any moment: it decides where is looked first, never what is so.
 *
 * @module
 */
import type { AsyncGroup } from "../../base/async_group.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { SharedRun } from "../../base/shared_run.ts";
import { HttpError } from "../../http/http_error.ts";
import type { MessageOptions } from "../node/message_options.ts";
import type { QueueOptions } from "../queue/options.ts";
import type {
  Batch,
  LeaseAnswer,
  LeasedMessage,
  Place,
  Queue,
  QueueStats,
  ReceiveWish,
  StreamSink,
  SubscribeWish,
  Subscription,
  TouchAnswer,
} from "../queue/queue.ts";
import { exiting, tooMany } from "../queue/refusals.ts";
import type { StatsFilter } from "../stats/stats.ts";
import { DamagedRecordError, MESSAGE_SIZE_MAX, sizedBody } from "./chunk.ts";
import type { ChannelChunk } from "./channel_chunk.ts";
import { ChunkCache } from "./chunk_cache.ts";
import { Database, type Kv } from "./database.ts";
import { channelCountKey, topicCountKey, topicKey } from "./keys.ts";
import { KvAdmin, refuseEphemeral } from "./kv_admin.ts";
import { KvChannel } from "./kv_channel.ts";
import { kvStats } from "./kv_stats.ts";
import { type Answering, answerLeases, problemOf } from "./lease_answers.ts";
import { Remover } from "./remover.ts";
import { KvStream, WaitingRequest } from "./taker.ts";
import { piecesOf, TopicWriter } from "./topic_writer.ts";
import { type KnownTopic, Topics } from "./topics.ts";
import { channelIn } from "./topic_record.ts";

/** How often an instance looks what others have done while somebody waits, in ms. */
export const POLL_INTERVAL_MS = 250;
/** How often what nobody has any more is removed, in ms. */
export const REMOVAL_INTERVAL_MS = 30_000;
/** How often it is looked whether a database can be used again, in ms: perhaps nobody asks any more who would find out. */
const PROBE_INTERVAL_MS = 1000;
/** A channel or topic that nobody has used for so long is forgotten, in ms. */
const IDLE_MS = 60_000;

/** What the queue uses of its daemon. */
export interface KvQueueContext {
  readonly kv: Kv;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: QueueOptions & Pick<MessageOptions, "maxMsgTimeoutMs"> & { readonly kvTimeoutMs: number };
  /** Work that nobody waits for. */
  readonly tasks: Pick<AsyncGroup, "spawn">;
  sleep(ms: number): Promise<void>;
}

/** The queue. */
export class KvQueue implements Queue {
  /** Leases are good for every instance, and outlive each of them. */
  readonly epoch = "kv";
  readonly #context: KvQueueContext;
  readonly #database: Database;
  readonly #topics: Topics;
  readonly #cache: ChunkCache;
  readonly #remover: Remover;
  readonly #admin: KvAdmin;
  readonly #writers = new Map<string, TopicWriter>();
  readonly #channels = new Map<string, Map<string, KvChannel>>();
  readonly #polling = new SharedRun(() => this.#poll());
  readonly #removing = new SharedRun(() => this.#remover.run());
  #waiters = 0;
  #streams = 0;
  #isStopped = false;
  #pollMs = 0;
  #removalMs = 0;
  #probeMs = 0;

  constructor(context: KvQueueContext) {
    this.#context = context;
    const { kv, logger, options: { kvTimeoutMs: timeoutMs } } = context;
    this.#database = new Database(kv, { logger, timeoutMs });
    this.#topics = new Topics(this.#database, (topic, known) => this.#follow(topic, known));
    this.#cache = new ChunkCache(this.#database);
    this.#remover = new Remover(this.#database, this.#topics);
    this.#admin = new KvAdmin(this.#database, this.#topics, () => this.#removalMs = -Infinity);
    this.#removalMs = context.clock.monotonicMs();
  }

  /** Why the database could not be used the last time, if it could not. */
  get problem(): string | undefined {
    return this.#database.problem;
  }

  /** Looks at the time; to be called ten times a second. */
  look(): void {
    const monotonicMs = this.#context.clock.monotonicMs();
    let isWaitedFor = false;
    for (const channel of this.#allChannels()) {
      channel.look(monotonicMs);
      isWaitedFor ||= channel.isWaitedFor;
      if (channel.isWaitedFor) channel.usedMs = monotonicMs;
      if (monotonicMs - channel.usedMs > IDLE_MS) this.#forgetChannel(channel);
    }
    for (const [topic, writer] of this.#writers) {
      if (writer.isIdle && monotonicMs - writer.usedMs > IDLE_MS) this.#forgetWriter(topic);
    }
    if (isWaitedFor && !this.#polling.isRunning && monotonicMs - this.#pollMs >= POLL_INTERVAL_MS) {
      this.#pollMs = monotonicMs;
      this.#spawn(() => this.#polling.request());
    }
    if (this.problem !== undefined && monotonicMs - this.#probeMs >= PROBE_INTERVAL_MS) {
      this.#probeMs = monotonicMs;
      this.#spawn(() => this.#database.probe());
    }
    if (monotonicMs - this.#removalMs >= REMOVAL_INTERVAL_MS) {
      this.#removalMs = monotonicMs;
      this.#spawn(() => this.#removing.request());
    }
  }

  async publish(topic: string, body: Uint8Array, { deferMs }: { readonly deferMs: number }): Promise<void> {
    if (body.length > MESSAGE_SIZE_MAX) throw new HttpError(413, "MSG_TOO_BIG");
    refuseEphemeral({ topic });
    const block = sizedBody(body);
    const piece = { from: 0, to: block.length, count: 1 };
    const dueMs = deferMs === 0 ? 0 : this.#context.clock.nowMs() + deferMs;
    await this.#writerOf(topic).publish(block, piece, dueMs);
  }

  async publishBatch(topic: string, { block }: Batch): Promise<void> {
    refuseEphemeral({ topic });
    const writer = this.#writerOf(topic);
    await Promise.all(piecesOf(block).map((piece) => writer.publish(block, piece, 0)));
  }

  async receive(place: Place, wish: ReceiveWish): Promise<readonly LeasedMessage[]> {
    const channel = await this.#channelToUse(place);
    if (channel.leasesLeft === 0) throw tooMany("LEASES");
    const { waitMs } = wish;
    const isFull = this.#waiters >= this.#context.options.httpMaxWaiters;
    if (waitMs > 0 && isFull) throw tooMany("WAITERS");
    const taken = await channel.take({ ...wish, isAutomatic: false });
    if (taken.length > 0) return taken.map(({ message }) => message);
    if (waitMs === 0 || this.#isStopped) return [];
    this.#waiters++;
    const waiting: WaitingRequest = new WaitingRequest(
      wish,
      this.#context.clock.monotonicMs() + waitMs,
      () => {
        this.#waiters--;
        channel.remove(waiting);
      },
    );
    channel.add(waiting);
    return await waiting.messages;
  }

  async subscribe(place: Place, wish: SubscribeWish, sink: StreamSink): Promise<Subscription> {
    if (this.#streams >= this.#context.options.httpMaxStreams) throw tooMany("STREAMS");
    this.#streams++;
    let channel: KvChannel;
    try {
      channel = await this.#channelToUse(place);
    } catch (error) {
      this.#streams--;
      throw error;
    }
    const stream: KvStream = new KvStream(wish, sink, () => {
      this.#streams--;
      channel.remove(stream);
    });
    channel.add(stream);
    return { awake: () => channel.ring(), close: () => stream.leave() };
  }

  async finish(place: Place, leases: readonly string[]): Promise<LeaseAnswer> {
    const { failed } = await this.#answer(place, leases, (state, { index, attempt }, tally) => {
      const fate = state.fateOf(index, attempt, this.#context.clock.nowMs());
      if (fate === "finished") return undefined;
      if (fate === "superseded") return "EXPIRED";
      if (fate === "unknown") return "UNKNOWN";
      state.finish(index);
      tally.finished++;
      return undefined;
    });
    const problems = failed.filter(({ problem }) => problem !== "FINISHED");
    return { done: leases.length - problems.length, failed: problems };
  }

  requeue(
    place: Place,
    leases: readonly string[],
    { delayMs }: { readonly delayMs: number },
  ): Promise<LeaseAnswer> {
    return this.#answer(place, leases, (state, { index, attempt }, tally) => {
      const nowMs = this.#context.clock.nowMs();
      const problem = problemOf(state.fateOf(index, attempt, nowMs));
      if (problem !== undefined) return problem;
      state.requeue(index, delayMs === 0 ? 0 : nowMs + delayMs);
      tally.requeued++;
      return undefined;
    });
  }

  async touch(place: Place, leases: readonly string[]): Promise<TouchAnswer> {
    const { clock, options: { maxMsgTimeoutMs: heldMaxMs } } = this.#context;
    const untils = new Map<string, number>();
    const answer = await this.#answer(place, leases, (state, { lease, index, attempt }) => {
      const nowMs = clock.nowMs();
      const problem = problemOf(state.fateOf(index, attempt, nowMs));
      if (problem === undefined) untils.set(lease, state.touch(index, { nowMs, heldMaxMs }) - nowMs);
      return problem;
    });
    for (const { lease } of answer.failed) untils.delete(lease);
    const expiresInMs = untils.size === 0 ? undefined : Math.max(Math.min(...untils.values()), 0);
    return { ...answer, expiresInMs };
  }

  createTopic(topic: string): Promise<void> {
    return this.#admin.createTopic(topic);
  }

  deleteTopic(topic: string): Promise<void> {
    return this.#admin.deleteTopic(topic);
  }

  emptyTopic(topic: string): Promise<void> {
    return this.#admin.emptyTopic(topic);
  }

  async pauseTopic(topic: string, paused: boolean): Promise<void> {
    await this.#admin.pauseTopic(topic, paused);
    this.#ring(topic);
  }

  createChannel(place: Place): Promise<void> {
    return this.#admin.createChannel(place);
  }

  deleteChannel(place: Place): Promise<void> {
    return this.#admin.deleteChannel(place);
  }

  emptyChannel(place: Place): Promise<void> {
    return this.#admin.emptyChannel(place);
  }

  async pauseChannel(place: Place, paused: boolean): Promise<void> {
    await this.#admin.pauseChannel(place, paused);
    this.#ring(place.topic);
  }

  stats(filter: StatsFilter): Promise<QueueStats> {
    return kvStats(this.#database, filter, this.#context.clock.nowMs());
  }

  stopDelivery(): void {
    this.#isStopped = true;
    for (const channel of this.#allChannels()) channel.end("stopping");
  }

  /** Ends all there is to do with the database. */
  close(): void {
    this.#database.close();
  }

  #allChannels(): KvChannel[] {
    return [...this.#channels.values()].flatMap((channels) => [...channels.values()]);
  }

  #writerOf(topic: string): TopicWriter {
    const writer = this.#writers.get(topic) ?? this.#newWriter(topic);
    writer.usedMs = this.#context.clock.monotonicMs();
    return writer;
  }

  #newWriter(topic: string): TopicWriter {
    const writer = new TopicWriter(topic, {
      database: this.#database,
      topics: this.#topics,
      timestamp: () => this.#context.clock.timestamp(),
      published: (name) => this.#ring(name),
    });
    this.#writers.set(topic, writer);
    return writer;
  }

  /** The channel, made if there is none. */
  async #channelToUse(place: Place): Promise<KvChannel> {
    if (this.#isStopped) throw exiting();
    refuseEphemeral(place);
    const { record } = await this.#topics.make(place.topic);
    if (channelIn(record, place.channel) === undefined) await this.createChannel(place);
    return this.#channelOf(place);
  }

  #channelOf(place: Place): KvChannel {
    const { topic, channel: name } = place;
    const channels = this.#channels.get(topic) ?? new Map<string, KvChannel>();
    this.#channels.set(topic, channels);
    const channel = channels.get(name) ?? this.#newChannel(place);
    channels.set(name, channel);
    channel.usedMs = this.#context.clock.monotonicMs();
    return channel;
  }

  #newChannel(place: Place): KvChannel {
    const { clock, options, sleep } = this.#context;
    const channel = new KvChannel(place, {
      database: this.#database,
      topics: this.#topics,
      cache: this.#cache,
      epoch: this.epoch,
      leasesMax: options.httpMaxLeases,
      nowMs: () => clock.nowMs(),
      sleep,
      spawn: (work) => this.#spawn(work),
      doneHere: (topic, chunk) => this.#spawn(() => this.#collect(topic, chunk)),
    });
    channel.follow(this.#topics.known(place.topic));
    return channel;
  }

  #forgetChannel(channel: KvChannel): void {
    const { topic, channel: name } = channel.place;
    const channels = this.#channels.get(topic);
    channels?.delete(name);
    if (channels?.size === 0) {
      this.#channels.delete(topic);
      this.#topics.forget(topic);
    }
  }

  #forgetWriter(topic: string): void {
    this.#writers.delete(topic);
    if (!this.#channels.has(topic)) this.#topics.forget(topic);
  }

  #follow(topic: string, known: KnownTopic | undefined): void {
    for (const channel of this.#channels.get(topic)?.values() ?? []) channel.follow(known);
  }

  #ring(topic: string): void {
    for (const channel of this.#channels.get(topic)?.values() ?? []) channel.ring();
  }

  /** Answers leases. @throws {HttpError} */
  async #answer(place: Place, leases: readonly string[], answering: Answering): Promise<LeaseAnswer> {
    await this.#topics.find(place);
    return await answerLeases(this.#channelOf(place), { leases, epoch: this.epoch }, answering);
  }

  /** Looks what others have published, given back or changed, in topics that somebody waits for. */
  async #poll(): Promise<void> {
    for (const [topic, channels] of this.#channels) {
      const waitedFor = [...channels.values()].filter(({ isWaitedFor }) => isWaitedFor);
      if (waitedFor.length === 0) continue;
      const [record, messages, ...sums] = await this.#database.get(
        topicKey(topic),
        topicCountKey(topic, "messages"),
        ...waitedFor.flatMap(({ place }) => [
          channelCountKey(place, "requeued"),
          channelCountKey(place, "finished"),
        ]),
      );
      this.#topics.learn(topic, record);
      for (const [i, channel] of waitedFor.entries()) {
        await channel.heard({ of: [record, messages], answers: sums.slice(2 * i, 2 * i + 2) });
      }
    }
  }

  async #collect(topic: string, { versionstamp, entry }: ChannelChunk): Promise<void> {
    const known = await this.#topics.make(topic);
    if (entry !== undefined) await this.#remover.collect(topic, known, { versionstamp, entry });
  }

  #spawn(work: () => Promise<void>): void {
    this.#context.tasks.spawn("kv", async () => {
      try {
        await work();
      } catch (error) {
        if (error instanceof DamagedRecordError) this.#context.logger.error(`KV: ${error.message}`);
        // The database has said why; it is tried again the next time.
        else if (!(error instanceof HttpError)) throw error;
      }
    });
  }
}
