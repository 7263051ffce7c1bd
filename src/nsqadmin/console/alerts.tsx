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
  const { alerts } = request.admin;
  const rows = [...alerts.firing, ...alerts.pending, ...alerts.resolved].map((alert, place) => ({
    place,
    alert,
  }));
  const view = tableView(request.query, COLUMNS);
  const nameOf = ({ alert }: Row) => `${stateOf(alert)} ${subjectText(alert)} ${alert.rule.text}`;
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf });
  const file = exported(request, { alerts: fileOf(part.found, ALERT_FIELDS) }, []);
  if (file) return await file;
  return (
    <Layout request={request} title="Alerts" live>
      <h1>Alerts</h1>
      <ClusterNews request={request} />
      <TableControls
        request={request}
        view={view}
        part={part}
        what={part.countInAll === 1 ? "alert" : "alerts"}
      />
      {alerts.leftOut > 0 && (
        <p class="warning">
          There are {alerts.leftOut.toLocaleString("en")} more, for which there is no room.
        </p>
      )}
      <Table caption="Alerts">
        <thead>
          <tr>
            <th scope="col">About</th>
            <th scope="col">State</th>
            <th scope="col">Rule</th>
            <th scope="col">Found</th>
            <th scope="col">Since</th>
            <th scope="col">Until</th>
          </tr>
        </thead>
        <tbody>
          {part.rows.map(({ alert }) => <AlertRow request={request} of={alert} />)}
          {part.rows.length === 0 && <EmptyRow columns={6}>There is none.</EmptyRow>}
        </tbody>
      </Table>
      <ExportLinks request={request} />
      <section>
        <h2>Rules</h2>
        <p>
          Those of --alert and, unless --alert-defaults=false, three of nsqadmin's own. The alerts are also
          there as <a href={request.paths.alertsApi}>JSON</a>.
        </p>
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
  const state = stateOf(of);
  return (
    <tr>
      <th scope="row" class="name">
        <AlertSubjectLink request={request} of={of} />
      </th>
      <td>{state === "firing" ? <strong class="mark">{state}</strong> : state}</td>
      <td>
        <code>{of.rule.text}</code>
      </td>
      <td>{findingText(of)}</td>
      <td>
        <Time atMs={of.since.wallMs} />
      </td>
      <td>{of.resolved === undefined ? NOTHING : <Time atMs={of.resolved.wallMs} />}</td>
    </tr>
  );
}
