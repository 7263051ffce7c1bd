/**
 * Paths in JSON, as far as one says where something is: `$.user.id`, `$.items[0]['the name']`, `$.items[*].price`. Of RFC 9535
 * these are names, indexes (from the end, too) and wildcards; no slices, filters or descendants.
 *
 * @module
 */

/** The longest path, in characters. */
export const PATH_LENGTH_MAX = 256;

const EVERY = Symbol("*");
const STEP = /\.([\p{L}_][\p{L}\p{N}_-]*)|\.(\*)|\[(\*)\]|\[(-?\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]/uy;

/** The steps of a path: a name, an index, or everything. */
export type JsonPath = readonly (string | number | typeof EVERY)[];

/** The path in the text, or `undefined` if it is none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (!text.startsWith("$") || text.length > PATH_LENGTH_MAX) return undefined;
  const steps: (string | number | typeof EVERY)[] = [];
  let at = 1;
  while (at < text.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match) return undefined;
    const [whole, name, , , index, quoted, doubleQuoted] = match;
    const key = name ?? quoted ?? doubleQuoted;
    steps.push(index !== undefined ? Number(index) : key ?? EVERY);
    at += whole.length;
  }
  return steps;
}

/** All that the value has at the path. */
export function valuesAt(value: unknown, path: JsonPath): unknown[] {
  let values = [value];
  for (const step of path) values = values.flatMap((each) => stepInto(each, step));
  return values;
}

function stepInto(value: unknown, step: JsonPath[number]): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === EVERY) return Object.values(value);
  if (typeof step === "number") {
    if (!Array.isArray(value)) return [];
    const item = value.at(step);
    return item === undefined ? [] : [item];
  }
  if (Array.isArray(value) || !Object.hasOwn(value, step)) return [];
  return [(value as Record<string, unknown>)[step]];
}
