import { assertEquals, assertMatch } from "@std/assert";
import { ConsumeClient, QUERY } from "../../support/consume_client.ts";
import { eventually } from "../../support/eventually.ts";
import { countsOf, nsqdTest } from "../../support/nsqd_in_process.ts";
import type { NsqdInProcess } from "../../support/nsqd_in_process.ts";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";

function consumeTest(
  name: string,
  test: (client: ConsumeClient, nsqd: NsqdInProcess) => Promise<void>,
  options: Partial<NsqdOptions> = {},
): void {
  nsqdTest(name, (nsqd) => test(new ConsumeClient(nsqd.httpUrl), nsqd), options);
}

consumeTest(
  "POST /receive answers messages as JSON, of which POST /finish takes the leases",
  async (client) => {
    await client.publish("hello", Uint8Array.of(0, 255), "\ufeffmark", '<a href="x">\n\u2028');

    const { status, text, headers } = await client.post(`/receive?${QUERY}`);
    const { messages } = JSON.parse(text);

    assertEquals(status, 200);
    assertEquals(headers.get("content-type"), "application/json; charset=utf-8");
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(
      messages.map(({ body, encoding }: { body: string; encoding?: string }) => [body, encoding]),
      [
        ["hello", undefined],
        ["AP8=", "base64"],
        ["\ufeffmark", undefined],
        ['<a href="x">\n\u2028', undefined],
      ],
    );
    const [first] = messages;
    assertEquals(Object.keys(first), ["id", "lease", "attempts", "timestamp", "expires_in_ms", "body"]);
    assertMatch(first.lease, new RegExp(`^${first.id}\\.1\\.[a-z0-9]{8}$`));
    assertMatch(first.timestamp, /^\d{19}$/);
    assertEquals([first.attempts, first.expires_in_ms], [1, 60_000]);
    const leases = messages.map(({ lease }: { lease: string }) => lease);
    assertEquals(await client.answer(`/finish?${QUERY}`, leases.join("\n")), '200 {"done":4}');
    assertEquals(await client.answer(`/finish?${QUERY}`, leases.join("\r\n")), '200 {"done":4}');
  },
);

consumeTest("POST /receive answers the bytes of one message, or 204", async (client) => {
  await client.publish(Uint8Array.of(1, 0, 255));

  const response = await fetch(`${client.url}/receive?${QUERY}`, {
    method: "POST",
    headers: { accept: "application/octet-stream" },
  });
  const nothing = await client.post(`/receive?${QUERY}&format=raw`);

  assertEquals(await response.bytes(), Uint8Array.of(1, 0, 255));
  assertEquals(response.headers.get("content-type"), "application/octet-stream");
  assertEquals(response.headers.get("nsq-attempts"), "1");
  assertEquals(response.headers.get("nsq-message-id")?.length, 16);
  assertMatch(response.headers.get("nsq-timestamp") ?? "", /^\d{19}$/);
  assertEquals([nothing.status, nothing.text], [204, ""]);
  assertEquals(
    await client.answer(`/finish?${QUERY}`, response.headers.get("nsq-lease") ?? ""),
    '200 {"done":1}',
  );
});

consumeTest("POST /receive answers frames of protocol V2, whose leases the client makes", async (client) => {
  await client.publish("a", "bc");

  const response = await fetch(`${client.url}/receive?${QUERY}&format=frames`, { method: "POST" });
  const frames = await response.bytes();
  const view = new DataView(frames.buffer);
  const epoch = response.headers.get("nsq-lease-epoch");
  const leases: string[] = [];
  const bodies: string[] = [];
  for (let at = 0; at < frames.length; at += 4 + view.getUint32(at)) {
    assertEquals(view.getUint32(at + 4), 2);
    const id = new TextDecoder().decode(frames.subarray(at + 18, at + 34));
    leases.push(`${id}.${view.getUint16(at + 16)}.${epoch}`);
    bodies.push(new TextDecoder().decode(frames.subarray(at + 34, at + 4 + view.getUint32(at))));
  }

  assertEquals(response.headers.get("content-type"), "application/vnd.nsq.v2");
  assertEquals(bodies, ["a", "bc"]);
  assertEquals(
    await client.answer(`/finish?${QUERY}`, JSON.stringify({ leases }), JSON_TYPE),
    '200 {"done":2}',
  );
});

consumeTest("POST /receive finishes the leases in its body first", async (client, nsqd) => {
  await client.publish("a", "b");
  const [a] = await client.receive("&max=1");

  const { text } = await client.post(`/receive?${QUERY}`, a.lease);

  assertEquals(JSON.parse(text).messages.map(({ body }: { body: string }) => body), ["b"]);
  assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 1, deferred: 0 });
});

consumeTest(
  "POST /receive takes nothing when a lease in its body cannot be finished",
  async (client, nsqd) => {
    await client.publish("a");

    assertEquals(
      await client.answer(`/receive?${QUERY}`, "0000000000000000.1.abc"),
      '409 {"done":0,"failed":[{"lease":"0000000000000000.1.abc","message":"UNKNOWN"}]}',
    );
    assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
  },
);

consumeTest("POST /receive waits for a message, and no longer than it is told", async (client) => {
  await client.publish();
  const waiting = client.receive("&wait=20s");
  await client.publish("late");

  assertEquals((await waiting).map(({ body }) => body), ["late"]);
  assertEquals(await client.receive("&wait=100"), []);
});

consumeTest("POST /receive whose client has gone takes no message", async (client, nsqd) => {
  await client.publish();
  const gone = new AbortController();
  const waiting = fetch(`${client.url}/receive?${QUERY}&wait=30s`, { method: "POST", signal: gone.signal })
    .catch((error: Error) => error.name);
  const channel = nsqd.nsqd.broker.topics.get("t")?.channels.get("c");
  await eventually(
    "it waits",
    () => [...channel?.consumers ?? []].some((consumer) => consumer.readyCount > 0),
  );
  gone.abort();
  assertEquals(await waiting, "AbortError");
  await eventually(
    "it has gone",
    () => [...channel?.consumers ?? []].every(({ readyCount }) => readyCount === 0),
  );
  await client.publish("a");

  assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
});

consumeTest(
  "POST /requeue gives messages back, and POST /touch makes leases valid for longer",
  async (client, nsqd) => {
    await client.publish("a", "b");
    const [a, b] = await client.receive();

    assertEquals(await client.answer(`/touch?${QUERY}`, a.lease), '200 {"done":1,"expires_in_ms":60000}');
    assertEquals(await client.answer(`/requeue?${QUERY}`, a.lease), '200 {"done":1}');
    assertEquals(await client.answer(`/requeue?${QUERY}&delay=5m`, b.lease), '200 {"done":1}');
    assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 1 });
    assertEquals((await client.receive()).map(({ body, attempts }) => [body, attempts]), [["a", 2]]);
    const failed = `"failed":[{"lease":"${a.lease}","message":"EXPIRED"}]`;
    assertEquals(await client.answer(`/touch?${QUERY}`, a.lease), `409 {"done":0,${failed}}`);
    assertEquals(await client.answer(`/requeue?${QUERY}`, a.lease), `409 {"done":0,${failed}}`);
  },
);

const JSON_TYPE = { "content-type": "application/json" };
const LEASE = "0123456789abcdef.1.abcdefgh";

const REFUSED:
  readonly (readonly [target: string, body: string, answer: string, headers?: Record<string, string>])[] = [
    ["/receive", "", "400 MISSING_ARG_TOPIC"],
    ["/receive?topic=t", "", "400 MISSING_ARG_CHANNEL"],
    ["/receive?topic=t%20&channel=c", "", "400 INVALID_ARG_TOPIC"],
    ["/receive?topic=t&channel=c%20", "", "400 INVALID_ARG_CHANNEL"],
    ["/receive?topic=t&channel=c%23ephemeral", "", "400 EPHEMERAL_CHANNEL"],
    [`/receive?${QUERY}&ack=auto`, "", "400 INVALID_ACK"],
    [`/receive?${QUERY}&max=0`, "", "400 INVALID_MAX"],
    [`/receive?${QUERY}&max=1001`, "", "400 INVALID_MAX"],
    [`/receive?${QUERY}&max=x`, "", "400 INVALID_MAX"],
    [`/receive?${QUERY}&max=2&format=raw`, "", "400 INVALID_MAX"],
    [`/receive?${QUERY}&wait=50001`, "", "400 INVALID_WAIT"],
    [`/receive?${QUERY}&wait=-1s`, "", "400 INVALID_WAIT"],
    [`/receive?${QUERY}&wait=soon`, "", "400 INVALID_WAIT"],
    [`/receive?${QUERY}&timeout=999`, "", "400 INVALID_TIMEOUT"],
    [`/receive?${QUERY}&timeout=15m1ms`, "", "400 INVALID_TIMEOUT"],
    [`/receive?${QUERY}&format=xml`, "", "400 INVALID_FORMAT"],
    [`/receive?${QUERY}&token=x`, "", "400 TOKEN_IN_URL"],
    [`/finish?${QUERY}&access_token=x`, LEASE, "400 TOKEN_IN_URL"],
    [`/finish?${QUERY}`, "", "400 MISSING_LEASES"],
    [`/finish?${QUERY}`, "\n\n", "400 MISSING_LEASES"],
    [`/finish?${QUERY}`, "{}", "400 INVALID_BODY", JSON_TYPE],
    [`/finish?${QUERY}`, '{"leases":[1]}', "400 INVALID_BODY", JSON_TYPE],
    [`/finish?${QUERY}`, '{"leases":', "400 INVALID_BODY", JSON_TYPE],
    [`/finish?${QUERY}`, "null", "400 INVALID_BODY", JSON_TYPE],
    [`/finish?${QUERY}`, `${LEASE}\n`.repeat(1001), "413 BODY_TOO_BIG"],
    [`/finish?${QUERY}`, "x".repeat(68_001), "413 BODY_TOO_BIG"],
    ["/finish?topic=absent&channel=c", LEASE, "404 TOPIC_NOT_FOUND"],
    ["/finish?topic=t&channel=absent", LEASE, "404 CHANNEL_NOT_FOUND"],
    [`/requeue?${QUERY}&delay=3600001`, LEASE, "400 INVALID_DELAY"],
    [`/touch?${QUERY}`, "", "400 MISSING_LEASES"],
  ];

consumeTest(
  "What cannot be consumed is refused with what is wrong, and takes nothing",
  async (client, nsqd) => {
    await client.publish("a");
    for (const [target, body, expected, headers] of REFUSED) {
      const [status, message] = expected.split(" ");
      const answer = await client.answer(target, body, headers);
      assertEquals([target, answer], [target, `${status} {"message":"${message}"}`]);
    }

    assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
  },
);

consumeTest("What is at the limit is taken: messages, times, leases", async (client) => {
  await client.publish("a");
  const [{ lease, expires_in_ms }] = await client.receive("&max=1000&wait=50000&timeout=15m");
  assertEquals(expires_in_ms, 900_000);
  assertEquals(await client.answer(`/requeue?${QUERY}&delay=3600000`, lease), '200 {"done":1}');
  await client.publish("a");
  assertEquals((await client.receive("&timeout=1s&wait=50s")).map((m) => m.expires_in_ms), [1000]);

  const { status, text } = await client.post(`/finish?${QUERY}`, `${LEASE}\n`.repeat(1000));
  assertEquals([status, JSON.parse(text).failed.length], [409, 1000]);
  const long = "x".repeat(68_000);
  assertEquals(JSON.parse((await client.post(`/finish?${QUERY}`, long)).text).failed, [
    { lease: "x".repeat(64), message: "UNKNOWN" },
  ]);
});

consumeTest("An answer has bodies of 4 MiB, or one message", async (client) => {
  const body = new Uint8Array(1024 * 1024).fill(0x61);
  await client.publish(...Array.from({ length: 7 }, () => body));

  assertEquals((await client.receive()).map(({ body }) => body.length), Array(4).fill(1024 * 1024));
  assertEquals((await client.receive()).length, 3);
});

consumeTest("GET never takes messages: it is told what to do instead", async (client, nsqd) => {
  await client.publish("a");
  for (const path of ["/receive", "/finish", "/requeue", "/touch"]) {
    const response = await fetch(`${client.url}${path}?${QUERY}`);
    assertEquals([response.status, response.headers.get("allow")], [405, "OPTIONS, POST"]);
    assertEquals(await response.text(), '{"message":"METHOD_NOT_ALLOWED"}');
  }

  assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
});

consumeTest("/stats shows who consumes over HTTP as a client", async (client) => {
  await client.publish("a", "b", "c");
  const [a] = await client.receive("&max=2");
  await client.post(`/finish?${QUERY}`, a.lease);
  const { topics } = await (await fetch(`${client.url}/stats?format=json`)).json();
  const [{ clients, client_count, in_flight_count }] = topics[0].channels;
  const [{ version, state, hostname, in_flight_count: inFlight, message_count, finish_count }] = clients;

  assertEquals([client_count, in_flight_count], [1, 1]);
  assertEquals({ version, state, hostname, inFlight, message_count, finish_count }, {
    version: "HTTP",
    state: 3,
    hostname: "127.0.0.1",
    inFlight: 1,
    message_count: 2,
    finish_count: 1,
  });
});

consumeTest(
  "Too many leases, or requests that wait, get 429 and when to come again",
  async (client, nsqd) => {
    await client.publish("a", "b");
    await client.receive("&max=1");
    const leases = await client.post(`/receive?${QUERY}`);
    assertEquals([leases.status, leases.text, leases.headers.get("retry-after")], [
      429,
      '{"message":"TOO_MANY_LEASES"}',
      "1",
    ]);
    await client.post("/channel/empty?topic=t&channel=c");

    const channel = nsqd.nsqd.broker.topics.get("t")?.channels.get("c");
    const waiting = client.receive("&wait=20s");
    await eventually(
      "it waits",
      () => [...channel?.consumers ?? []].some(({ readyCount }) => readyCount > 0),
    );
    assertEquals(await client.answer(`/receive?${QUERY}&wait=20s`), '429 {"message":"TOO_MANY_WAITERS"}');
    assertEquals(await client.receive(), []);
    await client.publish("x");
    assertEquals((await waiting).length, 1);
  },
  { httpMaxLeases: 1, httpMaxWaiters: 1 },
);

nsqdTest("Nsqd.stop() answers who waits, and ends streams with an event", async (nsqd) => {
  const client = new ConsumeClient(nsqd.httpUrl);
  await client.publish();
  const waiting = client.receive("&wait=30s");
  using events = await client.subscribe();
  assertEquals(await events.next(), "retry: 2000");
  const channel = nsqd.nsqd.broker.topics.get("t")?.channels.get("c");
  await eventually("both wait", () => channel?.consumers.size === 2);

  await nsqd.nsqd.stop();

  assertEquals(await waiting, []);
  assertEquals(await events.next(), 'event: closing\ndata: {"message":"STOPPING"}');
  assertEquals(await events.next(), undefined);
  // The stop has not waited for them.
  assertEquals(nsqd.lines.filter((line) => /^(WARNING|ERROR)/.test(line)), []);
});
