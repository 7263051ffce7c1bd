import { assert, assertEquals } from "@std/assert";
import type { AuditEvent } from "../../../src/base/audit_log.ts";
import { v1 } from "../../../src/http/decorators.ts";
import { type Endpoint, endpoint, HttpGuard, requireTls } from "../../../src/nsqd/api/guard.ts";
import { nsqdEndpoints, nsqdHttpApi } from "../../../src/nsqd/api/endpoints.ts";
import { type Answer, answerOf, httpApi } from "../../support/http_api.ts";
import { callHandler, httpRequest } from "../../support/http_call.ts";

const PUBLISHER = "publisher-0123456789";
const READER = "reader-0123456789";
const BOTH = "publisher-and-reader-0123456789";
const ADMIN = "admin-0123456789";
const FILE = `${PUBLISHER} publish\n${READER} read\n${BOTH} publish,read\n${ADMIN} admin\n`;

const NSQ = "nsq; version=1.0";
const JSON_TYPE = "application/json; charset=utf-8";

/** No tokens, where that means that everybody may do everything. */
const OPEN = { path: "", listed: undefined, isClosed: false };

/** An API with a guard. */
function guarded() {
  const api = httpApi();
  const path = Deno.makeTempFileSync({ prefix: "denosq_tokens_" });
  Deno.writeTextFileSync(path, FILE);
  const guard = HttpGuard.of({ ...OPEN, path }, api.context);
  Deno.removeSync(path);
  const router = nsqdHttpApi(api.context, { guard });
  const { lines, broker } = api;

  async function request(
    method: string,
    target: string,
    authorization?: string,
    body?: string,
  ): Promise<Answer> {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    return answerOf(await callHandler(router.handle, { method, target, headers, body }));
  }

  return { request, router, lines, broker };
}

const UNAUTHORIZED = {
  status: 401,
  type: JSON_TYPE,
  nsq: NSQ,
  challenge: "Bearer",
  text: '{"message":"UNAUTHORIZED"}',
};
const FORBIDDEN = { status: 403, type: JSON_TYPE, nsq: NSQ, text: '{"message":"FORBIDDEN"}' };

Deno.test("nsqdEndpoints() declares for each endpoint who may use it", () => {
  const list = nsqdEndpoints(httpApi().context).map(({ access, method, path }) =>
    `${access} ${method} ${path}`
  );

  assertEquals(list, [
    "anyone GET /ping",
    "anyone GET /health/live",
    "anyone GET /health/ready",
    "read GET /info",
    "publish POST /pub",
    "publish POST /mpub",
    "read GET /stats",
    "read GET /metrics",
    "consume POST /receive",
    "consume POST /finish",
    "consume POST /requeue",
    "consume POST /touch",
    "consume GET /subscribe",
    "publish,consume GET /v2",
    "admin POST /topic/create",
    "admin POST /topic/delete",
    "admin POST /topic/empty",
    "admin POST /topic/pause",
    "admin POST /topic/unpause",
    "admin POST /channel/create",
    "admin POST /channel/delete",
    "admin POST /channel/empty",
    "admin POST /channel/pause",
    "admin POST /channel/unpause",
    "peek GET /messages",
    "peek GET /message",
    "admin POST /message/delete",
    "admin POST /message/requeue",
    "admin POST /message/cancel",
    "admin POST /client/kick",
    "read GET /config/:opt",
    "admin PUT /config/:opt",
    "admin POST /drain",
    "read GET /debug/pprof/",
    "read GET /debug/pprof/cmdline",
    "read GET /debug/pprof/symbol",
    "read POST /debug/pprof/symbol",
    "read GET /debug/pprof/profile",
    "read GET /debug/pprof/heap",
    "read GET /debug/pprof/goroutine",
    "read GET /debug/pprof/block",
    "read GET /debug/pprof/threadcreate",
    "admin PUT /debug/setblockrate",
    "admin POST /debug/freememory",
  ]);
});

Deno.test("Endpoint without an access is no endpoint", () => {
  // @ts-expect-error the access is missing
  const without: Endpoint = { method: "GET", path: "/x", value: v1(() => "x") };
  // @ts-expect-error there is no such access
  endpoint("everybody", "GET", "/x", v1(() => "x"));

  assertEquals(without.access, undefined);
});

Deno.test("HttpGuard.of() makes none without tokens", () => {
  assertEquals(HttpGuard.of(OPEN, httpApi().context), undefined);
});

Deno.test("HttpGuard refuses every endpoint but the health checks to a client without a token", async () => {
  const { request } = guarded();
  const open: [path: string, status: number][] = [];

  for (const { access, method, path } of nsqdEndpoints(httpApi().context)) {
    const answer = await request(method, path.replace(":opt", "log_level"));
    if (access === "anyone") open.push([path, answer.status]);
    else assertEquals([path, answer], [path, UNAUTHORIZED]);
  }
  assertEquals(open, [["/ping", 200], ["/health/live", 200], ["/health/ready", 200]]);
});

const HEADERS: readonly [name: string, authorization: string | undefined, passes: boolean][] = [
  ["no header", undefined, false],
  ["an empty header", "", false],
  ["no token", "Bearer", false],
  ["an unknown token", "Bearer unknown-0123456789", false],
  ["a part of a token", `Bearer ${READER.slice(0, -1)}`, false],
  ["a token without scheme", READER, false],
  ["another scheme", `Basic ${READER}`, false],
  ["two tokens", `Bearer ${READER} ${READER}`, false],
  ["two headers", `Bearer ${READER}, Bearer ${READER}`, false],
  ["a token", `Bearer ${READER}`, true],
  ["a token behind a lower case scheme", `bearer  ${READER}`, true],
];

for (const [name, authorization, passes] of HEADERS) {
  Deno.test(`HttpGuard ${passes ? "takes" : "refuses"} ${name}`, async () => {
    const answer = await guarded().request("GET", "/info", authorization);

    if (passes) assertEquals(answer.status, 200);
    else assertEquals(answer, UNAUTHORIZED);
  });
}

const ROLES: readonly [token: string, allowed: readonly string[]][] = [
  [PUBLISHER, ["anyone", "publish"]],
  [READER, ["anyone", "read"]],
  [BOTH, ["anyone", "publish", "read"]],
  [ADMIN, ["anyone", "publish", "read", "admin"]],
];
const PROBES: readonly [access: string, method: string, target: string, body?: string][] = [
  ["anyone", "GET", "/ping"],
  ["publish", "POST", "/pub?topic=t", "x"],
  ["publish", "POST", "/mpub?topic=t", "x"],
  ["read", "GET", "/stats?format=json"],
  ["read", "GET", "/metrics"],
  ["read", "GET", "/config/log_level"],
  ["read", "GET", "/debug/pprof/heap"],
  ["admin", "POST", "/topic/create?topic=t"],
  ["admin", "PUT", "/config/log_level", "error"],
  ["admin", "POST", "/debug/freememory"],
];

for (const [token, allowed] of ROLES) {
  Deno.test(`HttpGuard lets ${token.replace(/-\d+$/, "")} do what its roles allow`, async () => {
    const { request } = guarded();

    for (const [access, method, target, body] of PROBES) {
      const answer = await request(method, target, `Bearer ${token}`, body);
      if (allowed.includes(access)) assertEquals([target, answer.status], [target, 200]);
      else assertEquals([target, answer], [target, FORBIDDEN]);
    }
  });
}

Deno.test("HttpGuard lets nothing happen that it refuses", async () => {
  const { request, broker } = guarded();

  await request("POST", "/pub?topic=t", undefined, "x");
  await request("POST", "/pub?topic=t", `Bearer ${READER}`, "x");
  await request("POST", "/topic/create?topic=t", `Bearer ${PUBLISHER}`);

  assertEquals([...broker.topics.keys()], []);
});

Deno.test("HttpGuard leaves unknown paths and methods as they are", async () => {
  const { request } = guarded();

  assertEquals((await request("GET", "/nope")).status, 404);
  assertEquals((await request("GET", "/pub")).status, 405);
  assertEquals((await request("POST", "/pub/")).status, 307);
});

Deno.test("HttpGuard logs refusals, and no token", async () => {
  const { request, lines } = guarded();

  await request("POST", "/pub?topic=t", "Bearer unknown-0123456789", "x");
  await request("POST", "/pub?topic=t", `Bearer ${READER}`, "x");

  assertEquals(lines.map((line) => line.split(" (")[0]), [
    "INFO: 401 POST /pub?topic=t",
    "INFO: 403 POST /pub?topic=t",
  ]);
  assert(!lines.some((line) => line.includes("0123456789")));
});

const UNREAD: readonly [name: string, method: string, target: string, authorization?: string][] = [
  ["a client without a token", "POST", "/pub?topic=t"],
  ["a client with an unknown token", "POST", "/pub?topic=t", "Bearer unknown-0123456789"],
  ["a client without the role", "POST", "/pub?topic=t", `Bearer ${READER}`],
  ["a client without a token on an unknown path", "POST", "/nope"],
  ["a client without a token with a wrong method", "POST", "/info"],
  ["a client without a token that is redirected", "POST", "/pub/"],
];

for (const [name, method, target, authorization] of UNREAD) {
  Deno.test(`HttpGuard reads no body of ${name}`, async () => {
    const { router } = guarded();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const request = httpRequest({ method, target, headers, body: "hello" });

    await router.handle(request);

    assertEquals(request.body.reads, 0);
  });
}

Deno.test("HttpGuard reads the body of a client that may publish", async () => {
  const { request, broker } = guarded();

  const { status } = await request("POST", "/pub?topic=t", `Bearer ${PUBLISHER}`, "x".repeat(500_000));

  assertEquals([status, broker.topic("t").messageBytes], [200, 500_000]);
});

for (
  const [method, target] of [["GET", "/ping"], ["POST", "/pub?topic=t"], ["GET", "/nope"], ["GET", "/%zz"]]
) {
  Deno.test(`requireTls() answers ${method} ${target} with the port of HTTPS`, async () => {
    const { status, text, header } = await callHandler(requireTls(4152, () => {}), { method, target });

    assertEquals([status, header("content-type"), header("x-nsq-content-type")], [403, JSON_TYPE, NSQ]);
    assertEquals(text, '{"message": "TLS_REQUIRED", "https_port": 4152}');
  });
}

Deno.test("requireTls() reads no body", async () => {
  const request = httpRequest({ method: "POST", target: "/pub", body: "hello" });

  await requireTls(4152, () => {})(request);

  assertEquals(request.body.reads, 0);
});

// The audit log

/** The events of these requests to an API with a guard, or without one. */
async function eventsOf(
  requests: readonly (readonly [method: string, target: string, token?: string, body?: string])[],
  options: { readonly open?: boolean } = {},
): Promise<unknown[]> {
  const events: unknown[] = [];
  const audit = { note: (event: AuditEvent) => void events.push(JSON.parse(JSON.stringify(event))) };
  const api = httpApi();
  const path = Deno.makeTempFileSync({ prefix: "denosq_tokens_" });
  Deno.writeTextFileSync(path, `${PUBLISHER} shop publish\n${READER} read\n${ADMIN} ops admin\n`);
  const guard = options.open
    ? undefined
    : HttpGuard.of({ ...OPEN, path }, { logger: api.context.logger, audit });
  Deno.removeSync(path);
  const { handle } = nsqdHttpApi(api.context, { guard, audit });
  for (const [method, target, token, body] of requests) {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    await callHandler(handle, { method, target, headers, body });
  }
  return events;
}

const ADDRESS = "127.0.0.1:1234";

Deno.test("nsqdHttpApi() notes who has changed what, and what became of it", async () => {
  const events = await eventsOf([
    ["POST", "/topic/create?topic=t", ADMIN],
    ["POST", "/channel/delete?topic=t&channel=none", ADMIN],
    ["PUT", "/config/log_level", ADMIN, "debug"],
    ["PUT", "/config/reload", ADMIN],
    ["POST", "/message/delete?topic=t&channel=c&id=1", ADMIN],
    ["POST", "/client/kick?address=1.2.3.4:5", ADMIN],
  ]);

  const call = { event: "admin", address: ADDRESS, token: "ops" };
  assertEquals(events, [
    { ...call, method: "POST", target: "/topic/create?topic=t", status: 200 },
    { ...call, method: "POST", target: "/channel/delete?topic=t&channel=none", status: 404 },
    { ...call, method: "PUT", target: "/config/log_level", value: "debug", status: 200 },
    { ...call, method: "PUT", target: "/config/reload", status: 200 },
    { ...call, method: "POST", target: "/message/delete?topic=t&channel=c&id=1", status: 400 },
    { ...call, method: "POST", target: "/client/kick?address=1.2.3.4:5", status: 404 },
  ]);
});

Deno.test("nsqdHttpApi() notes who was refused, and why, but no token", async () => {
  const events = await eventsOf([
    ["POST", "/topic/create?topic=t"],
    ["GET", "/info", "unknown-0123456789"],
    ["POST", "/topic/delete?topic=t", READER],
    ["GET", "/messages?topic=t", READER],
    ["GET", "/stats", PUBLISHER],
  ]);

  const refused = { event: "refused", address: ADDRESS };
  assertEquals(events, [
    { ...refused, method: "POST", target: "/topic/create?topic=t", status: 401, reason: "no token" },
    { ...refused, method: "GET", target: "/info", status: 401, reason: "unknown token" },
    {
      ...refused,
      token: "line 2",
      method: "POST",
      target: "/topic/delete?topic=t",
      status: 403,
      reason: "role admin is missing",
    },
    {
      ...refused,
      token: "line 2",
      method: "GET",
      target: "/messages?topic=t",
      status: 403,
      reason: "role peek is missing",
    },
    {
      ...refused,
      token: "shop",
      method: "GET",
      target: "/stats",
      status: 403,
      reason: "role read is missing",
    },
  ]);
});

Deno.test("nsqdHttpApi() notes no reading and no publishing", async () => {
  assertEquals(
    await eventsOf([
      ["GET", "/ping"],
      ["GET", "/stats", READER],
      ["GET", "/config/log_level", READER],
      ["POST", "/pub?topic=t", PUBLISHER, "x"],
    ]),
    [],
  );
});

Deno.test("nsqdHttpApi() notes changes where everybody may make them, too", async () => {
  assertEquals(await eventsOf([["POST", "/topic/create?topic=t"]], { open: true }), [
    { event: "admin", address: ADDRESS, method: "POST", target: "/topic/create?topic=t", status: 200 },
  ]);
});
