/**
 * The options of the TCP protocol: where it is served, how much a connection may take, and what clients may ask for.
 *
 * @module
 */
import { isOnDeploy } from "../../base/platform.ts";
import { listenRefusal, parseAddress } from "../../config/address.ts";
import { bool, duration, int, string, stringList } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const KIB = 1024;

/** Where clients are served, and the limits of their connections, which NSQ does not have. */
export const CONNECTION_OPTIONS = {
  tcpAddress: option({
    flag: "tcp-address",
    kind: string,
    default: () => isOnDeploy() ? "" : "0.0.0.0:4150",
    defaultNote: "`0.0.0.0:4150`; on Deno Deploy none",
    description:
      "Where to listen for TCP clients: <addr>:<port>, or the path of a unix socket; empty for none.",
  }),
  maxConnections: option({
    flag: "max-connections",
    kind: int,
    default: 10_000,
    description: "Most TCP connections at a time; further ones are closed at once; 0 is no limit.",
  }),
  maxConnectionsPerAddress: option({
    flag: "max-connections-per-address",
    kind: int,
    default: 5000,
    description: "Most TCP connections of one IP address among them; 0 is no limit.",
  }),
  ioThreads: option({
    flag: "io-threads",
    kind: int,
    default: 0,
    description:
      "Threads that accept, read, write, decrypt and (de)compress TCP connections, beside the one that does all else; 0 leaves that to it. Not for unix sockets.",
  }),
  handshakeTimeoutMs: option({
    flag: "handshake-timeout",
    kind: duration,
    default: 30 * SECOND_MS,
    description:
      "How long a TCP client may take to send its first command, IDENTIFY as a rule; 0 is no limit.",
  }),
  commandTimeoutMs: option({
    flag: "command-timeout",
    kind: duration,
    default: MINUTE_MS,
    description: "How long a TCP client may take to send the rest of a command it has begun; 0 is no limit.",
  }),
  writeTimeoutMs: option({
    flag: "write-timeout",
    kind: duration,
    default: MINUTE_MS,
    description:
      "How long a TCP or HTTP client may leave what it is sent unread, a TCP client its heartbeat interval if that is shorter; 0 is no limit.",
  }),
  maxOutputPendingSizeBytes: option({
    flag: "max-output-pending-size",
    kind: int,
    default: 256 * KIB,
    description:
      "Bytes that may wait for a TCP client to read them before it gets no more messages, and no more of its commands are read.",
  }),
};

/** What clients may ask for in IDENTIFY, and with RDY. */
export const IDENTIFY_OPTIONS = {
  maxHeartbeatIntervalMs: option({
    flag: "max-heartbeat-interval",
    kind: duration,
    default: 60 * SECOND_MS,
    description: "Longest heartbeat interval a client can ask for.",
  }),
  maxRdyCount: option({
    flag: "max-rdy-count",
    kind: int,
    default: 2500,
    description: "Largest RDY count a client can ask for.",
  }),
  maxOutputBufferSizeBytes: option({
    flag: "max-output-buffer-size",
    kind: int,
    default: 64 * KIB,
    description: "Largest output buffer a client can ask for, in bytes.",
  }),
  maxOutputBufferTimeoutMs: option({
    flag: "max-output-buffer-timeout",
    kind: duration,
    default: 30 * SECOND_MS,
    description: "Longest time between flushes of its output buffer that a client can ask for.",
  }),
  minOutputBufferTimeoutMs: option({
    flag: "min-output-buffer-timeout",
    kind: duration,
    default: 25,
    description: "Shortest time between flushes of its output buffer that a client can ask for.",
  }),
  outputBufferTimeoutMs: option({
    flag: "output-buffer-timeout",
    kind: duration,
    default: 250,
    description: "Time between flushes of a client's output buffer, unless it asks for another.",
  }),
};

/** Layers that clients may ask for on their connection. */
export const COMPRESSION_OPTIONS = {
  deflateEnabled: option({
    flag: "deflate",
    kind: bool,
    default: true,
    description: "Let clients ask for deflate compression.",
  }),
  maxDeflateLevel: option({
    flag: "max-deflate-level",
    kind: int,
    default: 6,
    description:
      "Highest deflate level a client can ask for, from 1 to 9; higher ones cost more processor time.",
  }),
  snappyEnabled: option({
    flag: "snappy",
    kind: bool,
    default: true,
    description: "Let clients ask for snappy compression.",
  }),
};

/** Ways of delivering that are tried out. */
export const EXPERIMENT_OPTIONS = {
  experiments: option({
    flag: "enable-experiment",
    key: "enable_experiment",
    kind: stringList,
    default: [],
    description: 'Experiment to switch on: "topology-aware-consumption"; may be repeated.',
  }),
};

/** What sessions are configured with. */
export type SessionOptions =
  & OptionsOf<typeof CONNECTION_OPTIONS>
  & OptionsOf<typeof IDENTIFY_OPTIONS>
  & OptionsOf<typeof COMPRESSION_OPTIONS>
  & OptionsOf<typeof EXPERIMENT_OPTIONS>;

/** The experiment of preferring consumers in the node's own zone and region. */
export const TOPOLOGY_AWARE_CONSUMPTION = "topology-aware-consumption";

/** Why clients cannot be served at the address, or `undefined` if they can. */
export function tcpAddressRefusal({ tcpAddress }: Pick<SessionOptions, "tcpAddress">): string | undefined {
  if (tcpAddress === "" || parseAddress(tcpAddress) !== undefined) return undefined;
  return listenRefusal("tcp-address", tcpAddress);
}

/** Threads beyond that are of no use to the one that all of them serve. */
export const IO_THREADS_MAX = 64;

/** Why there cannot be so many threads, or `undefined` if there can. */
export function ioThreadsRefusal({ ioThreads }: Pick<SessionOptions, "ioThreads">): string | undefined {
  if (ioThreads >= 0 && ioThreads <= IO_THREADS_MAX) return undefined;
  return `--io-threads must be from 0 to ${IO_THREADS_MAX}`;
}

/** Why clients cannot be offered compression like that, or `undefined` if they can. */
export function compressionRefusal(
  { maxDeflateLevel }: Pick<SessionOptions, "maxDeflateLevel">,
): string | undefined {
  if (maxDeflateLevel >= 1 && maxDeflateLevel <= 9) return undefined;
  return "--max-deflate-level must be from 1 to 9";
}
