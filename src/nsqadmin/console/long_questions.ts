/**
 * Questions to all daemons whose answers may be large, and so take long, for pages that do not wait for the last of them: a page
 * is made of what there is after a while, and says who is late. The question goes on, and whoever looks next is given all of it.
 *
 * ```
 *  asked ───── 1 s ─────▶ (a page, without who is late) ──▶ all have answered ──▶ (the next page)
 * ```
 *
 * @module
 */

import { SYSTEM_TIMERS, within } from "../../base/timers.ts";
import type { Daemon } from "../../cluster/daemon_client.ts";
import type { Failure } from "../../cluster/asked.ts";
import type { Waits } from "../waits.ts";
import { SharedAnswers, type SharedAnswersOptions } from "../watch/shared_answers.ts";
import { LATE_REASON } from "../watch/watched_node.ts";

/** A question that was begun. */
export interface LongQuestion<T> {
  readonly all: Promise<T>;
  /** What there is by now, without those who are late. */
  readonly soFar: () => T;
}

/** How somebody looks. */
interface LongLook {
  /** He takes what others were given a moment ago. */
  readonly shares: boolean;
  /** He waits until all have answered. */
  readonly waits: boolean;
}

/** What {@linkcode LongQuestions} is given. */
export interface LongQuestionsOptions extends Omit<SharedAnswersOptions<unknown>, "sizeOf"> {
  readonly waits: Pick<Waits, "lateMs">;
}

/** Questions of one kind, which is asked once for all who look at the same time. */
export class LongQuestions<T> {
  readonly #answers: SharedAnswers<T>;
  readonly #ask: () => Promise<LongQuestion<T>>;
  readonly #waits: LongQuestionsOptions["waits"];
  /** The last that was begun. */
  #asking: Promise<LongQuestion<T>> | undefined;
  /** Somebody was given only a part of its answer. */
  #isOwed = false;

  /** `ask` begins to ask, and settles when it is known whom. */
  constructor(ask: () => Promise<LongQuestion<T>>, options: LongQuestionsOptions) {
    this.#ask = ask;
    this.#waits = options.waits;
    this.#answers = new SharedAnswers({ ...options, sizeOf: () => 1 });
  }

  /** The answer, or what there is of it by then. */
  async of({ shares, waits }: LongLook): Promise<T> {
    const all = this.#answers.of("", () => this.#begin(), { shares: shares || this.#isOwed });
    this.#isOwed = false;
    return await (waits ? all : Promise.race([all, this.#soon(all)]));
  }

  /** Whoever asks from now on is given what was asked for from now on. */
  forget(): void {
    this.#answers.forget();
  }

  /** Drops what nobody is given any more. */
  dropOld(): void {
    this.#answers.dropOld();
  }

  async #begin(): Promise<T> {
    this.#asking = this.#ask();
    return await (await this.#asking).all;
  }

  async #soon(all: Promise<T>): Promise<T> {
    const question = await this.#asking;
    const answer = await within(SYSTEM_TIMERS, this.#waits.lateMs, all);
    if (answer !== undefined || question === undefined) return answer ?? await all;
    this.#isOwed = true;
    return question.soFar();
  }
}

/** Those who are late, among those who have not answered. */
export function lateFailures(late: readonly Daemon[]): Failure[] {
  return late.map((daemon) => ({ daemon, reason: LATE_REASON }));
}
