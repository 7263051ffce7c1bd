/**
 * Lets publishers who wait for each OK share a sync. They publish again as soon as they are told, which is a moment after
 * the next sync has begun for others: two of them would have a sync for each message.
 *
 * ```
 *  at once       ── sync A ──┬── sync B ──┬── sync A ──        waiting       ── sync A, B ──┬┄┄┬── sync A, B ──
 *                       A's OK   B's OK                                            both OKs   both are back
 * ```
 *
 * So before a sync begins, it waits until as many messages have come as the last one has brought their OK. Whether
 * that is worth it shows: it is where they come within half of the time that a sync takes. Where they do not, the next
 * syncs begin at once, more and more of them before it is tried again. What is waited for at most is a turn of all
 * others (1 to 2 ms).
 *
 * @module
 */

/** Within this part of a sync's time messages must come for it to be worth waiting. */
const WORTH_PART = 1 / 2;
/** How many syncs begin at once after one that has waited in vain: so many at first, twice as many each time, and at most. */
const AT_ONCE_MIN = 8;
const AT_ONCE_MAX = 1024;
/** Part of the last sync in the mean of all. */
const MEAN_PART = 1 / 4;

/** What it needs of its topic. */
export interface GatheringContext {
  monotonicMs(): number;
  /** Settles when others have had their turn. */
  readonly othersFirst: () => Promise<void>;
}

/** When a topic's next sync begins. */
export class Gathering {
  readonly #context: GatheringContext;
  /** How long syncs take. */
  #syncMs = 0;
  /** Messages that the last sync has brought their OK, and those that have come since it ended. */
  #answered = 0;
  #come = 0;
  /** Settles when as many have come. */
  #all: PromiseWithResolvers<void> | undefined;
  /** Syncs that begin at once, after one that has waited in vain, and how many of these are left. */
  #atOnce = 0;
  #left = 0;
  /** Others have their turn. */
  #turn: Promise<void> | undefined;

  constructor(context: GatheringContext) {
    this.#context = context;
  }

  /** So many messages have been written. */
  came(messages: number): void {
    this.#come += messages;
    if (this.#isComplete) this.#all?.resolve();
  }

  /** A sync of so many messages has ended. */
  synced(messages: number, durationMs: number): void {
    this.#answered = messages;
    this.#come = 0;
    this.#syncMs += (durationMs - this.#syncMs) * (this.#syncMs === 0 ? 1 : MEAN_PART);
  }

  /** What is to be waited for before the next sync begins; undefined is nothing. Never rejects. */
  begin(): Promise<void> | undefined {
    if (this.#isComplete || this.#syncMs === 0) return undefined;
    if (this.#left > 0) {
      this.#left--;
      return undefined;
    }
    return this.#wait();
  }

  /** Settles when nothing is waited for any more. */
  async ended(): Promise<void> {
    await this.#turn;
  }

  get #isComplete(): boolean {
    return this.#come >= this.#answered;
  }

  async #wait(): Promise<void> {
    const { monotonicMs, othersFirst } = this.#context;
    const startMs = monotonicMs();
    this.#all = Promise.withResolvers();
    this.#turn = othersFirst();
    await Promise.race([this.#all.promise, this.#turn]);
    this.#all = undefined;
    const isWorth = this.#isComplete && monotonicMs() - startMs <= this.#syncMs * WORTH_PART;
    this.#atOnce = isWorth
      ? this.#atOnce >> 1
      : Math.min(Math.max(2 * this.#atOnce, AT_ONCE_MIN), AT_ONCE_MAX);
    this.#left = isWorth ? 0 : this.#atOnce;
  }
}
