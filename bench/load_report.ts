/**
 * The figures of a load run as text for people.
 *
 * @module
 */

import type { LatencySummary } from "./histogram.ts";
import type { Flow, LoadOptions, LoadResult } from "./load_run.ts";

/** A side that keeps this much of a core busy, with one thread that does the work, is at its limit. */
const SATURATED_CORES = 0.9;

/** The report of one run. */
export function describeLoad(options: Omit<LoadOptions, "tcpAddress">, result: LoadResult): string {
  const lines = [`${describeScenario(options)}, measured for ${result.seconds.toFixed(2)} s`];
  if (result.published) lines.push(`published     ${describeFlow(result.published)}`);
  if (result.consumed) lines.push(`consumed      ${describeFlow(result.consumed)}`);
  if (result.redelivered > 0) lines.push(`redelivered   ${result.redelivered} messages`);
  if (result.publishRoundTrip) lines.push(`round trip    ${describeLatency(result.publishRoundTrip)}`);
  if (result.endToEnd) lines.push(`end to end    ${describeLatency(result.endToEnd)}`);
  if (result.server) lines.push(`server        ${describeServer(result)}`);
  lines.push(`client        ${result.clientCores.toFixed(2)} cores (it has one thread)`);
  lines.push(`bottleneck    ${bottleneck(result)}`);
  return lines.join("\n");
}

/** Which side was at its limit. */
export function bottleneck(result: LoadResult): string {
  const client = result.clientCores >= SATURATED_CORES;
  if (!result.server) return client ? "this client, or both" : "not this client";
  const server = result.server.cores >= SATURATED_CORES;
  if (client) {
    return server ? "both: the server may be able to do more" : "this client, the server can do more";
  }
  return server ? "the server" : "neither (waiting for each other, or the rate)";
}

/** Latencies on one line. */
export function describeLatency(latency: LatencySummary): string {
  const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = latency;
  const values = { p50: p50Ms, p90: p90Ms, p99: p99Ms, "p99.9": p999Ms, max: maxMs };
  return Object.entries(values).map(([name, ms]) => `${name} ${describeMs(ms)}`).join("  ");
}

/** A duration with three digits that matter. */
export function describeMs(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toPrecision(ms < 1000 ? 3 : 4)} ms`;
}

/** Bytes as whole MiB. */
export function describeMebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

/** A count with a space between thousands. */
export function describeCount(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

function describeScenario(options: Omit<LoadOptions, "tcpAddress">): string {
  const { mode, sizeBytes, batch, window, writers, readers, rdy, rate } = options;
  const command = batch === 1 ? `PUB of ${sizeBytes} B` : `MPUB of ${batch} × ${sizeBytes} B`;
  const publishing = `${writers} writers, ${command}, window ${window}${rate ? `, ${rate} messages/s` : ""}`;
  const consuming = `${readers} readers, RDY ${rdy}`;
  if (mode === "pub") return publishing;
  return mode === "sub" ? `${consuming}, ${sizeBytes} B` : `${publishing}, ${consuming}`;
}

function describeFlow(flow: Flow): string {
  return `${describeCount(flow.perSecond)} messages/s  ${flow.megabytesPerSecond.toFixed(1)} MB/s`;
}

function describeServer(result: LoadResult): string {
  if (!result.server) return "";
  const { cpuSeconds, cores, peakRssBytes } = result.server;
  const messages = (result.published?.messages ?? 0) + (result.consumed?.messages ?? 0);
  const microseconds = messages === 0 ? 0 : cpuSeconds * 1e6 / messages;
  return `${cpuSeconds.toFixed(2)} s of processor time (${cores.toFixed(2)} cores, ` +
    `${microseconds.toFixed(2)} µs a message), peak RSS ${(peakRssBytes / 2 ** 20).toFixed(0)} MiB`;
}
