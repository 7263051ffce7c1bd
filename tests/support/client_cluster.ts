/**
 * A cluster whose nodes are killed and come back, in turn, under one producer and a group of consumers: what was published
 * must come, whatever happens, and no consumer may let nodes send it more than it takes. Short in the tests, at length in
 * tests/client/cluster_campaign.ts.
 *
 * @module
 */

import { Consumer, Producer } from "../../src/client/mod.ts";
import { eventually } from "./eventually.ts";
import { LookupdProcess } from "./lookupd_process.ts";
import { type NsqdProcess, startNsqd } from "./nsqd_process.ts";

const TOPIC = "cluster";
const CHANNEL = "all";

/** How large the cluster is, and how long it goes on. */
export interface ClusterPlan {
  readonly nodes: number;
  readonly consumers: number;
  /** Messages that each consumer may have in flight. */
  readonly maxInFlight: number;
  /** Messages that are published in each round. */
  readonly messages: number;
  /** In the middle of each, one node is killed, and started again. */
  readonly rounds: number;
  /** Is told of each round. */
  readonly onRound?: (round: number, published: number) => void;
}

/** What has come of it. */
export interface ClusterResult {
  /** Messages that were acknowledged. */
  readonly published: number;
  /** Of these, the ones that no consumer has had. */
  readonly missing: number;
  /** Deliveries in all, of which some are again. */
  readonly deliveries: number;
  /** The most messages that nodes might send to a consumer at a time, whenever that was asked: RDY of all together. */
  readonly mostReady: number;
  /** RDY at the end, of all consumers together, for each node. */
  readonly ready: readonly number[];
  /** Messages that each consumer had in all. */
  readonly taken: readonly number[];
}

/** Runs it. */
export async function runCluster(plan: ClusterPlan): Promise<ClusterResult> {
  await using lookupd = await LookupdProcess.start();
  await using nodes = await Nodes.start(plan.nodes, lookupd.tcpAddress);
  const options = {
    lookupd: [lookupd.httpAddress],
    lookupdPollIntervalMs: 100,
    reconnect: { minMs: 10, maxMs: 100 },
  };
  const consuming = {
    ...options,
    maxInFlight: plan.maxInFlight,
    msgTimeoutMs: 1000,
    defaultRequeueDelayMs: 0,
  };
  const consumers = Array.from({ length: plan.consumers }, () => new Consumer(TOPIC, CHANNEL, consuming));
  const producer = new Producer({ ...options, attempts: 100 });
  const received = new Set<string>();
  const taken = consumers.map(() => 0);
  let mostReady = 0;
  try {
    for (const [i, consumer] of consumers.entries()) {
      void consumer.run((message) => {
        received.add(message.text());
        taken[i]++;
        mostReady = Math.max(mostReady, readyOf(consumer));
      });
    }
    const published: string[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      const publishing = Array.from({ length: plan.messages }, async (_, i) => {
        const body = `${round} ${i}`;
        await producer.publish(TOPIC, body);
        published.push(body);
      });
      await nodes.restart(round % plan.nodes);
      await Promise.all(publishing);
      plan.onRound?.(round, published.length);
    }
    const allHaveCome = () => published.every((body) => received.has(body));
    await eventually("all have come", allHaveCome);
    return {
      published: published.length,
      missing: published.filter((body) => !received.has(body)).length,
      deliveries: taken.reduce((sum, count) => sum + count, 0),
      mostReady,
      ready: readyByNode(consumers),
      taken,
    };
  } finally {
    await Promise.all([producer, ...consumers].map((client) => client.close()));
  }
}

function readyOf({ stats }: Consumer): number {
  return stats.nodes.reduce((sum, { ready }) => sum + ready, 0);
}

function readyByNode(consumers: readonly Consumer[]): number[] {
  const ready = new Map<string, number>();
  for (const { stats } of consumers) {
    for (const { node, ready: count } of stats.nodes) ready.set(node, (ready.get(node) ?? 0) + count);
  }
  return [...ready.values()];
}

/** The nsqds, each with a data path that outlives it. */
class Nodes implements AsyncDisposable {
  readonly #nodes: { readonly dataPath: string; process: NsqdProcess }[] = [];
  readonly #lookupd: string;

  private constructor(lookupd: string) {
    this.#lookupd = lookupd;
  }

  static async start(count: number, lookupd: string): Promise<Nodes> {
    const nodes = new Nodes(lookupd);
    try {
      for (let i = 0; i < count; i++) {
        const dataPath = await Deno.makeTempDir();
        nodes.#nodes.push({ dataPath, process: await nodes.#start(dataPath) });
      }
      return nodes;
    } catch (error) {
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Kills one, and starts it again with what it had. */
  async restart(index: number): Promise<void> {
    const node = this.#nodes[index];
    await node.process.kill();
    node.process = await this.#start(node.dataPath);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { dataPath, process } of this.#nodes) {
      await process[Symbol.asyncDispose]();
      await Deno.remove(dataPath, { recursive: true });
    }
  }

  #start(dataPath: string): Promise<NsqdProcess> {
    const args = [
      "--broadcast-address=127.0.0.1",
      `--lookupd-tcp-address=${this.#lookupd}`,
      "--durability=disk",
    ];
    return startNsqd({ dataPath, args });
  }
}
