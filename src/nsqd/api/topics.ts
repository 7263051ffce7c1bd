/**
 * Administration of topics and channels over HTTP (nsqd/http.go). What an endpoint checks, and in which order,
 * differs between them as it does in NSQ.
 *
 * @module
 */
import { errorText } from "../../base/error_text.ts";
import type { Topic } from "../../broker/topic.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidTopicName } from "../../protocol/names.ts";
import {
  existingChannel,
  existingTopic,
  paramsOf,
  topicAndChannelName,
  topicName,
  topicToUse,
} from "./params.ts";
import type { ApiContext } from "./context.ts";

/** `POST /topic/create` */
export function createTopic(nsqd: ApiContext, request: RequestContext): void {
  topicToUse(nsqd, paramsOf(nsqd, request));
}

/** `POST /topic/delete` */
export function deleteTopic(nsqd: ApiContext, request: RequestContext): void {
  const name = topicName(paramsOf(nsqd, request));
  if (!nsqd.broker.deleteTopic(name)) throw new HttpError(404, "TOPIC_NOT_FOUND");
}

/** `POST /topic/empty` */
export async function emptyTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const name = topicName(paramsOf(nsqd, request));
  // NSQ compat: of the endpoints for a topic that exists only this one checks its name.
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_TOPIC");
  const topic = existingTopic(nsqd, name);
  topic.empty();
  await saved(nsqd, topic);
}

/** `POST /topic/pause` */
export async function pauseTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  existingTopic(nsqd, topicName(paramsOf(nsqd, request))).pause();
  // Before the answer, so that a crash does not undo it.
  await nsqd.persistMetadata();
}

/** `POST /topic/unpause` */
export async function unpauseTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  existingTopic(nsqd, topicName(paramsOf(nsqd, request))).unpause();
  await nsqd.persistMetadata();
}

/** `POST /channel/create` */
export function createChannel(nsqd: ApiContext, request: RequestContext): void {
  const { topic, channelName } = topicAndChannelName(nsqd, paramsOf(nsqd, request));
  topic.channel(channelName);
}

/** `POST /channel/delete` */
export async function deleteChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const { topic, channelName } = topicAndChannelName(nsqd, paramsOf(nsqd, request));
  if (!topic.deleteChannel(channelName)) throw new HttpError(404, "CHANNEL_NOT_FOUND");
  await saved(nsqd, topic);
}

/** `POST /channel/empty` */
export async function emptyChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const params = paramsOf(nsqd, request);
  existingChannel(nsqd, params).empty();
  await saved(nsqd, topicAndChannelName(nsqd, params).topic);
}

/** `POST /channel/pause` */
export async function pauseChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  existingChannel(nsqd, paramsOf(nsqd, request)).pause();
  await nsqd.persistMetadata();
}

/** `POST /channel/unpause` */
export async function unpauseChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  existingChannel(nsqd, paramsOf(nsqd, request)).unpause();
  await nsqd.persistMetadata();
}

/** So that a crash does not bring back what was dropped. A disk that refuses it now is asked again with every sync. */
async function saved(nsqd: ApiContext, topic: Topic): Promise<void> {
  try {
    await topic.saveState();
  } catch (error) {
    nsqd.logger.error(`TOPIC(${topic.name}): failed to save state - ${errorText(error)}`);
  }
}
