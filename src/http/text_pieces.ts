/**
 * Text of any size as an answer's body, made in slices of time.
 *
 * @module
 */

import { inSlices } from "../base/time_slice.ts";

/** How much is gathered to a piece, in characters. */
export const PIECE_LENGTH = 64 * 1024;

const ENCODER = new TextEncoder();

/** The texts one after the other, in UTF-8 and in pieces that are not small; `change` is done to each piece. */
export async function textPieces(
  texts: Iterable<string>,
  change: (text: string) => string = (text) => text,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let text = "";
  await inSlices(texts, (part) => {
    text += part;
    if (text.length < PIECE_LENGTH) return;
    pieces.push(ENCODER.encode(change(text)));
    text = "";
  });
  if (text !== "") pieces.push(ENCODER.encode(change(text)));
  return pieces;
}
