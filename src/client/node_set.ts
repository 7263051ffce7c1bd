/**
 * Which nodes may be connected to: those that were named, and those that nsqlookupds have told of. Asks nobody itself.
 *
 * A full answer, of all who were asked, replaces what was known. A part of one only adds: a failed or restarted
 * nsqlookupd must not empty the set. A node that is not listed any more keeps the connection that it has; but when it is
 * lost, it is not made again before the node is listed, because SUB would make anew a topic that was deleted there.
 *
 * @module
 */

/** An answer of one nsqlookupd: its nodes, or undefined if it has failed. */
export type Listing = readonly string[] | undefined;

/** The nodes of one topic, or of all. */
export class NodeSet {
  readonly #named: ReadonlySet<string>;
  #listed: ReadonlySet<string> = new Set();

  constructor(named: readonly string[]) {
    this.#named = new Set(named);
  }

  /** All of them. */
  get nodes(): string[] {
    return [...new Set([...this.#named, ...this.#listed])];
  }

  /** Whether a connection to that node may be made. */
  has(node: string): boolean {
    return this.#named.has(node) || this.#listed.has(node);
  }

  /** Takes what the nsqlookupds have answered, one listing from each. */
  answered(listings: readonly Listing[]): void {
    const told = listings.flatMap((listing) => listing ?? []);
    const full = listings.length > 0 && listings.every((listing) => listing !== undefined);
    this.#listed = new Set(full ? told : [...this.#listed, ...told]);
  }
}
