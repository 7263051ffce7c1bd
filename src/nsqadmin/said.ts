/**
 * What is told in logs and by the API, which are in English, and on pages, which may be in another language.
 *
 * @module
 */

/** Others' words, which are as they are, or what is made of the words of a language. */
export type Said<Words> = string | ((words: Words) => string);

/** The text. */
export function saidIn<Words>(words: Words, said: Said<Words>): string {
  return typeof said === "string" ? said : said(words);
}
