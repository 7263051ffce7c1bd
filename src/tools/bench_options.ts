/**
 * The flags of bench.
 *
 * @module
 */

import { bool, duration, int, string } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { CONSUMER_OPTIONS, PRODUCER_OPTIONS, TOOL_OPTIONS } from "./options.ts";

/** What may be measured. */
export const BENCH_MODES = ["pub", "sub", "both", "latency"] as const;

/** One of them. */
export type BenchMode = typeof BENCH_MODES[number];

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const BENCH_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: option({ flag: "topic", key: null, kind: string, default: "bench", description: "Topic." }),
  channel: option({
    flag: "channel",
    key: null,
    kind: string,
    default: "bench#ephemeral",
    description: "Channel to take messages from.",
  }),
  nsqdTcpAddress: CONSUMER_OPTIONS.nsqdTcpAddress,
  lookupdHttpAddress: CONSUMER_OPTIONS.lookupdHttpAddress,
  msgs: option({
    flag: "msgs",
    key: null,
    kind: int,
    default: 100_000,
    description: "Number of messages; 0 for as many as --duration allows.",
  }),
  duration: option({
    flag: "duration",
    key: null,
    kind: duration,
    default: 0,
    description: "End after so long, however many messages there were; 0s for when all are through.",
  }),
  size: option({ flag: "size", key: null, kind: int, default: 100, description: "Bytes of a message." }),
  clients: option({
    flag: "clients",
    key: null,
    kind: int,
    default: 1,
    description: "Number of producers, and of consumers.",
  }),
  batch: option({
    flag: "batch",
    key: null,
    kind: int,
    default: 200,
    description: "Messages that are published as one; those of latency are published one by one.",
  }),
  throughput: option({
    flag: "throughput",
    key: null,
    kind: int,
    default: 0,
    description: "Messages a second to publish; 0 for as many as possible, and 1000 for latency.",
  }),
  maxInFlight: option({ ...CONSUMER_OPTIONS.maxInFlight, default: 2500 }),
  timeout: option({
    flag: "timeout",
    key: null,
    kind: duration,
    default: 10_000,
    description: "End with exit code 124 when nothing has come or gone for so long.",
  }),
  csv: option({
    flag: "csv",
    key: null,
    kind: bool,
    default: false,
    description: "Write results as CSV.",
  }),
  histogram: option({
    flag: "histogram",
    key: null,
    kind: string,
    default: "",
    description: "Path of a file for a table of percentiles, in steps that get smaller towards the slowest.",
  }),
  producerOpt: PRODUCER_OPTIONS.producerOpt,
  consumerOpt: CONSUMER_OPTIONS.consumerOpt,
};

/** What bench is told. */
export type BenchOptions = OptionsOf<typeof BENCH_OPTIONS>;
