/**
 * Which topics, channels and nodes an alert rule is about: patterns of their names, in which `*` stands for anything.
 *
 * @module
 */

/** Patterns of a rule at most. */
export const PATTERNS_MAX = 50;

/** What of a rule stands between brackets; without any pattern it lets everything through. */
export class AlertFilter {
  readonly #included: readonly Pattern[];
  readonly #excluded: readonly Pattern[];

  /** @throws {SyntaxError} If there are too many patterns, or one is empty. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > PATTERNS_MAX) throw new SyntaxError(`has more than ${PATTERNS_MAX} patterns`);
    if (patterns.some((text) => /^!?$/.test(text))) throw new SyntaxError("has an empty pattern");
    this.#included = patterns.filter((text) => !text.startsWith("!")).map(patternOf);
    this.#excluded = patterns.filter((text) => text.startsWith("!")).map((text) => patternOf(text.slice(1)));
  }

  /** A topic, or a channel of it. */
  hasSeries(topic: string, channel: string | undefined): boolean {
    const isIn = ({ name, channel: ofChannel }: Pattern) =>
      ofChannel === undefined ? name(topic) : channel !== undefined && name(topic) && ofChannel(channel);
    if (this.#included.length > 0 && !this.#included.some(isIn)) return false;
    return !this.#excluded.some((pattern) =>
      isIn(pattern) || pattern.channel === undefined && channel !== undefined && pattern.name(channel)
    );
  }

  /** Something with one name or several. */
  hasName(...names: readonly string[]): boolean {
    const isIn = ({ whole }: Pattern) => names.some(whole);
    return (this.#included.length === 0 || this.#included.some(isIn)) && !this.#excluded.some(isIn);
  }
}

interface Pattern {
  readonly whole: (text: string) => boolean;
  /** What stands in front of the slash, or all if there is none. */
  readonly name: (text: string) => boolean;
  /** What stands behind the slash. */
  readonly channel: ((text: string) => boolean) | undefined;
}

function patternOf(text: string): Pattern {
  const slash = text.indexOf("/");
  return {
    whole: glob(text),
    name: glob(slash < 0 ? text : text.slice(0, slash)),
    channel: slash < 0 ? undefined : glob(text.slice(slash + 1)),
  };
}

/** Matches in linear time, whatever names others think of. */
function glob(pattern: string): (text: string) => boolean {
  const parts = pattern.split("*");
  const [first] = parts;
  if (parts.length === 1) return (text) => text === first;
  const last = parts[parts.length - 1];
  const middle = parts.slice(1, -1);
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) {
      return false;
    }
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}
