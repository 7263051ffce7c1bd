import { assert, assertEquals, assertRejects } from "@std/assert";
import { DAEMONS_MAX, tell, UnansweredError } from "../../src/cluster/asked.ts";
import { Cluster, type ClusterSources } from "../../src/cluster/cluster.ts";
import { act, create, remove, tombstone } from "../../src/cluster/cluster_actions.ts";
import { httpAddressOf } from "../../src/cluster/cluster_nodes.ts";
import { DaemonClient } from "../../src/cluster/daemon_client.ts";
import { HttpClient } from "../../src/http/http_client.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { deadAddress } from "../support/ports.ts";

/** A cluster with these sources. */
function clusterOf(sources: Partial<ClusterSources>): Cluster {
  const limits = { connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, signal: new AbortController().signal };
  const all = { lookupds: [], gossip: [], nsqds: [], ...sources };
  return new Cluster(new DaemonClient(new HttpClient(limits)), () => all);
}

/** A daemon that answers with JSON by path, and with 404 elsewhere; POSTs with 200 unless they are named. */
function fakeDaemon(answers: Readonly<Record<string, unknown>>): FakeHttp {
  return new FakeHttp(({ method, target }) => {
    const path = target.replace(/\?.*/, "");
    if (target in answers) return Response.json(answers[target]);
    if (path in answers) return Response.json(answers[path]);
    return method === "POST" ? new Response("") : Response.json({ message: "NOT_FOUND" }, { status: 404 });
  });
}

/** A node, as an nsqlookupd tells of it. */
function producer(daemon: FakeHttp, more: Record<string, unknown> = {}) {
  const [host, port] = daemon.address.split(":");
  return {
    hostname: "h",
    broadcast_address: host,
    http_port: Number(port),
    tcp_port: 1,
    version: "1.3.0",
    ...more,
  };
}

Deno.test("Cluster.topics() are those that any nsqlookupd knows, once, sorted, and who does not answer is a failure", async () => {
  await using one = fakeDaemon({ "/topics": { topics: ["b", "c"] } });
  await using two = fakeDaemon({ "/topics": { topics: ["a", "b"] } });
  const dead = deadAddress();

  const { value, failures } = await clusterOf({ lookupds: [one.address, dead, two.address] }).topics();

  assertEquals(value, ["a", "b", "c"]);
  assertEquals(failures.map(({ daemon }) => daemon), [{ kind: "nsqlookupd", address: dead }]);
});

Deno.test("Cluster.topics() has no answer when nobody has", async () => {
  const dead = deadAddress();

  const error = await assertRejects(() => clusterOf({ lookupds: [dead] }).topics(), UnansweredError);

  assertEquals(
    error.message,
    `failed to query any nsqlookupd: Get "http://${dead}/topics": dial tcp ${dead}: connect: connection refused`,
  );
});

Deno.test("Cluster.nodes() has each node once, with who tells of it, and knows the outdated ones", async () => {
  const a = {
    hostname: "a",
    broadcast_address: "10.0.0.1",
    tcp_port: 1,
    http_port: 2,
    version: "1.2.1",
    topics: ["t", "s"],
    tombstones: [true, false],
    remote_address: "10.0.0.1:99",
  };
  const b = {
    hostname: "b",
    broadcast_address: "10.0.0.2",
    tcp_port: 1,
    http_port: 2,
    version: "1.3.0",
    topics: null,
    tombstones: null,
  };
  await using one = fakeDaemon({ "/nodes": { producers: [b, a] } });
  await using two = fakeDaemon({ "/nodes": { producers: [a] } });

  const { value } = await clusterOf({ lookupds: [one.address, two.address] }).nodes();

  assertEquals(JSON.parse(JSON.stringify(value)), [{
    remote_addresses: [`${one.address}/10.0.0.1:99`, `${two.address}/10.0.0.1:99`],
    remote_address: "10.0.0.1:99",
    hostname: "a",
    broadcast_address: "10.0.0.1",
    tcp_port: 1,
    http_port: 2,
    version: "1.2.1",
    topics: [{ topic: "s", tombstoned: false }, { topic: "t", tombstoned: true }],
    out_of_date: true,
  }, {
    remote_addresses: [`${one.address}/N/A`],
    remote_address: "",
    hostname: "b",
    broadcast_address: "10.0.0.2",
    tcp_port: 1,
    http_port: 2,
    version: "1.3.0",
    topics: null,
    out_of_date: false,
  }]);
});

Deno.test("Cluster.nodes() of a list of nsqds are what these say of themselves", async () => {
  await using nsqd = fakeDaemon({
    "/info": {
      version: "1.3.0",
      hostname: "h",
      broadcast_address: "10.0.0.1",
      http_port: 2,
      tcp_port: 1,
      topology_zone: "z",
    },
    "/stats": { topics: [{ topic_name: "t" }] },
  });

  const { value } = await clusterOf({ nsqds: [nsqd.address] }).nodes();

  assertEquals(
    value.map(({ topics, topology_zone, remote_addresses }) => ({ topics, topology_zone, remote_addresses })),
    [
      { topics: [{ topic: "t", tombstoned: false }], topology_zone: "z", remote_addresses: null },
    ],
  );
  assertEquals(nsqd.asked, ["GET /info", "GET /stats?format=json&include_clients=false"]);
});

Deno.test("Cluster.inactiveTopics() are those that no node has, or only one that is to forget them", async () => {
  await using lookupd = fakeDaemon({
    "/topics": { topics: ["active", "buried", "idle"] },
    "/nodes": { producers: [{ topics: ["active", "buried"], tombstones: [false, true] }] },
    "/channels?topic=idle": { channels: ["b", "a"] },
    "/channels": { channels: [] },
  });

  const { value } = await clusterOf({ lookupds: [lookupd.address] }).inactiveTopics();

  assertEquals([...value], [["buried", null], ["idle", ["a", "b"]]]);
});

Deno.test("Cluster.inactiveTopics() are those of who tells of nodes as well, and who does not answer is asked once", async () => {
  await using lookupd = fakeDaemon({
    "/topics": { topics: ["a", "b"] },
    "/nodes": { producers: [] },
    "/channels": { channels: ["c"] },
  });
  // Where it knows of no nodes it cannot say what none of them has.
  await using nodeless = fakeDaemon({ "/topics": { topics: ["used"] } });
  await using channelless = fakeDaemon({ "/topics": { topics: ["a"] }, "/nodes": { producers: [] } });
  const lookupds = [lookupd.address, nodeless.address, channelless.address];

  const { value, failures } = await clusterOf({ lookupds }).inactiveTopics();

  assertEquals([...value], [["a", ["c"]], ["b", ["c"]]]);
  assertEquals(failures.map(({ daemon }) => daemon.address), [nodeless.address, channelless.address]);
  assertEquals(channelless.asked.filter((asked) => asked.includes("/channels")).length, 1);
});

Deno.test("Cluster.topicStats() has the numbers of each node that answers", async () => {
  await using nsqd = fakeDaemon({
    "/stats": { topics: [{ topic_name: "t", depth: 7, backend_depth: 5 }, { topic_name: "u" }] },
  });
  await using liar = fakeDaemon({ "/stats": { topics: [{ topic_name: "t", depth: "much" }] } });
  await using lookupd = fakeDaemon({ "/lookup": { producers: [producer(nsqd), producer(liar)] } });
  const cluster = clusterOf({ lookupds: [lookupd.address] });

  const nodes = await cluster.topicNodes("t");
  const { value, failures } = await cluster.topicStats(nodes.value, {
    topic: "t",
    channel: "",
    includeClients: false,
  });

  assertEquals(value.map(({ node, depth, memory_depth }) => [node, depth, memory_depth]), [[
    nsqd.address,
    7,
    2,
  ]]);
  assertEquals(failures.map(({ daemon, reason }) => [daemon.address, reason]), [
    [
      liar.address,
      `Get "http://${liar.address}/stats?format=json&topic=t&include_clients=false": depth is no whole number`,
    ],
  ]);
});

for (
  const [what, answer] of [
    ["no object", []],
    ["no list", { producers: {} }],
    ["a node that is none", { producers: [1] }],
    ["an address of another kind", { producers: [{ broadcast_address: 1 }] }],
    ["a port with a fraction", { producers: [{ http_port: 1.5 }] }],
    ["topics that are no names", { producers: [{ topics: [1] }] }],
  ]
) {
  Deno.test(`Cluster.nodes() takes nothing of an answer with ${what}`, async () => {
    await using lookupd = fakeDaemon({ "/nodes": answer });

    await assertRejects(() => clusterOf({ lookupds: [lookupd.address] }).nodes(), UnansweredError);
  });
}

Deno.test("Cluster asks nsqds with gossip as it does nsqlookupds, and escapes what it asks for", async () => {
  await using nsqd = fakeDaemon({ "/lookup": { producers: [] }, "/topics": { topics: ["t"] } });
  const cluster = clusterOf({ gossip: [nsqd.address] });

  assertEquals((await cluster.topics()).value, ["t"]);
  assertEquals((await cluster.topicNodes("a b#é&(1)")).value, []);
  assertEquals(nsqd.asked, ["GET /topics", "GET /lookup?topic=a+b%23%C3%A9%26%281%29"]);
});

Deno.test("act() has every node of a topic do it, and says who could not", async () => {
  await using nsqd = fakeDaemon({});
  await using refusing = new FakeHttp(() => new Response("no", { status: 500 }));
  await using lookupd = fakeDaemon({ "/lookup": { producers: [producer(nsqd), producer(refusing)] } });
  const cluster = clusterOf({ lookupds: [lookupd.address] });

  const { done, failures } = await act(cluster, "pause", { topic: "t", channel: "c#ephemeral" });

  assertEquals(nsqd.asked, ["POST /channel/pause?topic=t&channel=c%23ephemeral"]);
  assertEquals(done, [{ kind: "nsqd", address: nsqd.address }]);
  assertEquals(failures.map(({ daemon, reason }) => [daemon.address, reason]), [
    [refusing.address, 'got response 500 Internal Server Error "no"'],
  ]);
});

Deno.test("create() tells nsqlookupds of a topic and channel, and the nodes of the topic of the channel", async () => {
  await using nsqd = fakeDaemon({});
  await using lookupd = fakeDaemon({ "/lookup": { producers: [producer(nsqd)] } });

  await create(clusterOf({ lookupds: [lookupd.address] }), { topic: "t", channel: "c" });

  assertEquals(lookupd.asked, [
    "POST /topic/create?topic=t",
    "POST /channel/create?topic=t&channel=c",
    "GET /lookup?topic=t",
  ]);
  assertEquals(nsqd.asked, ["POST /channel/create?topic=t&channel=c"]);
});

Deno.test("create() makes a topic on all nodes where there are no nsqlookupds", async () => {
  await using nsqd: FakeHttp = new FakeHttp(({ target, method }): Response => {
    if (method === "POST") return new Response("");
    return Response.json(target === "/info" ? producer(nsqd) : { topics: [] });
  });

  const { done } = await create(clusterOf({ nsqds: [nsqd.address] }), { topic: "t", channel: "" });

  assertEquals(done, [{ kind: "nsqd", address: nsqd.address }]);
  assertEquals(nsqd.asked.slice(-1), ["POST /topic/create?topic=t"]);
});

Deno.test("remove() has nsqlookupds forget a topic before its nodes delete it", async () => {
  const order: string[] = [];
  await using nsqd = new FakeHttp(({ target }) => (order.push(`nsqd ${target}`), new Response("")));
  await using lookupd = new FakeHttp(({ method, target }) => {
    order.push(`nsqlookupd ${target}`);
    return method === "GET" ? Response.json({ producers: [producer(nsqd)] }) : new Response("");
  });

  await remove(clusterOf({ lookupds: [lookupd.address] }), { topic: "t", channel: "" });

  assertEquals(order, [
    "nsqlookupd /lookup?topic=t",
    "nsqlookupd /topic/delete?topic=t",
    "nsqd /topic/delete?topic=t",
  ]);
});

Deno.test("tombstone() tells nsqlookupds, and has the node delete the topic", async () => {
  await using nsqd: FakeHttp = new FakeHttp(({ target, method }): Response => {
    if (method === "POST") return new Response("");
    return Response.json(target === "/info" ? producer(nsqd) : { topics: [] });
  });
  await using lookupd = fakeDaemon({});

  await tombstone(clusterOf({ lookupds: [lookupd.address] }), "t", nsqd.address);

  assertEquals(lookupd.asked, [`POST /topic/tombstone?topic=t&node=${encodeURIComponent(nsqd.address)}`]);
  assertEquals(nsqd.asked.slice(-1), ["POST /topic/delete?topic=t"]);
});

Deno.test("tell() asks as many daemons as there may be, and says which it has not asked", async () => {
  const addresses = Array.from({ length: DAEMONS_MAX + 1 }, (_, i) => `10.0.0.1:${i}`);
  let asked = 0;

  const { answers, failures } = await tell("nsqd", addresses, () => Promise.resolve(asked++));

  assertEquals([asked, answers.length, failures.length], [DAEMONS_MAX, DAEMONS_MAX, 1]);
  assert(failures[0].reason.startsWith("not asked"));
});

Deno.test("Cluster.eachTopic() looks at every topic of every node, one after the other", async () => {
  const channels = [{ channel_name: "c", depth: 1, message_count: 2, client_count: 3 }];
  await using one = fakeDaemon({
    "/stats": { topics: [{ topic_name: "t", depth: 4, paused: true, channels }] },
  });
  await using two = fakeDaemon({ "/stats": { topics: [{ topic_name: "t" }, { topic_name: "u" }] } });
  await using lookupd = fakeDaemon({
    "/nodes": { producers: [producer(one, { tcp_port: 2 }), producer(two)] },
  });
  const cluster = clusterOf({ lookupds: [lookupd.address] });
  const seen: unknown[] = [];

  const nodes = await cluster.nodes();
  await cluster.eachTopic(nodes.value, ({ name, depth, paused, channels }, node) => {
    const consumers = Array.from(channels, ({ name, messages, consumers }) => [name, messages, consumers]);
    seen.push([httpAddressOf(node) === one.address ? 1 : 2, name, depth, paused, consumers]);
  });

  assertEquals(seen.toSorted(), [
    [1, "t", 4, true, [["c", 2, 3]]],
    [2, "t", 0, false, []],
    [2, "u", 0, false, []],
  ]);
  assertEquals(one.asked, ["GET /stats?format=json&include_clients=false"]);
});
