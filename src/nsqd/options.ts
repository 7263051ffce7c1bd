/**
 * nsqd's options: the table that flags, TOML keys, `--help` and the docs page are made from, and the rules that
 * an options object must keep. What NSQ keeps as fixed numbers (scan interval, client timeout) is not here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { errorText } from "../base/error_text.ts";
import { LOG_LEVELS } from "../base/logger.ts";
import { parseAddress } from "../config/address.ts";
import { DURABILITIES, type Durability, DurabilityRules } from "../broker/durability.ts";
import {
  bool,
  choice,
  duration,
  floatList,
  int,
  logLevel,
  string,
  stringList,
  tlsRequired,
  tlsVersion,
} from "../config/kind.ts";
import { type Exit, exitOnOptionError, loadOptions } from "../config/load.ts";
import { COMMON_OPTIONS, configValue, option, OptionError, type OptionsOf } from "../config/option.ts";
import { readTlsFiles, type TlsFiles } from "../config/tls_files.ts";
import { gossipRefusal } from "./gossip/options.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const KIB = 1024;
const MIB = 1024 * KIB;
/** Node ids are part of message ids, which have ten bits for them. */
export const NODE_ID_COUNT = 1024;

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQD_OPTIONS = {
  ...COMMON_OPTIONS,

  // The node and its log
  logLevel: option({
    flag: "log-level",
    kind: logLevel,
    default: LOG_LEVELS.info,
    description: "How much to log: debug, info, warn, error or fatal.",
  }),
  logPrefix: option({
    flag: "log-prefix",
    kind: string,
    default: "[nsqd] ",
    description: "Text that every log line starts with.",
  }),
  verbose: option({
    flag: "verbose",
    key: null,
    kind: bool,
    default: false,
    description: "Deprecated, without effect: use --log-level.",
  }),
  nodeId: option({
    flag: "node-id",
    key: "id",
    kind: int,
    default: hashOfHostname,
    defaultNote: "hash of the host name",
    description: "This node's part of message ids, from 0 to 1023; no two nodes should share one.",
  }),
  workerId: option({
    flag: "worker-id",
    key: null,
    kind: bool,
    default: false,
    description: "Deprecated, without effect: use --node-id.",
  }),

  // Addresses
  tcpAddress: option({
    flag: "tcp-address",
    kind: string,
    default: "0.0.0.0:4150",
    description: "Where to listen for TCP clients: <addr>:<port>, or the path of a unix socket.",
  }),
  httpAddress: option({
    flag: "http-address",
    kind: string,
    default: "0.0.0.0:4151",
    description:
      "Where to listen for HTTP clients: <addr>:<port>, or the path of a unix socket; empty for none.",
  }),
  httpsAddress: option({
    flag: "https-address",
    kind: string,
    default: "0.0.0.0:4152",
    description:
      "Where to listen for HTTPS clients, as <addr>:<port>, once there is a certificate; empty for none.",
  }),
  broadcastAddress: option({
    flag: "broadcast-address",
    kind: string,
    default: () => Deno.hostname(),
    defaultNote: "the host name",
    description:
      "Address that consumers reach this node at, as nsqlookupd tells them; auto is that of the interface which routes outward.",
  }),
  broadcastTcpPort: option({
    flag: "broadcast-tcp-port",
    kind: int,
    default: 0,
    description: "TCP port that nsqlookupd tells consumers; 0 is the port listened on.",
  }),
  broadcastHttpPort: option({
    flag: "broadcast-http-port",
    kind: int,
    default: 0,
    description: "HTTP port that nsqlookupd tells others; 0 is the port listened on.",
  }),
  lookupdTcpAddresses: option({
    flag: "lookupd-tcp-address",
    key: "nsqlookupd_tcp_addresses",
    kind: stringList,
    default: [],
    description:
      "<addr>:<port> of an nsqlookupd to register with; of a name with several hosts, all of them; may be repeated.",
  }),
  topologyRegion: option({
    flag: "topology-region",
    kind: string,
    default: "",
    description: "Region of this node, the larger of the two domains by which near consumers are preferred.",
  }),
  topologyZone: option({
    flag: "topology-zone",
    kind: string,
    default: "",
    description: "Zone of this node inside its region, for preferring near consumers.",
  }),

  // Gossip: discovery through Serf in place of nsqlookupd
  gossipAddress: option({
    flag: "gossip-address",
    kind: string,
    default: "",
    description:
      "Where a Serf agent of this node is to listen for those of other nodes, as <addr>:<port> (7946 is Serf's port); empty for no gossip.",
  }),
  gossipSeedAddresses: option({
    flag: "gossip-seed-address",
    kind: stringList,
    default: [],
    description: "Gossip address of another node, to join its cluster; may be repeated.",
  }),
  gossipRegossipIntervalMs: option({
    flag: "gossip-regossip-interval",
    kind: duration,
    default: MINUTE_MS,
    description: "How often this node tells the others anew of all its topics and channels.",
  }),
  gossipEncryptKeyFile: option({
    flag: "gossip-encrypt-key-file",
    kind: string,
    default: "",
    description:
      "Path of a file with the key that the cluster encrypts gossip with, 16, 24 or 32 bytes in base64; without it gossip is plain.",
  }),
  serfPath: option({
    flag: "serf-path",
    kind: string,
    default: "serf",
    description: "Path of Serf's executable, or its name to be looked for in PATH.",
  }),
  serfRpcAddress: option({
    flag: "serf-rpc-address",
    kind: string,
    default: "",
    description:
      "RPC address of a running Serf agent, as <addr>:<port>, to be used for gossip in place of an own one.",
  }),
  serfRpcAuthFile: option({
    flag: "serf-rpc-auth-file",
    kind: string,
    default: "",
    description: "Path of a file with the RPC authentication key of that agent, if it asks for one.",
  }),

  // Requests that nsqd makes itself
  authHttpAddresses: option({
    flag: "auth-http-address",
    key: "auth_http_addresses",
    kind: stringList,
    default: [],
    description: "<addr>:<port> or URL of an auth server to ask about clients; may be repeated.",
  }),
  authHttpRequestMethod: option({
    flag: "auth-http-request-method",
    kind: string,
    default: "get",
    description: "HTTP method of requests to auth servers: get or post.",
  }),
  httpClientConnectTimeoutMs: option({
    flag: "http-client-connect-timeout",
    kind: duration,
    default: 2 * SECOND_MS,
    description: "Longest wait for an outgoing HTTP connection.",
  }),
  httpClientRequestTimeoutMs: option({
    flag: "http-client-request-timeout",
    kind: duration,
    default: 5 * SECOND_MS,
    description: "Longest wait for the answer to an outgoing HTTP request.",
  }),

  // Storage
  dataPath: option({
    flag: "data-path",
    kind: string,
    default: "",
    description: "Directory for metadata and messages on disk; empty is the working directory.",
  }),
  memQueueSize: option({
    flag: "mem-queue-size",
    kind: int,
    default: 10_000,
    description: "Number of messages kept in memory, for each topic and channel.",
  }),
  maxBytesPerFile: option({
    flag: "max-bytes-per-file",
    kind: int,
    default: 100 * MIB,
    description: "Size in bytes at which a data file is closed and the next one begun.",
  }),
  durability: option<Durability>({
    flag: "durability",
    kind: choice(DURABILITIES),
    default: "memory",
    description:
      "What the OK to a publisher means: taken (memory, as in NSQ), written to the disk (disk: survives kill -9), or synced (fsync: survives a loss of power).",
  }),
  durabilityTopics: option({
    flag: "durability-topic",
    key: "durability_topics",
    kind: stringList,
    default: [],
    description:
      "<pattern>=<durability> for the topics whose names fit, with * for any characters and ? for one; the first that fits counts; may be repeated.",
  }),
  syncEvery: option({
    flag: "sync-every",
    kind: int,
    default: 2500,
    description: "Number of messages after which data files are synced to disk.",
  }),
  syncTimeoutMs: option({
    flag: "sync-timeout",
    kind: duration,
    default: 2 * SECOND_MS,
    description: "Time after which data files are synced to disk.",
  }),
  queueScanWorkerPoolMax: option({
    flag: "queue-scan-worker-pool-max",
    kind: int,
    default: 4,
    description: "Most workers looking for messages that timed out or are due.",
  }),
  queueScanSelectionCount: option({
    flag: "queue-scan-selection-count",
    kind: int,
    default: 20,
    description:
      "Number of channels looked at in each scan (every 100 ms) for messages that timed out or are due.",
  }),

  // Messages and commands
  msgTimeoutMs: option({
    flag: "msg-timeout",
    kind: duration,
    default: 60 * SECOND_MS,
    description: "Time a consumer has for a message before it is requeued, unless it asks for another.",
  }),
  maxMsgTimeoutMs: option({
    flag: "max-msg-timeout",
    kind: duration,
    default: 15 * MINUTE_MS,
    description: "Longest time a consumer can have for a message.",
  }),
  maxMsgSizeBytes: option({
    flag: "max-msg-size",
    kind: int,
    default: MIB,
    description: "Largest message, in bytes.",
  }),
  maxReqTimeoutMs: option({
    flag: "max-req-timeout",
    kind: duration,
    default: 60 * MINUTE_MS,
    description: "Longest delay of a requeued or deferred message.",
  }),
  maxBodySizeBytes: option({
    flag: "max-body-size",
    kind: int,
    default: 5 * MIB,
    description: "Largest body of a command, in bytes.",
  }),

  // What clients may ask for
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
  maxChannelConsumers: option({
    flag: "max-channel-consumers",
    kind: int,
    default: 0,
    description: "Most consumers of one channel on this node; 0 is no limit.",
  }),

  // Limits that NSQ does not have
  maxDeferTimeoutMs: option({
    flag: "max-defer-timeout",
    kind: duration,
    default: 0,
    description:
      "Longest time a message can be deferred for when it is published; 0 is that of --max-req-timeout, as in NSQ.",
  }),
  maxConnections: option({
    flag: "max-connections",
    kind: int,
    default: 10_000,
    description: "Most TCP connections at a time; further ones are closed at once; 0 is no limit.",
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
      "How long a TCP client may leave what it is sent unread, its heartbeat interval if that is shorter; 0 is no limit.",
  }),
  maxOutputPendingSizeBytes: option({
    flag: "max-output-pending-size",
    kind: int,
    default: 256 * KIB,
    description:
      "Bytes that may wait for a TCP client to read them before it gets no more messages, and no more of its commands are read.",
  }),
  httpAuthTokenFile: option({
    flag: "http-auth-token-file",
    kind: string,
    default: "",
    description:
      "Path of a file with a bearer token and its roles (publish, read, admin) on each line; without it the HTTP API is open.",
  }),

  // Statistics
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

  // TLS
  tlsCert: option({
    flag: "tls-cert",
    kind: string,
    default: "",
    description: "Path of the certificate, in PEM form.",
  }),
  tlsKey: option({
    flag: "tls-key",
    kind: string,
    default: "",
    description: "Path of the certificate's private key, in PEM form.",
  }),
  tlsClientAuthPolicy: option({
    flag: "tls-client-auth-policy",
    kind: string,
    default: "",
    description:
      "What clients must prove: require (any certificate) or require-verify (one signed by --tls-root-ca-file).",
  }),
  tlsRootCaFile: option({
    flag: "tls-root-ca-file",
    kind: string,
    default: "",
    description: "Path of the certificates of trusted authorities, in PEM form.",
  }),
  tlsRequired: option({
    flag: "tls-required",
    kind: tlsRequired,
    default: "false",
    description: "Refuse clients without TLS: true, false, or tcp-https to leave plain HTTP open.",
  }),
  tlsMinVersion: option({
    flag: "tls-min-version",
    kind: tlsVersion,
    default: "tls1.0",
    description:
      "Lowest TLS version to speak: tls1.2 or tls1.3. The default is NSQ's and means tls1.2, the lowest there is.",
  }),

  // Compression
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

  // Experiments
  experiments: option({
    flag: "enable-experiment",
    key: "enable_experiment",
    kind: stringList,
    default: [],
    description: 'Experiment to switch on: "topology-aware-consumption"; may be repeated.',
  }),
};

/** What a running nsqd is configured with. */
export type NsqdOptions = OptionsOf<typeof NSQD_OPTIONS>;

/** The experiment of preferring consumers in the node's own zone and region. */
export const TOPOLOGY_AWARE_CONSUMPTION = "topology-aware-consumption";

/** What nsqd starts with. */
export interface NsqdStart {
  readonly kind: "run";
  readonly options: NsqdOptions;
  /** Contents of the files that the TLS options name. */
  readonly tls: TlsFiles;
  /** Lines for the log: what was given and has no effect. */
  readonly warnings: readonly string[];
}

/** Options from the command line and the configuration file, checked; or what to print instead of running. */
export function loadNsqdOptions(args: readonly string[]): NsqdStart | Exit {
  return exitOnOptionError("nsqd", () => {
    const loaded = loadOptions("nsqd", NSQD_OPTIONS, args);
    if (loaded.kind === "exit") return loaded;
    const options = withImplied(loaded.options);
    const refusal = validateOptions(options);
    if (refusal !== undefined) throw new OptionError(refusal);
    const { tlsCert, tlsKey, tlsRootCaFile } = options;
    const tls = readTlsFiles({ certPath: tlsCert, keyPath: tlsKey, rootCaPath: tlsRootCaFile });
    return { kind: "run", options, tls, warnings: loaded.warnings };
  });
}

/** The value that `GET /config/<key>` shows, or `undefined` if there is no such option. */
export function nsqdConfigValue(options: NsqdOptions, key: string): unknown {
  return configValue(NSQD_OPTIONS, options, key);
}

/** The options with what some of them imply for others. */
export function withImplied(options: NsqdOptions): NsqdOptions {
  // NSQ compat: any policy for client certificates, a misspelt one too, makes TLS required.
  const implied = options.tlsClientAuthPolicy !== "" && options.tlsRequired === "false";
  return implied ? { ...options, tlsRequired: "true" } : options;
}

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function validateOptions(options: NsqdOptions): string | undefined {
  if (options.maxDeflateLevel < 1 || options.maxDeflateLevel > 9) {
    return "--max-deflate-level must be from 1 to 9";
  }
  if (options.nodeId < 0 || options.nodeId >= NODE_ID_COUNT) {
    return `--node-id must be from 0 to ${NODE_ID_COUNT - 1}`;
  }
  if (options.tlsRequired !== "false" && options.tlsCert === "" && options.tlsKey === "") {
    return "--tls-required needs --tls-cert and --tls-key";
  }
  if (options.authHttpRequestMethod !== "get" && options.authHttpRequestMethod !== "post") {
    return "--auth-http-request-method must be get or post";
  }
  try {
    new DurabilityRules(options.durability, options.durabilityTopics);
  } catch (error) {
    return `--durability-topic ${errorText(error)}`;
  }
  const percentile = options.e2eProcessingLatencyPercentiles.find((value) => !(value > 0 && value <= 1));
  if (percentile !== undefined) {
    return `--e2e-processing-latency-percentile must be above 0 and up to 1: ${percentile}`;
  }
  return gossipRefusal(options) ?? addressRefusal(options);
}

/** The longest time, in ms, that a message can be deferred for when it is published. */
export function maxDeferMs(options: NsqdOptions): number {
  return options.maxDeferTimeoutMs || options.maxReqTimeoutMs;
}

function addressRefusal(options: NsqdOptions): string | undefined {
  const tcp = parseAddress(options.tcpAddress);
  if (tcp === undefined) return listenRefusal("tcp-address", options.tcpAddress);
  const hasHttp = options.httpAddress !== "";
  if (hasHttp && parseAddress(options.httpAddress) === undefined) {
    return listenRefusal("http-address", options.httpAddress);
  }
  // Without a certificate nothing listens there, so nothing is wrong with it.
  const hasHttps = options.httpsAddress !== "" && options.tlsCert !== "";
  if (hasHttps && parseAddress(options.httpsAddress)?.kind !== "tcp") {
    return listenRefusal("https-address", options.httpsAddress);
  }
  return undefined;
}

function listenRefusal(flag: string, address: string): string {
  return `--${flag} is no address to listen on: ${JSON.stringify(address)}`;
}

/** NSQ's own default, so that a node keeps its id when it changes from one program to the other. */
function hashOfHostname(): number {
  return crc32(createHash("md5").update(Deno.hostname()).digest()) % NODE_ID_COUNT;
}
