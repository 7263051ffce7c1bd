/**
 * Questions to the cluster, for a page: it is shown whatever comes of them, with what was not answered.
 *
 * @module
 */

import { type Answered, type Failure, hasNone, UnansweredError } from "../../cluster/asked.ts";

/** Gathers who has not answered what a page asks. Who has no such topic has answered. */
export class Asking {
  readonly failures: Failure[] = [];
  /** A question has got no answer at all. */
  failed = false;

  /** The answer, or `otherwise` if nobody has one. */
  async ask<T>(question: Promise<Answered<T>>, otherwise: T): Promise<T> {
    try {
      const { value, failures } = await question;
      this.#note(failures);
      return value;
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      this.failed ||= this.#note(error.failures) || error.failures.length === 0;
      return otherwise;
    }
  }

  /** Notes who has not answered; false if all have. */
  #note(failures: readonly Failure[]): boolean {
    const unanswered = failures.filter((failure) => !hasNone(failure));
    this.failures.push(...unanswered);
    return unanswered.length > 0;
  }
}
