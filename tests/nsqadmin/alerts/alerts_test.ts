import { assertEquals } from "@std/assert";
import { momentOf } from "../../../src/base/clock.ts";
import type { Failure } from "../../../src/cluster/asked.ts";
import type { ClusterNode } from "../../../src/cluster/cluster_nodes.ts";
import {
  alertJson,
  Alerts,
  alertText,
  type Judged,
  RESOLVED_MAX,
} from "../../../src/nsqadmin/alerts/alerts.ts";
import type { Alert } from "../../../src/nsqadmin/alerts/found.ts";
import { parseAlertRule } from "../../../src/nsqadmin/alerts/rules.ts";
import { AT, type Field, FIELDS, type Series, SeriesSet } from "../../../src/nsqadmin/watch/series.ts";
import { WatchedNode } from "../../../src/nsqadmin/watch/watched_node.ts";
import { CountedSlice } from "../../support/counted_slice.ts";
import { FAKE_START_MS, FakeClock } from "../../support/fake_clock.ts";

type Numbers = Partial<Record<Field, number>>;

const LOOKUPDS = ["l1:4161", "l2:4161"];

function clusterNode(host: string, { version = "1.3.0", told = LOOKUPDS } = {}): ClusterNode {
  return {
    remote_addresses: told.map((lookupd) => `${lookupd}/x`),
    remote_address: "",
    hostname: host,
    broadcast_address: host,
    tcp_port: 4150,
    http_port: 4151,
    version,
    topology_zone: undefined,
    topology_region: undefined,
    topics: null,
    out_of_date: false,
  };
}

/** A cluster that rounds are made up of. */
class Cluster {
  readonly clock = new FakeClock();
  readonly set = new SeriesSet();
  readonly changes: string[] = [];
  readonly alerts: Alerts;
  nodes: WatchedNode[] = [];
  failures: Failure[] = [];

  constructor(...rules: readonly string[]) {
    this.alerts = new Alerts({
      rules: rules.map(parseAlertRule),
      clock: this.clock,
      registries: () => ({ kind: "nsqlookupd", addresses: LOOKUPDS }),
      onChange: (alert: Alert) => void this.changes.push(alertText(alert)),
    });
  }

  /** What nodes say of a topic, `t`, or channel, `t/c`, until the next round. */
  say(name: string, ...ofNodes: readonly Numbers[]): void {
    const [topicName, channelName] = name.split("/");
    const topic = this.set.find(topicName) ?? this.set.use(topicName) as Series;
    const series = channelName === undefined
      ? topic
      : topic.channels.get(channelName) ?? this.set.use(channelName, { topic }) as Series;
    for (const said of ofNodes) {
      const numbers = new Float64Array(FIELDS.length);
      for (const [field, value] of Object.entries(said)) numbers[AT[field as Field]] = value;
      series.add(numbers, 0);
    }
  }

  /** A round, a minute after the one before; returns what has changed. */
  async round(): Promise<string[]> {
    this.clock.advance(60_000);
    for (const series of this.set.all()) series.publish();
    this.changes.length = 0;
    const judged: Judged = { topics: this.set.topics, nodes: this.nodes, failures: this.failures };
    await this.alerts.judge(judged);
    return [...this.changes];
  }
}

for (
  const [rule, name, numbers, found] of [
    ["depth > 10", "t", { depth: 11 }, "firing: t: depth > 10 (11)"],
    ["depth > 10", "t/c", { depth: 11 }, "firing: t/c: depth > 10 (11)"],
    ["depth > 10", "t/c", { depth: 10 }, undefined],
    ["depth(u) > 10", "t/c", { depth: 11 }, undefined],
    ["growth > 5/s", "t/c", { inRate: 10, outRate: 4 }, "firing: t/c: growth > 5/s (6/s)"],
    ["growth > 5/s", "t/c", { inRate: 10, outRate: 5 }, undefined],
    ["growth > 5/s", "t", { inRate: 10 }, undefined],
    ["no-consumers", "t/c", { depth: 1 }, "firing: t/c: no-consumers > 0 (1)"],
    ["no-consumers", "t/c", { depth: 1, consumers: 1 }, undefined],
    ["no-consumers", "t/c", {}, undefined],
    ["requeued > 10%", "t/c", { requeueRate: 1, outRate: 3 }, "firing: t/c: requeued > 10% (25%)"],
    ["requeued > 10%", "t/c", { requeueRate: 1, outRate: 9 }, undefined],
    ["requeued > 0%", "t/c", {}, undefined],
    ["oldest > 1m", "t/c", { oldestS: 61 }, "firing: t/c: oldest > 1m (1m1s)"],
    ["oldest > 1m", "t/c", { oldestS: 60 }, undefined],
    ["paused", "t", { paused: 1 }, "firing: t: paused (1)"],
    ["paused", "t/c", { paused: 2 }, "firing: t/c: paused (2)"],
  ] as const satisfies readonly (readonly [string, string, Numbers, string | undefined])[]
) {
  Deno.test(`Alerts.judge() by "${rule}": ${name} with ${JSON.stringify(numbers)}`, async () => {
    const cluster = new Cluster(rule);

    cluster.say(name, numbers);

    assertEquals(await cluster.round(), found === undefined ? [] : [found]);
  });
}

Deno.test("Alerts.judge() takes the sum over all nodes, and of ages the highest", async () => {
  const cluster = new Cluster("depth > 10", "oldest > 1m");

  cluster.say("t/c", { depth: 6, oldestS: 40 }, { depth: 5, oldestS: 50 });
  assertEquals(await cluster.round(), ["firing: t/c: depth > 10 (11)"]);
  cluster.say("t/c", { depth: 6, oldestS: 70 }, { depth: 5, oldestS: 50 });
  assertEquals(await cluster.round(), ["firing: t/c: oldest > 1m (1m10s)"]);
});

Deno.test("Alerts.judge() leaves an alert alone whose topic no node that answers has", async () => {
  const cluster = new Cluster("depth > 10");
  cluster.say("t", { depth: 11 });
  assertEquals(await cluster.round(), ["firing: t: depth > 10 (11)"]);

  assertEquals(await cluster.round(), []);
  assertEquals(cluster.alerts.firing.length, 1);
  cluster.set.release(cluster.set.find("t") as Series);
  assertEquals(await cluster.round(), ["resolved: t: depth > 10 (11)"]);
});

Deno.test("Alerts.judge() finds nodes that are gone, late or failing", async () => {
  const cluster = new Cluster("node-gone", "node-failing(!c)");
  const [a, b, c, d] = ["a", "b", "c", "d"].map((host) => new WatchedNode(clusterNode(host)));
  cluster.nodes = [a, b, c, d];
  assertEquals(await cluster.round(), []);

  a.gone = momentOf(cluster.clock);
  a.hasFailed("dial tcp a:4151: connection refused");
  b.isLate = true;
  c.hasFailed("no");
  d.hasFailed("dial tcp d:4151: connection refused");

  assertEquals(await cluster.round(), [
    "firing: a:4151: node-gone (nobody tells of it any more)",
    "firing: b:4151: node-failing(!c) (is late, and not waited for)",
    "firing: d:4151: node-failing(!c) (dial tcp d:4151: connection refused)",
  ]);
  a.gone = undefined;
  b.isLate = false;
  cluster.nodes = [a, b, c];
  assertEquals(await cluster.round(), [
    "resolved: a:4151: node-gone (nobody tells of it any more)",
    "firing: a:4151: node-failing(!c) (dial tcp a:4151: connection refused)",
    "resolved: b:4151: node-failing(!c) (is late, and not waited for)",
    "resolved: d:4151: node-failing(!c) (dial tcp d:4151: connection refused)",
  ]);
});

Deno.test("Alerts.judge() finds versions that differ, of nodes that are there", async () => {
  const cluster = new Cluster("version-skew");
  const versions = ["1.3.0", "1.2.0", "7", "6", "5", "4"];
  const nodes = versions.map((version, i) => new WatchedNode(clusterNode(`n${i}`, { version })));
  cluster.nodes = nodes.slice(0, 2);
  assertEquals(await cluster.round(), ["firing: the cluster: version-skew (1.2.0, 1.3.0)"]);

  nodes[1].gone = momentOf(cluster.clock);
  assertEquals(await cluster.round(), ["resolved: the cluster: version-skew (1.2.0, 1.3.0)"]);
  nodes[1].gone = undefined;
  cluster.nodes = nodes;
  assertEquals(await cluster.round(), [
    "firing: the cluster: version-skew (1.2.0, 1.3.0, 4, 5, 6 and 1 more)",
  ]);
});

Deno.test("Alerts.judge() finds nsqlookupds that disagree, and those that do not answer", async () => {
  const cluster = new Cluster("lookupd-disagreement", "lookupd-failing");
  const node = new WatchedNode(clusterNode("a", { told: ["l1:4161"] }));
  cluster.nodes = [node, new WatchedNode(clusterNode("b"))];
  assertEquals(await cluster.round(), ["firing: a:4151: lookupd-disagreement (told of by 1 of 2)"]);

  cluster.failures = [{ daemon: { kind: "nsqlookupd", address: "l2:4161" }, reason: "no route" }];
  assertEquals(await cluster.round(), [
    "firing: l2:4161: lookupd-failing (no route)",
    "resolved: a:4151: lookupd-disagreement (told of by 1 of 2)",
  ]);
});

Deno.test("Alerts tells which fire, which may come to, and the latest that are over", async () => {
  const cluster = new Cluster("depth > 10 for 1m", "depth > 20");
  cluster.say("t", { depth: 21 });
  await cluster.round();
  assertEquals(cluster.alerts.firing.map(alertText), ["firing: t: depth > 20 (21)"]);
  assertEquals(cluster.alerts.pending.map(alertText), ["pending: t: depth > 10 for 1m (21)"]);
  assertEquals(cluster.alerts.counts.map(({ firing, pending }) => [firing, pending]), [[0, 1], [1, 0]]);

  for (let i = 0; i <= RESOLVED_MAX; i++) {
    cluster.say("t", { depth: i % 2 === 0 ? 0 : 30 + i });
    await cluster.round();
    cluster.say("t", { depth: i % 2 === 0 ? 30 + i : 0 });
    await cluster.round();
  }

  assertEquals([cluster.alerts.resolved.length, cluster.alerts.rules.length], [RESOLVED_MAX, 2]);
});

Deno.test("alertJson() has what there is to say of an alert", async () => {
  const cluster = new Cluster("depth(t/*) > 10");
  cluster.say("t/c", { depth: 11 });
  await cluster.round();

  const time = new Date(FAKE_START_MS + 60_000).toISOString();
  assertEquals(JSON.parse(JSON.stringify(alertJson(cluster.alerts.firing[0]))), {
    state: "firing",
    rule: "depth(t/*) > 10",
    kind: "depth",
    topic: "t",
    channel: "c",
    value: 11,
    limit: 10,
    finding: "11",
    since: time,
    fired: time,
    text: "firing: t/c: depth(t/*) > 10 (11)",
  });
});

Deno.test("Alerts.judge() lets others have their turn whenever its slice is over", async () => {
  const cluster = new Cluster("depth > 10");
  for (let i = 0; i < 5; i++) cluster.say(`t${i}`, { depth: i });
  for (const series of cluster.set.all()) series.publish();
  const slice = new CountedSlice();

  await cluster.alerts.judge({ topics: cluster.set.topics, nodes: [], failures: [] }, slice);

  // One for each of the five, one for the rule, and one at each end.
  assertEquals(slice.turns, 8);
});
