/**
 * What people have done lately, and what they were refused.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { ACTIVITIES_MAX, type Activity, textOf } from "../activity.ts";
import { activityFile } from "../api/activity.ts";
import { exported } from "./export.tsx";
import { Layout } from "./layout.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import { EmptyRow, Table, TableControls, Time } from "./parts.tsx";
import { type PageRequest, queryWith } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

/** Daemons that are named in a row; the API names more. */
const RESULTS_SHOWN_MAX = 5;

/** There is one order, and it is no name's: the newest first. */
const COLUMNS: Columns<Activity> = { name: ({ number }) => -number };

/** `GET /activity` */
export async function activityPage(request: PageRequest): Promise<Markup | Answer> {
  const view = tableView(request.query, COLUMNS);
  const part = await tablePart(request.admin.activity.newestFirst, view, {
    columns: COLUMNS,
    nameOf: textOf,
  });
  const file = exported(request, { activity: activityFile(part.found) }, []);
  if (file) return await file;
  const query = queryWith(new Map([["filter", view.filter]]), view.filter === "" ? { filter: "" } : {});
  return Promise.resolve(
    <Layout request={request} title="Activity" live>
      <h1>Activity</h1>
      <p>
        What people have changed here since this nsqadmin was started, and what they were refused: the last
        {" "}
        {ACTIVITIES_MAX}. Also as <a href={request.paths.activityApi + query}>JSON</a> and{" "}
        <a href={`${request.paths.activityApi}.csv${query}`}>CSV</a>. Messages that were published again are
        on <a href={request.paths.redrives}>Redrives</a>.
      </p>
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "activity" : "activities"}
      />
      <Table caption="Activity, the newest first">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">From</th>
            <th scope="col">What</th>
            <th scope="col">Outcome</th>
            <th scope="col">By whom</th>
          </tr>
        </thead>
        <tbody>
          {part.rows.map((each) => <Row request={request} of={each} />)}
          {part.rows.length === 0 && <EmptyRow columns={6}>There is none.</EmptyRow>}
        </tbody>
      </Table>
    </Layout>,
  );
}

function Row({ request, of }: { readonly request: PageRequest; readonly of: Activity }): Markup {
  return (
    <tr>
      <td>
        <Time atMs={of.atMs} />
      </td>
      <td>{of.user ?? <span class="quiet">not known</span>}</td>
      <td>
        {of.address} <span class="quiet">{of.userAgent}</span>
      </td>
      <th scope="row" class="name">
        {of.action} <SubjectLink request={request} of={of} />
      </th>
      <td>{of.outcome === "done" ? "done" : <strong class="mark">{of.outcome}</strong>} ({of.status})</td>
      <td>
        <Results of={of} />
      </td>
    </tr>
  );
}

function SubjectLink({ request, of }: { readonly request: PageRequest; readonly of: Activity }): Markup {
  const { topic, channel, node, message, client, to, detail } = of;
  return (
    <>
      {topic !== undefined && <a href={request.paths.topic(topic)}>{topic}</a>}
      {topic !== undefined && channel !== undefined && (
        <>
          {" / "}
          <a href={request.paths.channel(topic, channel)}>{channel}</a>
        </>
      )}
      {message !== undefined && ` message ${message}`}
      {client !== undefined && ` client ${client}`}
      {to !== undefined && ` to ${to}`}
      {node !== undefined && ` on ${node}`}
      {detail !== undefined && `: ${detail}`}
    </>
  );
}

function Results({ of: { results, resultsLeftOut } }: { readonly of: Activity }): Markup {
  if (results.length === 0) return NOTHING;
  const listed = results.slice(0, RESULTS_SHOWN_MAX);
  const others = results.length - listed.length + resultsLeftOut;
  return (
    <ul>
      {listed.map(({ daemon, reason }) => (
        <li>
          <code>{daemon}</code>
          {reason !== undefined && `: ${reason}`}
        </li>
      ))}
      {others > 0 && <li>and {others} more</li>}
    </ul>
  );
}
