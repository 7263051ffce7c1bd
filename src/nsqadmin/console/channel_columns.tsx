/**
 * A channel's numbers as columns: of one channel on each node, and of each channel of a topic.
 *
 * @module
 */

import type { ChannelStats } from "../../cluster/topic_stats.ts";
import type { Fields } from "./export.tsx";
import type { Markup } from "./markup.ts";
import { Count } from "./parts.tsx";

const COLUMNS: readonly (readonly [head: string, valueOf: (channel: ChannelStats) => number])[] = [
  ["Depth", ({ depth }) => depth],
  ["In memory", ({ memory_depth }) => memory_depth],
  ["On disk", ({ backend_depth }) => backend_depth],
  ["In flight", ({ in_flight_count }) => in_flight_count],
  ["Deferred", ({ deferred_count }) => deferred_count],
  ["Requeued", ({ requeue_count }) => requeue_count],
  ["Timed out", ({ timeout_count }) => timeout_count],
  ["Messages", ({ message_count }) => message_count],
  ["Consumers", ({ client_count }) => client_count],
];

/** The same, in a file. */
export const CHANNEL_FIELDS: Fields<ChannelStats> = {
  ...Object.fromEntries(
    COLUMNS.map(([head, valueOf]) => [head.toLowerCase().replaceAll(" ", "_"), valueOf] as const),
  ),
  paused: ({ paused }) => paused,
};

/** The heads of the columns. */
export function ChannelHeads(): Markup {
  return <>{COLUMNS.map(([head]) => <th scope="col" class="n">{head}</th>)}</>;
}

/** The numbers. */
export function ChannelCounts({ of: channel }: { readonly of: ChannelStats }): Markup {
  return <>{COLUMNS.map(([, valueOf]) => <Count of={valueOf(channel)} />)}</>;
}
