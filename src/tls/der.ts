/**
 * Reads DER, the encoding of certificates: values of one type each, one after the other or inside one another. Whatever is
 * longer than need be, unfinished or followed by something is refused, so that there is one way to read a certificate.
 *
 * @module
 */

/** Types of values, as their first byte. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The type of a value that is told apart by its number in its place: of one value, or made of others. */
export function inPlace(number: number, form: "plain" | "made"): number {
  return (form === "plain" ? 0x80 : 0xa0) | number;
}

/** One value. */
export interface DerValue {
  readonly type: number;
  readonly content: Uint8Array;
  /** Its type and length included. */
  readonly whole: Uint8Array;
}

/** Reads the values that some bytes hold. What is wrong throws a SyntaxError. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The only value that the bytes hold, of that type. */
  static only(bytes: Uint8Array, type: number): DerReader {
    const reader = new DerReader(bytes);
    const { content } = reader.take(type);
    reader.end();
    return new DerReader(content);
  }

  /** True when there is no more. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next value, which is to be of that type. */
  take(type: number): DerValue {
    const value = this.next();
    if (value.type !== type) throw new SyntaxError(`DER of type ${value.type} in place of ${type}`);
    return value;
  }

  /** The next value if it is of that type. */
  takeIf(type: number): DerValue | undefined {
    return !this.done && this.#bytes[this.#at] === type ? this.next() : undefined;
  }

  /** The next value. */
  next(): DerValue {
    const start = this.#at;
    const type = this.#byte();
    if ((type & 0x1f) === 0x1f) throw new SyntaxError("DER of a type with a long number");
    const length = this.#length();
    const contentStart = this.#at;
    if (length > this.#bytes.length - contentStart) throw new SyntaxError("DER is cut off");
    this.#at += length;
    return {
      type,
      content: this.#bytes.subarray(contentStart, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
    };
  }

  /** There must be no more. */
  end(): void {
    if (!this.done) throw new SyntaxError("DER goes on where it should end");
  }

  #byte(): number {
    if (this.done) throw new SyntaxError("DER is cut off");
    return this.#bytes[this.#at++];
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new SyntaxError("DER with a length of a form that it does not have");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    const shorter = length < 0x80 || length < 2 ** (8 * (count - 1));
    if (shorter) throw new SyntaxError("DER with a length that is longer than need be");
    return length;
  }
}

/** A whole number that is not negative, as large as a number can be. */
export function derNumber(content: Uint8Array): number {
  if (content.length === 0 || content.length > 6 || content[0] >= 0x80) {
    throw new SyntaxError("DER with a number that is out of range");
  }
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** A truth value. */
export function derBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || content[0] !== 0 && content[0] !== 0xff) {
    throw new SyntaxError("DER with no boolean");
  }
  return content[0] !== 0;
}

/** The bytes of a bit string whose bits are whole bytes. */
export function derBytes(content: Uint8Array): Uint8Array {
  if (content.length === 0 || content[0] !== 0) throw new SyntaxError("DER with bits that are no bytes");
  return content.subarray(1);
}

/** A moment, in ms. */
export function derTimeMs({ type, content }: DerValue): number {
  const text = String.fromCharCode(...content.subarray(0, 20));
  const fields = /^(\d{4}|\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1);
  const digits = type === DER.utcTime ? 2 : 4;
  if (!fields || fields[0].length !== digits || content.length !== text.length) {
    throw new SyntaxError("DER with no time");
  }
  const [year, month, day, hour, minute, second] = fields.map(Number);
  // Two digits stand for the years from 1950 on.
  const fullYear = digits === 4 ? year : year + (year >= 50 ? 1900 : 2000);
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const isSame = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 &&
    second < 60;
  if (!isSame) throw new SyntaxError("DER with a time that does not exist");
  return date.getTime();
}

/** Bytes as hexadecimal digits: how identifiers are compared. */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** True when both are the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
