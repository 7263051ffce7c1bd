/**
 * The fields of a JSON object one by one, as Go's encoding/json goes through them: a key may come twice, numbers are told
 * apart by how they are written, and what is nested too deeply is an error.
 *
 * @module
 */

/** How deep objects and lists may be in one another, as in Go. */
export const JSON_DEPTH_MAX = 10_000;

/** A field: its value as it is written. */
export interface JsonField {
  readonly name: string;
  readonly text: string;
}

/**
 * The fields of the object that the text is, in their order.
 *
 * @returns undefined when the text is null, which is as good as an object without fields.
 * @throws {SyntaxError} When the text is anything else, or no JSON.
 */
export function jsonFields(text: string): JsonField[] | undefined {
  const value: unknown = JSON.parse(text);
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) throw new SyntaxError("Not a JSON object");
  return [...fieldsIn(text)];
}

/** That it is JSON, and an object, is known already. */
function* fieldsIn(text: string): Iterable<JsonField> {
  let depth = 0;
  let name: string | undefined;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at);
        if (depth === 1 && name === undefined) {
          name = JSON.parse(text.slice(at, end)) as string;
          // Behind the colon.
          start = text.indexOf(":", end) + 1;
          at = start - 1;
        } else at = end - 1;
        break;
      }
      case "{":
      case "[":
        if (++depth > JSON_DEPTH_MAX) throw new SyntaxError("JSON is nested too deeply");
        break;
      case "]":
        depth--;
        break;
      case "}":
        depth--;
        if (depth === 0 && name !== undefined) yield { name, text: text.slice(start, at).trim() };
        break;
      case ",":
        if (depth === 1 && name !== undefined) {
          yield { name, text: text.slice(start, at).trim() };
          name = undefined;
        }
        break;
    }
  }
}

/** Behind the string that begins there. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1;; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
}
