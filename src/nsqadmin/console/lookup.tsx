/**
 * Who tells of nodes, and topics that no node has any more.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import type { InactiveView } from "./cluster_views.ts";
import { exported, ExportLinks, type Fields, fileOf, wantsFile } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { CreateForm } from "./overview.tsx";
import { ChangeButton, Failures, Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { PAGE_ROWS } from "./table.ts";

const NONE: InactiveView = { topics: new Map(), failures: [], failed: false };

/** A topic that no node has, in a file. */
const FIELDS: Fields<readonly [topic: string, channels: readonly string[] | null]> = {
  topic: ([topic]) => topic,
  channels: ([, channels]) => (channels ?? []).join(" "),
};

/** `GET /lookup` */
export async function lookupPage(request: PageRequest): Promise<Markup | Answer> {
  const { isUpdate, admin: { cluster, views }, texts, texts: { lookup } } = request;
  const { registries } = cluster;
  const { topics, failures, failed } = registries === undefined
    ? NONE
    : await views.inactiveTopics({ isUpdate, waits: wantsFile(request) });
  const file = exported(request, { topics: fileOf([...topics], FIELDS) }, failures);
  if (file) return await file;
  return (
    <Layout request={request} title={texts.pages.lookup}>
      <h1>{texts.pages.lookup}</h1>
      <p>{lookup.cluster((text) => <a href={request.paths.cluster}>{text}</a>)}</p>
      <Failures request={request} of={failures} shown={texts.common.missingBelow} />
      {registries === undefined ? <p>{lookup.list}</p> : (
        <>
          <h2>{registries.kind === "nsqlookupd" ? lookup.lookupds : lookup.gossipers}</h2>
          <ul>
            {registries.addresses.map((address) => (
              <li>
                <code>{address}</code>
              </li>
            ))}
          </ul>
          <h2>{lookup.inactive}</h2>
          {topics.size === 0 ? <p>{failed ? texts.common.noAnswer : texts.common.none}</p> : (
            <>
              <InactiveTopics request={request} topics={topics} />
              <ExportLinks request={request} />
            </>
          )}
        </>
      )}
      {request.may("create") && <CreateForm request={request} />}
    </Layout>
  );
}

function InactiveTopics(
  { request, topics }: {
    readonly request: PageRequest;
    readonly topics: ReadonlyMap<string, readonly string[] | null>;
  },
): Markup {
  const { texts, texts: { columns } } = request;
  const rows = [...topics].slice(0, PAGE_ROWS);
  return (
    <>
      <Table caption={texts.lookup.caption}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.topic}</th>
            <th scope="col">{columns.channels}</th>
            {request.may("delete") && <th scope="col">{columns.actions}</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map(([topic, channels]) => (
            <tr>
              <th scope="row" class="name">
                <a href={request.paths.topic(topic)}>{topic}</a>
              </th>
              <td>
                {(channels ?? []).slice(0, PAGE_ROWS).map((channel) => (
                  <>
                    <a href={request.paths.channel(topic, channel)}>{channel}</a>
                    {" "}
                  </>
                ))}
              </td>
              {request.may("delete") && (
                <td>
                  <ChangeButton to={request.paths.topic(topic)} action="delete" danger>
                    {texts.actions.delete}
                  </ChangeButton>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      {topics.size > rows.length && <p>{texts.common.more(topics.size - rows.length)}</p>}
    </>
  );
}
