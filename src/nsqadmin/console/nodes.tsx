/**
 * All nodes.
 *
 * @module
 */

import type { ClusterNode } from "../../cluster/cluster_nodes.ts";
import type { NodeFacts } from "../../cluster/node_facts.ts";
import type { Answer } from "../../http/answer.ts";
import type { NodeState, WatchedNode } from "../watch/watched_node.ts";
import { rounded } from "./charts.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { agoOf, ClusterNews, seen } from "./news.tsx";
import { bytesText, Count, durationText, EmptyRow, SortHead, Table, TableControls } from "./parts.tsx";
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
const STATE_TEXTS: Readonly<Record<NodeState, string>> = {
  up: "answers",
  new: "not asked yet",
  late: "late",
  failing: "does not answer",
  gone: "gone",
};

/** A row in a file. */
const NODE_FIELDS: Fields<WatchedNode> = {
  ...NODE_COLUMNS,
  "tcp-port": ({ node }) => node.tcp_port,
  region: ({ node }) => node.topology_region,
  zone: ({ node }) => node.topology_zone,
  state: ({ state }) => state,
  health: ({ numbers }) => numbers?.facts?.health,
};

/** `GET /nodes` */
export async function nodesPage(request: PageRequest): Promise<Markup | Answer> {
  const { cluster, poller } = request.admin;
  await seen(request);
  const view = tableView(request.query, NODE_COLUMNS);
  const nameOf = ({ node, address }: WatchedNode) => `${node.hostname} ${address}`;
  const part = await tablePart(poller.nodes, view, { columns: NODE_COLUMNS, nameOf });
  const file = exported(request, { nodes: fileOf(part.found, NODE_FIELDS) }, poller.failures);
  if (file) return await file;
  const head = { request, view };
  const registries = cluster.registries;
  return (
    <Layout request={request} title="Nodes" live>
      <h1>Nodes</h1>
      <ClusterNews request={request} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "node" : "nodes"}
      />
      <Table caption="Nodes of the cluster">
        <thead>
          <tr>
            <SortHead {...head} column="name">Host</SortHead>
            <SortHead {...head} column="address">HTTP</SortHead>
            <th scope="col" class="n">TCP port</th>
            <SortHead {...head} column="version">Version</SortHead>
            <th scope="col">Region, zone</th>
            {registries && <SortHead {...head} column="lookupds">Told by</SortHead>}
            <SortHead {...head} column="topics">Topics</SortHead>
            <SortHead {...head} column="state">State</SortHead>
            <SortHead {...head} column="waiting">Waiting</SortHead>
            <SortHead {...head} column="in">In/s</SortHead>
            <SortHead {...head} column="consumers">Consumers</SortHead>
            <SortHead {...head} column="memory">Memory</SortHead>
            <SortHead {...head} column="started">Runs for</SortHead>
          </tr>
        </thead>
        <tbody>
          {part.rows.map((watched) => {
            const { node, numbers, state } = watched;
            return (
              <tr>
                <th scope="row" class="name">
                  <a href={request.paths.node(watched.address)}>{node.hostname}</a>
                </th>
                <td class="n">{watched.address}</td>
                <td class="n">{node.tcp_port}</td>
                <td class="n">
                  {node.version} {node.out_of_date && <strong class="mark">outdated</strong>}
                </td>
                <td>
                  {[node.topology_region, node.topology_zone].filter((part) => part !== undefined).join(", ")}
                </td>
                {registries && <ToldBy node={node} of={registries.addresses.length} />}
                <td class="n">
                  {topicsAt(watched).toLocaleString("en")}
                  {node.topics?.some(({ tombstoned }) => tombstoned) && (
                    <span class="quiet">(some tombstoned)</span>
                  )}
                </td>
                <td class="n">
                  {numbers?.facts !== undefined && <NodeMarks of={numbers.facts} />}
                  {state === "up" ? STATE_TEXTS.up : (
                    <>
                      <strong class="mark">{STATE_TEXTS[state]}</strong>{" "}
                      <span class="quiet">{agoOf(request, watched.answered?.monotonicMs)}</span>
                    </>
                  )}
                </td>
                <Count of={numbers?.totals.waiting ?? 0} />
                <td class="n">{rounded(numbers?.totals.inRate ?? 0)}</td>
                <Count of={numbers?.totals.consumers ?? 0} />
                <td class="n">{bytesText(numbers?.facts?.memory.inUseBytes)}</td>
                <td class="n">{runsFor(request, watched)}</td>
              </tr>
            );
          })}
          {part.rows.length === 0 && (
            <EmptyRow columns={13}>
              {poller.failures.length > 0 ? "Nobody has answered." : "There is none."}
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

function ToldBy({ node, of: count }: { readonly node: ClusterNode; readonly of: number }): Markup {
  const told = node.remote_addresses?.length ?? 0;
  return (
    <td class="n">
      <span title={node.remote_addresses?.join("\n")}>{told} of {count}</span>{" "}
      {told !== count && <strong class="mark">not all agree</strong>}
    </td>
  );
}

/** For how long it has been running, as it says; nothing if it does not, or does not answer any more. */
export function runsFor({ admin: { clock } }: PageRequest, { numbers, state }: WatchedNode): string {
  const startTimeS = numbers?.facts?.startTimeS ?? 0;
  return startTimeS === 0 || state !== "up" ? "" : durationText(clock.nowMs() - startTimeS * MS_PER_S);
}

/** What is unusual about a node that answers. */
function NodeMarks({ of: { health, own } }: { readonly of: NodeFacts }): Markup {
  return (
    <>
      {health !== "" && health !== "OK" && <strong class="mark">not well</strong>}{" "}
      {own?.state === "draining" && <strong class="mark">draining</strong>}
      {" "}
    </>
  );
}
