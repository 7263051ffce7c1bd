/**
 * The nsqds of a cluster, as nsqlookupds and they themselves tell of them (internal/clusterinfo/types.go, `Producer`).
 *
 * @module
 */

import { hostPort } from "../base/host_port.ts";
import { compareSemver, parseSemver, type Semver } from "../base/semver.ts";
import { type Fields, fieldsOf, listField, textField, textsField, wholeField } from "./answer_fields.ts";

/** A topic of a node. */
export interface NodeTopic {
  readonly topic: string;
  /** An nsqlookupd does not tell of the node for this topic, for a while. */
  readonly tombstoned: boolean;
}

/** A node, in the form and order of nsqadmin's JSON. */
export interface ClusterNode {
  /** For each nsqlookupd that tells of it: who, and where from it has registered. */
  readonly remote_addresses: readonly string[] | null;
  readonly remote_address: string;
  readonly hostname: string;
  readonly broadcast_address: string;
  readonly tcp_port: number;
  readonly http_port: number;
  readonly version: string;
  readonly topology_zone: string | undefined;
  readonly topology_region: string | undefined;
  readonly topics: readonly NodeTopic[] | null;
  /** There is a node of a newer version. */
  readonly out_of_date: boolean;
}

/** A node as one nsqlookupd tells of it. */
export interface ToldNode extends ClusterNode {
  /** `host:port` of that nsqlookupd. */
  readonly lookupd: string;
}

/** Where a node serves HTTP. */
export function httpAddressOf({ broadcast_address, http_port }: ClusterNode): string {
  return hostPort({ hostname: broadcast_address, port: http_port });
}

/** Addresses of those who tell of a node. */
export function tellersOf({ remote_addresses }: ClusterNode): string[] {
  return (remote_addresses ?? []).map((text) => text.slice(0, text.indexOf("/")));
}

/** What the answers of `/nodes` and `/lookup` say of producers. @throws {TypeError} */
export function toldNodes(answer: unknown, lookupd: string): ToldNode[] {
  return listField(fieldsOf(answer, "the answer"), "producers").map((producer) => {
    const fields = fieldsOf(producer, "a producer");
    const topics = textsField(fields, "topics");
    const tombstones = listField(fields, "tombstones");
    return {
      lookupd,
      ...nodeOf(fields),
      remote_address: textField(fields, "remote_address"),
      topics: nullIfEmpty(topics.map((topic, i) => ({ topic, tombstoned: tombstones[i] === true }))),
    };
  });
}

/** The same, of whose topics only those are looked at that are tombstoned: there may be very many of the others. */
export function toldNodesOnly(answer: unknown, lookupd: string): ToldNode[] {
  return listField(fieldsOf(answer, "the answer"), "producers").map((producer) => {
    const fields = fieldsOf(producer, "a producer");
    const topics = listField(fields, "topics");
    const tombstoned = listField(fields, "tombstones").flatMap((is, i) => {
      const topic = topics[i];
      return is === true && typeof topic === "string"
        ? [{ topic: topic.toWellFormed(), tombstoned: true }]
        : [];
    });
    const remote_address = textField(fields, "remote_address");
    return { lookupd, ...nodeOf(fields), remote_address, topics: nullIfEmpty(tombstoned) };
  });
}

/** A node as it tells of itself in `/info`. @throws {TypeError} */
export function infoNode(answer: unknown, topics: readonly string[]): ClusterNode {
  return withTopics(nodeOf(fieldsOf(answer, "the answer")), topics);
}

/** The node with topics of these names. */
export function withTopics(node: ClusterNode, topics: readonly string[]): ClusterNode {
  return { ...node, topics: nullIfEmpty(topics.map((topic) => ({ topic, tombstoned: false }))) };
}

/** What several nsqlookupds tell of, each node once, by hostname. */
export function mergedNodes(told: readonly ToldNode[]): ClusterNode[] {
  const nodes = new Map<string, { readonly first: ToldNode; readonly remoteAddresses: string[] }>();
  for (const node of told) {
    const key = hostPort({ hostname: node.broadcast_address, port: node.tcp_port });
    const known = nodes.get(key) ?? { first: node, remoteAddresses: [] };
    nodes.set(key, known);
    known.remoteAddresses.push(`${node.lookupd}/${node.remote_address || "N/A"}`);
  }
  const merged = Array.from(nodes.values(), ({ first: { lookupd: _, ...node }, remoteAddresses }) => ({
    ...node,
    remote_addresses: remoteAddresses,
    topics: nullIfEmpty([...node.topics ?? []].sort((a, b) => byText(a.topic, b.topic))),
  }));
  return markOutOfDate(merged).sort((a, b) => byText(a.hostname, b.hostname));
}

/** Go's JSON of a list to which nothing was added. */
export function nullIfEmpty<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

/** In the order of their characters' codes, as Go sorts strings. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function nodeOf(fields: Fields): ClusterNode {
  return {
    remote_addresses: null,
    remote_address: "",
    hostname: textField(fields, "hostname"),
    broadcast_address: textField(fields, "broadcast_address"),
    tcp_port: wholeField(fields, "tcp_port"),
    http_port: wholeField(fields, "http_port"),
    version: textField(fields, "version"),
    topology_zone: textField(fields, "topology_zone") || undefined,
    topology_region: textField(fields, "topology_region") || undefined,
    topics: null,
    out_of_date: false,
  };
}

/** What is no version is older than all. */
const NO_VERSION: Semver = { numbers: [0, 0, 0], identifiers: [] };

function markOutOfDate(nodes: readonly ClusterNode[]): ClusterNode[] {
  const versions = nodes.map(({ version }) => parseSemver(version) ?? NO_VERSION);
  const newest = versions.reduce((a, b) => compareSemver(a, b) < 0 ? b : a, NO_VERSION);
  return nodes.map((node, i) => ({ ...node, out_of_date: compareSemver(versions[i], newest) < 0 }));
}
