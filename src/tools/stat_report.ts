/**
 * The forms of nsq_stat's reports: NSQ's own for one channel, a table for many, JSON and CSV. Pure.
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import type { ChannelRow } from "./channel_stats.ts";

/** The header of NSQ's report is repeated after so many rows. */
const HEADER_ROWS = 25;
const NS_PER_MS = 1e6;

/** Columns of the table, with what they sort by: numbers from the largest on. */
const COLUMNS: Readonly<Record<string, (row: ChannelRow) => string | number>> = {
  topic: ({ topic }) => topic,
  channel: ({ channel }) => channel,
  ingress: ({ ingress }) => Math.round(ingress),
  egress: ({ egress }) => Math.round(egress),
  depth: ({ depth }) => depth,
  mem: (row) => row.depth - row.backend_depth,
  disk: (row) => row.backend_depth,
  inflt: (row) => row.in_flight_count,
  def: (row) => row.deferred_count,
  req: (row) => row.requeue_count,
  "t-o": (row) => row.timeout_count,
  msgs: (row) => row.message_count,
  clients: (row) => row.client_count,
  nodes: ({ nodes }) => nodes,
};

/** Names of the columns that `--sort` may name. */
export const SORT_COLUMNS: readonly string[] = Object.keys(COLUMNS);

/** The rows in the order of a column. */
export function sorted(rows: readonly ChannelRow[], column: string): ChannelRow[] {
  const value = COLUMNS[column];
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    // A sort keeps the order of equal ones, which is that of their names.
    if (typeof x === "number" && typeof y === "number") return y - x;
    return x < y ? -1 : x > y ? 1 : 0;
  });
}

/** Two lines that stand over NSQ's report, before row number `row` from 0 on. */
export function nsqHeader(row: number): string {
  if (row % HEADER_ROWS !== 0) return "";
  const names = nsqLine(
    ["ingress", "egress"],
    ["total", "mem", "disk", "inflt", "def"],
    ["req", "t-o", "msgs", "clients"],
  );
  return `------rate------+----------------depth----------------+--------------metadata---------------\n${names}`;
}

/** A row of NSQ's report. */
export function nsqRow(row: ChannelRow): string {
  return nsqLine(
    [Math.round(row.ingress), Math.round(row.egress)],
    [row.depth, row.depth - row.backend_depth, row.backend_depth, row.in_flight_count, row.deferred_count],
    [row.requeue_count, row.timeout_count, row.message_count, row.client_count],
  );
}

function nsqLine(
  rates: readonly (string | number)[],
  depths: readonly (string | number)[],
  others: readonly (string | number)[],
): string {
  const padded = (cells: readonly (string | number)[], widths: readonly number[]) =>
    cells.map((cell, i) => String(cell).padStart(widths[i])).join(" ");
  return `${padded(rates, [7, 7])} | ${padded(depths, [7, 7, 7, 5, 5])} | ${padded(others, [7, 7, 12, 7])}\n`;
}

/** A table of channels. Behind it stand those that are paused, and latencies where nsqd keeps them. */
export function table(rows: readonly ChannelRow[]): string {
  const names = Object.keys(COLUMNS);
  const lines = [
    [...names, ""],
    ...rows.map((row) => [...names.map((name) => String(COLUMNS[name](row))), notes(row)]),
  ];
  const widths = names.map((_name, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) =>
    line.map((cell, i) => i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i] ?? 0)).join("  ")
      .trimEnd() + "\n"
  ).join("");
}

function notes({ paused, latencies }: ChannelRow): string {
  const percentiles = [...latencies].map(([quantile, ns]) =>
    `p${Number((quantile * 100).toFixed(4))} ${formatDuration(ns / NS_PER_MS)}`
  );
  return [...paused ? ["paused"] : [], ...percentiles].join(", ");
}

/** The names over lines of CSV. */
export const CSV_HEADER =
  "time,topic,channel,nodes,paused,ingress,egress,depth,memory_depth,backend_depth,in_flight_count,deferred_count," +
  "requeue_count,timeout_count,message_count,client_count\n";

/** A line of CSV. Names of topics and channels need no quotes. */
export function csvRow(row: ChannelRow, now: Date): string {
  const { topic, channel, time, ...values } = plain(row, now);
  delete values.e2e_processing_latency;
  return `${[time, topic, channel, ...Object.values(values)].join(",")}\n`;
}

/** A line with an object of JSON. */
export function jsonRow(row: ChannelRow, now: Date): string {
  return `${JSON.stringify(plain(row, now))}\n`;
}

function plain(row: ChannelRow, now: Date): Record<string, unknown> {
  const { topic, channel, nodes, paused, ingress, egress, depth, backend_depth } = row;
  return {
    time: now.toISOString(),
    topic,
    channel,
    nodes,
    paused,
    ingress: Number(ingress.toFixed(1)),
    egress: Number(egress.toFixed(1)),
    depth,
    memory_depth: depth - backend_depth,
    backend_depth,
    in_flight_count: row.in_flight_count,
    deferred_count: row.deferred_count,
    requeue_count: row.requeue_count,
    timeout_count: row.timeout_count,
    message_count: row.message_count,
    client_count: row.client_count,
    e2e_processing_latency: Object.fromEntries(row.latencies),
  };
}
