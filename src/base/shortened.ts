/**
 * Texts of strangers, of which no more is kept than a limit says.
 *
 * @module
 */

/**
 * The beginning of a text, of `lengthMax` UTF-16 code units at most. Half a character, as a cut may leave or JSON may tell, is
 * U+FFFD: nothing that encodes texts, such as an address, is to fail on it.
 */
export function shortened(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).toWellFormed();
}
