/**
 * The metrics of topics, channels and clients: made from the snapshot that `/stats` and statsd have, one by one or added up, and
 * never more series than there may be.
 *
 * @module
 */
import { labelText, type MetricFamily, single } from "../../base/exposition.ts";
import { TimeSlice } from "../../base/time_slice.ts";
import { type Vocabulary, type VocabularyName, vocabularyOf } from "./metric_names.ts";
import { MetricTable } from "./metric_table.ts";
import {
  type ChannelStats,
  collectStats,
  FIGURES,
  memoryStats,
  type StatsFilter,
  type StatsSource,
  type TopicStats,
} from "./stats.ts";

/** How far things are added up: not at all, for each topic, for the whole node. */
export const AGGREGATIONS = ["", "topic", "node"] as const;

/** One of these. */
export type Aggregation = typeof AGGREGATIONS[number];

/** What is asked for. */
export interface TopicMetricsQuery {
  readonly filter: StatsFilter;
  readonly vocabulary: VocabularyName;
  readonly aggregation: Aggregation;
}

/** What the options say. */
export interface TopicMetricsLimits {
  /** The most series; 0 is no limit. */
  readonly seriesMax: number;
  /** Percentiles that are kept. */
  readonly quantiles: readonly number[];
}

/** The metrics. With many topics that takes a while, in which others are served. */
export async function topicMetrics(
  source: StatsSource,
  { filter, vocabulary: name, aggregation: wanted }: TopicMetricsQuery,
  { seriesMax, quantiles }: TopicMetricsLimits,
): Promise<MetricFamily[]> {
  const { topics } = await collectStats(source, filter);
  const vocabulary = vocabularyOf(name, quantiles);
  const counted = countSeries(topics ?? [], vocabulary);
  const aggregation = seriesMax === 0 ? wanted : fitting(wanted, counted, seriesMax);
  const truncated = single(
    "gauge",
    "nsq_metrics_truncated",
    "1 when there would be more series than --metrics-max-series, and they are added up.",
    Number(aggregation !== wanted),
  );
  const memory = new MetricTable(vocabulary.memory);
  memory.add("", memoryStats());
  return [truncated, ...memory.families(), ...await tables(topics ?? [], vocabulary, aggregation)];
}

/** Rows of a table for each topic, channel and client, or for what they are added up to. */
async function tables(
  topics: readonly TopicStats[],
  vocabulary: Vocabulary,
  aggregation: Aggregation,
): Promise<MetricFamily[]> {
  const slice = new TimeSlice();
  const topicTable = new MetricTable(vocabulary.topic);
  const channelTable = new MetricTable(vocabulary.channel);
  const clientTable = new MetricTable(vocabulary.client);
  for (const topic of topics) {
    const labels = { topic: topic.topic_name };
    topicTable.add(labelsFor(aggregation, vocabulary, topic.paused, labels, labels), topic);
    for (const channel of topic.channels) {
      const own = { ...labels, channel: channel.channel_name };
      channelTable.add(labelsFor(aggregation, vocabulary, channel.paused, labels, own), channel);
      if (aggregation === "") addClients(clientTable, own, channel);
      if (slice.isOver) await slice.next();
    }
    if (slice.isOver) await slice.next();
  }
  return [topicTable, channelTable, clientTable].flatMap((table) => table.families());
}

function labelsFor(
  aggregation: Aggregation,
  { labelsPaused }: Vocabulary,
  paused: boolean,
  topic: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): string {
  if (aggregation === "node") return "";
  if (aggregation === "topic") return labelText(topic);
  return labelText(labelsPaused ? { ...own, paused: String(paused) } : own);
}

function addClients(
  table: MetricTable<NonNullable<ChannelStats["clients"]>[number]>,
  labels: Readonly<Record<string, string>>,
  { clients }: ChannelStats,
): void {
  for (const client of clients ?? []) {
    const { client_id, hostname, version, remote_address, deflate, snappy, tls } = client;
    const flags = { deflate: String(deflate), snappy: String(snappy), tls: String(tls) };
    table.add(labelText({ ...labels, ...flags, client_id, hostname, version, remote_address }), client);
  }
}

/** How many series there are without adding up, and by topic. */
interface SeriesCount {
  readonly single: number;
  readonly byTopic: number;
}

function countSeries(topics: readonly TopicStats[], { topic, channel, client }: Vocabulary): SeriesCount {
  const numbers = channel.filter(({ type }) => type !== "histogram").length;
  const hasHistogram = numbers < channel.length;
  let [single, byTopic] = [topics.length * topic.length, topics.length * topic.length];
  for (const { channels } of topics) {
    let widest = 0;
    for (const { clients, [FIGURES]: { latency } } of channels) {
      // Each bucket is one, and so are the sum and the count.
      const width = numbers + (hasHistogram && latency ? latency.counts.length + 2 : 0);
      single += width + (clients?.length ?? 0) * client.length;
      widest = Math.max(widest, width);
    }
    byTopic += widest;
  }
  return { single, byTopic };
}

/** What is wanted, or added up further, so that there are not too many series. */
function fitting(wanted: Aggregation, { single, byTopic }: SeriesCount, seriesMax: number): Aggregation {
  if (wanted === "" && single <= seriesMax) return "";
  return wanted !== "node" && byTopic <= seriesMax ? "topic" : "node";
}
