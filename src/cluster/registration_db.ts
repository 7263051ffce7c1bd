/**
 * Which producers there are, and which topics and channels they have (nsqlookupd/registration_db.go). Pure: no I/O,
 * and time is an argument: a moment is compared by the monotonic clock, and shown by the other.
 *
 * ```
 *  producers, oldest first
 *  topic ──▶ its producers, oldest first; which of them are tombstoned, and when
 *    └─ channel ──▶ its producers, oldest first
 * ```
 *
 * NSQ has one flat map and searches all of it to find what belongs to a topic or to a producer, which makes its
 * answers quadratic. Here a topic knows its channels, and who has it is a list of references: eight bytes for each
 * producer of each topic and channel, of which there may be millions.
 *
 * | | cost |
 * | --- | --- |
 * | register, unregister | log of the producers of that name |
 * | removeProducer | topics, up to the last one that it has |
 *
 * A name stays when its last producer has gone, unless it is ephemeral; but it makes room when there are as many names as
 * there may be. Which those are is counted for each topic, and found without looking at more than a few others.
 *
 * @module
 */

import type { Moment } from "../base/clock.ts";
import { checkChannelName, checkTopicName, isEphemeral } from "../protocol/names.ts";
import { has, insert, Producer, type ProducerInfo, remove } from "./producer.ts";

/** In place of a topic's name: every topic. */
export const EVERY_TOPIC = "*";

/** What a producer can be registered for, under NSQ's names: being there, a topic, or a channel. */
export interface Registration {
  readonly category: "client" | "topic" | "channel";
  /** The topic, or "". */
  readonly key: string;
  /** The channel, or "". */
  readonly subKey: string;
}

/** The registration that every producer has. */
export const CLIENT_REGISTRATION: Registration = { category: "client", key: "", subKey: "" };

/** There are as many topics and channels as there may be, or as one producer may have. */
export class RegistrationsFullError extends Error {
  override readonly name = "RegistrationsFullError";
}

/** How many topics and channels there may be together; 0 is no limit. */
export interface RegistrationLimits {
  readonly countMax: number;
  /** The same for those of one producer. */
  readonly producerCountMax: number;
}

/** Channels that are looked at for such as no producer has, for the sake of one name. */
const SWEEP_MAX = 1000;

/** A topic, with its producers and channels. */
export interface RegisteredTopic {
  readonly name: string;
  /** The oldest first. */
  readonly producers: readonly Producer[];
  /** Producers of each channel, the oldest first; they are producers of the topic, too. */
  readonly channels: ReadonlyMap<string, readonly Producer[]>;
  /** When producers were marked as not having the topic any more; absent while none is. */
  readonly tombstones: ReadonlyMap<Producer, Moment> | undefined;
}

/** The database. */
export class RegistrationDb {
  #topics = new Map<string, TopicEntry>();
  readonly #producers: Producer[] = [];
  readonly #limits: RegistrationLimits;
  /** Topics without producers, which have no channel with any, and those with such channels: the oldest of each first. */
  readonly #deserted = new Set<TopicEntry>();
  readonly #partlyDeserted = new Set<TopicEntry>();
  #serial = 0;
  #count = 0;

  constructor(limits: Partial<RegistrationLimits> = {}) {
    this.#limits = { countMax: 0, producerCountMax: 0, ...limits };
  }

  /** Topics and channels together. */
  get count(): number {
    return this.#count;
  }

  /** Topics alone. */
  get topicCount(): number {
    return this.#topics.size;
  }

  /** Every producer, the oldest first. */
  get producers(): readonly Producer[] {
    return this.#producers;
  }

  /** The topics that a name means: one, none, or every one (NSQ compat: `*`). */
  topics(name: string): Iterable<RegisteredTopic> {
    return this.#matching(name);
  }

  /** Adds a producer. */
  addProducer(id: string, info: ProducerInfo, now: Moment): Producer {
    const producer = new Producer({ id, info, now, serial: this.#serial++ });
    this.#producers.push(producer);
    return producer;
  }

  /** Removes a producer and all of its registrations, which are the result. */
  removeProducer(producer: Producer): Registration[] {
    return [...this.removingProducer(producer)].filter((removed) => removed !== undefined);
  }

  /**
   * The same, step by step; others may be served between two steps. The producer counts as not heard of for ever from the first
   * on, so nobody is told of it.
   */
  *removingProducer(producer: Producer): Generator<Registration | undefined> {
    producer.lastUpdate = { ...producer.lastUpdate, monotonicMs: -Infinity };
    for (const topic of this.#topics.values()) {
      if (producer.registrationCount === 0) break;
      yield;
      yield* this.#leave(topic, producer);
    }
    if (remove(this.#producers, producer)) yield CLIENT_REGISTRATION;
  }

  /**
   * Registers a producer for a topic, and for a channel of it if one is named.
   *
   * @returns What is new, in the order of NSQ's log.
   * @throws {RegistrationsFullError} If there is no room for the names; nothing has been added then.
   */
  register(producer: Producer, topicName: string, channelName?: string): Registration[] {
    this.#checkCountOf(producer, topicName, channelName);
    const topic = this.#makeTopic(topicName, channelName);
    const added: Registration[] = [];
    if (channelName !== undefined && topic.joinChannel(channelName, producer)) {
      producer.registrationCount++;
      added.push({ category: "channel", key: topicName, subKey: channelName });
    }
    if (insert(topic.producers, producer)) {
      producer.registrationCount++;
      added.push({ category: "topic", key: topicName, subKey: "" });
    }
    this.#note(topic);
    return added;
  }

  /** Ends a producer's registration for a channel, or for a topic with all of its channels; returns what it had. */
  unregister(producer: Producer, topicName: string, channelName?: string): Registration[] {
    return [...this.unregistering(producer, topicName, channelName)];
  }

  /** The same, step by step; others may be served between two steps. */
  *unregistering(producer: Producer, topicName: string, channelName?: string): Generator<Registration> {
    const topic = this.#topics.get(topicName);
    if (topic === undefined) return;
    if (channelName === undefined) yield* this.#leave(topic, producer);
    else if (this.#leaveChannel(topic, channelName, producer)) {
      this.#note(topic);
      yield { category: "channel", key: topicName, subKey: channelName };
    }
  }

  /**
   * Makes a topic known, and a channel of it if one is named, without producers.
   *
   * @throws {RegistrationsFullError} If there is no room for the names; nothing has been added then.
   */
  addTopic(topicName: string, channelName?: string): void {
    this.#note(this.#makeTopic(topicName, channelName));
  }

  /** Forgets topics, with their channels; returns what is gone. */
  removeTopics(name: string): Registration[] {
    return [...this.removingTopics(name)];
  }

  /** The same, step by step; others may be served between two steps, and see none of the topics from the first on. */
  *removingTopics(name: string): Generator<Registration> {
    for (const topic of this.#takeOut(name)) {
      // None is left to whoever may be taking its producers out.
      for (const [channel, producers] of topic.channels) {
        for (const producer of producers.splice(0)) producer.registrationCount--;
        yield { category: "channel", key: topic.name, subKey: channel };
      }
      for (const producer of topic.producers.splice(0)) producer.registrationCount--;
      yield { category: "topic", key: topic.name, subKey: "" };
    }
  }

  /** Forgets a channel; false if there is none of that name. */
  removeChannel(topicName: string, channelName: string): boolean {
    const topic = this.#topics.get(topicName);
    const producers = topic?.channels.get(channelName);
    if (topic === undefined || producers === undefined) return false;
    for (const producer of producers) producer.registrationCount--;
    topic.removeChannel(channelName);
    this.#count--;
    this.#note(topic);
    return true;
  }

  /** Marks the producers at `node`, which is `address:http_port`, as not having the topics any more. */
  tombstone(topicName: string, node: string, now: Moment): void {
    for (const _ of this.tombstoning(topicName, node, now));
  }

  /** The same, topic by topic; others may be served in between. */
  *tombstoning(topicName: string, node: string, now: Moment): Generator<undefined> {
    for (const topic of this.#matching(topicName)) {
      for (const producer of topic.producers) {
        const { broadcast_address, http_port } = producer.info;
        if (`${broadcast_address}:${http_port}` !== node) continue;
        topic.tombstones ??= new Map();
        topic.tombstones.set(producer, now);
      }
      yield;
    }
  }

  #matching(name: string): Iterable<TopicEntry> {
    if (name === EVERY_TOPIC) return this.#topics.values();
    const topic = this.#topics.get(name);
    return topic === undefined ? [] : [topic];
  }

  /** The topics that a name means, which the database does not have any more. */
  #takeOut(name: string): Iterable<TopicEntry> {
    if (name !== EVERY_TOPIC) {
      const topic = this.#topics.get(name);
      if (topic) this.#forget(topic);
      return topic === undefined ? [] : [topic];
    }
    // Taking a million out of a map one by one makes it smaller in leaps, each of which takes long.
    const topics = this.#topics;
    this.#topics = new Map();
    this.#deserted.clear();
    this.#partlyDeserted.clear();
    this.#count = 0;
    return topics.values();
  }

  #makeTopic(topicName: string, channelName: string | undefined): TopicEntry {
    const known = this.#topics.get(topicName);
    const isNewChannel = channelName !== undefined && !known?.channels.has(channelName);
    if (known === undefined) checkTopicName(topicName);
    if (isNewChannel) checkChannelName(channelName);
    this.#takeRoom((known === undefined ? 1 : 0) + (isNewChannel ? 1 : 0), known);
    const topic = known ?? new TopicEntry(topicName);
    if (known === undefined) this.#topics.set(topicName, topic);
    if (isNewChannel) topic.addChannel(channelName);
    return topic;
  }

  /** Takes room for so many names; those that no producer has make some, but for the topic that it is wanted for. */
  #takeRoom(count: number, wantedFor: TopicEntry | undefined): void {
    const { countMax } = this.#limits;
    const isFull = () => countMax > 0 && this.#count + count > countMax;
    if (count > 0 && isFull()) {
      for (const topic of this.#deserted) {
        if (topic === wantedFor) continue;
        this.#forget(topic);
        if (!isFull()) break;
      }
      if (isFull()) this.#sweep(isFull);
      if (isFull()) {
        throw new RegistrationsFullError(`Cannot register a name: there are ${countMax} topics and channels`);
      }
    }
    this.#count += count;
  }

  /** Forgets channels that no producer has, of topics that some have, as far as that is a matter of a few steps. */
  #sweep(isFull: () => boolean): void {
    let steps = SWEEP_MAX;
    for (const topic of this.#partlyDeserted) {
      while (topic.desertedChannels > 0) {
        const [name, producers] = topic.nextChannel();
        if (producers.length === 0) this.removeChannel(topic.name, name);
        if (--steps === 0 || !isFull()) return;
      }
    }
  }

  /** Forgets a topic with its channels: that costs nothing, however many they are. What producers it has count it still. */
  #forget(topic: TopicEntry): void {
    this.#topics.delete(topic.name);
    this.#deserted.delete(topic);
    this.#partlyDeserted.delete(topic);
    this.#count -= 1 + topic.channels.size;
  }

  /** Notes whether there are names of this topic that no producer has. */
  #note(topic: TopicEntry): void {
    const isDeserted = topic.producers.length === 0;
    if (isDeserted) this.#deserted.add(topic);
    else this.#deserted.delete(topic);
    if (!isDeserted && topic.desertedChannels > 0) this.#partlyDeserted.add(topic);
    else this.#partlyDeserted.delete(topic);
  }

  #checkCountOf(producer: Producer, topicName: string, channelName: string | undefined): void {
    const { producerCountMax } = this.#limits;
    if (producerCountMax === 0 || producer.registrationCount + 2 <= producerCountMax) return;
    const topic = this.#topics.get(topicName);
    const isNew = (producers: readonly Producer[] = []) => has(producers, producer) ? 0 : 1;
    const count = isNew(topic?.producers) +
      (channelName === undefined ? 0 : isNew(topic?.channels.get(channelName)));
    if (producer.registrationCount + count <= producerCountMax) return;
    throw new RegistrationsFullError(`Cannot register a name: the producer has ${producerCountMax}`);
  }

  /** Takes a producer out of a topic's channels, one by one, and then of the topic, and tells what it had of them. */
  *#leave(topic: TopicEntry, producer: Producer): Generator<Registration> {
    if (!has(topic.producers, producer)) return;
    for (const channel of topic.channels.keys()) {
      if (!this.#leaveChannel(topic, channel, producer)) continue;
      yield { category: "channel", key: topic.name, subKey: channel };
    }
    // Others may have forgotten the topic meanwhile, or the producer in it.
    if (!remove(topic.producers, producer)) return;
    producer.registrationCount--;
    topic.tombstones?.delete(producer);
    const isDeserted = topic.producers.length === 0;
    if (this.#topics.get(topic.name) === topic) {
      if (isDeserted && isEphemeral(topic.name)) { for (const _ of this.removingTopics(topic.name)); }
      else this.#note(topic);
    }
    yield { category: "topic", key: topic.name, subKey: "" };
  }

  #leaveChannel(topic: TopicEntry, channelName: string, producer: Producer): boolean {
    const had = topic.leaveChannel(channelName, producer);
    if (had) producer.registrationCount--;
    const isDeserted = topic.channels.get(channelName)?.length === 0;
    if (isDeserted && isEphemeral(channelName)) this.removeChannel(topic.name, channelName);
    return had;
  }
}

class TopicEntry implements RegisteredTopic {
  readonly name: string;
  readonly producers: Producer[] = [];
  readonly channels = new Map<string, Producer[]>();
  tombstones: Map<Producer, Moment> | undefined;
  /** Channels without producers. */
  desertedChannels = 0;
  /** Goes round the channels, a few at a time. */
  #round: Iterator<[string, Producer[]]> = [].values();

  constructor(name: string) {
    this.name = name;
  }

  addChannel(name: string): void {
    this.channels.set(name, []);
    this.desertedChannels++;
  }

  removeChannel(name: string): void {
    if (this.channels.get(name)?.length === 0) this.desertedChannels--;
    this.channels.delete(name);
  }

  /** False if the producer is registered for the channel already. */
  joinChannel(name: string, producer: Producer): boolean {
    const producers = this.channels.get(name);
    if (producers === undefined || !insert(producers, producer)) return false;
    if (producers.length === 1) this.desertedChannels--;
    return true;
  }

  /** False if the producer is not registered for the channel. */
  leaveChannel(name: string, producer: Producer): boolean {
    const producers = this.channels.get(name);
    if (producers === undefined || !remove(producers, producer)) return false;
    if (producers.length === 0) this.desertedChannels++;
    return true;
  }

  /** The next channel, with its producers, of a round that begins anew at its end. There must be one. */
  nextChannel(): [name: string, producers: readonly Producer[]] {
    const next = this.#round.next();
    if (!next.done) return next.value;
    this.#round = this.channels.entries();
    return this.nextChannel();
  }
}
