/**
 * A row for each topic of the cluster, out of what all nodes say.
 *
 * @module
 */

import { inSlices, TimeSlice } from "../../base/time_slice.ts";
import type { ChannelStats, TopicStats } from "../../cluster/topic_stats.ts";
import type { Columns } from "./table.ts";

/** A topic, over all nodes. */
export interface TopicRow {
  readonly name: string;
  /** Of the topic itself: what no channel has yet. */
  depth: number;
  /** Of the channel that has the most. */
  channelDepth: number;
  inFlight: number;
  deferred: number;
  requeued: number;
  timedOut: number;
  messages: number;
  consumers: number;
  nodes: number;
  channels: number;
  paused: boolean;
  /** There are messages, and a channel of them without consumers. */
  isLeft: boolean;
}

/** What the rows can be sorted by. */
export const TOPIC_COLUMNS: Columns<TopicRow> = {
  name: ({ name }) => name,
  depth: ({ depth }) => depth,
  "channel-depth": ({ channelDepth }) => channelDepth,
  "in-flight": ({ inFlight }) => inFlight,
  deferred: ({ deferred }) => deferred,
  requeued: ({ requeued }) => requeued,
  "timed-out": ({ timedOut }) => timedOut,
  messages: ({ messages }) => messages,
  consumers: ({ consumers }) => consumers,
  nodes: ({ nodes }) => nodes,
};

/** The rows, in no order. */
export async function topicRows(stats: readonly TopicStats[]): Promise<TopicRow[]> {
  const gathered = new Map<string, { readonly row: TopicRow; readonly channels: Map<string, Gathered> }>();
  await inSlices(stats, (topic) => {
    const name = topic.topic_name;
    const known = gathered.get(name) ?? { row: emptyRow(name), channels: new Map<string, Gathered>() };
    gathered.set(name, known);
    const { row, channels } = known;
    row.depth += topic.depth;
    row.messages += topic.message_count;
    row.nodes++;
    row.paused ||= topic.paused;
    for (const channel of topic.channels ?? []) {
      addChannel(row, channel);
      const { depth, consumers } = channels.get(channel.channel_name) ?? { depth: 0, consumers: 0 };
      channels.set(channel.channel_name, {
        depth: depth + channel.depth,
        consumers: consumers + channel.client_count,
      });
    }
  });
  const rows: TopicRow[] = [];
  await inSlices(gathered.values(), ({ row, channels }) => {
    row.channels = channels.size;
    for (const { depth, consumers } of channels.values()) {
      row.channelDepth = Math.max(row.channelDepth, depth);
      row.isLeft ||= depth > 0 && consumers === 0;
    }
    rows.push(row);
  }, new TimeSlice());
  return rows;
}

interface Gathered {
  readonly depth: number;
  readonly consumers: number;
}

function addChannel(row: TopicRow, channel: ChannelStats): void {
  row.inFlight += channel.in_flight_count;
  row.deferred += channel.deferred_count;
  row.requeued += channel.requeue_count;
  row.timedOut += channel.timeout_count;
  row.consumers += channel.client_count;
}

function emptyRow(name: string): TopicRow {
  return {
    name,
    depth: 0,
    channelDepth: 0,
    inFlight: 0,
    deferred: 0,
    requeued: 0,
    timedOut: 0,
    messages: 0,
    consumers: 0,
    nodes: 0,
    channels: 0,
    paused: false,
    isLeft: false,
  };
}
