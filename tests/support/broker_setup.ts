/**
 * A broker on stores in memory, with a clock that stands still, and consumers that write down what they get.
 *
 * @module
 */
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Latency } from "../../src/broker/latency.ts";
import { Broker } from "../../src/broker/broker.ts";
import type { Channel, ChannelLimits } from "../../src/broker/channel.ts";
import type { Durability } from "../../src/broker/durability.ts";
import { Consumer, type FlightObserver, type MessageSink, type Nearness } from "../../src/broker/consumer.ts";
import type { Segment } from "../../src/log/segment.ts";
import type { MemoryState, Topic } from "../../src/broker/topic.ts";
import type { LogLimits } from "../../src/log/topic_log.ts";
import { textOf } from "./broker_messages.ts";
import { TestStores } from "./broker_stores.ts";
import { FakeClock } from "./fake_clock.ts";

/** Sizes that bound a broker. */
export type BrokerLimits = ChannelLimits & LogLimits;

/** Longer than a new log needs to begin at another position. */
const RESTART_MS = 2;

/** Limits that few tests meet. */
export const WIDE_LIMITS: BrokerLimits = {
  memQueueSize: 10_000,
  maxBytesPerFile: 100 * 1024 * 1024,
  maxChannelConsumers: 0,
  maxMsgTimeoutMs: 15 * 60_000,
  ephemeralDepthMax: 10_000,
};

/** What a test can see of its broker. */
export interface TestBroker {
  readonly broker: Broker;
  readonly clock: FakeClock;
  readonly stores: TestStores;
  readonly durability: Durability;
  /** What was logged as an error. */
  readonly errors: string[];
  /** What was logged as a warning or an error. */
  readonly lines: string[];
  /** What was told of the store: undefined when it worked. */
  readonly stored: unknown[];
  /** Topics and channels that came or went, as `topic` or `topic/channel`, with a `-` before those that are not kept. */
  readonly changes: string[];
}

/** A broker; with the `clock` and `stores` of another one, a broker that was started after it. */
export function testBroker(
  options: {
    readonly limits?: Partial<BrokerLimits>;
    readonly clock?: FakeClock;
    readonly stores?: TestStores;
    readonly latency?: Latency;
    readonly durability?: Durability;
    readonly syncEvery?: number;
    readonly wasStopped?: boolean;
    readonly keeping?: () => Promise<void> | undefined;
    readonly keepingFailure?: () => unknown;
    readonly memory?: MemoryState;
    readonly othersFirst?: () => Promise<void>;
    readonly onWork?: () => void;
  } = {},
): TestBroker {
  const { clock = new FakeClock(), stores = new TestStores(), durability = "memory" } = options;
  const lines: string[] = [];
  const errors: string[] = [];
  const write = (line: string) => {
    lines.push(line.slice(27));
    if (line.startsWith("ERROR", 27)) errors.push(line.slice(27));
  };
  const stored: unknown[] = [];
  const changes: string[] = [];
  const broker = new Broker({
    clock,
    stores,
    logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write }),
    limits: { ...WIDE_LIMITS, ...options.limits },
    newLatency: () => options.latency,
    durabilityOf: () => durability,
    syncEvery: options.syncEvery ?? Infinity,
    wasStopped: () => options.wasStopped ?? false,
    keeping: options.keeping ?? (() => undefined),
    keepingFailure: options.keepingFailure ?? (() => undefined),
    ...options.memory && { memory: options.memory },
    onWork: options.onWork ?? (() => {}),
    othersFirst: options.othersFirst ?? (() => Promise.resolve()),
    onFault(error) {
      throw error;
    },
    onChange: ({ topic, channel, kept }) =>
      changes.push(`${kept ? "" : "-"}${topic.name}${channel ? `/${channel.name}` : ""}`),
    onStored: (error) => stored.push(error),
  });
  return { broker, clock, stores, durability, errors, lines, stored, changes };
}

/** A broker's topic, with what tests do most. */
export interface TestTopic extends TestBroker {
  readonly topic: Topic;
  /** Publishes messages, one by one. */
  readonly publish: (...bodies: readonly string[]) => void;
  /** Delivers what can be delivered now. */
  readonly pump: () => void;
  /** Delivers what can be delivered, also of segments that must be read first, so many one after the other. */
  readonly settle: (readings?: number) => Promise<void>;
}

/** A topic of a broker of its own, or of the one that is given. */
export function testTopic(
  options: Parameters<typeof testBroker>[0] & { readonly name?: string; readonly test?: TestBroker } = {},
): TestTopic {
  const { name = "t", test = testBroker(options) } = options;
  const topic = test.broker.topic(name);
  const pump = () => test.broker.pump(test.clock.monotonicMs());
  return {
    ...test,
    topic,
    publish: (...bodies) => bodies.forEach((body) => topic.publish(bytes(body))),
    pump,
    async settle(readings = 6) {
      for (let i = 0; i < readings; i++) {
        pump();
        await test.broker.idle();
      }
    },
  };
}

/** The topic on what a closed one, or one that was killed, has left, with these channels; it is to be started. */
export function recoveredTopic(before: TestTopic, ...channels: readonly string[]): TestTopic {
  const { name } = before.topic;
  const { clock, stores, durability } = before;
  const test = testBroker({ clock, stores, durability });
  const topic = test.broker.recoverTopic(name);
  for (const channel of channels) topic.channel(channel);
  return testTopic({ name, test });
}

/** The program is killed and started anew, with these channels. */
export async function killed(before: TestTopic, ...channels: readonly string[]): Promise<TestTopic> {
  const stores = await before.stores.snapshot();
  before.clock.advance(RESTART_MS);
  const after = recoveredTopic({ ...before, stores }, ...channels);
  after.topic.start();
  return after;
}

/** A topic with a channel. */
export interface TestChannel extends TestTopic {
  readonly channel: Channel;
  readonly subscribe: (options?: TestConsumerOptions) => TestConsumer;
}

/** The channel `c` of a topic, made as {@linkcode testTopic} makes it. */
export function testChannel(options: Parameters<typeof testTopic>[0] = {}): TestChannel {
  const made = testTopic(options);
  const channel = made.topic.channel("c");
  return { ...made, channel, subscribe: (options) => new TestConsumer(channel, options) };
}

/** A message that a {@linkcode TestConsumer} got. */
export interface Delivery {
  readonly position: number;
  readonly body: string;
  readonly attempts: number;
}

/** What a {@linkcode TestConsumer} has asked for. */
export interface TestConsumerOptions {
  readonly readyCount?: number;
  readonly msgTimeoutMs?: number;
  readonly sampleRate?: number;
  readonly nearness?: Nearness;
  readonly observer?: FlightObserver;
}

/** A consumer of one channel. */
export class TestConsumer implements MessageSink {
  readonly consumer: Consumer;
  readonly channel: Channel;
  readonly deliveries: Delivery[] = [];
  hasRoom = true;
  closed = false;

  constructor(channel: Channel, options: TestConsumerOptions = {}) {
    this.channel = channel;
    const { readyCount = 100, msgTimeoutMs = 60_000, sampleRate = 0, nearness, observer } = options;
    this.consumer = new Consumer({
      sink: this,
      msgTimeoutMs,
      sampleRate,
      observer,
      ...(nearness === undefined ? {} : { nearness }),
    });
    this.consumer.readyCount = readyCount;
    channel.addConsumer(this.consumer);
    channel.awake(this.consumer);
  }

  /** The bodies that it got since the last call. */
  take(): string[] {
    return this.deliveries.splice(0).map(({ body }) => body);
  }

  send(segment: Segment, index: number, attempts: number): number {
    this.deliveries.push({ position: segment.base + index, body: textOf(segment, index), attempts });
    return segment.bodyLength(index);
  }

  close(): void {
    this.closed = true;
  }
}

/** The text as a body. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
