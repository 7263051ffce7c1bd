/**
 * Parameters of requests to nsqd's HTTP API: the checks that several endpoints share, with NSQ's refusals in
 * NSQ's order.
 *
 * @module
 */
import type { Channel } from "../../broker/channel.ts";
import type { Topic } from "../../broker/topic.ts";
import { HttpError } from "../../http/http_error.ts";
import { parseQuery } from "../../http/query.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { TopicError } from "../node/topic_opener.ts";
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

/** The topic that is named, made if there is none. */
export function topicToUse(nsqd: ApiContext, params: Params): Topic {
  const name = topicName(params);
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_TOPIC");
  return openTopic(nsqd, name);
}

/** The topic of that name, made if there is none; it has been logged why when it cannot be. */
export function openTopic(nsqd: ApiContext, name: string): Topic {
  try {
    return nsqd.openTopic(name);
  } catch (cause) {
    if (!(cause instanceof TopicError)) throw cause;
    throw new HttpError(503, "EXITING", { cause });
  }
}

/** The name of a topic that has been given, whether it can be one or not. */
export function topicName(params: Params): string {
  const name = params.get("topic");
  if (name === undefined) throw new HttpError(400, "MISSING_ARG_TOPIC");
  return name;
}

/** The topic of that name. */
export function existingTopic(nsqd: ApiContext, name: string): Topic {
  const topic = nsqd.broker.topics.get(name);
  if (topic === undefined) throw new HttpError(404, "TOPIC_NOT_FOUND");
  return topic;
}

/** The topic and the name of a channel that are given, of which the topic must exist. */
export function topicAndChannelName(
  nsqd: ApiContext,
  params: Params,
): { topic: Topic; channelName: string } {
  const name = topicName(params);
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_ARG_TOPIC");
  const channelName = params.get("channel");
  if (channelName === undefined) throw new HttpError(400, "MISSING_ARG_CHANNEL");
  if (!isValidChannelName(channelName)) throw new HttpError(400, "INVALID_ARG_CHANNEL");
  return { topic: existingTopic(nsqd, name), channelName };
}

/** The channel that is given, which must exist. */
export function existingChannel(nsqd: ApiContext, params: Params): Channel {
  const { topic, channelName } = topicAndChannelName(nsqd, params);
  const channel = topic.channels.get(channelName);
  if (channel === undefined) throw new HttpError(404, "CHANNEL_NOT_FOUND");
  return channel;
}

/** A parameter that is true or false; `undefined` for every other text. */
export function boolParam(text: string | undefined): boolean | undefined {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  return undefined;
}
