/**
 * A consumer of the model test: of the real channel and of the model's.
 *
 * @module
 */
import type { Channel } from "../../src/broker/channel.ts";
import { Consumer, type MessageSink } from "../../src/broker/consumer.ts";
import type { Segment } from "../../src/log/segment.ts";
import type { TopicLog } from "../../src/log/topic_log.ts";
import type { ModelChannel, ModelClient, ModelEntry } from "./broker_model.ts";

/** What a {@linkcode TrialClient} consumes. */
export interface TrialSubscription {
  readonly topic: string;
  readonly log: TopicLog;
  readonly real: Channel;
  readonly model: ModelChannel;
}

/** A consumer of both. */
export class TrialClient implements MessageSink, ModelClient {
  readonly consumer: Consumer;
  readonly topic: string;
  readonly log: TopicLog;
  readonly real: Channel;
  readonly model: ModelChannel;
  readonly msgTimeoutMs: number;
  readonly isLeased: boolean;
  inFlight: ModelEntry[] = [];
  open = true;
  #room = true;
  readonly #onMessage: (client: TrialClient, segment: Segment, index: number, attempts: number) => void;

  constructor(
    options: TrialSubscription & {
      readonly msgTimeoutMs: number;
      readonly isLeased: boolean;
      readonly onMessage: (client: TrialClient, segment: Segment, index: number, attempts: number) => void;
    },
  ) {
    this.topic = options.topic;
    this.log = options.log;
    this.real = options.real;
    this.model = options.model;
    this.msgTimeoutMs = options.msgTimeoutMs;
    const { msgTimeoutMs, isLeased } = options;
    this.isLeased = isLeased;
    this.consumer = new Consumer({ sink: this, msgTimeoutMs, sampleRate: 0, isLeased });
    this.#onMessage = options.onMessage;
  }

  get hasRoom(): boolean {
    return this.open && this.#room;
  }

  /** Its output is full, or not any more. */
  setRoom(room: boolean): void {
    this.#room = room;
    if (room) this.real.awake(this.consumer);
  }

  /** RDY */
  setReady(count: number): void {
    this.consumer.readyCount = count;
    this.real.awake(this.consumer);
  }

  send(segment: Segment, index: number, attempts: number): number {
    this.#onMessage(this, segment, index, attempts);
    return segment.bodyLength(index);
  }

  close(): void {
    this.open = false;
  }
}
