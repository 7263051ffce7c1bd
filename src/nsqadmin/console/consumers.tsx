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
import { exported, ExportLinks, type Fields, fileOf, wantsFile } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { EmptyRow, Failures, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";
import { ENGLISH } from "./texts/english.tsx";

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
  connection: ({ consumer }) => attributesOf(ENGLISH, consumer).join(", "),
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
  { name: "agent", head: "userAgent", cell: ({ consumer }) => <td>{consumer.userAgent}</td> },
  {
    ...{ name: "connection", head: "connection" as const, isSortable: false },
    cell: ({ consumer }, { texts }) => <td>{attributesOf(texts, consumer).join(", ")}</td>,
  },
  {
    ...{ name: "channels", head: "channels" as const, isSortable: false },
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
  const { isUpdate, admin: { poller, views }, texts } = request;
  const { consumers, failures, failed } = await views.consumers({ isUpdate, waits: wantsFile(request) });
  poller.note();
  const view = tableView(request.query, COLUMNS);
  const rows = consumers.all.values().map((consumer) => consumerRow(consumer, channelNames(consumer)));
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ text }) => text });
  const file = exported(request, { consumers: fileOf(part.found, FIELDS) }, failures);
  if (file) return await file;
  const head = { request, view };
  const columns = columnsShown(request, "consumers", CONSUMER_TABLE);
  return (
    <Layout request={request} title={texts.pages.consumers} live>
      <h1>{texts.pages.consumers}</h1>
      <Failures request={request} of={failures} shown={texts.consumers.missing} />
      {consumers.leftOut > 0 && (
        <p class="warning" role="alert">{texts.consumers.leftOut(consumers.leftOut)}</p>
      )}
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.consumers.count(part.countInAll)}
      />
      <Table caption={texts.consumers.caption}>
        <thead>
          <tr>
            <SortHead {...head} column="name">{texts.columns.host}</SortHead>
            <ColumnHeads {...head} columns={columns} />
            {request.may("kick") && <th scope="col">{texts.columns.actions}</th>}
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} columns={columns} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={columns.length + (request.may("kick") ? 2 : 1)}>
              {failed ? texts.common.noAnswer : texts.common.none}
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
        <Slow request={request} is={consumer.slowConnections > 0} />
      </th>
      {columns.map(({ cell }) => cell(row, request))}
      {request.may("kick") && (
        <td>
          <KickButton request={request} to={request.paths.consumers} consumer={consumer.name} />
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
  const links = shown.map(({ topic, name }, i) => (
    <>
      {i > 0 && ", "}
      <a href={request.paths.channel(topic, name)}>{`${topic} / ${name}`}</a>
    </>
  ));
  return <>{others > 0 ? request.texts.consumers.andMore(links, others) : links}</>;
}

function channelNames({ channels }: Consumer): string[] {
  return Array.from(channels.keys(), ({ topic, name }) => `${topic} / ${name}`);
}
