/**
 * A channel: what each node has of it, its consumers, and what can be done with it.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { type ChannelStats, type ClientStats, sumChannels } from "../../cluster/topic_stats.ts";
import type { Answer } from "../../http/answer.ts";
import { Asking } from "./asking.ts";
import { CHANNEL_FIELDS, ChannelCounts, ChannelHeads } from "./channel_columns.tsx";
import { Charts } from "./charts.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { LatencyCells, LatencyHeads, quantilesOf } from "./latency.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ActionsOnAllNodes, ActionsOnNode, Count, Failures, NodeHead, Paused, Table } from "./parts.tsx";
import { type PageRequest, queryWith } from "./request.ts";
import { PAGE_ROWS } from "./table.ts";

const NS_PER_MS = 1e6;

const CHARTS = [
  ["depth", "Depth"],
  ["inRate", "In, messages in a second"],
  ["outRate", "Finished in a second"],
  ["inFlight", "In flight"],
  ["deferred", "Deferred"],
  ["consumers", "Consumers"],
] as const;

/** What a node has of the channel, in a file. */
const NODE_FIELDS: Fields<ChannelStats> = {
  node: ({ node }) => node,
  hostname: ({ hostname }) => hostname,
  ...CHANNEL_FIELDS,
};

/** A consumer in a file. */
const CLIENT_FIELDS: Fields<ClientStats> = {
  hostname: ({ hostname }) => hostname,
  client_id: ({ client_id }) => client_id,
  remote_address: ({ remote_address }) => remote_address,
  user_agent: ({ user_agent }) => user_agent,
  connection: (client) => attributesOf(client).join(", "),
  node: ({ node }) => node,
  in_flight: ({ in_flight_count }) => in_flight_count,
  ready: ({ ready_count }) => ready_count,
  finished: ({ finish_count }) => finish_count,
  requeued: ({ requeue_count }) => requeue_count,
  messages: ({ message_count }) => message_count,
  connected_s: ({ connected }) => Math.round(connected / NS_PER_MS / 1000),
};

/** `GET /topics/:topic/:channel` */
export async function channelPage(request: PageRequest): Promise<Markup | Answer> {
  const { cluster } = request.admin;
  const { topic, channel } = request.context.params;
  const asking = new Asking();
  const nodes = await asking.ask(cluster.topicNodes(topic), []);
  const query = { topic, channel, includeClients: true };
  const stats = nodes.length === 0 ? [] : await asking.ask(cluster.topicStats(nodes, query), []);
  const parts = stats.flatMap(({ channels }) => channels ?? []).filter(({ channel_name }) =>
    channel_name === channel
  );
  const sum = parts.length === 0 ? undefined : await sumChannels(parts);
  request.admin.poller.note();
  const file = exported(request, {
    nodes: fileOf(sum?.nodes ?? [], NODE_FIELDS),
    consumers: fileOf(sum?.clients ?? [], CLIENT_FIELDS),
  }, asking.failures);
  if (file) return await file;
  return (
    <Layout request={request} title={`Channel ${channel} of ${topic}`}>
      <p>
        Topic <a href={request.paths.topic(topic)}>{topic}</a>
        {request.may("peek") && (
          <>
            {" · "}
            <a href={request.paths.messages(topic, channel)}>Messages</a>
          </>
        )}
      </p>
      <h1>
        Channel {channel} <Paused is={sum?.paused ?? false} />
      </h1>
      <Failures of={asking.failures} shown="What is known there only is missing in the numbers below." />
      <ActionsOnAllNodes
        request={request}
        to={request.paths.channel(topic, channel)}
        paused={sum?.paused ?? false}
      />
      {sum === undefined ? <p>No node that has answered has this channel.</p> : (
        <>
          <Charts request={request} series={request.admin.poller.find(topic, channel)} fields={CHARTS} />
          <NodesTable request={request} sum={sum} />
          <ExportLinks request={request} table="nodes" />
          <Consumers request={request} clients={sum.clients ?? []} hasDepth={sum.depth > 0} />
          <ExportLinks request={request} table="consumers" />
        </>
      )}
    </Layout>
  );
}

function NodesTable({ request, sum }: { readonly request: PageRequest; readonly sum: ChannelStats }): Markup {
  const nodes = sum.nodes ?? [];
  const quantiles = quantilesOf(nodes);
  return (
    <Table caption="Nodes that have the channel">
      <thead>
        <tr>
          <th scope="col" class="name">Node</th>
          <ChannelHeads />
          <LatencyHeads quantiles={quantiles} />
          {request.may("pause") && <th scope="col">Actions</th>}
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <tr>
            <NodeHead request={request} of={node} />
            <ChannelCounts of={node} />
            <LatencyCells of={node.e2e_processing_latency} quantiles={quantiles} />
            {request.may("pause") && (
              <td>
                <ActionsOnNode
                  request={request}
                  to={request.paths.channel(sum.topic_name, sum.channel_name)}
                  of={node}
                />
              </td>
            )}
          </tr>
        ))}
        <tr class="total">
          <th scope="row" class="name">Total</th>
          <ChannelCounts of={sum} />
          <LatencyCells of={sum.e2e_processing_latency} quantiles={quantiles} />
          {request.may("pause") && <td></td>}
        </tr>
      </tbody>
    </Table>
  );
}

function Consumers(
  { request, clients, hasDepth }: {
    readonly request: PageRequest;
    readonly clients: readonly ClientStats[];
    readonly hasDepth: boolean;
  },
): Markup {
  if (clients.length === 0) {
    return (
      <p class={hasDepth ? "warning" : "quiet"}>
        No consumers{hasDepth && ": messages are waiting for one"}.
      </p>
    );
  }
  const pages = Math.ceil(clients.length / PAGE_ROWS);
  const asked = Number(request.query.get("page") ?? "1");
  const page = Number.isSafeInteger(asked) && asked >= 1 ? Math.min(asked, pages) : 1;
  return (
    <>
      <Table caption="Consumers">
        <thead>
          <tr>
            <th scope="col" class="name">Host</th>
            <th scope="col">User agent</th>
            <th scope="col">Connection</th>
            <th scope="col" class="name">Node</th>
            <th scope="col" class="n">In flight</th>
            <th scope="col" class="n">Ready</th>
            <th scope="col" class="n">Finished</th>
            <th scope="col" class="n">Requeued</th>
            <th scope="col" class="n">Messages</th>
            <th scope="col" class="n">Connected for</th>
          </tr>
        </thead>
        <tbody>
          {clients.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS).map((client) => (
            <tr>
              <th scope="row" class="name">
                {client.hostname} <span class="quiet">{client.client_id} {client.remote_address}</span>
              </th>
              <td>{client.user_agent}</td>
              <td>{attributesOf(client).join(", ")}</td>
              <td class="name">
                <a href={request.paths.node(client.node)}>{client.node}</a>
              </td>
              <Count of={client.in_flight_count} />
              <Count of={client.ready_count} />
              <Count of={client.finish_count} />
              <Count of={client.requeue_count} />
              <Count of={client.message_count} />
              <td class="n">{formatDuration(client.connected / NS_PER_MS)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
      {pages > 1 && (
        <nav aria-label="Pages" class="controls">
          {page > 1 && <a href={queryWith(request.query, { page: String(page - 1) })}>Back</a>}
          <span>page {page} of {pages}</span>
          {page < pages && <a href={queryWith(request.query, { page: String(page + 1) })}>Next</a>}
        </nav>
      )}
    </>
  );
}

/** What was agreed on with a client, in words. */
function attributesOf(client: ClientStats): string[] {
  const place = [client.topology_region, client.topology_zone].filter((part) => part !== undefined).join("/");
  return [
    client.tls ? `TLS ${client.tls_version} ${client.tls_cipher_suite}`.trim() : "",
    client.deflate ? "deflate" : "",
    client.snappy ? "snappy" : "",
    client.sample_rate > 0 ? `sampled ${client.sample_rate} %` : "",
    client.authed ? `authorized${client.auth_identity === "" ? "" : ` as ${client.auth_identity}`}` : "",
    place,
  ].filter((text) => text !== "");
}
