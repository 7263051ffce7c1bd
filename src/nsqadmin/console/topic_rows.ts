/**
 * A row for each topic, of the cluster or of a node, out of what the poller knows.
 *
 * @module
 */

import type { NodeNumbers } from "../watch/node_numbers.ts";
import { type Field, requeuedPercent, type Series } from "../watch/series.ts";
import type { Fields } from "./export.tsx";
import type { Columns } from "./table.ts";

/** A topic. */
export interface TopicRow {
  readonly name: string;
  readonly series: Series;
  /** Of the topic itself: what no channel has yet. */
  readonly depth: number;
  /** Of the channel that has the most. */
  readonly channelDepth: number;
  /** Of all its channels: a message is there once for each. */
  readonly channelsDepth: number;
  /** Name of the deepest channel, if there is anything in it. */
  readonly deepestChannel: string | undefined;
  readonly inFlight: number;
  readonly deferred: number;
  readonly requeued: number;
  readonly requeuedPercent: number;
  readonly timedOut: number;
  readonly messages: number;
  readonly inRate: number;
  readonly outRate: number;
  readonly consumers: number;
  readonly nodes: number;
  /** Nodes that have it, and whose numbers are too old to count. */
  readonly silentNodes: number;
  /** When it was last known, where nobody says any more; see series.ts. */
  readonly knownMs: number | undefined;
  readonly paused: boolean;
  /** There are messages, and a channel of them without consumers. */
  readonly isLeft: boolean;
}

/** What the rows can be sorted by. */
export const TOPIC_COLUMNS: Columns<TopicRow> = {
  name: ({ name }) => name,
  depth: ({ depth }) => depth,
  "channel-depth": ({ channelDepth }) => channelDepth,
  "in-flight": ({ inFlight }) => inFlight,
  deferred: ({ deferred }) => deferred,
  requeued: ({ requeued }) => requeued,
  "requeued-percent": ({ requeuedPercent }) => requeuedPercent,
  "timed-out": ({ timedOut }) => timedOut,
  messages: ({ messages }) => messages,
  in: ({ inRate }) => inRate,
  out: ({ outRate }) => outRate,
  consumers: ({ consumers }) => consumers,
  nodes: ({ nodes }) => nodes,
};

/** A row in a file. */
export const TOPIC_FIELDS: Fields<TopicRow> = {
  ...TOPIC_COLUMNS,
  "deepest-channel": ({ deepestChannel }) => deepestChannel,
  "silent-nodes": ({ silentNodes }) => silentNodes,
  paused: ({ paused }) => paused,
};

/** The topics that nodes have that count, over all of these nodes; and as they were last known, those of nodes that do not. */
export function* topicRows(topics: Iterable<Series>): Generator<TopicRow> {
  for (const topic of topics) {
    const { nodes, silentNodes, knownMs } = topic;
    if (nodes === 0 && knownMs === undefined) continue;
    const channels = Array.from(topic.channels.values(), (channel) => ({
      name: channel.name,
      of: (field: Field) => channel.known(field),
    }));
    yield rowOf(topic, { of: (field) => topic.known(field), channels, nodes, silentNodes, knownMs });
  }
}

/** The topics of one node. */
export function* nodeTopicRows(numbers: NodeNumbers): Generator<TopicRow> {
  for (let i = 0; i < numbers.series.length;) {
    const topic = i++;
    const channels: ChannelOfRow[] = [];
    for (; numbers.series[i]?.topic !== undefined; i++) {
      const channel = i;
      channels.push({ name: numbers.series[channel].name, of: (field) => numbers.at(channel, field) });
    }
    yield rowOf(numbers.series[topic], { of: (field) => numbers.at(topic, field), channels, nodes: 1 });
  }
}

/** A channel of a topic. */
interface ChannelOfRow {
  readonly name: string;
  readonly of: (field: Field) => number;
}

function rowOf(
  series: Series,
  { of, channels, nodes, silentNodes = 0, knownMs }: {
    readonly of: (field: Field) => number;
    readonly channels: readonly ChannelOfRow[];
    readonly nodes: number;
    readonly silentNodes?: number;
    readonly knownMs?: number | undefined;
  },
): TopicRow {
  let [channelDepth, deepestChannel]: [number, string | undefined] = [0, undefined];
  let channelsDepth = 0;
  for (const channel of channels) {
    const depth = channel.of("depth");
    channelsDepth += depth;
    if (depth > channelDepth) [channelDepth, deepestChannel] = [depth, channel.name];
  }
  return {
    name: series.name,
    series,
    depth: of("depth"),
    channelDepth,
    channelsDepth,
    deepestChannel,
    inFlight: of("inFlight"),
    deferred: of("deferred"),
    requeued: of("requeued"),
    requeuedPercent: requeuedPercent(of),
    timedOut: of("timedOut"),
    messages: of("messages"),
    inRate: of("inRate"),
    outRate: of("outRate"),
    consumers: of("consumers"),
    nodes,
    silentNodes,
    knownMs,
    paused: of("paused") > 0,
    isLeft: channels.some((channel) => channel.of("depth") > 0 && channel.of("consumers") === 0),
  };
}
