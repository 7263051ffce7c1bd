/**
 * What a cluster is told to do (internal/clusterinfo/data.go): its nsqlookupds first where they keep a name alive, then all
 * nodes that it is about, at the same time. Some may fail; the others have done it then.
 *
 * @module
 */

import { queryEscape } from "../http/query.ts";
import { type Answered, type Failure, hasNone, tell, UnansweredError } from "./asked.ts";
import type { Cluster } from "./cluster.ts";
import { type ClusterNode, httpAddressOf } from "./cluster_nodes.ts";
import type { Daemon } from "./daemon_client.ts";
import { inWords, type MessageTarget, NO_SUCH_NODE } from "./messages.ts";

/** What can be done with a topic or channel that is there. */
export type Action = "pause" | "unpause" | "empty";

/** A topic, or a channel of it. */
export interface Target {
  readonly topic: string;
  /** Empty for the topic itself. */
  readonly channel: string;
}

/** What can be done with one message. */
export type MessageAction = "requeue" | "delete" | "cancel";

/** A message that is to be published. */
export interface Publication {
  readonly topic: string;
  /** `host:port` of the node that is to have it. */
  readonly node: string;
  readonly body: string;
  /** How long it is not delivered. */
  readonly deferMs: number;
}

/** What came of it. */
export interface Done {
  /** Those that have done it: an nsqlookupd, or a node, may be there for several steps. */
  readonly done: readonly Daemon[];
  /** Of those that have not, or could not be asked who else there is. */
  readonly failures: readonly Failure[];
}

/** What is left of a change that was not made everywhere. */
export interface Rest {
  /** Those that were told, and have not done it. */
  readonly failed: readonly Daemon[];
  /** Nodes that have done it, and are not told again. */
  readonly done: readonly Daemon[];
  /** Somebody has not said which nodes there are. */
  readonly isPartlyKnown: boolean;
}

/** What is left of it. */
export function restOf({ done, failures }: Done): Rest {
  return {
    failed: failures.filter(({ wasTold }) => wasTold).map(({ daemon }) => daemon),
    done: done.filter(({ kind }) => kind === "nsqd"),
    isPartlyKnown: failures.some(({ wasTold }) => !wasTold),
  };
}

/** Tries the rest again: never rejects, and tells nobody who has done it. */
export async function finish(
  cluster: Cluster,
  action: Action | "delete",
  target: Target,
  rest: Rest,
): Promise<Done> {
  const path = pathOf(action, target);
  const nodes = rest.isPartlyKnown ? await unknownNodes(cluster, target.topic) : NOBODY;
  const failedAt = (wanted: Daemon["kind"]) =>
    rest.failed.filter(({ kind }) => kind === wanted).map(({ address }) => address);
  const addresses = new Set([...failedAt("nsqd"), ...nodes.value.map(httpAddressOf)]);
  for (const { address } of rest.done) addresses.delete(address);
  const onLookupds = await order(cluster, "nsqlookupd", failedAt("nsqlookupd"), path);
  const onNodes = await order(cluster, "nsqd", [...addresses], path);
  return joined([
    nodes,
    ...[onLookupds, onNodes].map((done) => action === "delete" ? goneIsDone(done) : done),
  ]);
}

/** Who does not have it any more has deleted it, although he may not have said so. */
function goneIsDone({ done, failures }: Done): Done {
  return {
    done: [...done, ...failures.filter(hasNone).map(({ daemon }) => daemon)],
    failures: failures.filter((failure) => !hasNone(failure)),
  };
}

/**
 * What came of it with those who have the topic or channel. A channel is on those nodes where somebody wanted it, and not all
 * nsqlookupds know of each topic: who says that he has none has nothing to do, unless all do.
 */
export function withThoseConcerned({ done, failures }: Done): Done {
  const left = failures.filter((failure) => !hasNone(failure));
  return done.length + left.length === 0 ? { done, failures } : { done, failures: left };
}

const NOBODY: Answered<readonly ClusterNode[]> = { value: [], failures: [] };

/** The nodes that have the topic, as far as somebody tells of them. */
async function unknownNodes(cluster: Cluster, topic: string): Promise<Answered<readonly ClusterNode[]>> {
  const { value, failures } = await cluster.topicNodes(topic).catch(
    (error): Answered<readonly ClusterNode[]> => {
      if (!(error instanceof UnansweredError)) throw error;
      return { value: [], failures: error.failures };
    },
  );
  // Who has deleted it knows of no nodes.
  return { value, failures: failures.filter(({ code }) => code !== "TOPIC_NOT_FOUND") };
}

/**
 * Has the nodes that have the topic do something with it, or with one of its channels: all, or one (`host:port`).
 *
 * @throws {UnansweredError}
 */
export async function act(cluster: Cluster, action: Action, target: Target, node?: string): Promise<Done> {
  const nodes = await cluster.topicNodes(target.topic);
  if (node !== undefined) return await orderOne(cluster, nodes, { node, path: pathOf(action, target) });
  const addresses = nodes.value.map(httpAddressOf);
  return joined([nodes, await order(cluster, "nsqd", addresses, pathOf(action, target))]);
}

/**
 * Makes a topic, or a channel and its topic, known to nsqlookupds, and the channel to the topic's nodes; without
 * nsqlookupds it is made on all nodes. @throws {UnansweredError}
 */
export async function create(cluster: Cluster, target: Target): Promise<Done> {
  const { topic, channel } = target;
  const paths = [
    pathOf("create", { topic, channel: "" }),
    ...channel === "" ? [] : [pathOf("create", target)],
  ];
  if (cluster.lookupds.length === 0) {
    const nodes = await cluster.nodes();
    const results: Done[] = [];
    const addresses = nodes.value.map(httpAddressOf);
    for (const path of paths) results.push(await order(cluster, "nsqd", addresses, path));
    return joined([nodes, ...results]);
  }
  const results: Done[] = [];
  for (const path of paths) results.push(await order(cluster, "nsqlookupd", cluster.lookupds, path));
  if (channel === "") return joined(results);
  const nodes = await cluster.topicNodes(topic);
  const onNodes = await order(cluster, "nsqd", nodes.value.map(httpAddressOf), pathOf("create", target));
  return joined([...results, nodes, onNodes]);
}

/** Deletes a topic or channel everywhere. @throws {UnansweredError} */
export async function remove(cluster: Cluster, target: Target): Promise<Done> {
  // Before it is deleted, while it is known who has it.
  const nodes = await cluster.topicNodes(target.topic);
  const path = pathOf("delete", target);
  const onLookupds = await order(cluster, "nsqlookupd", cluster.lookupds, path);
  return joined([nodes, onLookupds, await order(cluster, "nsqd", nodes.value.map(httpAddressOf), path)]);
}

/**
 * Has a node forget a topic, and nsqlookupds not tell of it for a while, in which consumers find others.
 *
 * @throws {UnansweredError} If the node does not answer; nsqlookupds have been told.
 */
export async function tombstone(cluster: Cluster, topic: string, node: string): Promise<Done> {
  const query = `topic=${queryEscape(topic)}`;
  const path = `/topic/tombstone?${query}&node=${queryEscape(node)}`;
  const onLookupds = await order(cluster, "nsqlookupd", cluster.lookupds, path);
  // NSQ compat: the node is asked where it is, and told there.
  const nodes = await cluster.nsqdNodes([node]);
  const onNode = await order(cluster, "nsqd", nodes.value.map(httpAddressOf), `/topic/delete?${query}`);
  return joined([onLookupds, nodes, onNode]);
}

/** Has a node let consumers finish what it has, take no more, and end then: ours can. @throws {UnansweredError} */
export async function drain(cluster: Cluster, node: string): Promise<Done> {
  const nodes = await cluster.nodesOnly();
  return await orderOne(cluster, nodes, { node, path: "/drain", otherwise: "nobody tells of such a node" });
}

/** Has a node that has the topic do something with one of its messages. @throws {UnansweredError} */
export async function actOnMessage(
  cluster: Cluster,
  action: MessageAction,
  { topic, channel, node, id }: MessageTarget,
): Promise<Done> {
  const nodes = await cluster.topicNodes(topic);
  const query = [["topic", topic], ["channel", channel], ["id", id]].map(([name, value]) =>
    `${name}=${queryEscape(value)}`
  );
  return await orderOne(cluster, nodes, { node, path: `/message/${action}?${query.join("&")}` });
}

/** Has a node that has the topic publish a message to it. @throws {UnansweredError} */
export async function publish(cluster: Cluster, { topic, node, body, deferMs }: Publication): Promise<Done> {
  const nodes = await cluster.topicNodes(topic);
  const defer = deferMs === 0 ? "" : `&defer=${deferMs}`;
  return await orderOne(cluster, nodes, { node, path: `/pub?topic=${queryEscape(topic)}${defer}`, body });
}

/** Tells one of these nodes to do something: nobody else, whatever address somebody brings. */
async function orderOne(
  cluster: Cluster,
  nodes: Answered<readonly ClusterNode[]>,
  { node, path, body, otherwise = NO_SUCH_NODE }: {
    readonly node: string;
    readonly path: string;
    readonly body?: string;
    /** Why not, if it is none of them. */
    readonly otherwise?: string;
  },
): Promise<Done> {
  const { answers, failures } = await tell("nsqd", [node], async (daemon) => {
    if (!nodes.value.some((each) => httpAddressOf(each) === node)) throw new Error(otherwise);
    await inWords(cluster.client.post(daemon, path, body));
    return daemon;
  });
  // Where it is done, nobody is missed who has not said which nodes there are.
  return failures.length === 0 ? { done: answers, failures } : joined([nodes, { done: answers, failures }]);
}

/** Tells daemons to do something. */
async function order(
  cluster: Cluster,
  kind: Daemon["kind"],
  addresses: readonly string[],
  path: string,
): Promise<Done> {
  const { answers, failures } = await tell(kind, addresses, async (daemon) => {
    await cluster.client.post(daemon, path);
    return daemon;
  });
  return { done: answers, failures: failures.map((failure) => ({ ...failure, wasTold: true })) };
}

function pathOf(action: Action | "create" | "delete", { topic, channel }: Target): string {
  const query = `topic=${queryEscape(topic)}`;
  return channel === ""
    ? `/topic/${action}?${query}`
    : `/channel/${action}?${query}&channel=${queryEscape(channel)}`;
}

/** Who has done it, and what went wrong on the way, in order. */
function joined(steps: readonly (Done | Answered<unknown>)[]): Done {
  const done = steps.flatMap((step) => "done" in step ? step.done : []);
  return { done, failures: steps.flatMap(({ failures }) => failures) };
}
