/**
 * Text of strangers in a line of the log.
 *
 * @module
 */

/** The text with its control characters escaped, so that nobody can write log lines of his own. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
