/**
 * The numbers of topics and channels, of one node and of several together (internal/clusterinfo/types.go), in the form and
 * order of nsqadmin's JSON.
 *
 * @module
 */

import { sortedInSlices } from "../base/sort_slices.ts";
import { inSlices, type Slice, TimeSlice } from "../base/time_slice.ts";
import { type Fields, fieldsOf, flagField, listField, textField, wholeField } from "./answer_fields.ts";
import { byText, type ClusterNode, httpAddressOf, nullIfEmpty } from "./cluster_nodes.ts";
import { addLatencies, type Latency, latencyOf, noLatency } from "./latency.ts";

/** A consumer of a channel. */
export interface ClientStats {
  readonly node: string;
  readonly remote_address: string;
  readonly version: string;
  readonly client_id: string;
  readonly hostname: string;
  readonly user_agent: string;
  readonly connect_ts: number;
  /** In ns, of whole seconds. */
  readonly connected: number;
  readonly in_flight_count: number;
  readonly ready_count: number;
  readonly finish_count: number;
  readonly requeue_count: number;
  readonly message_count: number;
  readonly sample_rate: number;
  readonly deflate: boolean;
  readonly snappy: boolean;
  readonly authed: boolean;
  readonly auth_identity: string;
  readonly auth_identity_url: string;
  readonly node_topology_region: string | undefined;
  readonly node_topology_zone: string | undefined;
  readonly topology_region: string | undefined;
  readonly topology_zone: string | undefined;
  readonly tls: boolean;
  readonly tls_cipher_suite: string;
  readonly tls_version: string;
  readonly tls_negotiated_protocol: string;
  readonly tls_negotiated_protocol_is_mutual: boolean;
}

/** A channel, of the node that it names, or of several: `*`. */
export interface ChannelStats {
  readonly node: string;
  readonly hostname: string;
  readonly topic_name: string;
  readonly channel_name: string;
  readonly depth: number;
  readonly memory_depth: number;
  readonly backend_depth: number;
  readonly in_flight_count: number;
  readonly deferred_count: number;
  readonly requeue_count: number;
  readonly timeout_count: number;
  readonly message_count: number;
  readonly delivery_msg_count: number | undefined;
  readonly zone_local_msg_count: number | undefined;
  readonly region_local_msg_count: number | undefined;
  readonly global_msg_count: number | undefined;
  readonly client_count: number;
  readonly nodes: readonly ChannelStats[] | null;
  readonly clients: readonly ClientStats[] | null;
  readonly paused: boolean;
  readonly e2e_processing_latency: Latency | null;
}

/** A topic, of the node that it names, or of several: `*`. */
export interface TopicStats {
  readonly node: string;
  readonly hostname: string;
  readonly topic_name: string;
  readonly depth: number;
  readonly memory_depth: number;
  readonly backend_depth: number;
  readonly message_count: number;
  readonly delivery_msg_count: number;
  readonly zone_local_msg_count: number | undefined;
  readonly region_local_msg_count: number | undefined;
  readonly global_msg_count: number | undefined;
  readonly nodes: readonly TopicStats[] | null;
  readonly channels: readonly ChannelStats[] | null;
  readonly paused: boolean;
  readonly e2e_processing_latency: Latency | null;
}

const NS_PER_S = 1e9;

/** What an answer of `/stats` says of topics, at this time. @throws {TypeError} */
export async function nodeTopics(
  answer: unknown,
  { node, nowS, slice }: { readonly node: ClusterNode; readonly nowS: number; readonly slice: Slice },
): Promise<TopicStats[]> {
  const topics: TopicStats[] = [];
  const where: Where = { node, address: httpAddressOf(node), nowS, slice };
  for (const topic of listField(fieldsOf(answer, "the answer"), "topics")) {
    topics.push(await topicOf(fieldsOf(topic, "a topic"), where));
    if (slice.isOver) await slice.next();
  }
  return topics;
}

/** A topic of several nodes, which may have very many channels. Where none has it, there is its name alone. */
export async function sumTopics(
  topicName: string,
  parts: readonly TopicStats[],
  slice: Slice = new TimeSlice(),
): Promise<TopicStats> {
  return {
    node: parts.length === 0 ? "" : "*",
    hostname: "",
    topic_name: topicName,
    depth: sum(parts, ({ depth }) => depth),
    memory_depth: sum(parts, ({ memory_depth }) => memory_depth),
    backend_depth: sum(parts, ({ backend_depth }) => backend_depth),
    message_count: sum(parts, ({ message_count }) => message_count),
    delivery_msg_count: sum(parts, ({ delivery_msg_count }) => delivery_msg_count),
    ...localCounts(parts),
    nodes: nullIfEmpty(await byHost(parts, slice)),
    channels: nullIfEmpty(await topicChannels(parts, slice)),
    paused: parts.some(({ paused }) => paused),
    e2e_processing_latency: parts.length === 0
      ? null
      : addLatencies(noLatency(topicName, ""), latenciesOf(parts)),
  };
}

/** A channel of several nodes, which may have very many clients. */
export async function sumChannels(
  parts: readonly ChannelStats[],
  slice: Slice = new TimeSlice(),
): Promise<ChannelStats> {
  const { topic_name, channel_name } = parts[0];
  return {
    ...await counted(parts, { hostname: "", nodes: await byHost(parts, slice), slice }),
    e2e_processing_latency: addLatencies(noLatency(topic_name, channel_name), latenciesOf(parts)),
  };
}

/** The topics' channels of several nodes, each by itself where one node has it, and together where several have. */
async function topicChannels(topics: readonly TopicStats[], slice: Slice): Promise<ChannelStats[]> {
  const byName = new Map<string, ChannelStats[]>();
  await inSlices(channelsOf(topics), (channel) => {
    const known = byName.get(channel.channel_name);
    if (known === undefined) byName.set(channel.channel_name, [channel]);
    else known.push(channel);
  }, slice);
  const channels: ChannelStats[] = [];
  for (const parts of byName.values()) {
    channels.push(parts.length === 1 ? parts[0] : await together(parts, slice));
    if (slice.isOver) await slice.next();
  }
  return channels;
}

function* channelsOf(topics: readonly TopicStats[]): Generator<ChannelStats> {
  for (const { channels } of topics) yield* channels ?? [];
}

async function together(parts: readonly ChannelStats[], slice: Slice): Promise<ChannelStats> {
  const [first, ...others] = parts;
  const [latency, ...added] = latenciesOf(parts);
  return {
    // NSQ compat: the first node's with the others added to it, and so with its hostname, and not among the nodes.
    ...await counted(parts, { hostname: first.hostname, nodes: await byHost(others, slice), slice }),
    e2e_processing_latency: addLatencies(latency, added),
  };
}

/** All of a channel's but the latencies. */
async function counted(
  parts: readonly ChannelStats[],
  { hostname, nodes, slice }: {
    readonly hostname: string;
    readonly nodes: readonly ChannelStats[];
    readonly slice: Slice;
  },
): Promise<Omit<ChannelStats, "e2e_processing_latency">> {
  const [{ topic_name, channel_name }] = parts;
  const clients: ClientStats[] = [];
  await inSlices(clientsOf(parts), (client) => clients.push(client), slice);
  return {
    node: "*",
    hostname,
    topic_name,
    channel_name,
    depth: sum(parts, ({ depth }) => depth),
    memory_depth: sum(parts, ({ memory_depth }) => memory_depth),
    backend_depth: sum(parts, ({ backend_depth }) => backend_depth),
    in_flight_count: sum(parts, ({ in_flight_count }) => in_flight_count),
    deferred_count: sum(parts, ({ deferred_count }) => deferred_count),
    requeue_count: sum(parts, ({ requeue_count }) => requeue_count),
    timeout_count: sum(parts, ({ timeout_count }) => timeout_count),
    message_count: sum(parts, ({ message_count }) => message_count),
    delivery_msg_count: sum(parts, ({ delivery_msg_count = 0 }) => delivery_msg_count) || undefined,
    ...localCounts(parts),
    client_count: sum(parts, ({ client_count }) => client_count),
    nodes: nullIfEmpty(nodes),
    clients: nullIfEmpty(await byHost(clients, slice)),
    paused: parts.some(({ paused }) => paused),
  };
}

function* clientsOf(parts: readonly ChannelStats[]): Generator<ClientStats> {
  for (const { clients } of parts) yield* clients ?? [];
}

/** Where something is told of, and when. */
interface Where {
  readonly node: ClusterNode;
  /** Of the node's HTTP API. */
  readonly address: string;
  readonly nowS: number;
  readonly slice: Slice;
}

async function topicOf(fields: Fields, where: Where): Promise<TopicStats> {
  const topicName = textField(fields, "topic_name");
  const channels: ChannelStats[] = [];
  for (const channel of listField(fields, "channels")) {
    channels.push(await channelOf(fieldsOf(channel, "a channel"), topicName, where));
    if (where.slice.isOver) await where.slice.next();
  }
  const local = localFields(fields);
  return {
    node: where.address,
    hostname: where.node.hostname,
    topic_name: topicName,
    ...depthFields(fields),
    message_count: wholeField(fields, "message_count"),
    delivery_msg_count: deliveredOf(local),
    ...local,
    nodes: null,
    channels: listOrNull(fields, "channels", channels),
    paused: flagField(fields, "paused"),
    e2e_processing_latency: latencyOf(fields.e2e_processing_latency),
  };
}

async function channelOf(fields: Fields, topicName: string, where: Where): Promise<ChannelStats> {
  const clients: ClientStats[] = [];
  const read = (client: unknown) => clients.push(clientOf(fieldsOf(client, "a client"), where));
  await inSlices(listField(fields, "clients"), read, where.slice);
  const local = localFields(fields);
  return {
    node: where.address,
    hostname: where.node.hostname,
    topic_name: topicName,
    channel_name: textField(fields, "channel_name"),
    ...depthFields(fields),
    in_flight_count: wholeField(fields, "in_flight_count"),
    deferred_count: wholeField(fields, "deferred_count"),
    requeue_count: wholeField(fields, "requeue_count"),
    timeout_count: wholeField(fields, "timeout_count"),
    message_count: wholeField(fields, "message_count"),
    delivery_msg_count: deliveredOf(local) || undefined,
    ...local,
    client_count: wholeField(fields, "client_count"),
    nodes: null,
    clients: listOrNull(fields, "clients", clients),
    paused: flagField(fields, "paused"),
    e2e_processing_latency: latencyOf(fields.e2e_processing_latency),
  };
}

function clientOf(fields: Fields, { node, address, nowS }: Where): ClientStats {
  const connectedS = wholeField(fields, "connect_ts");
  return {
    node: address,
    remote_address: textField(fields, "remote_address"),
    version: textField(fields, "version"),
    client_id: textField(fields, "client_id"),
    hostname: textField(fields, "hostname"),
    user_agent: textField(fields, "user_agent"),
    connect_ts: connectedS,
    connected: (nowS - connectedS) * NS_PER_S,
    in_flight_count: wholeField(fields, "in_flight_count"),
    ready_count: wholeField(fields, "ready_count"),
    finish_count: wholeField(fields, "finish_count"),
    requeue_count: wholeField(fields, "requeue_count"),
    message_count: wholeField(fields, "message_count"),
    sample_rate: wholeField(fields, "sample_rate"),
    deflate: flagField(fields, "deflate"),
    snappy: flagField(fields, "snappy"),
    authed: flagField(fields, "authed"),
    auth_identity: textField(fields, "auth_identity"),
    auth_identity_url: textField(fields, "auth_identity_url"),
    node_topology_region: node.topology_region,
    node_topology_zone: node.topology_zone,
    topology_region: textField(fields, "topology_region") || undefined,
    topology_zone: textField(fields, "topology_zone") || undefined,
    tls: flagField(fields, "tls"),
    tls_cipher_suite: textField(fields, "tls_cipher_suite"),
    tls_version: textField(fields, "tls_version"),
    tls_negotiated_protocol: textField(fields, "tls_negotiated_protocol"),
    tls_negotiated_protocol_is_mutual: flagField(fields, "tls_negotiated_protocol_is_mutual"),
  };
}

/** Messages delivered to consumers in the node's own zone, its own region, and elsewhere. */
interface LocalCounts {
  readonly zone_local_msg_count: number | undefined;
  readonly region_local_msg_count: number | undefined;
  readonly global_msg_count: number | undefined;
}

function localFields(fields: Fields): LocalCounts {
  return {
    zone_local_msg_count: wholeField(fields, "zone_local_msg_count") || undefined,
    region_local_msg_count: wholeField(fields, "region_local_msg_count") || undefined,
    global_msg_count: wholeField(fields, "global_msg_count") || undefined,
  };
}

function localCounts(parts: readonly LocalCounts[]): LocalCounts {
  return {
    zone_local_msg_count: sum(parts, ({ zone_local_msg_count = 0 }) => zone_local_msg_count) || undefined,
    region_local_msg_count: sum(parts, ({ region_local_msg_count = 0 }) => region_local_msg_count) ||
      undefined,
    global_msg_count: sum(parts, ({ global_msg_count = 0 }) => global_msg_count) || undefined,
  };
}

function deliveredOf(counts: LocalCounts): number {
  const { zone_local_msg_count = 0, region_local_msg_count = 0, global_msg_count = 0 } = counts;
  return zone_local_msg_count + region_local_msg_count + global_msg_count;
}

function depthFields(fields: Fields) {
  const depth = wholeField(fields, "depth");
  const backendDepth = wholeField(fields, "backend_depth");
  return { depth, memory_depth: depth - backendDepth, backend_depth: backendDepth };
}

/** As the node has it: null stays null. */
function listOrNull<T>(fields: Fields, name: string, list: readonly T[]): readonly T[] | null {
  return fields[name] === undefined || fields[name] === null ? null : list;
}

function latenciesOf(
  parts: readonly { readonly e2e_processing_latency: Latency | null }[],
): readonly Latency[] {
  return parts.flatMap(({ e2e_processing_latency }) => e2e_processing_latency ?? []);
}

function sum<T>(parts: readonly T[], countOf: (part: T) => number): number {
  return parts.reduce((total, part) => total + countOf(part), 0);
}

function byHost<T extends { readonly hostname: string }>(parts: readonly T[], slice: Slice): Promise<T[]> {
  return sortedInSlices(parts, (a, b) => byText(a.hostname, b.hostname), slice);
}
