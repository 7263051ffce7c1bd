/**
 * Searching in bodies: for bytes, by a regular expression, or by what JSON has at a path. Whatever is asked for, and whatever
 * the bodies are, it is done in pieces that are short; where that cannot be, only a part of a body is searched, and that is
 * counted.
 *
 * @module
 */
import { RE2JS } from "re2js";
import { writtenOut } from "../../base/pattern_size.ts";
import type { Slice } from "../../base/time_slice.ts";
import { type JsonPath, valuesAt } from "./json_path.ts";

/** The longest text that is searched for, in bytes: what is compared again for each byte. */
export const CONTAINS_SIZE_MAX = 256;
/** The longest pattern, and the largest that one may come to when what it repeats is written out, in characters. */
export const PATTERN_SIZE_MAX = 256;
/** A longer body is no JSON, as far as searching goes: what is parsed cannot be cut, in bytes. */
export const JSON_SIZE_MAX = 128 * 1024;
/** So much of a body is searched by a pattern, in bytes. */
export const PATTERN_BODY_SIZE_MAX = 1024 * 1024;

/** Bytes that are searched before the clock is looked at. */
const PIECE_SIZE = 64 * 1024;
/** A pattern's size times the characters that it is tried on in one go: 2 ms of work. */
const PATTERN_STEPS_MAX = 20_000;
/** What a character costs with any pattern, in the same measure. */
const CHARACTER_STEPS = 5;

const DECODER = new TextDecoder();

/** Looks for something in bodies. */
export interface BodySearch {
  /** Bodies that were not searched as a whole, and in which it was not found. */
  readonly partly: number;
  /** Whether the body has it, as far as it was searched before it was enough; the body itself may go with its segment meanwhile. */
  isIn(body: Uint8Array, slice: Slice, isEnough?: () => boolean): boolean | Promise<boolean>;
}

/** A text, byte by byte. */
export class TextSearch implements BodySearch {
  readonly partly = 0;
  readonly #wanted: Uint8Array;
  /** How much of the text is there still when the byte behind so much of it does not fit (Knuth, Morris, Pratt). */
  readonly #fallback: Uint16Array;

  constructor(wanted: Uint8Array) {
    this.#wanted = wanted;
    this.#fallback = new Uint16Array(wanted.length + 1);
    for (let i = 1, length = 0; i < wanted.length; i++) {
      while (length > 0 && wanted[i] !== wanted[length]) length = this.#fallback[length];
      if (wanted[i] === wanted[length]) length++;
      this.#fallback[i + 1] = length;
    }
  }

  isIn(body: Uint8Array, slice: Slice): boolean | Promise<boolean> {
    return body.length <= PIECE_SIZE ? this.#find(body, 0).isFound : this.#isInPieces(body.slice(), slice);
  }

  async #isInPieces(body: Uint8Array, slice: Slice): Promise<boolean> {
    let length = 0;
    for (let at = 0; at < body.length; at += PIECE_SIZE) {
      const { isFound, matched } = this.#find(body.subarray(at, at + PIECE_SIZE), length);
      if (isFound) return true;
      length = matched;
      if (slice.isOver) await slice.next();
    }
    return false;
  }

  /** Goes on behind so much of the text that was just before. */
  #find(bytes: Uint8Array, before: number): { isFound: boolean; matched: number } {
    const wanted = this.#wanted;
    let matched = before;
    for (const byte of bytes) {
      while (matched > 0 && byte !== wanted[matched]) matched = this.#fallback[matched];
      if (byte === wanted[matched]) matched++;
      if (matched === wanted.length) return { isFound: true, matched };
    }
    return { isFound: false, matched };
  }
}

/**
 * A regular expression in RE2's language. It takes time in proportion to its size and the text, so a long body is searched
 * in windows that overlap by half: what is longer than that may not be found. A pattern that asks where it is (`^`, `$`, `\b`)
 * is tried on the first window only.
 */
export class PatternSearch implements BodySearch {
  partly = 0;
  readonly #pattern: RE2JS;
  readonly #windowLength: number;
  readonly #hasAnchors: boolean;

  /** @throws {SyntaxError} When it is no pattern, or too large. */
  constructor(text: string) {
    if (text.length > PATTERN_SIZE_MAX || writtenOut(text) > PATTERN_SIZE_MAX) {
      throw new SyntaxError(`A pattern of more than ${PATTERN_SIZE_MAX} characters`);
    }
    try {
      this.#pattern = RE2JS.compile(text);
    } catch (cause) {
      throw new SyntaxError("Not a pattern", { cause });
    }
    this.#windowLength = Math.floor(PATTERN_STEPS_MAX / (this.#pattern.programSize() + CHARACTER_STEPS));
    this.#hasAnchors = /[\^$]|\\[bBAz]/.test(text.replaceAll("[^", "["));
  }

  isIn(body: Uint8Array, slice: Slice, isEnough: () => boolean = () => false): boolean | Promise<boolean> {
    const text = DECODER.decode(body.subarray(0, PATTERN_BODY_SIZE_MAX));
    if (body.length <= PATTERN_BODY_SIZE_MAX && text.length <= this.#windowLength) {
      return this.#pattern.matcher(text).find();
    }
    return this.#isInWindows(text, slice, isEnough);
  }

  async #isInWindows(text: string, slice: Slice, isEnough: () => boolean): Promise<boolean> {
    const length = this.#windowLength;
    const step = length >> 1;
    for (let at = 0; at < text.length; at += step) {
      const end = Math.min(at + length, text.length);
      const matcher = this.#pattern.matcher(text.slice(at, end));
      // What ends with the window may look as if it ended with the body.
      const isCut = this.#hasAnchors && end < text.length;
      if (matcher.find() && !(isCut && matcher.end() === end - at)) return true;
      if (this.#hasAnchors || end === text.length || isEnough()) break;
      if (slice.isOver) await slice.next();
    }
    this.partly++;
    return false;
  }
}

/** What JSON has at a path. */
export class JsonSearch implements BodySearch {
  partly = 0;
  readonly #path: JsonPath;
  readonly #value: string | undefined;

  /** Without a value, it is enough that something is there. */
  constructor(path: JsonPath, value: string | undefined) {
    this.#path = path;
    this.#value = value;
  }

  isIn(body: Uint8Array): boolean {
    if (body.length > JSON_SIZE_MAX) {
      this.partly++;
      return false;
    }
    let json: unknown;
    try {
      json = JSON.parse(DECODER.decode(body));
    } catch (error) {
      if (error instanceof SyntaxError) return false;
      throw error;
    }
    const values = valuesAt(json, this.#path);
    return this.#value === undefined
      ? values.length > 0
      : values.some((value) => textOf(value) === this.#value);
  }
}

/** A value as it is compared; undefined for what has others in it. */
function textOf(value: unknown): string | undefined {
  return typeof value === "object" && value !== null ? undefined : String(value);
}
