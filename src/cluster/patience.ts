/**
 * With daemons that do not answer: whoever has much to ask gives up one that has let him wait several times in a row, so that
 * it costs him that and no more.
 *
 * @module
 */

import type { Daemon } from "./daemon_client.ts";

/** Requests that a daemon may leave without an answer, in a row. */
export const UNANSWERED_MAX = 3;

/** Of one who asks. */
export class Patience {
  /** By kind and address. */
  readonly #unanswered = new Map<string, number>();

  /** Before a request. @throws {Error} If the daemon is given up. */
  check(daemon: Daemon): void {
    if ((this.#unanswered.get(nameOf(daemon)) ?? 0) < UNANSWERED_MAX) return;
    throw new Error(`has not answered ${UNANSWERED_MAX} times in a row, and is not asked any more`);
  }

  /** A request has got an answer, whichever, or none. */
  note(daemon: Daemon, isAnswered: boolean): void {
    const name = nameOf(daemon);
    if (isAnswered) this.#unanswered.delete(name);
    else this.#unanswered.set(name, (this.#unanswered.get(name) ?? 0) + 1);
  }
}

function nameOf({ kind, address }: Daemon): string {
  return `${kind} ${address}`;
}
