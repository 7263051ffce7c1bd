/**
 * A channel's numbers as columns: of one channel on each node, and of each channel of a topic.
 *
 * @module
 */

import type { ChannelStats } from "../../cluster/topic_stats.ts";
import type { Fields } from "./export.tsx";
import { rounded } from "./figures.ts";
import type { Markup } from "./markup.ts";
import type { Rates } from "./rates.ts";
import type { PageRequest } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

/** What is shown of a channel, on a node or on all. */
export interface ChannelPart extends Rates {
  readonly stats: ChannelStats;
}

/** The name of each in a file, its head, and its cells. */
const COLUMNS: readonly (readonly [
  name: string,
  head: keyof Texts["columns"],
  valueOf: (part: ChannelPart) => number | undefined,
])[] = [
  ["depth", "depth", ({ stats }) => stats.depth],
  ["in_memory", "inMemory", ({ stats }) => stats.memory_depth],
  ["on_disk", "onDisk", ({ stats }) => stats.backend_depth],
  ["in_flight", "inFlight", ({ stats }) => stats.in_flight_count],
  ["deferred", "deferred", ({ stats }) => stats.deferred_count],
  ["in", "inRate", ({ inRate }) => inRate],
  ["out", "outRate", ({ outRate }) => outRate],
  ["requeued", "requeued", ({ stats }) => stats.requeue_count],
  ["timed_out", "timedOut", ({ stats }) => stats.timeout_count],
  ["messages", "messages", ({ stats }) => stats.message_count],
  ["consumers", "consumers", ({ stats }) => stats.client_count],
];

/** The same, in a file. */
export const CHANNEL_FIELDS: Fields<ChannelPart> = {
  ...Object.fromEntries(COLUMNS.map(([name, , valueOf]) => [name, valueOf])),
  paused: ({ stats }) => stats.paused,
};

/** The heads of the columns. */
export function ChannelHeads({ request: { texts } }: { readonly request: PageRequest }): Markup {
  return <>{COLUMNS.map(([, head]) => <th scope="col" class="n">{texts.columns[head]}</th>)}</>;
}

/** The numbers. */
export function ChannelCounts({ of: part }: { readonly of: ChannelPart }): Markup {
  const values = COLUMNS.map(([, , valueOf]) => valueOf(part));
  return <>{values.map((value) => <td class="n">{value !== undefined && rounded(value)}</td>)}</>;
}
