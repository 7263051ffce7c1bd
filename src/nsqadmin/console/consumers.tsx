/**
 * Every process that consumes from the cluster: what it is, how it is connected and to what, and whether it gets on. The
 * nodes are asked when the page is: what the poller asks them is without clients.
 *
 * @module
 */

import { type Consumer, Consumers } from "../../cluster/consumers.ts";
import type { Answer } from "../../http/answer.ts";
import { Asking } from "./asking.ts";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Count, EmptyRow, Failures, SortHead, Table, TableControls, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

/** Channels that a row names. */
const CHANNELS_SHOWN_MAX = 5;
/** The last second that is shown as such, whatever a node says: of the year 9999. */
const SECOND_MAX = 253_402_300_799;

/** A consumer with what is not to be made out anew for each comparison of two. */
interface ConsumerRow {
  readonly consumer: Consumer;
  /** What the filter looks for. */
  readonly text: string;
  /** Nodes that it is connected to, of those that have its channels. */
  readonly nodes: number;
  readonly nodesOfChannels: number;
  readonly isImbalanced: boolean;
}

/** What the rows can be sorted by. */
const COLUMNS: Columns<ConsumerRow> = {
  name: ({ text }) => text,
  agent: ({ consumer }) => consumer.userAgent,
  since: ({ consumer }) => connectedMs(consumer),
  connections: ({ consumer }) => consumer.connections,
  // The most missing first.
  nodes: ({ nodes, nodesOfChannels }) => nodesOfChannels - nodes,
  "in-flight": ({ consumer }) => consumer.inFlight,
  ready: ({ consumer }) => consumer.ready,
  finished: ({ consumer }) => consumer.finished,
  requeued: ({ consumer }) => consumer.requeued,
};

/** A row in a file. */
const FIELDS: Fields<ConsumerRow> = {
  hostname: ({ consumer }) => consumer.hostname,
  client_id: ({ consumer }) => consumer.clientId,
  user_agent: ({ consumer }) => consumer.userAgent,
  connection: ({ consumer }) => attributesOf(consumer).join(", "),
  channels: ({ consumer }) => channelNames(consumer).join(", "),
  connected_since: ({ consumer }) => new Date(connectedMs(consumer)).toISOString(),
  connections: ({ consumer }) => consumer.connections,
  nodes: ({ nodes }) => nodes,
  nodes_of_channels: ({ nodesOfChannels }) => nodesOfChannels,
  not_on_all_nodes: ({ isImbalanced }) => isImbalanced,
  in_flight: ({ consumer }) => consumer.inFlight,
  ready: ({ consumer }) => consumer.ready,
  finished: ({ consumer }) => consumer.finished,
  requeued: ({ consumer }) => consumer.requeued,
  slow: ({ consumer }) => consumer.slowConnections > 0,
};

/** `GET /consumers` */
export async function consumersPage(request: PageRequest): Promise<Markup | Answer> {
  const { cluster } = request.admin;
  const asking = new Asking();
  const consumers = new Consumers();
  const nodes = await asking.ask(cluster.nodesOnly(), []);
  if (nodes.length > 0) {
    await asking.ask(cluster.eachChannel(nodes, (channel, slice) => consumers.add(channel, slice)), []);
  }
  const view = tableView(request.query, COLUMNS);
  const rows = consumers.all.values().map(rowOf);
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ text }) => text });
  const file = exported(request, { consumers: fileOf(part.found, FIELDS) }, asking.failures);
  if (file) return await file;
  const head = { request, view };
  return (
    <Layout request={request} title="Consumers">
      <h1>Consumers</h1>
      <Failures of={asking.failures} shown="Connections to these are missing below." />
      {consumers.leftOut > 0 && (
        <p class="warning" role="alert">
          There is more than can be shown: {consumers.leftOut.toLocaleString("en")}{" "}
          connections and channels of nodes are left out.
        </p>
      )}
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "consumer" : "consumers"}
      />
      <Table caption="Consumers, over all nodes and channels">
        <thead>
          <tr>
            <SortHead {...head} column="name">Host</SortHead>
            <SortHead {...head} column="agent">User agent</SortHead>
            <th scope="col">Connection</th>
            <th scope="col" class="name">Channels</th>
            <SortHead {...head} column="since">Connected since</SortHead>
            <SortHead {...head} column="connections">Connections</SortHead>
            <SortHead {...head} column="nodes">Nodes</SortHead>
            <SortHead {...head} column="in-flight">In flight</SortHead>
            <SortHead {...head} column="ready">Ready</SortHead>
            <SortHead {...head} column="finished">Finished</SortHead>
            <SortHead {...head} column="requeued">Requeued</SortHead>
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={11}>{asking.failed ? "Nobody has answered." : "There is none."}</EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

function Row({ request, row }: { readonly request: PageRequest; readonly row: ConsumerRow }): Markup {
  const { consumer, nodes, nodesOfChannels, isImbalanced } = row;
  return (
    <tr>
      <th scope="row" class="name">
        {consumer.hostname} <span class="quiet">{consumer.clientId}</span>{" "}
        {consumer.slowConnections > 0 && <strong class="mark">slow</strong>}
      </th>
      <td>{consumer.userAgent}</td>
      <td>{attributesOf(consumer).join(", ")}</td>
      <td class="name">
        <ChannelLinks request={request} consumer={consumer} />
      </td>
      <td class="n">
        <Time atMs={connectedMs(consumer)} />
      </td>
      <Count of={consumer.connections} />
      <td class="n">
        {nodes.toLocaleString("en")} of {nodesOfChannels.toLocaleString("en")}{" "}
        {isImbalanced && <strong class="mark">not on all</strong>}
      </td>
      <Count of={consumer.inFlight} />
      <Count of={consumer.ready} />
      <Count of={consumer.finished} />
      <Count of={consumer.requeued} />
    </tr>
  );
}

function ChannelLinks(
  { request, consumer }: { readonly request: PageRequest; readonly consumer: Consumer },
): Markup {
  const shown = [...consumer.channels.keys().take(CHANNELS_SHOWN_MAX)];
  const others = consumer.channels.size - shown.length;
  return (
    <>
      {shown.map(({ topic, name }, i) => (
        <>
          {i > 0 && ", "}
          <a href={request.paths.channel(topic, name)}>{`${topic} / ${name}`}</a>
        </>
      ))}
      {others > 0 && ` and ${others} more`}
    </>
  );
}

function rowOf(consumer: Consumer): ConsumerRow {
  const { hostname, clientId, userAgent, identities, nodes, nodesOfChannels, isImbalanced } = consumer;
  const text = [hostname, clientId, userAgent, ...identities, ...channelNames(consumer)].join("\n");
  return { consumer, text, nodes, nodesOfChannels, isImbalanced };
}

function channelNames({ channels }: Consumer): string[] {
  return Array.from(channels.keys(), ({ topic, name }) => `${topic} / ${name}`);
}

/** How it is connected, in words; of what not all its connections have, how many do. */
function attributesOf(consumer: Consumer): string[] {
  const { connections, versions, identities } = consumer;
  const counted = (text: string, count: number) =>
    count === 0 ? "" : count === connections ? text : `${text} (${count} of ${connections})`;
  const authorized = identities.size === 0 ? "authorized" : `authorized as ${[...identities].join(", ")}`;
  return [
    ...versions,
    counted("TLS", consumer.tlsConnections),
    counted("deflate", consumer.deflateConnections),
    counted("snappy", consumer.snappyConnections),
    counted(authorized, consumer.authedConnections),
  ].filter((text) => text !== "");
}

function connectedMs({ connectedS }: Consumer): number {
  return Math.min(Math.max(connectedS, 0), SECOND_MAX) * 1000;
}
