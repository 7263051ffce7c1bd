/**
 * Request bodies with limits. The limit is checked before memory is taken for what lies beyond it.
 *
 * @module
 */
import { LimitedBytesTransformStream, toBytes } from "@std/streams";
import { HttpError } from "./http_error.ts";

/** Of what no handler has read of a body, so much is read and dropped before the answer, in bytes. */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

/**
 * The whole body of a request, or `undefined` if it is longer than `limitBytes`.
 *
 * @throws {HttpError} 500 if it cannot be read, because the client went away or broke the encoding.
 */
export async function readBody(
  request: Request,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > limitBytes) return undefined;
  try {
    // A body of known length is read in one piece by the runtime, which ends it at that length. The streams below
    // cost three times the processor time of a whole publish (measured on Deno 2.9.6: 34.6 against 9.4 µs).
    if (announced !== null) return await request.bytes();
    return request.body === null ? EMPTY : await readChunked(request.body, limitBytes);
  } catch (cause) {
    throw new HttpError(500, "INTERNAL_ERROR", { cause });
  }
}

/**
 * Reads and drops what nobody has read of a body, so that the connection can serve the next request, and so that a
 * client that is refused while it still sends gets to read the answer. Go does the same up to 256 KiB; more
 * here, because Go then keeps the connection half open for a while, which the runtime can't.
 */
export async function discardBody(request: Request): Promise<void> {
  // A client that asks before sending can be refused without its body.
  if (request.body === null || request.headers.has("expect")) return;
  let leftBytes = DISCARDED_BYTES_MAX;
  try {
    for await (const chunk of request.body) {
      leftBytes -= chunk.length;
      if (leftBytes < 0) break;
    }
  } catch {
    // The client has gone. The answer is known already, and sending it will find that out.
  }
}

/** A body whose length is known only at its end; what lies beyond the limit is left unread. */
async function readChunked(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const limited = new LimitedBytesTransformStream(limitBytes, { error: true });
  const [read] = await Promise.allSettled([
    toBytes(limited.readable),
    body.pipeTo(limited.writable, { preventCancel: true }),
  ]);
  if (read.status === "fulfilled") return read.value;
  if (read.reason instanceof RangeError) return undefined;
  throw read.reason;
}
