/**
 * Those who wait for messages of a channel: requests, each until it has got some or has waited long enough, and streams.
 *
 * @module
 */
import type { LeasedMessage, ReceiveWish, StreamSink, SubscribeWish } from "../queue/queue.ts";
import type { ChannelChunk } from "./channel_chunk.ts";

/** What is to be taken from a channel. */
export interface Wish {
  readonly max: number;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  /** Messages are finished as they are taken. */
  readonly isAutomatic: boolean;
}

/** A message that was taken, and where it is. */
export interface Taken {
  readonly message: LeasedMessage;
  readonly chunk: ChannelChunk;
  readonly index: number;
}

/** Who waits. */
export interface Taker {
  /** Nothing can be given to it any more. */
  readonly isEnded: boolean;
  /** What it wants now, `undefined` for nothing. */
  wish(nowMs: number): Wish | undefined;
  give(taken: readonly Taken[]): void;
  /** There is nothing to be had, because the database cannot be used. */
  fail(error: unknown): void;
  /** Looks at the time, by the monotonic clock. */
  look(monotonicMs: number): void;
  end(reason: "stopping" | "deleted"): void;
}

/** A request that waits. */
export class WaitingRequest implements Taker {
  readonly messages: Promise<readonly LeasedMessage[]>;
  readonly #wish: ReceiveWish;
  readonly #endMs: number;
  readonly #answer: PromiseWithResolvers<readonly LeasedMessage[]>;
  readonly #ended: () => void;
  #isEnded = false;

  /** Waits until then by the monotonic clock; `ended` is called when it waits no more. */
  constructor(wish: ReceiveWish, endMs: number, ended: () => void) {
    this.#wish = wish;
    this.#endMs = endMs;
    this.#ended = ended;
    this.#answer = Promise.withResolvers();
    this.messages = this.#answer.promise;
    const { signal } = wish.client;
    if (signal.aborted) this.end();
    else signal.addEventListener("abort", () => this.end(), { once: true });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  wish(): Wish {
    return { ...this.#wish, isAutomatic: false };
  }

  give(taken: readonly Taken[]): void {
    this.#settle(() => this.#answer.resolve(taken.map(({ message }) => message)));
  }

  fail(error: unknown): void {
    this.#settle(() => this.#answer.reject(error));
  }

  look(monotonicMs: number): void {
    if (monotonicMs >= this.#endMs) this.end();
  }

  end(): void {
    this.give([]);
  }

  #settle(how: () => void): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#ended();
    how();
  }
}

/** Bytes that a stream is sent at a time: a client that has no room left is sent no more than that. */
export const STREAM_BYTES_MAX = 256 * 1024;
/** Messages that a stream is sent at a time. */
const STREAM_MESSAGES_MAX = 256;

/** A stream. */
export class KvStream implements Taker {
  readonly #asked: SubscribeWish;
  readonly #sink: StreamSink;
  readonly #ended: () => void;
  /** What was sent and may still be in its hands. */
  #held: Taken[] = [];
  #isEnded = false;

  constructor(wish: SubscribeWish, sink: StreamSink, ended: () => void) {
    this.#asked = wish;
    this.#sink = sink;
    this.#ended = ended;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  wish(nowMs: number): Wish | undefined {
    if (this.#isEnded || !this.#sink.hasRoom) return undefined;
    this.#held = this.#held.filter(({ chunk, index, message }) =>
      chunk.isHeld(index, message.attempts, nowMs)
    );
    const max = Math.min(this.#asked.maxInFlight - this.#held.length, STREAM_MESSAGES_MAX);
    if (max <= 0) return undefined;
    const { timeoutMs, isAutomatic } = this.#asked;
    return { max, bytesMax: STREAM_BYTES_MAX, timeoutMs, isAutomatic };
  }

  give(taken: readonly Taken[]): void {
    if (!this.#asked.isAutomatic) this.#held.push(...taken);
    for (const { message } of taken) this.#sink.send(message);
    this.#sink.flush();
  }

  fail(): void {
    // Its client would only come again: it goes on when the database does.
  }

  look(): void {
    // It waits for ever.
  }

  /** The client has gone. */
  leave(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#ended();
  }

  end(reason: "stopping" | "deleted"): void {
    if (this.#isEnded) return;
    this.leave();
    this.#sink.end(reason);
  }
}
