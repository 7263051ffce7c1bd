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

const GONE_SHOWN_MAX = 20;
const LAST_SHOWN_MAX = 20;
/** What is said of what a node had last. */
const LAST_FIELDS = [
  ["depth", "waiting"],
  ["inFlight", "in flight"],
  ["deferred", "deferred"],
  ["consumers", "consumers"],
] as const satisfies (readonly [Field, string])[];
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
  const { poller } = request.admin;
  const { leftOut } = poller;
  const gone = poller.nodes.filter(({ gone }) => gone !== undefined);
  return (
    <>
      {isDetailed && (
        <Failures
          of={poller.failures}
          shown="What is known there only is missing below, or older than the rest."
          causes={request.paths.cluster}
          answeredMs={({ daemon }) => poller.node(daemon.address)?.answered?.wallMs}
        />
      )}
      {isDetailed && gone.length > 0 && <Gone request={request} nodes={gone} />}
      {leftOut > 0 && (
        <p class="warning">
          There are too many topics and channels: {whole(leftOut)}, counted at each node, are left out.
        </p>
      )}
    </>
  );
}

function Gone(
  { request, nodes }: { readonly request: PageRequest; readonly nodes: readonly WatchedNode[] },
): Markup {
  const listed = nodes.slice(0, GONE_SHOWN_MAX);
  return (
    <section class="warning">
      <h2>{nodes.length === 1 ? "One node is" : `${nodes.length} nodes are`} gone</h2>
      <p>
        Nobody tells of them any more; what they had is missing below. Those that are meant to be gone can be
        {" "}
        <a href={request.paths.cluster}>forgotten</a>.
      </p>
      <ul>
        {listed.map((node) => (
          <li>
            <a href={request.paths.node(node.address)}>{node.node.hostname}</a> <code>{node.address}</code>,
            {" "}
            {agoOf(request, node.gone?.monotonicMs)}, with {whole(node.numbers?.totals.waiting ?? 0)}{" "}
            messages waiting
          </li>
        ))}
        {nodes.length > listed.length && <li>and {nodes.length - listed.length} more</li>}
      </ul>
    </section>
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
  const listed = gone.slice(0, GONE_SHOWN_MAX);
  return (
    <section class="warning">
      <h2>{gone.length === 1 ? "One node that had it is" : `${gone.length} nodes that had it are`} gone</h2>
      <p>Nobody tells of them any more; what they had is missing below.</p>
      <ul>
        {listed.map(({ node, depth }) => (
          <li>
            <a href={request.paths.node(node.address)}>{node.node.hostname}</a> <code>{node.address}</code>,
            {" "}
            {agoOf(request, node.gone?.monotonicMs)}, where {whole(depth)} messages waited
          </li>
        ))}
        {gone.length > listed.length && <li>and {gone.length - listed.length} more</li>}
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
  const { poller } = request.admin;
  const known = failures.slice(0, LAST_SHOWN_MAX).flatMap(({ daemon }) => {
    const node = daemon.kind === "nsqd" ? poller.node(daemon.address) : undefined;
    const at = node?.numbers?.series.indexOf(series) ?? -1;
    if (node?.numbers === undefined || at < 0) return [];
    const { numbers } = node;
    return [{
      node,
      numbers: LAST_FIELDS.map(([field, words]) =>
        `${whole(field === "depth" ? numbers.waitingAt(at) : numbers.at(at, field))} ${words}`
      ),
    }];
  });
  if (known.length === 0) return NOTHING;
  return (
    <section class="warning">
      <h2>{known.length === 1 ? "One of them" : `${known.length} of them`} had it</h2>
      <ul>
        {known.map(({ node, numbers }) => (
          <li>
            <a href={request.paths.node(node.address)}>{node.node.hostname}</a>{" "}
            <code>{node.address}</code>, as it was {agoOf(request, node.answered?.monotonicMs)}:{" "}
            {numbers.join(", ")}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How many nodes count, of how many where that is not all. */
export function nodesText({ admin: { poller } }: PageRequest): string {
  const nodes = poller.nodes.filter(({ gone }) => gone === undefined);
  const counting = nodes.filter((node) => poller.counts(node)).length;
  const all = whole(nodes.length);
  return counting === nodes.length ? all : `${whole(counting)} of ${all}`;
}

/** On how many nodes something is; of how many where not all of them count. */
export function NodeCount(
  { of: { nodes, silentNodes } }: {
    readonly of: { readonly nodes: number; readonly silentNodes: number };
  },
): Markup {
  const text = whole(nodes);
  return <td class="n">{silentNodes === 0 ? text : `${text} of ${whole(nodes + silentNodes)}`}</td>;
}

/** How old numbers are that nobody says any more. */
export function Known(
  { request, ms }: { readonly request: PageRequest; readonly ms: number | undefined },
): Markup {
  return ms === undefined ? NOTHING : <span class="quiet">as it was {agoOf(request, ms)}</span>;
}

/** How long ago that was, in words; nothing if it never was. */
export function agoOf(
  { admin: { clock } }: PageRequest,
  monotonicMs: number | undefined,
): string | typeof NOTHING {
  if (monotonicMs === undefined) return NOTHING;
  const s = Math.max(0, Math.round((clock.monotonicMs() - monotonicMs) / MS_PER_S));
  return `${formatDuration(s * MS_PER_S)} ago`;
}
