/**
 * All who receive from a channel with the same timeout: one consumer of the broker, so that its messages in flight are in
 * the order of their deadlines. Requests come and go; it takes messages while one of them wants some.
 *
 * A message goes to the request that has waited longest. At the end of a turn whoever has got some is answered, however many
 * were asked for: nobody waits for more to come.
 *
 * @module
 */
import type { Segment } from "../../log/segment.ts";
import { leasedMessage } from "./delivery.ts";
import type { LeasedMessage, QueueClient, ReceiveWish } from "./queue.ts";
import { QueueConsumer } from "./queue_consumer.ts";

/** After so long without a request, a group is no consumer any more, in ms. */
export const GROUP_IDLE_MS = 60_000;
/** A request that will not wait does so while what is there is being read from the disk, in ms. */
const READING_TIME_MS = 1000;

/** A request. */
interface Waiter {
  readonly wish: ReceiveWish;
  readonly messages: LeasedMessage[];
  readonly answer: (messages: readonly LeasedMessage[]) => void;
  bytes: number;
  /** When it waits no longer. */
  endMs: number;
  /** It has waited since a turn before. */
  isParked: boolean;
}

/** A group. */
export class LeaseGroup extends QueueConsumer {
  /** Requests that want more, the oldest first; one at most has got any, and is the oldest. */
  readonly #waiters = new Set<Waiter>();
  /** Of these, the ones that have come in this turn. */
  readonly #arrived: Waiter[] = [];
  /** Requests that have got all they want. */
  readonly #served: Waiter[] = [];
  /** Messages that are wanted. */
  #wanted = 0;
  #lastAskedMs = this.connectedMs;

  override get version(): string {
    return "HTTP";
  }

  override get readyCount(): number {
    return this.inFlightCount + this.#wanted;
  }

  override get hasRoom(): boolean {
    return this.#wanted > 0 && this.leasesLeft > 0;
  }

  /** Messages for a request. */
  receive(wish: ReceiveWish): Promise<readonly LeasedMessage[]> {
    const { promise, resolve } = Promise.withResolvers<readonly LeasedMessage[]>();
    const waiter: Waiter = { wish, messages: [], answer: resolve, bytes: 0, endMs: 0, isParked: false };
    this.client = wish.client;
    this.#lastAskedMs = this.context.monotonicMs();
    this.#waiters.add(waiter);
    this.#arrived.push(waiter);
    this.#want(wish.max);
    this.context.atTurnsEnd(this);
    this.channel.awake(this.consumer);
    return promise;
  }

  override get receiver(): QueueClient {
    const [waiter] = this.#waiters;
    return waiter?.wish.client ?? super.receiver;
  }

  override send(segment: Segment, index: number, attempts: number): number {
    const [waiter] = this.#waiters;
    const message = leasedMessage(segment, index, attempts, this.context.terms);
    const { length } = message.body;
    const { max, bytesMax } = waiter.wish;
    waiter.messages.push(message);
    waiter.bytes += length;
    this.#want(-1);
    // A message as large as the last one is to fit.
    if (waiter.messages.length >= max || waiter.bytes + length > bytesMax) {
      this.#remove(waiter);
      this.#served.push(waiter);
    }
    this.context.atTurnsEnd(this);
    return length;
  }

  override flush(): void {
    for (const { answer, messages } of this.#served.splice(0)) answer(messages);
    const [oldest] = this.#waiters;
    if (oldest !== undefined && oldest.messages.length > 0) this.#answer(oldest);
    for (const waiter of this.#arrived.splice(0)) {
      if (this.#waiters.has(waiter)) this.#park(waiter);
    }
  }

  override look(monotonicMs: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.endMs <= monotonicMs && waiter.messages.length === 0) this.#answer(waiter);
    }
    if (this.#waiters.size > 0) {
      // Others may have answered leases meanwhile, so that there can be more.
      if (!this.consumer.inTurn && this.leasesLeft > 0) this.channel.awake(this.consumer);
    } else if (monotonicMs - this.#lastAskedMs >= GROUP_IDLE_MS) {
      this.leave();
    }
  }

  override close(): void {
    this.stop();
    this.leave();
  }

  override stop(): void {
    this.flush();
    for (const waiter of this.#waiters) this.#answer(waiter);
  }

  #park(waiter: Waiter): void {
    const { wish } = waiter;
    const isComing = this.channel.depth > 0 && !this.channel.paused && this.leasesLeft > 0;
    const waitMs = isComing ? Math.max(wish.waitMs, READING_TIME_MS) : wish.waitMs;
    if (waitMs === 0) return this.#answer(waiter);
    const { signal } = wish.client;
    if (signal.aborted) return this.#answer(waiter);
    waiter.isParked = true;
    this.context.waiters.count++;
    waiter.endMs = this.context.monotonicMs() + waitMs;
    // Once it was answered, the signal means nothing.
    signal.addEventListener("abort", () => this.#waiters.has(waiter) && this.#answer(waiter), { once: true });
  }

  #answer(waiter: Waiter): void {
    this.#remove(waiter);
    waiter.answer(waiter.messages);
  }

  #remove(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    if (waiter.isParked) this.context.waiters.count--;
    this.#want(waiter.messages.length - waiter.wish.max);
  }

  /** So many more messages are wanted. */
  #want(count: number): void {
    this.#wanted += count;
    // As the broker sees it, it is ready for as many as it has room for.
    this.consumer.readyCount = this.#wanted > 0 ? Infinity : 0;
  }
}
