/**
 * What the HTTP API asks of whoever keeps the messages. It is asynchronous in all, and speaks of topics and channels by
 * name: whoever implements it may be the broker in this process (broker_queue.ts), or one whose state lies elsewhere and is
 * shared with other processes. tests/contract/queue.ts says what each must do.
 *
 * A message is had by a *lease* and not by a connection: whoever brings the lease may finish it, give it back, or ask for
 * more time, on any connection, until its time is over (lease.ts).
 *
 * ```
 *           receive, subscribe        finish
 *  waiting ───────────────────▶ leased ─────▶ done
 *     ▲                           │
 *     └───────────────────────────┘ requeue, or its time is over
 * ```
 *
 * What cannot be done is refused with an {@linkcode HttpError} (refusals.ts): its message is the code that a client gets.
 * Names have been checked before; numbers are within the limits of the options.
 *
 * @module
 */
import type { Stats, StatsFilter } from "../stats/stats.ts";
import type { BackgroundWork } from "../../broker/broker.ts";
import type { LeaseProblem } from "./lease.ts";

/** A channel of a topic. */
export interface Place {
  readonly topic: string;
  readonly channel: string;
}

/** Messages as a topic takes them: size and body of each, one after the other. */
export interface Batch {
  readonly block: Uint8Array;
  readonly count: number;
}

/** What may be kept beside what is published. */
export interface PublishOptions {
  /** Attributes of a segment, such as the trace that a publish belongs to. A queue that cannot keep them leaves them out. */
  readonly attributes?: Uint8Array | undefined;
}

/** Who consumes, for the statistics. */
export interface QueueClient {
  readonly remoteAddress: string;
  readonly userAgent: string;
  /** The name that goes with its token, if it has brought one. */
  readonly name: string | undefined;
  /** Aborted when it has gone. Asked for only by who waits: to find that out costs something. */
  readonly signal: AbortSignal;
}

/** What a receive asks for. */
export interface ReceiveWish {
  /** Messages, at most. */
  readonly max: number;
  /** Bytes of their bodies, at most; a single message may have more. */
  readonly bytesMax: number;
  /** How long to wait for the first, in ms; 0 takes what is there. */
  readonly waitMs: number;
  /** How long the leases are valid, in ms. */
  readonly timeoutMs: number;
  readonly client: QueueClient;
}

/** A message that was delivered. */
export interface LeasedMessage {
  /** 16 characters: its id, as TCP clients see it. */
  readonly id: string;
  /** `<16 characters>.<attempts>.<epoch>`; the first part is the id, but for messages that have kept that of another queue. */
  readonly lease: string;
  readonly attempts: number;
  /** When it was published, in ns since 1970. */
  readonly timestampNs: bigint;
  /** How long the lease is valid, in ms. */
  readonly expiresInMs: number;
  /** The W3C context of the publish, where that was traced and the queue has kept it. */
  readonly traceparent?: string | undefined;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What a subscription asks for. */
export interface SubscribeWish {
  /** Messages that may be leased to it at a time. */
  readonly maxInFlight: number;
  readonly timeoutMs: number;
  /** Messages are finished as they are sent: at most once. */
  readonly isAutomatic: boolean;
  readonly client: QueueClient;
}

/** Why a subscription ends: nsqd stops, the channel is gone, or an operator has ended it. */
export type EndReason = "stopping" | "deleted" | "kicked";

/** Where the messages of a subscription go. */
export interface StreamSink {
  /** False while too much waits for the client to read it: it gets no more. */
  readonly hasRoom: boolean;
  /** Takes a message; it is on its way with the next `flush()`. */
  send(message: LeasedMessage): void;
  /** All messages of a turn have been sent. */
  flush(): void;
  /** There will be no more. */
  end(reason: EndReason): void;
}

/** A subscription. */
export interface Subscription {
  /** The sink may have room again. */
  awake(): void;
  /** Ends it; leases stay valid for their time. */
  close(): void;
}

/** What became of leases that were to be answered. */
export interface LeaseAnswer {
  /** So many were answered. */
  readonly done: number;
  /** The others, and why not. */
  readonly failed: readonly { readonly lease: string; readonly problem: LeaseProblem }[];
}

/** What became of leases that were to be valid for longer. */
export interface TouchAnswer extends LeaseAnswer {
  /** How long the first of them to end is valid now, in ms; undefined when none is. */
  readonly expiresInMs: number | undefined;
}

/** The statistics of topics and channels, and of what goes on behind the answers. */
export interface QueueStats extends Stats {
  readonly background: BackgroundWork | undefined;
}

/** Keeps messages, gives them out, and has them answered. */
export interface Queue {
  /** The last part of every lease that this queue gives now; 1 to 32 of `a-z0-9`. */
  readonly epoch: string;

  /** Settles when the message is kept. */
  publish(
    topic: string,
    body: Uint8Array,
    options: PublishOptions & { readonly deferMs: number },
  ): Promise<void>;
  /** Settles when the messages are kept; of a very large batch, a part may have been kept when the rest cannot be. */
  publishBatch(topic: string, batch: Batch, options?: PublishOptions): Promise<void>;

  /** Messages that are there, or come within the time; fewer than asked for when there are fewer, and none in the end. */
  receive(place: Place, wish: ReceiveWish): Promise<readonly LeasedMessage[]>;
  /** Sends messages as they come. */
  subscribe(place: Place, wish: SubscribeWish, sink: StreamSink): Promise<Subscription>;
  /** The messages are done. One that is done already, by whomever, counts as done. */
  finish(place: Place, leases: readonly string[]): Promise<LeaseAnswer>;
  /** The messages are given back, to be delivered again after the delay. */
  requeue(
    place: Place,
    leases: readonly string[],
    options: { readonly delayMs: number },
  ): Promise<LeaseAnswer>;
  /** The leases are valid for as long again, within the longest time that a message may be in flight. */
  touch(place: Place, leases: readonly string[]): Promise<TouchAnswer>;

  /** Makes the topic if there is none. */
  createTopic(topic: string): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  emptyTopic(topic: string): Promise<void>;
  /** Its messages are kept back from its channels, or not any more. */
  pauseTopic(topic: string, paused: boolean): Promise<void>;
  /** Makes the channel of a topic that exists, if there is none. */
  createChannel(place: Place): Promise<void>;
  deleteChannel(place: Place): Promise<void>;
  emptyChannel(place: Place): Promise<void>;
  /** It delivers no more, or does again. */
  pauseChannel(place: Place, paused: boolean): Promise<void>;

  /** The numbers of `/stats`. */
  stats(filter: StatsFilter): Promise<QueueStats>;

  /** Nothing is received any more: who waits gets nothing, streams end. Publishing and answering go on. */
  stopDelivery(): void;
}
