/**
 * The front page: every topic of the cluster with its numbers.
 *
 * @module
 */

import { Asking } from "./asking.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Count, Failures, Paused, SortHead, Table, TableControls } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { tablePart, tableView } from "./table.ts";
import { TOPIC_COLUMNS, type TopicRow, TopicRows } from "./topic_rows.ts";

/** `GET /` and `GET /topics` */
export async function overviewPage(request: PageRequest): Promise<Markup> {
  const { cluster } = request.admin;
  const asking = new Asking();
  const nodes = await asking.ask(cluster.nodes(), []);
  const topics = new TopicRows();
  if (nodes.length > 0) await asking.ask(cluster.eachTopic(nodes, (topic) => topics.add(topic)), []);
  const rows = await topics.rows();
  const view = tableView(request.query, TOPIC_COLUMNS);
  const part = tablePart(rows, view, { columns: TOPIC_COLUMNS, nameOf: ({ name }) => name });
  const head = { request, view };
  return (
    <Layout request={request} title="Topics">
      <h1>Topics</h1>
      <Failures of={asking.failures} shown="What is known there only is missing in the numbers below." />
      <Totals rows={rows} nodes={nodes.length} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "topic" : "topics"}
      />
      <Table caption="Topics, over all nodes">
        <thead>
          <tr>
            <SortHead {...head} column="name">Topic</SortHead>
            <SortHead {...head} column="depth">Depth</SortHead>
            <SortHead {...head} column="channel-depth">Deepest channel</SortHead>
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
            <tr>
              <td colspan={10}>{asking.failed ? "Nobody has answered." : "There is none."}</td>
            </tr>
          )}
        </tbody>
      </Table>
      {request.mayChange && <CreateForm request={request} />}
    </Layout>
  );
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

function Totals({ rows, nodes }: { readonly rows: readonly TopicRow[]; readonly nodes: number }): Markup {
  const total = (countOf: (row: TopicRow) => number) => rows.reduce((sum, row) => sum + countOf(row), 0);
  const facts: readonly (readonly [string, number])[] = [
    ["nodes", nodes],
    ["topics", rows.length],
    ["waiting in topics", total(({ depth }) => depth)],
    ["in flight", total(({ inFlight }) => inFlight)],
    ["consumers", total(({ consumers }) => consumers)],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value.toLocaleString("en")}</dd>
        </div>
      ))}
    </dl>
  );
}

function Row({ request, row }: { readonly request: PageRequest; readonly row: TopicRow }): Markup {
  const path = request.paths.topic(row.name);
  return (
    <tr>
      <th scope="row" class="name">
        <a href={path}>{row.name}</a> <Paused is={row.paused} />{" "}
        {row.isLeft && <strong class="mark">no consumers</strong>}
      </th>
      <Count of={row.depth} />
      <Count of={row.channelDepth} />
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
