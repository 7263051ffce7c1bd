/**
 * The front page: every topic of the cluster with its numbers.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { BulkForm, Tick } from "./bulk_form.tsx";
import { rounded, Sparkline } from "./charts.tsx";
import { exported, ExportLinks, fileOf } from "./export.tsx";
import type { Series } from "../watch/series.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, seen } from "./news.tsx";
import { Count, EmptyRow, Facts, Paused, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { tablePart, tableView } from "./table.ts";
import { TOPIC_COLUMNS, TOPIC_FIELDS, type TopicRow, topicRows } from "./topic_rows.ts";

/** `GET /` and `GET /topics` */
export async function overviewPage(request: PageRequest): Promise<Markup | Answer> {
  const { poller, options } = request.admin;
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
  return (
    <Layout request={request} title="Topics" live>
      <h1>Topics</h1>
      <ClusterNews request={request} />
      <Totals request={request} rows={part.all} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "topic" : "topics"}
      />
      <BulkForm request={request} table="topics" />
      <Table caption="Topics, over all nodes">
        <thead>
          <tr>
            <SortHead {...head} column="name">Topic</SortHead>
            <SortHead {...head} column="depth">Depth</SortHead>
            <SortHead {...head} column="channel-depth">Deepest channel</SortHead>
            {options.history && <th scope="col">Waiting, 10 min</th>}
            <SortHead {...head} column="in">In/s</SortHead>
            <SortHead {...head} column="out">Out/s</SortHead>
            <SortHead {...head} column="in-flight">In flight</SortHead>
            <SortHead {...head} column="deferred">Deferred</SortHead>
            <SortHead {...head} column="requeued">Requeued</SortHead>
            <SortHead {...head} column="timed-out">Timed out</SortHead>
            <SortHead {...head} column="messages">Messages</SortHead>
            <SortHead {...head} column="consumers">Consumers</SortHead>
            <SortHead {...head} column="nodes">Nodes</SortHead>
          </tr>
        </thead>
        <tbody>
          {part.rows.map((row) => <Row request={request} row={row} />)}
          {part.rows.length === 0 && (
            <EmptyRow columns={13}>{poller.hasAnswers ? "There is none." : "Nobody has answered."}</EmptyRow>
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
export function CreateForm({ request }: { readonly request: PageRequest }): Markup {
  return (
    <section>
      <h2>Create</h2>
      <form method="post" action={request.paths.topics} class="controls">
        <label>
          Topic <input name="topic" required maxlength={64} autocomplete="off" />
        </label>
        <label>
          Channel (may be empty) <input name="channel" maxlength={64} autocomplete="off" />
        </label>
        <button type="submit" name="action" value="create" class="plain">Create</button>
      </form>
    </section>
  );
}

function Totals(
  { request, rows }: { readonly request: PageRequest; readonly rows: readonly TopicRow[] },
): Markup {
  const { poller } = request.admin;
  const { nodes } = poller;
  const total = (countOf: (row: TopicRow) => number) => rows.reduce((sum, row) => sum + countOf(row), 0);
  const all = nodes.filter(({ gone }) => gone === undefined).length;
  const counting = nodes.filter((node) => poller.counts(node)).length;
  const facts: readonly (readonly [string, string])[] = [
    ["nodes", counting === all ? whole(all) : `${whole(counting)} of ${whole(all)}`],
    ["topics", whole(rows.length)],
    ["waiting in topics", whole(total(({ depth }) => depth))],
    ["messages in a second", rounded(total(({ inRate }) => inRate))],
    ["finished in a second", rounded(total(({ outRate }) => outRate))],
    ["in flight", whole(total(({ inFlight }) => inFlight))],
    ["consumers", whole(total(({ consumers }) => consumers))],
  ];
  return <Facts of={facts} />;
}

function whole(value: number): string {
  return value.toLocaleString("en");
}

function Row({ request, row }: { readonly request: PageRequest; readonly row: TopicRow }): Markup {
  const { poller, options } = request.admin;
  return (
    <tr>
      <th scope="row" class="name">
        <Tick request={request} target={{ topic: row.name, channel: "" }} />
        <a href={request.paths.topic(row.name)}>{row.name}</a> <Paused is={row.paused} />{" "}
        {row.isLeft && <strong class="mark">no consumers</strong>}
      </th>
      <Count of={row.depth} />
      <Count of={row.channelDepth} />
      {options.history && <Sparkline history={poller.history} series={row.series} field="depth" />}
      <td class="n">{rounded(row.inRate)}</td>
      <td class="n">{rounded(row.outRate)}</td>
      <Count of={row.inFlight} />
      <Count of={row.deferred} />
      <Count of={row.requeued} />
      <Count of={row.timedOut} />
      <Count of={row.messages} />
      <Count of={row.consumers} />
      <Count of={row.nodes} />
    </tr>
  );
}
