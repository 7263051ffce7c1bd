/**
 * JSON read from its bytes, value by value, by whoever knows what to look for: nothing is made of what is passed over, so that an
 * answer of 30 MB of which some numbers are wanted leaves next to nothing for the garbage collector. It takes for JSON what
 * `JSON.parse` takes for it, also where nobody looks.
 *
 * ```
 *  {"topics":[{"name":"a","depth":1},…],"more":…}
 *   │        ││                     │  │       └ end()
 *   │        │└ beginObject()       │  └ nextField() is OTHER, passField()
 *   │        └ beginList()          └ nextItem()
 *   └ beginObject(), nextField()
 * ```
 *
 * Objects of a list are mostly written alike: their fields come in one order, and what is passed over is mostly the same. What
 * was there the last time is therefore compared first, byte by byte, and only what is different is looked at more closely.
 *
 * @module
 */

import { type Expected, expected, type FieldNames, REMEMBERED_SIZE_MAX } from "./field_names.ts";
import type { KnownTexts } from "./known_texts.ts";

/** There is no further field. */
export const NO_FIELD = -2;
/** How deep values may be that are passed over. */
export const DEPTH_MAX = 512;
/** The longest value that is made something of as a whole, in bytes: it is made in one go. */
export const VALUE_SIZE_MAX = 64 * 1024;
/** The longest text, number or space, in bytes: each is read in one go. */
export const ATOM_SIZE_MAX = 1024 * 1024;

/** Bytes that are passed over in one go: some 200 µs. */
const PASSED_SIZE = 64 * 1024;
/** A number of so many digits is exact, whatever they are. */
const EXACT_DIGITS = 15;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LIST_START = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const SMALL_E = 0x65;
const SMALL_U = 0x75;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;

const [TRUE, FALSE, NULL] = ["true", "false", "null"].map((text) => expected(ENCODER.encode(text)));
const ESCAPED: readonly number[] = [...ENCODER.encode('"\\/bfnrt')];

/** A place in a text. */
export class JsonCursor {
  readonly #bytes: Uint8Array;
  /** The same. */
  readonly #view: DataView;
  readonly #texts: KnownTexts;
  #at = 0;
  /** How the objects and lists end that are being passed over. */
  readonly #ends: number[] = [];
  /** Nothing has been read yet of the object or list that was entered last. */
  #isFirst = false;

  constructor(bytes: Uint8Array, texts: KnownTexts) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#texts = texts;
  }

  /** How many bytes are behind it. */
  get at(): number {
    return this.#at;
  }

  /** Enters the object that comes next; false if it is null. @throws {TypeError} If it is something else. */
  beginObject(what: string): boolean {
    return this.#begin(OBJECT_START, () => new TypeError(`${what} is no object`));
  }

  /** Enters the list that comes next; false if it is null. @throws {TypeError} If it is something else. */
  beginList(what: string): boolean {
    return this.#begin(LIST_START, () => new TypeError(`${what} is no list`));
  }

  /** Goes to the value of the next field: which of the names it has, OTHER or NO_FIELD. */
  nextField(names: FieldNames): number {
    if (!this.#next(OBJECT_END)) return NO_FIELD;
    const guess = names.last?.next;
    if (guess !== undefined && this.#takes(guess.start)) {
      names.last = guess;
      return guess.index;
    }
    return names.find(this.#name());
  }

  /** Goes to the next item of the list; false if there is none. */
  nextItem(): boolean {
    return this.#next(LIST_END);
  }

  /** The whole number that comes next; null is 0. @throws {TypeError} If it is something else. */
  whole(name: string): number {
    this.#skipSpace();
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    let value = 0;
    for (let byte = bytes[at]; byte >= ZERO && byte <= NINE; byte = bytes[at]) {
      if (at++ - start === EXACT_DIGITS) break;
      value = value * 10 + byte - ZERO;
    }
    const length = at - start;
    // All else about a number is seldom.
    if (
      length > 0 && length <= EXACT_DIGITS && (bytes[start] !== ZERO || length === 1) &&
      !isOfNumber(bytes[at])
    ) {
      this.#at = at;
      return value;
    }
    const other = this.#scalar();
    if (other === null) return 0;
    if (typeof other === "number" && Number.isInteger(other)) return other;
    throw new TypeError(`${name} is no whole number`);
  }

  /** What comes next and is true or false; null is false. @throws {TypeError} If it is something else. */
  flag(name: string): boolean {
    this.#skipSpace();
    if (this.#takes(FALSE) || this.#takes(NULL)) return false;
    if (this.#takes(TRUE)) return true;
    this.#pass();
    throw new TypeError(`${name} is not true or false`);
  }

  /** The text that comes next; null is empty, and half a character is U+FFFD. @throws {TypeError} If it is something else. */
  text(name: string): string {
    this.#skipSpace();
    if (this.#bytes[this.#at] === QUOTE) return this.#text();
    if (this.#scalar() === null) return "";
    throw new TypeError(`${name} is no string`);
  }

  /** Passes over the value of the field that was found last, or a part of it: false if there is more, and it is to be called again. */
  passField(names: FieldNames): boolean {
    const field = names.last;
    if (field === undefined || this.#ends.length > 0) return this.#pass();
    const { value } = field;
    const { length } = value.bytes;
    if (length > 0 && !isOfNumber(this.#bytes[this.#at + length]) && this.#takes(value)) {
      return true;
    }
    this.#skipSpace();
    const start = this.#at;
    if (!this.#pass()) return false;
    if (this.#at - start <= REMEMBERED_SIZE_MAX) field.value = expected(this.#bytes.slice(start, this.#at));
    return true;
  }

  /** The value that comes next, whatever it is. @throws {TypeError} If it is longer than {@linkcode VALUE_SIZE_MAX}. */
  value(name: string): unknown {
    this.#skipSpace();
    const start = this.#at;
    if (!this.#pass() || this.#at - start > VALUE_SIZE_MAX) throw new TypeError(`${name} is too long`);
    return this.#parsed(start, this.#at);
  }

  /** Nothing comes any more. @throws {SyntaxError} If something does. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#bytes.length) throw this.#unexpected();
  }

  /** Passes over a value, or a part of it: false if there is more. */
  #pass(): boolean {
    const start = this.#at;
    const ends = this.#ends;
    do {
      // In the midst of an object the name of its next field has been passed over.
      this.#skipSpace();
      const byte = this.#bytes[this.#at];
      if (byte === OBJECT_START || byte === LIST_START) {
        if (ends.push(byte === OBJECT_START ? OBJECT_END : LIST_END) > DEPTH_MAX) {
          throw new SyntaxError("JSON is nested too deeply");
        }
        this.#at++;
        this.#isFirst = true;
      } else this.#skipScalar();
      while (ends.length > 0 && !this.#next(ends[ends.length - 1])) ends.pop();
      if (ends[ends.length - 1] === OBJECT_END) {
        this.#skipText();
        this.#skipSpace();
        this.#expect(COLON);
      }
      if (ends.length > 0 && this.#at - start >= PASSED_SIZE) return false;
    } while (ends.length > 0);
    return true;
  }

  #begin(start: number, otherwise: () => TypeError): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] === start) {
      this.#at++;
      this.#isFirst = true;
      return true;
    }
    if (this.#scalar() !== null) throw otherwise();
    return false;
  }

  /** Goes to what is next in an object or list; false, and behind its end, if nothing is. */
  #next(end: number): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] === end) {
      this.#at++;
      this.#isFirst = false;
      return false;
    }
    if (this.#isFirst) this.#isFirst = false;
    else {
      this.#expect(COMMA);
      this.#skipSpace();
    }
    return true;
  }

  /** Goes behind that, if it is what stands here. */
  #takes({ bytes, words }: Expected): boolean {
    const { length } = bytes;
    const at = this.#at;
    const view = this.#view;
    if (at + length > view.byteLength) return false;
    let i = 0;
    for (let word = 0; word < words.length; word++, i += 4) {
      if (view.getInt32(at + i, true) !== words[word]) return false;
    }
    for (; i < length; i++) if (view.getUint8(at + i) !== bytes[i]) return false;
    this.#at = at + length;
    return true;
  }

  /** The name of a field, and behind its colon. */
  #name(): string {
    this.#skipSpace();
    const name = this.#text();
    this.#skipSpace();
    this.#expect(COLON);
    return name;
  }

  #text(): string {
    const start = this.#at;
    const isPlain = this.#skipText();
    if (isPlain) return this.#texts.at(this.#bytes, start + 1, this.#at - 1);
    return String(this.#parsed(start, this.#at)).toWellFormed();
  }

  /** A number, text, true, false or null; undefined if it is none of these. */
  #scalar(): unknown {
    this.#skipSpace();
    const start = this.#at;
    if (this.#bytes[start] === OBJECT_START || this.#bytes[start] === LIST_START) return undefined;
    this.#skipScalar();
    return this.#parsed(start, this.#at);
  }

  #parsed(start: number, end: number): unknown {
    return JSON.parse(DECODER.decode(this.#bytes.subarray(start, end)));
  }

  #skipScalar(): void {
    const byte = this.#bytes[this.#at];
    if (byte === QUOTE) return void this.#skipText();
    if (!this.#takes(TRUE) && !this.#takes(FALSE) && !this.#takes(NULL)) this.#skipNumber();
  }

  #skipNumber(): void {
    if (this.#bytes[this.#at] === MINUS) this.#at++;
    if (this.#bytes[this.#at] === ZERO) this.#at++;
    else this.#skipDigits();
    if (this.#bytes[this.#at] === DOT) {
      this.#at++;
      this.#skipDigits();
    }
    if ((this.#bytes[this.#at] | SPACE) !== SMALL_E) return;
    this.#at++;
    if (this.#bytes[this.#at] === PLUS || this.#bytes[this.#at] === MINUS) this.#at++;
    this.#skipDigits();
  }

  #skipDigits(): void {
    const start = this.#at;
    while (this.#bytes[this.#at] >= ZERO && this.#bytes[this.#at] <= NINE) {
      if (++this.#at - start > ATOM_SIZE_MAX) throw tooLong("number");
    }
    if (this.#at === start) throw this.#unexpected();
  }

  /** Whether it is ASCII, and what stands there. */
  #skipText(): boolean {
    this.#expect(QUOTE);
    const bytes = this.#bytes;
    let isPlain = true;
    const start = this.#at;
    for (let at = start;; at++) {
      const byte = bytes[at];
      if (at - start > ATOM_SIZE_MAX) throw tooLong("string");
      if (byte === QUOTE) {
        this.#at = at + 1;
        return isPlain;
      }
      if (byte === BACKSLASH) {
        isPlain = false;
        at = this.#escapeEnd(at + 1);
      } else if (byte >= 0x80) isPlain = false;
      else if (!(byte >= SPACE)) {
        this.#at = at;
        throw this.#unexpected();
      }
    }
  }

  /** The last byte of what a backslash escapes. */
  #escapeEnd(at: number): number {
    if (this.#bytes[at] !== SMALL_U) {
      if (ESCAPED.includes(this.#bytes[at])) return at;
      this.#at = at;
      throw this.#unexpected();
    }
    for (let i = 1; i <= 4; i++) {
      if (isHex(this.#bytes[at + i])) continue;
      this.#at = at + i;
      throw this.#unexpected();
    }
    return at + 4;
  }

  #expect(byte: number): void {
    if (this.#bytes[this.#at] !== byte) throw this.#unexpected();
    this.#at++;
  }

  #skipSpace(): void {
    // Mostly there is none.
    if (this.#bytes[this.#at] > SPACE) return;
    const start = this.#at;
    while (isSpace(this.#bytes[this.#at])) if (++this.#at - start > ATOM_SIZE_MAX) throw tooLong("space");
  }

  #unexpected(): SyntaxError {
    if (this.#at >= this.#bytes.length) return new SyntaxError("Unexpected end of JSON");
    const found = JSON.stringify(String.fromCharCode(this.#bytes[this.#at]));
    return new SyntaxError(`Unexpected ${found} in JSON at byte ${this.#at}`);
  }
}

function tooLong(what: string): SyntaxError {
  return new SyntaxError(`A ${what} in JSON is too long`);
}

function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** A number goes on with it. */
function isOfNumber(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return byte >= ZERO && byte <= NINE || byte === DOT || (byte | SPACE) === SMALL_E;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const small = byte | SPACE;
  return byte >= ZERO && byte <= NINE || small >= 0x61 && small <= 0x66;
}
