/**
 * What nsqlookupd answers over TCP (internal/protocol/protocol.go, `SendResponse`): unlike nsqd's frames, without a
 * type. Errors look like any answer.
 *
 * ```
 *  [ size i32 ][ data, size bytes ]
 * ```
 *
 * @module
 */

import { writeU32 } from "./frames.ts";
import { bytesOf } from "./quote.ts";

const SIZE_LENGTH = 4;

/** The answer to a command that has been carried out and has nothing to tell. */
export const LOOKUP_OK: Readonly<Uint8Array> = encodeLookupResponse("OK");

/** An answer; a text is a byte string, in which each character stands for a byte. */
export function encodeLookupResponse(data: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === "string" ? bytesOf(data) : data;
  const response = new Uint8Array(SIZE_LENGTH + bytes.length);
  writeU32(response, 0, bytes.length);
  response.set(bytes, SIZE_LENGTH);
  return response;
}
