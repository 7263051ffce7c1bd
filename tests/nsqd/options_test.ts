import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS } from "../../src/base/logger.ts";
import { defaultOptions, keyOf } from "../../src/config/option.ts";
import { maxDeferMs } from "../../src/nsqd/node/message_options.ts";
import {
  loadNsqdOptions,
  NSQD_OPTIONS,
  nsqdConfigValue,
  type NsqdOptions,
  validateOptions,
} from "../../src/nsqd/options.ts";

const DEFAULTS = defaultOptions(NSQD_OPTIONS);

/** The options that flags lead to, or the line that refuses them. */
function load(...args: string[]): NsqdOptions | string {
  const start = loadNsqdOptions(args);
  return start.kind === "exit" ? start.text : start.options;
}

// The table

Deno.test("NSQD_OPTIONS has no flag and no key twice", () => {
  const flags = Object.values(NSQD_OPTIONS).map(({ flag }) => flag);
  const keys = Object.values(NSQD_OPTIONS).map(keyOf).filter((key) => key !== undefined);

  assertEquals([new Set(flags).size, new Set(keys).size], [flags.length, keys.length]);
});

Deno.test("NSQD_OPTIONS has NSQ's keys where they are not made from the flags", () => {
  const odd = Object.values(NSQD_OPTIONS).filter((spec) => "key" in spec);

  assertEquals(odd.map(({ flag, key }) => [flag, key]), [
    ["version", null],
    ["config", null],
    ["verbose", null],
    ["node-id", "id"],
    ["worker-id", null],
    ["lookupd-tcp-address", "nsqlookupd_tcp_addresses"],
    ["auth-http-address", "auth_http_addresses"],
    ["durability-topic", "durability_topics"],
    ["e2e-processing-latency-percentile", "e2e_processing_latency_percentiles"],
    ["enable-experiment", "enable_experiment"],
  ]);
});

Deno.test("NSQD_OPTIONS has a node id by default that is in range", () => {
  assertEquals(validateOptions(DEFAULTS), undefined);
});

// Loading

Deno.test("loadNsqdOptions() takes a file with the keys of NSQ's example without a warning", () => {
  const path = Deno.makeTempFileSync({ suffix: ".cfg" });
  try {
    Deno.writeTextFileSync(path, EXAMPLE_FILE);

    const start = loadNsqdOptions([`--config=${path}`]);

    assertEquals(start, {
      kind: "run",
      takesKv: false,
      options: {
        ...DEFAULTS,
        config: path,
        nodeId: 150,
        dataPath: "/var/lib/nsq",
        store: "files",
        lookupdTcpAddresses: ["127.0.0.1:4160"],
        maxMsgSizeBytes: 1_024_768,
        maxBodySizeBytes: 5_123_840,
        maxOutputBufferTimeoutMs: 1000,
        e2eProcessingLatencyPercentiles: [1, 0.99, 0.95],
        logLevel: LOG_LEVELS.warn,
      },
      tls: { pair: undefined, rootCa: undefined },
      warnings: [],
    });
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("loadNsqdOptions() accepts NSQ's deprecated flags", () => {
  const start = loadNsqdOptions(["--verbose", "--worker-id", "--max-rdy-count=5"]);

  assertEquals(start.kind === "run" && start.options.maxRdyCount, 5);
});

Deno.test("loadNsqdOptions() takes durabilities as flags, the topics' rules in their order", () => {
  const start = loadNsqdOptions([
    "--durability=disk",
    "--durability-topic=orders.*=fsync",
    "-durability-topic",
    "log?=memory",
    "--max-defer-timeout=720h",
  ]);

  assertEquals(start.kind, "run");
  const { durability, durabilityTopics, maxDeferTimeoutMs } = start.kind === "run" ? start.options : DEFAULTS;
  assertEquals([durability, durabilityTopics, maxDeferTimeoutMs], [
    "disk",
    ["orders.*=fsync", "log?=memory"],
    30 * 86_400_000,
  ]);
});

Deno.test("loadNsqdOptions() takes durabilities from a file", () => {
  const path = Deno.makeTempFileSync({ suffix: ".cfg" });
  try {
    const lines = [
      'durability = "fsync"',
      'durability_topics = ["log*=memory", "*.test=disk"]',
      'max_defer_timeout = "48h"',
    ];
    Deno.writeTextFileSync(path, lines.join("\n"));

    const start = loadNsqdOptions([`--config=${path}`]);

    assertEquals(start.kind === "run" && start.warnings, []);
    const { durability, durabilityTopics, maxDeferTimeoutMs } = start.kind === "run"
      ? start.options
      : DEFAULTS;
    assertEquals([durability, durabilityTopics, maxDeferTimeoutMs], [
      "fsync",
      ["log*=memory", "*.test=disk"],
      172_800_000,
    ]);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("NSQD_OPTIONS acknowledges messages as NSQ does by default: when they are taken", () => {
  assertEquals([DEFAULTS.durability, DEFAULTS.durabilityTopics, DEFAULTS.maxDeferTimeoutMs], [
    "memory",
    [],
    0,
  ]);
  assertEquals(maxDeferMs(DEFAULTS), 3_600_000);
  assertEquals(maxDeferMs({ ...DEFAULTS, maxDeferTimeoutMs: 5 }), 5);
});

Deno.test("loadNsqdOptions() answers --version as scripts expect it", () => {
  assertMatch(String(load("--version")), /^nsqd v\d+\.\d+\.\d+/);
});

for (
  const [name, args] of [
    ["--no-such-flag", ["--no-such-flag=1"]],
    ["--durability", ["--durability=disc"]],
    ["--durability", ["--durability="]],
    ["--durability-topic", ["--durability-topic=orders"]],
    ["--durability-topic", ["--durability-topic=orders=always"]],
    ["--durability-topic", ["--durability-topic=*=fsync", "--durability-topic=(a+)+=disk"]],
    ["--max-defer-timeout", ["--max-defer-timeout=30d"]],
    ["--msg-timeout", ["--msg-timeout=60"]],
    ["--mem-queue-size", ["--mem-queue-size=99999999999999999999"]],
    ["--snappy", ["--snappy=maybe"]],
    ["--log-level", ["--log-level=loud"]],
    ["--tls-required", ["--tls-required=sometimes"]],
    ["--tls-min-version", ["--tls-min-version=tls9"]],
    ["--node-id", ["--node-id=1024"]],
    ["--node-id", ["--node-id", "-1"]],
    ["--max-deflate-level", ["--max-deflate-level=0"]],
    ["--max-deflate-level", ["--max-deflate-level=10"]],
    ["--auth-http-request-method", ["--auth-http-request-method=put"]],
    ["--e2e-processing-latency-percentile", ["--e2e-processing-latency-percentile=0"]],
    ["--e2e-processing-latency-percentile", ["--e2e-processing-latency-percentile=1.5"]],
    ["--tls-required", ["--tls-required"]],
    ["--tls-required", ["--tls-client-auth-policy=require"]],
    ["--tcp-address", ["--tcp-address=127.0.0.1:99999"]],
    ["--data-path", ["--store=memory", "--data-path=/data"]],
    ["--durability", ["--store=memory", "--durability=fsync"]],
    ["--durability", ["--store=memory", "--durability-topic=*=disk"]],
    ["--store", ["--store=disk"]],
    ["--tcp-address", ["--tcp-address=", "--http-address="]],
    ["--http-address", ["--http-address=127.0.0.1:99999"]],
    ["--admin-address", ["--admin-address=127.0.0.1:99999"]],
    ["--http-allowed-host", ["--http-allowed-host=http://nsqd.example"]],
    ["/no/such/c.pem", ["--tls-cert=/no/such/c.pem", "--tls-key=/no/such/k.pem"]],
    ["/no/such/ca.pem", ["--tls-root-ca-file=/no/such/ca.pem"]],
    ["/no/such/nsqd.cfg", ["--config=/no/such/nsqd.cfg"]],
  ] as const
) {
  Deno.test(`loadNsqdOptions() refuses ${args.join(" ")} in one line that names it`, () => {
    const start = loadNsqdOptions(args);

    assertEquals(start.kind === "exit" && start.code, 1);
    const text = start.kind === "exit" ? start.text : "";
    assertMatch(text, /^nsqd: .+$/);
    assertStringIncludes(text, name);
  });
}

// Rules between options

Deno.test("validateOptions() accepts the ends of the ranges", () => {
  for (
    const given of [
      { nodeId: 0 },
      { nodeId: 1023 },
      { maxDeflateLevel: 1 },
      { maxDeflateLevel: 9 },
      { e2eProcessingLatencyPercentiles: [1, 0.0001] },
      { authHttpRequestMethod: "post" },
      { tcpAddress: "/tmp/nsqd.sock", httpAddress: "" },
    ]
  ) assertEquals(validateOptions({ ...DEFAULTS, ...given }), undefined);
});

Deno.test("validateOptions() minds the HTTPS address only where there is a certificate", () => {
  const options = { ...DEFAULTS, httpsAddress: "/tmp/https.sock" };

  assertEquals(validateOptions(options), undefined);
  assertEquals(
    validateOptions({ ...options, tlsCert: "c.pem", tlsKey: "k.pem" }),
    '--https-address is no address to listen on: "/tmp/https.sock"',
  );
});

// By key

Deno.test("nsqdConfigValue() gives values in the form of NSQ's HTTP API", () => {
  const value = (key: string) => nsqdConfigValue(DEFAULTS, key);

  assertEquals(
    ["max_rdy_count", "msg_timeout", "snappy", "log_prefix", "log_level", "tls_required", "tls_min_version"]
      .map(value),
    [2500, 60_000_000_000, true, "[nsqd] ", 2, 0, 769],
  );
  assertEquals(["nsqlookupd_tcp_addresses", "e2e_processing_latency_percentiles"].map(value), [[], []]);
  assertEquals(["max-rdy-count", "version", "config", "verbose", "nothing"].map(value).filter(Boolean), []);
});

const EXAMPLE_FILE = `
## a comment
log_level = "warn"
id = 150
tcp_address = "0.0.0.0:4150"
http_address = "0.0.0.0:4151"
# broadcast_address = ""
nsqlookupd_tcp_addresses = [
    "127.0.0.1:4160"
]
http_client_connect_timeout = "2s"
http_client_request_timeout = "5s"
data_path = "/var/lib/nsq"
mem_queue_size = 10000
max_bytes_per_file = 104857600
sync_every = 2500
sync_timeout = "2s"
msg_timeout = "60s"
max_msg_timeout = "15m"
max_msg_size = 1024768
max_req_timeout = "1h"
max_body_size = 5123840
max_heartbeat_interval = "60s"
max_rdy_count = 2500
max_output_buffer_size = 65536
max_output_buffer_timeout = "1s"
statsd_prefix = "nsq.%s"
statsd_interval = "60s"
statsd_mem_stats = true
e2e_processing_latency_percentiles = [
    1.0,
    0.99,
    0.95
]
e2e_processing_latency_window_time = "10m"
tls_cert = ""
tls_key = ""
tls_required = false
tls_min_version = ""
deflate = true
max_deflate_level = 6
snappy = true
`;
