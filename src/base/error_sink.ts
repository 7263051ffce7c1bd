/**
 * Who is told of what others have done wrong, and of what they were refused: so that it can be counted, by whoever does.
 *
 * @module
 */

/**
 * Takes an error: of which kind it is, from which address, and what it was. Kinds are few, and never a stranger's words; the text
 * may have such in it, of any length.
 */
export type ErrorSink = (code: string, address: string, text: string) => void;
