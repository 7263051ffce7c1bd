/**
 * What nsqd has been asked on a connection and has not answered. It answers in the order in which it is asked, and with
 * a fatal error closes the connection without a look at what comes behind: so what was asked later has surely not been
 * done. When a connection is lost without a word, nobody knows about what was sent; what was not sent was not done.
 *
 * @module
 */

/** Something that is answered. */
export interface Transaction {
  /** nsqd has done it. */
  succeeded(data: Uint8Array): void;
  /** It has failed; `ambiguous` if it may have been done all the same. */
  failed(error: Error, ambiguous: boolean): void;
}

/** Taken out of the list when so many have been answered. */
const ANSWERED_MAX = 1024;

/** One connection's transactions. */
export class Transactions {
  /** Answered up to `#first`, sent up to `#sent`. */
  #list: Transaction[] = [];
  #first = 0;
  #sent = 0;

  /** How many have not been answered. */
  get length(): number {
    return this.#list.length - this.#first;
  }

  /** One more has been put into the output. */
  push(transaction: Transaction): void {
    this.#list.push(transaction);
  }

  /** All of the output is being sent. */
  markSent(): void {
    this.#sent = this.#list.length;
  }

  /** An answer has come; false when none was waited for. */
  answered(data: Uint8Array): boolean {
    const transaction = this.#shift();
    transaction?.succeeded(data);
    return transaction !== undefined;
  }

  /** A fatal error has come: it answers the first, and the others have not been done. */
  refused(error: Error, behind: Error): void {
    this.#shift()?.failed(error, false);
    for (let next = this.#shift(); next; next = this.#shift()) next.failed(behind, false);
  }

  /** The connection is lost. */
  lost(error: Error): void {
    const sent = this.#sent;
    for (let at = this.#first; at < this.#list.length; at++) {
      const transaction = this.#list[at];
      this.#first = at + 1;
      transaction.failed(error, at < sent);
    }
  }

  #shift(): Transaction | undefined {
    const transaction = this.#list[this.#first];
    if (transaction === undefined) return undefined;
    this.#first++;
    if (this.#first >= ANSWERED_MAX || this.#first === this.#list.length) {
      this.#list.splice(0, this.#first);
      this.#sent = Math.max(0, this.#sent - this.#first);
      this.#first = 0;
    }
    return transaction;
  }
}
