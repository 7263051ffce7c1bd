/**
 * What becomes of delivered messages until the program takes them: the two forms, a loop that takes one after the other,
 * and a handler that is given them.
 *
 * @module
 */

import type { Message } from "./message.ts";

/** Whoever is given the messages. */
export interface Deliveries {
  deliver(message: Message): void;
  /** No more are wanted: those that were not taken are requeued. */
  stop(): void;
}

/** Handles a message: it is finished when this returns or resolves, and requeued when it throws or rejects. */
export type Handler = (message: Message, signal: AbortSignal) => void | Promise<void>;

const REQUEUE_NOW = { delayMs: 0, backoff: false } as const;

/** Messages in the order in which they came. */
class Waiting {
  #messages: Message[] = [];
  #first = 0;

  push(message: Message): void {
    this.#messages.push(message);
  }

  /** The next, unless nsqd has taken it for lost and given it to somebody else. */
  shift(): Message | undefined {
    while (this.#first < this.#messages.length) {
      const message = this.#messages[this.#first++];
      if (!message.expired && !message.settled) return message;
    }
    this.#messages = [];
    this.#first = 0;
    return undefined;
  }

  requeue(): void {
    for (let message = this.shift(); message; message = this.shift()) message.requeue(REQUEUE_NOW);
  }
}

/** The messages for a `for await` loop. */
export class MessageLoop implements Deliveries, AsyncIterableIterator<Message> {
  readonly #waiting = new Waiting();
  readonly #leave: () => void;
  #takers: ((result: IteratorResult<Message>) => void)[] = [];
  #taken: Message | undefined;
  #ended = false;

  /** `leave` is called when the loop is left. */
  constructor(leave: () => void) {
    this.#leave = leave;
  }

  deliver(message: Message): void {
    const taker = this.#takers.shift();
    if (this.#ended) message.requeue(REQUEUE_NOW);
    else if (!taker) this.#waiting.push(message);
    else {
      this.#taken = message;
      taker({ value: message, done: false });
    }
  }

  stop(): void {
    this.#ended = true;
    this.#waiting.requeue();
    for (const taker of this.#takers) taker({ value: undefined, done: true });
    this.#takers = [];
  }

  next(): Promise<IteratorResult<Message>> {
    const value = this.#waiting.shift();
    if (value) {
      this.#taken = value;
      return Promise.resolve({ value, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** The loop is left: the message that it was at, if that was not answered, is requeued. */
  return(): Promise<IteratorResult<Message>> {
    this.#taken?.requeue(REQUEUE_NOW);
    this.stop();
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** The messages for a handler. */
export class HandlerRuns implements Deliveries {
  readonly #waiting = new Waiting();
  readonly #handler: Handler;
  readonly #concurrency: () => number;
  readonly #signal: AbortSignal;
  readonly #failed: (message: Message, error: unknown) => void;
  #running = 0;
  #ended = false;
  #going = false;

  constructor(handler: Handler, parts: {
    /** The most messages that are handled at a time. */
    readonly concurrency: () => number;
    /** For the handler: it should end soon. */
    readonly signal: AbortSignal;
    /** Is told of errors. */
    readonly failed: (message: Message, error: unknown) => void;
  }) {
    this.#handler = handler;
    this.#concurrency = parts.concurrency;
    this.#signal = parts.signal;
    this.#failed = parts.failed;
  }

  deliver(message: Message): void {
    if (this.#ended) message.requeue(REQUEUE_NOW);
    else if (this.#running < this.#concurrency()) this.#run(message);
    else this.#waiting.push(message);
  }

  stop(): void {
    this.#ended = true;
    this.#waiting.requeue();
  }

  #run(message: Message): void {
    this.#running++;
    let result: void | Promise<void>;
    try {
      result = this.#handler(message, this.#signal);
    } catch (error) {
      this.#over(message, { error });
      return;
    }
    // A handler that has nothing to wait for costs no promise, whatever it returns.
    if (typeof result?.then !== "function") this.#over(message);
    else result.then(() => this.#over(message), (error) => this.#over(message, { error }));
  }

  #over(message: Message, failure?: { readonly error: unknown }): void {
    if (failure) {
      this.#failed(message, failure.error);
      message.requeue();
    } else message.finish();
    this.#running--;
    this.#goOn();
  }

  /** Handles what waits. One run after the other, and not one in the other: thousands may end at once. */
  #goOn(): void {
    if (this.#going) return;
    this.#going = true;
    while (this.#running < this.#concurrency()) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#run(next);
    }
    this.#going = false;
  }
}
