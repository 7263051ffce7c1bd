/**
 * Which messages of JSON nsq_to_nsq passes on, and what of them. Pure.
 *
 * A field is named as NSQ does, by its key, or by a path that begins with a point or a bracket: `.user.id`.
 *
 * @module
 */

import { type JsonPath, parsePath, valueAt } from "./json_path.ts";

/** What is to hold. */
export interface JsonRules {
  /** Only messages that have this field; empty for all. */
  readonly requireField: string;
  /** And only those in which it has this value; empty for any. */
  readonly requireValue: string;
  /** Only these fields are passed on; all if there are none. */
  readonly fields: readonly string[];
}

/** What becomes of a message: it is passed on, left out because it is not wanted, or cannot be judged. */
export type Verdict =
  | { readonly kind: "passed"; readonly body: Uint8Array }
  | { readonly kind: "left out" }
  | { readonly kind: "unusable"; readonly reason: string };

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const ENCODER = new TextEncoder();
const LEFT_OUT: Verdict = { kind: "left out" };

/** What JavaScript can do with the texts of numbers, and TypeScript does not know of yet. */
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

const SOURCE_JSON = JSON as unknown as SourceJson;

/**
 * The function that judges bodies by these rules; undefined if there are none.
 *
 * @throws {SyntaxError} If a path is none.
 */
export function jsonJudge(rules: JsonRules): ((body: Uint8Array) => Verdict) | undefined {
  const { requireField, requireValue } = rules;
  if (requireField === "" && rules.fields.length === 0) return undefined;
  const required = requireField === "" ? undefined : fieldPath(requireField);
  const fields = rules.fields.map(fieldPath);
  const index = fields.flat().find((step) => typeof step === "number");
  if (index !== undefined) throw new SyntaxError(`a field that is passed on has names only, not [${index}]`);
  return (body) => {
    const text = DECODER.decode(body);
    const value = objectIn(text);
    if (value === undefined) return { kind: "unusable", reason: "Unable to decode json" };
    if (required !== undefined) {
      const there = valueAt(value, required);
      if (there === undefined) {
        return requireValue === ""
          ? LEFT_OUT
          : { kind: "unusable", reason: "missing field to check required value" };
      }
      if (requireValue !== "" && !isValue(there, requireValue)) return LEFT_OUT;
    }
    return { kind: "passed", body: fields.length === 0 ? body : ENCODER.encode(filtered(text, fields)) };
  };
}

function fieldPath(field: string): JsonPath {
  return /^[.[]/.test(field) ? parsePath(field) : [field];
}

/** The object in a text, which `null` is an empty one of, as in Go; undefined if it is none. */
function objectIn(text: string): object | undefined {
  try {
    const value = JSON.parse(text) ?? {};
    return typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Texts are equal as they are, numbers as numbers, and nothing else is. */
function isValue(value: unknown, text: string): boolean {
  if (typeof value === "string") return value === text;
  return typeof value === "number" && text.trim() === text && value === Number(text);
}

/** The fields of the object, numbers as they were written: what has more digits than a number holds keeps them. */
function filtered(text: string, paths: readonly JsonPath[]): string {
  const source = SOURCE_JSON.parse(
    text,
    (_key, value, { source }) => typeof value === "number" ? SOURCE_JSON.rawJSON(source) : value,
  );
  const result: Record<string, unknown> = {};
  for (const path of paths.toSorted()) {
    const value = valueAt(source, path);
    if (value === undefined) continue;
    let here = result;
    for (const step of path.slice(0, -1)) {
      if (!Object.hasOwn(here, step)) define(here, step, {});
      here = here[step] as Record<string, unknown>;
    }
    define(here, path[path.length - 1], value);
  }
  return JSON.stringify(result);
}

/** Sets a field of any name, `__proto__` too. */
function define(object: Record<string, unknown>, name: string | number, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}
