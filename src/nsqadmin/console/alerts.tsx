/**
 * All alerts: those that fire, those that may come to, and the latest that are over.
 *
 * @module
 */

import type { Moment } from "../../base/clock.ts";
import type { Answer } from "../../http/answer.ts";
import { findingText, stateOf, subjectText } from "../alerts/alerts.ts";
import type { Alert } from "../alerts/found.ts";
import { AlertSubjectLink } from "./alert_strip.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import { ClusterNews, seen } from "./news.tsx";
import { EmptyRow, Table, TableControls, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { type Columns, tablePart, tableView } from "./table.ts";

/** An alert, and where it stands: there is one order, and it is no name's. */
interface Row {
  readonly place: number;
  readonly alert: Alert;
}

const COLUMNS: Columns<Row> = { name: ({ place }) => place };

/** A row in a file. */
const ALERT_FIELDS: Fields<Row> = {
  state: ({ alert }) => stateOf(alert),
  rule: ({ alert }) => alert.rule.text,
  kind: ({ alert }) => alert.rule.kind,
  topic: ({ alert }) => alert.subject.topic,
  channel: ({ alert }) => alert.subject.channel,
  node: ({ alert }) => alert.subject.node,
  value: ({ alert }) => alert.value,
  limit: ({ alert }) => alert.rule.limit,
  finding: ({ alert }) => findingText(alert),
  since: ({ alert }) => timeOf(alert.since),
  fired: ({ alert }) => timeOf(alert.fired),
  resolved: ({ alert }) => timeOf(alert.resolved),
};

function timeOf(moment: Moment | undefined): string | undefined {
  return moment && new Date(moment.wallMs).toISOString();
}

/** `GET /alerts` */
export async function alertsPage(request: PageRequest): Promise<Markup | Answer> {
  await seen(request);
  const { admin: { alerts }, texts, texts: { columns } } = request;
  const rows = [...alerts.firing, ...alerts.pending, ...alerts.resolved].map((alert, place) => ({
    place,
    alert,
  }));
  const view = tableView(request.query, COLUMNS);
  const nameOf = ({ alert }: Row) =>
    `${texts.alerts.states[stateOf(alert)]} ${subjectText(alert, texts.alerts.words)} ${alert.rule.text}`;
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf });
  const file = exported(request, { alerts: fileOf(part.found, ALERT_FIELDS) }, []);
  if (file) return await file;
  return (
    <Layout request={request} title={texts.pages.alerts} live>
      <h1>{texts.pages.alerts}</h1>
      <ClusterNews request={request} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={texts.alerts.count(part.countInAll)}
      />
      {alerts.leftOut > 0 && <p class="warning">{texts.alerts.leftOut(alerts.leftOut)}</p>}
      <Table caption={texts.alerts.caption}>
        <thead>
          <tr>
            <th scope="col">{columns.about}</th>
            <th scope="col">{columns.state}</th>
            <th scope="col">{columns.rule}</th>
            <th scope="col">{columns.found}</th>
            <th scope="col">{columns.since}</th>
            <th scope="col">{columns.until}</th>
          </tr>
        </thead>
        <tbody>
          {part.rows.map(({ alert }) => <AlertRow request={request} of={alert} />)}
          {part.rows.length === 0 && <EmptyRow columns={6}>{texts.common.none}</EmptyRow>}
        </tbody>
      </Table>
      <ExportLinks request={request} />
      <section>
        <h2>{texts.alerts.rules}</h2>
        <p>{texts.alerts.aboutRules((text) => <a href={request.paths.alertsApi}>{text}</a>)}</p>
        <ul>
          {alerts.rules.map(({ text }) => (
            <li>
              <code>{text}</code>
            </li>
          ))}
        </ul>
      </section>
    </Layout>
  );
}

function AlertRow({ request, of }: { readonly request: PageRequest; readonly of: Alert }): Markup {
  const { states, words } = request.texts.alerts;
  const state = stateOf(of);
  return (
    <tr>
      <th scope="row" class="name">
        <AlertSubjectLink request={request} of={of} />
      </th>
      <td>{state === "firing" ? <strong class="mark">{states[state]}</strong> : states[state]}</td>
      <td>
        <code>{of.rule.text}</code>
      </td>
      <td>{findingText(of, words)}</td>
      <td>
        <Time atMs={of.since.wallMs} />
      </td>
      <td>{of.resolved === undefined ? NOTHING : <Time atMs={of.resolved.wallMs} />}</td>
    </tr>
  );
}
