/**
 * What happens to a producer or consumer, for whoever watches it: nothing of this is per message, and nothing is made
 * while nobody watches.
 *
 * @module
 */

/** Something that has happened. */
export type Status =
  /** A connection to a node is being made. */
  | { readonly kind: "connecting"; readonly node: string }
  /** It can be used. */
  | { readonly kind: "connected"; readonly node: string; readonly version: string }
  /** It could not be made; after `retryMs` it is tried again, unless that is undefined. */
  | {
    readonly kind: "connect-failed";
    readonly node: string;
    readonly error: Error;
    readonly retryMs: number | undefined;
  }
  /** It has ended; after `retryMs` it is made again, unless that is undefined. */
  | {
    readonly kind: "disconnected";
    readonly node: string;
    readonly error: Error | undefined;
    readonly retryMs: number | undefined;
  }
  /** An nsqlookupd has answered: these are the nodes. */
  | { readonly kind: "discovered"; readonly lookupd: string; readonly nodes: readonly string[] }
  /** An nsqlookupd has not answered as it should. */
  | { readonly kind: "discovery-failed"; readonly lookupd: string; readonly error: Error }
  /** Too much fails: nothing is taken for `durationMs`. */
  | { readonly kind: "backing-off"; readonly level: number; readonly durationMs: number }
  /** A single message is let through, to see whether it works again. */
  | { readonly kind: "testing"; readonly level: number }
  /** It works again: everything is taken as before. */
  | { readonly kind: "backed-on" }
  /** A handler has thrown; its message was requeued. */
  | {
    readonly kind: "handler-failed";
    readonly messageId: string;
    readonly attempts: number;
    readonly error: unknown;
  }
  /** nsqd has refused FIN, REQ or TOUCH: the message had timed out, mostly. */
  | { readonly kind: "settle-refused"; readonly node: string; readonly error: Error }
  /** A message has been tried as often as it may be, and was given to whoever takes those. */
  | { readonly kind: "gave-up"; readonly messageId: string; readonly attempts: number }
  /** A message could not be given to whoever takes those that were given up; it was requeued. */
  | { readonly kind: "give-up-failed"; readonly messageId: string; readonly error: unknown }
  /** Messages were not published by a node, and are sent to another, or once more. */
  | {
    readonly kind: "publish-retried";
    readonly node: string;
    readonly messages: number;
    readonly error: Error;
  }
  /** Events that this watcher was too slow for. */
  | { readonly kind: "missed"; readonly count: number };

/** The most events that wait for a watcher. */
const WAITING_MAX = 1000;

/** Tells watchers what happens. */
export class StatusBoard {
  readonly #watchers = new Set<Watcher>();
  #ended = false;

  /** Whether anybody watches. */
  get watched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Tells everybody. */
  tell(status: Status): void {
    for (const watcher of this.#watchers) watcher.push(status);
  }

  /** What happens from now on, until the board or the signal ends it. */
  watch(signal?: AbortSignal): AsyncIterableIterator<Status> {
    const watcher: Watcher = new Watcher(() => {
      this.#watchers.delete(watcher);
      signal?.removeEventListener("abort", end);
    });
    const end = () => watcher.end();
    if (this.#ended || signal?.aborted) watcher.end();
    else {
      this.#watchers.add(watcher);
      signal?.addEventListener("abort", end);
    }
    return watcher;
  }

  /** Nothing more happens. */
  end(): void {
    this.#ended = true;
    for (const watcher of this.#watchers) watcher.end();
  }
}

/** Iterates over what happens, and keeps what is not taken yet. */
class Watcher implements AsyncIterableIterator<Status> {
  readonly #leave: () => void;
  #waiting: Status[] = [];
  #missed = 0;
  #ended = false;
  #taker: ((result: IteratorResult<Status>) => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  push(status: Status): void {
    if (this.#ended) return;
    if (this.#taker) {
      this.#taker({ value: status, done: false });
      this.#taker = undefined;
    } else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(status);
    else this.#missed++;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leave();
    this.#taker?.({ value: undefined, done: true });
    this.#taker = undefined;
  }

  next(): Promise<IteratorResult<Status>> {
    const value = this.#waiting.shift();
    if (value) return Promise.resolve({ value, done: false });
    if (this.#missed > 0) {
      const count = this.#missed;
      this.#missed = 0;
      return Promise.resolve({ value: { kind: "missed", count }, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#taker = resolve);
  }

  return(): Promise<IteratorResult<Status>> {
    this.#waiting = [];
    this.#missed = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
