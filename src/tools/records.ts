/**
 * Takes a stream of bytes apart into the messages that are in it, in one of several forms, and knows of each where it
 * ends. The pieces in which the bytes come make no difference. Pure.
 *
 * | form | a message is |
 * | --- | --- |
 * | `lines` | what is before a delimiter, or before the end; nothing between two delimiters is no message |
 * | `ndjson` | the same, and must be JSON |
 * | `csv` | a record of RFC 4180 as an object of JSON; the names are in the first record |
 * | `length` | the bytes behind their number, which is 4 bytes, big-endian |
 * | `whole` | everything |
 *
 * @module
 */

import { Output } from "../net/output.ts";

/** A message in the input. */
export interface InputRecord {
  readonly body: Uint8Array;
  /** Bytes of the input up to its end, with the delimiter. */
  readonly end: number;
  /** From 1 on. */
  readonly number: number;
}

/** Takes an input apart. */
export interface RecordReader {
  /** Adds the messages that are complete with these bytes. @throws {InputError} With those before it added. */
  push(bytes: Uint8Array, records: InputRecord[]): void;
  /** Adds the messages that the end completes. @throws {InputError} If it comes within one. */
  end(records: InputRecord[]): void;
}

/** The input is not what it was said to be. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** The forms. */
export const INPUT_FORMS = ["lines", "ndjson", "csv", "length", "whole"] as const;

/** Name of a form. */
export type InputForm = typeof INPUT_FORMS[number];

/** Messages of more bytes are refused before they are gathered; nsqd takes 1 MiB by default. */
export const RECORD_SIZE_MAX = 128 * 1024 * 1024;

const LENGTH_SIZE = 4;
const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const ENCODER = new TextEncoder();

/** A reader of that form. */
export function recordReader(form: InputForm, delimiter = NEWLINE): RecordReader {
  switch (form) {
    case "lines":
      return new Delimited((bytes, from) => bytes.indexOf(delimiter, from), (body) => body);
    case "ndjson":
      return new Delimited((bytes, from) => bytes.indexOf(delimiter, from), checkedJson);
    case "csv":
      return csvReader();
    case "length":
      return new LengthPrefixed();
    case "whole":
      return new Delimited(() => -1, (body) => body);
  }
}

/** What ends with a byte, or with the input. */
class Delimited implements RecordReader {
  readonly #find: (bytes: Uint8Array, from: number) => number;
  readonly #read: (body: Uint8Array, number: number) => Uint8Array | undefined;
  /** The beginning of a message whose end has not come. */
  readonly #begun = new Output();
  #offset = 0;
  #number = 0;

  /**
   * @param find Where the next end is, or -1.
   * @param read What a message says, if that is one.
   */
  constructor(
    find: (bytes: Uint8Array, from: number) => number,
    read: (body: Uint8Array, number: number) => Uint8Array | undefined,
  ) {
    this.#find = find;
    this.#read = read;
  }

  push(bytes: Uint8Array, records: InputRecord[]): void {
    let start = 0;
    for (let at = this.#find(bytes, 0); at >= 0; at = this.#find(bytes, start)) {
      this.#add(records, this.#whole(bytes.subarray(start, at)), this.#offset + at + 1);
      start = at + 1;
    }
    if (this.#begun.length + bytes.length - start > RECORD_SIZE_MAX) throw tooLarge(this.#number + 1);
    this.#begun.append(bytes.subarray(start));
    this.#offset += bytes.length;
  }

  end(records: InputRecord[]): void {
    this.#add(records, this.#whole(new Uint8Array()), this.#offset);
  }

  #whole(bytes: Uint8Array): Uint8Array {
    if (this.#begun.length === 0) return bytes;
    this.#begun.append(bytes);
    return this.#begun.take().slice();
  }

  #add(records: InputRecord[], bytes: Uint8Array, end: number): void {
    if (bytes.length === 0) return;
    const body = this.#read(bytes, ++this.#number);
    if (body) records.push({ body, end, number: this.#number });
  }
}

/** Messages behind their lengths. */
class LengthPrefixed implements RecordReader {
  readonly #begun = new Output();
  /** Bytes that the next message has, as far as that is known. */
  #needed = LENGTH_SIZE;
  #offset = 0;
  #number = 0;

  push(bytes: Uint8Array, records: InputRecord[]): void {
    this.#begun.append(bytes);
    // Not looked at with each piece: what has begun would be copied again and again.
    if (this.#begun.length < this.#needed) return;
    const all = this.#begun.take();
    const view = new DataView(all.buffer, all.byteOffset, all.length);
    let at = 0;
    this.#needed = LENGTH_SIZE;
    while (at + LENGTH_SIZE <= all.length) {
      const size = view.getUint32(at);
      if (size > RECORD_SIZE_MAX) throw tooLarge(this.#number + 1);
      const end = at + LENGTH_SIZE + size;
      this.#needed = LENGTH_SIZE + size;
      if (end > all.length) break;
      this.#needed = LENGTH_SIZE;
      this.#number++;
      const body = all.slice(at + LENGTH_SIZE, end);
      if (size > 0) records.push({ body, end: this.#offset + end, number: this.#number });
      at = end;
    }
    this.#offset += at;
    this.#begun.append(all.subarray(at));
  }

  end(): void {
    if (this.#begun.length === 0) return;
    throw new InputError(`the input ends within message ${this.#number + 1}`);
  }
}

function checkedJson(body: Uint8Array, number: number): Uint8Array | undefined {
  const text = new TextDecoder().decode(body);
  if (text.trim() === "") return undefined;
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new InputError(`line ${number} is no JSON: ${(cause as Error).message}`, { cause });
  }
  return body;
}

function csvReader(): RecordReader {
  let names: readonly string[] | undefined;
  let quoted = false;
  const find = (bytes: Uint8Array, from: number): number => {
    for (let at = from; at < bytes.length; at++) {
      // Two quotes within a quoted field are one, and change nothing either.
      if (bytes[at] === QUOTE) quoted = !quoted;
      else if (bytes[at] === NEWLINE && !quoted) return at;
    }
    return -1;
  };
  return new Delimited(find, (bytes, number) => {
    const line = bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes;
    if (line.length === 0) return undefined;
    const fields = csvFields(new TextDecoder().decode(line), number);
    if (names === undefined) {
      names = fields;
      return undefined;
    }
    if (fields.length !== names.length) {
      throw new InputError(`record ${number} has ${fields.length} fields, and the first has ${names.length}`);
    }
    return ENCODER.encode(JSON.stringify(Object.fromEntries(names.map((name, i) => [name, fields[i]]))));
  });
}

function csvFields(record: string, number: number): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;
  for (let match = field.exec(record); match; match = field.exec(record)) {
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === "") return fields;
  }
  throw new InputError(`record ${number} is no CSV: a quote stands where none may`);
}

function tooLarge(number: number): InputError {
  return new InputError(`message ${number} has more than ${RECORD_SIZE_MAX} bytes`);
}
