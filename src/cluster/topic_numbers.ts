/**
 * What is counted of topics and channels, and no more: for whoever goes through all of a cluster, and keeps sums.
 *
 * @module
 */

import { type Fields, fieldsOf, flagField, listField, textField, wholeField } from "./answer_fields.ts";

/** A channel of a node. */
export interface ChannelNumbers {
  readonly name: string;
  readonly depth: number;
  /** Of these, those that are on a disk. */
  readonly backendDepth: number;
  readonly inFlight: number;
  readonly deferred: number;
  readonly requeued: number;
  readonly timedOut: number;
  readonly messages: number;
  readonly consumers: number;
  /** Age of the oldest message that is first in line, in s; NSQ's nsqd does not tell it, and it is 0 then. */
  readonly oldestS: number;
  readonly paused: boolean;
}

/** A topic of a node. */
export interface TopicNumbers {
  readonly name: string;
  readonly depth: number;
  /** Of these, those that are on a disk. */
  readonly backendDepth: number;
  readonly messages: number;
  readonly paused: boolean;
  /** Read one by one, as they are asked for: there may be very many. */
  readonly channels: Iterable<ChannelNumbers>;
}

/** The topics in an answer of `/stats`, read one by one. @throws {TypeError} */
export function* topicNumbers(answer: unknown): Generator<TopicNumbers> {
  for (const topic of listField(fieldsOf(answer, "the answer"), "topics")) {
    const fields = fieldsOf(topic, "a topic");
    yield {
      name: textField(fields, "topic_name"),
      depth: wholeField(fields, "depth"),
      backendDepth: wholeField(fields, "backend_depth"),
      messages: wholeField(fields, "message_count"),
      paused: flagField(fields, "paused"),
      channels: channelNumbers(fields),
    };
  }
}

function* channelNumbers(topic: Fields): Generator<ChannelNumbers> {
  for (const channel of listField(topic, "channels")) {
    const fields = fieldsOf(channel, "a channel");
    yield {
      name: textField(fields, "channel_name"),
      depth: wholeField(fields, "depth"),
      backendDepth: wholeField(fields, "backend_depth"),
      inFlight: wholeField(fields, "in_flight_count"),
      deferred: wholeField(fields, "deferred_count"),
      requeued: wholeField(fields, "requeue_count"),
      timedOut: wholeField(fields, "timeout_count"),
      messages: wholeField(fields, "message_count"),
      consumers: wholeField(fields, "client_count"),
      oldestS: wholeField(fields, "oldest_message_age_seconds"),
      paused: flagField(fields, "paused"),
    };
  }
}
