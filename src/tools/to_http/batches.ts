/**
 * Gathers messages into batches, and sends so many batches at a time.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";

/** How messages are gathered. */
export interface BatchesOptions<Item> {
  /** The most in a batch. */
  readonly count: number;
  /** How long one waits for others, in ms. */
  readonly waitMs: number;
  /** The most batches at a time. */
  readonly concurrency: number;
  readonly sizeOf: (item: Item) => number;
  /** Sends a batch; what it resolves or rejects with is so for each in it. */
  readonly send: (items: readonly Item[]) => Promise<void>;
}

/** A batch of so many bytes waits for no others. */
export const BATCH_SIZE_MAX = 8 * 1024 * 1024;

interface Batch<Item> {
  readonly items: Item[];
  readonly sent: PromiseWithResolvers<void>;
  size: number;
}

/** Gathers items. */
export class Batches<Item> {
  readonly #options: BatchesOptions<Item>;
  /** Full ones, or those whose time is over. */
  #ready: Batch<Item>[] = [];
  #open: Batch<Item> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending = 0;
  #isHurried = false;

  constructor(options: BatchesOptions<Item>) {
    this.#options = options;
  }

  /** Settles as the batch does that the item is in. */
  add(item: Item): Promise<void> {
    const { count, waitMs, sizeOf } = this.#options;
    this.#open ??= { items: [], sent: Promise.withResolvers(), size: 0 };
    const batch = this.#open;
    batch.items.push(item);
    batch.size += sizeOf(item);
    if (batch.items.length >= count || batch.size >= BATCH_SIZE_MAX || this.#isHurried) this.#close();
    else this.#timer ??= setTimeout(() => this.#close(), waitMs);
    return batch.sent.promise;
  }

  /** From now on nothing waits for others. */
  hurry(): void {
    this.#isHurried = true;
    this.#close();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#open) this.#ready.push(this.#open);
    this.#open = undefined;
    this.#sendReady();
  }

  #sendReady(): void {
    while (this.#sending < this.#options.concurrency) {
      const batch = this.#ready.shift();
      if (batch === undefined) return;
      this.#sending++;
      this.#options.send(batch.items).then(batch.sent.resolve, batch.sent.reject).finally(() => {
        this.#sending--;
        this.#sendReady();
      });
    }
  }
}
