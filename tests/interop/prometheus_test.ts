/**
 * Prometheus, and its tool, with `/metrics` of nsqd, nsqlookupd and nsqadmin, with the alert rules and with the dashboard that are
 * shipped. Debian has both in its package prometheus.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import dashboard from "../../contrib/grafana/denosq.json" with { type: "json" };
import { eventually } from "../support/eventually.ts";
import { pub } from "../support/frames.ts";
import { interopTest, runProgram } from "../support/interop.ts";
import { type NsqadminInProcess, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { type NsqlookupdInProcess, withNsqlookupd } from "../support/nsqlookupd_in_process.ts";
import { ALERTS_FILE, checkMetrics, findPrometheus, Prometheus } from "../support/prometheus.ts";

/** What it takes until there are rates, on a machine that does other things, too. */
const PATIENCE = { timeoutMs: 60_000 };

/** Names that Prometheus would not choose, which are others' and stay as they are. */
const KNOWN_COMPLAINT = /should (have "_total"|not have "_count") suffix$/;

/** A test with an nsqd that has topics, messages and a consumer, and an nsqlookupd that it is registered with. */
function metricsTest(
  name: string,
  test: (nsqd: NsqdInProcess, nsqlookupd: NsqlookupdInProcess) => Promise<void>,
): void {
  interopTest(name, findPrometheus, async () => {
    await withNsqlookupd({}, (nsqlookupd) =>
      withDataPath(async (dataPath) => {
        const options = {
          broadcastAddress: "127.0.0.1",
          lookupdTcpAddresses: [nsqlookupd.tcpAddress],
          e2eProcessingLatencyPercentiles: [0.99, 0.95],
          durability: "disk",
          metricsMaxSeries: 1000,
        } as const;
        await withNsqd(dataPath, options, async (nsqd) => {
          using client = await nsqd.connect();
          await client.ask("SUB orders billing\n");
          await client.send(pub("orders", "one"), pub("orders", "two"), "RDY 1\n");
          assertEquals([await client.answer(), await client.answer()], ["OK", "OK"]);
          await client.send(`FIN ${(await client.message()).id}\n`);
          nsqd.nsqd.broker.topic("dotted.name").channel("c#ephemeral");
          await test(nsqd, nsqlookupd);
        });
      }));
  });
}

for (const query of ["", "?aggregate=topic", "?aggregate=node", "?clients=1"]) {
  metricsTest(`promtool has nothing to say of nsqd's /metrics${query}`, async ({ httpUrl }) => {
    assertEquals(await checkMetrics(await textOf(`${httpUrl}/metrics${query}`)), { code: 0, complaints: [] });
  });
}

for (const query of ["?names=exporter", "?names=exporter&clients=1", "?names=statsd"]) {
  metricsTest(
    `promtool reads nsqd's /metrics${query}, and complains of its names only`,
    async ({ httpUrl }) => {
      const { code, complaints } = await checkMetrics(await textOf(`${httpUrl}/metrics${query}`));

      assertEquals(complaints.filter((line) => !KNOWN_COMPLAINT.test(line)), []);
      assertEquals([code, complaints.length > 0], [3, true]);
    },
  );
}

metricsTest("promtool has nothing to say of nsqlookupd's /metrics", async (_, { httpAddress }) => {
  assertEquals(await checkMetrics(await textOf(`http://${httpAddress}/metrics`)), {
    code: 0,
    complaints: [],
  });
});

metricsTest("promtool has nothing to say of nsqadmin's /metrics", async (_, { httpAddress }) => {
  await withNsqadmin({ lookupdHttpAddresses: [httpAddress] }, async ({ nsqadmin, url }) => {
    await nsqadmin.poller.refresh();

    assertEquals(await checkMetrics(await textOf(`${url}/metrics`)), { code: 0, complaints: [] });
  });
});

metricsTest(
  "Prometheus scrapes all three, evaluates every alert rule, and has series for every query of the dashboard",
  async (nsqd, nsqlookupd) => {
    const options = { lookupdHttpAddresses: [nsqlookupd.httpAddress], history: true, pollIntervalMs: 1000 };
    await withNsqadmin(options, (admin) => scrapeAll(nsqd, nsqlookupd, admin));
  },
);

async function scrapeAll(
  nsqd: NsqdInProcess,
  nsqlookupd: NsqlookupdInProcess,
  admin: NsqadminInProcess,
): Promise<void> {
  const address = nsqd.httpUrl.replace("http://", "");
  await using prometheus = await Prometheus.start([
    { job: "nsqd", address },
    { job: "nsqlookupd", address: nsqlookupd.httpAddress },
    { job: "nsqadmin", address: admin.url.replace("http://", "") },
    { job: "exporter", address, params: { names: ["exporter"] } },
    { job: "statsd", address, params: { names: ["statsd"] } },
  ]);

  await eventually("all targets are up", async () => {
    assertEquals(await prometheus.scrapeErrors(), {
      nsqd: "",
      nsqlookupd: "",
      nsqadmin: "",
      exporter: "",
      statsd: "",
    });
    return true;
  }, PATIENCE);
  const rules = await eventually("all rules are evaluated", async () => {
    const rules = await prometheus.rules();
    return rules.every(({ health }) => health !== "unknown") && rules;
  }, PATIENCE);
  assertEquals(
    rules.filter(({ health }) => health !== "ok").map(({ name, lastError }) => [name, lastError]),
    [],
  );
  assert(rules.length > 15, `only ${rules.length} rules`);

  for (const expression of dashboardQueries()) {
    await eventually(`series for ${expression}`, async () => {
      return (await prometheus.query(expression)).length > 0;
    }, PATIENCE);
  }
  for (
    const [query, expected] of [
      ['nsq_channel_finished_total{topic="orders",channel="billing"}', "1"],
      ['nsq_topic_depth{topic="dotted.name",job="nsqd"}', "0"],
      ['nsq_topic_channel_message_count{job="statsd",channel="billing"}', "2"],
      ['nsq_channel_client_count{job="exporter",channel="billing"}', "1"],
      ['nsqlookupd_producers{job="nsqlookupd"}', "1"],
      ['nsqadmin_nodes{job="nsqadmin",state="up"}', "1"],
    ]
  ) {
    // A scrape that takes too long leaves a gap.
    await eventually(query, async () => {
      assertEquals((await prometheus.query(query)).map(({ value }) => value[1]), [expected]);
      return true;
    }, PATIENCE);
  }
}

interopTest(
  "promtool finds that each alert comes when it should, and not before",
  findPrometheus,
  async () => {
    const tests = new URL("prometheus_alerts.yml", import.meta.url).pathname;

    await runProgram("promtool", { args: ["check", "rules", ALERTS_FILE] });
    const { stdout } = await runProgram("promtool", { args: ["test", "rules", tests] });

    assert(stdout.includes("SUCCESS"), stdout);
  },
);

Deno.test("The dashboard has as many queries as panels that show something, or more", () => {
  const shown = dashboard.panels.filter(({ type }) => type !== "row");

  assert(shown.length > 20);
  assert(dashboardQueries().length >= shown.length);
});

/** Every query, with its variables filled in. */
function dashboardQueries(): string[] {
  return dashboard.panels
    .flatMap(({ targets = [] }: { targets?: { expr: string }[] }) => targets.map(({ expr }) => expr))
    .map((expr) =>
      expr.replaceAll("$__rate_interval", "10s").replaceAll(/\$(job|instance|topic|channel)\b/g, ".*")
    );
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  assertEquals(response.status, 200);
  return await response.text();
}
