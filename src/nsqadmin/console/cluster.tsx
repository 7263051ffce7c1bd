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
import { rounded, whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import { likelyCause } from "./likely_cause.ts";
import { type Markup, NOTHING } from "./markup.ts";
import { agoOf, ClusterNews, seen } from "./news.tsx";
import { ChangeButton, Count, Facts, Table, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { PAGE_ROWS } from "./table.ts";
import { ENGLISH } from "./texts/english.tsx";
import type { Texts } from "./texts/texts.ts";

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
  "likely-cause": ({ reason }) => likelyCause(ENGLISH, reason),
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
  const { admin: { poller }, texts, texts: { cluster } } = request;
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
    <Layout request={request} title={texts.pages.cluster} live>
      <h1>{texts.pages.cluster}</h1>
      <ClusterNews request={request} isDetailed={false} />
      <Facts of={NODE_STATES.map((state) => [texts.facts.nodesBy[state], whole(counts[state])])} />
      <h2>{cluster.registries}</h2>
      <Registries request={request} of={tellings} />
      <h2>{cluster.unreachable}</h2>
      <Unreachable request={request} of={failures} />
      <h2>{cluster.gone}</h2>
      <Gone request={request} of={gone} />
      <p>{cluster.lookup((text) => <a href={request.paths.lookup}>{text}</a>)}</p>
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
  const { admin: { cluster: { registries, listedNsqds } }, texts: { cluster, columns } } = request;
  if (registries === undefined) {
    return <p>{cluster.list(listedNsqds.length)}</p>;
  }
  const isGossip = registries.kind === "nsqd";
  return (
    <>
      <Table caption={isGossip ? cluster.gossipers : cluster.lookupds}>
        <thead>
          <tr>
            <th scope="col" class="name">{registries.kind}</th>
            <th scope="col">{columns.state}</th>
            <th scope="col" class="n">{columns.lastAnswerMs}</th>
            <th scope="col" class="n">{columns.version}</th>
            <th scope="col" class="n">{isGossip ? columns.members : columns.nodes}</th>
            <th scope="col">{columns.onlyHere}</th>
            <th scope="col">{columns.notHere}</th>
            {isGossip && <th scope="col">{columns.gossip}</th>}
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
                <td>
                  {gossipText(
                    request.texts,
                    request.admin.poller.node(registry.address)?.numbers?.facts?.gossip,
                  )}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <More request={request} of={tellings} />
      <ExportLinks request={request} table="registries" />
    </>
  );
}

/** How gossip is on a node, as it says. */
export function gossipText({ cluster }: Texts, gossip: GossipFacts | undefined): string {
  if (gossip === undefined) return "";
  const { health, nodes, members, failed } = gossip;
  return members === ""
    ? cluster.gossip(health, nodes)
    : cluster.gossipOfAgents(health, nodes, members, failed || "0");
}

function RegistryState(
  { request, of }: { readonly request: PageRequest; readonly of: WatchedRegistry },
): Markup {
  const { cluster } = request.texts;
  if (of.reason !== undefined) {
    return (
      <>
        <strong class="mark">{cluster.noAnswer}</strong>{" "}
        {of.answered && (
          <span class="quiet">{cluster.answeredLast(agoOf(request, of.answered.monotonicMs))}</span>
        )}
      </>
    );
  }
  return <>{of.answered === undefined ? cluster.notAskedYet : cluster.answers}</>;
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
      {nodes.length > NAMED_MAX && <li>{request.texts.common.more(nodes.length - NAMED_MAX)}</li>}
    </ul>
  );
}

function Unreachable(
  { request, of: failures }: { readonly request: PageRequest; readonly of: readonly Failure[] },
): Markup {
  const { admin: { poller }, texts, texts: { columns } } = request;
  if (failures.length === 0) return <p>{texts.cluster.allAnswer}</p>;
  return (
    <>
      <Table caption={texts.cluster.addresses}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.address}</th>
            <th scope="col">{columns.lastAnswer}</th>
            <th scope="col">{columns.happened}</th>
            <th scope="col">{columns.cause}</th>
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
                <td>
                  {last?.answered === undefined
                    ? texts.common.never
                    : agoOf(request, last.answered.monotonicMs)}
                </td>
                <td>
                  <code class="body">{reason}</code>
                </td>
                <td>{likelyCause(texts, reason)}</td>
              </tr>
            );
          })}
        </tbody>
      </Table>
      <More request={request} of={failures} />
      <ExportLinks request={request} table="unreachable" />
    </>
  );
}

function Gone(
  { request, of: nodes }: { readonly request: PageRequest; readonly of: readonly WatchedNode[] },
): Markup {
  const { texts, texts: { columns } } = request;
  if (nodes.length === 0) return <p>{texts.cluster.noneGone}</p>;
  return (
    <>
      <Table caption={texts.cluster.goneNodes}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.host}</th>
            <th scope="col" class="n">{columns.http}</th>
            <th scope="col">{columns.goneSince}</th>
            <th scope="col">{columns.lastAnswer}</th>
            <th scope="col" class="n">{columns.topics}</th>
            <th scope="col" class="n">{columns.waiting}</th>
            <th scope="col" class="n">{columns.consumers}</th>
            {request.may("forget") && <th scope="col">{columns.actions}</th>}
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
              <td>{answered === undefined ? texts.common.never : <Time atMs={answered.wallMs} />}</td>
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
      <More request={request} of={nodes} />
      <ExportLinks request={request} table="gone" />
    </>
  );
}

/** Asks for a node to be forgotten that is gone. */
export function ForgetButton(
  { request, node }: { readonly request: PageRequest; readonly node: string },
): Markup {
  return (
    <ChangeButton to={request.paths.node(node)} action="forget" danger>
      {request.texts.actions.forget}
    </ChangeButton>
  );
}

/** How many are not shown. */
function More(
  { request: { texts }, of: all }: { readonly request: PageRequest; readonly of: readonly unknown[] },
): Markup {
  return <>{all.length > PAGE_ROWS && <p>{texts.common.more(all.length - PAGE_ROWS)}</p>}</>;
}
