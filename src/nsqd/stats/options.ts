/**
 * The options of statistics: what statsd is sent, and which percentiles are kept.
 *
 * @module
 */
import { bool, duration, floatList, int, string } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** The table. */
export const STATS_OPTIONS = {
  statsdAddress: option({
    flag: "statsd-address",
    kind: string,
    default: "",
    description: "UDP <addr>:<port> of a statsd to send statistics to; empty for none.",
  }),
  statsdPrefix: option({
    flag: "statsd-prefix",
    kind: string,
    default: "nsq.%s",
    description: "Start of the names sent to statsd; %s becomes this node's address.",
  }),
  statsdIntervalMs: option({
    flag: "statsd-interval",
    kind: duration,
    default: 60 * SECOND_MS,
    description: "Time between two reports to statsd.",
  }),
  statsdMemStats: option({
    flag: "statsd-mem-stats",
    kind: bool,
    default: true,
    description: "Report the use of memory to statsd as well.",
  }),
  statsdUdpPacketSizeBytes: option({
    flag: "statsd-udp-packet-size",
    kind: int,
    default: 508,
    description: "Largest UDP packet sent to statsd, in bytes.",
  }),
  statsdExcludeEphemeral: option({
    flag: "statsd-exclude-ephemeral",
    kind: bool,
    default: false,
    description: "Leave ephemeral topics and channels out of what is sent to statsd.",
  }),
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
};

/** What statistics are configured with. */
export type StatsOptions = OptionsOf<typeof STATS_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function statsRefusal(options: StatsOptions): string | undefined {
  const percentile = options.e2eProcessingLatencyPercentiles.find((value) => !(value > 0 && value <= 1));
  if (percentile === undefined) return undefined;
  return `--e2e-processing-latency-percentile must be above 0 and up to 1: ${percentile}`;
}
