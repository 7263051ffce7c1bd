/**
 * What is sent to statsd for one snapshot: lines, and the packets that they go out in (internal/statsd, internal/writers).
 * Counters are differences from the snapshot before. Sends nothing.
 *
 * @module
 */
import type { ChannelStats, MemoryStats, Stats, TopicStats } from "./stats.ts";
import {
  CHANNEL_NUMBERS,
  MEMORY_NUMBERS,
  percentileNumbers,
  type StatsdNumber,
  TOPIC_NUMBERS,
} from "./statsd_names.ts";

/** A moment's numbers. */
export interface Snapshot {
  readonly stats: Stats;
  /** Absent when it is not to be sent. */
  readonly memory: MemoryStats | undefined;
}

/** NSQ compat: where the size of packets is no number of bytes, Go's default buffer is that large. */
const PACKET_SIZE_DEFAULT = 4096;

const ENCODER = new TextEncoder();

/** The lines, a few at a time, each with its end. NSQ compat: what was deleted and made again counts down. */
export function* statsdLines(prefix: string, now: Snapshot, before: Snapshot | undefined): Generator<string> {
  const topicsBefore = new Map<string, TopicStats>();
  for (const topic of before?.stats.topics ?? []) topicsBefore.set(topic.topic_name, topic);
  for (const topic of now.stats.topics ?? []) {
    yield* topicLines(`${prefix}topic.${topic.topic_name}.`, topic, topicsBefore.get(topic.topic_name));
  }
  if (now.memory) yield numberLines(`${prefix}mem.`, MEMORY_NUMBERS, now.memory, before?.memory);
}

/** The lines in packets of at most so many bytes; a line is in one packet, however long it is. */
export function* statsdPackets(lines: Iterable<string>, sizeBytes: number): Generator<Uint8Array> {
  const sizeMax = sizeBytes > 0 ? sizeBytes : PACKET_SIZE_DEFAULT;
  let packet = "";
  let packetSize = 0;
  for (const some of lines) {
    for (const line of some.split(/(?<=\n)/)) {
      const size = lengthOf(line);
      if (packet !== "" && packetSize + size > sizeMax) {
        yield ENCODER.encode(packet);
        packet = "";
        packetSize = 0;
      }
      packet += line;
      packetSize += size;
    }
  }
  if (packet !== "") yield ENCODER.encode(packet);
}

function* topicLines(prefix: string, topic: TopicStats, before: TopicStats | undefined): Generator<string> {
  const channelsBefore = new Map<string, ChannelStats>();
  for (const channel of before?.channels ?? []) channelsBefore.set(channel.channel_name, channel);
  yield numberLines(prefix, TOPIC_NUMBERS, topic, before) + latencyLines(prefix, topic);
  for (const channel of topic.channels) {
    const own = `${prefix}channel.${channel.channel_name}.`;
    yield numberLines(own, CHANNEL_NUMBERS, channel, channelsBefore.get(channel.channel_name)) +
      latencyLines(own, channel);
  }
}

function numberLines<Source>(
  prefix: string,
  numbers: readonly StatsdNumber<Source>[],
  now: Source,
  before: Source | undefined,
): string {
  let text = "";
  for (const { name, kind, value } of numbers) {
    const last = kind === "counter" && before !== undefined ? value(before) : 0;
    text += `${prefix}${name}:${value(now) - last}|${kind === "counter" ? "c" : "g"}\n`;
  }
  return text;
}

function latencyLines(
  prefix: string,
  { e2e_processing_latency: latency }: Pick<TopicStats, "e2e_processing_latency">,
): string {
  return percentileNumbers(latency).map(({ name, value }) => `${prefix}${name}:${value}|g\n`).join("");
}

function lengthOf(text: string): number {
  // Names of topics and channels are ASCII; a prefix may be anything.
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return ENCODER.encode(text).length;
  return text.length;
}
