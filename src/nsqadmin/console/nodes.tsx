/**
 * All nodes, and one of them with everything that it has.
 *
 * @module
 */

import { type ClusterNode, httpAddressOf } from "../../cluster/cluster_nodes.ts";
import { Asking } from "./asking.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ChangeButton, Count, Failures, Paused, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";
import { TOPIC_COLUMNS, TopicRows } from "./topic_rows.ts";

/** What nodes can be sorted by. */
const NODE_COLUMNS: Columns<ClusterNode> = {
  name: ({ hostname }) => hostname,
  address: httpAddressOf,
  version: ({ version }) => version,
  topics: ({ topics }) => topics?.length ?? 0,
  lookupds: ({ remote_addresses }) => remote_addresses?.length ?? 0,
};

/** `GET /nodes` */
export async function nodesPage(request: PageRequest): Promise<Markup> {
  const { cluster } = request.admin;
  const asking = new Asking();
  const nodes = await asking.ask(cluster.nodes(), []);
  const view = tableView(request.query, NODE_COLUMNS);
  const nameOf = (node: ClusterNode) => `${node.hostname} ${httpAddressOf(node)}`;
  const part = tablePart(nodes, view, { columns: NODE_COLUMNS, nameOf });
  const head = { request, view };
  const registries = cluster.registries;
  return (
    <Layout request={request} title="Nodes">
      <h1>Nodes</h1>
      <Failures of={asking.failures} shown="What is known there only is missing below." />
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
          </tr>
        </thead>
        <tbody>
          {part.rows.map((node) => (
            <tr>
              <th scope="row" class="name">
                <a href={request.paths.node(httpAddressOf(node))}>{node.hostname}</a>
              </th>
              <td class="n">{httpAddressOf(node)}</td>
              <td class="n">{node.tcp_port}</td>
              <td class="n">
                {node.version} {node.out_of_date && <strong class="mark">outdated</strong>}
              </td>
              <td>
                {[node.topology_region, node.topology_zone].filter((part) => part !== undefined).join(", ")}
              </td>
              {registries && <ToldBy node={node} of={registries.addresses.length} />}
              <td class="n">
                {node.topics?.length ?? 0}
                {node.topics?.some(({ tombstoned }) => tombstoned) && (
                  <span class="quiet">(some tombstoned)</span>
                )}
              </td>
            </tr>
          ))}
          {part.rows.length === 0 && (
            <tr>
              <td colspan={7}>{asking.failed ? "Nobody has answered." : "There is none."}</td>
            </tr>
          )}
        </tbody>
      </Table>
    </Layout>
  );
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

/** `GET /nodes/:node` */
export async function nodePage(request: PageRequest): Promise<Markup> {
  const { cluster } = request.admin;
  const address = request.context.params.node;
  const asking = new Asking();
  const nodes = await asking.ask(cluster.nodes(), []);
  const node = nodes.find((each) => httpAddressOf(each) === address);
  const topics = new TopicRows();
  if (node !== undefined) await asking.ask(cluster.eachTopic([node], (topic) => topics.add(topic)), []);
  const rows = await topics.rows();
  const view = tableView(request.query, TOPIC_COLUMNS);
  const part = tablePart(rows, view, { columns: TOPIC_COLUMNS, nameOf: ({ name }) => name });
  const head = { request, view };
  return (
    <Layout request={request} title={`Node ${address}`}>
      <h1>Node {node === undefined ? address : `${node.hostname} (${address})`}</h1>
      <Failures of={asking.failures} shown="What is known there only is missing below." />
      {node === undefined ? <p>Nobody who has answered tells of this node.</p> : (
        <>
          <p>
            nsqd v{node.version}, TCP port {node.tcp_port},{" "}
            {rows.reduce((sum, { depth }) => sum + depth, 0).toLocaleString("en")}{" "}
            messages wait in its topics,{" "}
            {rows.reduce((sum, { consumers }) => sum + consumers, 0).toLocaleString("en")} consumers.
          </p>
          <TableControls
            request={request}
            view={view}
            part={part}
            what={part.countInAll === 1 ? "topic" : "topics"}
          />
          <Table caption="Topics of the node">
            <thead>
              <tr>
                <SortHead {...head} column="name">Topic</SortHead>
                <SortHead {...head} column="depth">Depth</SortHead>
                <SortHead {...head} column="channel-depth">Deepest channel</SortHead>
                <SortHead {...head} column="in-flight">In flight</SortHead>
                <SortHead {...head} column="deferred">Deferred</SortHead>
                <SortHead {...head} column="messages">Messages</SortHead>
                <SortHead {...head} column="consumers">Consumers</SortHead>
                {request.mayChange && <th scope="col">Actions</th>}
              </tr>
            </thead>
            <tbody>
              {part.rows.map((row) => (
                <tr>
                  <th scope="row" class="name">
                    <a href={request.paths.topic(row.name)}>{row.name}</a> <Paused is={row.paused} />
                  </th>
                  <Count of={row.depth} />
                  <Count of={row.channelDepth} />
                  <Count of={row.inFlight} />
                  <Count of={row.deferred} />
                  <Count of={row.messages} />
                  <Count of={row.consumers} />
                  {request.mayChange && (
                    <td>
                      <ChangeButton
                        to={request.paths.topic(row.name)}
                        action="tombstone"
                        danger
                        fields={{ node: address }}
                      >
                        Take off this node…
                      </ChangeButton>
                    </td>
                  )}
                </tr>
              ))}
              {part.rows.length === 0 && (
                <tr>
                  <td colspan={8}>{asking.failed ? "It has not answered." : "There is none."}</td>
                </tr>
              )}
            </tbody>
          </Table>
        </>
      )}
    </Layout>
  );
}
