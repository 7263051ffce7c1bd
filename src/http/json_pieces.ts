/**
 * JSON of any size, written in slices of time: an answer with a million names takes nobody else's turn. A `Map` is written as
 * an object is, and what `JSON.stringify` leaves out is left out.
 *
 * @module
 */

import { textPieces } from "./text_pieces.ts";

/** The pieces, one after the other, in UTF-8. */
export function jsonPieces(data: unknown): Promise<Uint8Array<ArrayBuffer>[]> {
  return textPieces(jsonTexts(data), goJson);
}

/** JSON as Go writes it, which escapes what could be taken for HTML. */
export function goJson(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** The parts of the text: what is small in one, what has others in it part by part. */
function* jsonTexts(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    let before = "[";
    for (const item of value) {
      yield before;
      yield* jsonTexts(item === undefined ? null : item);
      before = ",";
    }
    yield before === "[" ? "[]" : "]";
    return;
  }
  const entries = entriesOf(value);
  if (entries === undefined) {
    yield JSON.stringify(value) ?? "null";
    return;
  }
  let before = "{";
  for (const [key, field] of entries) {
    if (field === undefined || typeof field === "function") continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* jsonTexts(field);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}

/** What an object holds that is to be written field by field; undefined for anything else. */
function entriesOf(value: unknown): Iterable<[string, unknown]> | undefined {
  if (value instanceof Map) return value;
  if (typeof value !== "object" || value === null || "toJSON" in value) return undefined;
  const fields = Object.values(value);
  return fields.some((field) => typeof field === "object" && field !== null)
    ? Object.entries(value)
    : undefined;
}
