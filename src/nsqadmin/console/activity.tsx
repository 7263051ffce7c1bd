/**
 * What people have done lately, and what they were refused.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { ACTIVITIES_MAX, type Activity, detailOf, textOf } from "../activity.ts";
import { activityFile } from "../api/activity.ts";
import { exported } from "./export.tsx";
import { Layout } from "./layout.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import { EmptyRow, Table, TableControls, Time } from "./parts.tsx";
import { type PageRequest, queryWith } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";
import type { Texts } from "./texts/texts.ts";

/** Daemons that are named in a row; the API names more. */
const RESULTS_SHOWN_MAX = 5;

/** There is one order, and it is no name's: the newest first. */
const COLUMNS: Columns<Activity> = { name: ({ number }) => -number };

/** `GET /activity` */
export async function activityPage(request: PageRequest): Promise<Markup | Answer> {
  const { texts, texts: { columns } } = request;
  const view = tableView(request.query, COLUMNS);
  const part = await tablePart(request.admin.activity.newestFirst, view, {
    columns: COLUMNS,
    nameOf: (each) => `${textOf(each)} ${actionText(texts, each)} ${texts.activity.outcomes[each.outcome]}`,
  });
  const file = exported(request, { activity: activityFile(part.found) }, []);
  if (file) return await file;
  const query = queryWith(new Map([["filter", view.filter]]), view.filter === "" ? { filter: "" } : {});
  return Promise.resolve(
    <Layout request={request} title={texts.pages.activity} live>
      <h1>{texts.pages.activity}</h1>
      <p>
        {texts.activity.about(ACTIVITIES_MAX, {
          json: (text) => <a href={request.paths.activityApi + query}>{text}</a>,
          csv: (text) => <a href={`${request.paths.activityApi}.csv${query}`}>{text}</a>,
          redrives: <a href={request.paths.redrives}>{texts.pages.redrives}</a>,
        })}
      </p>
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.activity.count(part.countInAll)}
      />
      <Table caption={texts.activity.caption}>
        <thead>
          <tr>
            <th scope="col">{columns.when}</th>
            <th scope="col">{columns.who}</th>
            <th scope="col">{columns.from}</th>
            <th scope="col">{columns.what}</th>
            <th scope="col">{columns.outcome}</th>
            <th scope="col">{columns.byWhom}</th>
          </tr>
        </thead>
        <tbody>
          {part.rows.map((each) => <Row request={request} of={each} />)}
          {part.rows.length === 0 && <EmptyRow columns={6}>{texts.common.none}</EmptyRow>}
        </tbody>
      </Table>
    </Layout>,
  );
}

function Row({ request, of }: { readonly request: PageRequest; readonly of: Activity }): Markup {
  const { activity: { outcomes }, common } = request.texts;
  return (
    <tr>
      <td>
        <Time atMs={of.atMs} />
      </td>
      <td>{of.user ?? <span class="quiet">{common.notKnown}</span>}</td>
      <td>
        {of.address} <span class="quiet">{of.userAgent}</span>
      </td>
      <th scope="row" class="name">
        {actionText(request.texts, of)} <SubjectLink request={request} of={of} />
      </th>
      <td>
        {of.outcome === "done" ? outcomes.done : <strong class="mark">{outcomes[of.outcome]}</strong>}{" "}
        ({of.status})
      </td>
      <td>
        <Results request={request} of={of} />
      </td>
    </tr>
  );
}

function actionText({ activity }: Texts, { action }: Activity): string {
  const actions: Readonly<Record<string, string>> = activity.actions;
  return Object.hasOwn(actions, action) ? actions[action] : action;
}

function SubjectLink({ request, of }: { readonly request: PageRequest; readonly of: Activity }): Markup {
  const { activity, bulk, redrives } = request.texts;
  const { topic, channel, node, message, client, to } = of;
  const detail = detailOf(of, { redrive: redrives.words, bulk: bulk.words });
  return (
    <>
      {topic !== undefined && <a href={request.paths.topic(topic)}>{topic}</a>}
      {topic !== undefined && channel !== undefined && (
        <>
          {" / "}
          <a href={request.paths.channel(topic, channel)}>{channel}</a>
        </>
      )}
      {message !== undefined && ` ${activity.message(message)}`}
      {client !== undefined && ` ${activity.client(client)}`}
      {to !== undefined && ` ${activity.to(to)}`}
      {node !== undefined && ` ${activity.onNode(node)}`}
      {detail !== undefined && `: ${detail}`}
    </>
  );
}

function Results(
  { request: { texts }, of: { results, resultsLeftOut } }: {
    readonly request: PageRequest;
    readonly of: Activity;
  },
): Markup {
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
      {others > 0 && <li>{texts.common.more(others)}</li>}
    </ul>
  );
}
