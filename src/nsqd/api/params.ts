/**
 * Parameters of requests to nsqd's HTTP API: the checks that several endpoints share, with NSQ's refusals in
 * NSQ's order.
 *
 * @module
 */
import { HttpError } from "../../http/http_error.ts";
import { parseQuery } from "../../http/query.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import type { Place } from "../queue/queue.ts";
import type { ApiContext } from "./context.ts";

/** The first value of each parameter. */
export type Params = ReadonlyMap<string, string>;

/** The parameters of a request. */
export function paramsOf(nsqd: ApiContext, request: RequestContext): Params {
  try {
    return parseQuery(request.rawQuery);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    nsqd.logger.error(`failed to parse request params - ${error.message}`);
    throw new HttpError(400, "INVALID_REQUEST", { cause: error });
  }
}

/** The name of the topic that is given, which may not exist. */
export function newTopicName(params: Params): string {
  const name = topicName(params);
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_TOPIC");
  return name;
}

/** The name of a topic that has been given, whether it can be one or not. */
export function topicName(params: Params): string {
  const name = params.get("topic");
  if (name === undefined) throw new HttpError(400, "MISSING_ARG_TOPIC");
  return name;
}

/** The topic and the channel that are given. */
export function placeOf(params: Params): Place {
  const topic = topicName(params);
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_ARG_TOPIC");
  const channel = params.get("channel");
  if (channel === undefined) throw new HttpError(400, "MISSING_ARG_CHANNEL");
  if (!isValidChannelName(channel)) throw new HttpError(400, "INVALID_ARG_CHANNEL");
  return { topic, channel };
}

/** A parameter that is true or false; `undefined` for every other text. */
export function boolParam(text: string | undefined): boolean | undefined {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  return undefined;
}
