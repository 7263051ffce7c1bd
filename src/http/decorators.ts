/**
 * From what a handler returns or throws to a response and a log line (internal/http_api/api_response.go). A
 * handler returns text, bytes, nothing, a whole answer, or anything else that is to be JSON; it refuses by throwing an
 * {@linkcode HttpError}. Other errors pass through: the router answers those.
 *
 * @module
 */
import { formatDuration } from "../base/duration.ts";
import { LOG_LEVELS, type Logger } from "../base/logger.ts";
import { Answer, type Header, HeaderBlock } from "./answer.ts";
import { HttpError } from "./http_error.ts";
import { goJson, jsonPieces } from "./json_pieces.ts";
import type { RequestContext } from "./request_context.ts";

/** Does the work of one endpoint. */
export type Handler = (context: RequestContext) => unknown;

/** A handler made complete by {@linkcode v1} or {@linkcode plainText}. */
export type Responder = (context: RequestContext) => Answer | Promise<Answer>;

// Spelled as Go's server sends it, whatever NSQ's source says: there are clients that compare it letter by letter.
const NSQ_VERSION_HEADER: Header = ["X-Nsq-Content-Type", "nsq; version=1.0"];
const TEXT: Header = ["Content-Type", "text/plain; charset=utf-8"];
const JSON_TYPE: Header = ["Content-Type", "application/json; charset=utf-8"];
/** For browsers and proxies: no answer is worth keeping, and none is anything but what it says it is. */
export const CAUTION: readonly Header[] = [["Cache-Control", "no-store"], [
  "X-Content-Type-Options",
  "nosniff",
]];

const EMPTY = new HeaderBlock(CAUTION);
const PLAIN_TEXT = new HeaderBlock([TEXT, ...CAUTION]);
const V1_TEXT = new HeaderBlock([TEXT, NSQ_VERSION_HEADER, ...CAUTION]);
const V1_EMPTY = new HeaderBlock([NSQ_VERSION_HEADER, ...CAUTION]);

/** Headers of an answer in NSQ's form, version 1.0, that is JSON. */
export const V1_JSON = new HeaderBlock([JSON_TYPE, NSQ_VERSION_HEADER, ...CAUTION]);

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
      line(data instanceof Answer ? data.status : 200);
      return data;
    } catch (error) {
      if (error instanceof HttpError) line(error.status);
      throw error;
    }
  };
}

/** Answers with the text that the handler returns, or refuses with; or with the answer that it has made itself. */
export function plainText(handler: Handler): Responder {
  return async (context) => {
    try {
      const data = await handler(context);
      if (data === undefined || data === "") return new Answer(200, EMPTY);
      if (typeof data === "string") return new Answer(200, PLAIN_TEXT, data);
      if (data instanceof Answer) return data;
      throw new TypeError(`Cannot answer as plain text: ${typeof data}`);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return new Answer(error.status, PLAIN_TEXT.with(error.headers), error.message);
    }
  };
}

/** Answers in NSQ's form, version 1.0: a whole answer or text as it is, other data as JSON, refusals as `{"message":…}`. */
export function v1(handler: Handler): Responder {
  return async (context) => {
    try {
      const data = await handler(context);
      if (data instanceof Answer) return data;
      if (data === undefined || data === "") return new Answer(200, V1_EMPTY);
      if (typeof data === "string") return new Answer(200, V1_TEXT, data);
      return new Answer(200, V1_JSON, await jsonPieces(data));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return new Answer(error.status, V1_JSON.with(error.headers), toJson({ message: error.message }));
    }
  };
}

/** Tells of the status that each request was answered with: 500 where nothing was, because of a fault. */
export function answered(
  responder: Responder,
  tell: (context: RequestContext, status: number) => void,
): Responder {
  return async (context) => {
    let status = 500;
    try {
      const answer = await responder(context);
      status = answer.status;
      return answer;
    } finally {
      tell(context, status);
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
