/**
 * Finds what a TOML file may not have, and the parser lets pass: a key that is there twice, of which the last would count
 * without a word. Reads a text that has been parsed already, and so knows where a value ends, and not what it is.
 *
 * @module
 */

/** A key that is there twice. */
export interface RepeatedKey {
  /** As it is written the second time. */
  readonly key: string;
  /** Where, counted from 1. */
  readonly lines: readonly [first: number, second: number];
}

/** Strings, of several lines and of one, and comments: what brackets, equals signs and line ends in them mean nothing. */
const OPAQUE = /"""[^]*?"""(?!")|'''[^]*?'''(?!')|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#.*/y;
/** A key, in parts with dots between, each bare or in quotes. */
const KEY_PART = /\s*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\w-]+)\s*/y;

/** The first key of the text that is there a second time, with `-` or `_` in it; undefined if there is none. */
export function repeatedKey(text: string): RepeatedKey | undefined {
  const seen = new Map<string, number>();
  let table = "";
  let at = 0;
  while (at < text.length) {
    const start = at;
    const header = /\s*(\[\[?)/y;
    const isHeader = match(header, text, at);
    if (isHeader) at = header.lastIndex;
    const { parts, end } = keyAt(text, at);
    if (parts.length > 0) {
      const path = parts.join("\0");
      // Tables of a list are as many as there are.
      if (isHeader) table = text.startsWith("]]", end) ? `${path}\0${start}\0` : `${path}\0`;
      const name = isHeader ? table : `${table}${path}`.replaceAll("-", "_");
      const line = lineAt(text, text.slice(start).search(/\S/) + start);
      const first = seen.get(name);
      if (first !== undefined) return { key: parts.join("."), lines: [first, line] };
      seen.set(name, line);
    }
    at = statementEnd(text, end);
  }
  return undefined;
}

/** The parts of the key that begins there, without quotes, and its end; none where none begins. */
function keyAt(text: string, at: number): { readonly parts: readonly string[]; readonly end: number } {
  const parts: string[] = [];
  for (;;) {
    KEY_PART.lastIndex = at;
    const part = KEY_PART.exec(text)?.[1];
    if (part === undefined) return { parts, end: at };
    parts.push(/^["']/.test(part) ? part.slice(1, -1) : part);
    at = KEY_PART.lastIndex;
    if (text[at] !== ".") return { parts, end: at };
    at++;
  }
}

/** Behind the line end that ends what has been begun: one outside of brackets, strings and comments. */
function statementEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (match(OPAQUE, text, at)) {
      at = OPAQUE.lastIndex - 1;
    } else if (text[at] === "\n" && depth === 0) {
      return at + 1;
    } else if (text[at] === "[" || text[at] === "{") {
      depth++;
    } else if ((text[at] === "]" || text[at] === "}") && depth > 0) {
      depth--;
    }
  }
  return text.length;
}

function match(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}

function lineAt(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}
