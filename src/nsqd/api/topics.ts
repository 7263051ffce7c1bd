/**
 * Administration of topics and channels over HTTP (nsqd/http.go). What an endpoint checks, and in which order,
 * differs between them as it does in NSQ.
 *
 * @module
 */
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidTopicName } from "../../protocol/names.ts";
import { newTopicName, paramsOf, placeOf, topicName } from "./params.ts";
import type { ApiContext } from "./context.ts";

/** `POST /topic/create` */
export async function createTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.createTopic(newTopicName(paramsOf(nsqd, request)));
}

/** `POST /topic/delete` */
export async function deleteTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.deleteTopic(topicName(paramsOf(nsqd, request)));
}

/** `POST /topic/empty` */
export async function emptyTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const name = topicName(paramsOf(nsqd, request));
  // NSQ compat: of the endpoints for a topic that exists only this one checks its name.
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_TOPIC");
  await nsqd.queue.emptyTopic(name);
}

/** `POST /topic/pause` */
export async function pauseTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.pauseTopic(topicName(paramsOf(nsqd, request)), true);
}

/** `POST /topic/unpause` */
export async function unpauseTopic(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.pauseTopic(topicName(paramsOf(nsqd, request)), false);
}

/** `POST /channel/create` */
export async function createChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.createChannel(placeOf(paramsOf(nsqd, request)));
}

/** `POST /channel/delete` */
export async function deleteChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.deleteChannel(placeOf(paramsOf(nsqd, request)));
}

/** `POST /channel/empty` */
export async function emptyChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.emptyChannel(placeOf(paramsOf(nsqd, request)));
}

/** `POST /channel/pause` */
export async function pauseChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.pauseChannel(placeOf(paramsOf(nsqd, request)), true);
}

/** `POST /channel/unpause` */
export async function unpauseChannel(nsqd: ApiContext, request: RequestContext): Promise<void> {
  await nsqd.queue.pauseChannel(placeOf(paramsOf(nsqd, request)), false);
}
