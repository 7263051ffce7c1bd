/**
 * What the API says when daemons have not answered: of some a warning, of all a refusal (nsqadmin/http.go).
 *
 * @module
 */

import { type Answered, type Failure, failureText, hasNone, UnansweredError } from "../../cluster/asked.ts";
import { HttpError } from "../../http/http_error.ts";
import type { AdminContext } from "../context.ts";

/** Gathers what is wrong with the answers to several questions. */
export class Upstream {
  readonly #admin: AdminContext;
  readonly #messages: string[] = [];
  #isPartial = false;

  constructor(admin: AdminContext) {
    this.#admin = admin;
  }

  /** The answer to a question; `what` failed if there is none. @throws {HttpError} 502 */
  async ask<T>(what: string, question: Promise<Answered<T>>): Promise<T> {
    const { value } = await this.noting(what, question);
    return value;
  }

  /** The same for whatever has failures. @throws {HttpError} 502 */
  async noting<T extends { readonly failures: readonly Failure[] }>(
    what: string,
    doing: Promise<T>,
  ): Promise<T> {
    const { logger } = this.#admin;
    try {
      const done = await doing;
      if (done.failures.length > 0) {
        const text = failureText(done.failures);
        logger.warn(text);
        this.#messages.push(text);
        this.#isPartial ||= !done.failures.every(hasNone);
      }
      return done;
    } catch (cause) {
      if (!(cause instanceof UnansweredError)) throw cause;
      logger.error(`failed to ${what} - ${cause.message}`);
      throw new HttpError(502, `UPSTREAM_ERROR: ${cause.message}`, { cause });
    }
  }

  /** A refusal, where there may be what was not found, for not all have answered. */
  refusal(): HttpError | undefined {
    return this.#isPartial ? new HttpError(502, `UPSTREAM_ERROR: ${this.#messages.join("; ")}`) : undefined;
  }

  /** What the answer's `message` says. */
  get message(): string {
    return this.#messages.length === 0 ? "" : `WARNING: ${this.#messages.join("; ")}`;
  }
}
