/**
 * A subscription: a consumer of the broker for one client, to whom messages are sent as they come, as many at a time as it
 * has asked for.
 *
 * @module
 */
import type { Channel } from "../../broker/channel.ts";
import type { Segment } from "../../log/segment.ts";
import { leasedMessage } from "./delivery.ts";
import type { EndReason, StreamSink, SubscribeWish } from "./queue.ts";
import { QueueConsumer, type QueueConsumerContext } from "./queue_consumer.ts";

/** A stream. */
export class LeaseStream extends QueueConsumer {
  readonly #sink: StreamSink;
  readonly #isAutomatic: boolean;
  /** What was sent in this turn and is to be finished at its end. */
  readonly #sent: { readonly position: number; readonly attempts: number }[] = [];

  constructor(
    channel: Channel,
    { wish, sink, context }: { wish: SubscribeWish; sink: StreamSink; context: QueueConsumerContext },
  ) {
    super(channel, wish.client, context);
    this.#sink = sink;
    this.#isAutomatic = wish.isAutomatic;
    this.consumer.readyCount = wish.maxInFlight;
  }

  override get version(): string {
    return "SSE";
  }

  override get hasRoom(): boolean {
    return this.leasesLeft > 0 && this.#sink.hasRoom;
  }

  override send(segment: Segment, index: number, attempts: number): number {
    const message = leasedMessage(segment, index, attempts, this.context.terms);
    this.#sink.send(message);
    if (this.#isAutomatic) this.#sent.push({ position: segment.base + index, attempts });
    this.context.atTurnsEnd(this);
    return message.body.length;
  }

  override flush(): void {
    this.#sink.flush();
    const nowMs = this.context.monotonicMs();
    for (const { position, attempts } of this.#sent.splice(0)) {
      // The channel may have been emptied meanwhile.
      const isHeld = this.channel.fateOf(position, attempts) === this.consumer;
      if (isHeld) this.channel.finish(this.consumer, position, nowMs);
    }
  }

  /** The client may have room again. */
  awake(): void {
    if (!this.isEnded) this.channel.awake(this.consumer);
  }

  override look(): void {
    // Others may have answered leases meanwhile, so that there can be more.
    if (!this.consumer.inTurn) this.awake();
  }

  override close(): void {
    this.end("deleted");
  }

  override stop(): void {
    this.end("stopping");
  }

  /** Ends it, and says why. */
  end(reason: EndReason): void {
    if (this.isEnded) return;
    this.leave();
    this.#sink.end(reason);
  }
}
