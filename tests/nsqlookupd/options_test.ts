import { assertEquals, assertStringIncludes } from "@std/assert";
import { defaultOptions, keyOf } from "../../src/config/option.ts";
import {
  loadNsqlookupdOptions,
  NSQLOOKUPD_OPTIONS,
  type NsqlookupdOptions,
} from "../../src/nsqlookupd/options.ts";

/** The options that flags lead to, or the line that refuses them. */
function load(...args: string[]): NsqlookupdOptions | string {
  const start = loadNsqlookupdOptions(args);
  return start.kind === "exit" ? start.text : start.options;
}

/** A file with that text, for `use`. */
function withFile<T>(text: string, use: (path: string) => T): T {
  const path = Deno.makeTempFileSync({ suffix: ".cfg" });
  try {
    Deno.writeTextFileSync(path, text);
    return use(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("NSQLOOKUPD_OPTIONS has no flag and no key twice", () => {
  const flags = Object.values(NSQLOOKUPD_OPTIONS).map(({ flag }) => flag);
  const keys = Object.values(NSQLOOKUPD_OPTIONS).map(keyOf).filter((key) => key !== undefined);

  assertEquals([new Set(flags).size, new Set(keys).size], [flags.length, keys.length]);
});

Deno.test("loadNsqlookupdOptions() gives NSQ's defaults, and limits that NSQ does not have", () => {
  assertEquals(load(), {
    version: false,
    config: "",
    logLevel: 2,
    logPrefix: "[nsqlookupd] ",
    logFormat: "text",
    auditLog: "",
    verbose: false,
    tcpAddress: "0.0.0.0:4160",
    httpAddress: "0.0.0.0:4161",
    adminAddress: "",
    broadcastAddress: Deno.hostname(),
    inactiveProducerTimeoutMs: 300_000,
    tombstoneLifetimeMs: 45_000,
    maxConnections: 10_000,
    maxConnectionsPerAddress: 5000,
    maxRegistrations: 1_000_000,
    maxRegistrationsPerConnection: 100_000,
    maxBodySizeBytes: 8192,
    handshakeTimeoutMs: 30_000,
    commandTimeoutMs: 60_000,
    idleTimeoutMs: 3_600_000,
    writeTimeoutMs: 60_000,
    maxOutputPendingSizeBytes: 262_144,
    httpMaxConnections: 5000,
    httpMaxConnectionsPerAddress: 2500,
    httpHeaderTimeoutMs: 90_000,
    httpBodyTimeoutMs: 120_000,
    httpIdleTimeoutMs: 300_000,
    httpMaxBodiesSizeBytes: 268_435_456,
    httpAllowedHosts: [],
  });
});

Deno.test("loadNsqlookupdOptions() takes a file with the keys of NSQ's example without a warning", () => {
  const text = [
    'log_level = "debug"',
    'tcp_address = "127.0.0.1:1"',
    'http_address = "127.0.0.1:2"',
    'broadcast_address = "b"',
    'inactive_producer_timeout = "10s"',
    'tombstone_lifetime = "20s"',
  ].join("\n");

  const start = withFile(
    text,
    (path) => loadNsqlookupdOptions([`--config=${path}`, "-tombstone-lifetime", "5s"]),
  );

  if (start.kind === "exit") throw new Error(start.text);
  assertEquals(start.warnings, []);
  assertEquals({ ...start.options, config: "" }, {
    ...defaultOptions(NSQLOOKUPD_OPTIONS),
    logLevel: 1,
    tcpAddress: "127.0.0.1:1",
    httpAddress: "127.0.0.1:2",
    broadcastAddress: "b",
    inactiveProducerTimeoutMs: 10_000,
    tombstoneLifetimeMs: 5000,
  });
});

const REFUSED: readonly [flag: string, text: string][] = [
  ["--no-such-flag", "nsqlookupd: "],
  ["--tombstone-lifetime=x", 'nsqlookupd: Bad value "x" of flag --tombstone-lifetime: '],
  ["--tcp-address=", 'nsqlookupd: --tcp-address is no address to listen on: ""'],
  [
    "--tcp-address=127.0.0.1:99999",
    'nsqlookupd: --tcp-address is no address to listen on: "127.0.0.1:99999"',
  ],
  [
    "--http-address=/run/lookup.sock",
    'nsqlookupd: --http-address is no address to listen on: "/run/lookup.sock"',
  ],
  [
    "--admin-address=/run/admin.sock",
    'nsqlookupd: --admin-address is no address to listen on: "/run/admin.sock"',
  ],
  ["--http-allowed-host=a/b", 'nsqlookupd: --http-allowed-host is no host: "a/b"'],
];

for (const [flag, text] of REFUSED) {
  Deno.test(`loadNsqlookupdOptions() refuses ${flag} in one line`, () => {
    const start = loadNsqlookupdOptions([flag]);

    assertEquals(start.kind === "exit" && start.code, 1);
    assertStringIncludes(start.kind === "exit" ? start.text : "", text);
    assertEquals(start.kind === "exit" && start.text.includes("\n"), false);
  });
}

Deno.test("loadNsqlookupdOptions() answers --version and --help", () => {
  assertStringIncludes(String(load("--version")), "nsqlookupd v1.3.0 (built w/deno");
  assertStringIncludes(String(load("--help")), "--inactive-producer-timeout <duration>");
});
