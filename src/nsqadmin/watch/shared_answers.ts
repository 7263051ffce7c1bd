/**
 * Answers of the cluster that several want at about the same time, as the pages of a topic do that are told of the same round:
 * what one of them asks for is given to the others, and is kept no longer than that.
 *
 * ```
 *   round 7                    round 8
 *  ─────┬──────┬────────────────────┬──────┬─────▶
 *       A asks B gets A's answer    A asks B gets A's
 * ```
 *
 * Who wants what is true now is only given what is still waited for.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";

/** How long an answer is given to others after it was asked for, in ms; at most until the next round. */
export const SHARED_MS = 2000;
/** Answers that are kept. */
export const ANSWERS_MAX = 100;
/** The size of all answers that are kept. One that is larger is given to those who wait for it, and not kept. */
export const ANSWERS_SIZE_MAX = 100_000;

/** What {@linkcode SharedAnswers} is given. */
export interface SharedAnswersOptions<T> {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Rounds that have ended. */
  readonly rounds: () => number;
  /** How many things there are in an answer. */
  readonly sizeOf: (answer: T) => number;
}

interface Entry<T> {
  readonly askedMs: number;
  readonly round: number;
  readonly answer: Promise<T>;
  /** As long as it is undefined the answer is waited for. */
  endedMs: number | undefined;
  size: number;
}

/** Answers of one kind, by what was asked. */
export class SharedAnswers<T> {
  readonly #options: SharedAnswersOptions<T>;
  /** Those that were asked for first come first. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: SharedAnswersOptions<T>) {
    this.#options = options;
  }

  /** Answers that are kept, or waited for. */
  get count(): number {
    return this.#entries.size;
  }

  /** The answer to a question, which is asked unless it is, or, for who shares, has been a moment ago. */
  async of(key: string, ask: () => Promise<T>, { shares }: { readonly shares: boolean }): Promise<T> {
    const known = this.#entries.get(key);
    const isUsed = known !== undefined && (known.endedMs === undefined || shares && !this.#isOld(known));
    if (isUsed) return await known.answer;
    const entry: Entry<T> = {
      askedMs: this.#options.clock.monotonicMs(),
      round: this.#options.rounds(),
      // Async, so that what throws at once is no special case.
      answer: (async () => await ask())(),
      endedMs: undefined,
      size: 0,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    try {
      const answer = await entry.answer;
      entry.size = this.#options.sizeOf(answer);
      return answer;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    } finally {
      entry.endedMs = this.#options.clock.monotonicMs();
      this.#makeRoom();
    }
  }

  /** Something has changed: whoever asks from now on gets an answer that was asked for from now on. */
  forget(): void {
    this.#entries.clear();
  }

  /** Drops what nobody is given any more. */
  dropOld(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#isOld(entry)) this.#entries.delete(key);
    }
  }

  #isOld({ askedMs, endedMs, round }: Entry<T>): boolean {
    if (endedMs === undefined) return false;
    const nowMs = this.#options.clock.monotonicMs();
    // What takes long is asked for less often: half of the time is others'.
    if (nowMs - endedMs <= endedMs - askedMs) return false;
    return round !== this.#options.rounds() || nowMs - askedMs > SHARED_MS;
  }

  #makeRoom(): void {
    let size = this.#entries.values().reduce((sum, entry) => sum + entry.size, 0);
    let count = this.#entries.size;
    for (const [key, entry] of this.#entries) {
      if (size <= ANSWERS_SIZE_MAX && count <= ANSWERS_MAX) return;
      // One that is waited for is shared: it is not asked for again because of others.
      if (entry.endedMs === undefined) continue;
      this.#entries.delete(key);
      size -= entry.size;
      count--;
    }
  }
}
