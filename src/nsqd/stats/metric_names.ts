/**
 * Under which names `/metrics` tells what the statistics have: its own, and two that dashboards already know. Those of
 * lovoo/nsq_exporter, and of NSQ's statsd behind Prometheus' statsd_exporter with Grafana's mapping, name counters as
 * Prometheus would not.
 *
 * @module
 */
import type { MetricType } from "../../base/exposition.ts";
import type { QuantileResult } from "../../base/quantile.ts";
import type { Column } from "./metric_table.ts";
import {
  CHANNEL_NUMBERS,
  MEMORY_NUMBERS,
  percentileName,
  type StatsdNumber,
  TOPIC_NUMBERS,
} from "./statsd_names.ts";
import { type ChannelStats, type ClientStats, FIGURES, type MemoryStats, type TopicStats } from "./stats.ts";

/** The vocabularies. */
export const VOCABULARIES = ["", "exporter", "statsd"] as const;

/** One of them. */
export type VocabularyName = typeof VOCABULARIES[number];

/** Metrics of topics, of channels, and of clients where they are asked for. */
export interface Vocabulary {
  readonly topic: readonly Column<TopicStats>[];
  readonly channel: readonly Column<ChannelStats>[];
  readonly client: readonly Column<ClientStats>[];
  readonly memory: readonly Column<MemoryStats>[];
  /** Whether something is paused is told by a label, which begins another series when it changes. */
  readonly labelsPaused: boolean;
}

/** The metrics of that name; those of percentiles follow the ones that are kept. */
export function vocabularyOf(name: VocabularyName, quantiles: readonly number[]): Vocabulary {
  if (name === "exporter") return EXPORTER;
  return name === "statsd" ? statsdVocabulary(quantiles) : OWN;
}

const OWN: Vocabulary = {
  topic: [
    gauge("nsq_topic_depth", "Messages that are no channel's yet.", (topic) => topic.depth),
    gauge("nsq_topic_backend_depth", "Of these, messages on disk.", (topic) => topic.backend_depth),
    counter("nsq_topic_messages_total", "Messages published.", (topic) => topic.message_count),
    counter("nsq_topic_message_bytes_total", "Bytes of messages published.", (topic) => topic.message_bytes),
    counter(
      "nsq_topic_dropped_total",
      "Messages for which an ephemeral topic had no room.",
      (topic) => topic.dropped_count ?? 0,
    ),
    counter(
      "nsq_topic_lost_total",
      "Messages that had been acknowledged and are lost.",
      (topic) => topic.lost_count ?? 0,
    ),
    counter(
      "nsq_topic_spilled_bytes_total",
      "Bytes written to the topic's files.",
      (topic) => topic[FIGURES].writtenBytes,
    ),
    gauge("nsq_topic_paused", "1 while the topic is paused.", (topic) => Number(topic.paused)),
  ],
  channel: [
    gauge("nsq_channel_depth", "Messages that wait.", (channel) => channel.depth),
    gauge("nsq_channel_backend_depth", "Of these, messages on disk.", (channel) => channel.backend_depth),
    gauge(
      "nsq_channel_in_flight",
      "Messages that consumers are working on.",
      (channel) => channel.in_flight_count,
    ),
    gauge("nsq_channel_deferred", "Messages that are not due yet.", (channel) => channel.deferred_count),
    gauge("nsq_channel_clients", "Consumers.", (channel) => channel.client_count),
    gauge("nsq_channel_paused", "1 while the channel is paused.", (channel) => Number(channel.paused)),
    most(
      "nsq_channel_oldest_message_age_seconds",
      "Age of the oldest message that is first in line; 0 when none waits.",
      oldestAgeS,
    ),
    counter(
      "nsq_channel_messages_total",
      "Messages that came to the channel.",
      (channel) => channel.message_count,
    ),
    counter(
      "nsq_channel_finished_total",
      "Messages that consumers have finished.",
      (channel) => channel.finish_count ?? 0,
    ),
    counter(
      "nsq_channel_requeues_total",
      "Messages that consumers gave back.",
      (channel) => channel.requeue_count,
    ),
    counter(
      "nsq_channel_timeouts_total",
      "Messages that consumers took too long for.",
      (channel) => channel.timeout_count,
    ),
    counter(
      "nsq_channel_dropped_total",
      "Messages for which an ephemeral channel had no room.",
      (channel) => channel.dropped_count ?? 0,
    ),
    {
      name: "nsq_channel_e2e_latency_seconds",
      type: "histogram",
      help: "Time from publishing to finishing.",
      value: (channel) => channel[FIGURES].latency,
    },
  ],
  client: [
    gauge("nsq_client_ready", "Messages that the client would take.", (client) => client.ready_count),
    gauge(
      "nsq_client_in_flight",
      "Messages that the client is working on.",
      (client) => client.in_flight_count,
    ),
    counter(
      "nsq_client_messages_total",
      "Messages delivered to the client.",
      (client) => client.message_count,
    ),
    counter(
      "nsq_client_finished_total",
      "Messages that the client has finished.",
      (client) => client.finish_count,
    ),
    counter(
      "nsq_client_requeues_total",
      "Messages that the client gave back.",
      (client) => client.requeue_count,
    ),
    gauge(
      "nsq_client_connected_time_seconds",
      "When the client connected, in s since 1970.",
      (client) => client.connect_ts,
    ),
  ],
  memory: [],
  labelsPaused: false,
};

const EXPORTER: Vocabulary = {
  topic: [
    gauge("nsq_topic_channel_count", "Number of channels", (topic) => topic.channels.length),
    gauge("nsq_topic_depth", "Queue depth", (topic) => topic.depth),
    gauge("nsq_topic_backend_depth", "Queue backend depth", (topic) => topic.backend_depth),
    most("nsq_topic_e2e_latency_99_percentile", "Queue e2e latency 99th percentile, in ns", percentile(0.99)),
    most("nsq_topic_e2e_latency_95_percentile", "Queue e2e latency 95th percentile, in ns", percentile(0.95)),
    gauge("nsq_topic_message_count", "Queue message count", (topic) => topic.message_count),
  ],
  channel: [
    gauge("nsq_channel_client_count", "Number of clients", (channel) => channel.client_count),
    gauge("nsq_channel_depth", "Queue depth", (channel) => channel.depth),
    gauge("nsq_channel_backend_depth", "Queue backend depth", (channel) => channel.backend_depth),
    gauge("nsq_channel_message_count", "Queue message count", (channel) => channel.message_count),
    gauge("nsq_channel_in_flight_count", "In flight count", (channel) => channel.in_flight_count),
    most("nsq_channel_e2e_latency_99p", "e2e latency 99th percentile, in ns", percentile(0.99)),
    most("nsq_channel_e2e_latency_95p", "e2e latency 95th percentile, in ns", percentile(0.95)),
    gauge("nsq_channel_deferred_count", "Deferred count", (channel) => channel.deferred_count),
    gauge("nsq_channel_requeue_count", "Requeue count", (channel) => channel.requeue_count),
    gauge("nsq_channel_timeout_count", "Timeout count", (channel) => channel.timeout_count),
  ],
  client: [
    gauge("nsq_client_state", "State of client", (client) => client.state),
    gauge("nsq_client_finish_count", "Finish count", (client) => client.finish_count),
    gauge("nsq_client_message_count", "Queue message count", (client) => client.message_count),
    gauge("nsq_client_ready_count", "Ready count", (client) => client.ready_count),
    gauge("nsq_client_in_flight_count", "In flight count", (client) => client.in_flight_count),
    gauge("nsq_client_requeue_count", "Requeue count", (client) => client.requeue_count),
    gauge("nsq_client_connect_ts", "Connect timestamp", (client) => client.connect_ts),
    gauge("nsq_client_sample_rate", "Sample rate", (client) => client.sample_rate),
  ],
  memory: [],
  labelsPaused: true,
};

function statsdVocabulary(quantiles: readonly number[]): Vocabulary {
  const named = <Source>(prefix: string, numbers: readonly StatsdNumber<Source>[]) =>
    numbers.map(({ name, kind, value }) =>
      column(kind, `${prefix}_${name}`, `As statsd is told: ${name}.`, value)
    );
  const percentiles = (prefix: string) =>
    quantiles.map((quantile) => {
      const name = percentileName(quantile);
      return most(`${prefix}_${name}`, `As statsd is told: ${name}, in ns.`, percentile(quantile));
    });
  return {
    topic: [...named("nsq_topic", TOPIC_NUMBERS), ...percentiles("nsq_topic")],
    channel: [...named("nsq_topic_channel", CHANNEL_NUMBERS), ...percentiles("nsq_topic_channel")],
    client: [],
    memory: named("nsq_mem", MEMORY_NUMBERS),
    labelsPaused: false,
  };
}

function oldestAgeS({ [FIGURES]: { oldestAgeMs } }: ChannelStats): number | undefined {
  return oldestAgeMs === undefined ? undefined : oldestAgeMs / 1000;
}

function percentile(wanted: number) {
  return ({ e2e_processing_latency: { percentiles } }: { readonly e2e_processing_latency: QuantileResult }) =>
    percentiles?.find(({ quantile }) => quantile === wanted)?.value;
}

function counter<Source>(name: string, help: string, value: Column<Source>["value"]): Column<Source> {
  return column("counter", name, help, value);
}

function gauge<Source>(name: string, help: string, value: Column<Source>["value"]): Column<Source> {
  return column("gauge", name, help, value);
}

/** A gauge whose greatest value is that of several. */
function most<Source>(name: string, help: string, value: Column<Source>["value"]): Column<Source> {
  return { ...column("gauge", name, help, value), together: "most" };
}

function column<Source>(
  type: MetricType,
  name: string,
  help: string,
  value: Column<Source>["value"],
): Column<Source> {
  return { type, name, help, value };
}
