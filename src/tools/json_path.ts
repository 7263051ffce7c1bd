/**
 * Paths into JSON: `.user.id`, `.items[0].name`, `.["a key"]`. Pure.
 *
 * @module
 */

/** Names of fields, and indexes. */
export type JsonPath = readonly (string | number)[];

const STEP = /\.?\[(\d{1,9})\]|\.?\[("(?:[^"\\]|\\.)*")\]|\.([A-Za-z_$][\w$-]*)/y;

/**
 * Reads the path that begins at an offset of a text; undefined if none does.
 *
 * @throws {SyntaxError} If a quoted name in it is no string of JSON.
 */
export function pathAt(
  text: string,
  offset: number,
): { readonly path: JsonPath; readonly end: number } | undefined {
  const path: (string | number)[] = [];
  let end = offset;
  for (;;) {
    STEP.lastIndex = end;
    const step = STEP.exec(text);
    if (step === null) break;
    const [, index, quoted, name] = step;
    path.push(
      index !== undefined ? Number(index) : quoted !== undefined ? JSON.parse(quoted) as string : name,
    );
    end = STEP.lastIndex;
  }
  if (path.length > 0) return { path, end };
  // A point alone is the whole value.
  return text[offset] === "." ? { path, end: offset + 1 } : undefined;
}

/**
 * Reads a path; the point at its beginning may be left out.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parsePath(text: string): JsonPath {
  const whole = /^[.[]/.test(text) ? text : `.${text}`;
  const found = pathAt(whole, 0);
  if (found === undefined || found.end !== whole.length) {
    throw new SyntaxError(`not a path into JSON: ${JSON.stringify(text)}`);
  }
  return found.path;
}

/** What is there; undefined if nothing is. */
export function valueAt(value: unknown, path: JsonPath): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== "object" || here === null) return undefined;
    if (typeof step === "number" ? !Array.isArray(here) : !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<string | number, unknown>>)[step];
  }
  return here;
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** The JSON in a body; undefined if it is none. */
export function jsonIn(body: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(body));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
