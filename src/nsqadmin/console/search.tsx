/**
 * Finding topics, channels, nodes and pages by parts of their names, among what the poller knows: a page, and as JSON what the
 * palette of the script shows (browser/palette.ts).
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import type { Answer } from "../../http/answer.ts";
import { BestMatches } from "./best_matches.ts";
import { exported, type Fields, fileOf } from "./export.tsx";
import { Layout, pageLinks } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, seen } from "./news.tsx";
import { EmptyRow, Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";

/** Results that are shown. */
export const RESULTS_MAX = 50;
/** The longest query, in characters; what is beyond is not looked at. */
export const QUERY_LENGTH_MAX = 200;

/** Something that has a page. */
interface Place {
  readonly kind: "page" | "topic" | "channel" | "node";
  readonly name: string;
  /** Where it is; made of few of very many. */
  readonly path: () => string;
}

const FIELDS: Fields<Place> = {
  kind: ({ kind }) => kind,
  name: ({ name }) => name,
  path: ({ path }) => path(),
};

/** `GET /search` */
export async function searchPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts, texts: { search } } = request;
  await seen(request);
  const query = (request.query.get("q") ?? "").slice(0, QUERY_LENGTH_MAX);
  const matches = new BestMatches<Place>(query, RESULTS_MAX);
  await inSlices(placesOf(request), (place) => matches.offer(place.name, place));
  const { best, count } = matches;
  const file = exported(request, { results: fileOf(best, FIELDS) }, poller.failures);
  if (file) return await file;
  return (
    <Layout request={request} title={texts.pages.search}>
      <h1>{texts.pages.search}</h1>
      <ClusterNews request={request} />
      <form method="get" class="controls" role="search">
        <label>
          {search.label} <input type="search" name="q" value={query} autocomplete="off" autofocus />
        </label>
        <button type="submit" class="plain">{search.button}</button>
        <span>{best.length < count ? search.firstFound(best.length, count) : search.found(count)}</span>
      </form>
      <Table caption={search.caption}>
        <thead>
          <tr>
            <th scope="col" class="name">{texts.columns.name}</th>
            <th scope="col">{texts.columns.kind}</th>
          </tr>
        </thead>
        <tbody>
          {best.map(({ kind, name, path }) => (
            <tr>
              <th scope="row" class="name">
                <a href={path()}>{name}</a>
              </th>
              <td>{texts.script.kinds[kind]}</td>
            </tr>
          ))}
          {best.length === 0 && <EmptyRow columns={2}>{texts.common.none}</EmptyRow>}
        </tbody>
      </Table>
    </Layout>
  );
}

function* placesOf(request: PageRequest): Generator<Place> {
  const { paths, admin: { poller } } = request;
  for (const { name, path } of pageLinks(request)) yield { kind: "page", name, path: () => path };
  for (const topic of poller.topics) {
    if (topic.nodes > 0) yield { kind: "topic", name: topic.name, path: () => paths.topic(topic.name) };
    for (const { name, nodes } of topic.channels.values()) {
      const path = () => paths.channel(topic.name, name);
      if (nodes > 0) yield { kind: "channel", name: `${topic.name}/${name}`, path };
    }
  }
  for (const { address, node } of poller.nodes) {
    yield { kind: "node", name: `${node.hostname} ${address}`, path: () => paths.node(address) };
  }
}
