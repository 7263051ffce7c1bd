import { assertEquals } from "@std/assert";
import { TimeSlice } from "../../src/base/time_slice.ts";
import type { ClusterNode } from "../../src/cluster/cluster_nodes.ts";
import { infoNode } from "../../src/cluster/cluster_nodes.ts";
import { QUANTILES_MAX } from "../../src/cluster/latency.ts";
import {
  type ChannelStats,
  nodeTopics,
  sumChannels,
  sumTopics,
  type TopicStats,
} from "../../src/cluster/topic_stats.ts";
import { CountedSlice } from "../support/counted_slice.ts";

const NOW_S = 1_700_000_100;

function node(hostname: string, httpPort: number): ClusterNode {
  return infoNode({ hostname, broadcast_address: "10.0.0.1", http_port: httpPort, topology_zone: "z" }, []);
}

/** The topic `t` of a node, with a channel `c`. */
async function topicOf(
  hostname: string,
  port: number,
  channel: object,
  topic: object = {},
): Promise<TopicStats> {
  const answer = { topics: [{ topic_name: "t", channels: [{ channel_name: "c", ...channel }], ...topic }] };
  const [stats] = await nodeTopics(answer, {
    node: node(hostname, port),
    nowS: NOW_S,
    slice: new TimeSlice(),
  });
  return stats;
}

function channelsOf(topics: readonly TopicStats[]): ChannelStats[] {
  return topics.flatMap(({ channels }) => channels ?? []);
}

Deno.test("nodeTopics() has NSQ's keys in NSQ's order, and what is missing is empty", async () => {
  const stats = await topicOf("h", 2, { clients: [{ connect_ts: NOW_S - 100 }] });

  assertEquals(
    JSON.stringify(stats),
    '{"node":"10.0.0.1:2","hostname":"h","topic_name":"t","depth":0,"memory_depth":0,"backend_depth":0,' +
      '"message_count":0,"delivery_msg_count":0,"nodes":null,"channels":[{"node":"10.0.0.1:2","hostname":"h",' +
      '"topic_name":"t","channel_name":"c","depth":0,"memory_depth":0,"backend_depth":0,"in_flight_count":0,' +
      '"deferred_count":0,"requeue_count":0,"timeout_count":0,"message_count":0,"client_count":0,"nodes":null,' +
      '"clients":[{"node":"10.0.0.1:2","remote_address":"","version":"","client_id":"","hostname":"","user_agent":"",' +
      '"connect_ts":1700000000,"connected":100000000000,"in_flight_count":0,"ready_count":0,"finish_count":0,' +
      '"requeue_count":0,"message_count":0,"sample_rate":0,"deflate":false,"snappy":false,"authed":false,' +
      '"auth_identity":"","auth_identity_url":"","node_topology_zone":"z","tls":false,"tls_cipher_suite":"",' +
      '"tls_version":"","tls_negotiated_protocol":"","tls_negotiated_protocol_is_mutual":false}],"paused":false,' +
      '"e2e_processing_latency":{"count":0,"percentiles":null,"topic":"","channel":"","host":""}}],"paused":false,' +
      '"e2e_processing_latency":{"count":0,"percentiles":null,"topic":"","channel":"","host":""}}',
  );
});

Deno.test("sumChannels() adds up what nodes say, by hostname", async () => {
  const parts = channelsOf([
    await topicOf("b", 2, {
      depth: 5,
      backend_depth: 2,
      paused: true,
      client_count: 1,
      clients: [{ client_id: "y" }],
    }),
    await topicOf("a", 3, {
      depth: 7,
      zone_local_msg_count: 2,
      global_msg_count: 3,
      clients: [{ client_id: "x" }],
    }),
  ]);

  const sum = await sumChannels(parts);

  assertEquals([sum.node, sum.hostname, sum.topic_name, sum.channel_name], ["*", "", "t", "c"]);
  assertEquals([sum.depth, sum.memory_depth, sum.backend_depth], [12, 10, 2]);
  assertEquals([sum.delivery_msg_count, sum.zone_local_msg_count, sum.region_local_msg_count], [
    5,
    2,
    undefined,
  ]);
  assertEquals([sum.paused, sum.client_count], [true, 1]);
  assertEquals(sum.nodes?.map(({ node }) => node), ["10.0.0.1:3", "10.0.0.1:2"]);
  assertEquals(sum.clients?.map(({ client_id }) => client_id), ["y", "x"]);
});

Deno.test("sumTopics() has a channel of one node as it is, and one of several together", async () => {
  const parts = [
    await topicOf("a", 2, { depth: 5 }),
    await topicOf("b", 3, { depth: 7 }),
    await topicOf("c", 4, { channel_name: "other", depth: 1 }),
  ];

  const { node, channels, nodes } = await sumTopics("t", parts);

  assertEquals(node, "*");
  assertEquals(channels?.map((each) => [each.node, each.hostname, each.channel_name, each.depth]), [
    ["*", "a", "c", 12],
    ["10.0.0.1:4", "c", "other", 1],
  ]);
  assertEquals(nodes?.map(({ channels }) => channels?.map(({ depth }) => depth)), [[5], [7], [1]]);
});

Deno.test("sumTopics() of no node has its name and no latencies", async () => {
  const { node, topic_name, nodes, channels, e2e_processing_latency } = await sumTopics("t", []);

  assertEquals([node, topic_name, nodes, channels, e2e_processing_latency], ["", "t", null, null, null]);
});

Deno.test("Latencies of several nodes are averaged by what each has counted", async () => {
  const latency = (count: number, value: number) => ({
    e2e_processing_latency: { count, percentiles: [{ quantile: 0.99, value }] },
  });
  const parts = channelsOf([await topicOf("a", 2, latency(1, 100)), await topicOf("b", 3, latency(3, 200))]);

  assertEquals((await sumChannels(parts)).e2e_processing_latency, {
    count: 4,
    percentiles: [{ average: 175, count: 4, max: 200, min: 200, quantile: 0.99 }],
    topic: "t",
    channel: "c",
    host: "*",
  });
});

Deno.test("nodeTopics() reads as many quantiles as may be, and sumChannels() has no more", async () => {
  const latency = (from: number, count: number) => ({
    e2e_processing_latency: {
      count: 1,
      percentiles: Array.from({ length: count }, (_, i) => ({ quantile: from + i, value: 1 })),
    },
  });
  const quantiles = async (...counts: readonly number[]) => {
    const topics = counts.map((count, i) => topicOf("h", i, latency(i * 1000, count)));
    const sum = await sumChannels(channelsOf(await Promise.all(topics)));
    return sum.e2e_processing_latency?.percentiles?.length;
  };

  assertEquals(await quantiles(QUANTILES_MAX), QUANTILES_MAX);
  assertEquals(await quantiles(QUANTILES_MAX + 1), QUANTILES_MAX);
  assertEquals(await quantiles(QUANTILES_MAX - 1, 1), QUANTILES_MAX);
  assertEquals(await quantiles(QUANTILES_MAX - 1, 2), QUANTILES_MAX);
});

Deno.test("sumTopics() leaves others their turns, however many channels there are", async () => {
  const channels = Array.from({ length: 1000 }, (_, i) => ({ channel_name: String(i) }));
  const topics = [await topicOf("a", 1, {}, { channels }), await topicOf("b", 2, {}, { channels })];
  const slice = new CountedSlice();

  assertEquals((await sumTopics("t", topics, slice)).channels?.length, 1000);

  assertEquals(slice.turns >= 3000, true);
});

Deno.test("sumChannels() leaves others their turns, however many clients there are", async () => {
  const clients = Array.from({ length: 1000 }, (_, i) => ({ hostname: String(i) }));
  const channels = channelsOf([await topicOf("a", 1, { clients }), await topicOf("b", 2, { clients })]);
  const slice = new CountedSlice();

  assertEquals((await sumChannels(channels, slice)).clients?.length, 2000);

  assertEquals(slice.turns >= 2000, true);
});
