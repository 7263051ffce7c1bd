import { assertEquals, assertMatch } from "@std/assert";
import { LOG_LEVELS, Logger, type LogLevel } from "../../src/base/logger.ts";
import { log, plainText, v1 } from "../../src/http/decorators.ts";
import { HttpError } from "../../src/http/http_error.ts";
import type { RequestCounts } from "../../src/http/request_counts.ts";
import { route } from "../../src/http/route_table.ts";
import { Router } from "../../src/http/router.ts";
import { callHandler } from "../support/http_call.ts";

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const NSQ = "nsq; version=1.0";

function setUp(level: LogLevel = LOG_LEVELS.info) {
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level,
    write: (line) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length)),
  });
  const logged = log(logger);
  const router = new Router({
    logger,
    routes: [
      route("GET", "/ping", plainText(logged(() => "OK"))),
      route(
        "GET",
        "/sick",
        plainText(() => {
          throw new HttpError(500, "NOK - disk full");
        }),
      ),
      route("GET", "/odd", plainText(() => 5)),
      route("GET", "/nothing", plainText(() => undefined)),
      route(
        "POST",
        "/pub",
        v1(async (context) => {
          const body = await context.readBody(10);
          return body === undefined ? "too big" : `${body.length}`;
        }),
      ),
      route("GET", "/json", v1(logged(() => ({ "a<b": ["&", "\u2028"] })))),
      route("GET", "/number", v1(() => 90000000000)),
      route("GET", "/empty", v1(logged(() => undefined))),
      route("GET", "/refused", v1(logged(() => Promise.reject(new HttpError(400, "INVALID_TOPIC"))))),
      route(
        "GET",
        "/fault",
        v1(logged(() => {
          throw new Error("boom");
        })),
      ),
      route("GET", "/config/:opt", v1((context) => context.params.opt)),
      route("PUT", "/config/:opt", v1((context) => context.params.opt)),
    ],
  });
  const fetch = async (method: string, target: string, body?: string) => {
    const { status, text, header } = await callHandler(router.handle, { method, target, body });
    return {
      status,
      type: header("content-type"),
      nsq: header("x-nsq-content-type"),
      allow: header("allow"),
      location: header("location"),
      text,
    };
  };
  return { fetch, lines };
}

const ANSWERS: readonly [method: string, target: string, answer: Record<string, unknown>][] = [
  ["GET", "/ping", { status: 200, type: TEXT, text: "OK" }],
  ["GET", "/ping?x=%zz", { status: 200, type: TEXT, text: "OK" }],
  ["GET", "/pin%67", { status: 200, type: TEXT, text: "OK" }],
  ["GET", "/sick", { status: 500, type: TEXT, text: "NOK - disk full" }],
  ["GET", "/nothing", { status: 200, text: "" }],
  ["GET", "/json", { status: 200, type: JSON_TYPE, nsq: NSQ, text: '{"a\\u003cb":["\\u0026","\\u2028"]}' }],
  ["GET", "/number", { status: 200, type: JSON_TYPE, nsq: NSQ, text: "90000000000" }],
  ["GET", "/empty", { status: 200, nsq: NSQ, text: "" }],
  ["GET", "/refused", { status: 400, type: JSON_TYPE, nsq: NSQ, text: '{"message":"INVALID_TOPIC"}' }],
  ["GET", "/fault", { status: 500, type: JSON_TYPE, nsq: NSQ, text: '{"message":"INTERNAL_ERROR"}' }],
  ["GET", "/odd", { status: 500, type: JSON_TYPE, nsq: NSQ, text: '{"message":"INTERNAL_ERROR"}' }],
  ["GET", "/config/a%20b", { status: 200, type: TEXT, nsq: NSQ, text: "a b" }],
  ["GET", "/nope", { status: 404, type: JSON_TYPE, nsq: NSQ, text: '{"message":"NOT_FOUND"}' }],
  ["GET", "/", { status: 404, type: JSON_TYPE, nsq: NSQ, text: '{"message":"NOT_FOUND"}' }],
  ["GET", "/%zz", { status: 400, text: "" }],
  ["GET", "/pub", {
    status: 405,
    type: JSON_TYPE,
    nsq: NSQ,
    allow: "OPTIONS, POST",
    text: '{"message":"METHOD_NOT_ALLOWED"}',
  }],
  ["OPTIONS", "/config/x", { status: 200, allow: "GET, OPTIONS, PUT", text: "" }],
  ["OPTIONS", "/nope", { status: 404, type: JSON_TYPE, nsq: NSQ, text: '{"message":"NOT_FOUND"}' }],
];

for (const [method, target, answer] of ANSWERS) {
  Deno.test(`Router.handle() answers ${method} ${target}`, async () => {
    const { fetch } = setUp();

    const { status, type, nsq, allow, text } = await fetch(method, target);

    assertEquals(
      { status, type, nsq, allow, text },
      { type: undefined, nsq: undefined, allow: undefined, ...answer } as unknown,
    );
  });
}

Deno.test("Router.handle() redirects GET to the path that was meant, with the query as it was", async () => {
  const { status, location } = await setUp().fetch("GET", "//PING/?x=%zz&y=1");

  assertEquals({ status, location }, { status: 301, location: "/ping?x=%zz&y=1" });
});

Deno.test("Router.handle() redirects other methods so that they stay the same", async () => {
  const { status, location } = await setUp().fetch("POST", "/pub/");

  assertEquals({ status, location }, { status: 307, location: "/pub" });
});

Deno.test("Router.handle() escapes the path that it redirects to", async () => {
  const { location } = await setUp().fetch("GET", "/config/a%3F%20b/");

  assertEquals(location, "/config/a%3F%20b");
});

Deno.test("Router.handle() looks for no route of a path that is longer than PATH_LENGTH_MAX", async () => {
  const { fetch } = setUp();
  const config = (length: number) => `/config/${"x".repeat(length - "/config/".length)}`;

  const [longest, longer] = [await fetch("GET", config(8192)), await fetch("GET", config(8193))];

  assertEquals([longest.status, longer.status], [200, 404]);
});

Deno.test("Router.handle() gives the handler the body", async () => {
  assertEquals((await setUp().fetch("POST", "/pub", "ten bytes.")).text, "10");
});

Deno.test("log() writes a line with status, request, client and time", async () => {
  const { fetch, lines } = setUp();

  await fetch("GET", "/ping?x=1");

  assertEquals(lines.length, 1);
  assertMatch(lines[0], /^INFO: 200 GET \/ping\?x=1 \(127\.0\.0\.1:1234\) \d+(\.\d+)?(ns|µs|ms|s)$/);
});

Deno.test("log() writes the status of a refusal", async () => {
  const { fetch, lines } = setUp();

  await fetch("GET", "/refused");

  assertMatch(lines.join("\n"), /^INFO: 400 GET \/refused /);
});

Deno.test("log() writes nothing above its level", async () => {
  const { fetch, lines } = setUp(LOG_LEVELS.warn);

  await fetch("GET", "/ping");

  assertEquals(lines, []);
});

Deno.test("Router.handle() logs what a handler threw, and the 500 that it became", async () => {
  const { fetch, lines } = setUp();

  await fetch("GET", "/fault");

  assertEquals(lines.length, 2);
  assertEquals(lines[0], "ERROR: panic in HTTP handler - Error: boom");
  assertMatch(lines[1], /^INFO: 500 GET \/fault /);
});

Deno.test("Router.handle() logs 404 and 405, but neither redirects nor OPTIONS", async () => {
  const { fetch, lines } = setUp();

  await fetch("GET", "/nope");
  await fetch("PUT", "/ping");
  await fetch("GET", "/ping/");
  await fetch("OPTIONS", "/ping");

  assertEquals(lines.map((line) => line.split(" ").slice(0, 4).join(" ")), [
    "INFO: 404 GET /nope",
    "INFO: 405 PUT /ping",
  ]);
});

for (
  const [what, faulty, status] of [
    ["that of who asks", {
      clientOf: () => {
        throw new Error("boom");
      },
    }, 500],
    ["that of who counts", {
      counts: {
        count: () => {
          throw new Error("boom");
        },
      } as unknown as RequestCounts,
    }, 404],
    ["that of who is told", {
      onError: () => {
        throw new Error("boom");
      },
    }, 404],
  ] as const
) {
  Deno.test(`Router.handle() answers whatever fault there is, such as ${what}`, async () => {
    const lines: string[] = [];
    const logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.error,
      write: (line) => lines.push(line.slice(27)),
    });
    const router = new Router({ logger, routes: [], ...faulty });

    const answer = await callHandler(router.handle, { method: "GET", target: "/nope" });

    const message = status === 500 ? "INTERNAL_ERROR" : "NOT_FOUND";
    assertEquals([answer.status, answer.text], [status, JSON.stringify({ message })]);
    assertEquals(lines, ["ERROR: panic in HTTP handler - Error: boom"]);
  });
}
