/**
 * nsqd's options: the tables of its rooms joined into the one that flags, TOML keys, `--help` and the docs page are made
 * from, and the rules that an options object must keep. What NSQ keeps as fixed numbers (scan interval, client
 * timeout) is not here.
 *
 * @module
 */
import { isOnDeploy } from "../base/platform.ts";
import { type Exit, exitOnOptionError, loadOptions } from "../config/load.ts";
import { logOptions } from "../config/log_options.ts";
import { COMMON_OPTIONS, configValue, OptionError, type OptionsOf } from "../config/option.ts";
import type { TlsFiles } from "../config/tls_files.ts";
import { API_OPTIONS, apiRefusal } from "./api/options.ts";
import { DRAIN_OPTIONS } from "./drain.ts";
import { GOSSIP_OPTIONS, gossipRefusal } from "./gossip/options.ts";
import { isKvAttached } from "./kv/open_kv.ts";
import { KV_OPTIONS, kvRefusal } from "./kv/options.ts";
import { LOOKUP_OPTIONS } from "./lookup/options.ts";
import { MESSAGE_OPTIONS } from "./node/message_options.ts";
import { QUEUE_OPTIONS, queueRefusal } from "./queue/options.ts";
import { NODE_OPTIONS, nodeRefusal } from "./node/options.ts";
import { TLS_OPTIONS, tlsFilesOf, tlsRefusal, withImplied } from "./node/tls.ts";
import { AUTH_OPTIONS, authRefusal } from "./session/auth_options.ts";
import {
  COMPRESSION_OPTIONS,
  compressionRefusal,
  CONNECTION_OPTIONS,
  EXPERIMENT_OPTIONS,
  IDENTIFY_OPTIONS,
  ioThreadsRefusal,
  tcpAddressRefusal,
} from "./session/options.ts";
import { placeRefusal, withPlace } from "./sandbox.ts";
import { STATS_OPTIONS, statsRefusal } from "./stats/options.ts";
import { TOPIC_OPTIONS, topicRefusal } from "./topic_options.ts";

// What stands with options of other rooms on the docs page.
const { nodeId, workerId, topologyRegion, topologyZone, ...broadcastOptions } = NODE_OPTIONS;
const { tcpAddress, ...connectionOptions } = CONNECTION_OPTIONS;
const { httpAddress, httpsAddress, adminAddress, ...apiOptions } = API_OPTIONS;
const { lookupdTcpAddresses, ...httpClientOptions } = LOOKUP_OPTIONS;
const { maxChannelConsumers, ...storageOptions } = TOPIC_OPTIONS;
const { maxDeferTimeoutMs, ...messageOptions } = MESSAGE_OPTIONS;

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQD_OPTIONS = {
  ...COMMON_OPTIONS,
  // The node and its log
  ...logOptions("nsqd", "each change over HTTP, refused token and AUTH"),
  nodeId,
  workerId,
  // Addresses
  tcpAddress,
  httpAddress,
  httpsAddress,
  adminAddress,
  ...broadcastOptions,
  lookupdTcpAddresses,
  topologyRegion,
  topologyZone,
  ...GOSSIP_OPTIONS,
  // Requests that nsqd makes itself
  ...AUTH_OPTIONS,
  ...httpClientOptions,
  // Messages, and what clients may ask for
  ...storageOptions,
  ...KV_OPTIONS,
  ...messageOptions,
  ...IDENTIFY_OPTIONS,
  maxChannelConsumers,
  // Limits that NSQ does not have
  maxDeferTimeoutMs,
  ...connectionOptions,
  ...apiOptions,
  ...DRAIN_OPTIONS,
  ...QUEUE_OPTIONS,

  ...STATS_OPTIONS,
  ...TLS_OPTIONS,
  ...COMPRESSION_OPTIONS,
  ...EXPERIMENT_OPTIONS,
};

/** What a running nsqd is configured with. */
export type NsqdOptions = OptionsOf<typeof NSQD_OPTIONS>;

/** What nsqd starts with. */
export interface NsqdStart {
  readonly kind: "run";
  readonly options: NsqdOptions;
  /** Contents of the files that the TLS options name. */
  readonly tls: TlsFiles;
  /** A database that is attached is taken, though nobody has asked for it. */
  readonly takesKv: boolean;
  /** Lines for the log: what was given and has no effect. */
  readonly warnings: readonly string[];
}

/** Options from the command line and the configuration file, checked; or what to print instead of running. */
export function loadNsqdOptions(args: readonly string[]): NsqdStart | Exit {
  return exitOnOptionError("nsqd", () => {
    const loaded = loadOptions("nsqd", NSQD_OPTIONS, args);
    if (loaded.kind === "exit") return loaded;
    const options = withPlace(withImplied(loaded.options));
    const refusal = validateOptions(options);
    if (refusal !== undefined) throw new OptionError(refusal);
    const { store, dataPath } = loaded.options;
    const takesKv = store === "auto" && dataPath === "" && isOnDeploy() && isKvAttached();
    return { kind: "run", options, takesKv, tls: tlsFilesOf(options), warnings: loaded.warnings };
  });
}

/** The value that `GET /config/<key>` shows, or `undefined` if there is no such option. */
export function nsqdConfigValue(options: NsqdOptions, key: string): unknown {
  return configValue(NSQD_OPTIONS, options, key);
}

/** Paths of files with secrets in them; some may be empty. */
export function secretFiles(options: NsqdOptions): string[] {
  const { tlsKey, httpAuthTokenFile, gossipEncryptKeyFile, serfRpcAuthFile } = options;
  return [tlsKey, httpAuthTokenFile, gossipEncryptKeyFile, serfRpcAuthFile];
}

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function validateOptions(options: NsqdOptions): string | undefined {
  return compressionRefusal(options) ?? nodeRefusal(options) ?? tlsRefusal(options) ?? authRefusal(options) ??
    topicRefusal(options) ?? statsRefusal(options) ?? gossipRefusal(options) ?? tcpAddressRefusal(options) ??
    ioThreadsRefusal(options) ??
    apiRefusal(options) ?? queueRefusal(options) ?? kvRefusal(options) ?? placeRefusal(options) ??
    silenceRefusal(options);
}

/** Nobody could reach an nsqd like that. */
function silenceRefusal(
  { tcpAddress, httpAddress, httpsAddress, tlsCert, adminAddress }: NsqdOptions,
): string | undefined {
  const isServing = tcpAddress !== "" || httpAddress !== "" || adminAddress !== "" ||
    httpsAddress !== "" && tlsCert !== "";
  return isServing ? undefined : "--tcp-address and --http-address are both empty: there is nothing to serve";
}
