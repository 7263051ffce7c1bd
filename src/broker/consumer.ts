/**
 * A consumer of a channel as the broker sees it: how many messages it takes, and where they go.
 *
 * @module
 */

import { NONE, type SlotHolder, type SlotList } from "./outstanding.ts";
import type { Segment } from "../log/segment.ts";

/** Takes messages on their way out; implemented by the TCP session, and by those who consume over HTTP. */
export interface MessageSink {
  /** False while too much output is waiting to be sent: a consumer that does not read stalls only itself. */
  readonly hasRoom: boolean;
  /** Sends the message at the index of the segment; returns the bytes of its body. */
  send(segment: Segment, index: number, attempts: number): number;
  /** Ends the connection, because its channel is gone. */
  close(): void;
}

/** How a message in flight ends to be that: by FIN, by REQ, by its timeout, or because it is there no more. */
export type FlightEnd = "finished" | "requeued" | "timedOut" | "dropped";

/** Sees what becomes of the messages that are delivered to a consumer. */
export interface FlightObserver {
  /** The message at the index of the segment has been sent. */
  began(segment: Segment, index: number, attempts: number): void;
  /** The message at the position is no longer in flight. */
  ended(position: number, how: FlightEnd): void;
  /** No message is in flight any more, for the channel was emptied. */
  emptied(): void;
}

/** How near a consumer is to its nsqd, the nearest first. */
export const NEARNESS = { zone: 0, region: 1, global: 2 } as const;
/** One of these. */
export type Nearness = typeof NEARNESS[keyof typeof NEARNESS];

/** A consumer's state and counters, as in NSQ's clientV2. */
export class Consumer implements SlotHolder {
  readonly sink: MessageSink;
  /** Absent where nobody looks, as a rule. */
  readonly observer: FlightObserver | undefined;
  /** Delivered messages time out after this. */
  readonly msgTimeoutMs: number;
  /** Of 100 messages so many are delivered, the others are dropped; 0 delivers all. */
  readonly sampleRate: number;
  /** Nearer consumers get messages first. */
  readonly nearness: Nearness;
  /** Its messages are answered by what they were delivered with, whoever brings it, and not on a connection of its own. */
  readonly isLeased: boolean;
  /** How many messages may be in flight: RDY. */
  readyCount = 0;
  inFlightCount = 0;
  messageCount = 0;
  finishCount = 0;
  requeueCount = 0;
  /** It is among those that may be ready; kept by ConsumerTurns. */
  inTurn = false;
  /** Its number among those that have messages in flight; kept by its channel. */
  holderId = NONE;
  /** Its messages in flight, by deadline. */
  readonly inFlight: SlotList = { head: NONE, tail: NONE };

  constructor(
    options: {
      sink: MessageSink;
      msgTimeoutMs: number;
      sampleRate: number;
      nearness?: Nearness;
      observer?: FlightObserver | undefined;
      isLeased?: boolean;
    },
  ) {
    this.sink = options.sink;
    this.observer = options.observer;
    this.nearness = options.nearness ?? NEARNESS.global;
    this.isLeased = options.isLeased ?? false;
    this.msgTimeoutMs = options.msgTimeoutMs;
    this.sampleRate = options.sampleRate;
  }

  /** True when one more message may be sent to it. */
  get ready(): boolean {
    return this.inFlightCount < this.readyCount && this.sink.hasRoom;
  }
}
