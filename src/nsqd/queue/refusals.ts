/**
 * The ways in which a queue refuses, as the HTTP API tells them.
 *
 * @module
 */
import { NoRoomError } from "../../broker/topic.ts";
import { HttpError } from "../../http/http_error.ts";

/** How long a client should wait before it asks again, in seconds. */
const RETRY_AFTER_S = "1";

const LATER = { headers: [["Retry-After", RETRY_AFTER_S]] } as const;

/** There is no such topic. */
export function topicNotFound(): HttpError {
  return new HttpError(404, "TOPIC_NOT_FOUND");
}

/** There is no such channel. */
export function channelNotFound(): HttpError {
  return new HttpError(404, "CHANNEL_NOT_FOUND");
}

/** What was to be kept cannot be, as NSQ says it of one that ends; it has been logged why. */
export function exiting(cause?: unknown): HttpError {
  return new HttpError(503, "EXITING", { cause });
}

/** What was published could not be kept: there is no room for it in memory, or it has been logged why. */
export function notKept(cause: unknown): HttpError {
  return cause instanceof NoRoomError
    ? new HttpError(507, "OUT_OF_MEMORY", { ...LATER, cause })
    : exiting(cause);
}

/** So many leases are out, or waiters and streams there, that there can be no more. */
export function tooMany(
  what: "LEASES" | "WAITERS" | "STREAMS" | "TIMEOUTS" | "CONSUMERS" | "CHANNELS" | "PEEKS",
  cause?: unknown,
): HttpError {
  return new HttpError(429, `TOO_MANY_${what}`, { ...LATER, cause });
}
