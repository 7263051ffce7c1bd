/**
 * What nsqds tell each other through Serf, in the form of NSQ's branch dev (nsqd/gossip.go), so that its nodes and
 * ours can be members of one cluster: a member's tags say how it is reached, and user events which topics and
 * channels it has. Whatever comes from the network is checked here; nothing is done with it.
 *
 * ```
 *  tags:   role=nsqd  tp=4150  hp=4151  hps=4152  ba=broadcast.example  h=host.example  v=1.3.0
 *  event:  channel+   {"n":"broadcast.example:4150","t":"topic","c":"channel","r":1706702400000000000}
 *          + it is there now, - it is gone, = it is still there
 * ```
 *
 * @module
 */

import type { SerfMember, SerfUserEvent } from "../../cluster/serf_records.ts";
import type { ProducerInfo } from "../../cluster/producer.ts";
import { hostPort } from "../../base/host_port.ts";
import type { NodeInfo } from "../../protocol/lookup_requests.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";

/** Names of all tags that a node may have. Zone and region, the last two, are unknown to NSQ's branch dev. */
export const TAG_NAMES: readonly string[] = ["role", "tp", "hp", "hps", "ba", "h", "v", "tz", "tr"];

/** What has become of a topic or channel. */
export type GossipOperation = "+" | "-" | "=";

/** A topic, or a channel of it, of one nsqd. */
export interface GossipEvent {
  /** Name of the member. */
  readonly node: string;
  readonly operation: GossipOperation;
  readonly topic: string;
  readonly channel: string | undefined;
  /** Greater than that of the member's earlier events, which may arrive later. It is a time, in ns. */
  readonly order: number;
}

const ROLE = "nsqd";
/**
 * How far ahead of this machine's clock an event may be, in ms. One that is further would win over what its node says
 * itself for all that time, and anybody in the cluster can name any node.
 */
export const AHEAD_MAX_MS = 60_000;
const NS_PER_MS = 1e6;
/** Orders are 64-bit numbers with a sign. */
const ORDER_END = 2 ** 63;
/** The longest name of a host in DNS, and of nothing else. */
const HOST_LENGTH_MAX = 255;
const VERSION_LENGTH_MAX = 64;
const PORT_MAX = 65_535;

/** The tags that tell other members how a node is reached; without HTTPS its port is `undefined`. */
export function tagsOf(node: NodeInfo, httpsPort: number | undefined): Record<string, string> {
  const tags: Record<string, string> = {
    role: ROLE,
    tp: String(node.tcp_port),
    hp: String(node.http_port),
    ba: node.broadcast_address,
    h: node.hostname,
    v: node.version,
  };
  if (httpsPort !== undefined) tags.hps = String(httpsPort);
  if (node.topology_zone !== "") tags.tz = node.topology_zone;
  if (node.topology_region !== "") tags.tr = node.topology_region;
  return tags;
}

/** The name that a node's own agent has in the cluster. */
export function nodeNameOf(node: NodeInfo): string {
  return hostPort({ hostname: node.broadcast_address, port: node.tcp_port });
}

/** How a member is reached; `undefined` if it is no nsqd, or says of itself what cannot be. */
export function producerInfo({ address, port, tags }: SerfMember): ProducerInfo | undefined {
  const text = (name: string) => tags.get(name) ?? "";
  const tcpPort = parsePort(text("tp"));
  const isNode = text("role") === ROLE && tcpPort !== undefined && tcpPort > 0 && isHost(text("ba"));
  if (!isNode) return undefined;
  return toProducerInfo(hostPort({ hostname: address, port }), {
    hostname: isHost(text("h")) ? text("h") : "",
    broadcast_address: text("ba"),
    tcp_port: tcpPort,
    // NSQ compat: a port that cannot be read is 0.
    http_port: parsePort(text("hp")) ?? 0,
    version: isWord(text("v"), VERSION_LENGTH_MAX) ? text("v") : "",
    topology_zone: isWord(text("tz"), HOST_LENGTH_MAX) ? text("tz") : "",
    topology_region: isWord(text("tr"), HOST_LENGTH_MAX) ? text("tr") : "",
  });
}

/** What is known of a node, in the order of NSQ's JSON. */
export function toProducerInfo(remoteAddress: string, node: NodeInfo): ProducerInfo {
  const { hostname, broadcast_address, tcp_port, http_port, version, topology_zone, topology_region } = node;
  const reached = { remote_address: remoteAddress, hostname, broadcast_address, tcp_port, http_port };
  return { ...reached, version, topology_zone, topology_region };
}

/** Name of the user event. NSQ reads the operation from its last character, and nothing else. */
export function eventName({ operation, channel }: Pick<GossipEvent, "operation" | "channel">): string {
  return `${channel === undefined ? "topic" : "channel"}${operation}`;
}

/** Payload of the user event. The time is written by hand: it has more digits than a number holds. */
export function encodeEvent(
  event: Pick<GossipEvent, "node" | "topic" | "channel">,
  orderNs: bigint,
): Uint8Array {
  const { node: n, topic: t, channel: c = "" } = event;
  const json = JSON.stringify({ n, t, c });
  return new TextEncoder().encode(`${json.slice(0, -1)},"r":${orderNs}}`);
}

/** How far ahead of this time of day the event is, in ms. */
export function aheadMs({ order }: GossipEvent, nowMs: number): number {
  return order / NS_PER_MS - nowMs;
}

/** The event; `undefined` if it is none of these, names what cannot be named, or has a time that is none. */
export function decodeEvent({ name, payload }: SerfUserEvent): GossipEvent | undefined {
  const operation = name.slice(-1);
  if (operation !== "+" && operation !== "-" && operation !== "=") return undefined;
  const { n: node, t: topic, c: channel = "", r: order } = fieldsOf(payload);
  const hasTypes = typeof node === "string" && typeof topic === "string" && typeof channel === "string" &&
    typeof order === "number" && Number.isInteger(order) && order >= 0 && order < ORDER_END;
  if (!hasTypes || !isValidTopicName(topic)) return undefined;
  if (channel === "") return { node, operation, topic, channel: undefined, order };
  return isValidChannelName(channel) ? { node, operation, topic, channel, order } : undefined;
}

function fieldsOf(payload: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= PORT_MAX ? Number(text) : undefined;
}

function isHost(text: string): boolean {
  return isWord(text, HOST_LENGTH_MAX);
}

/** Something to be seen in one piece, in a log and on a page. */
function isWord(text: string, lengthMax: number): boolean {
  return text.length >= 1 && text.length <= lengthMax && !/[\p{C}\p{Z}]/u.test(text);
}
