/**
 * Every process that consumes from the cluster: what it is, how it is connected and to what, and whether it gets on. The
 * nodes are asked when somebody looks: what the poller asks them is without clients.
 *
 * @module
 */

import type { Consumer } from "../../cluster/consumers.ts";
import type { Answer } from "../../http/answer.ts";
import {
  attributesOf,
  connectedMs,
  CONSUMER_COLUMNS,
  CONSUMER_COUNTS,
  type ConsumerRow,
  consumerRow,
  KickButton,
  Slow,
} from "./consumer_rows.tsx";
import { type Column, ColumnHeads, columnsShown } from "./columns.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { EmptyRow, Failures, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

/** Channels that a row names. */
const CHANNELS_SHOWN_MAX = 5;

/** What the rows can be sorted by. */
const COLUMNS: Columns<ConsumerRow> = {
  name: ({ text }) => text,
  agent: ({ consumer }) => consumer.userAgent,
  ...CONSUMER_COLUMNS,
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

/** The columns, but for the first. */
export const CONSUMER_TABLE: readonly Column<ConsumerRow>[] = [
  { name: "agent", head: "User agent", cell: ({ consumer }) => <td>{consumer.userAgent}</td> },
  {
    ...{ name: "connection", head: "Connection", isSortable: false },
    cell: ({ consumer }) => <td>{attributesOf(consumer).join(", ")}</td>,
  },
  {
    ...{ name: "channels", head: "Channels", isSortable: false },
    cell: ({ consumer }, request) => (
      <td class="name">
        <ChannelLinks request={request} consumer={consumer} />
      </td>
    ),
  },
  ...CONSUMER_COUNTS,
];

/** `GET /consumers` */
export async function consumersPage(request: PageRequest): Promise<Markup | Answer> {
  const { poller, views } = request.admin;
  const { consumers, failures, failed } = await views.consumers(request);
  poller.note();
  const view = tableView(request.query, COLUMNS);
  const rows = consumers.all.values().map((consumer) => consumerRow(consumer, channelNames(consumer)));
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ text }) => text });
  const file = exported(request, { consumers: fileOf(part.found, FIELDS) }, failures);
  if (file) return await file;
  const head = { request, view };
  const columns = columnsShown(request, "consumers", CONSUMER_TABLE);
  return (
    <Layout request={request} title="Consumers" live>
      <h1>Consumers</h1>
      <Failures of={failures} shown="Connections to these are missing below." />
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
            <ColumnHeads {...head} columns={columns} />
            {request.may("kick") && <th scope="col">Actions</th>}
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} columns={columns} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={columns.length + (request.may("kick") ? 2 : 1)}>
              {failed ? "Nobody has answered." : "There is none."}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

function Row(
  { request, row, columns }: {
    readonly request: PageRequest;
    readonly row: ConsumerRow;
    readonly columns: readonly Column<ConsumerRow>[];
  },
): Markup {
  const { consumer } = row;
  return (
    <tr>
      <th scope="row" class="name">
        {consumer.hostname} <span class="quiet">{consumer.clientId}</span>{" "}
        <Slow is={consumer.slowConnections > 0} />
      </th>
      {columns.map(({ cell }) => cell(row, request))}
      {request.may("kick") && (
        <td>
          <KickButton to={request.paths.consumers} consumer={consumer.name} />
        </td>
      )}
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

function channelNames({ channels }: Consumer): string[] {
  return Array.from(channels.keys(), ({ topic, name }) => `${topic} / ${name}`);
}
