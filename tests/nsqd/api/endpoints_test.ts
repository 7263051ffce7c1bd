import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS } from "../../../src/base/logger.ts";
import { CONFIG_VALUE_SIZE_MAX } from "../../../src/http/config_option.ts";
import { type Answer, httpApi } from "../../support/http_api.ts";
import { callHandler } from "../../support/http_call.ts";

const NSQ = "nsq; version=1.0";
const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const OK: Answer = { status: 200, type: TEXT, nsq: NSQ, text: "OK" };
const DONE: Answer = { status: 200, nsq: NSQ, text: "" };
const LONG = "x".repeat(65);

function refusal(status: number, message: string): Answer {
  return { status, type: JSON_TYPE, nsq: NSQ, text: `{"message":"${message}"}` };
}

function json(text: string): Answer {
  return { status: 200, type: JSON_TYPE, nsq: NSQ, text };
}

/** The body of an MPUB command. */
function mpub(...messages: string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts = messages.map((message) => encoder.encode(message));
  const out = new DataView(new ArrayBuffer(parts.reduce((sum, part) => sum + 4 + part.length, 4)));
  const bytes = new Uint8Array(out.buffer);
  out.setUint32(0, parts.length);
  let offset = 4;
  for (const part of parts) {
    out.setUint32(offset, part.length);
    bytes.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return bytes;
}

Deno.test("GET /ping answers with the health", async () => {
  const api = httpApi();

  const well = await api.request("GET", "/ping?x=%zz");
  api.state.health = "NOK - disk full";
  const ill = await api.request("GET", "/ping");

  assertEquals(well, { status: 200, type: TEXT, text: "OK" });
  assertEquals(ill, { status: 500, type: TEXT, text: "NOK - disk full" });
});

Deno.test("GET /info tells about the node", async () => {
  const api = httpApi({ options: { topologyZone: "z", topologyRegion: "r" } });

  assertEquals(
    await api.request("GET", "/info"),
    json(
      '{"version":"1.3.0","broadcast_address":"broadcast.example","hostname":"host.example","http_port":4151,' +
        '"tcp_port":4150,"start_time":1706702400,"max_heartbeat_interval":60000000000,' +
        '"max_output_buffer_size":65536,"max_output_buffer_timeout":30000000000,"max_deflate_level":6,' +
        '"topology_zone":"z","topology_region":"r"}',
    ),
  );
});

const SMALL = { maxMsgSizeBytes: 100, maxBodySizeBytes: 500 };

const PUBLISHES: readonly [name: string, query: string, body: string | string[], answer: Answer][] = [
  ["takes a message", "?topic=t", "hello", OK],
  ["takes a message in chunks", "?topic=t", ["in ", "three ", "parts"], OK],
  ["takes an ephemeral topic", "?topic=t%23ephemeral", "x", OK],
  ["takes the first of two topics", "?topic=t&topic=bad$", "x", OK],
  ["takes a message of the maximal size", "?topic=t", "x".repeat(100), OK],
  ["refuses a message above that", "?topic=t", "x".repeat(101), refusal(413, "MSG_TOO_BIG")],
  ["refuses chunks above that", "?topic=t", ["x".repeat(60), "y".repeat(60)], refusal(413, "MSG_TOO_BIG")],
  ["checks the size before the topic", "?topic=bad$", "x".repeat(101), refusal(413, "MSG_TOO_BIG")],
  ["refuses an empty message", "?topic=t", "", refusal(400, "MSG_EMPTY")],
  ["checks the empty message before the topic", "?topic=bad$", "", refusal(400, "MSG_EMPTY")],
  ["refuses to do without a topic", "", "x", refusal(400, "MISSING_ARG_TOPIC")],
  ["refuses an empty topic", "?topic=", "x", refusal(400, "INVALID_TOPIC")],
  ["refuses a bad topic", "?topic=bad$topic", "x", refusal(400, "INVALID_TOPIC")],
  ["refuses a long topic", `?topic=${LONG}`, "x", refusal(400, "INVALID_TOPIC")],
  ["refuses a bad escape", "?topic=%zz", "x", refusal(400, "INVALID_REQUEST")],
  ["refuses a semicolon", "?topic=a;b", "x", refusal(400, "INVALID_REQUEST")],
  ["takes a delay of nothing", "?topic=t&defer=0", "x", OK],
  ["takes a delay with a sign", "?topic=t&defer=%2B5", "x", OK],
  ["takes the longest delay", "?topic=t&defer=3600000", "x", OK],
  ["refuses a longer one", "?topic=t&defer=3600001", "x", refusal(400, "INVALID_DEFER")],
  ["refuses a negative delay", "?topic=t&defer=-1", "x", refusal(400, "INVALID_DEFER")],
  ["refuses a delay that is no number", "?topic=t&defer=soon", "x", refusal(400, "INVALID_DEFER")],
  ["refuses an empty delay", "?topic=t&defer=", "x", refusal(400, "INVALID_DEFER")],
  [
    "refuses a delay that overflows in NSQ",
    "?topic=t&defer=18446744073710",
    "x",
    refusal(400, "INVALID_DEFER"),
  ],
];

for (const [name, query, body, answer] of PUBLISHES) {
  Deno.test(`POST /pub ${name}`, async () => {
    assertEquals(await httpApi({ options: SMALL }).request("POST", `/pub${query}`, body), answer);
  });
}

Deno.test("POST /pub counts the message and its bytes", async () => {
  const api = httpApi();

  await api.request("POST", "/pub?topic=t", "hello");

  const topic = api.broker.topic("t");
  assertEquals([topic.messageCount, topic.messageBytes, topic.depth], [1, 5, 1]);
});

Deno.test("POST /pub defers the message", async () => {
  const api = httpApi();
  const channel = api.broker.topic("t").channel("c");

  await api.request("POST", "/pub?topic=t&defer=1000", "later");

  assertEquals([channel.depth, channel.deferredCount], [0, 1]);
});

Deno.test("POST /mpub publishes very many messages in parts, all of them", async () => {
  const api = httpApi({ options: { maxBodySizeBytes: 2_000_000 } });

  const answer = await api.request("POST", "/mpub?topic=t", "a\n".repeat(250_000));

  assertEquals(answer, OK);
  const topic = api.broker.topic("t");
  assertEquals([topic.messageCount, topic.depth], [250_000, 250_000]);
});

Deno.test("POST /pub does not make a topic for a message that it refuses", async () => {
  const api = httpApi();

  await api.request("POST", "/pub?topic=t", "");

  assertEquals([...api.broker.topics.keys()], []);
});

Deno.test("POST /pub has made the topic when it refuses the delay", async () => {
  const api = httpApi();

  await api.request("POST", "/pub?topic=t&defer=x", "x");

  assertEquals([...api.broker.topics.keys()], ["t"]);
});

Deno.test("POST /pub answers 503 when the message cannot be kept", async () => {
  const api = httpApi({ options: { memQueueSize: 0 }, diskFails: true });

  assertEquals(await api.request("POST", "/pub?topic=t", "x"), refusal(503, "EXITING"));
});

Deno.test("POST /pub leaves no line in the log but the topic's", async () => {
  const api = httpApi();

  await api.request("POST", "/pub?topic=t", "x");

  assertEquals(api.lines, ["INFO: TOPIC(t): created"]);
});

Deno.test("POST /pub logs what is wrong with a query", async () => {
  const api = httpApi();

  await api.request("POST", "/pub?topic=%zz", "x");

  assertEquals(api.lines, ['ERROR: failed to parse request params - invalid URL escape "%zz"']);
});

type MpubBody = string | string[] | Uint8Array<ArrayBuffer>;
const BATCHES: readonly [name: string, query: string, body: MpubBody, answer: Answer, count: number][] = [
  ["takes a message from each line", "", "one\ntwo\nthree", OK, 3],
  ["takes a last line with its end", "", "one\ntwo\n", OK, 2],
  ["drops empty lines", "", "\n\none\n\n\ntwo\n\n", OK, 2],
  ["takes lines without messages", "", "\n\n\n", OK, 0],
  ["takes nothing", "", "", OK, 0],
  ["takes a line of the maximal size", "", "x".repeat(100) + "\n", OK, 1],
  ["refuses a longer one", "", "a\n" + "x".repeat(101), refusal(413, "MSG_TOO_BIG"), 0],
  ["takes a body of the maximal size", "", ("x".repeat(99) + "\n").repeat(5), OK, 5],
  ["refuses a larger one", "", ("x".repeat(99) + "\n").repeat(5) + "y", refusal(413, "BODY_TOO_BIG"), 0],
  ["refuses larger chunks", "", Array(6).fill("x".repeat(99) + "\n"), refusal(413, "BODY_TOO_BIG"), 0],
  ["takes a binary body", "&binary=true", mpub("a", "b\nb"), OK, 2],
  ["takes any other word for true", "&binary=yes", mpub("a", "b\nb"), OK, 2],
  ["takes no word for true", "&binary=", mpub("a", "b\nb"), OK, 2],
  ["takes 0 for false", "&binary=0", "a\nb", OK, 2],
  ["refuses a binary count of 0", "&binary=1", mpub(), refusal(413, "BAD_BODY"), 0],
  ["refuses a binary body without a count", "&binary=1", new Uint8Array(3), refusal(413, "BAD_BODY"), 0],
  [
    "refuses a count that no body can hold",
    "&binary=1",
    Uint8Array.of(0, 0, 0, 100),
    refusal(413, "BAD_BODY"),
    0,
  ],
  [
    "refuses a count without messages",
    "&binary=1",
    Uint8Array.of(0, 0, 0, 99),
    refusal(413, "BAD_MESSAGE"),
    0,
  ],
  ["refuses a negative count", "&binary=1", Uint8Array.of(255, 0, 0, 1), refusal(413, "BAD_BODY"), 0],
  ["refuses an empty binary message", "&binary=1", mpub("a", ""), refusal(413, "BAD_MESSAGE"), 0],
  ["refuses a large binary message", "&binary=1", mpub("x".repeat(101)), refusal(413, "BAD_MESSAGE"), 0],
  ["refuses a cut off binary message", "&binary=1", mpub("abc").slice(0, -1), refusal(413, "BAD_MESSAGE"), 0],
];

for (const [name, query, body, answer, count] of BATCHES) {
  Deno.test(`POST /mpub ${name}`, async () => {
    const api = httpApi({ options: SMALL });

    const got = await api.request("POST", `/mpub?topic=t${query}`, body);

    assertEquals(got, answer);
    assertEquals(api.broker.topics.get("t")?.messageCount ?? 0, count);
  });
}

Deno.test("POST /mpub counts the bytes of the messages only", async () => {
  const api = httpApi();

  await api.request("POST", "/mpub?topic=t", "a\nbc\n");
  await api.request("POST", "/mpub?topic=t&binary=true", mpub("def", "ghij"));

  assertEquals(api.broker.topic("t").messageBytes, 10);
});

Deno.test("POST /mpub leaves out what follows the last binary message", async () => {
  const api = httpApi();

  const answer = await api.request(
    "POST",
    "/mpub?topic=t&binary=true",
    Uint8Array.of(...mpub("ab"), 1, 2, 3),
  );

  assertEquals(answer, OK);
  assertEquals(api.broker.topic("t").messageBytes, 2);
});

Deno.test("POST /mpub refuses a binary body in chunks above the limit", async () => {
  const api = httpApi({ options: SMALL });
  const chunk = "\0\0\0\x06\0\0\0\x64" + "x".repeat(100);

  const answer = await api.request("POST", "/mpub?topic=t&binary=true", [
    chunk,
    ...Array(5).fill(chunk.slice(4)),
  ]);

  assertEquals(answer, refusal(413, "BODY_TOO_BIG"));
});

Deno.test("POST /mpub checks the size before the topic, and the topic before the body", async () => {
  const api = httpApi({ options: SMALL });

  assertEquals(await api.request("POST", "/mpub", "x".repeat(501)), refusal(413, "BODY_TOO_BIG"));
  assertEquals(await api.request("POST", "/mpub?topic=bad$", "a"), refusal(400, "INVALID_TOPIC"));
  assertEquals(await api.request("POST", "/mpub", ["x".repeat(501)]), refusal(400, "MISSING_ARG_TOPIC"));
});

Deno.test("POST /mpub has made the topic when it refuses a message", async () => {
  const api = httpApi({ options: SMALL });

  await api.request("POST", "/mpub?topic=t", "x".repeat(101));

  assertEquals([...api.broker.topics.keys()], ["t"]);
});

Deno.test("POST /mpub warns of words for true and false that are neither", async () => {
  const api = httpApi();

  await api.request("POST", "/mpub?topic=t&binary=yes", mpub("a"));

  assertStringIncludes(api.lines.join("\n"), "WARNING: deprecated value 'yes' used for /mpub binary param");
});

Deno.test("POST /mpub answers 503 when the messages cannot be kept", async () => {
  const api = httpApi({ options: { memQueueSize: 0 }, diskFails: true });

  assertEquals(await api.request("POST", "/mpub?topic=t", "a\nb"), refusal(503, "EXITING"));
});

Deno.test("POST /topic/create makes a topic, and leaves one that is there", async () => {
  const api = httpApi();

  assertEquals(await api.request("POST", "/topic/create?topic=t"), DONE);
  await api.request("POST", "/pub?topic=t", "kept");
  assertEquals(await api.request("POST", "/topic/create?topic=t"), DONE);

  assertEquals(api.broker.topics.get("t")?.messageCount, 1);
});

Deno.test("POST /topic/delete deletes a topic once", async () => {
  const api = httpApi();
  api.broker.topic("t").channel("c");

  assertEquals(await api.request("POST", "/topic/delete?topic=t"), DONE);
  assertEquals(await api.request("POST", "/topic/delete?topic=t"), refusal(404, "TOPIC_NOT_FOUND"));

  assertEquals(api.broker.topics.size, 0);
});

Deno.test("POST /topic/empty drops the topic's own messages", async () => {
  const api = httpApi();
  await api.request("POST", "/mpub?topic=t", "a\nb");

  assertEquals(await api.request("POST", "/topic/empty?topic=t"), DONE);

  const topic = api.broker.topic("t");
  assertEquals([topic.depth, topic.messageCount], [0, 2]);
});

Deno.test("POST /topic/pause and unpause change the topic and write it down at once", async () => {
  const api = httpApi();
  const topic = api.broker.topic("t");

  assertEquals(await api.request("POST", "/topic/pause?topic=t"), DONE);
  assertEquals([topic.paused, api.calls.length], [true, 1]);
  assertEquals(await api.request("POST", "/topic/unpause?topic=t"), DONE);
  assertEquals([topic.paused, api.calls], [false, ["persistMetadata", "persistMetadata"]]);
});

Deno.test("POST /channel/create makes a channel, and leaves one that is there", async () => {
  const api = httpApi();
  const topic = api.broker.topic("t");

  assertEquals(await api.request("POST", "/channel/create?topic=t&channel=c"), DONE);
  assertEquals(await api.request("POST", "/channel/create?topic=t&channel=c"), DONE);

  assertEquals([...topic.channels.keys()], ["c"]);
});

Deno.test("POST /channel/delete deletes a channel once", async () => {
  const api = httpApi();
  const topic = api.broker.topic("t");
  topic.channel("a");
  topic.channel("b");

  assertEquals(await api.request("POST", "/channel/delete?topic=t&channel=a"), DONE);
  assertEquals(
    await api.request("POST", "/channel/delete?topic=t&channel=a"),
    refusal(404, "CHANNEL_NOT_FOUND"),
  );

  assertEquals([...topic.channels.keys()], ["b"]);
});

Deno.test("POST /channel/empty drops the channel's messages and no other's", async () => {
  const api = httpApi();
  const topic = api.broker.topic("t");
  const [a, b] = [topic.channel("a"), topic.channel("b")];
  await api.request("POST", "/mpub?topic=t", "1\n2");

  assertEquals(await api.request("POST", "/channel/empty?topic=t&channel=a"), DONE);

  assertEquals([a.depth, b.depth], [0, 2]);
});

Deno.test("POST /channel/pause and unpause change the channel and write it down at once", async () => {
  const api = httpApi();
  const channel = api.broker.topic("t").channel("c");

  assertEquals(await api.request("POST", "/channel/pause?topic=t&channel=c"), DONE);
  assertEquals([channel.paused, api.calls.length], [true, 1]);
  assertEquals(await api.request("POST", "/channel/unpause?topic=t&channel=c"), DONE);
  assertEquals([channel.paused, api.calls], [false, ["persistMetadata", "persistMetadata"]]);
});

const NO_TOPIC = refusal(404, "TOPIC_NOT_FOUND");
const TOPIC_REFUSALS: readonly [path: string, query: string, answer: Answer][] = [
  ["/topic/create", "", refusal(400, "MISSING_ARG_TOPIC")],
  ["/topic/create", "?topic=", refusal(400, "INVALID_TOPIC")],
  ["/topic/create", `?topic=${LONG}`, refusal(400, "INVALID_TOPIC")],
  ["/topic/create", "?topic=%zz", refusal(400, "INVALID_REQUEST")],
  ["/topic/empty", "", refusal(400, "MISSING_ARG_TOPIC")],
  ["/topic/empty", "?topic=", refusal(400, "INVALID_TOPIC")],
  ["/topic/empty", "?topic=bad$", refusal(400, "INVALID_TOPIC")],
  ["/topic/empty", "?topic=never", NO_TOPIC],
  ...["/topic/delete", "/topic/pause", "/topic/unpause"].flatMap((path) =>
    [
      [path, "", refusal(400, "MISSING_ARG_TOPIC")],
      [path, "?topic=", NO_TOPIC],
      [path, "?topic=bad$", NO_TOPIC],
      [path, `?topic=${LONG}`, NO_TOPIC],
      [path, "?topic=never", NO_TOPIC],
      [path, "?topic=%zz", refusal(400, "INVALID_REQUEST")],
    ] as [string, string, Answer][]
  ),
  ...["/channel/create", "/channel/delete", "/channel/empty", "/channel/pause", "/channel/unpause"].flatMap((
    path,
  ) =>
    [
      [path, "?channel=c", refusal(400, "MISSING_ARG_TOPIC")],
      [path, "?topic=&channel=c", refusal(400, "INVALID_ARG_TOPIC")],
      [path, "?topic=bad$&channel=c", refusal(400, "INVALID_ARG_TOPIC")],
      [path, "?topic=never", refusal(400, "MISSING_ARG_CHANNEL")],
      [path, "?topic=never&channel=", refusal(400, "INVALID_ARG_CHANNEL")],
      [path, "?topic=never&channel=bad$", refusal(400, "INVALID_ARG_CHANNEL")],
      [path, "?topic=never&channel=c", NO_TOPIC],
      [path, "?topic=%zz&channel=c", refusal(400, "INVALID_REQUEST")],
    ] as [string, string, Answer][]
  ),
  ...["/channel/delete", "/channel/empty", "/channel/pause", "/channel/unpause"].map((path) =>
    [path, "?topic=there&channel=never", refusal(404, "CHANNEL_NOT_FOUND")] as [string, string, Answer]
  ),
];

for (const [path, query, answer] of TOPIC_REFUSALS) {
  Deno.test(`POST ${path}${query} is refused`, async () => {
    const api = httpApi();
    api.broker.topic("there");

    assertEquals(await api.request("POST", `${path}${query}`), answer);
    assertEquals([[...api.broker.topics.keys()], api.calls], [["there"], []]);
  });
}

const CONFIG: readonly [method: string, option: string, body: string | undefined, answer: Answer][] = [
  ["GET", "max_rdy_count", undefined, json("2500")],
  ["GET", "msg_timeout", undefined, json("60000000000")],
  ["GET", "deflate", undefined, json("true")],
  ["GET", "log_level", undefined, json("2")],
  ["GET", "nsqlookupd_tcp_addresses", undefined, json("[]")],
  ["GET", "broadcast_address", undefined, { status: 200, type: TEXT, nsq: NSQ, text: "broadcast.example" }],
  ["GET", "topology_zone", undefined, DONE],
  ["GET", "mem-queue-size", undefined, refusal(400, "INVALID_OPTION")],
  ["GET", "nope", undefined, refusal(400, "INVALID_OPTION")],
  ["PUT", "nope", "1", refusal(400, "INVALID_OPTION")],
  ["PUT", "mem_queue_size", "1", refusal(400, "INVALID_OPTION")],
  ["PUT", "log_level", "debug", json("1")],
  ["PUT", "log_level", "ERROR", json("4")],
  ["PUT", "log_level", "loud", refusal(400, "INVALID_VALUE")],
  ["PUT", "log_level", '"info"', refusal(400, "INVALID_VALUE")],
  ["PUT", "log_level", "", refusal(413, "INVALID_VALUE")],
  ["PUT", "log_level", "x".repeat(101), refusal(413, "INVALID_VALUE")],
  ["PUT", "nsqlookupd_tcp_addresses", '["a:1", "b:2"]', json('["a:1","b:2"]')],
  ["PUT", "nsqlookupd_tcp_addresses", "[]", json("[]")],
  ["PUT", "nsqlookupd_tcp_addresses", "null", json("[]")],
  ["PUT", "nsqlookupd_tcp_addresses", "127.0.0.1:1", refusal(400, "INVALID_VALUE")],
  ["PUT", "nsqlookupd_tcp_addresses", "{}", refusal(400, "INVALID_VALUE")],
  ["PUT", "nsqlookupd_tcp_addresses", "[1]", refusal(400, "INVALID_VALUE")],
  ["PUT", "nsqlookupd_tcp_addresses", "", refusal(413, "INVALID_VALUE")],
];

for (const [method, option, body, answer] of CONFIG) {
  Deno.test(`${method} /config/${option} answers ${answer.text.slice(0, 40)} to ${body?.slice(0, 20)}`, async () => {
    assertEquals(await httpApi({ options: SMALL }).request(method, `/config/${option}`, body), answer);
  });
}

Deno.test("PUT /config takes values up to CONFIG_VALUE_SIZE_MAX, and no larger ones", async () => {
  const value = (size: number) => `["a:1"${" ".repeat(size - '["a:1"]'.length)}]`;

  assertEquals(
    await Promise.all(
      [CONFIG_VALUE_SIZE_MAX, CONFIG_VALUE_SIZE_MAX + 1].map((size) =>
        httpApi().request("PUT", "/config/nsqlookupd_tcp_addresses", value(size))
      ),
    ),
    [json('["a:1"]'), refusal(413, "INVALID_VALUE")],
  );
});

Deno.test("GET /config/auth_http_addresses shows no credentials", async () => {
  const authHttpAddresses = ["127.0.0.1:4181", "http://me:s3cret@auth.example/auth?key=abc"];

  const { text } = await httpApi({ options: { authHttpAddresses } }).request(
    "GET",
    "/config/auth_http_addresses",
  );

  assertEquals(JSON.parse(text), ["127.0.0.1:4181", "http://***@auth.example/auth?key=***"]);
});

Deno.test("PUT /config/log_level changes what is logged", async () => {
  const api = httpApi({ options: { logLevel: LOG_LEVELS.error } });

  await api.request("GET", "/ping");
  await api.request("PUT", "/config/log_level", "info");
  await api.request("GET", "/ping");

  assertEquals(api.lines.map((line) => line.split(" (")[0]), [
    "INFO: 200 PUT /config/log_level",
    "INFO: 200 GET /ping",
  ]);
});

Deno.test("GET /debug/pprof/* answers with pages that have something to say", async () => {
  const api = httpApi();

  for (const name of ["", "cmdline", "symbol", "heap", "goroutine", "block", "threadcreate"]) {
    const { status, text } = await api.request("GET", `/debug/pprof/${name}`);
    assertEquals([name, status, text.length > 0], [name, 200, true]);
  }
});

Deno.test("GET /debug/pprof/goroutine names the tasks", async () => {
  const { text } = await httpApi().request("GET", "/debug/pprof/goroutine");

  assertEquals(text, "tasks: 2\ntcpServer\nqueueScanLoop\n");
});

Deno.test("GET /debug/pprof/profile takes a profile of the processor while the client waits", async () => {
  const call = { target: "/debug/pprof/profile", signal: AbortSignal.abort() };

  const { text } = await callHandler(httpApi().handle, call);

  const profile: { nodes: unknown[] } = JSON.parse(text);
  assert(profile.nodes.length > 0);
});

const BLOCK_RATES: readonly [query: string, status: number, text: RegExp][] = [
  ["", 400, /^invalid block rate : strconv\.Atoi: parsing "": invalid syntax$/],
  ["?rate=x", 400, /^invalid block rate : strconv\.Atoi: parsing "x": invalid syntax$/],
  ["?rate=99999999999999999999", 400, /^invalid block rate : .*: value out of range$/],
  ["?rate=%2B5", 200, /no profile/],
];

for (const [query, status, text] of BLOCK_RATES) {
  Deno.test(`PUT /debug/setblockrate${query} answers ${status}`, async () => {
    const answer = await httpApi().request("PUT", `/debug/setblockrate${query}`);

    assertEquals([answer.status, answer.type], [status, TEXT]);
    assertMatch(answer.text, text);
  });
}

Deno.test("POST /debug/freememory answers 200", async () => {
  assertEquals((await httpApi().request("POST", "/debug/freememory")).status, 200);
});

Deno.test("nsqdHttpApi() knows none of NSQ's old paths", async () => {
  const api = httpApi();

  for (const path of ["/put", "/mput", "/create_topic", "/delete_topic", "/create_channel"]) {
    assertEquals(await api.request("POST", `${path}?topic=x&channel=y`, "x"), refusal(404, "NOT_FOUND"));
  }
});

Deno.test("nsqdHttpApi() refuses other methods", async () => {
  const { status, allow } = await httpApi().request("GET", "/topic/create?topic=x");

  assertEquals([status, allow], [405, "OPTIONS, POST"]);
});

for (const path of ["/pub", "/mpub"]) {
  Deno.test(`POST ${path} lets whoever has published in this turn know what has become of it first`, async () => {
    const counts: number[] = [];
    const api = httpApi({
      onCommitTurn: (broker) => counts.push(broker.topic("t").messageCount),
    });

    await api.request("POST", `${path}?topic=t`, "hello");

    assertEquals([counts, api.broker.topic("t").messageCount], [[0], 1]);
  });
}
