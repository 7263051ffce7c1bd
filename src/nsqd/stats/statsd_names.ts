/**
 * What statsd is told, under NSQ's names and in NSQ's order (nsqd/statsd.go): of topics, channels and memory. One table for the
 * lines that are sent and for the vocabulary of `/metrics` that takes their place.
 *
 * @module
 */
import type { QuantileResult } from "../../base/quantile.ts";
import type { ChannelStats, MemoryStats, TopicStats } from "./stats.ts";

/** One number. What is counted is sent as the difference from the last time. */
export interface StatsdNumber<Source> {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  value(source: Source): number;
}

/** Of a topic, but for percentiles. */
export const TOPIC_NUMBERS: readonly StatsdNumber<TopicStats>[] = [
  counter("message_count", (topic) => topic.message_count),
  counter("message_bytes", (topic) => topic.message_bytes),
  gauge("depth", (topic) => topic.depth),
  gauge("backend_depth", (topic) => topic.backend_depth),
];

/** Of a channel, but for percentiles. */
export const CHANNEL_NUMBERS: readonly StatsdNumber<ChannelStats>[] = [
  counter("message_count", (channel) => channel.message_count),
  gauge("depth", (channel) => channel.depth),
  gauge("backend_depth", (channel) => channel.backend_depth),
  gauge("in_flight_count", (channel) => channel.in_flight_count),
  gauge("deferred_count", (channel) => channel.deferred_count),
  counter("requeue_count", (channel) => channel.requeue_count),
  counter("timeout_count", (channel) => channel.timeout_count),
  gauge("clients", (channel) => channel.client_count),
];

/** Of memory. */
export const MEMORY_NUMBERS: readonly StatsdNumber<MemoryStats>[] = [
  gauge("heap_objects", (memory) => memory.heap_objects),
  gauge("heap_idle_bytes", (memory) => memory.heap_idle_bytes),
  gauge("heap_in_use_bytes", (memory) => memory.heap_in_use_bytes),
  gauge("heap_released_bytes", (memory) => memory.heap_released_bytes),
  gauge("gc_pause_usec_100", (memory) => memory.gc_pause_usec_100),
  gauge("gc_pause_usec_99", (memory) => memory.gc_pause_usec_99),
  gauge("gc_pause_usec_95", (memory) => memory.gc_pause_usec_95),
  gauge("next_gc_bytes", (memory) => memory.next_gc_bytes),
  counter("gc_runs", (memory) => memory.gc_total_runs),
];

/** Percentiles, each under its name and as a whole number of ns. */
export function percentileNumbers({ percentiles }: QuantileResult): { name: string; value: number }[] {
  return (percentiles ?? []).map(({ quantile, value }) => ({
    name: percentileName(quantile),
    value: Math.trunc(value),
  }));
}

/** The name of a quantile: as Go's `%.0f` of a hundred times it, which rounds halves to the even side. */
export function percentileName(quantile: number): string {
  const percent = quantile * 100;
  const floor = Math.floor(percent);
  const isHalf = percent - floor === 0.5;
  return `e2e_processing_latency_${isHalf ? floor + floor % 2 : Math.round(percent)}`;
}

function counter<Source>(name: string, value: (source: Source) => number): StatsdNumber<Source> {
  return { name, kind: "counter", value };
}

function gauge<Source>(name: string, value: (source: Source) => number): StatsdNumber<Source> {
  return { name, kind: "gauge", value };
}
