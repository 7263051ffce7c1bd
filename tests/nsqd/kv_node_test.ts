import { assertEquals, assertStringIncludes } from "@std/assert";
import { ConsumeClient, QUERY } from "../support/consume_client.ts";
import { denokvPath, DenokvServer } from "../support/denokv.ts";
import { eventually } from "../support/eventually.ts";
import { KvInstance } from "../support/kv_instance.ts";
import { share } from "../support/kv_share.ts";

const DENOKV = denokvPath();

/** A test with a server that instances share; it is left out where there is none. */
function denokvTest(name: string, test: (server: DenokvServer) => Promise<void>): void {
  Deno.test({
    name,
    ignore: DENOKV === undefined,
    fn: async () => {
      await using server = await DenokvServer.start(DENOKV ?? "");
      await test(server);
    },
  });
}

Deno.test("nsqd with --store=kv serves the HTTP API from a file, and goes on where it was after a crash", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = `kv:${folder}/q.sqlite`;
    let lease: string;
    {
      await using instance = await KvInstance.start(store);
      const client = new ConsumeClient(instance.url);
      await client.publish("a", "b");
      [{ lease }] = await client.receive("&max=1&timeout=60000");
      await instance.kill();
    }
    await using instance = await KvInstance.start(store);
    const client = new ConsumeClient(instance.url);

    assertEquals(await client.answer(`/finish?${QUERY}`, lease), '200 {"done":1}');
    assertEquals((await client.receive()).map(({ body }) => body), ["b"]);
    assertEquals(await (await fetch(`${instance.url}/ping`)).text(), "OK");
    assertStringIncludes(
      await (await fetch(`${instance.url}/stats`)).text(),
      "depth: 0     be-depth: 0     inflt: 1",
    );
    const upgrade = await fetch(`${instance.url}/v2`);
    assertEquals([upgrade.status, await upgrade.text()], [501, '{"message":"NO_PROTOCOL_V2"}']);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("nsqd with --store=kv sends events to a stream", async () => {
  await using instance = await KvInstance.start("kv::memory:");
  const client = new ConsumeClient(instance.url);
  await client.publish("a");
  using stream = await client.subscribe();
  await stream.next();

  assertEquals((await stream.message()).body, "a");
});

Deno.test("nsqd with --store=kv says what has no effect there", async () => {
  const args = ["--lookupd-tcp-address=127.0.0.1:1", "--data-path=/nowhere"];
  await using instance = await KvInstance.start("kv::memory:", args);

  assertEquals(
    instance.log.match(/WARNING: .*/g),
    [
      "WARNING: --lookupd-tcp-address has no effect with --store=kv",
      "WARNING: --data-path has no effect with --store=kv",
    ],
  );
});

denokvTest(
  "Two instances on one denokv share a queue, and each message is delivered and finished once",
  async (server) => {
    await using first = await KvInstance.start(server.store);
    await using second = await KvInstance.start(server.store);
    const plan = { messages: 2000, batch: 100, consumers: 2, max: 50, timeoutMs: 30_000 };

    const result = await share({ ...plan, urls: [first.url, second.url] });

    const { published, finished, delivered, left } = result;
    assertEquals([published, finished, delivered, left], [2000, 2000, 2000, 0]);
  },
);

denokvTest("When one of two instances is killed, no message is lost", async (server) => {
  await using first = await KvInstance.start(server.store);
  await using second = await KvInstance.start(server.store);
  const plan = { messages: 2000, batch: 100, consumers: 2, max: 50, timeoutMs: 1000 };
  const halfway = { at: 500, act: () => second.kill() };

  const result = await share({ ...plan, urls: [first.url, second.url], halfway });

  const { published, finished, unanswered, finishedAgain, left } = result;
  assertEquals([published, finished + unanswered, finishedAgain, left], [2000, 2000, 0, 0]);
});

denokvTest(
  "On Deno Deploy, as far as it can be played, the database that is attached is taken, and closed without tokens",
  async (server) => {
    const env = { DENO_DEPLOY: "true", DENO_KV_DEFAULT_PATH: server.url };
    const headers = { authorization: "Bearer admin-0123456789" };
    {
      await using first = await KvInstance.start("auto", [], env);
      assertStringIncludes(first.log, "KV: messages are kept in the Deno KV database that is attached");
      const refused = await fetch(`${first.url}/pub?topic=t`, { method: "POST", body: "a" });
      assertEquals([refused.status, await refused.text()], [403, '{"message":"FORBIDDEN"}']);
    }
    const tokens = { DENOSQ_HTTP_TOKENS: "admin-0123456789 admin" };
    await using instance = await KvInstance.start("auto", [], { ...env, ...tokens });
    const client = new ConsumeClient(instance.url);

    assertEquals(await client.answer("/pub?topic=t", "a", headers), "200 OK");
    const { text } = await client.post(`/receive?${QUERY}`, "", headers);
    assertEquals(JSON.parse(text).messages.map(({ body }: { body: string }) => body), ["a"]);
  },
);

Deno.test("On Deno Deploy, as far as it can be played, messages are in memory where no database is attached", async () => {
  await using instance = await KvInstance.start("auto", [], { DENO_DEPLOY: "true" });

  assertStringIncludes(instance.log, "live in this instance's memory");
});

denokvTest("A denokv that stands still is a 503, and is used again when it goes on", async (server) => {
  await using instance = await KvInstance.start(server.store, ["--kv-timeout=300ms"]);
  const client = new ConsumeClient(instance.url);
  await client.publish("a");
  server.pause();

  const refused = await client.post("/pub?topic=t", "b");
  assertEquals(
    [refused.status, refused.text, refused.headers.get("retry-after")],
    [503, '{"message":"UNAVAILABLE"}', "1"],
  );
  assertEquals(
    await (await fetch(`${instance.url}/ping`)).text(),
    "NOK - Deno KV: not answered within 300ms",
  );
  server.resume();
  await eventually(
    "it is well again",
    async () => await (await fetch(`${instance.url}/ping`)).text() === "OK",
  );
  await eventually("it publishes again", async () => (await client.post("/pub?topic=t", "c")).status === 200);
  const bodies = (await client.receive()).map(({ body }) => body);

  assertEquals([bodies.includes("a"), bodies.includes("c")], [true, true]);
});
