/**
 * What a cluster is asked (internal/clusterinfo/data.go): its topics, nodes and their numbers. Answers are plain data in the
 * form of nsqadmin's JSON; every question goes to the daemons when it is asked, and nothing is remembered.
 *
 * Who is in the cluster is known in one of three ways: nsqlookupds tell of all nodes; nsqds with gossip do, each of them, and
 * answer as nsqlookupds do; or there is a list of nsqds, which tell of themselves only.
 *
 * @module
 */

import { TimeSlice } from "../base/time_slice.ts";
import { fieldsOf, listField, textField, textsField, wholeField } from "./answer_fields.ts";
import { type Answered, askAll } from "./asked.ts";
import {
  byText,
  type ClusterNode,
  httpAddressOf,
  infoNode,
  mergedNodes,
  nullIfEmpty,
  type ToldNode,
  toldNodes,
} from "./cluster_nodes.ts";
import type { Daemon, DaemonClient } from "./daemon_client.ts";
import { nodeTopics, type TopicStats } from "./topic_stats.ts";

/** `host:port` of HTTP APIs. The first kind that there is of counts. */
export interface ClusterSources {
  readonly lookupds: readonly string[];
  /** Nsqds with gossip. */
  readonly gossip: readonly string[];
  /** All nsqds there are. */
  readonly nsqds: readonly string[];
}

/** Those who tell of a cluster's nodes. */
export interface Registries {
  readonly kind: Daemon["kind"];
  readonly addresses: readonly string[];
}

/** What is wanted of `/stats`; empty names are no filter. */
export interface StatsQuery {
  readonly topic: string;
  readonly channel: string;
  readonly includeClients: boolean;
}

/** Messages that a channel of a node has had, in the form and order of nsqadmin's JSON. */
export interface ChannelCount {
  readonly node: string;
  readonly topic_name: string;
  readonly channel_name: string;
  readonly message_count: number;
}

/** The cluster that sources tell of; they may change. */
export class Cluster {
  readonly client: DaemonClient;
  readonly #sources: () => ClusterSources;

  constructor(client: DaemonClient, sources: () => ClusterSources) {
    this.client = client;
    this.#sources = sources;
  }

  /** Those who tell of nodes; undefined where there is a list of nsqds. */
  get registries(): Registries | undefined {
    const { lookupds, gossip } = this.#sources();
    if (lookupds.length > 0) return { kind: "nsqlookupd", addresses: lookupds };
    return gossip.length > 0 ? { kind: "nsqd", addresses: gossip } : undefined;
  }

  /** The nsqlookupds, which are to be told of changes. */
  get lookupds(): readonly string[] {
    return this.#sources().lookupds;
  }

  /** The list of nsqds, where it is what counts. */
  get listedNsqds(): readonly string[] {
    return this.registries === undefined ? this.#sources().nsqds : [];
  }

  /** Names of all topics, sorted. @throws {UnansweredError} */
  async topics(): Promise<Answered<readonly string[]>> {
    const registries = this.registries;
    const { value, failures } = registries === undefined
      ? await this.#askNsqds("/stats?format=json", topicNames)
      : await this.#askRegistries(registries, "/topics", (answer) => textsField(answer, "topics"));
    return { value: [...new Set(value.flat())].sort(byText), failures };
  }

  /** Topics that no node has any more, each with its channels, sorted. @throws {UnansweredError} */
  async inactiveTopics(): Promise<Answered<ReadonlyMap<string, readonly string[] | null>>> {
    const topics = await this.topics();
    const registries = this.registries;
    const inactive = new Map<string, readonly string[] | null>();
    if (registries === undefined) return { value: inactive, failures: topics.failures };
    // Unlike NSQ, which asks for each topic, and takes those for inactive about which it gets no answer.
    const nodes = await this.nodes();
    const active = new Set(
      nodes.value.flatMap(({ topics }) => topics ?? []).flatMap(({ topic, tombstoned }) =>
        tombstoned ? [] : topic
      ),
    );
    const failures = [...topics.failures, ...nodes.failures];
    for (const topic of topics.value) {
      if (active.has(topic)) continue;
      const channels = await this.topicChannels(topic);
      inactive.set(topic, nullIfEmpty(channels.value));
      failures.push(...channels.failures);
    }
    return { value: inactive, failures };
  }

  /** Names of a topic's channels, sorted, as those tell who tell of nodes. @throws {UnansweredError} */
  async topicChannels(topic: string): Promise<Answered<readonly string[]>> {
    const registries = this.registries ?? { kind: "nsqd", addresses: [] };
    const path = `/channels?topic=${queryEscape(topic)}`;
    const { value, failures } = await this.#askRegistries(
      registries,
      path,
      (answer) => textsField(answer, "channels"),
    );
    return { value: [...new Set(value.flat())].sort(byText), failures };
  }

  /** All nodes. @throws {UnansweredError} */
  async nodes(): Promise<Answered<readonly ClusterNode[]>> {
    const registries = this.registries;
    if (registries === undefined) return await this.nsqdNodes(this.#sources().nsqds);
    const { kind, addresses } = registries;
    const { value, failures } = await this.#askTold(kind, addresses, "/nodes");
    return { value: mergedNodes(value), failures };
  }

  /** The nodes that have a topic. @throws {UnansweredError} */
  async topicNodes(topic: string): Promise<Answered<readonly ClusterNode[]>> {
    const registries = this.registries;
    if (registries === undefined) return await this.#listedTopicNodes(topic);
    const { kind, addresses } = registries;
    const { value, failures } = await this.#askTold(kind, addresses, `/lookup?topic=${queryEscape(topic)}`);
    const nodes = new Map<string, ClusterNode>();
    for (const { lookupd: _, ...node } of value) {
      const address = httpAddressOf(node);
      if (!nodes.has(address)) nodes.set(address, node);
    }
    return { value: [...nodes.values()], failures };
  }

  /** Nsqds, as they tell of themselves. @throws {UnansweredError} */
  async nsqdNodes(addresses: readonly string[]): Promise<Answered<readonly ClusterNode[]>> {
    return await askAll("nsqd", addresses, async (nsqd) => {
      const info = await this.client.get(nsqd, "/info");
      const stats = await this.client.get(nsqd, "/stats?format=json&include_clients=false");
      return infoNode(info, topicNames(fieldsOf(stats, "the answer")));
    });
  }

  /** The numbers of topics of those nodes, each of its own, by hostname. @throws {UnansweredError} */
  async topicStats(
    nodes: readonly ClusterNode[],
    query: StatsQuery,
  ): Promise<Answered<readonly TopicStats[]>> {
    const byAddress = new Map(nodes.map((node) => [httpAddressOf(node), node]));
    const slice = new TimeSlice();
    const { value, failures } = await this.#askNodes(byAddress, statsPath(query), async (answer, node) => {
      const nowS = Math.floor(Date.now() / 1000);
      const topics = await nodeTopics(answer, { node, nowS, slice });
      return topics.filter(({ topic_name }) => query.topic === "" || topic_name === query.topic);
    });
    const topics = value.flat();
    return { value: topics.sort((a, b) => byText(a.hostname, b.hostname)), failures };
  }

  /** How many messages each channel of those nodes has had. @throws {UnansweredError} */
  async channelCounts(nodes: readonly ClusterNode[]): Promise<Answered<readonly ChannelCount[]>> {
    const byAddress = new Map(nodes.map((node) => [httpAddressOf(node), node]));
    const slice = new TimeSlice();
    const query = { topic: "", channel: "", includeClients: false };
    const counts: ChannelCount[] = [];
    const { failures } = await this.#askNodes(byAddress, statsPath(query), async (answer, node) => {
      for (const topic of listField(fieldsOf(answer, "the answer"), "topics")) {
        const topicFields = fieldsOf(topic, "a topic");
        const topicName = textField(topicFields, "topic_name");
        for (const channel of listField(topicFields, "channels")) {
          const fields = fieldsOf(channel, "a channel");
          counts.push({
            node: httpAddressOf(node),
            topic_name: topicName,
            channel_name: textField(fields, "channel_name"),
            message_count: wholeField(fields, "message_count"),
          });
          if (slice.isOver) await slice.next();
        }
      }
    });
    return { value: counts, failures };
  }

  async #askNodes<T>(
    nodes: ReadonlyMap<string, ClusterNode>,
    path: string,
    read: (answer: unknown, node: ClusterNode) => Promise<T>,
  ): Promise<Answered<readonly T[]>> {
    return await askAll("nsqd", [...nodes.keys()], async (nsqd) => {
      const node = nodes.get(nsqd.address);
      if (node === undefined) throw new TypeError(`no node at ${nsqd.address}`);
      return await read(await this.client.get(nsqd, path), node);
    });
  }

  async #askNsqds<T>(
    path: string,
    read: (answer: Readonly<Record<string, unknown>>) => T,
  ): Promise<Answered<readonly T[]>> {
    return await this.#askRegistries({ kind: "nsqd", addresses: this.#sources().nsqds }, path, read);
  }

  async #askRegistries<T>(
    { kind, addresses }: Registries,
    path: string,
    read: (answer: Readonly<Record<string, unknown>>) => T,
  ): Promise<Answered<readonly T[]>> {
    return await askAll(kind, addresses, async (daemon) => {
      return read(fieldsOf(await this.client.get(daemon, path), "the answer"));
    });
  }

  async #askTold(
    kind: Daemon["kind"],
    addresses: readonly string[],
    path: string,
  ): Promise<Answered<readonly ToldNode[]>> {
    const { value, failures } = await askAll(kind, addresses, async (daemon) => {
      return toldNodes(await this.client.get(daemon, path), daemon.address);
    });
    return { value: value.flat(), failures };
  }

  async #listedTopicNodes(topic: string): Promise<Answered<readonly ClusterNode[]>> {
    const path = `/stats?format=json&topic=${queryEscape(topic)}&include_clients=false`;
    const { value, failures } = await askAll("nsqd", this.#sources().nsqds, async (nsqd) => {
      const topics = topicNames(fieldsOf(await this.client.get(nsqd, path), "the answer"));
      return topics.includes(topic) ? [infoNode(await this.client.get(nsqd, "/info"), topics)] : [];
    });
    return { value: value.flat(), failures };
  }
}

/** As Go escapes what it puts into a query. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

function statsPath({ topic, channel, includeClients }: StatsQuery): string {
  let path = "/stats?format=json";
  if (topic !== "") path += `&topic=${queryEscape(topic)}`;
  if (topic !== "" && channel !== "") path += `&channel=${queryEscape(channel)}`;
  return includeClients ? path : `${path}&include_clients=false`;
}

function topicNames(stats: Readonly<Record<string, unknown>>): string[] {
  return listField(stats, "topics").map((topic) => textField(fieldsOf(topic, "a topic"), "topic_name"));
}
