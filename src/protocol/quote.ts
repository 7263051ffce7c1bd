/**
 * Text in errors as Go prints it with `%q`, because clients are shown it.
 *
 * @module
 */

const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

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
const [SPACE, TILDE, QUOTE, BACKSLASH] = [0x20, 0x7e, 0x22, 0x5c];
/** The longest word that errors and log lines show whole, in bytes: longer ones cost what they are not worth. */
export const SHOWN_LENGTH_MAX = 256;
/** What follows the beginning of a longer one. */
const MORE = "...";
/** Characters that a string is made of at once: as many as a call may well have arguments. */
const PART_LENGTH = 8192;

/**
 * The bytes, which should be UTF-8, in double quotes and with escapes; of a long word the beginning. Like all text of
 * errors it is a byte string: each of its characters stands for one byte on the wire.
 */
export function quote(word: Uint8Array): string {
  const bytes = word.subarray(0, SHOWN_LENGTH_MAX);
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at];
    if (byte >= SPACE && byte <= TILDE && byte !== QUOTE && byte !== BACKSLASH) {
      text += String.fromCharCode(byte);
      at++;
      continue;
    }
    const length = characterLength(bytes, at);
    if (length === 0) {
      text += `\\x${hex(byte, 2)}`;
      at++;
    } else {
      text += escape(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return `"${text}"${word.length > bytes.length ? MORE : ""}`;
}

/** The word as a byte string; of a long one the beginning. */
export function shown(word: Uint8Array): string {
  return word.length > SHOWN_LENGTH_MAX
    ? byteString(word.subarray(0, SHOWN_LENGTH_MAX)) + MORE
    : byteString(word);
}

/** The text; of a long one the beginning. */
export function shownText(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? text.slice(0, SHOWN_LENGTH_MAX) + MORE : text;
}

/** The bytes as a string of one character each. */
export function byteString(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PART_LENGTH) {
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + PART_LENGTH));
  }
  return text;
}

/** The bytes that a byte string stands for. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** How many bytes the character has that begins there; 0 if there is none in UTF-8. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const length = first < 0x80
    ? 1
    : first < 0xc2
    ? 0
    : first < 0xe0
    ? 2
    : first < 0xf0
    ? 3
    : first < 0xf5
    ? 4
    : 0;
  if (length > bytes.length - at) return 0;
  for (let i = 1; i < length; i++) {
    if (bytes[at + i] >>> 6 !== 2) return 0;
  }
  // Longer than need be, a surrogate, beyond the last character: the second byte shows it.
  const second = bytes[at + 1];
  const isNone = first === 0xe0 && second < 0xa0 || first === 0xed && second > 0x9f ||
    first === 0xf0 && second < 0x90 || first === 0xf4 && second > 0x8f;
  return isNone ? 0 : length;
}

/** A character as it is, if it can be seen, or as its escape. */
function escape(character: Uint8Array): string {
  const text = UTF_8.decode(character);
  const known = ESCAPES[text];
  if (known !== undefined) return known;
  if (PRINTABLE.test(text)) return byteString(character);
  const code = text.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
