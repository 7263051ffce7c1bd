/**
 * A consumer of a campaign's run: remembers what is in flight to it.
 *
 * @module
 */
import { Consumer, type MessageSink } from "../../src/broker/consumer.ts";
import type { Segment } from "../../src/log/segment.ts";
import type { Entry, TopicRecord } from "./power_loss_record.ts";

/** A message that is in flight to a consumer. */
export interface Flight {
  readonly entry: Entry;
  readonly position: number;
  readonly deliveredMs: number;
  deadlineMs: number;
}

/** Told of every message that a consumer gets. */
export type OnDelivery = (consumer: RunConsumer, segment: Segment, index: number, attempts: number) => void;

/** A consumer of the node. */
export class RunConsumer implements MessageSink {
  readonly consumer: Consumer;
  readonly topic: TopicRecord;
  readonly channel: string;
  readonly flights: Flight[] = [];
  readonly hasRoom = true;
  closed = false;
  readonly #onDelivery: OnDelivery;

  constructor(
    options: { topic: TopicRecord; channel: string; msgTimeoutMs: number; onDelivery: OnDelivery },
  ) {
    this.topic = options.topic;
    this.channel = options.channel;
    this.consumer = new Consumer({ sink: this, msgTimeoutMs: options.msgTimeoutMs, sampleRate: 0 });
    this.#onDelivery = options.onDelivery;
  }

  send(segment: Segment, index: number, attempts: number): number {
    this.#onDelivery(this, segment, index, attempts);
    return segment.bodyLength(index);
  }

  close(): void {
    this.closed = true;
  }
}
