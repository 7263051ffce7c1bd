/**
 * The record of a topic: its channels, what is paused, and from where on each channel has messages. Every commit that has to
 * do with the topic checks that the record is as it was read; it changes only when somebody administers the topic, so that
 * costs nothing and keeps everything exact.
 *
 * A *mark* is the versionstamp of the newest chunk at some moment, with the number of messages ever published by then. Later
 * chunks have greater ones. So a channel is a mark, too: it has the chunks after it. The first channel begins where the
 * topic does, later ones at the moment they are made; what is empty begins anew.
 *
 * @module
 */
import { DamagedRecordError } from "./chunk.ts";

/** Channels of a topic: a record takes 64 KiB. */
export const CHANNELS_MAX = 400;

const VERSION = 1;

/** A moment in a topic's life. */
export interface Mark {
  readonly versionstamp: string;
  /** Messages published by then. */
  readonly messages: number;
}

/** A channel of a topic. */
export interface ChannelRecord {
  readonly start: string;
  readonly paused: boolean;
  /** Messages published, and finished in this channel, that are none of its depth. */
  readonly discounted: number;
  /** Messages published before there was the channel. */
  readonly before: number;
}

/** A topic. */
export interface TopicRecord {
  readonly version: number;
  /** What is before it is gone, or belongs to channels only. */
  readonly start: Mark;
  /** What is after it is kept back. */
  readonly pausedAt: Mark | undefined;
  readonly channels: Readonly<Record<string, ChannelRecord>>;
}

/** A topic that begins after the versionstamp. */
export function newTopic(versionstamp: string): TopicRecord {
  return { version: VERSION, start: { versionstamp, messages: 0 }, pausedAt: undefined, channels: {} };
}

/** What was read. @throws {DamagedRecordError} */
export function topicRecordOf(value: unknown): TopicRecord {
  const record = value as Partial<TopicRecord> | null;
  if (record?.version === VERSION && record.start && record.channels) return record as TopicRecord;
  throw new DamagedRecordError("The record of a topic is none of this version");
}

/** The channel, if there is one of that name. */
export function channelIn({ channels }: TopicRecord, name: string): ChannelRecord | undefined {
  return Object.hasOwn(channels, name) ? channels[name] : undefined;
}

/** True when the chunk belongs to the channel, now or once the topic is paused no more. */
export function isOf({ start }: ChannelRecord, versionstamp: string): boolean {
  return versionstamp > start;
}

/** True when the chunk is kept back. */
export function isKeptBack({ pausedAt }: TopicRecord, versionstamp: string): boolean {
  return pausedAt !== undefined && versionstamp > pausedAt.versionstamp;
}

/** With another channel, at this mark. */
export function withChannel(topic: TopicRecord, name: string, now: Mark): TopicRecord {
  const isFirst = Object.keys(topic.channels).length === 0;
  const { versionstamp: start, messages } = isFirst ? topic.start : topic.pausedAt ?? now;
  return withRecord(topic, name, { start, paused: false, discounted: messages, before: messages });
}

/** Without the channel. What the last one had is gone with it, as in NSQ. */
export function withoutChannel(topic: TopicRecord, name: string, now: Mark): TopicRecord {
  const channels = { ...topic.channels };
  delete channels[name];
  const isLast = Object.keys(channels).length === 0;
  return { ...topic, channels, start: isLast ? topic.pausedAt ?? now : topic.start };
}

/** With the channel paused, or not. */
export function withPausedChannel(topic: TopicRecord, name: string, paused: boolean): TopicRecord {
  return withRecord(topic, name, { ...topic.channels[name], paused });
}

/** With nothing left in the channel, of which so many messages were finished. */
export function withEmptyChannel(
  topic: TopicRecord,
  name: string,
  { now, finished }: { readonly now: Mark; readonly finished: number },
): TopicRecord {
  const { versionstamp: start, messages } = topic.pausedAt ?? now;
  return withRecord(topic, name, { ...topic.channels[name], start, discounted: messages - finished });
}

/** Paused at this mark, or not. */
export function withPause(topic: TopicRecord, paused: boolean, now: Mark): TopicRecord {
  return { ...topic, pausedAt: paused ? topic.pausedAt ?? now : undefined };
}

/** With nothing left of its own: what waits for a channel. */
export function withoutBacklog(topic: TopicRecord, now: Mark): TopicRecord {
  return Object.keys(topic.channels).length === 0 ? { ...topic, start: now } : topic;
}

/** With so many messages gone that were kept back. */
export function withoutKeptBack(topic: TopicRecord, count: number): TopicRecord {
  const channels = Object.fromEntries(
    Object.entries(topic.channels).map((
      [name, channel],
    ) => [name, { ...channel, discounted: channel.discounted + count }]),
  );
  return { ...topic, channels };
}

function withRecord(topic: TopicRecord, name: string, record: ChannelRecord): TopicRecord {
  return { ...topic, channels: { ...topic.channels, [name]: record } };
}
