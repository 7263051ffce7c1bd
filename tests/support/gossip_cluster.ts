/**
 * nsqds as processes that discover each other through real Serf agents, on loopback addresses of their own. Needs
 * HashiCorp's `serf` on the machine.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { PATIENCE_MS } from "./eventually.ts";
import { runProgram, TempFolder } from "./interop.ts";
import { type NsqdProcess, startNsqd } from "./nsqd_process.ts";
import { freePort } from "./ports.ts";

/** A node of a cluster. */
export interface GossipNode {
  /** Its loopback address, under which the others know it. */
  readonly host: string;
  readonly gossipAddress: string;
  readonly nsqd: NsqdProcess;
}

/** How {@linkcode GossipCluster.add} starts a node. */
export interface GossipNodeOptions {
  /** Further flags. */
  readonly args?: readonly string[];
  /** Flags in place of an agent of its own. */
  readonly agentArgs?: readonly string[];
  /** By default the gossip address of the first node, for all but that. */
  readonly seeds?: readonly string[];
  /** Starts it where another was before. */
  readonly at?: Pick<GossipNode, "host" | "gossipAddress">;
}

/** How long a view may take to be what it should. A member that was killed is given up after seconds. */
export const CONVERGED = { timeoutMs: PATIENCE_MS };

/** Nodes, which are stopped together. */
export class GossipCluster implements AsyncDisposable {
  readonly #nodes: GossipNode[] = [];
  readonly #folder: TempFolder;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  /** An empty one. @throws {MissingError} If there is no Serf. */
  static async make(): Promise<GossipCluster> {
    await runProgram("serf", { args: ["version"] });
    return new GossipCluster(await TempFolder.make());
  }

  /** Starts a node. */
  async add(options: GossipNodeOptions = {}): Promise<GossipNode> {
    const number = this.#nodes.length + 1;
    const host = options.at?.host ?? `127.0.0.${number}`;
    const gossipAddress = options.at?.gossipAddress ?? `${host}:${freePort(host)}`;
    const seeds = options.seeds ?? this.#nodes.slice(0, 1).map((node) => node.gossipAddress);
    const dataPath = `${this.#folder.path}/${host}`;
    await Deno.mkdir(dataPath, { recursive: true });
    const nsqd = await startNsqd({
      dataPath,
      args: [
        `--tcp-address=${host}:0`,
        `--http-address=${host}:0`,
        `--broadcast-address=${host}`,
        ...options.agentArgs ?? [`--gossip-address=${gossipAddress}`],
        ...seeds.map((seed) => `--gossip-seed-address=${seed}`),
        ...options.args ?? [],
      ],
    });
    const node = { host, gossipAddress, nsqd };
    this.#nodes.push(node);
    return node;
  }

  /** A new file with that text; its path. */
  async file(name: string, text: string): Promise<string> {
    const path = `${this.#folder.path}/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  }

  /** Does `work`; if that fails, the logs go to the error output before the error goes on. */
  async run(work: () => Promise<void>): Promise<void> {
    const logged = this.#nodes.reduceRight((inner, { nsqd }) => () => nsqd.run(inner), work);
    await logged();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = await Promise.allSettled(this.#nodes.map(({ nsqd }) => nsqd[Symbol.asyncDispose]()));
    await this.#folder[Symbol.asyncDispose]();
    for (const result of stopped) {
      if (result.status === "rejected") throw result.reason;
    }
  }
}

/** Hosts of the nodes that a node knows, sorted. */
export async function nodesOf(node: GossipNode): Promise<string[]> {
  const { producers } = await getJson<{ producers: { broadcast_address: string }[] }>(node, "/nodes");
  return producers.map(({ broadcast_address }) => broadcast_address).sort();
}

/** Hosts of a topic's producers, sorted, as a node knows them; `undefined` for a topic that it does not know. */
export async function producersOf(node: GossipNode, topic: string): Promise<string[] | undefined> {
  const { producers } = await getJson<{ producers?: { broadcast_address: string }[] }>(
    node,
    `/lookup?topic=${topic}`,
  );
  return producers?.map(({ broadcast_address }) => broadcast_address).sort();
}

/** Names of a topic's channels, sorted, as a node knows them. */
export async function channelsOf(node: GossipNode, topic: string): Promise<string[]> {
  const { channels } = await getJson<{ channels: string[] }>(node, `/channels?topic=${topic}`);
  return channels.sort();
}

/** What a node answers to `GET /ping`. */
export async function ping(node: GossipNode): Promise<string> {
  return await (await fetch(`http://${node.nsqd.httpAddress}/ping`)).text();
}

/** Sends a request that must succeed. */
export async function post(node: GossipNode, target: string, body = ""): Promise<void> {
  const response = await fetch(`http://${node.nsqd.httpAddress}${target}`, { method: "POST", body });
  assertEquals([response.status, target], [200, target], await response.text());
}

async function getJson<T>(node: GossipNode, target: string): Promise<T> {
  return await (await fetch(`http://${node.nsqd.httpAddress}${target}`)).json();
}
