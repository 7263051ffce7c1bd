/**
 * What nsqds say of their channels, put together over nodes, and how it changes from one look to the next. Pure.
 *
 * @module
 */

/** Numbers of a channel that add up over nodes. */
const SUMMED = [
  "depth",
  "backend_depth",
  "in_flight_count",
  "deferred_count",
  "requeue_count",
  "timeout_count",
  "message_count",
  "client_count",
] as const;

type Counts = Readonly<Record<typeof SUMMED[number], number>>;

/** A channel on one node. */
export interface ChannelStats extends Counts {
  readonly node: string;
  readonly topic: string;
  readonly channel: string;
  readonly paused: boolean;
  /** From publishing to FIN: by quantile, in ns. */
  readonly latencies: ReadonlyMap<number, number>;
}

/** A channel over all nodes, in one row of a report. */
export interface ChannelRow extends Counts {
  readonly topic: string;
  readonly channel: string;
  /** Nodes that have it. */
  readonly nodes: number;
  /** On one of them at least. */
  readonly paused: boolean;
  /** Messages a second that came, and that went. */
  readonly ingress: number;
  readonly egress: number;
  /** By quantile the largest of the nodes, in ns: quantiles cannot be put together. */
  readonly latencies: ReadonlyMap<number, number>;
}

/** One look at all nodes. */
export interface Look {
  readonly channels: readonly ChannelStats[];
  /** By a clock that does not jump, in ms. */
  readonly atMs: number;
}

/**
 * The channels in an answer of `/stats?format=json`.
 *
 * @throws {Error} If it is none.
 */
export function channelsIn(node: string, answer: unknown): ChannelStats[] {
  const topics = fieldOf(answer, "topics");
  if (!Array.isArray(topics)) throw new Error(`${node}: the answer holds no statistics`);
  return topics.flatMap((topic) => {
    const channels = fieldOf(topic, "channels");
    return (Array.isArray(channels) ? channels : []).map((channel) => ({
      ...countsOf((name) => numberOf(fieldOf(channel, name))),
      node,
      topic: String(fieldOf(topic, "topic_name")),
      channel: String(fieldOf(channel, "channel_name")),
      paused: fieldOf(channel, "paused") === true,
      latencies: latenciesOf(channel),
    }));
  });
}

/** The rows of a report: each channel once, by topic and channel. */
export function rowsOf(look: Look, before: Look | undefined): ChannelRow[] {
  const earlier = new Map((before?.channels ?? []).map((channel) => [keyOf(channel, channel.node), channel]));
  const seconds = before ? (look.atMs - before.atMs) / 1000 : 0;
  const rows = new Map<string, ChannelStats[]>();
  for (const channel of look.channels) {
    const row = rows.get(keyOf(channel));
    if (row) row.push(channel);
    else rows.set(keyOf(channel), [channel]);
  }
  return [...rows.values()].map((channels) => {
    let came = 0;
    let went = 0;
    for (const channel of channels) {
      const last = earlier.get(keyOf(channel, channel.node));
      if (last === undefined) continue;
      // A node that was started again counts from 0.
      const since = channel.message_count >= last.message_count ? last : { message_count: 0, depth: 0 };
      const arrived = channel.message_count - since.message_count;
      came += arrived;
      went += arrived - (channel.depth - since.depth);
    }
    const latencies = new Map<number, number>();
    for (const [quantile, ns] of channels.flatMap((channel) => [...channel.latencies])) {
      latencies.set(quantile, Math.max(ns, latencies.get(quantile) ?? 0));
    }
    return {
      ...countsOf((name) => channels.reduce((sum, channel) => sum + channel[name], 0)),
      topic: channels[0].topic,
      channel: channels[0].channel,
      nodes: channels.length,
      paused: channels.some(({ paused }) => paused),
      ingress: seconds > 0 ? came / seconds : 0,
      egress: seconds > 0 ? went / seconds : 0,
      latencies,
    };
  }).sort((a, b) => compare(a.topic, b.topic) || compare(a.channel, b.channel));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Names hold no line ends. */
function keyOf({ topic, channel }: { readonly topic: string; readonly channel: string }, node = ""): string {
  return `${topic}\n${channel}\n${node}`;
}

function countsOf(count: (name: typeof SUMMED[number]) => number): Counts {
  return Object.fromEntries(SUMMED.map((name) => [name, count(name)])) as Counts;
}

function latenciesOf(channel: unknown): Map<number, number> {
  const percentiles = fieldOf(fieldOf(channel, "e2e_processing_latency"), "percentiles");
  return new Map((Array.isArray(percentiles) ? percentiles : []).map((percentile) => [
    numberOf(fieldOf(percentile, "quantile")),
    numberOf(fieldOf(percentile, "value")),
  ]));
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
