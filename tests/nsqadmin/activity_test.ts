import { assertEquals, assertStringIncludes } from "@std/assert";
import type { RequestContext } from "../../src/http/request_context.ts";
import {
  ACTIVITIES_MAX,
  ACTIVITY_TEXT_LENGTH_MAX,
  ActivityLog,
  BULK_ACTIVITIES_MAX,
  REFUSED_MAX,
  RESULTS_MAX,
} from "../../src/nsqadmin/activity.ts";
import { HtmlPage } from "../support/html_page.ts";
import { type NsqadminInProcess, withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

interface Told {
  readonly [field: string]: unknown;
  readonly results: readonly { readonly daemon: string; readonly error?: string }[];
}

async function told(admin: NsqadminInProcess, query = ""): Promise<Told[]> {
  return (await admin.json(`/api/activity${query}`) as { activity: Told[] }).activity;
}

function answered(log: ActivityLog, status: number): void {
  const context = request();
  log.tried(context, { action: "pause", topic: "t" });
  log.note(context, { status, user: "u", atMs: 0 });
}

/** A request, as far as the log looks at it. */
function request(): RequestContext {
  const headers = new Headers({ "user-agent": "agent" });
  const seen = {
    method: "POST",
    rawPath: "/topics/t",
    params: {},
    remoteAddress: "h:1",
    request: { headers },
  };
  return seen as unknown as RequestContext;
}

Deno.test("ActivityLog keeps so many of what was changed many at once, and they push out nothing else", () => {
  const log = new ActivityLog();
  const by = { user: "u", address: "h:1", userAgent: "agent" };
  const bulk = (topic: string) =>
    log.noteOfBulk(by, {
      subject: { action: "pause", topic },
      result: { done: [{ kind: "nsqd", address: "n:1" }], failures: [] },
      ...{ status: 200, atMs: 0 },
    });
  answered(log, 200);
  for (let i = 0; i < BULK_ACTIVITIES_MAX; i++) bulk(`t${i}`);
  assertEquals(log.newestFirst.length, 1 + BULK_ACTIVITIES_MAX);

  bulk("last");

  const kept = log.newestFirst;
  assertEquals([kept.length, kept[0].topic], [1 + BULK_ACTIVITIES_MAX, "last"]);
  assertEquals(kept.slice(-2).map(({ topic, isOfBulk }) => [topic, isOfBulk]), [["t1", true], ["t", false]]);
});

Deno.test("ActivityLog keeps as many as it may, and of those that were refused half of it", () => {
  const log = new ActivityLog();

  for (let i = 0; i < 3; i++) answered(log, 200);
  for (let i = 0; i < REFUSED_MAX + 1; i++) answered(log, 403);
  assertEquals(log.newestFirst.length, 3 + REFUSED_MAX);
  assertEquals(log.newestFirst.slice(-4).map(({ number, outcome }) => [number, outcome]), [
    [5, "refused"],
    [3, "done"],
    [2, "done"],
    [1, "done"],
  ]);

  for (let i = 0; i < ACTIVITIES_MAX; i++) answered(log, 200);
  assertEquals(log.newestFirst.length, ACTIVITIES_MAX);
  answered(log, 403);
  assertEquals([log.newestFirst.length, log.newestFirst[0].outcome], [ACTIVITIES_MAX, "refused"]);
});

Deno.test("ActivityLog names the daemons that failed first, and no more than it may", () => {
  const log = new ActivityLog();
  const context = request();
  const daemon = (i: number) => ({ kind: "nsqd" as const, address: `h:${i}` });
  const done = Array.from({ length: RESULTS_MAX + 1 }, (_, i) => daemon(i));
  const reason = "x".repeat(ACTIVITY_TEXT_LENGTH_MAX + 1);
  log.tried(context, { action: "empty", topic: "t" }, { done, failures: [{ daemon: daemon(7), reason }] });
  log.note(context, { status: 200, user: undefined, atMs: 0 });

  const [{ results, resultsLeftOut, outcome }] = log.newestFirst;

  assertEquals([results.length, resultsLeftOut, outcome], [RESULTS_MAX, 1, "partly"]);
  assertEquals(results[0], { daemon: "nsqd h:7", reason: `${"x".repeat(ACTIVITY_TEXT_LENGTH_MAX)}…` });
  assertEquals(results[1], { daemon: "nsqd h:0", reason: undefined });
});

Deno.test("nsqadmin tells what was changed, by whom and from where, and what each daemon has made of it", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], lookupd, topic }) => {
    await topic("t", "c");
    const headers = { "X-Forwarded-User": "alice", "User-Agent": "tester/1" };
    await admin.ask("POST", "/api/topics/t/c", { body: { action: "pause" }, headers });
    await admin.ask("POST", "/topics", {
      body: "topic=new&channel=&action=create",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
    await admin.ask("POST", "/topics/t", { body: "action=ask-delete" });
    await admin.ask("PUT", "/config/log_level", { body: "debug" });

    const [config, create, pause, ...others] = await told(admin);

    assertEquals(others, []);
    assertEquals([config.action, config.status, config.outcome], ["set log_level", 200, "done"]);
    assertEquals([create.action, create.topic, create.status, create.outcome, create.results], [
      "create",
      "new",
      303,
      "done",
      [{ daemon: `nsqlookupd ${lookupd.httpAddress}` }],
    ]);
    const { time: _, address, ...rest } = pause;
    assertStringIncludes(String(address), "127.0.0.1:");
    assertEquals(rest, {
      user: "alice",
      user_agent: "tester/1",
      action: "pause",
      topic: "t",
      channel: "c",
      status: 200,
      outcome: "done",
      results: [{ daemon: `nsqd 127.0.0.1:${nsqd.nsqd.httpPort}` }],
      results_left_out: 0,
    });
    const page = new HtmlPage((await admin.ask("GET", "/activity?filter=ALICE")).text);
    assertEquals(page.rows.slice(1).map((row) => [row[1], row[3], row[4]]), [[
      "alice",
      "pause t / c",
      "done (200)",
    ]]);
    assertEquals((await told(admin, "?filter=alice")).length, 1);
  });
});

Deno.test("nsqadmin tells what was refused, and what nobody could do", async () => {
  const adminUsers = ["root"];
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()], adminUsers }, async (admin) => {
    await admin.ask("DELETE", "/api/topics/t", { headers: { "X-Forwarded-User": "=mallory" } });
    await admin.ask("GET", "/topics/t/c/messages");
    await admin.ask("GET", "/topics/t");
    await admin.ask("POST", "/api/topics/t", {
      body: { action: "empty" },
      headers: { Origin: "http://evil" },
    });
    const headers = { "X-Forwarded-User": "root" };
    await admin.ask("POST", "/api/topics/t", { body: { action: "fly" }, headers });
    await admin.ask("POST", "/api/topics/t", { body: { action: "empty" }, headers });

    const all = await told(admin);

    assertEquals(all.map(({ action, user, status, outcome }) => [action, user, status, outcome]), [
      ["empty", "root", 502, "failed"],
      ["POST /api/topics/t", "root", 400, "refused"],
      ["POST /api/topics/t", undefined, 403, "refused"],
      ["GET /topics/t/c/messages", undefined, 403, "refused"],
      ["DELETE /api/topics/t", "=mallory", 403, "refused"],
    ]);
    const [, head, ...rows] = /^(.*)\r\n(.*\r\n)*/.exec((await admin.ask("GET", "/api/activity.csv")).text) ??
      [];
    assertStringIncludes(head, "time,user,address,user_agent,action,topic");
    assertStringIncludes(rows.join(), ",'=mallory,127.0.0.1:");
    assertEquals((await admin.ask("GET", "/api/activity?filter=%zz")).status, 400);
  });
});

Deno.test("A name that is cut between the halves of a character does not take the page of activity away", async () => {
  await withNsqadmin({}, async (admin) => {
    const name = "x".repeat(ACTIVITY_TEXT_LENGTH_MAX - 1);
    const refused = await admin.ask("POST", `/api/topics/${encodeURIComponent(`${name}\u{1f600}`)}`, {
      body: { action: "none" },
    });
    const { status, text } = await admin.ask("GET", "/activity");

    assertEquals([refused.status, status], [400, 200], text);
    assertStringIncludes(new HtmlPage(text).text, `${name}\ufffd…`);
  });
});
