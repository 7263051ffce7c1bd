/**
 * The consumers of a channel: each connection, or put together by host or client where there are many.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { TimeSlice } from "../../base/time_slice.ts";
import { Consumers, isSlow } from "../../cluster/consumers.ts";
import type { ChannelStats, ClientStats } from "../../cluster/topic_stats.ts";
import { ColumnHeads } from "./columns.tsx";
import {
  attributesOf,
  authorizedText,
  CONSUMER_COLUMNS,
  CONSUMER_COUNTS,
  type ConsumerRow,
  consumerRow,
  KickButton,
  Slow,
} from "./consumer_rows.tsx";
import type { Fields } from "./export.tsx";
import type { Markup } from "./markup.ts";
import { Count, PageLinks, SortHead, Table } from "./parts.tsx";
import { type PageRequest, queryWith } from "./request.ts";
import { type Columns, PAGE_ROWS, tablePart, tableView } from "./table.ts";
import { ENGLISH } from "./texts/english.tsx";
import type { Texts } from "./texts/texts.ts";

/** More connections than that are put together by host, unless the page is asked for something else. */
export const EACH_SHOWN_MAX = 20;
const NS_PER_MS = 1e6;

/** How they are shown (`?consumers=`). */
const GROUPINGS = ["each", "host", "client"] as const;
type Grouping = typeof GROUPINGS[number];

/** A connection in a file. */
export const CLIENT_FIELDS: Fields<ClientStats> = {
  hostname: ({ hostname }) => hostname,
  client_id: ({ client_id }) => client_id,
  remote_address: ({ remote_address }) => remote_address,
  user_agent: ({ user_agent }) => user_agent,
  connection: (client) => connectionOf(ENGLISH, client).join(", "),
  node: ({ node }) => node,
  in_flight: ({ in_flight_count }) => in_flight_count,
  ready: ({ ready_count }) => ready_count,
  finished: ({ finish_count }) => finish_count,
  requeued: ({ requeue_count }) => requeue_count,
  messages: ({ message_count }) => message_count,
  connected_s: ({ connected }) => Math.round(connected / NS_PER_MS / 1000),
  slow: isSlow,
};

/** What groups can be sorted by. */
const COLUMNS: Columns<ConsumerRow> = { name: ({ text }) => text, ...CONSUMER_COLUMNS };

/** The consumers of a channel of several nodes. */
export async function channelConsumers(request: PageRequest, sum: ChannelStats): Promise<Markup> {
  const { consumers } = request.texts;
  const clients = sum.clients ?? [];
  if (clients.length === 0) {
    const hasDepth = sum.depth > 0;
    return <p class={hasDepth ? "warning" : "quiet"}>{hasDepth ? consumers.noneWanted : consumers.none}</p>;
  }
  const grouping = groupingOf(request, clients.length);
  return (
    <>
      <nav class="actions" aria-label={consumers.shown}>
        {GROUPINGS.map((name) => (
          <a
            href={queryWith(request.query, { consumers: name, page: "", sort: "", done: "" })}
            aria-current={name === grouping ? "true" : undefined}
          >
            {consumers[name]}
          </a>
        ))}
      </nav>
      {grouping === "each"
        ? <Connections request={request} sum={sum} clients={clients} />
        : await groups(request, sum, grouping)}
    </>
  );
}

function groupingOf({ query }: PageRequest, connections: number): Grouping {
  const asked = GROUPINGS.find((each) => each === query.get("consumers"));
  return asked ?? (connections > EACH_SHOWN_MAX ? "host" : "each");
}

async function groups(request: PageRequest, sum: ChannelStats, by: "host" | "client"): Promise<Markup> {
  const { texts, texts: { columns } } = request;
  const consumers = new Consumers({ by });
  const slice = new TimeSlice();
  for (const node of sum.nodes ?? []) await consumers.add(node, slice);
  const rows = consumers.all.values().map((consumer) => consumerRow(consumer));
  const view = { ...tableView(request.query, COLUMNS), filter: "" };
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ text }) => text });
  const to = request.paths.channel(sum.topic_name, sum.channel_name);
  return (
    <>
      <Table caption={texts.consumers.captionBy(texts.consumers[by])}>
        <thead>
          <tr>
            <SortHead request={request} view={view} column="name">
              {by === "host" ? columns.host : columns.clientId}
            </SortHead>
            <th scope="col">{columns.connection}</th>
            <ColumnHeads request={request} view={view} columns={CONSUMER_COUNTS} />
            {request.may("kick") && <th scope="col">{columns.actions}</th>}
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => (
            <tr>
              <th scope="row" class="name">
                {row.consumer.hostname || row.consumer.clientId}{" "}
                <Slow request={request} is={row.consumer.slowConnections > 0} />
              </th>
              <td>{attributesOf(texts, row.consumer).join(", ")}</td>
              {CONSUMER_COUNTS.map(({ cell }) => cell(row, request))}
              {request.may("kick") && (
                <td>
                  <KickButton request={request} to={to} consumer={row.consumer.name} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <PageLinks request={request} page={part.page} pages={part.pages} />
    </>
  );
}

function Connections(
  { request, sum, clients }: {
    readonly request: PageRequest;
    readonly sum: ChannelStats;
    readonly clients: readonly ClientStats[];
  },
): Markup {
  const { texts, texts: { columns } } = request;
  const pages = Math.ceil(clients.length / PAGE_ROWS);
  const page = Math.min(tableView(request.query, COLUMNS).page, pages);
  const to = request.paths.channel(sum.topic_name, sum.channel_name);
  return (
    <>
      <Table caption={texts.consumers.captionOfChannel}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.host}</th>
            <th scope="col">{columns.userAgent}</th>
            <th scope="col">{columns.connection}</th>
            <th scope="col" class="name">{columns.node}</th>
            <th scope="col" class="n">{columns.inFlight}</th>
            <th scope="col" class="n">{columns.ready}</th>
            <th scope="col" class="n">{columns.finished}</th>
            <th scope="col" class="n">{columns.requeued}</th>
            <th scope="col" class="n">{columns.messages}</th>
            <th scope="col" class="n">{columns.connectedFor}</th>
            {request.may("kick") && <th scope="col">{columns.actions}</th>}
          </tr>
        </thead>
        <tbody>
          {clients.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS).map((client) => (
            <tr>
              <th scope="row" class="name">
                {client.hostname} <span class="quiet">{client.client_id} {client.remote_address}</span>{" "}
                <Slow request={request} is={isSlow(client)} />
              </th>
              <td>{client.user_agent}</td>
              <td>{connectionOf(texts, client).join(", ")}</td>
              <td class="name">
                <a href={request.paths.node(client.node)}>{client.node}</a>
              </td>
              <Count of={client.in_flight_count} />
              <Count of={client.ready_count} />
              <Count of={client.finish_count} />
              <Count of={client.requeue_count} />
              <Count of={client.message_count} />
              <td class="n">{formatDuration(client.connected / NS_PER_MS)}</td>
              {request.may("kick") && (
                <td>
                  <KickButton
                    request={request}
                    to={to}
                    consumer={{ node: client.node, address: client.remote_address }}
                  />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <PageLinks request={request} page={page} pages={pages} />
    </>
  );
}

/** What was agreed on with a client, in words. */
function connectionOf({ consumers }: Texts, client: ClientStats): string[] {
  const place = [client.topology_region, client.topology_zone].filter((part) => part !== undefined).join("/");
  return [
    client.tls ? `TLS ${client.tls_version} ${client.tls_cipher_suite}`.trim() : "",
    client.deflate ? "deflate" : "",
    client.snappy ? "snappy" : "",
    client.sample_rate > 0 ? consumers.sampled(client.sample_rate) : "",
    client.authed ? authorizedText(consumers, client.auth_identity) : "",
    place,
  ].filter((text) => text !== "");
}
