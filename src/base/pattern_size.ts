/**
 * How large a regular expression is, in RE2's language, before it is compiled.
 *
 * @module
 */

/** What can stand in a pattern: an escape, text that is taken as it is, a class, a count, or a character. */
const TOKEN = /\\Q[^]*?(?:\\E|$)|\\[^]|\[\^?\]?(?:\\[^]|\[:[^\]]*:\]|[^\\\]])*\]?|\{(\d+)(?:,(\d*))?\}|[^]/g;

/** A class of Unicode's, which has hundreds of ranges: compiling one takes as long as so many characters. */
const UNICODE_CLASS = /\\[pP]/g;
const UNICODE_CLASS_SIZE = 20;

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0;
}

/** About how large the pattern is when what it repeats is written out: before it is, for that takes time and memory. */
export function writtenOut(text: string): number {
  const outer: number[] = [];
  let size = 0;
  /** Size of what a count would repeat. */
  let last = 0;
  for (const [token, least, most] of text.matchAll(TOKEN)) {
    if (token === "(") {
      outer.push(size);
      size = 0;
    } else if (token === ")") {
      last = size + 1;
      size = (outer.pop() ?? 0) + last;
    } else if (least === undefined) {
      last = token.startsWith("\\Q") ? token.length : 1 + UNICODE_CLASS_SIZE * countOf(UNICODE_CLASS, token);
      size += last;
    } else {
      const count = Math.max(Number(least), Number(most ?? 0), 1);
      size += (count - 1) * last;
      last *= count;
    }
  }
  return outer.reduce((sum, before) => sum + before, size);
}
