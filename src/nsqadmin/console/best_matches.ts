/**
 * Finding names by parts of them. Of what matches, the best is what begins with the words, then what has them at the beginning
 * of a part (`orders` in `eu.orders`), then the rest; of equals the shorter. Only so many of the best are kept, so that whatever
 * is searched through costs no more than looking at each name once.
 *
 * @module
 */

/** How well a name matches a word. */
const BEGINS = 0;
const BEGINS_A_PART = 1;
const HAS = 2;
/** How many are gathered, by the most that are kept, before the worst of them go. */
const ROOM = 4;

/** A name that matches. */
interface Match<T> {
  readonly name: string;
  readonly thing: T;
  readonly rank: number;
}

/** Things by names, of which the best are kept. */
export class BestMatches<T> {
  readonly #words: readonly string[];
  readonly #most: number;
  #matches: Match<T>[] = [];
  #count = 0;

  /** Words stand between spaces and slashes, in any case; a name matches that has all of them, and every name where there is none. */
  constructor(query: string, most: number) {
    this.#words = query.toLowerCase().split(/[\s/]+/).filter((word) => word !== "");
    this.#most = most;
  }

  /** Looks at a name. */
  offer(name: string, thing: T): void {
    const rank = this.#rankOf(name.toLowerCase());
    if (rank === undefined) return;
    this.#count++;
    this.#matches.push({ name, thing, rank });
    if (this.#matches.length >= this.#most * ROOM) this.#matches = this.#sorted();
  }

  /** All that match, kept or not. */
  get count(): number {
    return this.#count;
  }

  /** The best, in order. */
  get best(): readonly T[] {
    return this.#sorted().map(({ thing }) => thing);
  }

  #sorted(): Match<T>[] {
    return this.#matches.toSorted((a, b) =>
      a.rank - b.rank || a.name.length - b.name.length || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    ).slice(0, this.#most);
  }

  /** The lower, the better; undefined if it does not match. */
  #rankOf(name: string): number | undefined {
    let rank = 0;
    for (const word of this.#words) {
      const found = rankOfWord(name, word);
      if (found === undefined) return undefined;
      rank += found;
    }
    return rank;
  }
}

function rankOfWord(name: string, word: string): number | undefined {
  const first = name.indexOf(word);
  if (first <= 0) return first < 0 ? undefined : BEGINS;
  for (let at = first; at > 0; at = name.indexOf(word, at + 1)) {
    if (!isLetterOrDigit(name.charCodeAt(at - 1))) return BEGINS_A_PART;
  }
  return HAS;
}

/** Of what names of topics and channels have, in lower case. */
function isLetterOrDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39 || code >= 0x61 && code <= 0x7a || code > 0x7f;
}
