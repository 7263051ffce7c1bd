/**
 * Ending connections of consumers: those of which all is true that is said of them, on each node that has them. Which they are
 * is asked when it is to be done, so that nobody is cut off whom a node does not show.
 *
 * @module
 */

import { type Failure, tell } from "./asked.ts";
import type { Cluster } from "./cluster.ts";
import { queryEscape } from "../http/query.ts";
import type { Done } from "./cluster_actions.ts";
import { httpAddressOf } from "./cluster_nodes.ts";
import { CONNECTIONS_MAX, type ConsumerName, nameText } from "./consumers.ts";
import { type Daemon, RefusedError } from "./daemon_client.ts";
import { inWords, NO_SUCH_NODE } from "./messages.ts";
import type { ClientStats } from "./topic_stats.ts";

/** Whose connections. What is not said may be anything. */
export interface KickTarget extends ConsumerName {
  /** Empty for all, as the channel then is. */
  readonly topic: string;
  readonly channel: string;
  /** `host:port` of the only node that is asked; empty for all. */
  readonly node: string;
  /** Of the connection, as the node calls it. */
  readonly address?: string | undefined;
}

/** Connections of a node that are ended at a time. */
const KICKS_AT_A_TIME = 4;

/** Ends them; nobody has done it, and none has failed, if there are none. @throws {UnansweredError} */
export async function kick(cluster: Cluster, target: KickTarget): Promise<Done> {
  const { topic, channel, node } = target;
  const known = topic === "" ? await cluster.nodesOnly() : await cluster.topicNodes(topic);
  const nodes = known.value.filter((each) => node === "" || httpAddressOf(each) === node);
  if (nodes.length === 0) {
    const failures = node === "" ? [] : [{ daemon: nsqd(node), reason: NO_SUCH_NODE }];
    return { done: [], failures: [...known.failures, ...failures] };
  }
  const addresses = new Map<string, string[]>();
  let count = 0;
  const asked = await cluster.eachChannel(nodes, async (of, slice) => {
    if (topic !== "" && (of.topic_name !== topic || of.channel_name !== channel)) return;
    for (const client of of.clients ?? []) {
      if (isMeant(client, target) && ++count <= CONNECTIONS_MAX) {
        const meant = addresses.get(of.node) ?? [];
        addresses.set(of.node, meant);
        meant.push(client.remote_address);
      }
      if (slice.isOver) await slice.next();
    }
  }, { topic, channel });
  const left: Failure[] = [];
  const { answers, failures } = await tell("nsqd", [...addresses.keys()], async (daemon) => {
    const meant = addresses.get(daemon.address) ?? [];
    const { ended, reason } = await endAll(cluster, daemon, meant);
    if (reason === undefined) return daemon;
    if (ended === 0) throw new Error(reason);
    left.push({ daemon, reason: `${meant.length - ended} of ${meant.length} connections: ${reason}` });
    return daemon;
  });
  if (count > CONNECTIONS_MAX) {
    const reason = `there are ${count} connections: ${CONNECTIONS_MAX} are ended at a time`;
    left.push({ daemon: answers[0] ?? nsqd(node), reason });
  }
  return { done: answers, failures: [...known.failures, ...asked.failures, ...failures, ...left] };
}

function isMeant(client: ClientStats, { address, hostname, clientId, userAgent }: KickTarget): boolean {
  const is = (said: string | undefined, has: string) => said === undefined || said === nameText(has);
  return (address === undefined || address === client.remote_address) && is(hostname, client.hostname) &&
    is(clientId, client.client_id) && is(userAgent, client.user_agent);
}

/** How many a node has ended, and why not all. */
async function endAll(
  cluster: Cluster,
  daemon: Daemon,
  addresses: readonly string[],
): Promise<{ readonly ended: number; readonly reason: string | undefined }> {
  const waiting = addresses.values();
  let [ended, reason] = [0, undefined as string | undefined];
  let isOver = false;
  const endSome = async () => {
    for (const address of waiting) {
      if (isOver) return;
      try {
        await inWords(cluster.client.post(daemon, `/client/kick?address=${queryEscape(address)}`));
        ended++;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        reason ??= error.message;
        // A connection that is there no more says nothing of the others.
        const { cause } = error;
        isOver ||= !(cause instanceof RefusedError && cause.code === "CLIENT_NOT_FOUND");
      }
    }
  };
  await Promise.all(Array.from({ length: KICKS_AT_A_TIME }, endSome));
  return { ended, reason };
}

function nsqd(address: string): Daemon {
  return { kind: "nsqd", address };
}
