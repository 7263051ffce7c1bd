/**
 * Throws an nsqadmin at a cluster that lies: one server is its nsqlookupd and its nsqd, and answers with what is nearly
 * right, with the names, numbers and shapes of a stranger's. Browsers ask for every page with anything in the query and send
 * forms with anything in them. What must hold for every page:
 *
 * - it is HTML whose tags fit together, of the tags and attributes that pages have, with the one script that they have;
 * - nothing in it leads elsewhere, or is as long as the stranger likes;
 * - its status is one that pages have: what a stranger says is no fault of nsqadmin.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { pageRoutes } from "../../src/nsqadmin/console/pages.tsx";
import { shortened } from "../../src/base/shortened.ts";
import { FakeHttp, type FakeHttpRequest } from "../support/fake_http.ts";
import { HtmlPage } from "../support/html_page.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import { type AdminAnswer, type NsqadminInProcess, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import type { Random } from "../support/random.ts";
import { type FuzzOptions, type FuzzReport, runRounds } from "./campaign.ts";

/** A path that is not in order leads to the one that is, as in NSQ. */
const REDIRECTIONS = [301, 303, 307];
const STATUSES = [...REDIRECTIONS, 200, 400, 403, 404, 405, 409, 413, 502, 503];
const REQUESTS = 12;
/** A page of 100 rows of whatever names. */
const PAGE_SIZE_MAX = 2 * 1024 * 1024;
const HOSTILE = [
  `"'><script>alert(1)</script>&amp;`,
  "</title></main><img src=x onerror=alert(1)>",
  "javascript:alert(1)",
  "//elsewhere.example/x",
  "http://elsewhere.example",
  "../../..",
  "\u202egnp.exe\u0000\u200b\n\r\t",
  "\ud800",
  "é😀".repeat(50),
  // Wherever a text is cut, it is in the middle of a character of one of them.
  "😀".repeat(400),
  `x${"😀".repeat(400)}`,
  "x".repeat(20_000),
  "__proto__",
  "constructor",
  "=1+1",
  "%3Cscript%3E%00%zz",
  "",
  " ",
];
const NAMES = ["t", "c", "orders", "orders.v2-#ephemeral", "a#ephemeral"];
const PARAMETERS = [
  "filter",
  "sort",
  "page",
  "done",
  "range",
  "state",
  "node",
  "search",
  "pattern",
  "path",
  "cursor",
  "body",
  "format",
  "action",
  "topic",
  "channel",
  "id",
  "at",
  "on",
  "table",
  "span",
  "failed",
  "done-by",
  "partly",
  "consumers",
  "address",
  "hostname",
  "client_id",
  "user_agent",
  "of",
  "which",
  "q",
  "theme",
  "show",
  "hide",
  "name",
  "count",
  "to",
  "rate",
  "messages",
  "ready",
  "seconds",
];
const WORDS = [
  "depth",
  "-depth",
  "1",
  "2",
  "-1",
  "1e9",
  "hour",
  "day",
  "waiting",
  "deferred",
  "hex",
  "text",
  "pause",
  "host",
  "client",
  "each",
  "worker",
  "topics",
  "channels",
  "found",
  "t/c",
  "ndjson",
  "csv",
  "dead",
];
const ACTIONS = [
  "pause",
  "unpause",
  "empty",
  "delete",
  "create",
  "tombstone",
  "drain",
  "forget",
  "requeue-message",
  "delete-message",
  "kick",
  "ask-kick",
  "ask-delete",
  "ask-pause",
  "redrive",
  "ask-redrive",
  "cancel-redrive",
];
/** Whatever else a page has is not ours. */
const TAGS = new Set(
  ("html head meta title link script body a header nav ul ol li p main h1 h2 h3 section form input button label select option " +
    "table caption thead tbody tfoot tr th td dl dt dd div span small strong em code pre svg path line rect g text figure figcaption " +
    "polyline footer dialog kbd time details summary fieldset legend textarea br hr article aside output abbr mark b i")
    .split(" "),
);

/** Runs a campaign. */
export function fuzzConsole(options: FuzzOptions): Promise<FuzzReport> {
  return runRounds("console", options, (seed) => fuzzOnce(new MixedRandom(seed)));
}

/** One cluster; what pages have said of it. */
async function fuzzOnce(random: Random): Promise<string[]> {
  const seen: string[] = [];
  let address = "";
  await using daemons = new FakeHttp((request) => answerOf(random, request, address));
  address = daemons.address;
  const log = await withNsqadmin({ lookupdHttpAddresses: [address] }, async (admin) => {
    for (let i = 0; i < REQUESTS; i++) {
      const { what, answer } = random.oneIn(4)
        ? await submit(random, admin, address)
        : await look(random, admin, address);
      check(answer, what);
      seen.push(`${what.split(" ")[0]} ${answer.status}`);
    }
  });
  // Its own faults have a stack.
  assertEquals(log.filter((line) => /^\s+at |TypeError|RangeError/.test(line)), []);
  return seen;
}

async function look(random: Random, admin: NsqadminInProcess, node: string) {
  const target = `${pathOf(random, random.pick(pathsOf(admin, "GET")), node)}?${fieldsOf(random, node)}`;
  return { what: `GET ${target}`, answer: await admin.ask("GET", target) };
}

/** Of all pages. */
function pathsOf(admin: NsqadminInProcess, method: string): string[] {
  return pageRoutes(admin.nsqadmin).filter((route) => route.method === method).map(({ path }) => path);
}

async function submit(random: Random, admin: NsqadminInProcess, node: string) {
  // Gathering takes seconds; changes of many are what most of the code is behind.
  const paths = [...pathsOf(admin, "POST").filter((path) => path !== "/tap/:topic"), "/bulk"];
  const target = pathOf(random, random.pick(paths), node);
  // What can be done is often done on a node.
  const fields = random.oneIn(4) ? `node=${encodeURIComponent(node)}` : fieldsOf(random, node);
  const isBulk = target === "/bulk" && !random.oneIn(4);
  const bulk = isBulk ? `of=${random.pick(["topics", "channels"])}&which=found&name=t&count=1&` : "";
  const body = `action=${random.pick(ACTIONS)}&${bulk}${fields}`;
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: admin.url };
  return { what: `POST ${target} ${body}`, answer: await admin.ask("POST", target, { body, headers }) };
}

function check({ status, headers, text }: AdminAnswer, what: string): void {
  assert(STATUSES.includes(status), `${status} for ${what}\n${text.slice(0, 2000)}`);
  if (REDIRECTIONS.includes(status)) {
    assert(/^\/(?!\/)/.test(headers.get("location") ?? ""), `to ${headers.get("location")} for ${what}`);
    return;
  }
  if (!headers.get("content-type")?.startsWith("text/html")) return;
  assert(text.length < PAGE_SIZE_MAX, `${text.length} characters for ${what}`);
  const page = new HtmlPage(text);
  assertEquals(page.links.filter((link) => !/^(\/(?!\/)|[?#])/.test(link)), [], what);
  assertEquals(text.match(/<script/g)?.length, 1, what);
  for (const [, name, attributes] of text.matchAll(/<([a-zA-Z][^\s>]*)([^>]*)>/g)) {
    assert(TAGS.has(name), `<${name}> for ${what}`);
    assert(
      !/\s(on\w+|style|srcdoc)=/.test(attributes.replace(/"[^"]*"/g, "")),
      `<${name}${attributes}> for ${what}`,
    );
  }
}

function pathOf(random: Random, path: string, node: string): string {
  const name = () => encodeURIComponent(shortened(wordOf(random, NAMES), 1000) || "x");
  return path.replace(/:(\w+)/g, (_, part) => part === "node" && random.oneIn(2) ? node : name());
}

function fieldsOf(random: Random, node: string): string {
  const fields = Array.from({ length: random.below(4) }, () => {
    const parameter = random.pick(PARAMETERS);
    const isNode = parameter === "node" && random.oneIn(2);
    const word = isNode ? node : shortened(wordOf(random, WORDS), 1000);
    return `${parameter}=${encodeURIComponent(word)}`;
  });
  return fields.join("&");
}

function wordOf(random: Random, usual: readonly string[]): string {
  return random.oneIn(3) ? random.pick(HOSTILE) : random.pick(usual);
}

/** What the daemons say, nearly. */
function answerOf(random: Random, { target, method }: FakeHttpRequest, address: string): Response {
  if (random.oneIn(12)) return brokenAnswer(random);
  const json = JSON.stringify(spoiled(random, method === "POST" ? {} : soundAnswer(random, target, address)));
  // A character of half a pair is one that JSON can tell.
  return new Response(json, { headers: { "Content-Type": "application/json" } });
}

function brokenAnswer(random: Random): Response {
  const headers = { "Content-Type": "text/html" };
  switch (random.below(5)) {
    case 0:
      return new Response(random.pick(HOSTILE).toWellFormed(), { status: 200, headers });
    case 1:
      return new Response(`{"message":${JSON.stringify(random.pick(HOSTILE))}}`, {
        status: random.pick([400, 403, 404, 500, 503]),
      });
    case 2:
      return new Response(`${"[".repeat(50_000)}`, { status: 200 });
    case 3:
      return new Response(null, { status: 302, headers: { Location: "http://elsewhere.example/" } });
    default:
      return new Response(random.bytes(200), { status: 200 });
  }
}

/** As NSQ's daemons would answer, or ours. */
function soundAnswer(random: Random, target: string, address: string): unknown {
  const names = (count: number) => Array.from({ length: random.below(count) }, () => wordOf(random, NAMES));
  if (/^\/(topics|channels)\b/.test(target)) return { topics: names(20), channels: names(5) };
  if (/^\/(nodes|lookup)\b/.test(target)) {
    return { channels: names(4), producers: [producer(random, address), producer(random, "127.0.0.1:1")] };
  }
  if (/^\/stats\b/.test(target)) {
    return {
      version: wordOf(random, ["1.3.0"]),
      health: wordOf(random, ["OK"]),
      start_time: random.next(),
      topics: Array.from({ length: random.below(6) }, () => topic(random)),
      memory: {
        ...{ heap_objects: random.next(), heap_in_use_bytes: random.next(), gc_total_runs: random.below(3) },
        ...{ gc_pause_usec_99: random.next(), gc_pause_usec_100: -1 },
      },
      node: {
        ...{
          state: wordOf(random, ["running", "draining"]),
          store: wordOf(random, ["files", "memory", "kv"]),
        },
        ...{
          resident_memory_bytes: random.next(),
          data_path_free_bytes: 0,
          data_path_size_bytes: random.next(),
        },
        drain: { messages_left: random.next(), seconds_left: random.below(99) },
      },
      gossip: { health: wordOf(random, ["OK"]), nodes: wordOf(random, ["3"]), members: "2", failed: "" },
      producers: [],
    };
  }
  if (/message/.test(target)) {
    return {
      messages: Array.from({ length: random.below(30) }, () => message(random)),
      cursor: wordOf(random, ["1"]),
    };
  }
  return { ...producer(random, address), start_time: random.next() };
}

function producer(random: Random, address: string): Record<string, unknown> {
  const [host, port] = address.split(":");
  return {
    remote_address: wordOf(random, [address]),
    hostname: wordOf(random, ["host"]),
    broadcast_address: host,
    tcp_port: 4150,
    http_port: Number(port),
    version: wordOf(random, ["1.3.0", "1.2.1"]),
    tombstones: [true, false],
    topics: NAMES,
    topology_region: wordOf(random, ["eu"]),
    topology_zone: wordOf(random, ["a"]),
  };
}

function topic(random: Random): Record<string, unknown> {
  return {
    topic_name: wordOf(random, NAMES),
    channels: Array.from({ length: random.below(4) }, () => ({
      channel_name: wordOf(random, NAMES),
      ...numbers(random),
      clients: Array.from({ length: random.below(3) }, () => client(random)),
    })),
    ...numbers(random),
  };
}

function numbers(random: Random): Record<string, unknown> {
  return {
    depth: random.below(1000),
    backend_depth: 0,
    message_count: random.next(),
    in_flight_count: random.below(9),
    deferred_count: random.below(9),
    requeue_count: random.below(9),
    timeout_count: random.below(9),
    client_count: random.below(9),
    finish_count: random.next(),
    oldest_age_ms: random.next(),
    paused: random.oneIn(3),
    e2e_processing_latency: { count: 3, percentiles: [{ quantile: 0.99, value: 1e6 }] },
  };
}

function client(random: Random): Record<string, unknown> {
  return {
    client_id: wordOf(random, ["worker"]),
    hostname: wordOf(random, ["host"]),
    remote_address: wordOf(random, ["127.0.0.1:2"]),
    user_agent: wordOf(random, ["go-nsq/1.1.0"]),
    ready_count: random.below(5),
    in_flight_count: random.below(5),
    message_count: random.next(),
    finish_count: random.next(),
    requeue_count: 0,
    connect_ts: random.next(),
    tls: random.oneIn(2),
    tls_version: wordOf(random, ["TLS1.3"]),
    authed: true,
    auth_identity: wordOf(random, ["me"]),
    auth_identity_url: wordOf(random, ["http://me.example"]),
  };
}

function message(random: Random): Record<string, unknown> {
  return {
    id: wordOf(random, ["0123456789abcdef"]).slice(0, 256),
    timestamp: wordOf(random, ["1700000000000000000"]),
    state: wordOf(random, ["waiting", "in_flight", "deferred"]),
    attempts: random.below(9),
    body: wordOf(random, ['{"a":1}', "text"]),
    client: wordOf(random, ["host"]),
    due_in_ms: random.next(),
    traceparent: wordOf(random, ["00-1-2-01"]),
  };
}

/** A few places of a value are something else. */
function spoiled(random: Random, value: unknown): unknown {
  if (random.oneIn(60)) return lie(random);
  if (Array.isArray(value)) return value.map((each) => spoiled(random, each));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(() => !random.oneIn(60));
  return Object.fromEntries(entries.map(([key, each]) => [key, spoiled(random, each)]));
}

function lie(random: Random): unknown {
  return random.pick<unknown>([
    null,
    true,
    -1,
    1e308,
    Number.MAX_SAFE_INTEGER,
    -0.5,
    random.pick(HOSTILE),
    [],
    {},
    [[[[]]]],
    { toString: "x", length: 1e9, __proto__: null },
    Array(500).fill(random.pick(HOSTILE).slice(0, 300)),
  ]);
}
