/**
 * Questions to the cluster, for a page: it is shown whatever comes of them, with what was not answered.
 *
 * @module
 */

import { type Answered, type Failure, UnansweredError } from "../../cluster/asked.ts";

/** Gathers who has not answered what a page asks. */
export class Asking {
  readonly failures: Failure[] = [];
  /** A question has got no answer at all. */
  failed = false;

  /** The answer, or `otherwise` if nobody has one. */
  async ask<T>(question: Promise<Answered<T>>, otherwise: T): Promise<T> {
    try {
      const { value, failures } = await question;
      this.failures.push(...failures);
      return value;
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      this.failures.push(...error.failures);
      this.failed = true;
      return otherwise;
    }
  }
}
