/**
 * The numbers of `/stats` of what lies in a database: of all instances together. What an instance alone knows, such as
 * clients and percentiles, is not there.
 *
 * @module
 */
import { NO_QUANTILES } from "../../base/quantile.ts";
import type { QueueStats } from "../queue/queue.ts";
import { type ChannelStats, FIGURES, type StatsFilter, type TopicStats } from "../stats/stats.ts";
import { decodeEntry } from "./chunk.ts";
import { ChunkState } from "./chunk_state.ts";
import type { Database } from "./database.ts";
import {
  channelCountKey,
  deferredPrefix,
  statesPrefix,
  topicCountKey,
  topicKey,
  topicsPrefix,
  versionstampOf,
} from "./keys.ts";
import {
  channelIn,
  type ChannelRecord,
  isKeptBack,
  isOf,
  type TopicRecord,
  topicRecordOf,
} from "./topic_record.ts";
import { countOf } from "./topics.ts";

/** Chunks that are looked at for each channel; what those behind have in flight or deferred counts as waiting. */
export const COUNTED_MAX = 10_000;

/** The statistics at this time by the wall clock. @throws {HttpError} */
export async function kvStats(database: Database, filter: StatsFilter, nowMs: number): Promise<QueueStats> {
  const topics: TopicStats[] = [];
  for await (const { name, record } of recordsOf(database, filter.topics)) {
    // NSQ compat: a filter by channel leaves out the topics that have no such channel.
    if (filter.channels.size > 0 && channelsOf(record, filter).length === 0) continue;
    topics.push(await topicStats(database, { name, record, nowMs }, filter));
  }
  const isMissing = filter.topics.size > 0 && topics.length === 0;
  return { topics: isMissing ? null : topics, producers: null, background: undefined };
}

interface Known {
  readonly name: string;
  readonly record: TopicRecord;
  readonly nowMs: number;
}

async function* recordsOf(
  database: Database,
  only: ReadonlySet<string>,
): AsyncGenerator<Omit<Known, "nowMs">> {
  if (only.size > 0) {
    const names = [...only].sort();
    const entries = await database.get(...names.map(topicKey));
    for (const [i, { value }] of entries.entries()) {
      if (value !== null) yield { name: names[i], record: topicRecordOf(value) };
    }
    return;
  }
  // In the order of their bytes, as Go sorts strings.
  for await (const entries of database.all(topicsPrefix())) {
    for (const { key, value } of entries) yield { name: versionstampOf(key), record: topicRecordOf(value) };
  }
}

function channelsOf({ channels }: TopicRecord, filter: StatsFilter): string[] {
  return Object.keys(channels).sort().filter((name) =>
    filter.channels.size === 0 || filter.channels.has(name)
  );
}

async function topicStats(database: Database, topic: Known, filter: StatsFilter): Promise<TopicStats> {
  const { name, record } = topic;
  const [messages, bytes] = await database.get(topicCountKey(name, "messages"), topicCountKey(name, "bytes"));
  const published = countOf(messages);
  const names = channelsOf(record, filter);
  const deferred = await deferredChunks(database, topic);
  const channels: ChannelStats[] = [];
  for (const channel of names) {
    const stats = await channelStats(database, topic, { channel, published, deferred });
    channels.push({ ...stats, clients: filter.includeClients ? [] : null });
  }
  const ownFrom = Object.keys(record.channels).length === 0 ? record.start : record.pausedAt;
  const depth = ownFrom === undefined ? 0 : Math.max(published - ownFrom.messages, 0);
  return {
    topic_name: name,
    channels,
    depth,
    backend_depth: depth,
    message_count: published,
    message_bytes: countOf(bytes),
    paused: record.pausedAt !== undefined,
    e2e_processing_latency: NO_QUANTILES,
    lost_count: undefined,
    dropped_count: undefined,
    [FIGURES]: { writtenBytes: 0 },
  };
}

/** Chunks that are not due yet. */
async function deferredChunks(
  database: Database,
  { name, nowMs }: Known,
): Promise<readonly { versionstamp: string; count: number }[]> {
  const prefix = deferredPrefix(name);
  const chunks: { versionstamp: string; count: number }[] = [];
  for await (const entries of database.all(prefix, [...prefix, nowMs])) {
    for (const { key, value } of entries) {
      chunks.push({ versionstamp: versionstampOf(key), count: decodeEntry(value).count });
    }
    if (chunks.length >= COUNTED_MAX) break;
  }
  return chunks;
}

async function channelStats(
  database: Database,
  { name: topic, record, nowMs }: Known,
  { channel: name, published, deferred }: {
    channel: string;
    published: number;
    deferred: readonly { versionstamp: string; count: number }[];
  },
): Promise<ChannelStats> {
  const channel = channelIn(record, name) as ChannelRecord;
  const place = { topic, channel: name };
  const [finished, requeued, timedOut] = (await database.get(
    channelCountKey(place, "finished"),
    channelCountKey(place, "requeued"),
    channelCountKey(place, "timedOut"),
  )).map(countOf);
  const begun = await begunCounts(database, { place, channel, nowMs });
  const notDue = deferred.filter(({ versionstamp }) =>
    isOf(channel, versionstamp) && !isKeptBack(record, versionstamp)
  )
    .reduce((sum, { count }) => sum + count, 0);
  const given = Math.min(published, record.pausedAt?.messages ?? Infinity);
  const depth = given - channel.discounted - finished - begun.leased - begun.deferred - notDue;
  return {
    channel_name: name,
    depth: Math.max(depth, 0),
    backend_depth: Math.max(depth, 0),
    in_flight_count: begun.leased,
    deferred_count: begun.deferred + notDue,
    message_count: Math.max(given - channel.before, 0),
    zone_local_msg_count: undefined,
    region_local_msg_count: undefined,
    global_msg_count: undefined,
    requeue_count: requeued,
    timeout_count: timedOut,
    client_count: 0,
    clients: null,
    paused: channel.paused,
    e2e_processing_latency: NO_QUANTILES,
    finish_count: finished,
    dropped_count: undefined,
    oldest_message_age_seconds: undefined,
    [FIGURES]: { oldestAgeMs: undefined, latency: undefined },
  };
}

/** What is in flight and deferred of the chunks that something has become of. */
async function begunCounts(
  database: Database,
  { place, channel, nowMs }: {
    place: { topic: string; channel: string };
    channel: ChannelRecord;
    nowMs: number;
  },
): Promise<{ leased: number; deferred: number }> {
  let [leased, deferred, seen] = [0, 0, 0];
  for await (const entries of database.all(statesPrefix(place.topic, place.channel))) {
    for (const { key, value } of entries) {
      if (!isOf(channel, versionstampOf(key))) continue;
      const counts = ChunkState.decode(value).counts(nowMs);
      leased += counts.leased;
      deferred += counts.deferred;
    }
    seen += entries.length;
    if (seen >= COUNTED_MAX) break;
  }
  return { leased, deferred };
}
