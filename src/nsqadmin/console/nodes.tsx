/**
 * All nodes.
 *
 * @module
 */

import type { NodeFacts } from "../../cluster/node_facts.ts";
import type { Answer } from "../../http/answer.ts";
import type { NodeState, WatchedNode } from "../watch/watched_node.ts";
import { type Column, ColumnHeads, columnsShown } from "./columns.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { bytesText, durationText, rounded, whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { agoOf, ClusterNews, seen } from "./news.tsx";
import { Count, EmptyRow, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

const MS_PER_S = 1000;

/** What nodes can be sorted by. */
const NODE_COLUMNS: Columns<WatchedNode> = {
  name: ({ node }) => node.hostname,
  address: ({ address }) => address,
  state: ({ state }) => STATES.indexOf(state),
  version: ({ node }) => node.version,
  topics: topicsAt,
  waiting: ({ numbers }) => numbers?.totals.waiting ?? 0,
  in: ({ numbers }) => numbers?.totals.inRate ?? 0,
  consumers: ({ numbers }) => numbers?.totals.consumers ?? 0,
  memory: ({ numbers }) => numbers?.facts?.memory.inUseBytes ?? 0,
  started: ({ numbers }) => numbers?.facts?.startTimeS ?? 0,
  lookupds: ({ node }) => node.remote_addresses?.length ?? 0,
};

/** The worst at the end. */
const STATES: readonly NodeState[] = ["up", "new", "late", "failing", "gone"];

/** A row in a file. */
const NODE_FIELDS: Fields<WatchedNode> = {
  ...NODE_COLUMNS,
  "tcp-port": ({ node }) => node.tcp_port,
  region: ({ node }) => node.topology_region,
  zone: ({ node }) => node.topology_zone,
  state: ({ state }) => state,
  health: ({ numbers }) => numbers?.facts?.health,
};

/** The columns, but for the first. */
export const NODE_TABLE: readonly Column<WatchedNode>[] = [
  { name: "address", head: "http", cell: ({ address }) => <td class="n">{address}</td> },
  {
    ...{ name: "tcp-port", head: "tcpPort" as const, isSortable: false },
    cell: ({ node }) => <td class="n">{node.tcp_port}</td>,
  },
  {
    name: "version",
    head: "version",
    cell: ({ node }, { texts }) => (
      <td class="n">
        {node.version} {node.out_of_date && <strong class="mark">{texts.nodes.outdated}</strong>}
      </td>
    ),
  },
  {
    ...{ name: "place", head: "place" as const, isSortable: false },
    cell: ({ node: { topology_region, topology_zone } }) => (
      <td>{[topology_region, topology_zone].filter((part) => part !== undefined).join(", ")}</td>
    ),
  },
  {
    name: "lookupds",
    head: "toldBy",
    isThere: ({ admin: { cluster } }) => cluster.registries !== undefined,
    cell: (watched, request) => (
      <ToldBy
        request={request}
        watched={watched}
        of={request.admin.cluster.registries?.addresses.length ?? 0}
      />
    ),
  },
  {
    name: "topics",
    head: "topics",
    cell: (watched, request) => <TopicCount request={request} of={watched} />,
  },
  { name: "state", head: "state", cell: (watched, request) => <State request={request} of={watched} /> },
  { name: "waiting", head: "waiting", cell: ({ numbers }) => <Count of={numbers?.totals.waiting ?? 0} /> },
  {
    name: "in",
    head: "inRate",
    cell: ({ numbers }) => <td class="n">{rounded(numbers?.totals.inRate ?? 0)}</td>,
  },
  {
    name: "consumers",
    head: "consumers",
    cell: ({ numbers }) => <Count of={numbers?.totals.consumers ?? 0} />,
  },
  {
    name: "memory",
    head: "memory",
    cell: ({ numbers }) => <td class="n">{bytesText(numbers?.facts?.memory.inUseBytes)}</td>,
  },
  {
    name: "started",
    head: "runsFor",
    cell: (watched, request) => <td class="n">{runsFor(request, watched)}</td>,
  },
];

/** `GET /nodes` */
export async function nodesPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts } = request;
  await seen(request);
  const view = tableView(request.query, NODE_COLUMNS);
  const nameOf = ({ node, address }: WatchedNode) => `${node.hostname} ${address}`;
  const part = await tablePart(poller.nodes, view, { columns: NODE_COLUMNS, nameOf });
  const file = exported(request, { nodes: fileOf(part.found, NODE_FIELDS) }, poller.failures);
  if (file) return await file;
  const head = { request, view };
  const columns = columnsShown(request, "nodes", NODE_TABLE);
  return (
    <Layout request={request} title={texts.pages.nodes} live>
      <h1>{texts.pages.nodes}</h1>
      <ClusterNews request={request} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.nodes.count(part.countInAll)}
      />
      <Table caption={texts.nodes.caption}>
        <thead>
          <tr>
            <SortHead {...head} column="name">{texts.columns.host}</SortHead>
            <ColumnHeads {...head} columns={columns} />
          </tr>
        </thead>
        <tbody>
          {part.rows.map((watched) => (
            <tr>
              <th scope="row" class="name">
                <a href={request.paths.node(watched.address)}>{watched.node.hostname}</a>
              </th>
              {columns.map(({ cell }) => cell(watched, request))}
            </tr>
          ))}
          {part.rows.length === 0 && (
            <EmptyRow columns={1 + columns.length}>
              {poller.failures.length > 0 ? texts.common.noAnswer : texts.common.none}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

/** Those that it has said that it has. */
function topicsAt({ numbers }: WatchedNode): number {
  return numbers?.totals.topics ?? 0;
}

function TopicCount(
  { request: { texts }, of: watched }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  return (
    <td class="n">
      {whole(topicsAt(watched))}
      {watched.node.topics?.some(({ tombstoned }) => tombstoned) && (
        <span class="quiet">{texts.nodes.someTombstoned}</span>
      )}
    </td>
  );
}

function State(
  { request, of: { numbers, state, answered } }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  const { states } = request.texts.nodes;
  return (
    <td class="n">
      {numbers?.facts !== undefined && <NodeMarks request={request} of={numbers.facts} />}
      {state === "up" ? states.up : (
        <>
          <strong class="mark">{states[state]}</strong>{" "}
          <span class="quiet">{agoOf(request, answered?.monotonicMs)}</span>
        </>
      )}
    </td>
  );
}

function ToldBy(
  { request: { texts }, watched: { node, gone }, of: count }: {
    readonly request: PageRequest;
    readonly watched: WatchedNode;
    readonly of: number;
  },
): Markup {
  const told = gone === undefined ? node.remote_addresses?.length ?? 0 : 0;
  return (
    <td class="n">
      <span title={node.remote_addresses?.join("\n")}>{texts.common.outOf(whole(told), whole(count))}</span>
      {" "}
      {gone === undefined && told !== count && <strong class="mark">{texts.nodes.disagreement}</strong>}
    </td>
  );
}

/** For how long it has been running, as it says; nothing if it does not, or does not answer any more. */
export function runsFor({ admin: { clock } }: PageRequest, { numbers, state }: WatchedNode): string {
  const startTimeS = numbers?.facts?.startTimeS ?? 0;
  return startTimeS === 0 || state !== "up" ? "" : durationText(clock.nowMs() - startTimeS * MS_PER_S);
}

/** What is unusual about a node that answers. */
function NodeMarks(
  { request: { texts: { nodes } }, of: { health, own } }: {
    readonly request: PageRequest;
    readonly of: NodeFacts;
  },
): Markup {
  return (
    <>
      {health !== "" && health !== "OK" && <strong class="mark">{nodes.notWell}</strong>}{" "}
      {own?.state === "draining" && <strong class="mark">{nodes.draining}</strong>}
      {" "}
    </>
  );
}
