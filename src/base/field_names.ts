/**
 * What objects in JSON are like that are written alike: which fields are looked for in them, in what order they come, and what
 * the others have said. For JsonCursor (json_cursor.ts).
 *
 * @module
 */

/** A field that is none of those that are looked for. */
export const OTHER = -1;
/** The longest name and the longest value that are remembered, in bytes. */
export const REMEMBERED_SIZE_MAX = 256;

/** Fields of which it is remembered where they come, besides those that are looked for. */
const OTHERS_MAX = 32;
const ENCODER = new TextEncoder();

/** Bytes that may stand in a text. */
export interface Expected {
  readonly bytes: Uint8Array;
  /** All of them but the last few as numbers, of four bytes each: comparing these takes a third of the time. */
  readonly words: Int32Array;
}

/** A field as it stands in a text. */
export interface Field {
  readonly name: string;
  /** Which of those that are looked for. */
  readonly index: number;
  /** With quotes and colon. */
  readonly start: Expected;
  /** What was passed over there the last time. */
  value: Expected;
  /** The one that came behind it the last time. */
  next: Field | undefined;
}

/** Names of the fields that are looked for in objects that are alike, and what such objects are like. */
export class FieldNames {
  readonly #fields: Field[];
  readonly #limit: number;
  /** The field that was found last; where objects begin it is that at which the one before has ended. */
  last: Field | undefined;

  constructor(names: readonly string[]) {
    this.#fields = names.map(fieldOf);
    this.#limit = names.length + OTHERS_MAX;
  }

  /** Which of them it is. */
  find(name: string): number {
    let field = this.#fields.find((each) => each.name === name);
    if (field === undefined) {
      if (this.#fields.length >= this.#limit || name.length > REMEMBERED_SIZE_MAX) {
        this.last = undefined;
        return OTHER;
      }
      field = fieldOf(name, OTHER);
      this.#fields.push(field);
    }
    if (this.last !== undefined) this.last.next = field;
    this.last = field;
    return field.index;
  }
}

function fieldOf(name: string, index: number): Field {
  return {
    name,
    index,
    start: expected(ENCODER.encode(`${JSON.stringify(name)}:`)),
    value: expected(new Uint8Array()),
    next: undefined,
  };
}

/** Those bytes, to be looked for. */
export function expected(bytes: Uint8Array): Expected {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Int32Array(bytes.length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(4 * i, true);
  return { bytes, words };
}
