/**
 * The redrives that go on, and the last that did.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import type { Redrive } from "../redrive/redrive.ts";
import { OVER_MAX } from "../redrive/redrives.ts";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ChangeButton, Count, EmptyRow, Table, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";

/** A row in a file. */
const REDRIVE_FIELDS: Fields<Redrive> = {
  id: ({ id }) => id,
  began: ({ beganMs }) => new Date(beganMs).toISOString(),
  ended: ({ endedMs }) => endedMs === undefined ? undefined : new Date(endedMs).toISOString(),
  user: ({ author }) => author.user,
  topic: ({ order }) => order.topic,
  channel: ({ order }) => order.channel,
  to: ({ order }) => order.to,
  rate: ({ order }) => order.rate,
  redriven: ({ redriven }) => redriven,
  count: ({ count }) => count,
  put_back: ({ failed }) => failed,
  state: ({ state }) => state,
  problem: ({ problem }) => problem,
};

/** `GET /redrives` */
export async function redrivesPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { redrives }, texts, texts: { columns } } = request;
  const all = redrives.newestFirst;
  const file = exported(request, { redrives: fileOf(all, REDRIVE_FIELDS) }, []);
  if (file) return await file;
  return (
    <Layout request={request} title={texts.pages.redrives} live>
      <h1>{texts.pages.redrives}</h1>
      <p>{texts.redrives.about(OVER_MAX)}</p>
      <Table caption={texts.redrives.caption}>
        <thead>
          <tr>
            <th scope="col">{columns.began}</th>
            <th scope="col">{columns.who}</th>
            <th scope="col" class="name">{columns.from}</th>
            <th scope="col" class="name">{columns.to}</th>
            <th scope="col" class="n">{columns.redriven}</th>
            <th scope="col" class="n">{columns.of}</th>
            <th scope="col" class="n">{columns.putBack}</th>
            <th scope="col">{columns.state}</th>
            {request.may("redrive") && <th scope="col">{columns.actions}</th>}
          </tr>
        </thead>
        <tbody>
          {all.map((redrive) => <Row request={request} of={redrive} />)}
          {all.length === 0 && (
            <EmptyRow columns={request.may("redrive") ? 9 : 8}>{texts.common.none}</EmptyRow>
          )}
        </tbody>
      </Table>
      <ExportLinks request={request} />
    </Layout>
  );
}

function Row({ request, of }: { readonly request: PageRequest; readonly of: Redrive }): Markup {
  const { redrives: texts, redrives: { words }, common } = request.texts;
  const { order: { topic, channel, to, rate }, state } = of;
  const problem = of.problemIn(words);
  return (
    <tr>
      <td>
        <Time atMs={of.beganMs} />
      </td>
      <td>{of.author.user ?? <span class="quiet">{common.notKnown}</span>}</td>
      <th scope="row" class="name">
        <a href={request.paths.channel(topic, channel)}>{`${topic} / ${channel}`}</a>
      </th>
      <td class="name">
        <a href={request.paths.topic(to)}>{to}</a>
      </td>
      <Count of={of.redriven} />
      <Count of={of.count} />
      <Count of={of.failed} />
      <td>
        {state === "failed" || state === "revoked"
          ? <strong class="mark">{words.states[state]}</strong>
          : state === "running"
          ? texts.running(rate)
          : words.states[state]}
        {problem !== undefined && `: ${problem}`}
      </td>
      {request.may("redrive") && (
        <td>
          {state === "running" && (
            <ChangeButton to={request.paths.redrives} action="cancel-redrive" fields={{ id: of.id }}>
              {texts.cancel}
            </ChangeButton>
          )}
        </td>
      )}
    </tr>
  );
}
