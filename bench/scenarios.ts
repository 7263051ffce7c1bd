/**
 * The scenarios that servers are compared by: what the load program is told, and which of its figures count.
 *
 * @module
 */

import type { LoadResult } from "./load_run.ts";

/** A figure of a run. */
export interface Measure {
  readonly label: string;
  readonly unit: string;
  pick(result: LoadResult): number | undefined;
}

/** A scenario of the comparison. */
export interface Scenario {
  /** For the command line. */
  readonly name: string;
  /** For the table. */
  readonly title: string;
  /** Arguments of the load program. */
  args(durationMs: number): string[];
  readonly measures: readonly Measure[];
}

const published: Measure = {
  label: "published",
  unit: "messages/s",
  pick: (result) => result.published?.perSecond,
};
const consumed: Measure = {
  label: "consumed",
  unit: "messages/s",
  pick: (result) => result.consumed?.perSecond,
};
const serverCpu: Measure = {
  label: "server CPU",
  unit: "µs/message",
  pick: ({ server, published, consumed }) =>
    server && server.cpuSeconds * 1e6 / Math.max(published?.messages ?? 0, consumed?.messages ?? 0),
};
const peakRss: Measure = {
  label: "peak RSS",
  unit: "MiB",
  pick: ({ server }) => server && server.peakRssBytes / 2 ** 20,
};
const clientCores: Measure = {
  label: "client",
  unit: "cores",
  pick: ({ clientCores }) => clientCores,
};

/** All scenarios, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "pub",
    title: "PUB 200 B, 2 connections, each waits for its OK",
    args: timed("--mode=pub", "--batch=1", "--writers=2", "--window=1"),
    measures: [published, roundTrip(50), roundTrip(99), serverCpu],
  },
  {
    name: "pub-pipelined",
    title: "PUB 200 B, 2 connections, 100 unanswered",
    args: timed("--mode=pub", "--batch=1", "--writers=2", "--window=100"),
    measures: [published, roundTrip(99), serverCpu, clientCores],
  },
  {
    name: "mpub",
    title: "MPUB 200 × 200 B, 2 connections",
    args: timed("--mode=pub", "--batch=200", "--writers=2", "--window=4"),
    measures: [published, roundTrip(99), serverCpu, peakRss, clientCores],
  },
  {
    name: "consume",
    title: "consume a backlog, 2 connections, RDY 2500",
    args: () => ["--mode=sub", "--readers=2", "--rdy=2500", "--messages=4000000", "--warmup=300ms"],
    measures: [consumed, serverCpu, peakRss, clientCores],
  },
  {
    name: "e2e",
    title: "4 000 000 messages, MPUB in and RDY 2500 out at once",
    args: () => ["--mode=e2e", "--writers=2", "--readers=2", "--messages=4000000"],
    measures: [consumed, serverCpu, peakRss, clientCores],
  },
  {
    name: "latency",
    title: "PUB 5000/s, end to end, unbuffered",
    args: timed("--mode=e2e", "--batch=1", "--rate=5000", "--output-buffer-size=-1"),
    measures: [endToEnd(50), endToEnd(99), serverCpu],
  },
  {
    name: "latency-buffered",
    title: "PUB 5000/s, end to end, default buffering",
    args: timed("--mode=e2e", "--batch=1", "--rate=5000"),
    measures: [endToEnd(50), endToEnd(99), serverCpu],
  },
  {
    name: "many",
    title: "PUB 200 B, 64 writers and 64 readers",
    args: timed("--mode=e2e", "--batch=1", "--writers=64", "--readers=64", "--window=4"),
    measures: [consumed, roundTrip(99), serverCpu, peakRss, clientCores],
  },
];

function timed(...args: string[]): (durationMs: number) => string[] {
  return (durationMs) => [...args, `--duration=${durationMs}ms`, "--warmup=1s"];
}

function roundTrip(percentile: 50 | 99): Measure {
  return {
    label: `round trip p${percentile}`,
    unit: "ms",
    pick: ({ publishRoundTrip }) => percentile === 50 ? publishRoundTrip?.p50Ms : publishRoundTrip?.p99Ms,
  };
}

function endToEnd(percentile: 50 | 99): Measure {
  return {
    label: `latency p${percentile}`,
    unit: "ms",
    pick: ({ endToEnd }) => percentile === 50 ? endToEnd?.p50Ms : endToEnd?.p99Ms,
  };
}
