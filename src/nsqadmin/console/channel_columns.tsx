/**
 * A channel's numbers as columns: of one channel on each node, and of each channel of a topic.
 *
 * @module
 */

import type { ChannelStats } from "../../cluster/topic_stats.ts";
import { rounded } from "./charts.tsx";
import type { Fields } from "./export.tsx";
import type { Markup } from "./markup.ts";
import type { Rates } from "./rates.ts";

/** What is shown of a channel, on a node or on all. */
export interface ChannelPart extends Rates {
  readonly stats: ChannelStats;
}

/** The name of each in a file, its head, and its cells. */
const COLUMNS:
  readonly (readonly [name: string, head: string, valueOf: (part: ChannelPart) => number | undefined])[] = [
    ["depth", "Depth", ({ stats }) => stats.depth],
    ["in_memory", "In memory", ({ stats }) => stats.memory_depth],
    ["on_disk", "On disk", ({ stats }) => stats.backend_depth],
    ["in_flight", "In flight", ({ stats }) => stats.in_flight_count],
    ["deferred", "Deferred", ({ stats }) => stats.deferred_count],
    ["in", "In/s", ({ inRate }) => inRate],
    ["out", "Out/s", ({ outRate }) => outRate],
    ["requeued", "Requeued", ({ stats }) => stats.requeue_count],
    ["timed_out", "Timed out", ({ stats }) => stats.timeout_count],
    ["messages", "Messages", ({ stats }) => stats.message_count],
    ["consumers", "Consumers", ({ stats }) => stats.client_count],
  ];

/** The same, in a file. */
export const CHANNEL_FIELDS: Fields<ChannelPart> = {
  ...Object.fromEntries(COLUMNS.map(([name, , valueOf]) => [name, valueOf])),
  paused: ({ stats }) => stats.paused,
};

/** The heads of the columns. */
export function ChannelHeads(): Markup {
  return <>{COLUMNS.map(([, head]) => <th scope="col" class="n">{head}</th>)}</>;
}

/** The numbers. */
export function ChannelCounts({ of: part }: { readonly of: ChannelPart }): Markup {
  const values = COLUMNS.map(([, , valueOf]) => valueOf(part));
  return <>{values.map((value) => <td class="n">{value !== undefined && rounded(value)}</td>)}</>;
}
