/**
 * The front page: every topic of the cluster with its numbers.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { BulkForm, Tick } from "./bulk_form.tsx";
import { Sparkline } from "./charts.tsx";
import { type Column, ColumnHeads, columnsShown } from "./columns.tsx";
import { exported, ExportLinks, fileOf } from "./export.tsx";
import type { Series } from "../watch/series.ts";
import { rounded, whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, Known, NodeCount, nodesText, seen } from "./news.tsx";
import { Count, EmptyRow, Facts, Paused, Percent, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { tablePart, tableView } from "./table.ts";
import { TOPIC_COLUMNS, TOPIC_FIELDS, type TopicRow, topicRows } from "./topic_rows.ts";

/** The columns, but for the first. */
export const TOPIC_TABLE: readonly Column<TopicRow>[] = [
  { name: "depth", head: "depth", cell: ({ depth }) => <Count of={depth} /> },
  {
    name: "channel-depth",
    head: "deepestChannel",
    cell: (row, request) => <DeepestChannel request={request} of={row} />,
  },
  {
    name: "line",
    head: "waitingLately",
    isSortable: false,
    isThere: ({ admin }) => admin.options.history,
    cell: ({ series }, { admin }) => (
      <Sparkline history={admin.poller.history} series={series} field="depth" />
    ),
  },
  { name: "in", head: "inRate", cell: ({ inRate }) => <td class="n">{rounded(inRate)}</td> },
  { name: "out", head: "outRate", cell: ({ outRate }) => <td class="n">{rounded(outRate)}</td> },
  { name: "in-flight", head: "inFlight", cell: ({ inFlight }) => <Count of={inFlight} /> },
  { name: "deferred", head: "deferred", cell: ({ deferred }) => <Count of={deferred} /> },
  { name: "requeued", head: "requeued", cell: ({ requeued }) => <Count of={requeued} /> },
  { name: "requeued-percent", head: "requeuedPercent", cell: (row) => <Percent of={row.requeuedPercent} /> },
  { name: "timed-out", head: "timedOut", cell: ({ timedOut }) => <Count of={timedOut} /> },
  { name: "messages", head: "messages", cell: ({ messages }) => <Count of={messages} /> },
  { name: "consumers", head: "consumers", cell: ({ consumers }) => <Count of={consumers} /> },
  { name: "nodes", head: "nodes", cell: (row, request) => <NodeCount request={request} of={row} /> },
];

/** `GET /` and `GET /topics` */
export async function overviewPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts } = request;
  await seen(request);
  const view = tableView(request.query, TOPIC_COLUMNS);
  const part = await tablePart(topicRows(poller.topics), view, {
    columns: TOPIC_COLUMNS,
    nameOf: ({ name }) => name,
  });
  const tables = { topics: fileOf(part.found, TOPIC_FIELDS) };
  const file = exported(request, tables, poller.failures);
  if (file) return await file;
  const head = { request, view };
  const columns = columnsShown(request, "topics", TOPIC_TABLE);
  return (
    <Layout request={request} title={texts.pages.topics} live>
      <h1>{texts.pages.topics}</h1>
      <ClusterNews request={request} />
      <Totals request={request} rows={part.all} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.topics.count(part.countInAll)}
      />
      <BulkForm request={request} table="topics" />
      <Table caption={texts.topics.caption}>
        <thead>
          <tr>
            <SortHead {...head} column="name">{texts.columns.topic}</SortHead>
            <ColumnHeads {...head} columns={columns} />
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} columns={columns} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={1 + columns.length}>
              {poller.hasAnswers ? texts.common.none : texts.common.noAnswer}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
      {request.may("create") && <CreateForm request={request} />}
    </Layout>
  );
}

/** The topics that the filter of such a query lets through, in its order. */
export async function topicsFound(
  { admin: { poller } }: PageRequest,
  query: ReadonlyMap<string, string>,
): Promise<readonly Series[]> {
  const view = tableView(query, TOPIC_COLUMNS);
  const { found } = await tablePart(topicRows(poller.topics), view, {
    columns: TOPIC_COLUMNS,
    nameOf: ({ name }) => name,
  });
  return found.map(({ series }) => series);
}

/** A form that makes a topic, or a channel. */
export function CreateForm(
  { request: { paths, texts: { create } } }: { readonly request: PageRequest },
): Markup {
  return (
    <section>
      <h2>{create.title}</h2>
      <form method="post" action={paths.topics} class="controls">
        <label>
          {create.topic} <input name="topic" required maxlength={64} autocomplete="off" />
        </label>
        <label>
          {create.channel} <input name="channel" maxlength={64} autocomplete="off" />
        </label>
        <button type="submit" name="action" value="create" class="plain">{create.button}</button>
      </form>
    </section>
  );
}

/** What waits in the deepest channel of a topic, and which that is. */
export function DeepestChannel(
  { request, of: { name, channelDepth, deepestChannel } }: {
    readonly request: PageRequest;
    readonly of: TopicRow;
  },
): Markup {
  return (
    <td class="n">
      {whole(channelDepth)}
      {deepestChannel !== undefined && (
        <>
          {" "}
          <a href={request.paths.channel(name, deepestChannel)}>{deepestChannel}</a>
        </>
      )}
    </td>
  );
}

function Totals(
  { request, rows }: { readonly request: PageRequest; readonly rows: readonly TopicRow[] },
): Markup {
  const current = rows.filter(({ nodes }) => nodes > 0);
  const total = (countOf: (row: TopicRow) => number) => current.reduce((sum, row) => sum + countOf(row), 0);
  const { facts } = request.texts;
  const shown: readonly (readonly [string, string])[] = [
    [facts.nodes, nodesText(request)],
    [facts.topics, whole(rows.length)],
    [facts.waitingInTopics, whole(total(({ depth }) => depth))],
    [facts.waitingInChannels, whole(total(({ channelsDepth }) => channelsDepth))],
    [facts.inRate, rounded(total(({ inRate }) => inRate))],
    [facts.outRate, rounded(total(({ outRate }) => outRate))],
    [facts.inFlight, whole(total(({ inFlight }) => inFlight))],
    [facts.consumers, whole(total(({ consumers }) => consumers))],
  ];
  return <Facts of={shown} />;
}

function Row(
  { request, row, columns }: {
    readonly request: PageRequest;
    readonly row: TopicRow;
    readonly columns: readonly Column<TopicRow>[];
  },
): Markup {
  return (
    <tr class={row.knownMs === undefined ? undefined : "old"}>
      <th scope="row" class="name">
        <Tick request={request} target={{ topic: row.name, channel: "" }} />
        <a href={request.paths.topic(row.name)}>{row.name}</a> <Paused request={request} is={row.paused} />
        {" "}
        {row.isLeft && <strong class="mark">{request.texts.common.noConsumers}</strong>}{" "}
        <Known request={request} ms={row.knownMs} />
      </th>
      {columns.map(({ cell }) => cell(row, request))}
    </tr>
  );
}
