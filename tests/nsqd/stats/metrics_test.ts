import { assertEquals } from "@std/assert";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";
import { httpApi } from "../../support/http_api.ts";

/** Two topics with a channel and two, messages in all of them, and an ephemeral topic. */
async function scene(options: Partial<NsqdOptions> = {}) {
  const api = httpApi({ options });
  api.broker.topic("a").channel("one");
  api.broker.topic("a").channel("two").pause();
  api.broker.topic("b").channel("one");
  api.broker.topic("e#ephemeral").channel("x#ephemeral");
  await api.request("POST", "/mpub?topic=a", "1\n22\n333");
  await api.request("POST", "/pub?topic=b", "4444");
  /** Samples whose names match, as the answer has them. */
  const samples = async (names: RegExp, query = "") => {
    const { status, text } = await api.request("GET", `/metrics${query}`);
    assertEquals(status, 200);
    return text.split("\n").filter((line) => names.test(line) && !line.startsWith("#"));
  };
  return { ...api, samples };
}

Deno.test("GET /metrics has a series for each topic and channel", async () => {
  const { samples, clock } = await scene();
  clock.advance(1500);

  assertEquals(await samples(/^nsq_topic_(messages|message_bytes)_total/), [
    'nsq_topic_messages_total{topic="a"} 3',
    'nsq_topic_messages_total{topic="b"} 1',
    'nsq_topic_messages_total{topic="e#ephemeral"} 0',
    'nsq_topic_message_bytes_total{topic="a"} 6',
    'nsq_topic_message_bytes_total{topic="b"} 4',
    'nsq_topic_message_bytes_total{topic="e#ephemeral"} 0',
  ]);
  assertEquals(await samples(/^nsq_channel_(depth|paused|oldest)/, "?topic=a"), [
    'nsq_channel_depth{topic="a",channel="one"} 3',
    'nsq_channel_depth{topic="a",channel="two"} 3',
    'nsq_channel_paused{topic="a",channel="one"} 0',
    'nsq_channel_paused{topic="a",channel="two"} 1',
    'nsq_channel_oldest_message_age_seconds{topic="a",channel="one"} 1.5',
    'nsq_channel_oldest_message_age_seconds{topic="a",channel="two"} 1.5',
  ]);
});

Deno.test("GET /metrics counts what ephemeral topics and channels had no room for", async () => {
  const { request, samples } = await scene({ memQueueSize: 2 });
  await request("POST", "/mpub?topic=e%23ephemeral", "1\n2\n3");
  await request("POST", "/topic/pause?topic=e%23ephemeral");
  await request("POST", "/mpub?topic=e%23ephemeral", "4\n5\n6\n7");

  assertEquals(await samples(/_dropped_total\{topic="e/), [
    'nsq_topic_dropped_total{topic="e#ephemeral"} 2',
    'nsq_channel_dropped_total{topic="e#ephemeral",channel="x#ephemeral"} 1',
  ]);
});

Deno.test("GET /metrics filters by topics and channels, which may be repeated", async () => {
  const { samples } = await scene();
  const depths = async (query: string) =>
    (await samples(/^nsq_channel_depth/, query)).map((line) => /\{(.*)\}/.exec(line)?.[1]);

  assertEquals(await depths("?topic=b"), ['topic="b",channel="one"']);
  assertEquals(await depths("?topic=b&topic=e%23ephemeral"), [
    'topic="b",channel="one"',
    'topic="e#ephemeral",channel="x#ephemeral"',
  ]);
  assertEquals(await depths("?channel=one"), ['topic="a",channel="one"', 'topic="b",channel="one"']);
  assertEquals(await depths("?topic=a&channel=one&channel=two"), [
    'topic="a",channel="one"',
    'topic="a",channel="two"',
  ]);
  assertEquals(await depths("?topic=unknown"), []);
});

Deno.test("GET /metrics leaves out what is ephemeral with --metrics-exclude-ephemeral", async () => {
  const { samples } = await scene({ metricsExcludeEphemeral: true });

  assertEquals(await samples(/ephemeral/), []);
});

for (
  const [aggregate, expected] of [
    ["topic", [
      'nsq_channel_depth{topic="a"} 6',
      'nsq_channel_depth{topic="b"} 1',
      'nsq_channel_depth{topic="e#ephemeral"} 0',
      'nsq_channel_oldest_message_age_seconds{topic="a"} 2',
      'nsq_channel_oldest_message_age_seconds{topic="b"} 2',
      'nsq_channel_oldest_message_age_seconds{topic="e#ephemeral"} 0',
    ]],
    ["node", ["nsq_channel_depth 7", "nsq_channel_oldest_message_age_seconds 2"]],
  ] as const
) {
  Deno.test(`GET /metrics?aggregate=${aggregate} adds up, but has the greatest of the ages`, async () => {
    const { samples, clock } = await scene();
    clock.advance(2000);

    assertEquals(await samples(/^nsq_channel_(depth|oldest)/, `?aggregate=${aggregate}`), [...expected]);
    assertEquals(await samples(/^nsq_metrics_truncated/, `?aggregate=${aggregate}`), [
      "nsq_metrics_truncated 0",
    ]);
  });
}

// Three topics of 8 series, four channels of 12: 72; added up by topic 3 × 20 = 60.
for (
  const [seriesMax, truncated, channels] of [
    [0, 0, 4],
    [72, 0, 4],
    [71, 1, 3],
    [60, 1, 3],
    [59, 1, 1],
  ]
) {
  Deno.test(`GET /metrics with --metrics-max-series=${seriesMax} of 72 has ${channels} rows of channels`, async () => {
    const { samples } = await scene({ metricsMaxSeries: seriesMax });

    assertEquals(await samples(/^nsq_metrics_truncated/), [`nsq_metrics_truncated ${truncated}`]);
    assertEquals((await samples(/^nsq_channel_depth/)).length, channels);
  });
}

Deno.test("GET /metrics counts the series of histograms, too", async () => {
  const { samples } = await scene({ metricsMaxSeries: 131, metricsLatency: true });

  assertEquals(await samples(/^nsq_metrics_truncated/), ["nsq_metrics_truncated 1"]);
});

Deno.test("GET /metrics has a histogram of the latency with --metrics-latency, which adds up", async () => {
  const { broker, clock, samples } = await scene({ metricsLatency: true });
  broker.topic("a").channel("one").latency?.insert(20_000_000, clock.monotonicMs());
  broker.topic("a").channel("two").latency?.insert(2_000_000_000, clock.monotonicMs());

  assertEquals(
    await samples(/^nsq_channel_e2e_latency.*(le="(0.01|0.05|5.0)"|sum|count)/, "?topic=a&channel=one"),
    [
      'nsq_channel_e2e_latency_seconds_bucket{topic="a",channel="one",le="0.01"} 0',
      'nsq_channel_e2e_latency_seconds_bucket{topic="a",channel="one",le="0.05"} 1',
      'nsq_channel_e2e_latency_seconds_bucket{topic="a",channel="one",le="5.0"} 1',
      'nsq_channel_e2e_latency_seconds_sum{topic="a",channel="one"} 0.02',
      'nsq_channel_e2e_latency_seconds_count{topic="a",channel="one"} 1',
    ],
  );
  assertEquals(await samples(/^nsq_channel_e2e_latency_seconds_(sum|count)/, "?aggregate=node"), [
    "nsq_channel_e2e_latency_seconds_sum 2.02",
    "nsq_channel_e2e_latency_seconds_count 2",
  ]);
  // Adding up has left the channels' own as they were.
  assertEquals(broker.topic("a").channel("one").latency?.histogram.sum, 0.02);
});

Deno.test("GET /metrics has no histogram of the latency unless it is asked for", async () => {
  const { samples } = await scene();

  assertEquals(await samples(/e2e/), []);
});

Deno.test("GET /metrics?names=exporter has the names of nsq_exporter, and no others", async () => {
  const { samples } = await scene({ e2eProcessingLatencyPercentiles: [0.99, 0.95] });

  assertEquals((await samples(/./, "?names=exporter&topic=b")).filter((line) => !/ 0$/.test(line)), [
    'nsq_topic_channel_count{topic="b",paused="false"} 1',
    'nsq_topic_message_count{topic="b",paused="false"} 1',
    'nsq_channel_depth{topic="b",channel="one",paused="false"} 1',
    'nsq_channel_message_count{topic="b",channel="one",paused="false"} 1',
  ]);
  assertEquals(
    (await samples(/e2e/, "?names=exporter&topic=b")).map((line) => line.split("{")[0]),
    [
      "nsq_topic_e2e_latency_99_percentile",
      "nsq_topic_e2e_latency_95_percentile",
      "nsq_channel_e2e_latency_99p",
      "nsq_channel_e2e_latency_95p",
    ],
  );
});

Deno.test("GET /metrics?names=statsd has the names of statsd behind statsd_exporter", async () => {
  const { samples } = await scene({ e2eProcessingLatencyPercentiles: [0.99] });

  const names = (await samples(/./, "?names=statsd&topic=b")).map((line) => line.split(/[{ ]/)[0]);
  assertEquals(names, [
    "nsq_metrics_truncated",
    "nsq_mem_heap_objects",
    "nsq_mem_heap_idle_bytes",
    "nsq_mem_heap_in_use_bytes",
    "nsq_mem_heap_released_bytes",
    "nsq_mem_gc_pause_usec_100",
    "nsq_mem_gc_pause_usec_99",
    "nsq_mem_gc_pause_usec_95",
    "nsq_mem_next_gc_bytes",
    "nsq_mem_gc_runs",
    "nsq_topic_message_count",
    "nsq_topic_message_bytes",
    "nsq_topic_depth",
    "nsq_topic_backend_depth",
    "nsq_topic_e2e_processing_latency_99",
    "nsq_topic_channel_message_count",
    "nsq_topic_channel_depth",
    "nsq_topic_channel_backend_depth",
    "nsq_topic_channel_in_flight_count",
    "nsq_topic_channel_deferred_count",
    "nsq_topic_channel_requeue_count",
    "nsq_topic_channel_timeout_count",
    "nsq_topic_channel_clients",
    "nsq_topic_channel_e2e_processing_latency_99",
  ]);
});

Deno.test("GET /metrics has clients only where they are asked for", async () => {
  const api = await scene();
  api.addConsumer("a", "one", {
    clientId: "id",
    hostname: "host",
    remoteAddress: "127.0.0.1:6001",
    finishCount: 7,
  });

  assertEquals(await api.samples(/^nsq_client_/), []);
  assertEquals(await api.samples(/^nsq_client_finished/, "?clients=1"), [
    'nsq_client_finished_total{topic="a",channel="one",deflate="false",snappy="false",tls="false",' +
    'client_id="id",hostname="host",version="V2",remote_address="127.0.0.1:6001"} 7',
  ]);
});

for (
  const [query, message] of [["names=x", "INVALID_NAMES"], ["aggregate=x", "INVALID_AGGREGATE"], [
    "a=%",
    "INVALID_REQUEST",
  ]]
) {
  Deno.test(`GET /metrics?${query} is refused`, async () => {
    const { status, text } = await httpApi().request("GET", `/metrics?${query}`);

    assertEquals([status, text], [400, message]);
  });
}

Deno.test("GET /metrics tells of the node: requests, refused connections, health and certificate", async () => {
  const api = httpApi({ certificateExpiresMs: 2_000_000_000_000 });
  api.state.health = "NOK - disk full";
  api.state.refused = { tcp: 2, http: 1 };
  await api.request("GET", "/ping");
  await api.request("GET", "/nowhere");

  const { text } = await api.request("GET", "/metrics");

  const lines = new Set(text.split("\n"));
  for (
    const line of [
      "nsq_healthy 0",
      'nsq_client_errors_total{code="HTTP_404"} 1',
      'nsq_refused_connections_total{protocol="tcp"} 2',
      'nsq_refused_connections_total{protocol="http"} 1',
      "nsq_tls_certificate_expiry_time_seconds 2000000000",
      'nsq_http_requests_total{method="GET",route="/ping",code="500"} 1',
      "nsq_up_since_seconds 1706702400",
      "process_start_time_seconds 1706702400",
      "nsq_fsync_duration_seconds_count 0",
      "nsq_event_loop_lag_seconds_count 0",
    ]
  ) assertEquals(lines.has(line), true, line);
});

Deno.test("GET /stats has what a channel has finished and how old its next message is, in JSON behind the rest", async () => {
  const api = await scene();
  const { broker, clock } = api;
  const statsOf = async () => {
    const { topics } = await api.json("/stats?format=json&topic=b") as {
      topics: { channels: Record<string, unknown>[] }[];
    };
    return Object.entries(topics[0].channels[0]).slice(-3).map(([key]) => key);
  };
  const before = await statsOf();
  broker.topic("b").channel("one").finishCount = 5;
  clock.advance(2500);
  const { topics } = await api.json("/stats?format=json&topic=b") as {
    topics: { channels: { finish_count: number; oldest_message_age_seconds: number }[] }[];
  };

  assertEquals(before, ["clients", "paused", "e2e_processing_latency"]);
  assertEquals(await statsOf(), ["e2e_processing_latency", "finish_count", "oldest_message_age_seconds"]);
  assertEquals([topics[0].channels[0].finish_count, topics[0].channels[0].oldest_message_age_seconds], [
    5,
    2,
  ]);
});
