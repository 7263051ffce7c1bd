/**
 * What one nsqd knows of all nsqds of its cluster: the members that Serf reports and the events that they send become
 * producers and registrations. No I/O, and time, by the monotonic clock, is an argument.
 *
 * Serf delivers each event to every member that is there, most of the time, and in any order. So a later event of a
 * member wins over an earlier one that arrives after it; what a member has not spoken of for a while, though it
 * repeats everything again and again, is gone; and a member that has left or failed has nothing. Serf tells of a new
 * member later than of its events, so these wait for it. What this nsqd has itself is known here without Serf.
 *
 * @module
 */

import type { Moment } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Producer, ProducerInfo } from "../../cluster/producer.ts";
import {
  CLIENT_REGISTRATION,
  EVERY_TOPIC,
  type Registration,
  RegistrationDb,
  RegistrationsFullError,
} from "../../cluster/registration_db.ts";
import type { SerfMember } from "../../cluster/serf_records.ts";
import { type GossipEvent, producerInfo } from "./event.ts";

/** Members that are kept; further ones are not looked up. */
const MEMBERS_MAX = 10_000;
/** Topics and channels of one member. */
const NAMES_PER_MEMBER_MAX = 100_000;
/** Topics and channels of all. */
const NAMES_MAX = 1_000_000;
/** Events of members that are not there yet: how many are kept, and for how long. */
const EARLY_EVENTS_MAX = 100_000;
const EARLY_KEPT_MS = 60_000;
/** How long a name is known that no member has any more. */
const DESERTED_KEPT_MS = 60 * 60 * 1000;

/** When a member was last heard of, which nobody asks: Serf knows who is there. */
const UNTOLD: Moment = { wallMs: 0, monotonicMs: 0 };

/** What a view is made with. */
export interface GossipViewOptions {
  readonly logger: Logger;
  /** Name and address of this nsqd in the cluster. */
  readonly ownName: string;
  readonly ownInfo: ProducerInfo;
  /** What a member has not spoken of for so long is gone. */
  readonly staleAfterMs: number;
}

/** The last that was heard of a topic or channel. */
interface Heard {
  readonly order: number;
  readonly atMs: number;
  readonly exists: boolean;
}

interface Member {
  producer: Producer;
  readonly heard: Map<string, Heard>;
}

/** The view of one nsqd. */
export class GossipView {
  readonly db = new RegistrationDb({ countMax: NAMES_MAX });
  /** Name of this nsqd's member: what it says itself need not be heard. */
  ownName: string;
  readonly #logger: Logger;
  readonly #staleAfterMs: number;
  /** All but this nsqd's own, by name. */
  readonly #members = new Map<string, Member>();
  /** Events of members that are not there yet, with the time they came. */
  readonly #early = new Map<string, { readonly event: GossipEvent; readonly atMs: number }[]>();
  #earlyCount = 0;
  readonly #deserted = new Map<string, number>();
  #own: Producer;
  #refused = false;

  constructor(options: GossipViewOptions) {
    this.#logger = options.logger;
    this.ownName = options.ownName;
    this.#staleAfterMs = options.staleAfterMs;
    this.#own = this.db.addProducer(options.ownName, options.ownInfo, UNTOLD);
  }

  /** Other members that are there. */
  get memberCount(): number {
    return this.#members.size;
  }

  /** Addresses of some of the other members, in Serf's form. */
  addresses(countMax: number): string[] {
    const members = [...this.#members.values()].slice(0, countMax);
    return members.map(({ producer }) => producer.info.remote_address);
  }

  /** This nsqd has a topic, or a channel of it. */
  addOwn(topic: string, channel: string | undefined): void {
    this.#register(this.#own, topic, channel);
  }

  /** This nsqd has it no longer. */
  removeOwn(topic: string, channel: string | undefined): void {
    this.#unregister(this.#own, topic, channel);
    this.#forgetDeleted(topic, channel);
  }

  /** This nsqd is not there for others any more, step by step. */
  removingSelf(): Iterable<unknown> {
    return this.db.removingProducer(this.#own);
  }

  /** A member has come, or has changed its tags. */
  join(member: SerfMember): void {
    const { name } = member;
    const info = producerInfo(member);
    if (info === undefined) return this.leave(name);
    if (name === this.ownName) {
      if (!isSame(info, this.#own.info)) this.#own = this.#replace(this.#own, info);
      return;
    }
    const known = this.#members.get(name);
    if (known) {
      if (!isSame(info, known.producer.info)) known.producer = this.#replace(known.producer, info);
      return;
    }
    if (this.#members.size >= MEMBERS_MAX) return this.#refuse(`there are ${MEMBERS_MAX} members`);
    this.#members.set(name, { producer: this.db.addProducer(name, info, UNTOLD), heard: new Map() });
    this.#log("REGISTER", name, CLIENT_REGISTRATION);
    for (const { event, atMs } of this.#takeEarly(name)) this.hear(event, atMs);
  }

  /** A member has left or failed. */
  leave(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined) return;
    this.#members.delete(name);
    // That it has nothing any more goes without saying.
    this.db.removeProducer(member.producer);
    this.#log("UNREGISTER", name, CLIENT_REGISTRATION);
  }

  /** All members that Serf knows: those that are not among them, or not alive, are gone. */
  sync(members: readonly SerfMember[]): void {
    const alive = new Map(members.filter(isAlive).map((member) => [member.name, member]));
    for (const name of [...this.#members.keys()]) {
      if (!alive.has(name)) this.leave(name);
    }
    for (const member of alive.values()) this.join(member);
  }

  /** A member says what it has, or has no longer. */
  hear(event: GossipEvent, monotonicMs: number): void {
    if (event.node === this.ownName) return;
    const member = this.#members.get(event.node);
    if (member === undefined) this.#keepEarly(event, monotonicMs);
    else if (event.operation === "-") this.#hearGone(member, event, monotonicMs);
    else this.#hearThere(member, event, monotonicMs);
  }

  /** Forgets what members have not spoken of for long, and names that nobody has had for long. */
  sweep(monotonicMs: number): void {
    this.#refused = false;
    for (const [name, events] of this.#early) {
      if (monotonicMs - events[events.length - 1].atMs >= EARLY_KEPT_MS) this.#takeEarly(name);
    }
    for (const [name, { producer, heard }] of this.#members) {
      for (const [key, { atMs, exists }] of heard) {
        if (monotonicMs - atMs < this.#staleAfterMs) continue;
        heard.delete(key);
        if (!exists) continue;
        const { topic, channel } = parseKey(key);
        for (const removed of this.db.unregister(producer, topic, channel)) {
          this.#log("UNREGISTER", name, removed);
        }
      }
    }
    this.#forgetDeserted(monotonicMs);
  }

  #keepEarly(event: GossipEvent, atMs: number): void {
    if (this.#earlyCount >= EARLY_EVENTS_MAX) return this.#refuse("too many events of unknown members");
    const events = this.#early.get(event.node) ?? [];
    this.#early.set(event.node, events);
    events.push({ event, atMs });
    this.#earlyCount++;
  }

  #takeEarly(name: string): readonly { readonly event: GossipEvent; readonly atMs: number }[] {
    const events = this.#early.get(name) ?? [];
    this.#early.delete(name);
    this.#earlyCount -= events.length;
    return events;
  }

  #hearThere(member: Member, { node, topic, channel, order }: GossipEvent, monotonicMs: number): void {
    const { heard, producer } = member;
    const ofTopic = heard.get(keyOf(topic));
    const ofChannel = channel === undefined ? undefined : heard.get(keyOf(topic, channel));
    // A topic that has gone since has no channels either.
    if (isOver(ofTopic, order) || isOver(ofChannel, order)) return;
    const isNew = ofTopic === undefined || (channel !== undefined && ofChannel === undefined);
    if (isNew && heard.size + 2 > NAMES_PER_MEMBER_MAX) {
      return this.#refuse(`member(${node}) has too many names`);
    }
    if (!this.#register(producer, topic, channel, node)) return;
    const there = (last?: Heard) => ({
      order: Math.max(order, last?.order ?? order),
      atMs: monotonicMs,
      exists: true,
    });
    heard.set(keyOf(topic), there(ofTopic));
    if (channel !== undefined) heard.set(keyOf(topic, channel), there(ofChannel));
  }

  #hearGone(member: Member, { node, topic, channel, order }: GossipEvent, monotonicMs: number): void {
    const { heard, producer } = member;
    const key = keyOf(topic, channel);
    const last = heard.get(key);
    if (last !== undefined && last.order > order) return;
    if (last === undefined && heard.size >= NAMES_PER_MEMBER_MAX) return;
    heard.set(key, { order, atMs: monotonicMs, exists: false });
    this.#unregister(producer, topic, channel, node);
    this.#forgetDeleted(topic, channel);
  }

  /** False when there is no room for the names. */
  #register(producer: Producer, topic: string, channel: string | undefined, name?: string): boolean {
    try {
      const added = this.db.register(producer, topic, channel);
      if (name !== undefined) added.forEach((registration) => this.#log("REGISTER", name, registration));
      return true;
    } catch (error) {
      if (!(error instanceof RegistrationsFullError)) throw error;
      this.#refuse(error.message);
      return false;
    }
  }

  #unregister(producer: Producer, topic: string, channel: string | undefined, name?: string): void {
    const removed = this.db.unregister(producer, topic, channel);
    if (name !== undefined) removed.forEach((registration) => this.#log("UNREGISTER", name, registration));
  }

  /** What was deleted, and is nowhere else, is no name any more: there is nobody who could delete it for good. */
  #forgetDeleted(topicName: string, channelName: string | undefined): void {
    for (const { producers, channels } of this.db.topics(topicName)) {
      if (channelName === undefined) {
        if (producers.length === 0) this.db.removeTopics(topicName);
      } else if (channels.get(channelName)?.length === 0) this.db.removeChannel(topicName, channelName);
    }
  }

  #forgetDeserted(monotonicMs: number): void {
    const deserted = new Set<string>();
    for (const { name, producers, channels } of this.db.topics(EVERY_TOPIC)) {
      if (producers.length === 0) deserted.add(keyOf(name));
      for (const [channel, itsProducers] of channels) {
        if (itsProducers.length === 0) deserted.add(keyOf(name, channel));
      }
    }
    for (const key of this.#deserted.keys()) {
      if (!deserted.has(key)) this.#deserted.delete(key);
    }
    for (const key of deserted) {
      const sinceMs = this.#deserted.get(key) ?? monotonicMs;
      this.#deserted.set(key, sinceMs);
      if (monotonicMs - sinceMs < DESERTED_KEPT_MS) continue;
      const { topic, channel } = parseKey(key);
      if (channel === undefined) this.db.removeTopics(topic);
      else this.db.removeChannel(topic, channel);
    }
  }

  /** The same producer at another address, with what it had. */
  #replace(producer: Producer, info: ProducerInfo): Producer {
    const registrations = this.db.removeProducer(producer);
    const replaced = this.db.addProducer(producer.id, info, UNTOLD);
    for (const { category, key, subKey } of registrations) {
      if (category !== "client") this.#register(replaced, key, category === "channel" ? subKey : undefined);
    }
    return replaced;
  }

  /** Said once between two sweeps: members repeat themselves. */
  #refuse(problem: string): void {
    if (!this.#refused) this.#logger.error(`DB: ${problem}`);
    this.#refused = true;
  }

  #log(what: "REGISTER" | "UNREGISTER", name: string, { category, key, subKey }: Registration): void {
    this.#logger.info(
      `DB: member(${name}) ${what} category:${category} key:${key} subkey:${subKey}`,
    );
  }
}

/** True when that was said after something else that was said to have the number `order`. */
function isOver(heard: Heard | undefined, order: number): boolean {
  return heard !== undefined && !heard.exists && heard.order > order;
}

function isAlive({ status }: SerfMember): boolean {
  return status === "alive";
}

function isSame(a: ProducerInfo, b: ProducerInfo): boolean {
  const names = Object.keys(a) as (keyof ProducerInfo)[];
  return names.every((name) => a[name] === b[name]);
}

/** Names of topics and channels have no spaces. */
function keyOf(topic: string, channel?: string): string {
  return channel === undefined ? topic : `${topic} ${channel}`;
}

function parseKey(key: string): { topic: string; channel: string | undefined } {
  const [topic, channel] = key.split(" ");
  return { topic, channel };
}
