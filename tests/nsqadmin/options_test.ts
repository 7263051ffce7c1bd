import { assertEquals, assertStringIncludes } from "@std/assert";
import { keyOf } from "../../src/config/option.ts";
import {
  loadNsqadminOptions,
  normalBasePath,
  NSQADMIN_OPTIONS,
  type NsqadminOptions,
} from "../../src/nsqadmin/options.ts";

const LOOKUPD = "--lookupd-http-address=127.0.0.1:4161";

/** The options that flags lead to, or the line that refuses them. */
function load(...args: string[]): NsqadminOptions | string {
  const start = loadNsqadminOptions(args);
  return start.kind === "exit" ? start.text : start.options;
}

Deno.test("NSQADMIN_OPTIONS has no flag and no key twice", () => {
  const flags = Object.values(NSQADMIN_OPTIONS).map(({ flag }) => flag);
  const keys = Object.values(NSQADMIN_OPTIONS).map(keyOf).filter((key) => key !== undefined);

  assertEquals([new Set(flags).size, new Set(keys).size], [flags.length, keys.length]);
});

Deno.test("loadNsqadminOptions() gives NSQ's defaults", () => {
  assertEquals(load(LOOKUPD), {
    version: false,
    config: "",
    logLevel: 2,
    logPrefix: "[nsqadmin] ",
    logFormat: "text",
    auditLog: "",
    verbose: false,
    httpAddress: "0.0.0.0:4171",
    basePath: "/",
    devStaticDir: "",
    lookupdHttpAddresses: ["127.0.0.1:4161"],
    nsqdHttpAddresses: [],
    gossipHttpAddresses: [],
    pollIntervalMs: 5000,
    history: true,
    deadLetterSuffixes: [".failed", ".dead", ".dlq"],
    graphiteUrl: "",
    proxyGraphite: false,
    statsdPrefix: "nsq.%s",
    statsdCounterFormat: "stats.counters.%s.count",
    statsdGaugeFormat: "stats.gauges.%s",
    statsdIntervalMs: 60_000,
    httpClientConnectTimeoutMs: 2000,
    httpClientRequestTimeoutMs: 5000,
    httpClientTlsInsecureSkipVerify: false,
    httpClientTlsRootCaFile: "",
    httpClientTlsCert: "",
    httpClientTlsKey: "",
    nsqdAuthTokenFile: "",
    allowConfigFromCidr: "127.0.0.1/8",
    notificationHttpEndpoint: "",
    alertRules: [],
    alertDefaults: true,
    alertWebhook: "",
    aclHttpHeader: "X-Forwarded-User",
    adminUsers: [],
    userFile: "",
    sessionIdleTimeoutMs: 28_800_000,
    trustedProxies: [],
    trustedOrigins: [],
    writeTimeoutMs: 60_000,
    httpMaxConnections: 5000,
    httpMaxConnectionsPerAddress: 2500,
    httpHeaderTimeoutMs: 90_000,
    httpBodyTimeoutMs: 120_000,
    httpIdleTimeoutMs: 300_000,
    httpMaxBodiesSizeBytes: 268_435_456,
    httpAllowedHosts: [],
  });
});

Deno.test("loadNsqadminOptions() reads NSQ's keys of a file", () => {
  const path = Deno.makeTempFileSync({ suffix: ".cfg" });
  try {
    Deno.writeTextFileSync(
      path,
      'nsqlookupd_http_addresses = ["a:1", "b:2"]\nadmin_users = ["root"]\nstatsd_interval = "30s"\nbase_path = "sub"\n',
    );

    const { lookupdHttpAddresses, adminUsers, statsdIntervalMs, basePath } = load(
      `--config=${path}`,
    ) as NsqadminOptions;

    assertEquals([lookupdHttpAddresses, adminUsers, statsdIntervalMs, basePath], [
      ["a:1", "b:2"],
      ["root"],
      30_000,
      "/sub",
    ]);
  } finally {
    Deno.removeSync(path);
  }
});

const REFUSED: readonly (readonly [args: readonly string[], reason: string])[] = [
  [[], "--nsqd-http-address, --lookupd-http-address or --gossip-http-address required"],
  [[LOOKUPD, "--nsqd-http-address=127.0.0.1:4151"], "use one of"],
  [[LOOKUPD, "--gossip-http-address=127.0.0.1:4151"], "use one of"],
  [
    [LOOKUPD, "--http-client-tls-cert=x"],
    "--http-client-tls-key must be specified with --http-client-tls-cert",
  ],
  [
    [LOOKUPD, "--http-client-tls-key=x"],
    "--http-client-tls-cert must be specified with --http-client-tls-key",
  ],
  [[LOOKUPD, "--http-client-tls-root-ca-file=/nowhere"], 'Cannot read certificate authority "/nowhere"'],
  [[LOOKUPD, "--nsqd-auth-token-file=/nowhere"], 'Cannot read token file "/nowhere"'],
  [[LOOKUPD, "--allow-config-from-cidr=10.0.0.0"], "failed to parse --allow-config-from-cidr (10.0.0.0)"],
  [[LOOKUPD, "--allow-config-from-cidr=10.0.0.0/33"], "failed to parse --allow-config-from-cidr"],
  [[LOOKUPD, "--graphite-url=graphite:80"], '--graphite-url is no URL of HTTP: "graphite:80"'],
  [[LOOKUPD, "--notification-http-endpoint=ftp://a/"], "--notification-http-endpoint is no URL of HTTP"],
  [[LOOKUPD, "--user-file=/nowhere"], 'Cannot read user file "/nowhere"'],
  [[LOOKUPD, "--user-file=/nowhere", "--admin-user=root"], "use --user-file, whose users have roles, or"],
  [[LOOKUPD, "--trusted-proxy=proxy.example"], "--trusted-proxy is no address and no network"],
  [[LOOKUPD, "--trusted-proxy=10.0.0.0/33"], "--trusted-proxy is no address and no network"],
  [[LOOKUPD, "--trusted-origin=nsqadmin.example"], '--trusted-origin is no origin: "nsqadmin.example"'],
  [[LOOKUPD, "--trusted-origin=https://a.example/nsq"], "--trusted-origin is no origin"],
  [[LOOKUPD, "--http-address=4171"], "--http-address is no address to listen on"],
  [[LOOKUPD, "--http-allowed-host=a b"], "--http-allowed-host is no host"],
];

for (const [args, reason] of REFUSED) {
  Deno.test(`loadNsqadminOptions() refuses ${args.join(" ") || "no flags"}`, () => {
    const refusal = load(...args);

    assertStringIncludes(typeof refusal === "string" ? refusal : "options", reason);
  });
}

for (
  const [text, path] of [
    ["", "/"],
    ["/", "/"],
    ["sub", "/sub"],
    ["/sub/", "/sub"],
    ["//a/./b//c/../d", "/a/b/d"],
    ["/..", "/"],
  ]
) {
  Deno.test(`normalBasePath() makes ${path} of ${JSON.stringify(text)}`, () => {
    assertEquals(normalBasePath(text), path);
  });
}
