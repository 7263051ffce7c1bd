import { assertEquals, assertRejects } from "@std/assert";
import { DaemonClient } from "../../src/cluster/daemon_client.ts";
import { HttpClient } from "../../src/http/http_client.ts";
import { FakeHttp, RawAnswerer } from "../support/fake_http.ts";
import { deadAddress } from "../support/ports.ts";

function daemonClient(onRequest?: (text: string) => void): DaemonClient {
  const limits = { connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, signal: new AbortController().signal };
  return new DaemonClient(new HttpClient(limits), onRequest && { onRequest });
}

Deno.test("DaemonClient.get() is what the JSON of an answer says, asked for as NSQ does", async () => {
  await using nsqd = new FakeHttp(() => Response.json({ topics: [] }));
  const lines: string[] = [];

  const answer = await daemonClient((text) => lines.push(text)).get(
    { kind: "nsqd", address: nsqd.address },
    "/stats?format=json",
    (answer) => answer,
  );

  assertEquals(answer, { topics: [] });
  assertEquals(lines, [`CI: querying nsqd http://${nsqd.address}/stats?format=json`]);
  assertEquals(nsqd.requests[0].headers.get("accept"), "application/vnd.nsq; version=1.0");
});

Deno.test("DaemonClient.scan() reads what get() reads, one answer after the other in the same room", async () => {
  const answers = [[1, 2, 3], Array.from({ length: 10_000 }, (_, i) => i), [4]];
  await using nsqd = new FakeHttp(({ target }) => Response.json(answers[Number(target.slice(1))]));
  const client = daemonClient();
  const scan = (path: string) =>
    client.scan({ kind: "nsqd", address: nsqd.address }, path, (cursor) => {
      const items: number[] = [];
      cursor.beginList("it");
      while (cursor.nextItem()) items.push(cursor.whole("item"));
      cursor.end();
      return Promise.resolve(items);
    });

  for (const [i, answer] of answers.entries()) assertEquals(await scan(`/${i}`), answer);
  assertEquals(await Promise.all([scan("/0"), scan("/1"), scan("/2")]), answers);
});

Deno.test("DaemonClient limits the time of a daemon that is asked, and not of one that is told something", async () => {
  await using silent = new RawAnswerer("", { keeps: true });
  await using nsqd = new FakeHttp(() => new Response("{}"));
  const limits = { connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, signal: new AbortController().signal };
  const limited: string[] = [];
  const client = new DaemonClient(new HttpClient(limits), {
    timeoutMs: ({ address }) => {
      limited.push(address);
      // It has to be connected to in that time.
      return 1000;
    },
  });

  const asking = client.get({ kind: "nsqd", address: silent.address }, "/stats", () => {});
  await assertRejects(() => asking, Error, "timeout awaiting response headers");
  await client.post({ kind: "nsqd", address: nsqd.address }, "/topic/pause?topic=t");

  assertEquals(limited, [silent.address]);
});

Deno.test("DaemonClient.post() takes whatever is answered with 200", async () => {
  await using nsqd = new FakeHttp(() => new Response("no JSON"));

  await daemonClient().post({ kind: "nsqd", address: nsqd.address }, "/topic/pause?topic=t");

  assertEquals(nsqd.asked, ["POST /topic/pause?topic=t"]);
});

Deno.test("DaemonClient says what a daemon has refused with, in NSQ's words, and not more than its beginning", async () => {
  await using nsqd = new FakeHttp(({ target }) => {
    return new Response(target === "/long" ? "x".repeat(1000) : '{"message":"TOPIC_NOT_FOUND"}', {
      status: 404,
    });
  });
  const daemon = { kind: "nsqlookupd", address: nsqd.address } as const;

  const short = await assertRejects(() => daemonClient().get(daemon, "/lookup?topic=t", (answer) => answer));
  const long = await assertRejects(() => daemonClient().post(daemon, "/long"));

  assertEquals(short.message, 'got response 404 Not Found "{\\"message\\":\\"TOPIC_NOT_FOUND\\"}"');
  assertEquals(long.message, `got response 404 Not Found "${"x".repeat(256)}..."`);
});

Deno.test("DaemonClient says which daemon could not be asked, and why", async () => {
  const address = deadAddress();

  const error = await assertRejects(() =>
    daemonClient().get({ kind: "nsqd", address }, "/info", (answer) => answer)
  );

  assertEquals(
    error.message,
    `Get "http://${address}/info": dial tcp ${address}: connect: connection refused`,
  );
});

Deno.test("DaemonClient says that an answer is no JSON", async () => {
  await using nsqd = new FakeHttp(() => new Response("<html>"));

  await assertRejects(
    () => daemonClient().get({ kind: "nsqd", address: nsqd.address }, "/info", (answer) => answer),
    Error,
    `Get "http://${nsqd.address}/info": Unexpected token '<'`,
  );
});

for (
  const address of [
    "",
    "localhost",
    "host:port",
    "host:1/path",
    "user@host:1",
    "host:1?a",
    "host:1#a",
    "a b:1",
    "[::1]",
    "::1:80",
    "evil.example/x:80",
    "host:123456",
    "%0a:1",
  ]
) {
  Deno.test(`DaemonClient asks nobody at ${JSON.stringify(address)}, which is no address`, async () => {
    await assertRejects(
      () => daemonClient().get({ kind: "nsqd", address }, "/info", (answer) => answer),
      Error,
      "invalid address",
    );
  });
}

for (
  const [what, answer] of [
    ["no port", "{}"],
    ["a port that is none", '{"https_port":70000}'],
    ["no JSON", "FORBIDDEN"],
  ]
) {
  Deno.test(`DaemonClient takes a 403 with ${what} for a refusal`, async () => {
    await using nsqd = new FakeHttp(() => new Response(answer, { status: 403 }));

    await assertRejects(
      () => daemonClient().get({ kind: "nsqd", address: nsqd.address }, "/info", (answer) => answer),
      Error,
      "got response 403 Forbidden",
    );
    assertEquals(nsqd.requests.length, 1);
  });
}

Deno.test("DaemonClient asks again over HTTPS where a 403 names a port, and once only", async () => {
  // Whoever listens there speaks no TLS.
  await using plain = new FakeHttp();
  const port = Number(plain.address.split(":")[1]);
  await using nsqd = new FakeHttp(() => Response.json({ https_port: port }, { status: 403 }));

  await assertRejects(
    () => daemonClient().get({ kind: "nsqd", address: nsqd.address }, "/info", (answer) => answer),
    Error,
    `Get "https://127.0.0.1:${port}/info": `,
  );
  assertEquals([nsqd.requests.length, plain.requests.length], [1, 0]);
});
