/**
 * The options of what is sent to statsd, and the start of the names that comes of them.
 *
 * @module
 */
import { hostPort } from "../../base/host_port.ts";
import { parseAddress } from "../../config/address.ts";
import { bool, duration, int, string } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;

/** The table. */
export const STATSD_OPTIONS = {
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
};

/** What is sent to statsd, and where. */
export type StatsdOptions = OptionsOf<typeof STATSD_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function statsdRefusal(options: StatsdOptions): string | undefined {
  const { statsdAddress, statsdIntervalMs } = options;
  if (statsdAddress === "") return undefined;
  if (parseAddress(statsdAddress)?.kind !== "tcp") {
    return `--statsd-address must be <addr>:<port>: ${JSON.stringify(statsdAddress)}`;
  }
  return statsdIntervalMs > 0 ? undefined : "--statsd-interval must be above 0";
}

/** The start of all names: with the node's address in place of `%s`, and a dot at its end. */
export function statsdPrefixOf(
  { statsdPrefix, broadcastAddress, broadcastHttpPort }: Pick<StatsdOptions, "statsdPrefix"> & {
    readonly broadcastAddress: string;
    readonly broadcastHttpPort: number;
  },
): string {
  if (statsdPrefix === "") return "";
  const host = hostPort({ hostname: broadcastAddress, port: broadcastHttpPort }).replace(/[.:]/g, "_");
  const prefix = statsdPrefix.replaceAll("%s", () => host);
  return prefix.endsWith(".") ? prefix : `${prefix}.`;
}
