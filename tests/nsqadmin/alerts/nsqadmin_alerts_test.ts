import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseAlertRule } from "../../../src/nsqadmin/alerts/rules.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { type NsqadminInProcess, withNsqadmin } from "../../support/nsqadmin_in_process.ts";

interface AlertsTold {
  readonly alerts: readonly Record<string, unknown>[];
  readonly resolved: readonly Record<string, unknown>[];
  readonly left_out: number;
  readonly rules: readonly string[];
}

/** A node with a channel in which so much waits. */
function nodeWith(depth: () => number, name = "t"): FakeHttp {
  return new FakeHttp(() => {
    const channels = [{ channel_name: "c", depth: depth(), client_count: 1 }];
    return Response.json({ topics: [{ topic_name: name, channels }] });
  });
}

/** An nsqlookupd that tells of a node. */
function lookupdOf(node: FakeHttp): FakeHttp {
  const [broadcast_address, port] = node.address.split(":");
  const producer = {
    hostname: "host",
    broadcast_address,
    http_port: Number(port),
    tcp_port: 1,
    version: "1.3.0",
  };
  return new FakeHttp(() => Response.json({ producers: [producer] }));
}

async function told(admin: NsqadminInProcess): Promise<AlertsTold> {
  return await admin.json("/api/alerts") as AlertsTold;
}

Deno.test("nsqadmin tells of an alert on pages, by the API, in /metrics, in its log and by the webhook, and of its end", async () => {
  let depth = 11;
  await using node = nodeWith(() => depth);
  await using lookupd = lookupdOf(node);
  await using webhook = new FakeHttp();
  const alertRules = [parseAlertRule("depth(t/*) > 10")];
  const alertWebhook = `http://${webhook.address}/hook?key=s`;
  const options = { lookupdHttpAddresses: [lookupd.address], alertRules, alertWebhook };
  const lines = await withNsqadmin(options, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.look();

    const { alerts, rules } = await told(admin);
    assertEquals(
      alerts.map(({ state, topic, channel, value, rule }) => [state, topic, channel, value, rule]),
      [
        ["firing", "t", "c", 11, "depth(t/*) > 10"],
      ],
    );
    assertEquals(rules, [
      "node-gone",
      "node-failing for 1m",
      "no-consumers(!*#ephemeral) > 0 for 5m",
      "depth(t/*) > 10",
    ]);
    for (const path of ["/", "/channels", "/nodes", "/counter", "/activity"]) {
      const [strip] = /<div class="alerts[^>]*>.*?<\/div>/s.exec((await admin.ask("GET", path)).text) ?? [""];
      assertMatch(strip, /role="status"/);
      assertMatch(
        new HtmlPage(strip).text,
        /^One alert t\/c : depth\(t\/\*\) > 10, since \d{4}-\d\d-\d\d [\d:]+ UTC$/,
      );
    }
    const { text } = await admin.ask("GET", "/metrics");
    assertStringIncludes(text, 'nsqadmin_alerts{rule="depth(t/*) > 10",state="firing"} 1\n');
    assertStringIncludes(text, 'nsqadmin_alerts{rule="node-gone",state="firing"} 0\n');

    depth = 10;
    await poller.refresh();

    const over = await told(admin);
    assertEquals([over.alerts, over.resolved.map(({ state, value }) => [state, value])], [[], [[
      "resolved",
      10,
    ]]]);
    const page = new HtmlPage((await admin.ask("GET", "/alerts?filter=RESOLVED")).text);
    assertEquals(page.rows[1].slice(0, 4), ["t/c", "resolved", "depth(t/*) > 10", "10"]);
    assert(page.links.includes("/topics/t/c"));
    assertMatch((await admin.ask("GET", "/")).text, /<div class="alerts" role="status"><\/div>/);
    await eventually("both are sent", () => webhook.requests.length === 2);
    const sent = webhook.requests.map(({ body }) => JSON.parse(body));
    assertEquals(sent.map(({ state, topic, channel, via }) => [state, topic, channel, via]), [
      ["firing", "t", "c", Deno.hostname()],
      ["resolved", "t", "c", Deno.hostname()],
    ]);
    assertEquals(sent[1].text, "resolved: t/c: depth(t/*) > 10 (10)");
    assertEquals(webhook.asked, Array(2).fill("POST /hook?key=s"));
  });
  assertEquals(lines.filter((line) => line.includes("ALERT")), [
    "WARNING: ALERT: firing: t/c: depth(t/*) > 10 (11)",
    "INFO: ALERT: resolved: t/c: depth(t/*) > 10 (10)",
  ]);
});

Deno.test("nsqadmin without its own rules and without others has no alerts", async () => {
  await using node = nodeWith(() => 0);
  await using lookupd = lookupdOf(node);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address], alertDefaults: false }, async (admin) => {
    assertEquals(await told(admin), { alerts: [], resolved: [], left_out: 0, rules: [] });
    assertStringIncludes(new HtmlPage((await admin.ask("GET", "/alerts")).text).text, "There is none.");
  });
});

Deno.test("nsqadmin goes on asking nodes when somebody wants alerts, also when nobody looks", async () => {
  await using node = nodeWith(() => 11);
  await using lookupd = lookupdOf(node);
  const options = { lookupdHttpAddresses: [lookupd.address], pollIntervalMs: 100, history: false };
  const alertRules = [parseAlertRule("depth > 10")];
  const lines = await withNsqadmin({ ...options, alertRules }, async (admin) => {
    await eventually("there were rounds", () => admin.nsqadmin.poller.rounds >= 3);
  });

  assertEquals(lines.filter((line) => line.includes("ALERT")), [
    "WARNING: ALERT: firing: t/c: depth > 10 (11)",
  ]);
});

Deno.test("Names that nodes tell of are escaped in alerts", async () => {
  await using node = nodeWith(() => 11, "<b>\n");
  await using lookupd = lookupdOf(node);
  const alertRules = [parseAlertRule("depth > 10")];
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address], alertRules }, async (admin) => {
    await admin.nsqadmin.poller.look();

    for (const path of ["/", "/alerts"]) {
      const { text } = await admin.ask("GET", path);
      assertStringIncludes(text, "&lt;b&gt;");
      assertStringIncludes(new HtmlPage(text).text, "One alert <b>");
    }
    assertEquals(admin.lines.filter((line) => line.startsWith("WARNING: ALERT")).length, 1);
  });
});
