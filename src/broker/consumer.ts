/**
 * A consumer of a channel as the broker sees it: how many messages it takes, and where they go.
 *
 * @module
 */

import { NONE, type SlotList } from "./outstanding.ts";
import type { Segment } from "./segment.ts";

/** Takes messages on their way out; implemented by the TCP session. */
export interface MessageSink {
  /** False while too much output is waiting to be sent: a consumer that does not read stalls only itself. */
  readonly writable: boolean;
  /** Sends the message at the index of the segment. */
  send(segment: Segment, index: number, attempts: number): void;
  /** Ends the connection, because its channel is gone. */
  close(): void;
}

/** A consumer's state and counters, as in NSQ's clientV2. */
export class Consumer {
  readonly sink: MessageSink;
  /** Delivered messages time out after this. */
  readonly msgTimeoutMs: number;
  /** Of 100 messages so many are delivered, the others are dropped; 0 delivers all. */
  readonly sampleRate: number;
  /** How many messages may be in flight: RDY. */
  readyCount = 0;
  inFlightCount = 0;
  messageCount = 0;
  finishCount = 0;
  requeueCount = 0;
  /** Its messages in flight, by deadline. */
  readonly inFlight: SlotList = { head: NONE, tail: NONE };

  constructor(options: { sink: MessageSink; msgTimeoutMs: number; sampleRate: number }) {
    this.sink = options.sink;
    this.msgTimeoutMs = options.msgTimeoutMs;
    this.sampleRate = options.sampleRate;
  }

  /** True when one more message may be sent to it. */
  get ready(): boolean {
    return this.inFlightCount < this.readyCount && this.sink.writable;
  }
}
