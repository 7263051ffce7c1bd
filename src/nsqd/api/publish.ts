/**
 * Publishing over HTTP: `/pub` and `/mpub` (nsqd/http.go, `doPUB` and `doMPUB`). The order of the checks is NSQ's,
 * and clients see it: the size comes first, and a topic is there already when what follows its name is refused.
 *
 * @module
 */
import { inSlices } from "../../base/time_slice.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { type BodyLimits, mpubCountMax } from "../../protocol/command_reader.ts";
import { readI32, writeU32 } from "../../protocol/frames.ts";
import { shownText } from "../../protocol/quote.ts";
import { maxDeferMs } from "../node/message_options.ts";
import type { PublishSpan, TracedPublish, Tracing } from "../node/tracing.ts";
import type { Batch } from "../queue/queue.ts";
import { boolParam, newTopicName, type Params, paramsOf } from "./params.ts";
import type { ApiContext } from "./context.ts";

const NEWLINE = 10;
/** Bytes of a count, and of a size. */
const U32_LENGTH = 4;
/** How much of a text is worked on before the clock is looked at, in bytes. */
const PART_SIZE = 64 * 1024;
/** A line up to this length is copied by hand: it costs less than making a view. */
const SHORT_LINE_LENGTH = 48;

/** `POST /pub`: one message, the body. */
export async function publish(nsqd: ApiContext, request: RequestContext): Promise<string> {
  const body = await request.readBody(nsqd.options.maxMsgSizeBytes);
  if (body === undefined) throw new HttpError(413, "MSG_TOO_BIG");
  if (body.length === 0) throw new HttpError(400, "MSG_EMPTY");

  const params = paramsOf(nsqd, request);
  const topic = newTopicName(params);
  const deferMs = deferOf(params, maxDeferMs(nsqd.options));
  if (deferMs === undefined) {
    await nsqd.queue.createTopic(topic);
    throw new HttpError(400, "INVALID_DEFER");
  }
  const span = nsqd.tracing &&
    spanOf(nsqd.tracing, request, { operation: "pub", topic, bodyBytes: body.length });
  const keeping = nsqd.queue.publish(topic, body, { deferMs, attributes: span?.attributes });
  await (span ? traced(span, keeping) : keeping);
  return "OK";
}

/** `POST /mpub`: a message from each line of the body or, with `binary`, the body of an MPUB command. */
export async function publishBatch(nsqd: ApiContext, request: RequestContext): Promise<string> {
  const limits = nsqd.options;
  if ((request.contentLength ?? 0) > limits.maxBodySizeBytes) throw new HttpError(413, "BODY_TOO_BIG");
  const params = paramsOf(nsqd, request);
  const topic = newTopicName(params);
  await nsqd.queue.createTopic(topic);
  const binary = isBinary(nsqd, params);

  // Differs from NSQ: there a binary body whose length is not announced may have any length.
  const body = await request.readBody(limits.maxBodySizeBytes);
  if (body === undefined) throw new HttpError(413, "BODY_TOO_BIG");
  const batch = binary ? binaryBatch(body, limits) : await textBatch(body, limits);
  const { block, count } = batch;
  const span = nsqd.tracing &&
    spanOf(nsqd.tracing, request, { operation: "mpub", topic, bodyBytes: block.length, count });
  const keeping = nsqd.queue.publishBatch(topic, batch, { attributes: span?.attributes });
  await (span ? traced(span, keeping) : keeping);
  return "OK";
}

/** The span of a publish that its client traces. */
function spanOf(
  tracing: Tracing,
  { request }: RequestContext,
  publish: TracedPublish,
): PublishSpan | undefined {
  return tracing.publishing(request.headers.get("traceparent"), publish);
}

async function traced(span: PublishSpan, keeping: Promise<void>): Promise<void> {
  try {
    await keeping;
    span.end();
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** The messages of an MPUB body; what may follow them is left out, as in NSQ. */
export function binaryBatch(body: Uint8Array, limits: BodyLimits): Batch {
  const count = body.length < U32_LENGTH ? 0 : readI32(body, 0);
  if (count <= 0 || count > mpubCountMax(limits.maxBodySizeBytes)) throw new HttpError(413, "BAD_BODY");
  let end = U32_LENGTH;
  for (let i = 0; i < count; i++) {
    const size = body.length - end < U32_LENGTH ? 0 : readI32(body, end);
    const fits = size > 0 && size <= limits.maxMsgSizeBytes && size <= body.length - end - U32_LENGTH;
    if (!fits) throw new HttpError(413, "BAD_MESSAGE");
    end += U32_LENGTH + size;
  }
  return { block: body.subarray(U32_LENGTH, end), count };
}

/** A message from each line that is not empty: millions of them take a while, in which others are served. */
export async function textBatch(body: Uint8Array, limits: BodyLimits): Promise<Batch> {
  let count = 0;
  let length = 0;
  await inSlices(parts(body), ([start, end]) => {
    for (let from = start; from < end;) {
      const to = lineEnd(body, from);
      if (to - from > limits.maxMsgSizeBytes) throw new HttpError(413, "MSG_TOO_BIG");
      if (to > from) {
        count++;
        length += U32_LENGTH + to - from;
      }
      from = to + 1;
    }
  });
  const block = new Uint8Array(length);
  let blockEnd = 0;
  await inSlices(parts(body), ([start, end]) => {
    for (let from = start; from < end;) {
      const to = lineEnd(body, from);
      if (to > from) {
        writeU32(block, blockEnd, to - from);
        blockEnd += U32_LENGTH;
        if (to - from > SHORT_LINE_LENGTH) block.set(body.subarray(from, to), blockEnd);
        else for (let i = from; i < to; i++) block[blockEnd + i - from] = body[i];
        blockEnd += to - from;
      }
      from = to + 1;
    }
  });
  return { block, count };
}

/** Parts of the body that begin with a line and end with one. */
function* parts(body: Uint8Array): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < body.length;) {
    const end = Math.min(lineEnd(body, start + PART_SIZE) + 1, body.length);
    yield [start, end];
    start = end;
  }
}

/** Where the line ends that `from` is in. By hand: most lines are short. */
function lineEnd(body: Uint8Array, from: number): number {
  let end = from;
  while (end < body.length && body[end] !== NEWLINE) end++;
  return end;
}

/** The delay asked for, in ms; undefined when it is none that can be had. */
function deferOf(params: Params, maxMs: number): number | undefined {
  const text = params.get("defer");
  if (text === undefined) return 0;
  const deferMs = /^[-+]?\d+$/.test(text) ? Number(text) : NaN;
  return deferMs >= 0 && deferMs <= maxMs ? deferMs : undefined;
}

function isBinary(nsqd: ApiContext, params: Params): boolean {
  const text = params.get("binary");
  if (text === undefined) return false;
  const binary = boolParam(text);
  if (binary !== undefined) return binary;
  // NSQ compat: whatever is neither true nor false is true, the empty text too.
  nsqd.logger.warn(`deprecated value '${shownText(text)}' used for /mpub binary param`);
  return true;
}
