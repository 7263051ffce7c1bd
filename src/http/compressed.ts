/**
 * Answers compressed, for clients that take them so (internal/http_api/compress.go), in slices of time.
 *
 * @module
 */

import { TimeSlice } from "../base/time_slice.ts";
import { Answer, type AnswerBody } from "./answer.ts";
import type { RequestHandler } from "./http_request.ts";

/** A coding as HTTP calls it, and its name here. */
const FORMATS = { gzip: "gzip", deflate: "deflate-raw" } as const;
type Coding = keyof typeof FORMATS;

/** What is compressed at once, in bytes: in less than a ms. */
const PIECE_SIZE = 64 * 1024;

/** Compresses the handler's answers. */
export function compressed(handler: RequestHandler): RequestHandler {
  return async (request) => {
    const answer = await handler(request);
    const coding = codingOf(request.headers.get("accept-encoding") ?? "");
    const { body } = answer;
    // What comes bit by bit goes out bit by bit.
    if (coding === undefined || body instanceof ReadableStream || body.length === 0) return answer;
    const { status, headers } = answer.with(["Content-Encoding", coding], ["Vary", "Accept-Encoding"]);
    return new Answer(status, headers, await compress(body, FORMATS[coding]));
  };
}

/** NSQ compat: the first that is known, whatever its weight; and deflate is raw, as browsers take it, too. */
function codingOf(accepted: string): Coding | undefined {
  for (const part of accepted.split(",")) {
    const name = part.trim();
    if (name === "gzip" || name === "deflate") return name;
  }
  return undefined;
}

async function compress(
  body: Exclude<AnswerBody, ReadableStream>,
  format: typeof FORMATS[Coding],
): Promise<Uint8Array<ArrayBuffer>[]> {
  const stream = new CompressionStream(format);
  const compressing = Array.fromAsync(stream.readable);
  const writer = stream.writable.getWriter();
  const slice = new TimeSlice();
  for (const part of typeof body === "string" ? [new TextEncoder().encode(body)] : body) {
    for (let at = 0; at < part.length; at += PIECE_SIZE) {
      // Before another, and not behind the last: there is nothing left to do then that others would wait for.
      if (slice.isOver) await slice.next();
      await writer.write(part.subarray(at, at + PIECE_SIZE));
    }
  }
  await writer.close();
  return await compressing as Uint8Array<ArrayBuffer>[];
}
