/**
 * Names that an nsqlookupd has refused to register. One refused name is to cost that name only: NSQ's nsqlookupd ends the
 * connection, and with it everything that this node has registered, so the name is left out when the node registers anew.
 *
 * It is told again later, when everything else is told, after longer and longer waits: what had no room may have some by
 * then. A name that is none to the other side will not become one.
 *
 * Waits are counted in heartbeats that were answered, so that they are of time in which there was somebody to be told.
 *
 * @module
 */

/** Heartbeats until a name is told again: a minute's at first, an hour's at most. */
export const FIRST_WAIT = 4;
export const LONGEST_WAIT = 240;

/** Codes of names that will never do. */
const NO_NAME = /^E_BAD_(TOPIC|CHANNEL)\b/;

interface Refusal {
  /** The heartbeat after which it is told again. */
  readonly again: number;
  readonly wait: number;
}

/** What one nsqlookupd has refused. */
export class Refusals {
  readonly #refused = new Map<string, Refusal>();
  #heartbeats = 0;

  /** True for a name that was refused, and has not been accepted since. */
  has(name: string): boolean {
    return this.#refused.has(name);
  }

  /** The name was refused, with these words; returns how many heartbeats it waits. */
  add(name: string, answer: string): number {
    const last = this.#refused.get(name);
    const longer = last === undefined ? FIRST_WAIT : Math.min(2 * last.wait, LONGEST_WAIT);
    const wait = NO_NAME.test(answer) ? Infinity : longer;
    this.#refused.set(name, { again: this.#heartbeats + wait, wait });
    return wait;
  }

  /** The name was accepted, or is no more; false if it had not been refused. */
  remove(name: string): boolean {
    return this.#refused.delete(name);
  }

  /** A heartbeat was answered; returns the names that are to be told again, and forgets those that are no more. */
  heartbeat(exists: (name: string) => boolean): string[] {
    this.#heartbeats++;
    const due: string[] = [];
    for (const [name, { again }] of this.#refused) {
      if (!exists(name)) this.#refused.delete(name);
      else if (again <= this.#heartbeats) due.push(name);
    }
    return due;
  }
}
