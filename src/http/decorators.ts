/**
 * From what a handler returns or throws to a response and a log line (internal/http_api/api_response.go). A
 * handler returns text, bytes, nothing, or anything else that is to be JSON; it refuses by throwing an
 * {@linkcode HttpError}. Other errors pass through: the router answers those.
 *
 * @module
 */
import { formatDuration } from "../base/duration.ts";
import { LOG_LEVELS, type Logger } from "../base/logger.ts";
import { HttpError } from "./http_error.ts";
import { goJson, jsonPieces } from "./json_pieces.ts";
import type { RequestContext } from "./request_context.ts";

/** Does the work of one endpoint. */
export type Handler = (context: RequestContext) => unknown;

/** A handler made complete by {@linkcode v1} or {@linkcode plainText}. */
export type Responder = (context: RequestContext) => Response | Promise<Response>;

type HeaderList = [name: string, value: string][];

const NSQ_VERSION_HEADER: HeaderList[number] = ["X-NSQ-Content-Type", "nsq; version=1.0"];
const TEXT: HeaderList[number] = ["Content-Type", "text/plain; charset=utf-8"];
const JSON_TYPE: HeaderList[number] = ["Content-Type", "application/json; charset=utf-8"];

// Made once: a response with headers costs a publish a fifth of its time as it is.
const NO_HEADERS = { headers: [] };
const PLAIN_TEXT = { headers: [TEXT] };
const V1_TEXT = { headers: [TEXT, NSQ_VERSION_HEADER] };
const V1_EMPTY = { headers: [NSQ_VERSION_HEADER] };
const V1_JSON = { headers: [JSON_TYPE, NSQ_VERSION_HEADER] };

/** Logs a line such as `200 GET /ping (127.0.0.1:50123) 12.3µs` when the handler has returned or refused. */
export function log(logger: Logger): (handler: Handler) => Handler {
  return (handler) => async (context) => {
    const startMs = performance.now();
    const line = (status: number) => {
      if (logger.level > LOG_LEVELS.info) return;
      const { method, target, remoteAddress } = context;
      const elapsed = formatDuration(performance.now() - startMs);
      logger.info(`${status} ${method} ${target} (${remoteAddress}) ${elapsed}`);
    };
    try {
      const data = await handler(context);
      line(200);
      return data;
    } catch (error) {
      if (error instanceof HttpError) line(error.status);
      throw error;
    }
  };
}

/** Answers with the text that the handler returns, or refuses with. */
export function plainText(handler: Handler): Responder {
  return async (context) => {
    try {
      const data = await handler(context);
      if (data === undefined || data === "") return new Response(null, NO_HEADERS);
      if (typeof data === "string") return new Response(data, PLAIN_TEXT);
      throw new TypeError(`Cannot answer as plain text: ${typeof data}`);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return new Response(error.message, { status: error.status, ...PLAIN_TEXT });
    }
  };
}

/** Answers in NSQ's form, version 1.0: text as it is, other data as JSON, refusals as `{"message":…}`. */
export function v1(handler: Handler): Responder {
  return async (context) => {
    try {
      const data = await handler(context);
      if (data === undefined || data === "") return new Response(null, V1_EMPTY);
      if (typeof data === "string") return new Response(data, V1_TEXT);
      return new Response(bodyOf(await jsonPieces(data)), V1_JSON);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return new Response(toJson({ message: error.message }), { status: error.status, ...V1_JSON });
    }
  };
}

/** Refuses every request, in NSQ's form, with a line in the log. */
export function refusal(logger: Logger, status: number, text: string): Responder {
  return v1(
    log(logger)(() => {
      throw new HttpError(status, text);
    }),
  );
}

function toJson(data: unknown): string {
  return goJson(JSON.stringify(data));
}

/** What has one piece has a length; more go out one by one. */
function bodyOf(pieces: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (pieces.length === 1) return pieces[0];
  const rest = pieces.values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
