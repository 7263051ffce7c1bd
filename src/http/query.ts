/**
 * Query strings as Go's `url.ParseQuery` reads them: pairs between `&`, `+` for a space, percent escapes; `;` and
 * bad escapes are refused. `URLSearchParams` would take both.
 *
 * @module
 */

/** Parameters that are read of a query, where only its length would be a limit: half a million of them hold all others up. */
export const PARAMETERS_MAX = 5000;

const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The parameters of a query string; of several with one name the first counts.
 *
 * @throws {SyntaxError} If there is a semicolon or a bad escape, in Go's words, or too many parameters.
 */
export function parseQuery(rawQuery: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of queryPairs(rawQuery)) {
    if (!parameters.has(name)) parameters.set(name, value);
  }
  return parameters;
}

/**
 * The parameters of a query string, in their order.
 *
 * @throws {SyntaxError} As `parseQuery()`.
 */
export function queryPairs(rawQuery: string): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  let count = 0;
  for (let start = 0, end = 0; start < rawQuery.length; start = end + 1) {
    const next = rawQuery.indexOf("&", start);
    end = next < 0 ? rawQuery.length : next;
    if (++count > PARAMETERS_MAX) throw new SyntaxError("too many parameters");
    if (end === start) continue;
    const pair = rawQuery.slice(start, end);
    if (pair.includes(";")) throw new SyntaxError("invalid semicolon separator in query");
    const equals = pair.indexOf("=");
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : unescape(pair.slice(equals + 1));
    pairs.push([name, value]);
  }
  return pairs;
}

/** `text` with its percent escapes decoded, or `undefined` if one is bad. */
export function percentDecode(text: string): string | undefined {
  if (!text.includes("%")) return text;
  if (BAD_ESCAPE.test(text)) return undefined;
  // Byte by byte, because decodeURIComponent throws at escapes that are no UTF-8, and Go takes them.
  const bytes = ENCODER.encode(text);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const escaped = bytes[i] === 0x25;
    bytes[length++] = escaped ? 16 * digitOf(bytes[i + 1]) + digitOf(bytes[i + 2]) : bytes[i];
    if (escaped) i += 2;
  }
  return DECODER.decode(bytes.subarray(0, length));
}

/** What a hexadecimal digit stands for. */
function digitOf(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}

function unescape(text: string): string {
  const decoded = percentDecode(text.includes("+") ? text.replaceAll("+", " ") : text);
  if (decoded !== undefined) return decoded;
  const bad = text.slice(text.search(BAD_ESCAPE)).slice(0, 3);
  throw new SyntaxError(`invalid URL escape ${JSON.stringify(bad)}`);
}

/** As Go escapes what it puts into a query. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
