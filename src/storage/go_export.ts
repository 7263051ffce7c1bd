/**
 * Writes a broker's messages as Go's disk queues (src/storage/go_disk_queue.ts): each channel's that are not finished, and
 * each topic's own. They leave the broker on the way, as if a consumer finished them all, so this is for a broker on
 * files that do not change (src/storage/read_only_files.ts). One segment is in memory at a time.
 *
 * Ids, timestamps and attempts are kept. Go's queues have no place for the time at which a message is due: deferred ones
 * are ready.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import type { Channel } from "../broker/channel.ts";
import { Consumer, type MessageSink } from "../broker/consumer.ts";
import { PumpBudget } from "../broker/pump_budget.ts";
import type { Segment } from "../log/segment.ts";
import type { Topic } from "../broker/topic.ts";
import { MESSAGE_ID_LENGTH, writeMessageId } from "../protocol/message_id.ts";
import type { FileSystem } from "./file_system.ts";
import { diskQueueName } from "./go_disk_queue.ts";
import { DiskQueueWriter } from "./go_disk_queue_writer.ts";

/** Messages that are in flight at a time. */
const BATCH_MESSAGES = 1000;
/** Rounds in which nothing moves, after which nothing will: what is deferred needs some to be read. */
const IDLE_ROUNDS_MAX = 4;
/** Everything that is deferred is due then. */
const END_OF_TIME_MS = 8.64e15;
const MESSAGE_TIMEOUT_MS = 60_000;

/** The broker's clock, which can be moved to the end of time. */
export class ExportClock implements Clock {
  #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** No message is published that needs one. */
  timestamp(): { high: number; low: number } {
    return { high: 0, low: 0 };
  }

  /** Makes everything due. */
  end(): void {
    this.#nowMs = END_OF_TIME_MS;
  }
}

/** Where to, and how. */
export interface ExportOptions {
  readonly files: FileSystem;
  /** An empty folder. */
  readonly folder: string;
  readonly logger: Logger;
  /** The broker's. */
  readonly clock: ExportClock;
  /** The node's part of the ids of messages that have none of another queue. */
  readonly nodeId: number;
  readonly maxBytesPerFile: number;
}

/** What was written. */
export interface Exported {
  readonly queues: number;
  readonly messages: number;
  /** Of these, the ones that were deferred. */
  readonly deferred: number;
  /** Bytes of the longest body. */
  readonly longestBytes: number;
}

/**
 * Moves all messages of the broker, whose topics have been started, into Go's files, and syncs these.
 *
 * @throws {Error} If some cannot be read or written.
 */
export async function exportTopics(broker: Broker, options: ExportOptions): Promise<Exported> {
  const startMs = options.clock.nowMs();
  options.clock.end();
  const total = { queues: 0, messages: 0, deferred: deferredIn(broker), longestBytes: 0 };
  const exportQueue = async (topic: Topic, channel: Channel, isTopics: boolean) => {
    const name = isTopics ? diskQueueName(topic.name) : diskQueueName(topic.name, channel.name);
    const drain = new Drain(broker, { ...options, topic, channel, isTopics, name, startMs });
    const { count, deferred, longestBytes } = await drain.run();
    options.logger.info(`DISKQUEUE(${name}): exported ${count} messages`);
    total.messages += count;
    total.deferred += deferred;
    total.longestBytes = Math.max(total.longestBytes, longestBytes);
    if (count > 0) total.queues++;
  };
  for (const topic of broker.topics.values()) {
    for (const channel of topic.channels.values()) {
      await exportQueue(topic, channel, false);
      topic.deleteChannel(channel.name);
    }
    // The topic's own messages go to its first channel.
    topic.unpause();
    if (topic.depth > 0) await exportQueue(topic, topic.channel("export-nsq"), true);
  }
  await options.files.syncFolder(options.folder);
  return total;
}

/** A consumer that takes all of a channel's messages. */
class Drain implements MessageSink {
  readonly hasRoom = true;
  /** The topic's own messages that were deferred: nobody has looked at them before. */
  deferred = 0;
  longestBytes = 0;
  readonly #broker: Broker;
  readonly #options: DrainOptions;
  readonly #writer: DiskQueueWriter;
  readonly #consumer = new Consumer({ sink: this, msgTimeoutMs: MESSAGE_TIMEOUT_MS, sampleRate: 0 });
  readonly #positions: number[] = [];
  readonly #id = new Uint8Array(MESSAGE_ID_LENGTH);

  constructor(broker: Broker, options: DrainOptions) {
    this.#broker = broker;
    this.#options = options;
    this.#writer = new DiskQueueWriter(options);
    this.#consumer.readyCount = BATCH_MESSAGES;
  }

  get count(): number {
    return this.#writer.count;
  }

  /** Takes them. */
  async run(): Promise<this> {
    using writer = this.#writer;
    const { channel, name } = this.#options;
    channel.unpause();
    channel.addConsumer(this.#consumer);
    let idleRounds = 0;
    for (let left = unfinished(channel); left > 0;) {
      this.#takeSome();
      const before = left;
      left = unfinished(channel);
      idleRounds = left < before ? 0 : idleRounds + 1;
      if (idleRounds > IDLE_ROUNDS_MAX) throw new Error(`${left} messages of ${name} cannot be read`);
      if (idleRounds > 0) await this.#load();
    }
    await writer.finish();
    channel.removeConsumer(this.#consumer);
    return this;
  }

  send(segment: Segment, index: number, attempts: number): number {
    const { isTopics, startMs, nodeId } = this.#options;
    const position = segment.base + index;
    this.#positions.push(position);
    if (isTopics && segment.dueMs(index) > startMs) this.deferred++;
    const bodyOffset = segment.bodyOffset(index);
    const body = segment.bytes.subarray(bodyOffset, bodyOffset + segment.bodyLength(index));
    const foreignId = segment.foreignId(index);
    if (foreignId === 0) writeMessageId(this.#id, 0, position, nodeId);
    else this.#id.set(segment.bytes.subarray(foreignId, foreignId + MESSAGE_ID_LENGTH));
    this.#writer.add({
      timestampHigh: segment.timestampHigh(index),
      timestampLow: segment.timestampLow(index),
      // This delivery is none of a client's.
      attempts: attempts - 1,
      id: this.#id,
      body,
    });
    this.longestBytes = Math.max(this.longestBytes, body.length);
    return body.length;
  }

  close(): void {}

  #takeSome(): void {
    const { channel, clock } = this.#options;
    const nowMs = clock.nowMs();
    if (channel.deferredCount > 0) this.#broker.scan(nowMs);
    channel.awake(this.#consumer);
    channel.pump(nowMs, new PumpBudget(BATCH_MESSAGES, Infinity));
    for (const position of this.#positions.splice(0)) channel.finish(this.#consumer, position, nowMs);
  }

  /** Waits for segments that are being read. */
  async #load(): Promise<void> {
    const { log } = this.#options.topic;
    log.retry();
    await log.idle();
  }
}

interface DrainOptions extends ExportOptions {
  readonly topic: Topic;
  readonly channel: Channel;
  /** The messages are the topic's own, which the channel has got for this. */
  readonly isTopics: boolean;
  /** Of the queue. */
  readonly name: string;
  /** When the export began, in ms. */
  readonly startMs: number;
}

/** Messages of channels that are deferred. */
function deferredIn({ topics }: Broker): number {
  const channels = [...topics.values()].flatMap((topic) => [...topic.channels.values()]);
  return channels.reduce((sum, { deferredCount }) => sum + deferredCount, 0);
}

function unfinished({ depth, inFlightCount, deferredCount }: Channel): number {
  return depth + inFlightCount + deferredCount;
}
