/**
 * A broker and its model side by side: everything that is done to one is done to the other, and every message
 * that the broker sends is checked as it is sent. What random steps there are is in broker_steps.ts, what must
 * hold after each in broker_checks.ts, what must be left after a crash in broker_crash.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Durability } from "../../src/broker/durability.ts";
import type { Segment } from "../../src/log/segment.ts";
import { ORIGIN_LENGTH } from "../../src/log/segment_image.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import { checkMessage, sleepers } from "./broker_checks.ts";
import { TrialClient } from "./broker_client.ts";
import { blockOf, originOf } from "./broker_messages.ts";
import { type ModelChannel, type ModelMessage, ModelTopic } from "./broker_model.ts";
import { BrokerNotes } from "./broker_notes.ts";
import { type BrokerLimits, testBroker } from "./broker_setup.ts";
import { TestStores } from "./broker_stores.ts";
import { FakeClock } from "./fake_clock.ts";

/** More than 4096 positions, the least by which a new log's first position moves on, in ms. */
const RESTART_MS = 2;

/** So many are more than are in flight at a time. */
const LEASES_KEPT_MAX = 100;

/** A delivery. */
export interface TrialLease {
  readonly topic: string;
  readonly channel: string;
  readonly position: number;
  readonly attempt: number;
}

/** What a trial's broker is like. */
export interface TrialOptions {
  readonly limits: BrokerLimits;
  readonly durability: Durability;
  readonly syncEvery: number;
  readonly faulty: boolean;
}

/** A broker, its model, and the consumers of both. */
export class BrokerTrial {
  readonly limits: BrokerLimits;
  readonly durability: Durability;
  /** Some calls of the store fail. */
  readonly faulty: boolean;
  readonly clock = new FakeClock();
  readonly model = new Map<string, ModelTopic>();
  readonly clients = new Set<TrialClient>();
  readonly stores = new TestStores();
  /** What must be there after a crash. */
  readonly notes = new BrokerNotes(this);
  broker: Broker;
  /** The last deliveries to clients whose messages are leased, whatever has become of them. */
  readonly leases: TrialLease[] = [];
  /** Messages that came before they were due, as `topic/channel position`. */
  readonly hastened = new Set<string>();
  /** Messages that were sent. */
  sent = 0;
  /** The broker is at work on a publish, which may fail. */
  committing = false;
  /** What failed in the background, though nothing was to. */
  readonly failures: unknown[] = [];
  readonly #syncEvery: number;
  /** Topics whose last commit, made on behalf of others, failed and has not been reported. */
  readonly #failedEarlier = new Set<string>();
  readonly #dues = new Set<number>();
  /** Work on topics that goes on while other steps are made. */
  readonly #background = new Map<Topic, Promise<void>>();
  #bodies = 0;

  constructor(options: TrialOptions) {
    this.limits = options.limits;
    this.durability = options.durability;
    this.faulty = options.faulty;
    this.#syncEvery = options.syncEvery;
    this.stores.onState = (topic) => this.notes.savingState(topic);
    this.broker = this.#newBroker();
  }

  topic(name: string): { real: Topic; model: ModelTopic } {
    const model = this.model.get(name) ?? new ModelTopic(name, this.limits);
    this.model.set(name, model);
    return { real: this.broker.topic(name), model };
  }

  channel(topic: string, name: string): { real: Channel; model: ModelChannel } {
    const { real, model } = this.topic(topic);
    const both = { real: real.channel(name), model: model.channel(name) };
    this.follow(topic);
    return both;
  }

  /** The model passes on what the topic has passed to its channels. */
  follow(topic: string): void {
    const { real, model } = this.topic(topic);
    model.passedOn(real.depth);
  }

  /** As PUB, MPUB and DPUB over TCP: published at the next commit. */
  append(name: string, sizes: readonly number[], delayMs = 0): void {
    const { real, model } = this.topic(name);
    const bodies = sizes.map((size) => this.#body(size));
    const block = blockOf(bodies);
    // In the middle of a buffer, as a connection has it.
    const buffer = new Uint8Array(block.length + 8).fill(0xee);
    buffer.set(block, 5);
    const kept = model.room(bodies.length);
    const deferMs = this.delay(delayMs);
    real.append(buffer, 5, 5 + block.length, { count: bodies.length, deferMs });
    model.pend(this.#messages(real, bodies.slice(0, kept), deferMs), bodies.length);
  }

  /** A message that was taken over from another queue: published at the next commit, and counted there only. */
  takeOver(name: string, size: number, options: { attempts: number; delayMs: number }): void {
    const { real, model } = this.topic(name);
    if (model.ephemeral) return;
    const body = this.#body(size);
    const block = blockOf([body]);
    const origin = new Uint8Array(ORIGIN_LENGTH);
    origin.set(new TextEncoder().encode(`id ${this.#bodies}`.padEnd(16)));
    new DataView(origin.buffer).setUint16(16, options.attempts);
    const deferMs = this.delay(options.delayMs);
    const dueMs = deferMs > 0 ? this.clock.nowMs() + deferMs : 0;
    const timestamp = this.clock.timestamp();
    real.log.append(block, 0, block.length, { count: 1, timestamp, dueMs, attributes: originOf(origin) });
    const [message] = this.#messages(real, [body], deferMs);
    model.pend([{ ...message, origin: { id: origin.slice(0, 16), attempts: options.attempts } }], 0);
  }

  /** As over HTTP: published now, with what waited to be committed. */
  publish(name: string, sizes: readonly number[], delayMs = 0): void {
    const { real, model } = this.topic(name);
    // What was taken over fails or succeeds with what comes behind it, which the model does not know.
    if (model.pending.some(({ origin }) => origin)) this.commit();
    const bodies = sizes.map((size) => this.#body(size));
    const deferMs = this.delay(delayMs);
    const { failedWrites } = this.stores;
    const thrown = this.#fails(() => {
      if (bodies.length === 1) real.publish(bodies[0], { deferMs });
      else real.publishBatch(blockOf(bodies), bodies.length);
    });
    const failures = this.stores.failedWrites - failedWrites;
    const earlierFailed = failures === (thrown ? 2 : 1);
    assert(failures > 0 || !thrown, "a publish failed though nothing did");
    if (earlierFailed) {
      assert(model.pending.length > 0, "a write failed and the publish did not");
      this.#failedEarlier.add(name);
    }
    this.#endCommit(name, earlierFailed);
    const kept = thrown ? bodies.length : model.room(bodies.length);
    model.pend(this.#messages(real, bodies.slice(0, kept), deferMs), bodies.length);
    this.#endCommit(name, thrown);
  }

  /** The end of a turn. */
  commit(): void {
    for (const name of this.model.keys()) {
      this.follow(name);
      const real = this.broker.topics.get(name);
      assert(real);
      const { failedWrites } = this.stores;
      const thrown = this.#fails(() => real.commit());
      const failed = this.stores.failedWrites > failedWrites;
      const failedEarlier = this.#failedEarlier.delete(name);
      assertEquals(thrown, failed || failedEarlier, "a commit fails when a write does");
      this.#endCommit(name, failed);
    }
    assertEquals(this.broker.commit().failed.size, 0);
  }

  addClient(
    topic: string,
    channel: string,
    options: { readyCount: number; msgTimeoutMs: number; isLeased?: boolean },
  ): TrialClient {
    const both = this.channel(topic, channel);
    const { log } = this.topic(topic).real;
    const onMessage = this.#delivered;
    const { msgTimeoutMs, isLeased = false } = options;
    const client = new TrialClient({ topic, log, ...both, msgTimeoutMs, isLeased, onMessage });
    both.real.addConsumer(client.consumer);
    both.model.clients.push(client);
    this.clients.add(client);
    client.setReady(options.readyCount);
    return client;
  }

  /** The connection has ended: the last one takes an ephemeral channel with it, and that an ephemeral topic. */
  removeClient(client: TrialClient): void {
    this.clients.delete(client);
    client.real.removeConsumer(client.consumer);
    if (!client.model.clients.includes(client)) return;
    client.model.remove(client);
    const topic = this.model.get(client.topic);
    if (topic?.channels.get(client.real.name) !== client.model) return;
    if (client.model.ephemeral && client.model.clients.length === 0) {
      this.#forgetChannel(client.topic, client.real.name);
    }
  }

  deleteChannel(topic: string, name: string): void {
    const { model } = this.topic(topic);
    assertEquals(this.broker.topics.get(topic)?.deleteChannel(name), model.channels.has(name));
    if (model.channels.has(name)) this.#forgetChannel(topic, name);
  }

  deleteTopic(name: string): void {
    assertEquals(this.broker.deleteTopic(name), this.model.has(name));
    this.#forgetTopic(name);
  }

  scan(): void {
    for (const name of this.model.keys()) this.follow(name);
    const nowMs = this.clock.nowMs();
    const asleep = new Map<ModelChannel, ReadonlySet<number>>();
    for (const [name, topic] of this.model) {
      for (const [channelName, model] of topic.channels) {
        asleep.set(model, sleepers(this.broker.topics.get(name), channelName, model));
      }
    }
    assert(this.broker.scan(this.clock.monotonicMs()), "a scan was not enough");
    for (const [name, topic] of this.model) {
      const logEnd = this.broker.topics.get(name)?.log.end ?? 0;
      for (const channel of topic.channels.values()) {
        channel.scan({ nowMs, logEnd, sleeps: (position) => asleep.get(channel)?.has(position) ?? false });
      }
    }
  }

  pump(): void {
    for (const name of this.model.keys()) this.follow(name);
    this.broker.pump(this.clock.monotonicMs());
  }

  /** Begins what can wait, on a topic on which it does not go on still. */
  maintain(topic: Topic): Promise<void> {
    const running = this.#background.get(topic);
    if (running) return running;
    const done = topic.maintain().then(() => topic.sync()).catch((error) => {
      if (!this.faulty && this.broker.topics.get(topic.name) === topic) this.failures.push(error);
    }).finally(() => this.#background.delete(topic));
    this.#background.set(topic, done);
    return done;
  }

  /** Memory is short. */
  async spill(): Promise<void> {
    this.commit();
    this.stores.releaseSyncs();
    try {
      await this.broker.spill();
    } catch (error) {
      if (!this.faulty) this.failures.push(error);
    }
  }

  /** Settles when nothing is being read or written. */
  async idle(): Promise<void> {
    this.stores.releaseReads();
    this.stores.releaseSyncs();
    await Promise.all(this.#background.values());
    await this.broker.idle();
  }

  /** A graceful stop and a start. */
  async restart(): Promise<void> {
    this.commit();
    await this.idle();
    for (const name of this.model.keys()) this.follow(name);
    this.stores.faultless = true;
    for (const topic of this.broker.topics.values()) await topic.close();
    this.clients.clear();
    for (const [name, topic] of this.model) {
      if (topic.ephemeral) this.model.delete(name);
      topic.messageCount = 0;
      for (const [name, channel] of topic.channels) {
        if (channel.ephemeral) topic.channels.delete(name);
      }
    }
    this.clock.advance(RESTART_MS);
    this.broker = this.recover(this.stores);
    for (const [name, topic] of this.model) {
      const logEnd = this.broker.topics.get(name)?.log.end ?? 0;
      for (const channel of topic.channels.values()) channel.restart(logEnd);
      this.follow(name);
    }
    this.stores.faultless = false;
  }

  /** A broker with what the stores have, and the topics and channels that the metadata file would name. */
  recover(stores: TestStores): Broker {
    const broker = this.#newBroker(stores);
    for (const [name, topic] of this.model) {
      if (topic.ephemeral) continue;
      const real = broker.recoverTopic(name);
      if (topic.paused) real.pause();
      for (const [name, channel] of topic.channels) {
        if (channel.ephemeral) continue;
        const made = real.channel(name);
        if (channel.paused) made.pause();
      }
    }
    for (const topic of broker.topics.values()) topic.start();
    return broker;
  }

  /** A delay after which nothing else is due, to the ms: the order of what is due at once is not defined. */
  delay(delayMs: number): number {
    if (delayMs === 0) return 0;
    const nowMs = this.clock.nowMs();
    let dueMs = Math.ceil(nowMs + delayMs);
    while (this.#dues.has(dueMs)) dueMs++;
    this.#dues.add(dueMs);
    return dueMs - nowMs;
  }

  #fails(publish: () => void): boolean {
    this.committing = true;
    try {
      publish();
      return false;
    } catch {
      return true;
    } finally {
      this.committing = false;
    }
  }

  #endCommit(name: string, failed: boolean): void {
    const { real, model } = this.topic(name);
    const { pending } = model;
    if (failed) {
      this.notes.refused(real, pending);
      model.discard();
    } else {
      model.commit();
      this.notes.committed(real, pending);
    }
  }

  #newBroker(stores = this.stores): Broker {
    const { limits, clock, durability } = this;
    return testBroker({ limits, clock, stores, durability, syncEvery: this.#syncEvery }).broker;
  }

  /** The broker has sent a message to the client. */
  readonly #delivered = (client: TrialClient, segment: Segment, index: number, attempts: number): void => {
    this.sent++;
    const position = segment.base + index;
    assert(client.open, "delivered to a consumer that has gone");
    assert(client.consumer.inFlightCount <= client.consumer.readyCount, "delivered more than RDY");
    const isAtHand = (other: number) => other === position || client.real.isAtHand(other);
    const entry = client.model.deliver(client, position, { nowMs: this.clock.nowMs(), isAtHand });
    assertEquals(attempts, entry.attempts, "attempts");
    checkMessage(segment, index, entry);
    if (!client.isLeased) return;
    if (this.leases.length === LEASES_KEPT_MAX) this.leases.shift();
    this.leases.push({ topic: client.topic, channel: client.real.name, position, attempt: attempts });
  };

  /** The messages that were appended last. */
  #messages(topic: Topic, bodies: readonly Uint8Array[], deferMs: number): ModelMessage[] {
    const first = topic.log.end - bodies.length;
    const dueMs = deferMs > 0 ? this.clock.nowMs() + deferMs : 0;
    const timestamp = this.clock.timestamp();
    return bodies.map((body, i) => ({ position: first + i, body, timestamp, dueMs, origin: undefined }));
  }

  #body(size: number): Uint8Array {
    const id = ++this.#bodies;
    const body = new Uint8Array(size).fill(id);
    if (size >= 4) writeU32(body, size - 4, id);
    return body;
  }

  #forgetChannel(topicName: string, name: string): void {
    const topic = this.model.get(topicName);
    topic?.channels.get(name)?.empty();
    topic?.channels.delete(name);
    if (topic?.ephemeral && topic.channels.size === 0) this.#forgetTopic(topicName);
  }

  #forgetTopic(name: string): void {
    for (const channel of this.model.get(name)?.channels.values() ?? []) channel.empty();
    this.model.delete(name);
    this.#failedEarlier.delete(name);
    this.notes.forget(name);
  }
}
