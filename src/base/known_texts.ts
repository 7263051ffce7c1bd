/**
 * Names that come again and again in bytes, as of topics in what many nodes say, as one text each.
 *
 * @module
 */

/** The longest text that is known again, in bytes. */
const KNOWN_SIZE_MAX = 256;
const DECODER = new TextDecoder();

/** Texts that were read before: the same one is not made anew. */
export class KnownTexts {
  readonly #limit: number;
  readonly #texts = new Map<number, string>();

  /** Of more than the limit all are forgotten. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The text of ASCII characters that stands there. */
  at(bytes: Uint8Array, start: number, end: number): string {
    if (end - start > KNOWN_SIZE_MAX) return DECODER.decode(bytes.subarray(start, end));
    let hash = 0;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    const known = this.#texts.get(hash);
    if (known !== undefined && isText(known, bytes, start, end)) return known;
    const text = String.fromCharCode(...bytes.subarray(start, end));
    if (this.#texts.size >= this.#limit) this.#texts.clear();
    this.#texts.set(hash, text);
    return text;
  }
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
