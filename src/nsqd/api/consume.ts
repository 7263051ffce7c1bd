/**
 * Consuming over HTTP: `POST /receive`, `/finish`, `/requeue` and `/touch`. NSQ has none of them; docs/http-api.md says what
 * each does.
 *
 * @module
 */
import { parseDuration } from "../../base/duration.ts";
import { Answer } from "../../http/answer.ts";
import { V1_JSON } from "../../http/decorators.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isEphemeral } from "../../protocol/names.ts";
import { LEASE_LENGTH_MAX } from "../queue/lease.ts";
import type { LeaseAnswer, QueueClient } from "../queue/queue.ts";
import type { ApiContext } from "./context.ts";
import { formOf, messagesAnswer } from "./message_forms.ts";
import { type Params, paramsOf, placeOf } from "./params.ts";

/** Messages of one answer, and leases of one request. */
export const MESSAGES_MAX = 1000;
/** Bytes of the bodies of one answer, but for a single message that has more: what a channel delivers in a turn. */
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** How long a lease is valid at least, in ms: NSQ's shortest message timeout. */
export const TIMEOUT_MIN_MS = 1000;
/** Bytes of a body with as many leases as there may be: each with quotes and a comma. */
export const LEASES_SIZE_MAX = MESSAGES_MAX * (LEASE_LENGTH_MAX + 4);

const MESSAGES_DEFAULT = 10;
/** Where tokens are looked for that are not to be in a URL, which others log and keep. */
const TOKEN_PARAMS = ["token", "access_token"];

/** `POST /receive` */
export async function receive(nsqd: ApiContext, request: RequestContext): Promise<Answer> {
  const params = consumeParams(nsqd, request);
  const place = placeOf(params);
  // Nothing would keep it there between two requests.
  if (isEphemeral(place.channel)) throw new HttpError(400, "EPHEMERAL_CHANNEL");
  if (params.has("ack")) throw new HttpError(400, "INVALID_ACK");
  const form = formOf(params.get("format"), request.request.headers.get("accept"));
  if (form === undefined) throw new HttpError(400, "INVALID_FORMAT");
  const max = numberOf(params, "max", { least: 1, most: form === "raw" ? 1 : MESSAGES_MAX }) ??
    (form === "raw" ? 1 : MESSAGES_DEFAULT);
  const waitMs = timeOf(params, "wait", { leastMs: 0, mostMs: nsqd.options.httpMaxWaitMs }) ?? 0;
  const timeoutMs = timeoutOf(nsqd, params);
  await nsqd.authorize(request, place);
  const leases = request.contentLength === 0 ? [] : await leasesOf(request, { mayBeNone: true });
  if (leases.length > 0) {
    const answer = await nsqd.queue.finish(place, leases);
    // Nothing is received: who is told so knows what it has.
    if (answer.failed.length > 0) return leaseAnswer(answer);
  }
  const client = clientOf(request);
  const wish = { max, bytesMax: ANSWER_BYTES_MAX, waitMs, timeoutMs, client };
  return messagesAnswer(await nsqd.queue.receive(place, wish), form, nsqd.queue.epoch);
}

/** `POST /finish` */
export async function finish(nsqd: ApiContext, request: RequestContext): Promise<Answer> {
  const place = placeOf(consumeParams(nsqd, request));
  await nsqd.authorize(request, place);
  return leaseAnswer(await nsqd.queue.finish(place, await leasesOf(request)));
}

/** `POST /requeue` */
export async function requeue(nsqd: ApiContext, request: RequestContext): Promise<Answer> {
  const params = consumeParams(nsqd, request);
  const place = placeOf(params);
  const delayMs = timeOf(params, "delay", { leastMs: 0, mostMs: nsqd.options.maxReqTimeoutMs }) ?? 0;
  await nsqd.authorize(request, place);
  return leaseAnswer(await nsqd.queue.requeue(place, await leasesOf(request), { delayMs }));
}

/** `POST /touch` */
export async function touch(nsqd: ApiContext, request: RequestContext): Promise<Answer> {
  const place = placeOf(consumeParams(nsqd, request));
  await nsqd.authorize(request, place);
  const answer = await nsqd.queue.touch(place, await leasesOf(request));
  const { expiresInMs } = answer;
  return leaseAnswer(answer, expiresInMs === undefined ? {} : { expires_in_ms: Math.floor(expiresInMs) });
}

/** The parameters of a request that consumes. @throws {HttpError} */
export function consumeParams(nsqd: ApiContext, request: RequestContext): Params {
  const params = paramsOf(nsqd, request);
  if (TOKEN_PARAMS.some((name) => params.has(name))) throw new HttpError(400, "TOKEN_IN_URL");
  return params;
}

/** How long leases are to be valid, in ms. @throws {HttpError} */
export function timeoutOf({ options }: ApiContext, params: Params): number {
  const { msgTimeoutMs, maxMsgTimeoutMs: mostMs } = options;
  return timeOf(params, "timeout", { leastMs: TIMEOUT_MIN_MS, mostMs }) ?? msgTimeoutMs;
}

/** Who asks. */
export function clientOf(request: RequestContext): QueueClient {
  const { remoteAddress, client: name } = request;
  return {
    remoteAddress,
    userAgent: request.request.headers.get("user-agent") ?? "",
    name,
    get signal() {
      return request.request.signal;
    },
  };
}

/** A whole number within the limits; `undefined` when none is given. @throws {HttpError} */
export function numberOf(
  params: Params,
  name: string,
  { least, most }: { least: number; most: number },
): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) throw new HttpError(400, `INVALID_${name.toUpperCase()}`);
  return value;
}

/** A time within the limits, given as a whole number of ms or as a duration such as `20s`. @throws {HttpError} */
export function timeOf(
  params: Params,
  name: string,
  { leastMs, mostMs }: { leastMs: number; mostMs: number },
): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  const valueMs = /^\d{1,15}$/.test(text) ? Number(text) : durationOf(text);
  if (!(valueMs >= leastMs && valueMs <= mostMs)) throw new HttpError(400, `INVALID_${name.toUpperCase()}`);
  return valueMs;
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return NaN;
    throw error;
  }
}

/** The leases in the body: one a line or, as JSON, in a list. @throws {HttpError} */
async function leasesOf(request: RequestContext, { mayBeNone = false } = {}): Promise<readonly string[]> {
  const body = await request.readBody(LEASES_SIZE_MAX);
  if (body === undefined) throw new HttpError(413, "BODY_TOO_BIG");
  const text = new TextDecoder().decode(body);
  const isJson = /^application\/json\b/i.test(request.request.headers.get("content-type") ?? "");
  const leases = isJson && text !== "" ? parseLeases(text) : linesOf(text);
  if (leases.length === 0 && !mayBeNone) throw new HttpError(400, "MISSING_LEASES");
  if (leases.length > MESSAGES_MAX) throw new HttpError(413, "BODY_TOO_BIG");
  return leases;
}

function linesOf(text: string): string[] {
  return text.split(/[\r\n]+/).filter((line) => line !== "");
}

function parseLeases(json: string): string[] {
  try {
    const { leases } = JSON.parse(json) ?? {};
    if (Array.isArray(leases) && leases.every((lease) => typeof lease === "string")) return leases;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HttpError(400, "INVALID_BODY");
}

/** 200 if all went well, else 409 that names the others. */
function leaseAnswer({ done, failed }: LeaseAnswer, more: Readonly<Record<string, unknown>> = {}): Answer {
  if (failed.length === 0) return new Answer(200, V1_JSON, JSON.stringify({ done, ...more }));
  const named = failed.map(({ lease, problem }) => ({
    lease: lease.slice(0, LEASE_LENGTH_MAX),
    message: problem,
  }));
  return new Answer(409, V1_JSON, JSON.stringify({ done, ...more, failed: named }));
}
