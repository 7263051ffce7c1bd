/**
 * The text form of `/stats` (nsqd/http.go, `printStats`): lines of fixed columns, for people and for scripts that
 * have been cutting them up for years.
 *
 * @module
 */
import { formatDuration } from "../../base/duration.ts";
import { inSlices } from "../../base/time_slice.ts";
import type { BackgroundWork } from "../../broker/broker.ts";
import type { QuantileResult } from "../../base/quantile.ts";
import {
  type ChannelStats,
  type ClientStats,
  CONNECTED_FOR_MS,
  type MemoryStats,
  type Stats,
  type TopicStats,
} from "./stats.ts";

/** What the text says besides the statistics. */
export interface StatsReport {
  /** Name and version of the program. */
  readonly program: string;
  readonly health: string;
  /** When nsqd was started, by the wall clock. */
  readonly startTimeMs: number;
  /** How long ago that is, which is not the difference of two times of day: the clock may have been set. */
  readonly uptimeMs: number;
  readonly stats: Stats;
  /** Absent when it is not wanted. */
  readonly memory?: MemoryStats | undefined;
  /** Absent when nothing is being done. */
  readonly background?: BackgroundWork | undefined;
  /** When nsqd's own certificate expires, where there is one. */
  readonly certificateExpiresMs?: number | undefined;
  /** How gossip is, where it is on. */
  readonly gossip?: Readonly<Record<string, string>> | undefined;
}

/** The text of `/stats`; others are served while a long one is made. */
export async function formatStats(report: StatsReport): Promise<string> {
  const lines: string[] = [];
  await inSlices(statsLines(report), (line) => lines.push(line));
  return lines.join("\n") + "\n";
}

function* statsLines(report: StatsReport): Generator<string> {
  const { stats, memory, background, gossip, startTimeMs, uptimeMs, certificateExpiresMs } = report;
  yield report.program;
  yield `start_time ${rfc3339(startTimeMs)}`;
  yield `uptime ${formatDuration(uptimeMs)}`;
  yield "";
  yield `Health: ${report.health}`;
  if (memory !== undefined) yield* ["", "Memory:", ...memoryLines(memory)];
  yield* ["", (stats.topics ?? []).length === 0 ? "Topics: None" : "Topics:"];
  let isFirst = true;
  for (const topic of stats.topics ?? []) {
    // Each topic's line but the first has an empty one before it.
    if (!isFirst) yield "";
    isFirst = false;
    yield* topicLines(topic);
  }
  yield* ["", (stats.producers ?? []).length === 0 ? "Producers: None" : "Producers:"];
  for (const client of stats.producers ?? []) yield `   ${clientLine(client)}`;
  if (certificateExpiresMs !== undefined) {
    yield* ["", `TLS certificate expires: ${rfc3339(certificateExpiresMs)}`];
  }
  if (background !== undefined) yield* ["", "Background:", ...fieldLines(background)];
  if (gossip !== undefined) yield* ["", "Gossip:", ...fieldLines(gossip)];
}

function fieldLines(fields: object): string[] {
  return Object.entries(fields).map(([name, value]) => `   ${name}: ${value}`);
}

function memoryLines(memory: MemoryStats): string[] {
  return Object.entries(memory).map(([name, value]) => `   ${name.padEnd(25)}\t${value}`);
}

function* topicLines(topic: TopicStats): Generator<string> {
  const columns = [
    `${topic.paused ? "*P " : "   "}[${topic.topic_name.padEnd(15)}]`,
    `depth: ${column(topic.depth, 5)}`,
    `be-depth: ${column(topic.backend_depth, 5)}`,
    `msgs: ${column(topic.message_count, 8)}`,
    `e2e%: ${latencies(topic.e2e_processing_latency)}`,
    // Behind what scripts look for.
    ...topic.lost_count === undefined ? [] : [`lost: ${topic.lost_count}`],
  ];
  yield columns.join(" ");
  for (const channel of topic.channels) yield* channelLines(channel);
}

function* channelLines(channel: ChannelStats): Generator<string> {
  const columns = [
    `   ${channel.paused ? "*P " : "   "}[${channel.channel_name.padEnd(25)}]`,
    `depth: ${column(channel.depth, 5)}`,
    `be-depth: ${column(channel.backend_depth, 5)}`,
    `inflt: ${column(channel.in_flight_count, 4)}`,
    `def: ${column(channel.deferred_count, 4)}`,
    `re-q: ${column(channel.requeue_count, 5)}`,
    `timeout: ${column(channel.timeout_count, 5)}`,
    `msgs: ${column(channel.message_count, 8)}`,
    `e2e%: ${latencies(channel.e2e_processing_latency)}`,
  ];
  yield columns.join(" ");
  for (const client of channel.clients ?? []) yield `        ${clientLine(client)}`;
}

function clientLine(client: ClientStats): string {
  const port = client.remote_address.slice(client.remote_address.lastIndexOf(":") + 1);
  const id = `${client.hostname}:${port} ${client.user_agent}`;
  const connectedS = Math.floor(client[CONNECTED_FOR_MS] / 1000);
  const connected = `connected: ${formatDuration(connectedS * 1000)}`;
  const published = client.pub_counts ?? [];
  const columns = published.length > 0
    ? [
      `msgs: ${column(published.reduce((sum, { count }) => sum + count, 0), 8)}`,
      `topics: ${published.map(({ topic, count }) => `${topic}=${count}`).join(",")}`,
    ]
    : [
      `state: ${client.state}`,
      `inflt: ${column(client.in_flight_count, 4)}`,
      `rdy: ${column(client.ready_count, 4)}`,
      `fin: ${column(client.finish_count, 8)}`,
      `re-q: ${column(client.requeue_count, 8)}`,
      `msgs: ${column(client.message_count, 8)}`,
    ];
  return [`[${client.version} ${id.padEnd(21)}]`, ...columns, connected].join(" ");
}

function column(value: number, width: number): string {
  return String(value).padEnd(width);
}

function latencies(result: QuantileResult): string {
  return (result.percentiles ?? []).map(({ value }) => formatLatency(value)).join(", ");
}

/** Nanoseconds for people: `1.5ms`. */
function formatLatency(ns: number): string {
  if (ns > 1e9) return `${(ns / 1e9).toFixed(1)}s`;
  if (ns > 1e6) return `${(ns / 1e6).toFixed(1)}ms`;
  if (ns > 1e3) return `${(ns / 1e3).toFixed(1)}us`;
  return `${ns.toFixed(1)}ns`;
}

/** Local time with its offset: `2024-01-31T23:59:59+01:00`. */
function rfc3339(timeMs: number): string {
  const offsetMin = -new Date(timeMs).getTimezoneOffset();
  const local = new Date(timeMs + offsetMin * 60_000).toISOString().slice(0, 19);
  if (offsetMin === 0) return `${local}Z`;
  const pad = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const size = Math.abs(offsetMin);
  return `${local}${offsetMin < 0 ? "-" : "+"}${pad(size / 60)}:${pad(size % 60)}`;
}
