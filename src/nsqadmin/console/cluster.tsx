/**
 * How the cluster hangs together: who tells of nodes and where they disagree, who cannot be reached and what may be the cause,
 * and nodes that are gone.
 *
 * @module
 */

import type { Failure } from "../../cluster/asked.ts";
import type { GossipFacts } from "../../cluster/node_facts.ts";
import { tellersOf } from "../../cluster/cluster_nodes.ts";
import type { Answer } from "../../http/answer.ts";
import { NODE_STATES, type WatchedNode } from "../watch/watched_node.ts";
import type { WatchedRegistry } from "../watch/watched_registry.ts";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { rounded } from "./figures.ts";
import { Layout } from "./layout.tsx";
import { likelyCause } from "./likely_cause.ts";
import { type Markup, NOTHING } from "./markup.ts";
import { agoOf, ClusterNews, seen } from "./news.tsx";
import { ChangeButton, Count, Facts, Table, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { PAGE_ROWS } from "./table.ts";

/** Nodes that are named of those about which somebody differs. */
const NAMED_MAX = 5;

/** What one says, beside what the others say. */
interface Telling {
  readonly registry: WatchedRegistry;
  readonly told: readonly WatchedNode[];
  /** Nobody else tells of them. */
  readonly only: readonly WatchedNode[];
  /** Somebody else tells of them. */
  readonly missing: readonly WatchedNode[];
}

const TELLING_FIELDS: Fields<Telling> = {
  address: ({ registry }) => registry.address,
  answers: ({ registry }) => isAnswering(registry),
  reason: ({ registry }) => registry.reason ?? "",
  ms: ({ registry }) => registry.answer?.tookMs,
  version: ({ registry }) => registry.answer?.version,
  nodes: ({ told }) => told.length,
  only: ({ only }) => addressesOf(only),
  missing: ({ missing }) => addressesOf(missing),
};

const FAILURE_FIELDS: Fields<Failure> = {
  kind: ({ daemon }) => daemon.kind,
  address: ({ daemon }) => daemon.address,
  reason: ({ reason }) => reason,
  "likely-cause": ({ reason }) => likelyCause(reason),
};

const GONE_FIELDS: Fields<WatchedNode> = {
  hostname: ({ node }) => node.hostname,
  address: ({ address }) => address,
  version: ({ node }) => node.version,
  gone: ({ gone }) => gone && new Date(gone.wallMs).toISOString(),
  answered: ({ answered }) => answered && new Date(answered.wallMs).toISOString(),
  topics: ({ numbers }) => numbers?.totals.topics,
  waiting: ({ numbers }) => numbers?.totals.waiting,
  consumers: ({ numbers }) => numbers?.totals.consumers,
};

/** `GET /cluster` */
export async function clusterPage(request: PageRequest): Promise<Markup | Answer> {
  const { poller } = request.admin;
  await seen(request);
  const { nodes, failures } = poller;
  const gone = nodes.filter(({ gone }) => gone !== undefined);
  const tellings = tellingsOf(poller.registries, nodes.filter(({ gone }) => gone === undefined));
  const file = exported(request, {
    registries: fileOf(tellings, TELLING_FIELDS),
    unreachable: fileOf(failures, FAILURE_FIELDS),
    gone: fileOf(gone, GONE_FIELDS),
  }, failures);
  if (file) return await file;
  const counts = poller.nodesByState;
  return (
    <Layout request={request} title="Cluster" live>
      <h1>Cluster</h1>
      <ClusterNews request={request} isDetailed={false} />
      <Facts of={NODE_STATES.map((state) => [`nodes ${state}`, counts[state].toLocaleString("en")])} />
      <h2>Who tells of nodes</h2>
      <Registries request={request} of={tellings} />
      <h2>Who cannot be reached</h2>
      <Unreachable request={request} of={failures} />
      <h2>Nodes that are gone</h2>
      <Gone request={request} of={gone} />
      <p>
        Topics that no node has any more are on{" "}
        <a href={request.paths.lookup}>the page of lookup</a>, where they can be deleted, and others created.
      </p>
    </Layout>
  );
}

function isAnswering({ reason, answered }: WatchedRegistry): boolean {
  return reason === undefined && answered !== undefined;
}

function addressesOf(nodes: readonly WatchedNode[]): string {
  return nodes.map(({ address }) => address).join(" ");
}

/** What each says. Who does not answer is not said to miss anything, and has nobody to differ from. */
function tellingsOf(registries: readonly WatchedRegistry[], nodes: readonly WatchedNode[]): Telling[] {
  const answering = new Set(registries.filter(isAnswering).map(({ address }) => address));
  const tellers = nodes.map((node) => {
    const by = new Set(tellersOf(node.node));
    return { node, by, answering: by.intersection(answering).size };
  });
  return registries.map((registry) => {
    const told: WatchedNode[] = [];
    const only: WatchedNode[] = [];
    const missing: WatchedNode[] = [];
    const differs = isAnswering(registry) && answering.size > 1;
    for (const { node, by, answering } of tellers) {
      const isTold = by.has(registry.address);
      if (isTold) told.push(node);
      if (differs && isTold && answering === 1) only.push(node);
      if (differs && !isTold && answering > 0) missing.push(node);
    }
    return { registry, told, only, missing };
  });
}

function Registries(
  { request, of: tellings }: { readonly request: PageRequest; readonly of: readonly Telling[] },
): Markup {
  const { registries, listedNsqds } = request.admin.cluster;
  if (registries === undefined) {
    return <p>Nobody: there is a list of {listedNsqds.length.toLocaleString("en")} nsqds.</p>;
  }
  const isGossip = registries.kind === "nsqd";
  return (
    <>
      <Table caption={isGossip ? "nsqds with gossip, and the members that each sees" : "nsqlookupds"}>
        <thead>
          <tr>
            <th scope="col" class="name">{isGossip ? "nsqd" : "nsqlookupd"}</th>
            <th scope="col">State</th>
            <th scope="col" class="n">Last answer, ms</th>
            <th scope="col" class="n">Version</th>
            <th scope="col" class="n">{isGossip ? "Members" : "Nodes"}</th>
            <th scope="col">Only here</th>
            <th scope="col">Not here</th>
            {isGossip && <th scope="col">Gossip</th>}
          </tr>
        </thead>
        <tbody>
          {tellings.slice(0, PAGE_ROWS).map(({ registry, told, only, missing }) => (
            <tr>
              <th scope="row" class="name">
                <code>{registry.address}</code>
              </th>
              <td>
                <RegistryState request={request} of={registry} />
              </td>
              <td class="n">{registry.answer && rounded(registry.answer.tookMs)}</td>
              <td class="n">{registry.answer?.version}</td>
              <Count of={told.length} />
              <td>
                <Named request={request} of={only} />
              </td>
              <td>
                <Named request={request} of={missing} />
              </td>
              {isGossip && (
                <td>{gossipText(request.admin.poller.node(registry.address)?.numbers?.facts?.gossip)}</td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <More of={tellings} />
      <ExportLinks request={request} table="registries" />
    </>
  );
}

/** How gossip is on a node, as it says. */
export function gossipText(gossip: GossipFacts | undefined): string {
  if (gossip === undefined) return "";
  const { health, nodes, members, failed } = gossip;
  const agents = members === "" ? "" : `, ${members} agents, of which ${failed || "0"} failed`;
  return `${health}: ${nodes} nodes${agents}`;
}

function RegistryState(
  { request, of }: { readonly request: PageRequest; readonly of: WatchedRegistry },
): Markup {
  if (of.reason !== undefined) {
    return (
      <>
        <strong class="mark">does not answer</strong>{" "}
        {of.answered && <span class="quiet">it did {agoOf(request, of.answered.monotonicMs)}</span>}
      </>
    );
  }
  return <>{of.answered === undefined ? "not asked yet" : "answers"}</>;
}

function Named(
  { request, of: nodes }: { readonly request: PageRequest; readonly of: readonly WatchedNode[] },
): Markup {
  if (nodes.length === 0) return NOTHING;
  return (
    <ul>
      {nodes.slice(0, NAMED_MAX).map(({ node, address }) => (
        <li>
          <a href={request.paths.node(address)}>{node.hostname || address}</a>{" "}
          <span class="quiet">{address}</span>
        </li>
      ))}
      {nodes.length > NAMED_MAX && <li>and {(nodes.length - NAMED_MAX).toLocaleString("en")} more</li>}
    </ul>
  );
}

function Unreachable(
  { request, of: failures }: { readonly request: PageRequest; readonly of: readonly Failure[] },
): Markup {
  const { poller } = request.admin;
  if (failures.length === 0) return <p>All that were asked have answered.</p>;
  return (
    <>
      <Table caption="Addresses, and what may be the cause">
        <thead>
          <tr>
            <th scope="col" class="name">Address</th>
            <th scope="col">Last answer</th>
            <th scope="col">What happened</th>
            <th scope="col">What may be the cause</th>
          </tr>
        </thead>
        <tbody>
          {failures.slice(0, PAGE_ROWS).map(({ daemon: { kind, address }, reason }) => {
            const last = poller.node(address) ?? poller.registries.find((each) => each.address === address);
            return (
              <tr>
                <th scope="row" class="name">
                  {kind} <code>{address}</code>
                </th>
                <td>{last?.answered === undefined ? "never" : agoOf(request, last.answered.monotonicMs)}</td>
                <td>
                  <code class="body">{reason}</code>
                </td>
                <td>{likelyCause(reason)}</td>
              </tr>
            );
          })}
        </tbody>
      </Table>
      <More of={failures} />
      <ExportLinks request={request} table="unreachable" />
    </>
  );
}

function Gone(
  { request, of: nodes }: { readonly request: PageRequest; readonly of: readonly WatchedNode[] },
): Markup {
  if (nodes.length === 0) return <p>None, in the last day.</p>;
  return (
    <>
      <Table caption="Nodes of which nobody tells any more, and what they had">
        <thead>
          <tr>
            <th scope="col" class="name">Host</th>
            <th scope="col" class="n">HTTP</th>
            <th scope="col">Gone since</th>
            <th scope="col">Last answer</th>
            <th scope="col" class="n">Topics</th>
            <th scope="col" class="n">Waiting</th>
            <th scope="col" class="n">Consumers</th>
            {request.may("forget") && <th scope="col">Actions</th>}
          </tr>
        </thead>
        <tbody>
          {nodes.slice(0, PAGE_ROWS).map(({ node, address, gone, answered, numbers }) => (
            <tr>
              <th scope="row" class="name">
                <a href={request.paths.node(address)}>{node.hostname || address}</a>
              </th>
              <td class="n">{address}</td>
              <td>{gone && <Time atMs={gone.wallMs} />}</td>
              <td>{answered === undefined ? "never" : <Time atMs={answered.wallMs} />}</td>
              <Count of={numbers?.totals.topics ?? 0} />
              <Count of={numbers?.totals.waiting ?? 0} />
              <Count of={numbers?.totals.consumers ?? 0} />
              {request.may("forget") && (
                <td>
                  <ForgetButton request={request} node={address} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <More of={nodes} />
      <ExportLinks request={request} table="gone" />
    </>
  );
}

/** Asks for a node to be forgotten that is gone. */
export function ForgetButton(
  { request, node }: { readonly request: PageRequest; readonly node: string },
): Markup {
  return <ChangeButton to={request.paths.node(node)} action="forget" danger>Forget…</ChangeButton>;
}

/** How many are not shown. */
function More({ of: all }: { readonly of: readonly unknown[] }): Markup {
  return <>{all.length > PAGE_ROWS && <p>and {(all.length - PAGE_ROWS).toLocaleString("en")} more</p>}</>;
}
