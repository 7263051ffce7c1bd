/**
 * Text that may be a stranger's, for a line that others read: of the log, or of an answer in plain text.
 *
 * @module
 */

/**
 * What a terminal or a reader of lines would act on: control characters of both kinds, among them those that begin escape
 * sequences, line and paragraph separators, and what turns the direction of writing.
 */
const ACTIVE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text with such characters escaped, so that nobody can write lines of his own, or hide any. */
export function oneLine(text: string): string {
  return escaped(text, (hex) => hex.startsWith("00") ? `\\x${hex.slice(2)}` : `\\u${hex}`);
}

/** The text with each such character as what `escape` makes of its code, four hexadecimal digits. */
export function escaped(text: string, escape: (hex: string) => string): string {
  return text.replace(ACTIVE, (character) => escape(character.charCodeAt(0).toString(16).padStart(4, "0")));
}
