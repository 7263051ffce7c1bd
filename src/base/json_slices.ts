/**
 * JSON of any size, read in slices of time: a peer that answers with 60 MB takes nobody else's turn. What is small is read
 * in one go; what is large is cut at its commas first, and its parts are read one by one.
 *
 * Lists of objects that begin alike, as long answers have them, are cut where the next one seems to begin. Whether that is so
 * shows when the part is read: if `[a]` and `[b]` are lists, `[a,b]` is the list of both. Otherwise, and for all else, the end
 * of each part is looked for character by character, which takes as long as reading it.
 *
 * @module
 */

import { type Slice, TimeSlice } from "./time_slice.ts";

/** A text up to this is read in one go, which takes about a ms; in characters. */
const WHOLE_LENGTH = 256 * 1024;
/** So is a part of a longer one. */
const PART_LENGTH = 32 * 1024;
/** What cannot be cut: the longest string or number of a long text, in characters. */
export const ATOM_LENGTH_MAX = 1024 * 1024;
/** Fields of an object that is too long to be read in one go: it is made in one go. */
export const LONG_OBJECT_FIELDS_MAX = 10_000;
/** How deep what is too long to be read in one go may be in something of that kind. */
export const LONG_DEPTH_MAX = 64;

/** How an object begins: with the name of its first field. */
const OBJECT_START = /\{"[^"\\]{1,64}":/y;
const SPACE = /[ \t\n\r]*/y;
const LITERAL = /[-+.\w]+/y;

/** The value that the text says. @throws {SyntaxError} If it is no JSON, or above a limit. */
export async function parseJson(text: string, slice: Slice = new TimeSlice()): Promise<unknown> {
  if (text.length <= WHOLE_LENGTH) return JSON.parse(text);
  return await new LongText(text, slice).parse();
}

class LongText {
  readonly #text: string;
  readonly #slice: Slice;
  #at = 0;

  constructor(text: string, slice: Slice) {
    this.#text = text;
    this.#slice = slice;
  }

  async parse(): Promise<unknown> {
    const value = this.#short() ?? await this.#long(1);
    this.#skip(SPACE);
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value.is;
  }

  /** The value that begins here; undefined if it is an object or a list that is long. */
  #short(): { readonly is: unknown } | undefined {
    this.#skip(SPACE);
    const start = this.#at;
    const first = this.#text[start];
    const isContainer = first === "{" || first === "[";
    const end = isContainer
      ? this.#containerEnd()
      : first === '"'
      ? this.#stringEnd(start)
      : this.#literalEnd();
    if (end === undefined) return undefined;
    this.#at = end;
    return { is: JSON.parse(this.#text.slice(start, end)) };
  }

  async #long(depth: number): Promise<{ readonly is: unknown }> {
    if (depth > LONG_DEPTH_MAX) throw new SyntaxError("JSON is nested too deeply");
    const isList = this.#text[this.#at++] === "[";
    const items: unknown[] = [];
    const fields: [string, unknown][] = [];
    const close = isList ? "]" : "}";
    if (isList) await this.#alike(items);
    for (let isFirst = items.length === 0; !this.#takes(close); isFirst = false) {
      if (!isFirst && !this.#takes(",")) throw this.#unexpected();
      const name = isList ? "" : this.#name();
      const value = this.#short() ?? await this.#long(depth + 1);
      if (isList) items.push(value.is);
      else if (fields.push([name, value.is]) > LONG_OBJECT_FIELDS_MAX) {
        throw new SyntaxError(`An object in JSON has more than ${LONG_OBJECT_FIELDS_MAX} fields`);
      }
      if (this.#slice.isOver) await this.#slice.next();
    }
    // Not by assignment, to which `__proto__` means something.
    return { is: isList ? items : Object.fromEntries(fields) };
  }

  /** Reads objects that begin alike, as many as can be cut without looking at all of them, up to the comma behind. */
  async #alike(items: unknown[]): Promise<void> {
    OBJECT_START.lastIndex = this.#at;
    const start = OBJECT_START.exec(this.#text);
    if (start === null) return;
    const boundary = `},${start[0]}`;
    for (let from = this.#at;;) {
      const middle = from + PART_LENGTH / 2;
      const found = this.#text.slice(middle, middle + PART_LENGTH / 2).indexOf(boundary);
      if (found < 0) return;
      const end = middle + found + 1;
      const part = listIn(this.#text.slice(from, end));
      if (part === undefined) return;
      for (const item of part) items.push(item);
      this.#at = end;
      from = end + 1;
      if (this.#slice.isOver) await this.#slice.next();
    }
  }

  #name(): string {
    this.#skip(SPACE);
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#unexpected();
    this.#at = this.#stringEnd(start);
    const name: unknown = JSON.parse(this.#text.slice(start, this.#at));
    if (!this.#takes(":")) throw this.#unexpected();
    return String(name);
  }

  /** Passes over the character, if it is what comes next. */
  #takes(character: string): boolean {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  /** Behind the object or list that begins here, if it is short. */
  #containerEnd(): number | undefined {
    const limit = Math.min(this.#text.length, this.#at + PART_LENGTH);
    let depth = 0;
    for (let at = this.#at; at < limit; at++) {
      switch (this.#text.charCodeAt(at)) {
        case 0x22: // "
          at = this.#stringEnd(at) - 1;
          break;
        case 0x5b: // [
        case 0x7b: // {
          depth++;
          break;
        case 0x5d: // ]
        case 0x7d: // }
          if (--depth === 0) return at + 1;
          break;
      }
    }
    return undefined;
  }

  /** Behind the string that begins there. */
  #stringEnd(start: number): number {
    for (let at = start + 1; at < this.#text.length && at - start <= ATOM_LENGTH_MAX; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === 0x22) return at + 1;
      if (code === 0x5c) at++;
    }
    throw new SyntaxError("A string in JSON has no end, or is too long");
  }

  #literalEnd(): number {
    LITERAL.lastIndex = this.#at;
    if (!LITERAL.test(this.#text) || LITERAL.lastIndex - this.#at > ATOM_LENGTH_MAX) throw this.#unexpected();
    return LITERAL.lastIndex;
  }

  #unexpected(): SyntaxError {
    const found = this.#text[this.#at];
    return new SyntaxError(
      found === undefined
        ? "Unexpected end of JSON"
        : `Unexpected ${JSON.stringify(found)} in JSON at position ${this.#at}`,
    );
  }
}

/** The values that the text lists; undefined if it is no list of values. */
function listIn(text: string): unknown[] | undefined {
  try {
    return JSON.parse(`[${text}]`);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
