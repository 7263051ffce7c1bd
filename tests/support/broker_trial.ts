/**
 * A broker and its model side by side: everything that is done to one is done to the other, and every message
 * that the broker sends is checked as it is sent. What random steps there are is in broker_steps.ts, what must
 * hold after each in broker_checks.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Segment } from "../../src/broker/segment.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { writeU32 } from "../../src/protocol/frames.ts";
import { TrialClient } from "./broker_client.ts";
import { blockOf, bodyOf, sameBytes } from "./broker_messages.ts";
import { type ModelChannel, type ModelEntry, type ModelMessage, ModelTopic } from "./broker_model.ts";
import { type BrokerLimits, testBroker } from "./broker_setup.ts";
import { TestStores } from "./broker_stores.ts";
import { FakeClock } from "./fake_clock.ts";

/** More than 4096 positions, the least by which a new log's first position moves on, in ms. */
const RESTART_MS = 2;

/** A broker, its model, and the consumers of both. */
export class BrokerTrial {
  readonly limits: BrokerLimits;
  readonly clock = new FakeClock();
  readonly model = new Map<string, ModelTopic>();
  readonly clients = new Set<TrialClient>();
  stores = new TestStores();
  broker: Broker;
  /** Messages that were sent. */
  sent = 0;
  /** Every body that was published, by topic and position. */
  readonly published = new Map<string, Map<number, Uint8Array>>();
  /** Topics whose last commit, made on behalf of others, failed and has not been reported. */
  readonly #failedEarlier = new Set<string>();
  readonly #dues = new Set<number>();
  #bodies = 0;

  constructor(limits: BrokerLimits) {
    this.limits = limits;
    this.broker = this.#newBroker();
  }

  topic(name: string): { real: Topic; model: ModelTopic } {
    const model = this.model.get(name) ?? new ModelTopic(name, this.limits);
    this.model.set(name, model);
    return { real: this.broker.topic(name), model };
  }

  channel(topic: string, name: string): { real: Channel; model: ModelChannel } {
    const { real, model } = this.topic(topic);
    return { real: real.channel(name), model: model.channel(name) };
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
    const deferMs = this.#delay(delayMs);
    real.append(buffer, 5, 5 + block.length, { count: bodies.length, deferMs });
    model.pend(this.#messages(real, bodies.slice(0, kept), deferMs), bodies.length);
  }

  /** As over HTTP: published now, with what waited to be committed. */
  publish(name: string, sizes: readonly number[], delayMs = 0): void {
    const { real, model } = this.topic(name);
    const bodies = sizes.map((size) => this.#body(size));
    const deferMs = this.#delay(delayMs);
    const { failedWrites } = this.stores;
    let thrown = false;
    try {
      if (bodies.length === 1) real.publish(bodies[0], { deferMs });
      else real.publishBatch(blockOf(bodies), bodies.length);
    } catch {
      thrown = true;
    }
    const failures = this.stores.failedWrites - failedWrites;
    const earlierFailed = failures === (thrown ? 2 : 1);
    assert(failures > 0 || !thrown, "a publish failed though nothing did");
    if (earlierFailed) {
      assert(model.pending.length > 0, "a write failed and the publish did not");
      model.discard();
      this.#failedEarlier.add(name);
    } else {
      model.commit();
    }
    if (thrown) return;
    const kept = model.room(bodies.length);
    model.pend(this.#messages(real, bodies.slice(0, kept), deferMs), bodies.length);
    model.commit();
  }

  /** The end of a turn. */
  commit(): void {
    for (const [name, model] of this.model) {
      const real = this.broker.topics.get(name);
      assert(real);
      const { failedWrites } = this.stores;
      let thrown = false;
      try {
        real.commit();
      } catch {
        thrown = true;
      }
      const failed = this.stores.failedWrites > failedWrites;
      const failedEarlier = this.#failedEarlier.delete(name);
      assertEquals(thrown, failed || failedEarlier, "a commit fails when a write does");
      if (failed) model.discard();
      else model.commit();
    }
    assertEquals(this.broker.commit().size, 0);
  }

  addClient(
    topic: string,
    channel: string,
    options: { readyCount: number; msgTimeoutMs: number },
  ): TrialClient {
    const both = this.channel(topic, channel);
    const { log } = this.topic(topic).real;
    const onMessage = this.#delivered;
    const client = new TrialClient({ topic, log, ...both, msgTimeoutMs: options.msgTimeoutMs, onMessage });
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
    const nowMs = this.clock.nowMs();
    this.broker.scan(nowMs);
    for (const [name, topic] of this.model) {
      const logEnd = this.broker.topics.get(name)?.log.end ?? 0;
      for (const channel of topic.channels.values()) channel.scan(nowMs, logEnd);
    }
  }

  pump(): void {
    this.broker.pump(this.clock.nowMs());
  }

  /** Settles when nothing is being read. */
  async idle(): Promise<void> {
    this.stores.releaseReads();
    for (const topic of this.broker.topics.values()) await topic.log.idle();
  }

  /** A graceful stop and a start. */
  async restart(): Promise<void> {
    this.commit();
    const { fault } = this.stores;
    this.stores.fault = () => undefined;
    this.stores.releaseReads();
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
      topic.distribute();
    }
    this.stores.fault = fault;
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

  #newBroker(stores = this.stores): Broker {
    const { limits, clock } = this;
    return testBroker({ limits, clock, stores }).broker;
  }

  /** The broker has sent a message to the client. */
  readonly #delivered = (client: TrialClient, segment: Segment, index: number, attempts: number): void => {
    this.sent++;
    const position = segment.base + index;
    assert(client.open, "delivered to a consumer that has gone");
    assert(client.consumer.inFlightCount <= client.consumer.readyCount, "delivered more than RDY");
    const { segments } = client.log;
    const isResident = (position: number) =>
      segments.find((segment) => segment.base <= position && position < segment.end)?.resident ?? false;
    const entry = client.model.deliver(client, position, { nowMs: this.clock.nowMs(), isResident });
    assertEquals(attempts, entry.attempts, "attempts");
    checkMessage(segment, index, entry);
  };

  /** The messages that were appended last. */
  #messages(topic: Topic, bodies: readonly Uint8Array[], deferMs: number): ModelMessage[] {
    const first = topic.log.end - bodies.length;
    const dueMs = deferMs > 0 ? this.clock.nowMs() + deferMs : 0;
    const timestamp = this.clock.timestamp();
    const all = this.published.get(topic.name) ?? new Map<number, Uint8Array>();
    this.published.set(topic.name, all);
    return bodies.map((body, i) => {
      all.set(first + i, body);
      return { position: first + i, body, timestamp, dueMs };
    });
  }

  /** A delay after which nothing else is due: the order of what is due at once is not defined. */
  #delay(delayMs: number): number {
    if (delayMs === 0) return 0;
    let delay = delayMs;
    while (this.#dues.has(this.clock.nowMs() + delay)) delay += 0.125;
    this.#dues.add(this.clock.nowMs() + delay);
    return delay;
  }

  /** As `#delay`, for a requeue. */
  requeueDelay(delayMs: number): number {
    return this.#delay(delayMs);
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
  }
}

function checkMessage(segment: Segment, index: number, { message }: ModelEntry): void {
  assertEquals(segment.timestampHigh(index), message.timestamp.high, "timestamp");
  assertEquals(segment.timestampLow(index), message.timestamp.low, "timestamp");
  assert(sameBytes(bodyOf(segment, index), message.body), `body of ${message.position}`);
}
