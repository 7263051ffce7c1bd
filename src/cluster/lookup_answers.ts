/**
 * What `/lookup`, `/topics`, `/channels` and `/nodes` answer (nsqlookupd/http.go), whoever serves them: the data, in
 * the form and order of NSQ's JSON. Reads no requests.
 *
 * @module
 */

import type { Producer, ProducerInfo } from "./producer.ts";
import { EVERY_TOPIC, type RegisteredTopic, type RegistrationDb } from "./registration_db.ts";

/** Now, and how long ago is too long. In ms. */
export interface LookupTimes {
  readonly monotonicMs: number;
  /** A producer that was heard of longer ago is not told of. */
  readonly inactiveProducerTimeoutMs: number;
  /** A producer that was marked less long ago as not having a topic any more is not told of as one of it. */
  readonly tombstoneLifetimeMs: number;
}

/** The answer of `/lookup`. */
export interface LookupAnswer {
  readonly channels: readonly string[];
  readonly producers: readonly ProducerInfo[];
}

/** The answer of `/topics`. */
export interface TopicsAnswer {
  readonly topics: readonly string[];
}

/** The answer of `/channels`. */
export interface ChannelsAnswer {
  readonly channels: readonly string[];
}

/** A producer in the answer of `/nodes`. */
export interface Node extends ProducerInfo {
  /** For each of the topics, whether the producer is marked as not having it any more. */
  readonly tombstones: readonly boolean[];
  readonly topics: readonly string[];
}

/** The answer of `/nodes`. */
export interface NodesAnswer {
  readonly producers: readonly Node[];
}

/** Channels and active producers of a topic, or undefined if it is not known. */
export function lookupAnswer(
  db: RegistrationDb,
  topic: string,
  times: LookupTimes,
): LookupAnswer | undefined {
  const topics = [...db.topics(topic)];
  if (topics.length === 0) return undefined;
  const producers = new Set<Producer>();
  for (const each of topics) {
    for (const producer of each.producers) {
      if (isActive(producer, times) && !isTombstoned(each, producer, times)) producers.add(producer);
    }
  }
  return {
    channels: topics.flatMap(({ channels }) => [...channels.keys()]),
    producers: [...producers].map(({ info }) => info),
  };
}

/** Every topic. */
export function topicsAnswer(db: RegistrationDb): TopicsAnswer {
  return { topics: Array.from(db.topics(EVERY_TOPIC), ({ name }) => name) };
}

/** Channels of a topic, whether it is known or not. */
export function channelsAnswer(db: RegistrationDb, topic: string): ChannelsAnswer {
  return { channels: [...db.topics(topic)].flatMap(({ channels }) => [...channels.keys()]) };
}

/** Active producers, each with its topics. */
export function nodesAnswer(db: RegistrationDb, times: LookupTimes): NodesAnswer {
  const nodes = new Map<Producer, ProducerInfo & { tombstones: boolean[]; topics: string[] }>();
  for (const producer of db.producers) {
    if (isActive(producer, times)) nodes.set(producer, { ...producer.info, tombstones: [], topics: [] });
  }
  // Topic by topic, so that the work is as much as what comes out.
  for (const topic of db.topics(EVERY_TOPIC)) {
    for (const producer of topic.producers) {
      const node = nodes.get(producer);
      if (node === undefined) continue;
      node.topics.push(topic.name);
      node.tombstones.push(isTombstoned(topic, producer, times));
    }
  }
  return { producers: [...nodes.values()] };
}

function isActive(
  { lastUpdate }: Producer,
  { monotonicMs, inactiveProducerTimeoutMs }: LookupTimes,
): boolean {
  return monotonicMs - lastUpdate.monotonicMs <= inactiveProducerTimeoutMs;
}

function isTombstoned(topic: RegisteredTopic, producer: Producer, times: LookupTimes): boolean {
  const since = topic.tombstones?.get(producer);
  return since !== undefined && times.monotonicMs - since.monotonicMs < times.tombstoneLifetimeMs;
}
