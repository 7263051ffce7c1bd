/**
 * Every channel of the cluster: where messages wait, and who falls behind.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import type { Answer } from "../../http/answer.ts";
import { type Field, requeuedPercent, type Series } from "../watch/series.ts";
import { BulkForm, Tick } from "./bulk_form.tsx";
import { Sparkline } from "./charts.tsx";
import { type Column, ColumnHeads, columnsShown } from "./columns.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { rounded } from "./figures.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, Known, NodeCount, nodesText, seen } from "./news.tsx";
import { Count, EmptyRow, Facts, Paused, Percent, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

const MS_PER_S = 1000;

/** What the rows can be sorted by. */
const COLUMNS: Columns<Series> = {
  name: nameOf,
  depth: (channel) => channel.known("depth"),
  oldest: (channel) => channel.known("oldestS"),
  drain: drainS,
  in: (channel) => channel.known("inRate"),
  out: (channel) => channel.known("outRate"),
  "in-flight": (channel) => channel.known("inFlight"),
  deferred: (channel) => channel.known("deferred"),
  requeued: (channel) => channel.known("requeued"),
  "requeued-percent": (channel) => requeuedPercent((field) => channel.known(field)),
  "timed-out": (channel) => channel.known("timedOut"),
  consumers: (channel) => channel.known("consumers"),
  nodes: ({ nodes }) => nodes,
};

const { name: _, ...NUMBERS } = COLUMNS;
/** A row in a file. */
const FIELDS: Fields<Series> = {
  topic: ({ topic }) => topic?.name,
  channel: ({ name }) => name,
  ...NUMBERS,
  "silent-nodes": ({ silentNodes }) => silentNodes,
  paused: (channel) => channel.known("paused") > 0,
};

/** A column with a number. */
function counted(name: string, head: Column<Series>["head"], field: Field): Column<Series> {
  return { name, head, cell: (channel) => <Count of={channel.known(field)} /> };
}

/** The columns, but for the first. */
export const CHANNEL_TABLE: readonly Column<Series>[] = [
  counted("depth", "depth", "depth"),
  {
    name: "line",
    head: "depthLately",
    isSortable: false,
    isThere: ({ admin }) => admin.options.history,
    cell: (channel, { admin }) => <Sparkline history={admin.poller.history} series={channel} field="depth" />,
  },
  { name: "oldest", head: "oldest", cell: (channel) => <td class="n">{oldestText(channel)}</td> },
  {
    name: "drain",
    head: "emptyIn",
    cell: (channel, request) => <td class="n">{drainText(request, channel)}</td>,
  },
  { name: "in", head: "inRate", cell: (channel) => <td class="n">{rounded(channel.known("inRate"))}</td> },
  { name: "out", head: "outRate", cell: (channel) => <td class="n">{rounded(channel.known("outRate"))}</td> },
  counted("in-flight", "inFlight", "inFlight"),
  counted("deferred", "deferred", "deferred"),
  counted("requeued", "requeued", "requeued"),
  {
    name: "requeued-percent",
    head: "requeuedPercent",
    cell: (channel) => <Percent of={requeuedPercent((field) => channel.known(field))} />,
  },
  counted("timed-out", "timedOut", "timedOut"),
  counted("consumers", "consumers", "consumers"),
  { name: "nodes", head: "nodes", cell: (channel, request) => <NodeCount request={request} of={channel} /> },
];

/** `GET /channels` */
export async function channelsPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts } = request;
  await seen(request);
  const view = tableView(request.query, COLUMNS);
  const part = await tablePart(channelsOf(poller.topics), view, { columns: COLUMNS, nameOf });
  const file = exported(request, { channels: fileOf(part.found, FIELDS) }, poller.failures);
  if (file) return await file;
  const head = { request, view };
  const columns = columnsShown(request, "channels", CHANNEL_TABLE);
  return (
    <Layout request={request} title={texts.pages.channels} live>
      <h1>{texts.pages.channels}</h1>
      <ClusterNews request={request} />
      <Facts of={[[texts.facts.nodes, nodesText(request)]]} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.channels.count(part.countInAll)}
      />
      <BulkForm request={request} table="channels" />
      <Table caption={texts.channels.caption}>
        <thead>
          <tr>
            <SortHead {...head} column="name">{texts.columns.topicAndChannel}</SortHead>
            <ColumnHeads {...head} columns={columns} />
          </tr>
        </thead>
        <tbody>
          {part.rows.map((channel) => <Row request={request} channel={channel} columns={columns} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={1 + columns.length}>
              {poller.hasAnswers ? texts.common.none : texts.common.noAnswer}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

/** The channels that nodes have that count; and as they were last known, those of nodes that do not. */
function* channelsOf(topics: Iterable<Series>): Generator<Series> {
  for (const { channels } of topics) {
    for (const channel of channels.values()) {
      if (channel.nodes > 0 || channel.knownMs !== undefined) yield channel;
    }
  }
}

/** The channels that the filter of such a query lets through, in its order. */
export async function channelsFound(
  { admin: { poller } }: PageRequest,
  query: ReadonlyMap<string, string>,
): Promise<readonly Series[]> {
  const view = tableView(query, COLUMNS);
  return (await tablePart(channelsOf(poller.topics), view, { columns: COLUMNS, nameOf })).found;
}

function Row(
  { request, channel, columns }: {
    readonly request: PageRequest;
    readonly channel: Series;
    readonly columns: readonly Column<Series>[];
  },
): Markup {
  const topic = channel.topic?.name ?? "";
  return (
    <tr class={channel.knownMs === undefined ? undefined : "old"}>
      <th scope="row" class="name">
        <Tick request={request} target={{ topic, channel: channel.name }} />
        <a href={request.paths.channel(topic, channel.name)}>{nameOf(channel)}</a>{" "}
        <Paused request={request} is={channel.known("paused") > 0} />{" "}
        {channel.known("depth") > 0 && channel.known("consumers") === 0 && (
          <strong class="mark">{request.texts.common.noConsumers}</strong>
        )} <Known request={request} ms={channel.knownMs} />
      </th>
      {columns.map(({ cell }) => cell(channel, request))}
    </tr>
  );
}

function nameOf({ name, topic }: Series): string {
  return `${topic?.name ?? ""} / ${name}`;
}

/** How old the message is that has waited longest, where a node tells it. */
function oldestText(channel: Series): string {
  const oldestS = channel.known("oldestS");
  return oldestS === 0 ? "" : formatDuration(oldestS * MS_PER_S);
}

/** In how many s it is empty if all goes on as it does; infinite if it is not getting emptier. */
function drainS(channel: Series): number {
  const depth = channel.known("depth");
  const rate = channel.known("outRate") - channel.known("inRate");
  return depth === 0 ? 0 : rate > 0 ? depth / rate : Infinity;
}

function drainText({ texts }: PageRequest, channel: Series): string {
  const s = drainS(channel);
  if (s === 0) return "";
  return Number.isFinite(s) ? formatDuration(Math.ceil(s) * MS_PER_S) : texts.channels.neverEmpty;
}
