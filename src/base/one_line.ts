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
  return text.replace(ACTIVE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
