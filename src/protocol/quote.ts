/**
 * Text in errors as Go prints it with `%q`, because clients are shown it.
 *
 * @module
 */

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/**
 * The bytes, which should be UTF-8, in double quotes and with escapes. Like all text of errors it is a byte
 * string: each of its characters stands for one byte on the wire.
 */
export function quote(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    if (character === undefined) {
      text += `\\x${bytes[at].toString(16).padStart(2, "0")}`;
      at++;
      continue;
    }
    text += escape(character);
    at += new TextEncoder().encode(character).length;
  }
  return `"${text}"`;
}

function characterAt(bytes: Uint8Array, at: number): string | undefined {
  const first = bytes[at];
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(at, at + length),
    );
    return text === "" ? undefined : text;
  } catch {
    // Not UTF-8: the caller shows the byte.
    return undefined;
  }
}

/** The bytes as a string of one character each. */
export function byteString(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The bytes that a byte string stands for. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function escape(character: string): string {
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  if (PRINTABLE.test(character)) return byteString(new TextEncoder().encode(character));
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}
