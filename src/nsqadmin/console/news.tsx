/**
 * What whoever looks at numbers of the whole cluster must know of them: how old they are, and what is missing.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { inSlices } from "../../base/time_slice.ts";
import type { Failure } from "../../cluster/asked.ts";
import type { Field, Series } from "../watch/series.ts";
import type { WatchedNode } from "../watch/watched_node.ts";
import { whole } from "./figures.ts";
import { type Markup, NOTHING } from "./markup.ts";
import { Failures } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

const GONE_SHOWN_MAX = 20;
const LAST_SHOWN_MAX = 20;
/** What is said of what a node had last. */
const LAST_FIELDS = [
  ["depth", "waiting"],
  ["inFlight", "inFlight"],
  ["deferred", "deferred"],
  ["consumers", "consumers"],
] as const satisfies (readonly [Field, keyof Texts["news"]["last"]])[];
const MS_PER_S = 1000;

/** Settles when there is something to be seen: after a change, what has become of it. */
export async function seen({ admin: { poller }, query }: PageRequest): Promise<void> {
  if (query.has("done")) await poller.refresh();
  await poller.look();
}

/** See above. Not detailed, where who does not answer and who is gone stands on the page itself. */
export function ClusterNews(
  { request, isDetailed = true }: { readonly request: PageRequest; readonly isDetailed?: boolean },
): Markup {
  const { admin: { poller }, texts: { news } } = request;
  const { leftOut } = poller;
  const gone = poller.nodes.filter(({ gone }) => gone !== undefined);
  return (
    <>
      {isDetailed && (
        <Failures
          request={request}
          of={poller.failures}
          shown={news.older}
          causes={request.paths.cluster}
          answeredMs={({ daemon }) => poller.node(daemon.address)?.answered?.wallMs}
        />
      )}
      {isDetailed && gone.length > 0 && <Gone request={request} nodes={gone} />}
      {leftOut > 0 && <p class="warning">{news.leftOut(leftOut)}</p>}
    </>
  );
}

function Gone(
  { request, nodes }: { readonly request: PageRequest; readonly nodes: readonly WatchedNode[] },
): Markup {
  const { texts: { news, common }, paths } = request;
  const listed = nodes.slice(0, GONE_SHOWN_MAX);
  return (
    <section class="warning">
      <h2>{news.gone(nodes.length)}</h2>
      <p>{news.goneMeans((text) => <a href={paths.cluster}>{text}</a>)}</p>
      <ul>
        {listed.map((node) => (
          <li>
            {news.goneNode(
              <NodeName request={request} of={node} />,
              agoOf(request, node.gone?.monotonicMs),
              node.numbers?.totals.waiting ?? 0,
            )}
          </li>
        ))}
        {nodes.length > listed.length && <li>{common.more(nodes.length - listed.length)}</li>}
      </ul>
    </section>
  );
}

function NodeName(
  { request, of: { address, node } }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  return (
    <>
      <a href={request.paths.node(address)}>{node.hostname}</a> <code>{address}</code>
    </>
  );
}

/** A node that is gone, and what waited there of a topic with its channels, or of a channel. */
export interface GoneNode {
  readonly node: WatchedNode;
  readonly depth: number;
}

/** Which nodes that are gone had a topic or channel. */
export async function goneWith(
  { admin: { poller } }: PageRequest,
  series: Series | undefined,
): Promise<readonly GoneNode[]> {
  if (series === undefined) return [];
  const gone: GoneNode[] = [];
  await inSlices(poller.nodes, (node) => {
    const { gone: goneSince, numbers } = node;
    const at = goneSince === undefined ? -1 : numbers?.series.indexOf(series) ?? -1;
    if (at >= 0) gone.push({ node, depth: numbers?.waitingAt(at) ?? 0 });
  });
  return gone;
}

/** Says so. */
export function GoneWith(
  { request, of: gone }: { readonly request: PageRequest; readonly of: readonly GoneNode[] },
): Markup {
  if (gone.length === 0) return NOTHING;
  const { news, common } = request.texts;
  const listed = gone.slice(0, GONE_SHOWN_MAX);
  return (
    <section class="warning">
      <h2>{news.goneWith(gone.length)}</h2>
      <p>{news.goneWithMeans}</p>
      <ul>
        {listed.map(({ node, depth }) => (
          <li>
            {news.goneNodeWith(
              <NodeName request={request} of={node} />,
              agoOf(request, node.gone?.monotonicMs),
              depth,
            )}
          </li>
        ))}
        {gone.length > listed.length && <li>{common.more(gone.length - listed.length)}</li>}
      </ul>
    </section>
  );
}

/** What nodes that have not answered now had last of a topic or channel, as far as they were asked before. */
export function LastKnown(
  { request, series, failures }: {
    readonly request: PageRequest;
    readonly series: Series | undefined;
    readonly failures: readonly Failure[];
  },
): Markup {
  if (series === undefined) return NOTHING;
  const { admin: { poller }, texts: { news } } = request;
  const known = failures.slice(0, LAST_SHOWN_MAX).flatMap(({ daemon }) => {
    const node = daemon.kind === "nsqd" ? poller.node(daemon.address) : undefined;
    const at = node?.numbers?.series.indexOf(series) ?? -1;
    if (node?.numbers === undefined || at < 0) return [];
    const { numbers } = node;
    return [{
      node,
      numbers: LAST_FIELDS.map(([field, text]) =>
        news.last[text](field === "depth" ? numbers.waitingAt(at) : numbers.at(at, field))
      ),
    }];
  });
  if (known.length === 0) return NOTHING;
  return (
    <section class="warning">
      <h2>{news.lastKnown(known.length)}</h2>
      <ul>
        {known.map(({ node, numbers }) => (
          <li>
            {news.lastKnownOf(
              <NodeName request={request} of={node} />,
              agoOf(request, node.answered?.monotonicMs),
              numbers.join(", "),
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How many nodes count, of how many where that is not all. */
export function nodesText({ admin: { poller }, texts: { common } }: PageRequest): string {
  const nodes = poller.nodes.filter(({ gone }) => gone === undefined);
  const counting = nodes.filter((node) => poller.counts(node)).length;
  const all = whole(nodes.length);
  return counting === nodes.length ? all : common.outOf(whole(counting), all);
}

/** On how many nodes something is; of how many where not all of them count. */
export function NodeCount(
  { request: { texts: { common } }, of: { nodes, silentNodes } }: {
    readonly request: PageRequest;
    readonly of: { readonly nodes: number; readonly silentNodes: number };
  },
): Markup {
  const text = whole(nodes);
  return <td class="n">{silentNodes === 0 ? text : common.outOf(text, whole(nodes + silentNodes))}</td>;
}

/** How old numbers are that nobody says any more. */
export function Known(
  { request, ms }: { readonly request: PageRequest; readonly ms: number | undefined },
): Markup {
  return ms === undefined
    ? NOTHING
    : <span class="quiet">{request.texts.common.asItWas(agoOf(request, ms))}</span>;
}

/** How long ago that was, in words; nothing if it never was. */
export function agoOf(
  { admin: { clock }, texts: { common } }: PageRequest,
  monotonicMs: number | undefined,
): string | typeof NOTHING {
  if (monotonicMs === undefined) return NOTHING;
  const s = Math.max(0, Math.round((clock.monotonicMs() - monotonicMs) / MS_PER_S));
  return common.ago(formatDuration(s * MS_PER_S));
}
