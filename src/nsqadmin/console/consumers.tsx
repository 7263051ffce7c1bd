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
  ConsumerCounts,
  ConsumerHeads,
  type ConsumerRow,
  consumerRow,
  KickButton,
  Slow,
} from "./consumer_rows.tsx";
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
            <SortHead {...head} column="agent">User agent</SortHead>
            <th scope="col">Connection</th>
            <th scope="col" class="name">Channels</th>
            <ConsumerHeads {...head} />
            {request.may("kick") && <th scope="col">Actions</th>}
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={request.may("kick") ? 12 : 11}>
              {failed ? "Nobody has answered." : "There is none."}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

function Row({ request, row }: { readonly request: PageRequest; readonly row: ConsumerRow }): Markup {
  const { consumer } = row;
  return (
    <tr>
      <th scope="row" class="name">
        {consumer.hostname} <span class="quiet">{consumer.clientId}</span>{" "}
        <Slow is={consumer.slowConnections > 0} />
      </th>
      <td>{consumer.userAgent}</td>
      <td>{attributesOf(consumer).join(", ")}</td>
      <td class="name">
        <ChannelLinks request={request} consumer={consumer} />
      </td>
      <ConsumerCounts of={row} />
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
