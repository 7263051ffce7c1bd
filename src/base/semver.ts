/**
 * Versions in the form of Semantic Versioning 2.0.0, as far as comparing them goes: of what is built nothing is kept.
 *
 * @module
 */

/** A version; what comes before a release has identifiers. */
export interface Semver {
  readonly numbers: readonly [major: number, minor: number, patch: number];
  readonly identifiers: readonly string[];
}

const NUMBER = "(0|[1-9]\\d*)";
const IDENTIFIERS = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const VERSION = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${IDENTIFIERS}))?(?:\\+${IDENTIFIERS})?$`);
/** The longest text that may be a version. */
const LENGTH_MAX = 256;

/** The version that the text is, or `undefined`. */
export function parseSemver(text: string): Semver | undefined {
  const parts = text.length > LENGTH_MAX ? null : VERSION.exec(text);
  if (parts === null) return undefined;
  const [, major, minor, patch, identifiers] = parts;
  return {
    numbers: [Number(major), Number(minor), Number(patch)],
    identifiers: identifiers === undefined ? [] : identifiers.split("."),
  };
}

/** Below 0 if `a` is the older one, above 0 if `b` is. */
export function compareSemver(a: Semver, b: Semver): number {
  for (let i = 0; i < a.numbers.length; i++) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] - b.numbers[i];
  }
  const [count, otherCount] = [a.identifiers.length, b.identifiers.length];
  // A release is newer than what came before it.
  if (count === 0 || otherCount === 0) return otherCount - count;
  for (let i = 0; i < Math.min(count, otherCount); i++) {
    const order = compareIdentifiers(a.identifiers[i], b.identifiers[i]);
    if (order !== 0) return order;
  }
  return count - otherCount;
}

/** Numbers are older than words. */
function compareIdentifiers(a: string, b: string): number {
  if (a === b) return 0;
  const [isNumber, otherIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && otherIsNumber) return Number(a) - Number(b);
  if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
  return a < b ? -1 : 1;
}
