import { assertEquals, assertRejects } from "@std/assert";
import { ConsumeClient, QUERY } from "../../support/consume_client.ts";
import { bodies, failure, identify, ids, pub, response } from "../../support/frames.ts";
import { AuthServer } from "../../support/auth_server.ts";
import { eventually } from "../../support/eventually.ts";
import { type NsqdProcess, startNsqd } from "../../support/nsqd_process.ts";
import { SocketClient } from "../../support/socket_client.ts";

/** The ways in which HTTP is served. */
const WAYS: readonly (readonly [name: string, env: Record<string, string>])[] = [
  ["the own engine", {}],
  // Without tokens it is closed there.
  ["Deno.serve", { DENO_DEPLOY: "1", DENOSQ_HTTP_TOKENS: "anybody-0123456789 admin" }],
];
const ANYBODY = "anybody-0123456789";

interface Given {
  readonly client: ConsumeClient;
  readonly nsqd: NsqdProcess;
  /** In flight and waiting in the channel, and how many consume. */
  readonly counts: () => Promise<readonly [inFlight: number, depth: number, clients: number]>;
}

/** A WebSocket with the client's token. */
function open({ url, headers }: ConsumeClient, more: Record<string, string> = {}): Promise<SocketClient> {
  return SocketClient.open(url, { headers: { ...headers, ...more } });
}

/** A test for each way, with an nsqd that is given these flags. */
function streamTest(
  what: string,
  test: (given: Given) => Promise<void>,
  args: readonly string[] = [],
): void {
  for (const [name, env] of WAYS) {
    Deno.test(`${what} (${name})`, async () => {
      await using nsqd = await startNsqd({ args, env });
      const client = new ConsumeClient(`http://${nsqd.httpAddress}`, { token: ANYBODY });
      const counts = async () => {
        const { topics } = await (await client.get("/stats?format=json")).json();
        const channel = topics.find(({ topic_name }: { topic_name: string }) => topic_name === "t")
          ?.channels[0];
        return [channel?.in_flight_count, channel?.depth, channel?.client_count] as const;
      };
      await nsqd.run(() => test({ client, nsqd, counts }));
    });
  }
}

streamTest(
  "GET /subscribe sends messages as events, as many at a time as are asked for",
  async ({ client }) => {
    await client.publish("a", "b\n\nc", "d");
    using events = await client.subscribe("&max_in_flight=2");

    assertEquals(events.response.headers.get("content-type"), "text/event-stream");
    assertEquals(events.response.headers.get("cache-control"), "no-store");
    assertEquals(await events.next(), "retry: 2000");
    const [first, second] = [await events.message(), await events.message()];
    assertEquals([first.body, second.body], ["a", "b\n\nc"]);
    assertEquals(await client.answer(`/finish?${QUERY}`, first.lease), '200 {"done":1}');
    assertEquals((await events.message()).body, "d");
  },
);

streamTest(
  "GET /subscribe whose client has gone takes no more messages; its leases can be finished",
  async (given) => {
    const { client, counts } = given;
    await client.publish("a");
    const events = await client.subscribe();
    await events.next();
    const { lease } = await events.message();
    events[Symbol.dispose]();
    await eventually("it has gone", async () => (await counts())[2] === 0);
    await client.publish("b");

    assertEquals(await counts(), [1, 1, 0]);
    assertEquals(await client.answer(`/finish?${QUERY}`, lease), '200 {"done":1}');
  },
);

streamTest(
  "GET /subscribe with ack=auto finishes what it sends, on an ephemeral channel too",
  async ({ client }) => {
    using events = await client.subscribe("%23ephemeral&ack=auto");
    await events.next();
    await client.post("/mpub?topic=t", "a\nb\nc");

    assertEquals([(await events.message()).body, (await events.message()).body], ["a", "b"]);
    assertEquals((await events.message()).body, "c");
    const { topics } = await (await client.get("/stats?format=json")).json();
    const [{ depth, in_flight_count, clients: [{ version, finish_count }] }] = topics[0].channels;
    assertEquals({ depth, in_flight_count, version, finish_count }, {
      depth: 0,
      in_flight_count: 0,
      version: "SSE",
      finish_count: 3,
    });
  },
);

streamTest("GET /subscribe tells a client that its channel is deleted, and ends", async ({ client }) => {
  using events = await client.subscribe();
  await events.next();
  await client.post(`/channel/delete?${QUERY}`);

  assertEquals(await events.next(), 'event: closing\ndata: {"message":"DELETED"}');
  assertEquals(await events.next(), undefined);
});

streamTest("GET /subscribe refuses what it cannot do", async ({ client }) => {
  const refusals = [
    ["max_in_flight=0", "INVALID_MAX_IN_FLIGHT"],
    ["max_in_flight=2501", "INVALID_MAX_IN_FLIGHT"],
    ["ack=always", "INVALID_ACK"],
    ["timeout=0", "INVALID_TIMEOUT"],
    ["access_token=x", "TOKEN_IN_URL"],
  ];
  for (const [wish, message] of refusals) {
    const response = await client.get(`/subscribe?${QUERY}&${wish}`);
    assertEquals([response.status, await response.text()], [400, `{"message":"${message}"}`]);
  }
  using events = await client.subscribe("&max_in_flight=2500");
  assertEquals(events.response.status, 200);
});

streamTest(
  "As many streams and WebSockets are open as there may be of each, and one more gets 429",
  async (given) => {
    const { client } = given;
    using events = await client.subscribe();
    await using socket = await open(client);
    const refused = await client.get(`/subscribe?${QUERY}`);
    assertEquals([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    assertEquals(await refused.text(), '{"message":"TOO_MANY_STREAMS"}');
    await assertRejects(() => open(client), Error, "does not open");

    assertEquals(events.response.status, 200);
    assertEquals(await socket.ask(pub("t", "x")), response("OK"));
  },
  ["--http-max-streams=1"],
);

streamTest("GET /v2 carries protocol V2 over a WebSocket", async ({ client, counts }) => {
  await client.publish("over HTTP");
  await using socket = await open(client);
  const wish = { feature_negotiation: true, tls_v1: true, deflate: true, user_agent: "test/1" };
  const negotiated = await socket.ask(identify(wish));
  const { tls_v1, deflate, snappy, max_rdy_count } = JSON.parse("text" in negotiated ? negotiated.text : "");
  assertEquals({ tls_v1, deflate, snappy, max_rdy_count }, {
    tls_v1: false,
    deflate: false,
    snappy: false,
    max_rdy_count: 2500,
  });
  assertEquals(await socket.ask("SUB t c\n"), response("OK"));
  const message = await socket.ask("RDY 1\n");
  assertEquals(bodies([message]), ["over HTTP"]);
  socket.send(`FIN ${ids([message])[0]}\n`, pub("t", "over V2"));
  const frames = [await socket.next(), await socket.next()];

  assertEquals(bodies(frames).sort(), ["over V2", "response: OK"]);
  assertEquals(await counts(), [1, 0, 1]);
});

streamTest("GET /v2 answers what is no protocol V2 as it does over TCP", async ({ client }) => {
  const socket = await open(client);
  assertEquals(await socket.ask("NONSENSE\n"), failure("E_INVALID invalid command NONSENSE"));

  assertEquals(await socket.closed, 1000);
});

streamTest(
  "A stop ends WebSockets and streams in order, and takes no longer for them",
  async ({ client, nsqd }) => {
    const socket = await open(client);
    assertEquals(await socket.ask("SUB t c\n"), response("OK"));
    using events = await client.subscribe();
    await events.next();
    const waiting = client.receive("&wait=30s");
    await eventually("it waits", async () => {
      const { topics } = await (await client.get("/stats?format=json")).json();
      return topics[0].channels[0].clients.some(({ version }: { version: string }) => version === "HTTP");
    });
    await nsqd.stop();

    assertEquals(await events.next(), 'event: closing\ndata: {"message":"STOPPING"}');
    assertEquals(await waiting, []);
    assertEquals(await socket.closed, 1000);
    // What has to be waited for is cut off, with a line.
    assertEquals(nsqd.log.match(/ (WARNING|ERROR): (HTTP|NSQ): .*/g), null);
  },
);

const TOKENS = `admin-0123456789 admin
mailer-0123456789 mailer consume:t/c,publish:out*
reader-0123456789 read
`;

async function withTokens(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "denosq_tokens_" });
  try {
    await Deno.writeTextFile(path, TOKENS);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

for (const [name, env] of WAYS) {
  Deno.test(`Tokens are for what they are limited to, over HTTP and over WebSockets (${name})`, async () => {
    await withTokens(async (path) => {
      const { DENOSQ_HTTP_TOKENS: _, ...platform } = env;
      await using nsqd = await startNsqd({ args: [`--http-auth-token-file=${path}`], env: platform });
      const url = `http://${nsqd.httpAddress}`;
      const client = new ConsumeClient(url);
      const statusOf = async (target: string, token?: string) => {
        const headers: Record<string, string> = token === undefined
          ? {}
          : { authorization: `Bearer ${token}-0123456789` };
        return (await client.post(target, target.startsWith("/pub") ? "x" : "", headers)).status;
      };
      assertEquals(await statusOf(`/receive?${QUERY}`), 401);
      assertEquals(await statusOf(`/receive?${QUERY}`, "reader"), 403);
      assertEquals(await statusOf(`/receive?${QUERY}`, "mailer"), 200);
      assertEquals(await statusOf("/receive?topic=t&channel=d", "mailer"), 403);
      assertEquals(await statusOf("/receive?topic=u&channel=c", "mailer"), 403);
      assertEquals(await statusOf("/pub?topic=outbox", "mailer"), 200);
      assertEquals(await statusOf("/pub?topic=t", "mailer"), 403);
      assertEquals(await statusOf("/receive?topic=t&channel=d", "admin"), 200);

      await assertRejects(() => SocketClient.open(url), Error, "does not open");
      await assertRejects(
        () => SocketClient.open(url, { protocols: ["nsq.v2", "bearer.reader-0123456789"] }),
        Error,
        "does not open",
      );
      const mailer = { protocols: ["nsq.v2", "bearer.mailer-0123456789"] };
      await using socket = await SocketClient.open(url, mailer);
      assertEquals(await socket.ask("SUB t c\n"), response("OK"));
      assertEquals(await socket.ask(pub("outbox", "x")), response("OK"));
      assertEquals(
        await socket.ask(pub("t", "x")),
        failure('E_UNAUTHORIZED token is not for PUB on "t" ""'),
      );
      await using other = await SocketClient.open(url, {
        headers: { authorization: "Bearer mailer-0123456789" },
      });
      assertEquals(
        await other.ask("SUB t d\n"),
        failure('E_UNAUTHORIZED token is not for SUB on "t" "d"'),
      );
    });
  });
}

streamTest("A page of another origin opens no WebSocket, unless that is allowed", async ({ client }) => {
  const openFrom = (origin: string) => open(client, { origin });
  await assertRejects(() => openFrom("https://evil.example"), Error, "does not open");
  await using socket = await openFrom("https://shop.example");

  assertEquals(await socket.ask(pub("t", "x")), response("OK"));
}, ["--http-allow-origin=https://shop.example"]);

streamTest("A page whose origin is allowed may consume, and its browser is told so", async ({ client }) => {
  const origin = "https://shop.example";
  const preflight = await fetch(`${client.url}/receive?${QUERY}`, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST" },
  });
  const received = await client.post(`/receive?${QUERY}`, "", { origin });
  const foreign = await client.post(`/receive?${QUERY}`, "", { origin: "https://evil.example" });

  assertEquals(preflight.status, 204);
  assertEquals(preflight.headers.get("access-control-allow-origin"), origin);
  assertEquals(preflight.headers.get("access-control-allow-headers"), "Authorization, Content-Type");
  assertEquals([received.status, received.headers.get("access-control-allow-origin")], [200, origin]);
  assertEquals([foreign.status, foreign.text], [403, '{"message":"FOREIGN_ORIGIN"}']);
  assertEquals(foreign.headers.get("access-control-allow-origin"), null);
}, ["--http-allow-origin=https://shop.example"]);

Deno.test("Auth servers are asked about who consumes over HTTP, once while the answer is valid", async () => {
  const authorizations = [{ topic: "^t$", channels: ["^c$"], permissions: ["subscribe"] }];
  await using auth = new AuthServer(() => Response.json({ ttl: 3600, authorizations }));
  await using nsqd = await startNsqd({ args: [`--auth-http-address=${auth.address}`] });
  const client = new ConsumeClient(`http://${nsqd.httpAddress}`);
  const headers = { authorization: "Bearer s3cret" };

  assertEquals(await client.answer(`/receive?${QUERY}`), '401 {"message":"UNAUTHORIZED"}');
  assertEquals(auth.queries, []);
  assertEquals(await client.answer(`/receive?${QUERY}`, "", headers), '200 {"messages":[]}');
  assertEquals(await client.answer("/receive?topic=t&channel=d", "", headers), '403 {"message":"FORBIDDEN"}');
  assertEquals(await client.answer("/finish?topic=u&channel=c", "x", headers), '403 {"message":"FORBIDDEN"}');
  const events = await fetch(`${client.url}/subscribe?topic=u&channel=c`, { headers });
  assertEquals([events.status, await events.text()], [403, '{"message":"FORBIDDEN"}']);
  assertEquals(auth.queries.map(({ target }) => target), [
    "/auth?common_name=&remote_ip=127.0.0.1&secret=s3cret&tls=false",
  ]);
  const socket = await open(client);
  assertEquals(await socket.ask("SUB t c\n"), failure("E_AUTH_FIRST AUTH required before SUB"));
  await socket.closed;
});

Deno.test("A client gets 503 while no auth server answers, and what is wrong with it only the log", async () => {
  await using auth = new AuthServer(() => new Response("broken", { status: 500 }));
  await using nsqd = await startNsqd({ args: [`--auth-http-address=${auth.address}`] });
  const client = new ConsumeClient(`http://${nsqd.httpAddress}`);

  assertEquals(
    await client.answer(`/receive?${QUERY}`, "", { authorization: "Bearer s3cret" }),
    '503 {"message":"AUTH_FAILED"}',
  );
  await eventually("the line in the log", () => nsqd.log.includes("AUTH failed failed to auth against"));
  assertEquals(nsqd.log.includes("s3cret"), false);
});
