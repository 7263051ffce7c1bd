/**
 * Who tells of nodes, and topics that no node has any more.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { Asking } from "./asking.ts";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { CreateForm } from "./overview.tsx";
import { ChangeButton, Failures, Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { PAGE_ROWS } from "./table.ts";

const NONE: ReadonlyMap<string, readonly string[] | null> = new Map();

/** A topic that no node has, in a file. */
const FIELDS: Fields<readonly [topic: string, channels: readonly string[] | null]> = {
  topic: ([topic]) => topic,
  channels: ([, channels]) => (channels ?? []).join(" "),
};

/** `GET /lookup` */
export async function lookupPage(request: PageRequest): Promise<Markup | Answer> {
  const { cluster, views } = request.admin;
  const { registries } = cluster;
  const asking = new Asking();
  const inactive = registries === undefined ? NONE : await asking.ask(views.inactiveTopics(), NONE);
  const file = exported(request, { topics: fileOf([...inactive], FIELDS) }, asking.failures);
  if (file) return await file;
  return (
    <Layout request={request} title="Lookup">
      <h1>Lookup</h1>
      <p>
        How those answer who tell of nodes is on <a href={request.paths.cluster}>the page of the cluster</a>.
      </p>
      <Failures of={asking.failures} shown="What is known there only is missing below." />
      {registries === undefined ? <p>Nobody tells of nodes: there is a list of them.</p> : (
        <>
          <h2>{registries.kind === "nsqlookupd" ? "nsqlookupds" : "nsqds with gossip"}</h2>
          <ul>
            {registries.addresses.map((address) => (
              <li>
                <code>{address}</code>
              </li>
            ))}
          </ul>
          <h2>Topics that no node has</h2>
          {inactive.size === 0 ? <p>{asking.failed ? "Nobody has answered." : "There is none."}</p> : (
            <>
              <InactiveTopics request={request} topics={inactive} />
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
  const rows = [...topics].slice(0, PAGE_ROWS);
  return (
    <>
      <Table caption="Names that are still known, and may be deleted">
        <thead>
          <tr>
            <th scope="col" class="name">Topic</th>
            <th scope="col">Channels</th>
            {request.may("delete") && <th scope="col">Actions</th>}
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
                  <ChangeButton to={request.paths.topic(topic)} action="delete" danger>Delete…</ChangeButton>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      {topics.size > rows.length && <p>and {(topics.size - rows.length).toLocaleString("en")} more</p>}
    </>
  );
}
