import { assertEquals, assertThrows } from "@std/assert";
import { GoConfig } from "../../src/client/mod.ts";

Deno.test("GoConfig gives nothing that was not set, and go-nsq's options in this library's form otherwise", () => {
  const config = new GoConfig();
  assertEquals(config.producerOptions(), {});

  for (
    const flag of [
      "dial_timeout,2s",
      "read-timeout,30s",
      "write_timeout,500ms",
      "local_addr,127.0.0.1:0",
      "lookupd_poll_interval,1m30s",
      "lookupd_poll_jitter,0.5",
      "lookupd_poll_timeout,3s",
      "client_id,me",
      "hostname,here",
      "user_agent,a,b",
      "topology_region,eu",
      "topology_zone,a",
      "heartbeat_interval,10s",
      "deflate",
      "deflate_level,9",
      "output_buffer_size,-1",
      "output_buffer_timeout,-1ms",
      "max_msg_size,1000",
      "auth_secret,s3cret",
      "skip_lookupd_authorization,false",
    ]
  ) config.flag(flag);

  assertEquals(config.producerOptions(), {
    dialTimeoutMs: 2000,
    readTimeoutMs: 30_000,
    writeTimeoutMs: 500,
    localAddress: "127.0.0.1:0",
    lookupdPollIntervalMs: 90_000,
    lookupdPollJitter: 0.5,
    lookupdPollTimeoutMs: 3000,
    clientId: "me",
    hostname: "here",
    userAgent: "a,b",
    topology: { region: "eu", zone: "a" },
    heartbeatIntervalMs: 10_000,
    compression: "deflate",
    deflateLevel: 9,
    outputBufferSizeBytes: -1,
    outputBufferTimeoutMs: -1,
    maxMsgSizeBytes: 1000,
    authSecret: "s3cret",
    lookupdAuthorization: false,
  });
});

Deno.test("GoConfig.consumerOptions() has what concerns consumers", () => {
  const config = new GoConfig();
  const flags =
    "max_in_flight,50 msg_timeout,30s sample_rate,10 default_requeue_delay,1s max_requeue_delay,1m " +
    "backoff_strategy,full_jitter backoff_multiplier,100ms max_backoff_duration,10s max_attempts,3";
  for (const flag of flags.split(" ")) config.flag(flag);

  assertEquals(config.consumerOptions("dead"), {
    maxInFlight: 50,
    msgTimeoutMs: 30_000,
    sampleRate: 10,
    defaultRequeueDelayMs: 1000,
    maxRequeueDelayMs: 60_000,
    backoff: { multiplierMs: 100, maxMs: 10_000, jitter: true },
    giveUp: { attempts: 3, deadLetter: "dead" },
  });
});

Deno.test("GoConfig reads the files of TLS when it is told of them", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "pem");
    const config = new GoConfig();
    for (const flag of ["tls_v1", `tls_root_ca_file,${path}`, `tls_cert,${path}`, `tls_key,${path}`]) {
      config.flag(flag);
    }
    config.flag("tls_insecure_skip_verify");
    config.flag("tls_min_version,tls1.2");

    assertEquals(config.producerOptions(), {
      tls: { ca: "pem", cert: "pem", key: "pem", rejectUnauthorized: false, minVersion: "TLSv1.2" },
    });
  } finally {
    await Deno.remove(path);
  }
});

const REFUSALS: readonly (readonly [flag: string, message: string])[] = [
  ["max_inflight,1", "invalid option max_inflight"],
  [
    "max_in_flight,many",
    'failed to coerce option max_in_flight (many) - strconv.ParseInt: parsing "many": invalid syntax',
  ],
  ["max_in_flight", "failed to coerce option max_in_flight (true) - invalid value type"],
  ["max_in_flight,-1", "invalid max_in_flight ! -1 < 0"],
  ["read_timeout,99ms", "invalid read_timeout ! 99ms < 100ms"],
  ["read_timeout,5m1s", "invalid read_timeout ! 5m1s > 5m0s"],
  ["read_timeout,5", 'failed to coerce option read_timeout (5) - time: missing unit in duration "5"'],
  [
    "tls_v1,maybe",
    'failed to coerce option tls_v1 (maybe) - strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  ["backoff_strategy,none", "failed to coerce option backoff_strategy (none) - invalid value type"],
  ["tls_min_version,tls9", "ERROR: tls9 is not a tls version"],
];

for (const [flag, message] of REFUSALS) {
  Deno.test(`GoConfig.flag() refuses in go-nsq's words: ${flag}`, () => {
    const error = assertThrows(() => new GoConfig().flag(flag), RangeError);

    assertEquals(error.message, message);
  });
}

Deno.test("GoConfig.set() takes what is at the edge, and a number for a duration as ms", () => {
  const config = new GoConfig();
  config.set("read_timeout", 100);
  config.set("heartbeat_interval", 100);
  config.set("sample_rate", 99);
  config.validate();

  assertEquals(config.consumerOptions().sampleRate, 99);
  assertEquals(config.producerOptions().readTimeoutMs, 100);
});

Deno.test("GoConfig.validate() refuses heartbeats that come too seldom", () => {
  const config = new GoConfig();
  config.flag("heartbeat_interval,61s");

  const error = assertThrows(() => config.validate(), RangeError);

  assertEquals(error.message, "HeartbeatInterval 1m1s must be less than ReadTimeout 1m0s");
});
