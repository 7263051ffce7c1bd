/**
 * What a cluster is asked (internal/clusterinfo/data.go): its topics, nodes and their numbers. Answers are plain data in the
 * form of nsqadmin's JSON; every question goes to the daemons when it is asked, and nothing is remembered.
 *
 * Who is in the cluster is known in one of three ways: nsqlookupds tell of all nodes; nsqds with gossip do, each of them, and
 * answer as nsqlookupds do; or there is a list of nsqds, which tell of themselves only.
 *
 * @module
 */

import type { JsonCursor } from "../base/json_cursor.ts";
import { inSlices, type Slice } from "../base/time_slice.ts";
import { queryEscape } from "../http/query.ts";
import { fieldsOf, listField, namesIn, textField } from "./answer_fields.ts";
import { type Answered, askAll, beginToAsk, type Question, type Registries, tell } from "./asked.ts";
import {
  byText,
  type ClusterNode,
  httpAddressOf,
  infoNode,
  mergedNodes,
  type ToldNode,
  toldNodes,
  toldNodesOnly,
  withTopics,
} from "./cluster_nodes.ts";
import type { Daemon, DaemonClient } from "./daemon_client.ts";
import { askForInactiveTopics, type InactiveTopics } from "./inactive_topics.ts";
import { StatsReader, type TopicNumbers } from "./topic_numbers.ts";
import { type ChannelStats, nodeTopics, type TopicStats } from "./topic_stats.ts";

/** `host:port` of HTTP APIs. The first kind that there is of counts. */
export interface ClusterSources {
  readonly lookupds: readonly string[];
  /** Nsqds with gossip. */
  readonly gossip: readonly string[];
  /** All nsqds there are. */
  readonly nsqds: readonly string[];
}

/** How one of those has answered who tell of nodes. */
export interface RegistryAnswer {
  /** `host:port` of its HTTP API. */
  readonly address: string;
  /** How long it took until its nodes were known. */
  readonly tookMs: number;
  /** Undefined if it does not say. */
  readonly version: string | undefined;
}

/** Nodes, and how those have answered who tell of them. */
export interface ToldCluster extends Answered<readonly ClusterNode[]> {
  /** Of those that have answered; none where there is a list of nsqds. */
  readonly registries: readonly RegistryAnswer[];
}

/** All nodes are asked for. */
export type NodesQuestion = Question<readonly ClusterNode[], ToldCluster>;

/** What is wanted of `/stats`; empty names are no filter. */
export interface StatsQuery {
  readonly topic: string;
  readonly channel: string;
  readonly includeClients: boolean;
}

const EVERYTHING: StatsQuery = { topic: "", channel: "", includeClients: false };

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
      ? await this.#askRegistries(
        { kind: "nsqd", addresses: this.#sources().nsqds },
        "/stats?format=json",
        topicNames,
      )
      : await this.#askRegistries(registries, "/topics", (answer) => namesIn(answer, "topics"));
    return { value: [...new Set(value.flat())].sort(byText), failures };
  }

  /** Topics that no node has any more, each with its channels, sorted. @throws {UnansweredError} */
  async inactiveTopics(): Promise<Answered<InactiveTopics>> {
    return await this.askForInactiveTopics().all;
  }

  /** Asks for the same, of which some may be known before all have answered. */
  askForInactiveTopics(): Question<InactiveTopics> {
    if (this.registries !== undefined) return askForInactiveTopics(this.client, this.registries);
    const value: InactiveTopics = new Map();
    const all = this.topics().then(({ failures }) => ({ value, failures }));
    return { all, soFar: () => ({ value, failures: [], late: [] }) };
  }

  /** All nodes. @throws {UnansweredError} */
  async nodes(): Promise<Answered<readonly ClusterNode[]>> {
    const registries = this.registries;
    if (registries === undefined) return await this.nsqdNodes(this.#sources().nsqds);
    const { value, failures } = await this.#askTold(registries, "/nodes");
    return { value: mergedNodes(value), failures };
  }

  /** The same, of whose topics only those are told that are tombstoned: much less to read. @throws {UnansweredError} */
  async nodesOnly(): Promise<ToldCluster> {
    return await this.askForNodes().all;
  }

  /** Asks for the same, of which some may be known before all have answered. */
  askForNodes(): NodesQuestion {
    const { registries } = this;
    if (registries === undefined) {
      const asked = beginToAsk("nsqd", this.#sources().nsqds, async (nsqd) => {
        return await this.client.get(nsqd, "/info", (answer) => infoNode(answer, []));
      });
      return {
        all: asked.all.then((listed) => ({ ...listed, registries: [] })),
        soFar: () => ({ ...asked.soFar(), registries: [] }),
      };
    }
    const { kind, addresses } = registries;
    const asked = beginToAsk(kind, addresses, async (daemon) => {
      const { address } = daemon;
      const startMs = performance.now();
      const told = await this.client.get(daemon, "/nodes", (answer) => toldNodesOnly(answer, address));
      const tookMs = performance.now() - startMs;
      // Who tells of nodes, and not of itself, has answered all the same.
      const { answers: [version] } = await tell(kind, [address], (each) => {
        return this.client.get(
          each,
          "/info",
          (answer) => textField(fieldsOf(answer, "the answer"), "version"),
        );
      });
      return { told, registry: { address, tookMs, version: version || undefined } };
    });
    type Told = Awaited<typeof asked.all>["value"];
    const toldBy = (answers: Told) => ({
      value: mergedNodes(answers.flatMap(({ told }) => told)),
      registries: answers.map(({ registry }) => registry),
    });
    return {
      all: asked.all.then(({ value, failures }) => ({ ...toldBy(value), failures })),
      soFar: () => {
        const { value, failures, late } = asked.soFar();
        return { ...toldBy(value), failures, late };
      },
    };
  }

  /** What `read` makes of all that a node says of itself, its topics and channels. @throws {Error} Why it has not. */
  async nodeNumbers<T>(node: Daemon, read: (reader: StatsReader, slice: Slice) => Promise<T>): Promise<T> {
    const scan = (cursor: JsonCursor, slice: Slice) => read(new StatsReader(cursor, slice), slice);
    // NSQ's nsqd knows no such parameter.
    return await this.client.scan(node, `${statsPath(EVERYTHING)}&include_node=true`, scan);
  }

  /** The nodes that have a topic. @throws {UnansweredError} */
  async topicNodes(topic: string): Promise<Answered<readonly ClusterNode[]>> {
    const registries = this.registries;
    if (registries === undefined) return await this.#listedTopicNodes(topic);
    const { value, failures } = await this.#askTold(registries, `/lookup?topic=${queryEscape(topic)}`);
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
      const info = await this.client.get(nsqd, "/info", (answer) => infoNode(answer, []));
      const topics = await this.client.get(nsqd, "/stats?format=json&include_clients=false", topicNames);
      return withTopics(info, topics);
    });
  }

  /** The numbers of topics of those nodes, each of its own, by hostname. @throws {UnansweredError} */
  async topicStats(
    nodes: readonly ClusterNode[],
    query: StatsQuery,
  ): Promise<Answered<readonly TopicStats[]>> {
    const { value, failures } = await this.#askNodes(nodes, query, async (answer, node, slice) => {
      const nowS = Math.floor(Date.now() / 1000);
      const topics = await nodeTopics(answer, { node, nowS, slice });
      const wanted = topics.filter(({ topic_name }) => query.topic === "" || topic_name === query.topic);
      return { hostname: node.hostname, topics: wanted };
    }).all;
    const byHost = [...value].sort((a, b) => byText(a.hostname, b.hostname));
    return { value: byHost.flatMap(({ topics }) => topics), failures };
  }

  /**
   * Has `use` look at every topic of those nodes, one after the other: at nothing of a node whose answer is not what it must
   * be. @throws {UnansweredError}
   */
  async eachTopic(
    nodes: readonly ClusterNode[],
    use: (topic: TopicNumbers, node: ClusterNode) => void,
  ): Promise<Answered<readonly ClusterNode[]>> {
    return await this.#eachNode(nodes, async (nsqd, node) => {
      await this.client.scan(nsqd, statsPath(EVERYTHING), async (cursor, slice) => {
        const topics: TopicNumbers[] = [];
        await new StatsReader(cursor, slice).read((topic) => void topics.push(topic));
        await inSlices(topics, (topic) => use(topic, node), slice);
      });
      return node;
    }).all;
  }

  /**
   * Has `use` look at every channel of those nodes, with its clients, one after the other: at nothing of a node whose answer
   * is not what it must be. What a node answers of others than were asked for is looked at, too. @throws {UnansweredError}
   */
  async eachChannel(
    nodes: readonly ClusterNode[],
    use: (channel: ChannelStats, slice: Slice) => Promise<void>,
    of: Pick<StatsQuery, "topic" | "channel"> = EVERYTHING,
  ): Promise<Answered<readonly ClusterNode[]>> {
    return await this.askForEachChannel(nodes, use, of).all;
  }

  /** The same, where some may be looked at before all have answered. */
  askForEachChannel(
    nodes: readonly ClusterNode[],
    use: (channel: ChannelStats, slice: Slice) => Promise<void>,
    of: Pick<StatsQuery, "topic" | "channel"> = EVERYTHING,
  ): Question<readonly ClusterNode[]> {
    const query = { topic: of.topic, channel: of.channel, includeClients: true };
    return this.#askNodes(nodes, query, async (answer, node, slice) => {
      const nowS = Math.floor(Date.now() / 1000);
      for (const { channels } of await nodeTopics(answer, { node, nowS, slice })) {
        for (const channel of channels ?? []) {
          await use(channel, slice);
          if (slice.isOver) await slice.next();
        }
      }
      return node;
    });
  }

  #askNodes<T>(
    nodes: readonly ClusterNode[],
    query: StatsQuery,
    read: (answer: unknown, node: ClusterNode, slice: Slice) => Promise<T>,
  ): Question<readonly T[]> {
    return this.#eachNode(nodes, (nsqd, node) => {
      return this.client.get(nsqd, statsPath(query), (answer, slice) => read(answer, node, slice));
    });
  }

  #eachNode<T>(
    nodes: readonly ClusterNode[],
    ask: (nsqd: Daemon, node: ClusterNode) => Promise<T>,
  ): Question<readonly T[]> {
    const byAddress = new Map(nodes.map((node) => [httpAddressOf(node), node]));
    return beginToAsk("nsqd", [...byAddress.keys()], async (nsqd) => {
      const node = byAddress.get(nsqd.address);
      if (node === undefined) throw new TypeError(`no node at ${nsqd.address}`);
      return await ask(nsqd, node);
    });
  }

  async #askRegistries<T>(
    { kind, addresses }: Registries,
    path: string,
    read: (answer: unknown) => T,
  ): Promise<Answered<readonly T[]>> {
    return await askAll(kind, addresses, (daemon) => this.client.get(daemon, path, read));
  }

  async #askTold(
    { kind, addresses }: Registries,
    path: string,
  ): Promise<Answered<readonly ToldNode[]>> {
    const { value, failures } = await askAll(kind, addresses, (daemon) => {
      return this.client.get(daemon, path, (answer) => toldNodes(answer, daemon.address));
    });
    return { value: value.flat(), failures };
  }

  async #listedTopicNodes(topic: string): Promise<Answered<readonly ClusterNode[]>> {
    const path = `/stats?format=json&topic=${queryEscape(topic)}&include_clients=false`;
    const { value, failures } = await askAll("nsqd", this.#sources().nsqds, async (nsqd) => {
      const topics = await this.client.get(nsqd, path, topicNames);
      if (!topics.includes(topic)) return [];
      return [await this.client.get(nsqd, "/info", (answer) => infoNode(answer, topics))];
    });
    return { value: value.flat(), failures };
  }
}

function statsPath({ topic, channel, includeClients }: StatsQuery): string {
  let path = "/stats?format=json";
  if (topic !== "") path += `&topic=${queryEscape(topic)}`;
  if (topic !== "" && channel !== "") path += `&channel=${queryEscape(channel)}`;
  return includeClients ? path : `${path}&include_clients=false`;
}

function topicNames(answer: unknown): string[] {
  return listField(fieldsOf(answer, "the answer"), "topics").map((topic) => {
    return textField(fieldsOf(topic, "a topic"), "topic_name");
  });
}
