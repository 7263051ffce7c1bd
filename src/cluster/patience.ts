/**
 * With daemons that do not answer: whoever has much to ask gives up one that has let him wait several times in a row, so that
 * it costs him that and no more.
 *
 * @module
 */

import type { Daemon } from "./daemon_client.ts";

/** Requests that a daemon may leave without an answer, in a row. */
export const UNANSWERED_MAX = 3;

/** Requests that ask for something, or have something done. */
type Method = "GET" | "POST";

/** Of one who asks. */
export class Patience {
  /** By kind and address; a daemon may answer questions, and hang when it is to do something, so each is counted alone. */
  readonly #unanswered = new Map<string, Record<Method, number>>();

  /** Before a request. @throws {Error} If the daemon is given up. */
  check(daemon: Daemon): void {
    const { GET, POST } = this.#countsOf(daemon);
    if (Math.max(GET, POST) < UNANSWERED_MAX) return;
    throw new Error(`has not answered ${UNANSWERED_MAX} times in a row, and is not asked any more`);
  }

  /** A request has got an answer, whichever, or none. */
  note(daemon: Daemon, method: Method, isAnswered: boolean): void {
    const counts = this.#countsOf(daemon);
    const count = isAnswered ? 0 : counts[method] + 1;
    this.#unanswered.set(nameOf(daemon), { ...counts, [method]: count });
  }

  #countsOf(daemon: Daemon): Record<Method, number> {
    return this.#unanswered.get(nameOf(daemon)) ?? { GET: 0, POST: 0 };
  }
}

function nameOf({ kind, address }: Daemon): string {
  return `${kind} ${address}`;
}
