/**
 * The endpoints that tell about the cluster (nsqadmin/http.go). Keys, their order and what is `null` are NSQ's: scripts
 * read them. Each asks the daemons anew: whoever has paused a channel sees that it is.
 *
 * @module
 */

import { sortedInSlices } from "../../base/sort_slices.ts";
import { TimeSlice } from "../../base/time_slice.ts";
import { byText, httpAddressOf, nullIfEmpty } from "../../cluster/cluster_nodes.ts";
import { type ClientStats, sumChannels, sumTopics } from "../../cluster/topic_stats.ts";
import { HttpError } from "../../http/http_error.ts";
import { parseQuery } from "../../http/query.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { AdminContext } from "../context.ts";
import { Upstream } from "./upstream.ts";

const NO_FILTER = { topic: "", channel: "" };

/** `GET /api/topics` */
export async function topics(admin: AdminContext, request: RequestContext): Promise<unknown> {
  const upstream = new Upstream(admin);
  if (wantsInactive(request)) {
    const topics = await upstream.ask("get topics", admin.cluster.inactiveTopics());
    return { topics, message: upstream.message };
  }
  const topics = await upstream.ask("get topics", admin.cluster.topics());
  return { topics: nullIfEmpty(topics), message: upstream.message };
}

/** `GET /api/topics/:topic` */
export async function topic(admin: AdminContext, request: RequestContext): Promise<unknown> {
  const { topic } = request.params;
  const upstream = new Upstream(admin);
  const nodes = await upstream.ask("get topic producers", admin.cluster.topicNodes(topic));
  const query = { topic, channel: "", includeClients: false };
  const stats = await upstream.ask("get topic metadata", admin.cluster.topicStats(nodes, query));
  return { ...await sumTopics(topic, stats), message: upstream.message };
}

/** `GET /api/topics/:topic/:channel` */
export async function channel(admin: AdminContext, request: RequestContext): Promise<unknown> {
  const { topic, channel } = request.params;
  const upstream = new Upstream(admin);
  const nodes = await upstream.ask("get topic producers", admin.cluster.topicNodes(topic));
  const query = { topic, channel, includeClients: true };
  const stats = await upstream.ask("get channel metadata", admin.cluster.topicStats(nodes, query));
  const parts = stats.flatMap(({ channels }) => channels ?? []).filter(({ channel_name }) =>
    channel_name === channel
  );
  if (parts.length === 0) {
    // Unlike NSQ, whose handler fails, or answers with nothing (docs/compatibility.md). Who has not answered may have it.
    throw upstream.refusal() ?? new HttpError(404, "CHANNEL_NOT_FOUND");
  }
  const sum = await sumChannels(parts);
  const clients = sum.clients === null ? null : await sortedInSlices(sum.clients, byTopology);
  return { ...sum, clients, message: upstream.message };
}

/** `GET /api/nodes` */
export async function nodes(admin: AdminContext): Promise<unknown> {
  const upstream = new Upstream(admin);
  const nodes = await upstream.ask("get nodes", admin.cluster.nodes());
  return { nodes: nullIfEmpty(nodes), message: upstream.message };
}

/** `GET /api/nodes/:node` */
export async function node(admin: AdminContext, request: RequestContext): Promise<unknown> {
  const address = request.params.node;
  const upstream = new Upstream(admin);
  const nodes = await upstream.ask("get producers", admin.cluster.nodes());
  const node = nodes.find((each) => httpAddressOf(each) === address);
  if (node === undefined) throw new HttpError(404, "NODE_NOT_FOUND");
  const query = { ...NO_FILTER, includeClients: true };
  const topics = await upstream.ask("get nsqd stats", admin.cluster.topicStats([node], query));
  const channels = topics.flatMap(({ channels }) => channels ?? []);
  return {
    node: address,
    topics: nullIfEmpty(topics),
    total_messages: topics.reduce((sum, { message_count }) => sum + message_count, 0),
    total_clients: channels.reduce((sum, { clients }) => sum + (clients?.length ?? 0), 0),
    message: upstream.message,
  };
}

/** Messages that a channel of a node has had, in the form and order of NSQ's JSON. */
interface ChannelCount {
  readonly node: string;
  readonly topic_name: string;
  readonly channel_name: string;
  message_count: number;
}

/** `GET /api/counter` */
export async function counter(admin: AdminContext): Promise<unknown> {
  const upstream = new Upstream(admin);
  const nodes = await upstream.ask("get counter producer list", admin.cluster.nodes());
  const byTopic = new Map<string, ChannelCount[]>();
  const counting = admin.cluster.eachTopic(nodes, ({ name: topic_name, channels }, node) => {
    const key = `${topic_name}:`;
    const counts = byTopic.get(key) ?? [];
    byTopic.set(key, counts);
    for (const { name: channel_name, messages: message_count } of channels) {
      counts.push({ node: httpAddressOf(node), topic_name, channel_name, message_count });
    }
  });
  await upstream.ask("get nsqd stats", counting);
  return { stats: await byKey(byTopic), message: upstream.message };
}

/** NSQ compat: a bad query is refused here in Go's words, and not as elsewhere. */
function wantsInactive(request: RequestContext): boolean {
  try {
    return parseQuery(request.rawQuery).get("inactive") === "true";
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, cause.message, { cause });
  }
}

/** By `topic:channel:node`, in the order of these keys, which is found topic by topic: there may be very many. */
async function byKey(
  byTopic: ReadonlyMap<string, readonly ChannelCount[]>,
): Promise<ReadonlyMap<string, ChannelCount>> {
  const slice = new TimeSlice();
  const ordered = new Map<string, ChannelCount>();
  for (const [topic, counts] of [...byTopic].sort(([a], [b]) => byText(a, b))) {
    const keyed = counts.map((count) => ({ key: `${topic}${count.channel_name}:${count.node}`, count }));
    for (const { key, count } of keyed.sort((a, b) => byText(a.key, b.key))) {
      const known = ordered.get(key);
      if (known === undefined) ordered.set(key, count);
      else known.message_count += count.message_count;
    }
    if (slice.isOver) await slice.next();
  }
  return ordered;
}

/** By node; of one node those in its own zone first, then those in its region. */
function byTopology(a: ClientStats, b: ClientStats): number {
  if (a.node !== b.node) return byText(a.node, b.node);
  const distance = distanceOf(a) - distanceOf(b);
  if (distance !== 0 || distanceOf(a) < ELSEWHERE) return distance;
  return byText(a.topology_region ?? "", b.topology_region ?? "") ||
    byText(a.topology_zone ?? "", b.topology_zone ?? "");
}

const ELSEWHERE = 2;

function distanceOf(client: ClientStats): number {
  if (client.topology_region !== client.node_topology_region) return ELSEWHERE;
  return client.topology_zone === client.node_topology_zone ? 0 : 1;
}
