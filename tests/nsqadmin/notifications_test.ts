import { assert, assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { HttpClient } from "../../src/http/http_client.ts";
import { type AdminAction, Notifications, NOTIFICATIONS_MAX } from "../../src/nsqadmin/notifications.ts";
import { eventually } from "../support/eventually.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { withCluster } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const ACTION: AdminAction = {
  action: "pause_topic",
  topic: "t",
  channel: undefined,
  node: undefined,
  timestamp: 1,
  user: undefined,
  remote_ip: "127.0.0.1:1",
  user_agent: "<a>",
  url: "http://a/?b&c",
  via: "h",
};

Deno.test("nsqadmin tells an endpoint of each change, in NSQ's form", async () => {
  await using endpoint = new FakeHttp();
  const notificationHttpEndpoint = `http://${endpoint.address}/hook?key=s`;
  await withCluster({ nsqadmin: { notificationHttpEndpoint } }, async ({ admin, nsqds, topic }) => {
    await topic("t", "c");
    const headers = { "User-Agent": "tester/1" };
    await admin.ask("POST", "/api/topics", { body: { topic: "new", channel: "d" }, headers });
    await admin.ask("POST", "/api/topics/t", { body: { action: "pause" } });
    await admin.ask("POST", "/api/topics/t/c", { body: { action: "empty" } });
    await admin.ask("DELETE", `/api/nodes/127.0.0.1:${nsqds[0].nsqd.httpPort}`, { body: { topic: "t" } });
    await admin.ask("DELETE", "/api/topics/new/d", { headers: { "X-Forwarded-User": "alice" } });
    await admin.ask("POST", "/api/topics/never", {
      body: { action: "unpause" },
      headers: { Authorization: `Basic ${btoa("joe:secret")}`, "X-Scheme": "https" },
    });
    await eventually("all have been sent", () => endpoint.requests.length === 7);

    const sent = endpoint.requests.map(({ body }) => JSON.parse(body));
    assertEquals(
      sent.map((
        { action, topic, channel, node, user },
      ) => [action, topic, channel, node !== undefined, user]),
      [
        ["create_topic", "new", undefined, false, undefined],
        ["create_channel", "new", "d", false, undefined],
        ["pause_topic", "t", undefined, false, undefined],
        ["empty_channel", "t", "c", false, undefined],
        ["tombstone_topic_producer", "t", undefined, true, undefined],
        ["delete_channel", "new", "d", false, "alice"],
        ["unpause_topic", "never", undefined, false, "joe"],
      ],
    );
    assertEquals([endpoint.asked[0], endpoint.requests[0].headers.get("content-type")], [
      "POST /hook?key=s",
      "application/json",
    ]);
    assertEquals(Object.keys(sent[0]), [
      "action",
      "topic",
      "timestamp",
      "remote_ip",
      "user_agent",
      "url",
      "via",
    ]);
    assertEquals([sent[0].user_agent, sent[0].url, sent[0].via], [
      "tester/1",
      `${admin.url}/api/topics`,
      Deno.hostname(),
    ]);
    assertEquals(sent[6].url, `${admin.url.replace("http:", "https:")}/api/topics/never`);
    assert(/^127\.0\.0\.1:\d+$/.test(sent[0].remote_ip), sent[0].remote_ip);
    assert(Math.abs(sent[0].timestamp - Date.now() / 1000) < 60);
    assert(admin.lines.includes(`INFO: POSTing notification to http://${endpoint.address}/hook?key=***`));
  });
});

Deno.test("nsqadmin survives an endpoint that does not answer", async () => {
  const notificationHttpEndpoint = `http://${deadAddress()}/`;
  await withCluster({ nsqadmin: { notificationHttpEndpoint } }, async ({ admin, topic }) => {
    await topic("t");
    await admin.ask("POST", "/api/topics/t", { body: { action: "pause" } });
    await eventually("the log says so", () => {
      return admin.lines.some((line) => line.startsWith("ERROR: failed to POST notification - dial tcp"));
    });

    assertEquals((await admin.ask("GET", "/ping")).text, "OK");
  });
});

Deno.test("Notifications sends as many as may wait, in NSQ's JSON, and says that others are lost", async () => {
  await using endpoint = new FakeHttp();
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.error,
    write: (line) => lines.push(line.slice(27)),
  });
  const http = new HttpClient({
    connectTimeoutMs: 9999,
    requestTimeoutMs: 9999,
    signal: new AbortController().signal,
  });
  const notifications = new Notifications({ endpoint: `http://${endpoint.address}/`, http, logger });

  for (let i = 0; i < NOTIFICATIONS_MAX + 1; i++) notifications.add(ACTION);
  notifications.end();
  await notifications.run();

  assertEquals(endpoint.requests.length, NOTIFICATIONS_MAX);
  assertEquals(
    endpoint.requests[0].body,
    '{"action":"pause_topic","topic":"t","timestamp":1,"remote_ip":"127.0.0.1:1","user_agent":"\\u003ca\\u003e",' +
      '"url":"http://a/?b\\u0026c","via":"h"}',
  );
  assertEquals(lines, [`ERROR: dropped a notification: ${NOTIFICATIONS_MAX} are waiting`]);
});

/** An endpoint's answers, in order, and what becomes of two notifications that are tried three times each. */
async function retried(...statuses: readonly number[]): Promise<{ bodies: string[]; errors: string[] }> {
  const left = [...statuses];
  await using endpoint = new FakeHttp(() => new Response(null, { status: left.shift() ?? 204 }));
  const errors: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.error,
    write: (line) => errors.push(line.slice(27)),
  });
  const { signal } = new AbortController();
  const http = new HttpClient({ connectTimeoutMs: 9999, requestTimeoutMs: 9999, signal });
  const retry = { tries: 3, signal, waitMinMs: 1 };
  const notifications = new Notifications<unknown>({
    endpoint: `http://${endpoint.address}/`,
    http,
    logger,
    retry,
  });
  notifications.add({ a: 1 });
  notifications.add({ b: 2 });
  notifications.end();
  await notifications.run();
  return { bodies: endpoint.requests.map(({ body }) => body), errors };
}

Deno.test("Notifications that must be taken are tried again, as often as they may be and in order", async () => {
  assertEquals((await retried(200, 299)).bodies, ['{"a":1}', '{"b":2}']);
  assertEquals((await retried(503, 302, 200)).bodies, ['{"a":1}', '{"a":1}', '{"a":1}', '{"b":2}']);
  const { bodies, errors } = await retried(500, 500, 500, 200);
  assertEquals(bodies, ['{"a":1}', '{"a":1}', '{"a":1}', '{"b":2}']);
  assertEquals(errors, Array(3).fill("ERROR: failed to POST notification - got response 500"));
});

Deno.test("Notifications that must be taken are not tried again once all is to end", async () => {
  await using endpoint = new FakeHttp(() => new Response("", { status: 500 }));
  const ending = new AbortController();
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} });
  const http = new HttpClient({ connectTimeoutMs: 9999, requestTimeoutMs: 9999, signal: ending.signal });
  const retry = { tries: 3, signal: ending.signal, waitMinMs: 600_000 };
  const notifications = new Notifications<unknown>({
    endpoint: `http://${endpoint.address}/`,
    http,
    logger,
    retry,
  });
  notifications.add({ a: 1 });
  const running = notifications.run();
  await eventually("it was tried", () => endpoint.requests.length === 1);

  notifications.end();
  ending.abort();
  await running;

  assertEquals(endpoint.requests.length, 1);
});
