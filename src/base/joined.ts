/**
 * Pieces of bytes made one: for modules that the npm package has, where `@std/bytes` is not.
 *
 * @module
 */

/** The pieces, one after the other, in an array of their own. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}
