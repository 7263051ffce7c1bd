/**
 * A consumer of the broker whose messages are leased, and how `/stats` shows it: as a client that is subscribed.
 *
 * @module
 */
import type { Channel } from "../../broker/channel.ts";
import { Consumer, type FlightObserver, type MessageSink } from "../../broker/consumer.ts";
import type { Segment } from "../../log/segment.ts";
import { hostOf } from "../../net/connection.ts";
import type { Tracing } from "../node/tracing.ts";
import type { ClientSource } from "../stats/stats.ts";
import type { DeliveryTerms } from "./delivery.ts";
import type { QueueClient } from "./queue.ts";

/** NSQ's number of a client that is subscribed. */
const SUBSCRIBED = 3;
const NO_COUNTS: ReadonlyMap<string, number> = new Map();

/** What a consumer over HTTP needs of its queue. */
export interface QueueConsumerContext {
  /** The name of the channel's topic. */
  readonly topic: string;
  readonly terms: DeliveryTerms;
  /** Leases of a channel, at most. */
  readonly leasesMax: number;
  /** Requests that wait, in all channels. */
  readonly waiters: { count: number };
  /** It has something to do at the end of this turn. */
  atTurnsEnd(consumer: QueueConsumer): void;
  /** It takes no more messages, and is not to be known any more. */
  ended(consumer: QueueConsumer): void;
  monotonicMs(): number;
  nowMs(): number;
}

/** What {@linkcode LeaseGroup} and {@linkcode LeaseStream} have in common. */
export abstract class QueueConsumer implements MessageSink, ClientSource {
  readonly channel: Channel;
  readonly consumer: Consumer;
  readonly context: QueueConsumerContext;
  readonly connectTimeS: number;
  readonly connectedMs: number;
  readonly state = SUBSCRIBED;
  readonly sampleRate = 0;
  readonly topologyZone = "";
  readonly topologyRegion = "";
  readonly pubCounts = NO_COUNTS;
  readonly snappy = false;
  readonly deflate = false;
  readonly tls = undefined;
  readonly auth = undefined;
  #client: QueueClient;
  #ended = false;

  constructor(channel: Channel, client: QueueClient, context: QueueConsumerContext) {
    this.channel = channel;
    this.context = context;
    this.#client = client;
    this.connectTimeS = Math.floor(context.nowMs() / 1000);
    this.connectedMs = context.monotonicMs();
    const { timeoutMs: msgTimeoutMs, tracing } = context.terms;
    const observer = tracing && this.#observer(tracing);
    this.consumer = new Consumer({ sink: this, msgTimeoutMs, sampleRate: 0, observer, isLeased: true });
  }

  /** Begins to take messages. @throws {ChannelError} When it cannot. */
  join(): void {
    this.channel.addConsumer(this.consumer);
  }

  /** Somebody asks for messages: it is shown in the statistics. */
  set client(client: QueueClient) {
    this.#client = client;
  }

  get clientId(): string {
    return idOf(this.#client);
  }

  /** Who gets the next message. */
  get receiver(): QueueClient {
    return this.#client;
  }

  get hostname(): string {
    return hostOf(this.#client.remoteAddress);
  }

  get remoteAddress(): string {
    return this.#client.remoteAddress;
  }

  get userAgent(): string {
    return this.#client.userAgent;
  }

  abstract get version(): string;

  get readyCount(): number {
    return this.consumer.readyCount;
  }

  get inFlightCount(): number {
    return this.consumer.inFlightCount;
  }

  get messageCount(): number {
    return this.consumer.messageCount;
  }

  get finishCount(): number {
    return this.consumer.finishCount;
  }

  get requeueCount(): number {
    return this.consumer.requeueCount;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** So many more messages may be leased in its channel. */
  get leasesLeft(): number {
    return Math.max(this.context.leasesMax - this.channel.leasedCount, 0);
  }

  /** Takes no more messages; leases stay valid for their time. */
  leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.channel.removeConsumer(this.consumer);
    this.context.ended(this);
  }

  abstract get hasRoom(): boolean;
  abstract send(segment: Segment, index: number, attempts: number): number;
  /** The channel is gone. */
  abstract close(): void;
  /** There will be no more messages for anybody. */
  abstract stop(): void;
  /** The turn has ended: what was sent in it is to go out. */
  abstract flush(): void;
  /** Looks at the time; to be called ten times a second. */
  abstract look(monotonicMs: number): void;

  #observer(tracing: Tracing): FlightObserver {
    const receiverId = () => idOf(this.receiver);
    return tracing.observer({
      topic: this.context.topic,
      channel: this.channel.name,
      get clientId() {
        return receiverId();
      },
    });
  }
}

function idOf({ name, remoteAddress }: QueueClient): string {
  return name ?? hostOf(remoteAddress);
}
