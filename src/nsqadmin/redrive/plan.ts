/**
 * What a redrive would do: how many messages wait where, and where they would go.
 *
 * @module
 */

import { type Answered, type Failure, UnansweredError } from "../../cluster/asked.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { type ClusterNode, httpAddressOf } from "../../cluster/cluster_nodes.ts";
import type { TopicStats } from "../../cluster/topic_stats.ts";
import { tcpAddressesOf } from "../node_connections.ts";

/** Messages of a channel that are to be published to another topic. */
export interface RedriveOrder {
  readonly topic: string;
  /** It is made if there is none; then it gets what waits in the topic, where there is no other. */
  readonly channel: string;
  readonly to: string;
  /** Messages in a second. */
  readonly rate: number;
  /** The most messages. */
  readonly messages: number;
}

/** What waits on a node. */
export interface WaitingOnNode {
  /** `host:port` of HTTP. */
  readonly node: string;
  readonly count: number;
  /** They are the channel's, and not yet the topic's own. */
  readonly hasChannel: boolean;
}

/** See above. */
export interface RedrivePlan {
  /** What waits on each node, of those that have the topic. */
  readonly waiting: readonly WaitingOnNode[];
  /** How many are taken. */
  readonly count: number;
  /** `host:port` of TCP, of the nodes that messages are taken from. */
  readonly sources: readonly string[];
  /** And of those that get them: the nodes of the topic, or those that they come from if there is no such topic. */
  readonly targets: readonly string[];
  /** The nodes that they are taken from, by the addresses of HTTP. */
  readonly nodes: readonly string[];
  readonly failures: readonly Failure[];
}

/** Asks the cluster. @throws {UnansweredError} */
export async function planRedrive(cluster: Cluster, order: RedriveOrder): Promise<RedrivePlan> {
  const { topic, channel, to, messages } = order;
  const from = await cluster.topicNodes(topic);
  const into = await knownNodes(cluster, to);
  const stats: Answered<readonly TopicStats[]> = from.value.length === 0
    ? { value: [], failures: [] }
    : await cluster.topicStats(from.value, { topic, channel: "", includeClients: false });
  const waiting = stats.value.map((each) => waitingOn(each, channel));
  const inAll = waiting.reduce((sum, { count }) => sum + count, 0);
  const has = (node: ClusterNode) =>
    waiting.some((each) => each.node === httpAddressOf(node) && each.count > 0);
  const sources = from.value.filter(has);
  return {
    waiting,
    count: Math.min(messages, inAll),
    sources: tcpAddressesOf(sources),
    targets: tcpAddressesOf(into.length > 0 ? into : sources),
    nodes: sources.map(httpAddressOf),
    failures: [...from.failures, ...stats.failures],
  };
}

/** The nodes of a topic, as far as anybody knows: nsqlookupds do not answer of one that they do not know. */
async function knownNodes(cluster: Cluster, topic: string): Promise<readonly ClusterNode[]> {
  try {
    return (await cluster.topicNodes(topic)).value;
  } catch (error) {
    if (error instanceof UnansweredError) return [];
    throw error;
  }
}

/** What a consumer of the channel would be delivered: of a channel that is not there, what the first one of a topic gets. */
function waitingOn({ node, depth, channels }: TopicStats, channel: string): WaitingOnNode {
  const found = channels?.find(({ channel_name }) => channel_name === channel);
  const own = found !== undefined || (channels ?? []).length === 0 ? depth : 0;
  return { node, count: Math.max(0, own + (found?.depth ?? 0)), hasChannel: found !== undefined };
}
