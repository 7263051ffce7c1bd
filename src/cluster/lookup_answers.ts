/**
 * What `/lookup`, `/topics`, `/channels` and `/nodes` answer (nsqlookupd/http.go), whoever serves them: the data, in
 * the form and order of NSQ's JSON. Reads no requests. With a million names an answer takes a while, in which others are
 * served.
 *
 * @module
 */

import { inSlices, TimeSlice } from "../base/time_slice.ts";
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
export async function lookupAnswer(
  db: RegistrationDb,
  topic: string,
  times: LookupTimes,
): Promise<LookupAnswer | undefined> {
  const producers = new Set<Producer>();
  const channels: string[] = [];
  const slice = new TimeSlice();
  let isKnown = false;
  for (const each of db.topics(topic)) {
    isKnown = true;
    for (const producer of each.producers) {
      if (isActive(producer, times) && !isTombstoned(each, producer, times)) producers.add(producer);
    }
    await inSlices(each.channels.keys(), (channel) => channels.push(channel), slice);
  }
  return isKnown ? { channels, producers: Array.from(producers, ({ info }) => info) } : undefined;
}

/** Every topic. */
export async function topicsAnswer(db: RegistrationDb): Promise<TopicsAnswer> {
  const topics: string[] = [];
  await inSlices(db.topics(EVERY_TOPIC), ({ name }) => topics.push(name));
  return { topics };
}

/** Channels of a topic, whether it is known or not. */
export async function channelsAnswer(db: RegistrationDb, topic: string): Promise<ChannelsAnswer> {
  const channels: string[] = [];
  const slice = new TimeSlice();
  for (const each of db.topics(topic)) {
    await inSlices(each.channels.keys(), (name) => channels.push(name), slice);
  }
  return { channels };
}

/** Active producers, each with its topics. */
export async function nodesAnswer(db: RegistrationDb, times: LookupTimes): Promise<NodesAnswer> {
  const nodes = new Map<Producer, ProducerInfo & { tombstones: boolean[]; topics: string[] }>();
  for (const producer of db.producers) {
    if (isActive(producer, times)) nodes.set(producer, { ...producer.info, tombstones: [], topics: [] });
  }
  // Topic by topic, so that the work is as much as what comes out.
  await inSlices(db.topics(EVERY_TOPIC), (topic) => {
    for (const producer of topic.producers) {
      const node = nodes.get(producer);
      if (node === undefined) continue;
      node.topics.push(topic.name);
      node.tombstones.push(isTombstoned(topic, producer, times));
    }
  });
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
