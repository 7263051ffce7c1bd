import { assert, assertEquals } from "@std/assert";
import { memoryStats } from "../../../src/nsqd/stats/stats.ts";
import { httpApi, START_TIME_MS } from "../../support/http_api.ts";

/** Two topics, one of them paused, a channel that is paused, a producer and a consumer. */
async function scene() {
  const api = httpApi();
  const beta = api.broker.topic("beta");
  const alpha = api.broker.topic("alpha");
  alpha.channel("two").pause();
  alpha.channel("one");
  beta.pause();
  await api.request("POST", "/mpub?topic=alpha", "1\n22\n333");
  await api.request("POST", "/pub?topic=beta", "4444");
  await api.request("POST", "/pub?topic=alpha&defer=3600000", "55555");
  api.addClient({
    clientId: "producer",
    hostname: "phost",
    userAgent: "pub/1",
    remoteAddress: "127.0.0.1:6001",
    pubCounts: new Map([["alpha", 3]]),
  });
  api.addConsumer("alpha", "one", {
    clientId: "consumer",
    hostname: "chost",
    userAgent: "sub/1",
    remoteAddress: "[::1]:6002",
    inFlightCount: 1,
    messageCount: 2,
    requeueCount: 1,
    topologyZone: "z",
  });
  return api;
}

const CONSUMER_JSON =
  '{"client_id":"consumer","hostname":"chost","version":"V2","remote_address":"[::1]:6002",' +
  '"state":3,"ready_count":0,"in_flight_count":1,"message_count":2,"finish_count":0,"requeue_count":1,' +
  '"connect_ts":1706702400,"sample_rate":0,"deflate":false,"snappy":false,"user_agent":"sub/1",' +
  '"topology_zone":"z","topology_region":"","tls":false,"tls_cipher_suite":"","tls_version":"",' +
  '"tls_negotiated_protocol":"","tls_negotiated_protocol_is_mutual":false}';
const PRODUCER_JSON =
  '{"client_id":"producer","hostname":"phost","version":"V2","remote_address":"127.0.0.1:6001",' +
  '"state":0,"ready_count":0,"in_flight_count":0,"message_count":0,"finish_count":0,"requeue_count":0,' +
  '"connect_ts":1706702400,"sample_rate":0,"deflate":false,"snappy":false,"user_agent":"pub/1",' +
  '"topology_zone":"","topology_region":"","pub_counts":[{"topic":"alpha","count":3}],"tls":false,' +
  '"tls_cipher_suite":"","tls_version":"","tls_negotiated_protocol":"",' +
  '"tls_negotiated_protocol_is_mutual":false}';
const NO_LATENCY_JSON = '"e2e_processing_latency":{"count":0,"percentiles":null}';

Deno.test("GET /stats has the keys of NSQ in their order", async () => {
  const api = await scene();

  const { status, type, nsq, text } = await api.request("GET", "/stats?format=json&include_mem=false");

  assertEquals([status, type, nsq], [200, "application/json; charset=utf-8", "nsq; version=1.0"]);
  assertEquals(
    text,
    '{"version":"1.3.0","health":"OK","start_time":1706702400,"topics":[' +
      '{"topic_name":"alpha","channels":[' +
      '{"channel_name":"one","depth":3,"backend_depth":0,"in_flight_count":0,"deferred_count":1,' +
      `"message_count":4,"requeue_count":0,"timeout_count":0,"client_count":1,"clients":[${CONSUMER_JSON}],` +
      `"paused":false,${NO_LATENCY_JSON}},` +
      '{"channel_name":"two","depth":3,"backend_depth":0,"in_flight_count":0,"deferred_count":1,' +
      '"message_count":4,"requeue_count":0,"timeout_count":0,"client_count":0,"clients":[],' +
      `"paused":true,${NO_LATENCY_JSON}}],` +
      '"depth":0,"backend_depth":0,"message_count":4,"message_bytes":11,"paused":false,' +
      `${NO_LATENCY_JSON}},` +
      '{"topic_name":"beta","channels":[],"depth":1,"backend_depth":0,"message_count":1,"message_bytes":4,' +
      `"paused":true,${NO_LATENCY_JSON}}],"producers":[${PRODUCER_JSON}]}`,
  );
});

Deno.test("GET /stats is text unless JSON is asked for", async () => {
  const api = await scene();
  api.clock.advance(61_500);

  const { status, type, text } = await api.request("GET", "/stats?include_mem=false");

  assertEquals([status, type], [200, "text/plain; charset=utf-8"]);
  const lines = text.split("\n");
  assertEquals(lines[0], `nsqd v1.3.0 (built w/deno${Deno.version.deno})`);
  assertEquals(Date.parse(lines[1].replace("start_time ", "")), START_TIME_MS);
  assertEquals(lines.slice(2), [
    "uptime 1m1.5s",
    "",
    "Health: OK",
    "",
    "Topics:",
    "   [alpha          ] depth: 0     be-depth: 0     msgs: 4        e2e%: ",
    "      [one                      ] depth: 3     be-depth: 0     inflt: 0    def: 1    re-q: 0     timeout: 0     msgs: 4        e2e%: ",
    "        [V2 chost:6002 sub/1     ] state: 3 inflt: 1    rdy: 0    fin: 0        re-q: 1        msgs: 2        connected: 1m1s",
    "   *P [two                      ] depth: 3     be-depth: 0     inflt: 0    def: 1    re-q: 0     timeout: 0     msgs: 4        e2e%: ",
    "",
    "*P [beta           ] depth: 1     be-depth: 0     msgs: 1        e2e%: ",
    "",
    "Producers:",
    "   [V2 phost:6001 pub/1     ] msgs: 3        topics: alpha=3 connected: 1m1s",
    "",
  ]);
});

for (const stepMs of [3_600_000, -3_600_000]) {
  Deno.test(`GET /stats tells how long things last, though the clock is set by ${stepMs / 1000} s`, async () => {
    const api = await scene();
    api.clock.advance(30_000);
    api.clock.step(stepMs);
    api.clock.advance(31_500);

    const { text } = await api.request("GET", "/stats?include_mem=false");

    const lines = text.split("\n");
    assertEquals(Date.parse(lines[1].replace("start_time ", "")), START_TIME_MS);
    assertEquals(lines[2], "uptime 1m1.5s");
    assertEquals([...text.matchAll(/connected: (.*)/g)].map(([, connected]) => connected), ["1m1s", "1m1s"]);
  });

  Deno.test(`GET /stats has percentiles of its window, though the clock is set by ${stepMs / 1000} s`, async () => {
    const api = httpApi({ options: { e2eProcessingLatencyPercentiles: [1] } });
    const windowMs = 600_000;
    const { latency } = api.broker.topic("t").channel("a");
    latency?.insert(1_000_000, api.clock.monotonicMs());
    const counts = async () => {
      const { topics } = await api.json("/stats?format=json") as {
        topics: { e2e_processing_latency: { count: number } }[];
      };
      return topics[0].e2e_processing_latency.count;
    };

    api.clock.step(stepMs);
    api.clock.advance(windowMs / 2);
    const within = await counts();
    api.clock.advance(windowMs / 2 + 1);

    assertEquals([within, await counts()], [1, 0]);
  });
}

Deno.test("GET /stats as text says when there is nothing", async () => {
  const { text } = await httpApi().request("GET", "/stats?include_mem=false");

  assertEquals(text.split("\n").slice(2), [
    "uptime 0s",
    "",
    "Health: OK",
    "",
    "Topics: None",
    "",
    "Producers: None",
    "",
  ]);
});

Deno.test("GET /stats as text lists the use of memory in columns", async () => {
  const { text } = await httpApi().request("GET", "/stats");

  const names = [...text.matchAll(/^ {3}(\S+) +\t\d+$/gm)].map(([line, name]) =>
    `${name} ${line.indexOf("\t")}`
  );
  assertEquals(names, [
    "heap_objects 28",
    "heap_idle_bytes 28",
    "heap_in_use_bytes 28",
    "heap_released_bytes 28",
    "gc_pause_usec_100 28",
    "gc_pause_usec_99 28",
    "gc_pause_usec_95 28",
    "next_gc_bytes 28",
    "gc_total_runs 28",
  ]);
});

Deno.test("GET /stats filters by topic", async () => {
  const api = await scene();

  const { topics } = await api.json("/stats?format=json&topic=beta") as { topics: { topic_name: string }[] };

  assertEquals(topics.map(({ topic_name }) => topic_name), ["beta"]);
});

Deno.test("GET /stats has null for an unknown topic, and no producers", async () => {
  const api = await scene();

  const { topics, producers } = await api.json("/stats?format=json&topic=nope") as Record<string, unknown>;

  assertEquals([topics, producers], [null, null]);
});

Deno.test("GET /stats filters by channel and leaves out topics without it", async () => {
  const api = await scene();
  type Answer = { topics: { topic_name: string; channels: { channel_name: string }[] }[] };
  const names = async (query: string) => {
    const { topics } = await api.json(`/stats?format=json&${query}`) as Answer;
    return topics.map((
      topic,
    ) => [topic.topic_name, ...topic.channels.map((channel) => channel.channel_name)]);
  };

  assertEquals(await names("channel=one"), [["alpha", "one"]]);
  assertEquals(await names("topic=alpha&channel=nope"), []);
  assertEquals(await names("topic=beta&channel=one"), []);
});

Deno.test("GET /stats has null for clients that are not wanted, but counts them", async () => {
  const api = await scene();

  const { topics, producers } = await api.json("/stats?format=json&include_clients=false") as {
    topics: { channels: { clients: unknown; client_count: number }[] }[];
    producers: unknown;
  };

  assertEquals(producers, null);
  assertEquals(topics[0].channels.map(({ clients, client_count }) => [clients, client_count]), [[null, 1], [
    null,
    0,
  ]]);
});

Deno.test("GET /stats keeps producers of other topics listed, without their counts", async () => {
  const api = await scene();

  const { producers } = await api.json("/stats?format=json&topic=beta") as {
    producers: { client_id: string; pub_counts?: unknown }[];
  };

  assertEquals(producers.map(({ client_id, pub_counts }) => [client_id, pub_counts]), [[
    "producer",
    undefined,
  ]]);
});

Deno.test("GET /stats lists every topic of a producer", async () => {
  const api = httpApi();
  api.addClient({ pubCounts: new Map([["a", 2], ["b", 5]]) });

  const { text } = await api.request("GET", "/stats?include_mem=false");

  assertEquals(
    text.split("\n").at(-2),
    "   [V2 client.example:5000 test/1] msgs: 7        topics: a=2,b=5 connected: 0s",
  );
});

Deno.test("GET /stats shows counts of near messages only where there are some", async () => {
  const api = httpApi();
  const channel = api.broker.topic("t").channel("c");
  channel.zoneLocalMessageCount = 5;
  channel.globalMessageCount = 6;

  const { topics } = await api.json("/stats?format=json") as {
    topics: { channels: Record<string, unknown>[] }[];
  };

  const { zone_local_msg_count, region_local_msg_count, global_msg_count } = topics[0].channels[0];
  assertEquals([zone_local_msg_count, region_local_msg_count, global_msg_count], [5, undefined, 6]);
});

Deno.test("GET /stats has percentiles of a channel and, added up, of its topic", async () => {
  const api = httpApi({ options: { e2eProcessingLatencyPercentiles: [1] } });
  const topic = api.broker.topic("t");
  topic.channel("a").latency?.insert(2_500_000, api.clock.monotonicMs());
  topic.channel("b").latency?.insert(700, api.clock.monotonicMs());

  const { topics } = await api.json("/stats?format=json&channel=b") as {
    topics: { e2e_processing_latency: unknown; channels: { e2e_processing_latency: unknown }[] }[];
  };
  const { text } = await api.request("GET", "/stats?include_mem=false");

  assertEquals(topics[0].e2e_processing_latency, {
    count: 2,
    percentiles: [{ quantile: 1, value: 2_500_000 }],
  });
  assertEquals(topics[0].channels[0].e2e_processing_latency, {
    count: 1,
    percentiles: [{ quantile: 1, value: 700 }],
  });
  assertEquals([...text.matchAll(/e2e%: (.*)/g)].map(([, latency]) => latency), [
    "2.5ms",
    "2.5ms",
    "700.0ns",
  ]);
});

Deno.test("memoryStats() has whole numbers only", () => {
  const stats = memoryStats();

  for (const value of Object.values(stats)) assert(Number.isInteger(value) && value >= 0);
  assert(stats.heap_in_use_bytes > 0);
});

Deno.test("GET /stats tells how many messages a topic has lost, behind what NSQ tells, if any", async () => {
  const api = await scene();
  for (const [name, count] of [["alpha", 3], ["beta", 0]] as const) api.broker.topic(name).lostCount = count;

  const json = await api.request("GET", "/stats?format=json&include_mem=false&include_clients=false");
  const text = await api.request("GET", "/stats?include_mem=false&include_clients=false");

  const { topics } = JSON.parse(json.text);
  assertEquals(topics.map((topic: object) => Object.entries(topic).at(-1)), [
    ["lost_count", 3],
    ["e2e_processing_latency", { count: 0, percentiles: null }],
  ]);
  const lines = text.text.split("\n").filter((line) =>
    /^ {3}(\*P| {2})?\s*\[(alpha|beta)/.test(line) || line.startsWith("*P [beta")
  );
  assertEquals(lines.map((line) => line.includes("lost: 3")), [true, false]);
});

Deno.test("GET /stats tells what goes on behind the answers, while something does", async () => {
  const api = await scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  api.broker.background.include(promise);

  const json = await api.request("GET", "/stats?format=json&include_mem=false");
  const text = await api.request("GET", "/stats?include_mem=false");
  resolve();
  await api.broker.idle();

  assertEquals(JSON.parse(json.text).background, { tasks: 1, segments: 0, bytes: 0 });
  assertEquals(text.text.endsWith("\nBackground:\n   tasks: 1\n   segments: 0\n   bytes: 0\n"), true);
  const later = await api.request("GET", "/stats?format=json&include_mem=false");
  assertEquals("background" in JSON.parse(later.text), false);
});

Deno.test("GET /stats?include_node=true has what NSQ does not tell of a node, behind what it does", async () => {
  const api = httpApi();
  const target = "/stats?format=json&include_mem=false&include_node=true";

  const { node, ...others } = await api.json(target) as { node: Record<string, unknown> };

  const { resident_memory_bytes, data_path_free_bytes, data_path_size_bytes, ...rest } = node;
  assertEquals(rest, { ready: true, state: "running", reasons: [], store: "files" });
  assert(Number(resident_memory_bytes) > 1e6);
  assert(Number(data_path_size_bytes) >= Number(data_path_free_bytes));
  assertEquals(others, await api.json("/stats?format=json&include_mem=false"));
});
