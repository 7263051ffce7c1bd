/**
 * nsqlookupd's options: the table that flags, TOML keys, `--help` and the docs page are made from, and the rules that
 * an options object must keep.
 *
 * @module
 */
import type { RegistrationLimits } from "../cluster/registration_db.ts";
import { listenRefusal, parseAddress } from "../config/address.ts";
import { duration, int, string } from "../config/kind.ts";
import { type Exit, exitOnOptionError, type Loaded, loadOptions } from "../config/load.ts";
import { logOptions } from "../config/log_options.ts";
import { HTTP_OPTIONS, httpRefusal } from "../http/options.ts";
import { COMMON_OPTIONS, option, OptionError, type OptionsOf } from "../config/option.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const KIB = 1024;

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQLOOKUPD_OPTIONS = {
  ...COMMON_OPTIONS,

  ...logOptions("nsqlookupd"),

  tcpAddress: option({
    flag: "tcp-address",
    kind: string,
    default: "0.0.0.0:4160",
    description: "Where to listen for nsqd nodes over TCP: <addr>:<port>.",
  }),
  httpAddress: option({
    flag: "http-address",
    kind: string,
    default: "0.0.0.0:4161",
    description: "Where to listen for HTTP clients: <addr>:<port>.",
  }),
  adminAddress: option({
    flag: "admin-address",
    kind: string,
    default: "",
    description:
      "Where to listen for HTTP clients that administer, as <addr>:<port>; without it --http-address serves them, too.",
  }),
  broadcastAddress: option({
    flag: "broadcast-address",
    kind: string,
    default: () => Deno.hostname(),
    defaultNote: "the host name",
    description: "Address of this nsqlookupd that nsqd nodes are told.",
  }),

  inactiveProducerTimeoutMs: option({
    flag: "inactive-producer-timeout",
    kind: duration,
    default: 5 * MINUTE_MS,
    description: "How long an nsqd is told of after its last ping.",
  }),
  tombstoneLifetimeMs: option({
    flag: "tombstone-lifetime",
    kind: duration,
    default: 45 * SECOND_MS,
    description:
      "How long an nsqd is not told of for a topic that it is to forget, if it stays registered for it.",
  }),

  // Limits that NSQ does not have
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
  maxRegistrations: option({
    flag: "max-registrations",
    kind: int,
    default: 1_000_000,
    description:
      "Most topics and channels known at a time; those that no nsqd has make room for others, further ones are refused; 0 is no limit.",
  }),
  maxRegistrationsPerConnection: option({
    flag: "max-registrations-per-connection",
    kind: int,
    default: 100_000,
    description:
      "Most topics and channels that one nsqd is registered for at a time; further ones are refused; 0 is no limit.",
  }),
  maxBodySizeBytes: option({
    flag: "max-body-size",
    kind: int,
    default: 8 * KIB,
    description: "Largest body of a command, which is IDENTIFY, in bytes.",
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
  idleTimeoutMs: option({
    flag: "idle-timeout",
    kind: duration,
    default: 60 * MINUTE_MS,
    description: "How long a TCP client may send nothing; nsqd pings every 15 s. 0 is no limit.",
  }),
  writeTimeoutMs: option({
    flag: "write-timeout",
    kind: duration,
    default: MINUTE_MS,
    description: "How long a TCP or HTTP client may leave what it is sent unread; 0 is no limit.",
  }),
  maxOutputPendingSizeBytes: option({
    flag: "max-output-pending-size",
    kind: int,
    default: 256 * KIB,
    description: "Bytes that may wait for a TCP client to read them before no more of its commands are read.",
  }),
  ...HTTP_OPTIONS,
};

/** What a running nsqlookupd is configured with. */
export type NsqlookupdOptions = OptionsOf<typeof NSQLOOKUPD_OPTIONS>;

/** The limits of the registrations. */
export function registrationLimits(options: NsqlookupdOptions): RegistrationLimits {
  return { countMax: options.maxRegistrations, producerCountMax: options.maxRegistrationsPerConnection };
}

/** Options from the command line and the configuration file, checked; or what to print instead of running. */
export function loadNsqlookupdOptions(args: readonly string[]): Loaded<NsqlookupdOptions> | Exit {
  return exitOnOptionError("nsqlookupd", () => {
    const loaded = loadOptions("nsqlookupd", NSQLOOKUPD_OPTIONS, args);
    if (loaded.kind === "exit") return loaded;
    const { tcpAddress, httpAddress, adminAddress } = loaded.options;
    checkAddress("tcp-address", tcpAddress);
    checkAddress("http-address", httpAddress);
    if (adminAddress !== "") checkAddress("admin-address", adminAddress);
    const refusal = httpRefusal(loaded.options);
    if (refusal !== undefined) throw new OptionError(refusal);
    return loaded;
  });
}

/** Unlike nsqd, nsqlookupd serves no unix sockets. */
function checkAddress(flag: string, address: string): void {
  if (parseAddress(address)?.kind === "tcp") return;
  throw new OptionError(listenRefusal(flag, address));
}
