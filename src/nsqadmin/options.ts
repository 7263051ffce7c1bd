/**
 * nsqadmin's options: the table that flags, TOML keys, `--help` and the docs page are made from, and the rules that an
 * options object must keep.
 *
 * @module
 */
import { hideCredentials } from "../base/credentials.ts";
import { listenRefusal, parseAddress } from "../config/address.ts";
import { bool, duration, type Kind, string, stringList } from "../config/kind.ts";
import { type Exit, exitOnOptionError, type Loaded, loadOptions } from "../config/load.ts";
import { logOptions } from "../config/log_options.ts";
import { COMMON_OPTIONS, option, OptionError, type OptionsOf } from "../config/option.ts";
import { readTlsFiles, type TlsFiles } from "../config/tls_files.ts";
import { HTTP_OPTIONS, httpRefusal, isOrigin } from "../http/options.ts";
import { alertRules, DEFAULT_RULES } from "./alerts/rules.ts";
import type { Texts } from "./console/texts/texts.ts";
import { UserFile } from "./login/user_file.ts";
import { parseAddressOrSubnet, parseSubnet } from "./subnet.ts";
import { readTokenFile } from "./token_file.ts";
import type { Waits } from "./waits.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const POLL_INTERVAL_MIN_MS = 100;

/** A URL; what may be a credential in it is not shown. */
const url: Kind<string> = {
  ...string,
  show: (value) => string.show(hideCredentials(value)),
  toJson: hideCredentials,
};

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQADMIN_OPTIONS = {
  ...COMMON_OPTIONS,

  ...logOptions("nsqadmin"),

  httpAddress: option({
    flag: "http-address",
    kind: string,
    default: "0.0.0.0:4171",
    description: "Where to listen for HTTP clients: <addr>:<port>.",
  }),
  basePath: option({
    flag: "base-path",
    kind: string,
    default: "/",
    description: "Path in front of all others, for a proxy that passes on a part of its own.",
  }),
  devStaticDir: option({
    flag: "dev-static-dir",
    kind: string,
    default: "",
    description: "Folder whose files are served below /static/ in place of those that are built in.",
  }),

  lookupdHttpAddresses: option({
    flag: "lookupd-http-address",
    key: "nsqlookupd_http_addresses",
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqlookupd, which tells of all nsqd nodes; may be given several times.",
  }),
  nsqdHttpAddresses: option({
    flag: "nsqd-http-address",
    key: "nsqd_http_addresses",
    kind: stringList,
    default: [],
    description:
      "HTTP address of an nsqd, in place of nsqlookupds; may be given several times, for each nsqd that there is.",
  }),
  gossipHttpAddresses: option({
    flag: "gossip-http-address",
    key: "gossip_http_addresses",
    kind: stringList,
    default: [],
    description:
      "HTTP address of an nsqd with gossip, which tells of all others, in place of nsqlookupds; may be given several times.",
  }),

  pollIntervalMs: option({
    flag: "poll-interval",
    kind: duration,
    default: 5 * SECOND_MS,
    description: "How often the pages' numbers are asked for, of every nsqd once: 100ms at least.",
  }),
  history: option({
    flag: "history",
    kind: bool,
    default: true,
    description:
      "Keep the numbers of a day in memory, for graphs; if not, nsqd nodes are asked only while somebody looks.",
  }),

  deadLetterSuffixes: option({
    flag: "dead-letter-suffix",
    key: "dead_letter_suffixes",
    kind: stringList,
    default: [".failed", ".dead", ".dlq"],
    description:
      "What the name of a topic ends in that holds the dead letters of the topic without it; may be given several times.",
  }),

  graphiteUrl: option({
    flag: "graphite-url",
    kind: url,
    default: "",
    description: "URL of graphite, for graphs and rates.",
  }),
  proxyGraphite: option({
    flag: "proxy-graphite",
    kind: bool,
    default: false,
    description: "Pass /render on to graphite.",
  }),
  statsdPrefix: option({
    flag: "statsd-prefix",
    kind: string,
    default: "nsq.%s",
    description: "Prefix of the keys that nsqd nodes send to statsd, with %s for the host; as theirs.",
  }),
  statsdCounterFormat: option({
    flag: "statsd-counter-format",
    kind: string,
    default: "stats.counters.%s.count",
    description: "What statsd makes of the keys of counters, with %s for the key; empty for nothing.",
  }),
  statsdGaugeFormat: option({
    flag: "statsd-gauge-format",
    kind: string,
    default: "stats.gauges.%s",
    description: "What statsd makes of the keys of gauges, with %s for the key; empty for nothing.",
  }),
  statsdIntervalMs: option({
    flag: "statsd-interval",
    kind: duration,
    default: MINUTE_MS,
    description: "How often nsqd nodes send to statsd; as theirs.",
  }),

  httpClientConnectTimeoutMs: option({
    flag: "http-client-connect-timeout",
    kind: duration,
    default: 2 * SECOND_MS,
    description: "How long a connection to another server may take to be made.",
  }),
  httpClientRequestTimeoutMs: option({
    flag: "http-client-request-timeout",
    kind: duration,
    default: 5 * SECOND_MS,
    description: "How long a request to another server may take in all.",
  }),
  httpClientTlsInsecureSkipVerify: option({
    flag: "http-client-tls-insecure-skip-verify",
    kind: bool,
    default: false,
    description: "Do not verify the certificates of other servers.",
  }),
  httpClientTlsRootCaFile: option({
    flag: "http-client-tls-root-ca-file",
    kind: string,
    default: "",
    description:
      "Path of a PEM file with the authorities that the certificates of other servers are verified with.",
  }),
  httpClientTlsCert: option({
    flag: "http-client-tls-cert",
    kind: string,
    default: "",
    description: "Path of a PEM file with the certificate that is shown to other servers.",
  }),
  httpClientTlsKey: option({
    flag: "http-client-tls-key",
    kind: string,
    default: "",
    description: "Path of a PEM file with its key.",
  }),

  nsqdAuthTokenFile: option({
    flag: "nsqd-auth-token-file",
    kind: string,
    default: "",
    description:
      "Path of a file with the token that is shown to nsqd nodes, for those with --http-auth-token-file.",
  }),
  allowConfigFromCidr: option({
    flag: "allow-config-from-cidr",
    kind: string,
    default: "127.0.0.1/8",
    description: "Network from which /config may be used; empty for any.",
  }),
  notificationHttpEndpoint: option({
    flag: "notification-http-endpoint",
    kind: url,
    default: "",
    description: "URL that is told of each change, by a POST.",
  }),
  alertRules: option({
    flag: "alert",
    key: "alerts",
    kind: alertRules,
    default: [],
    description:
      'What is to be alerted about, as "depth(orders/*) > 10000 for 5m"; may be given several times. The kinds of rules: docs/console.md.',
  }),
  alertDefaults: option({
    flag: "alert-defaults",
    kind: bool,
    default: true,
    description: `Alert as well about nodes that are gone or failing, and messages without consumers: ${
      DEFAULT_RULES.map(({ text }) => `"${text}"`).join(", ")
    }.`,
  }),
  alertWebhook: option({
    flag: "alert-webhook",
    kind: url,
    default: "",
    description: "URL that is told of each alert, and of its end, by a POST of JSON.",
  }),
  aclHttpHeader: option({
    flag: "acl-http-header",
    kind: string,
    default: "X-Forwarded-User",
    description: "Header in which a proxy says who the user is.",
  }),
  adminUsers: option({
    flag: "admin-user",
    key: "admin_users",
    kind: stringList,
    default: [],
    description:
      "User who may change something; may be given several times. Without any, and without --user-file, everybody may.",
  }),

  userFile: option({
    flag: "user-file",
    kind: string,
    default: "",
    description:
      "Path of a file of users, with their roles (viewer, peek, operator, admin), passwords and tokens as hashes; they must log in then. It is read again when it changes. The form of its lines: docs/nsqadmin.md.",
  }),
  sessionIdleTimeoutMs: option({
    flag: "session-idle-timeout",
    kind: duration,
    default: 8 * HOUR_MS,
    description:
      "How long somebody who has logged in on a page stays so who does nothing; pages that stay up to date by themselves do not count. 0 is no limit.",
  }),
  trustedProxies: option<readonly string[]>({
    flag: "trusted-proxy",
    key: "trusted_proxies",
    kind: stringList,
    default: [],
    description:
      "Address, or network, of a proxy that is believed who the user is (--acl-http-header), from where he asks (X-Forwarded-For), and whether over HTTPS (X-Forwarded-Proto); may be given several times. Without it everybody is believed the first, and nobody the others.",
  }),
  trustedOrigins: option<readonly string[]>({
    flag: "trusted-origin",
    key: "trusted_origins",
    kind: stringList,
    default: [],
    description:
      "Origin, such as https://nsqadmin.example, by which browsers know these pages where a proxy does not pass on the Host that they have asked for; may be given several times.",
  }),

  writeTimeoutMs: option({
    flag: "write-timeout",
    kind: duration,
    default: MINUTE_MS,
    description: "How long an HTTP client may leave what it is sent unread; 0 is no limit.",
  }),
  ...HTTP_OPTIONS,
};

/** What a running nsqadmin is configured with. */
export type NsqadminOptions = OptionsOf<typeof NSQADMIN_OPTIONS>;

/** What nsqadmin is started with. */
export interface NsqadminConfig {
  readonly options: NsqadminOptions;
  /** Of its requests to other servers. */
  readonly tls: TlsFiles;
  /** That nsqds are shown. */
  readonly token: string | undefined;
  /** Who may use it; undefined where nobody has to log in. */
  readonly users?: UserFile | undefined;
  /** @default {WAITS} */
  readonly waits?: Waits;
  /** What pages say, where that is not English. */
  readonly texts?: Texts;
}

/** Options from the command line and the configuration file, checked; or what to print instead of running. */
export function loadNsqadminOptions(
  args: readonly string[],
): (Loaded<NsqadminOptions> & NsqadminConfig) | Exit {
  return exitOnOptionError("nsqadmin", () => {
    const loaded = loadOptions("nsqadmin", NSQADMIN_OPTIONS, args);
    if (loaded.kind === "exit") return loaded;
    const refusal = refusalOf(loaded.options) ?? httpRefusal(loaded.options);
    if (refusal !== undefined) throw new OptionError(refusal);
    const { httpClientTlsCert: certPath, httpClientTlsKey: keyPath } = loaded.options;
    const tls = readTlsFiles({ certPath, keyPath, rootCaPath: loaded.options.httpClientTlsRootCaFile });
    const options = { ...loaded.options, basePath: normalBasePath(loaded.options.basePath) };
    const token = readTokenFile(options.nsqdAuthTokenFile);
    return { ...loaded, options, tls, token, users: UserFile.read(options.userFile) };
  });
}

/** The path with a slash in front and none behind, as Go's `path.Clean` makes it. */
export function normalBasePath(text: string): string {
  const kept: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

/** Why these options cannot be run with, or `undefined` if they can. */
function refusalOf(options: NsqadminOptions): string | undefined {
  const { httpAddress, httpClientTlsCert, httpClientTlsKey, allowConfigFromCidr } = options;
  if (parseAddress(httpAddress)?.kind !== "tcp") return listenRefusal("http-address", httpAddress);
  const { lookupdHttpAddresses, nsqdHttpAddresses, gossipHttpAddresses } = options;
  const given = [lookupdHttpAddresses, nsqdHttpAddresses, gossipHttpAddresses].filter(({ length }) =>
    length > 0
  );
  const sources = "--nsqd-http-address, --lookupd-http-address or --gossip-http-address";
  if (given.length === 0) return `${sources} required`;
  if (given.length > 1) return `use one of ${sources}, and not several`;
  if (httpClientTlsCert !== "" && httpClientTlsKey === "") {
    return "--http-client-tls-key must be specified with --http-client-tls-cert";
  }
  if (httpClientTlsKey !== "" && httpClientTlsCert === "") {
    return "--http-client-tls-cert must be specified with --http-client-tls-key";
  }
  if (allowConfigFromCidr !== "" && parseSubnet(allowConfigFromCidr) === undefined) {
    return `failed to parse --allow-config-from-cidr (${allowConfigFromCidr})`;
  }
  if (options.userFile !== "" && options.adminUsers.length > 0) {
    return "use --user-file, whose users have roles, or --admin-user, of whom a proxy tells, and not both";
  }
  const badProxy = options.trustedProxies.find((text) => parseAddressOrSubnet(text) === undefined);
  if (badProxy !== undefined) {
    return `--trusted-proxy is no address and no network: ${JSON.stringify(badProxy)}`;
  }
  const badOrigin = options.trustedOrigins.find((origin) => !isOrigin(origin));
  if (badOrigin !== undefined) return `--trusted-origin is no origin: ${JSON.stringify(badOrigin)}`;
  if (options.pollIntervalMs < POLL_INTERVAL_MIN_MS) return "--poll-interval must be 100ms at least";
  return urlRefusal("graphite-url", options.graphiteUrl) ??
    urlRefusal("notification-http-endpoint", options.notificationHttpEndpoint) ??
    urlRefusal("alert-webhook", options.alertWebhook);
}

function urlRefusal(flag: string, text: string): string | undefined {
  if (text === "") return undefined;
  const { protocol } = URL.parse(text) ?? { protocol: "" };
  return protocol === "http:" || protocol === "https:"
    ? undefined
    : `--${flag} is no URL of HTTP: ${JSON.stringify(hideCredentials(text))}`;
}
