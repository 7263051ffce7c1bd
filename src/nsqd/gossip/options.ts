/**
 * The options of gossip discovery: which of them go together, and the secrets that are in files.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import { type Address, parseAddress } from "../../config/address.ts";
import { duration, string, stringList } from "../../config/kind.ts";
import { option, OptionError, type OptionsOf } from "../../config/option.ts";

const MINUTE_MS = 60_000;

/** The table: discovery through Serf in place of nsqlookupd. */
export const GOSSIP_OPTIONS = {
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
};

/** What gossip is configured with. */
export type GossipOptions = OptionsOf<typeof GOSSIP_OPTIONS>;

/** What the files hold; "" where no file was named. */
export interface GossipSecrets {
  /** Base64, as Serf wants it. */
  readonly encryptKey: string;
  readonly rpcAuthKey: string;
}

/** Regossiping more often would be load without use. */
const REGOSSIP_INTERVAL_MIN_MS = 100;
/** AES-128, AES-192 or AES-256. */
const KEY_SIZES_BYTES: readonly number[] = [16, 24, 32];

/** True when this nsqd is to be a member of a cluster. */
export function isGossipOn(options: GossipOptions): boolean {
  return options.gossipAddress !== "" || options.serfRpcAddress !== "";
}

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function gossipRefusal(options: GossipOptions & { readonly tcpAddress: string }): string | undefined {
  const { gossipAddress, serfRpcAddress, gossipSeedAddresses } = options;
  if (!isGossipOn(options)) {
    const orphan = gossipSeedAddresses.length > 0
      ? "gossip-seed-address"
      : options.gossipEncryptKeyFile !== ""
      ? "gossip-encrypt-key-file"
      : options.serfRpcAuthFile !== ""
      ? "serf-rpc-auth-file"
      : undefined;
    return orphan && `--${orphan} needs --gossip-address or --serf-rpc-address`;
  }
  if (gossipAddress !== "" && serfRpcAddress !== "") {
    return "--gossip-address starts a Serf agent, --serf-rpc-address uses one that runs: give one of the two";
  }
  if (parseAddress(options.tcpAddress)?.kind !== "tcp") {
    return "gossip needs a --tcp-address with a port, which other nodes tell consumers of";
  }
  if (gossipAddress !== "" && !isHostPort(gossipAddress, { anyHost: true })) {
    return `--gossip-address must be <addr>:<port>, with a port other than 0: ${quote(gossipAddress)}`;
  }
  if (serfRpcAddress !== "" && !isHostPort(serfRpcAddress, { anyHost: false })) {
    return `--serf-rpc-address must be <addr>:<port>: ${quote(serfRpcAddress)}`;
  }
  const seed = gossipSeedAddresses.find((address) => !isHostPort(address, { anyHost: false }));
  if (seed !== undefined) return `--gossip-seed-address must be <addr>:<port>: ${quote(seed)}`;
  if (options.gossipRegossipIntervalMs < REGOSSIP_INTERVAL_MIN_MS) {
    return `--gossip-regossip-interval must be ${REGOSSIP_INTERVAL_MIN_MS}ms or more`;
  }
  if (serfRpcAddress !== "" && options.gossipEncryptKeyFile !== "") {
    return "--gossip-encrypt-key-file is for the agent of --gossip-address: that of --serf-rpc-address has its own";
  }
  if (gossipAddress !== "" && options.serfRpcAuthFile !== "") {
    return "--serf-rpc-auth-file needs --serf-rpc-address";
  }
  return undefined;
}

/**
 * Reads the files of secrets.
 *
 * @throws {OptionError} If one cannot be read, or does not hold what it should; of what it holds nothing is said.
 */
export function readGossipSecrets(options: GossipOptions): GossipSecrets {
  const encryptKey = readSecret(options.gossipEncryptKeyFile, "gossip encryption key file");
  if (encryptKey !== "" && !KEY_SIZES_BYTES.includes(base64Size(encryptKey) ?? 0)) {
    throw new OptionError(
      `Gossip encryption key file ${
        quote(options.gossipEncryptKeyFile)
      } must hold 16, 24 or 32 bytes in base64, as "serf keygen" makes them`,
    );
  }
  return { encryptKey, rpcAuthKey: readSecret(options.serfRpcAuthFile, "Serf RPC key file") };
}

/** The host and port of an address that {@linkcode gossipRefusal} has found nothing wrong with. */
export function tcpAddressOf(text: string): { readonly hostname: string; readonly port: number } {
  const address = parseAddress(text);
  if (!isTcp(address)) throw new OptionError(`No <addr>:<port>: ${quote(text)}`);
  return address;
}

/** The one line of a file, without the space around it; "" for an empty path. */
function readSecret(path: string, what: string): string {
  if (path === "") return "";
  let text: string;
  try {
    text = Deno.readTextFileSync(path).trim();
  } catch (cause) {
    throw new OptionError(`Cannot read ${what} ${quote(path)}: ${errorText(cause)}`, { cause });
  }
  if (/^\S+$/.test(text)) return text;
  throw new OptionError(`Cannot use ${what} ${quote(path)}: it must hold one word, and nothing else`);
}

function base64Size(text: string): number | undefined {
  try {
    // Serf wants it padded; atob() does not.
    return text.length % 4 === 0 ? atob(text).length : undefined;
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

function isHostPort(text: string, { anyHost }: { anyHost: boolean }): boolean {
  const address = parseAddress(text);
  return isTcp(address) && address.port > 0 && (anyHost || address.hostname !== "");
}

function isTcp(address: Address | undefined): address is Address & { readonly kind: "tcp" } {
  return address?.kind === "tcp";
}

function quote(text: string): string {
  return JSON.stringify(text);
}
