/**
 * The options of statistics: which percentiles are kept, what `/metrics` tells, and those of statsd.
 *
 * @module
 */
import { bool, duration, floatList, int } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";
import { STATSD_OPTIONS, statsdRefusal } from "./statsd_options.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** The table. */
export const STATS_OPTIONS = {
  ...STATSD_OPTIONS,
  e2eProcessingLatencyPercentiles: option({
    flag: "e2e-processing-latency-percentile",
    key: "e2e_processing_latency_percentiles",
    kind: floatList,
    default: [],
    description:
      "Percentile of the processing time of messages to keep, above 0 and up to 1; may be repeated or comma separated.",
  }),
  e2eProcessingLatencyWindowTimeMs: option({
    flag: "e2e-processing-latency-window-time",
    kind: duration,
    default: 10 * MINUTE_MS,
    description: "How far back the percentiles of the processing time look.",
  }),
  metricsExcludeEphemeral: option({
    flag: "metrics-exclude-ephemeral",
    kind: bool,
    default: false,
    description: "Leave ephemeral topics and channels out of /metrics.",
  }),
  metricsMaxSeries: option({
    flag: "metrics-max-series",
    kind: int,
    default: 50_000,
    description:
      "Most series of topics, channels and clients in an answer of /metrics; what would be more is added up by topic, or for the whole node; 0 is no limit.",
  }),
  metricsLatency: option({
    flag: "metrics-latency",
    kind: bool,
    default: false,
    description: "Keep a histogram of the processing time of messages for each channel in /metrics.",
  }),
};

/** What statistics are configured with. */
export type StatsOptions = OptionsOf<typeof STATS_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function statsRefusal(options: StatsOptions): string | undefined {
  const { metricsMaxSeries, e2eProcessingLatencyPercentiles } = options;
  const refusal = statsdRefusal(options);
  if (refusal !== undefined) return refusal;
  if (metricsMaxSeries < 0) return "--metrics-max-series must not be negative";
  const percentile = e2eProcessingLatencyPercentiles.find((value) => !(value > 0 && value <= 1));
  if (percentile === undefined) return undefined;
  return `--e2e-processing-latency-percentile must be above 0 and up to 1: ${percentile}`;
}
