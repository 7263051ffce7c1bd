/**
 * The numbers that `/stats`, statsd and `/metrics` report, all from one snapshot (nsqd/stats.go). The keys, their order and
 * what is `null` and what is `[]` are NSQ's: these objects become JSON as they are. What NSQ does not tell comes after what it
 * does, is absent while it says nothing, and is kept under symbols where it is of no use in JSON. Numbers are read, nothing is
 * changed.
 *
 * @module
 */
import type { Clock } from "../../base/clock.ts";
import { inSlices, TimeSlice } from "../../base/time_slice.ts";
import type { FixedHistogram } from "../../base/fixed_histogram.ts";
import { NO_QUANTILES, type QuantileResult } from "../../base/quantile.ts";
import type { BackgroundWork, Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import type { Consumer } from "../../broker/consumer.ts";
import { Latency } from "../../broker/latency.ts";
import type { Topic } from "../../broker/topic.ts";

/** A TCP client, as far as statistics show it. */
export interface ClientSource {
  readonly clientId: string;
  readonly hostname: string;
  /** How it came, where that is not over TCP. @default {"V2"} */
  readonly version?: string;
  readonly userAgent: string;
  /** `host:port`. */
  readonly remoteAddress: string;
  /** NSQ's number of it: 0 initial, 1 disconnected, 2 connected, 3 subscribed, 4 closing. */
  readonly state: number;
  readonly readyCount: number;
  readonly inFlightCount: number;
  readonly messageCount: number;
  readonly finishCount: number;
  readonly requeueCount: number;
  /** When it connected, by the wall clock. */
  readonly connectTimeS: number;
  /** When it connected, in ms by the monotonic clock. */
  readonly connectedMs: number;
  readonly sampleRate: number;
  readonly topologyZone: string;
  readonly topologyRegion: string;
  /** Messages published, by topic; a client that has published is a producer. */
  readonly pubCounts: ReadonlyMap<string, number>;
  readonly snappy: boolean;
  readonly deflate: boolean;
  /** What was agreed on; absent while the connection is plain. */
  readonly tls: { readonly version: string; readonly cipherSuite: string } | undefined;
  /** What an auth server said of the client; absent before it has. */
  readonly auth: { readonly state: { readonly identity: string; readonly identityUrl: string } } | undefined;
}

/** What {@linkcode collectStats} reads. */
export interface StatsSource {
  readonly broker: { readonly topics: ReadonlyMap<string, Topic> };
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  sessions(): Iterable<ClientSource>;
  clientOf(consumer: Consumer): ClientSource;
}

/** Which part of the statistics is wanted; no names are no filter. */
export interface StatsFilter {
  readonly topics: ReadonlySet<string>;
  readonly channels: ReadonlySet<string>;
  readonly includeClients: boolean;
  /** Ephemeral topics and channels are left out. @default {false} */
  readonly excludeEphemeral?: boolean;
}

/** All there is but the clients, and of these their number. */
export const EVERYTHING: StatsFilter = { topics: new Set(), channels: new Set(), includeClients: false };

/** Key of what the text of `/stats` tells of a client and NSQ's JSON does not, which has no such keys. */
export const CONNECTED_FOR_MS = Symbol("connectedForMs");

/** Key of what only `/metrics` tells of a topic or channel. */
export const FIGURES = Symbol("figures");

/** One TCP client. Keys that are absent in JSON when they say nothing may be `undefined`. */
export interface ClientStats {
  readonly client_id: string;
  readonly hostname: string;
  readonly version: string;
  readonly remote_address: string;
  readonly state: number;
  readonly ready_count: number;
  readonly in_flight_count: number;
  readonly message_count: number;
  readonly finish_count: number;
  readonly requeue_count: number;
  readonly connect_ts: number;
  readonly sample_rate: number;
  readonly deflate: boolean;
  readonly snappy: boolean;
  readonly user_agent: string;
  readonly authed: boolean | undefined;
  readonly auth_identity: string | undefined;
  readonly auth_identity_url: string | undefined;
  readonly topology_zone: string;
  readonly topology_region: string;
  readonly pub_counts: readonly PubCount[] | undefined;
  readonly tls: boolean;
  readonly tls_cipher_suite: string;
  readonly tls_version: string;
  readonly tls_negotiated_protocol: string;
  readonly tls_negotiated_protocol_is_mutual: boolean;
  /** Since when `connect_ts` says, but not wrong when the clock was set meanwhile. */
  readonly [CONNECTED_FOR_MS]: number;
}

/** Messages that a client has published to a topic. */
export interface PubCount {
  readonly topic: string;
  readonly count: number;
}

/** One channel. */
export interface ChannelStats {
  readonly channel_name: string;
  readonly depth: number;
  readonly backend_depth: number;
  readonly in_flight_count: number;
  readonly deferred_count: number;
  readonly message_count: number;
  readonly zone_local_msg_count: number | undefined;
  readonly region_local_msg_count: number | undefined;
  readonly global_msg_count: number | undefined;
  readonly requeue_count: number;
  readonly timeout_count: number;
  readonly client_count: number;
  readonly clients: readonly ClientStats[] | null;
  readonly paused: boolean;
  readonly e2e_processing_latency: QuantileResult;
  /** Messages that consumers have finished. Not in NSQ, like all that follows. */
  readonly finish_count: number | undefined;
  /** Messages for which an ephemeral channel had no room. */
  readonly dropped_count: number | undefined;
  /** Age of the oldest message that is first in line, in whole seconds. */
  readonly oldest_message_age_seconds: number | undefined;
  readonly [FIGURES]: ChannelFigures;
}

/** What only `/metrics` tells of a channel. */
export interface ChannelFigures {
  /** Age of the oldest message that is first in line; 0 when none waits, undefined when that is not known. */
  readonly oldestAgeMs: number | undefined;
  /** Time from publishing to FIN of all messages, in s; undefined when nobody has asked for it. */
  readonly latency: FixedHistogram | undefined;
}

/** One topic. */
export interface TopicStats {
  readonly topic_name: string;
  readonly channels: readonly ChannelStats[];
  readonly depth: number;
  readonly backend_depth: number;
  readonly message_count: number;
  readonly message_bytes: number;
  readonly paused: boolean;
  readonly e2e_processing_latency: QuantileResult;
  /** Messages that had been acknowledged and are lost, as far as is known; absent while none are. Not in NSQ. */
  readonly lost_count: number | undefined;
  /** Messages for which an ephemeral topic had no room; absent while there are none. Not in NSQ. */
  readonly dropped_count: number | undefined;
  readonly [FIGURES]: TopicFigures;
}

/** What only `/metrics` tells of a topic. */
export interface TopicFigures {
  /** Bytes that were written to its files. */
  readonly writtenBytes: number;
}

/** All topics and producers that a filter lets through. */
export interface Stats {
  /** `null` when the topic asked for does not exist. */
  readonly topics: readonly TopicStats[] | null;
  /** `null` when there are none, or clients are not wanted. */
  readonly producers: readonly ClientStats[] | null;
}

/** Use of memory, under the names of Go's runtime. */
export interface MemoryStats {
  readonly heap_objects: number;
  readonly heap_idle_bytes: number;
  readonly heap_in_use_bytes: number;
  readonly heap_released_bytes: number;
  readonly gc_pause_usec_100: number;
  readonly gc_pause_usec_99: number;
  readonly gc_pause_usec_95: number;
  readonly next_gc_bytes: number;
  readonly gc_total_runs: number;
}

/**
 * The statistics at this time, topics and channels by name. With thousands of topics or clients that takes a while, in which
 * others are served.
 */
export async function collectStats(source: StatsSource, filter: StatsFilter): Promise<Stats> {
  const { clock } = source;
  const how: Collecting = {
    filter,
    wallMs: clock.nowMs(),
    monotonicMs: clock.monotonicMs(),
    slice: new TimeSlice(),
  };
  const wanted = chosen(source.broker.topics, filter.topics, filter);
  if (filter.topics.size > 0 && wanted.length === 0) return { topics: null, producers: null };

  const topics: TopicStats[] = [];
  for (const topic of wanted) {
    const channels = chosen(topic.channels, filter.channels, filter);
    // NSQ compat: a filter by channel leaves out the topics that have no such channel.
    if (filter.channels.size > 0 && channels.length === 0) continue;
    const stats: ChannelStats[] = [];
    for (const channel of channels) {
      // Nothing is awaited where nobody is listed: that would cost more than all the rest.
      const clients = filter.includeClients ? await clientsOf(source, channel, how) : null;
      stats.push(channelStats(channel, clients, how));
      if (how.slice.isOver) await how.slice.next();
    }
    topics.push(topicStats(topic, stats, how.monotonicMs));
    if (how.slice.isOver) await how.slice.next();
  }
  const producers = filter.includeClients ? await producerStats(source, how) : [];
  return { topics, producers: producers.length === 0 ? null : producers };
}

/** What goes on behind the answers; undefined when nothing does. Not in NSQ. */
export function backgroundStats(broker: Broker): BackgroundWork | undefined {
  const work = broker.backgroundWork;
  return work.tasks + work.segments > 0 ? work : undefined;
}

/** How statistics are collected. */
interface Collecting {
  readonly filter: StatsFilter;
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly slice: TimeSlice;
}

/** The use of memory at this time. What the runtime does not tell is 0: objects, pauses and runs of the collector. */
export function memoryStats(): MemoryStats {
  const { heapTotal, heapUsed, external } = Deno.memoryUsage();
  return {
    heap_objects: 0,
    heap_idle_bytes: Math.max(heapTotal - heapUsed, 0),
    // Messages are kept outside of the heap proper, in byte arrays.
    heap_in_use_bytes: heapUsed + external,
    heap_released_bytes: 0,
    gc_pause_usec_100: 0,
    gc_pause_usec_99: 0,
    gc_pause_usec_95: 0,
    next_gc_bytes: 0,
    gc_total_runs: 0,
  };
}

/** Those of these names, or all, by name. */
function chosen<T extends { readonly name: string; readonly ephemeral: boolean }>(
  items: ReadonlyMap<string, T>,
  names: ReadonlySet<string>,
  { excludeEphemeral = false }: StatsFilter,
): T[] {
  const known = names.size === 0 ? items.keys() : [...names].filter((name) => items.has(name));
  const list: T[] = [];
  // In the order of their characters' codes, as Go sorts strings.
  for (const name of [...known].sort()) {
    const item = items.get(name);
    if (item !== undefined && !(excludeEphemeral && item.ephemeral)) list.push(item);
  }
  return list;
}

function topicStats(topic: Topic, channels: readonly ChannelStats[], monotonicMs: number): TopicStats {
  const latencies = [...topic.channels.values()].flatMap(({ latency }) => latency ?? []);
  return {
    topic_name: topic.name,
    channels,
    depth: topic.depth,
    backend_depth: topic.backendDepth,
    message_count: topic.messageCount,
    message_bytes: topic.messageBytes,
    paused: topic.paused,
    e2e_processing_latency: Latency.mergedResult(latencies, monotonicMs),
    lost_count: topic.lostCount || undefined,
    dropped_count: topic.droppedCount || undefined,
    [FIGURES]: { writtenBytes: topic.log.writtenBytes },
  };
}

/** The clients of a channel, one by one. */
async function clientsOf(source: StatsSource, channel: Channel, how: Collecting): Promise<ClientStats[]> {
  const clients: ClientStats[] = [];
  await inSlices([...channel.consumers], (consumer) => {
    // It may have gone meanwhile.
    if (channel.consumers.has(consumer)) {
      clients.push(clientStats(source.clientOf(consumer), how.filter, how.monotonicMs));
    }
  }, how.slice);
  return clients;
}

/** The channel; its clients are counted, and not listed, where they are not given. */
function channelStats(
  channel: Channel,
  clients: ClientStats[] | null,
  { wallMs, monotonicMs }: Collecting,
): ChannelStats {
  const { oldestMs } = channel;
  // A clock that was set back makes negative ages.
  const age = oldestMs === undefined ? undefined : Math.max(wallMs - oldestMs, 0);
  const oldestAgeMs = channel.depth === 0 ? 0 : age;
  return {
    channel_name: channel.name,
    depth: channel.depth,
    backend_depth: channel.backendDepth,
    in_flight_count: channel.inFlightCount,
    deferred_count: channel.deferredCount,
    message_count: channel.messageCount,
    zone_local_msg_count: channel.zoneLocalMessageCount || undefined,
    region_local_msg_count: channel.regionLocalMessageCount || undefined,
    global_msg_count: channel.globalMessageCount || undefined,
    requeue_count: channel.requeueCount,
    timeout_count: channel.timeoutCount,
    client_count: channel.consumers.size,
    clients,
    paused: channel.paused,
    e2e_processing_latency: channel.latency?.result(monotonicMs) ?? NO_QUANTILES,
    finish_count: channel.finishCount || undefined,
    dropped_count: channel.droppedCount || undefined,
    oldest_message_age_seconds: Math.floor((oldestAgeMs ?? 0) / 1000) || undefined,
    [FIGURES]: { oldestAgeMs, latency: channel.latency?.histogram },
  };
}

async function producerStats(source: StatsSource, how: Collecting): Promise<ClientStats[]> {
  const { filter, monotonicMs, slice } = how;
  // NSQ compat: a filter by topic empties the counts of other topics' producers, but keeps them listed.
  const producers = [...source.sessions()].filter((client) => client.pubCounts.size > 0);
  const stats: ClientStats[] = [];
  await inSlices(producers, (client) => stats.push(clientStats(client, filter, monotonicMs)), slice);
  return stats;
}

function clientStats(client: ClientSource, filter: StatsFilter, monotonicMs: number): ClientStats {
  const counts = [...client.pubCounts]
    .filter(([topic]) => filter.topics.size === 0 || filter.topics.has(topic))
    .map(([topic, count]) => ({ topic, count }));
  return {
    client_id: client.clientId,
    hostname: client.hostname,
    version: client.version ?? "V2",
    remote_address: client.remoteAddress,
    state: client.state,
    ready_count: client.readyCount,
    in_flight_count: client.inFlightCount,
    message_count: client.messageCount,
    finish_count: client.finishCount,
    requeue_count: client.requeueCount,
    connect_ts: client.connectTimeS,
    sample_rate: client.sampleRate,
    deflate: client.deflate,
    snappy: client.snappy,
    user_agent: client.userAgent,
    authed: client.auth ? true : undefined,
    auth_identity: client.auth?.state.identity || undefined,
    auth_identity_url: client.auth?.state.identityUrl || undefined,
    topology_zone: client.topologyZone,
    topology_region: client.topologyRegion,
    pub_counts: counts.length === 0 ? undefined : counts,
    tls: client.tls !== undefined,
    tls_cipher_suite: client.tls?.cipherSuite ?? "",
    tls_version: client.tls?.version ?? "",
    tls_negotiated_protocol: "",
    tls_negotiated_protocol_is_mutual: false,
    [CONNECTED_FOR_MS]: monotonicMs - client.connectedMs,
  };
}
