/**
 * Fields of answers in JSON, which are what they must be, or nothing is taken of the answer. What is missing, or null, is
 * empty, and half a character is U+FFFD, as Go reads it.
 *
 * @module
 */

/** An object of an answer. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object. @throws {TypeError} */
export function fieldsOf(value: unknown, what: string): Fields {
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`${what} is no object`);
}

/** A field that is a list. @throws {TypeError} */
export function listField(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value)) return value;
  throw new TypeError(`${name} is no list`);
}

/** A field that is a list of texts. @throws {TypeError} */
export function textsField(fields: Fields, name: string): readonly string[] {
  const list = listField(fields, name);
  if (list.every((item) => typeof item === "string")) return list.map((item) => item.toWellFormed());
  throw new TypeError(`${name} is no list of strings`);
}

/** The names in an answer of nsqlookupd's `/topics` or `/channels`. @throws {TypeError} */
export function namesIn(answer: unknown, name: "topics" | "channels"): readonly string[] {
  return textsField(fieldsOf(answer, "the answer"), name);
}

/** A field that is a text. @throws {TypeError} */
export function textField(fields: Fields, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value === "string") return value.toWellFormed();
  throw new TypeError(`${name} is no string`);
}

/** A field that is a whole number. @throws {TypeError} */
export function wholeField(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw new TypeError(`${name} is no whole number`);
}

/** A field that is a number. @throws {TypeError} */
export function numberField(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value === "number") return value;
  throw new TypeError(`${name} is no number`);
}

/** A field that is true or false. @throws {TypeError} */
export function flagField(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new TypeError(`${name} is not true or false`);
}
