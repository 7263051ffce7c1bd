/**
 * nsqd's protocol without a daemon: sessions on a real broker, whose store is in memory, over connections in
 * memory. Time stands still until it is moved, and nothing happens but in `settle()`.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { assertEquals } from "@std/assert";
import type { Clock } from "../../src/base/clock.ts";
import type { ErrorSink } from "../../src/base/error_sink.ts";
import { LOG_LEVELS, Logger, type LogLevel } from "../../src/base/logger.ts";
import { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import { DurabilityRules } from "../../src/broker/durability.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { Session, type SessionContext } from "../../src/nsqd/session/session.ts";
import { Turn } from "../../src/nsqd/turn.ts";
import { TestStores } from "./broker_stores.ts";
import { SharedSlice } from "../../src/base/time_slice.ts";
import { eventually } from "./eventually.ts";
import { FakeClock } from "./fake_clock.ts";
import { bytesOf, type Frame, FrameReader, identify, join, MAGIC, response } from "./frames.ts";
import { MemoryConnection } from "./memory_connection.ts";

/** The node that gives out the message ids. */
export const NODE_ID = 5;
/** Longer than any chain of work that one event begins. */
const SETTLE_TURNS = 4;

/** What {@linkcode NsqdInMemory} may be told. */
export interface NsqdInMemoryOptions {
  readonly options?: Partial<NsqdOptions>;
  /** Ends turns by the test's own hand. */
  readonly turn?: (clock: Clock) => Turn;
}

/** What sessions need, and what a test wants to see of it. */
export class NsqdInMemory implements SessionContext {
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly logger: Logger;
  readonly options: NsqdOptions;
  readonly broker: Broker;
  readonly openTopic = (name: string) => this.broker.topic(name);
  readonly turn: Turn;
  readonly connections = new Set<Session>();
  /** It never ends: nothing is to depend on how fast a test runs. */
  readonly slice = new SharedSlice({ monotonicMs: () => 0 });
  readonly tlsServer = undefined;
  readonly stores = new TestStores();
  /** What clients have done wrong: code, address and text. */
  readonly errors: string[] = [];
  readonly onError: ErrorSink = (...error) => void this.errors.push(error.join(" "));
  #connected = 0;

  constructor(given: NsqdInMemoryOptions = {}) {
    const options = { ...defaultOptions(NSQD_OPTIONS), nodeId: NODE_ID, ...given.options };
    this.options = options;
    const write = (line: string) => this.lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
    const level: LogLevel = LOG_LEVELS.info;
    this.logger = new Logger({ prefix: "", level, write });
    this.turn = given.turn?.(this.clock) ?? new Turn(this.clock);
    const durability = new DurabilityRules(options.durability, options.durabilityTopics);
    this.broker = new Broker({
      clock: this.clock,
      logger: this.logger,
      stores: this.stores,
      limits: {
        memQueueSize: options.memQueueSize,
        maxBytesPerFile: options.maxBytesPerFile,
        maxChannelConsumers: options.maxChannelConsumers,
        maxMsgTimeoutMs: options.maxMsgTimeoutMs,
        ephemeralDepthMax: options.memQueueSize,
      },
      newLatency: () => undefined,
      durabilityOf: (topic) => durability.of(topic),
      syncEvery: options.syncEvery,
      wasStopped: () => false,
      keeping: () => undefined,
      keepingFailure: () => undefined,
      onWork: () => this.turn.schedule(),
      othersFirst: () => Promise.resolve(),
      onFault(error) {
        throw error;
      },
      onChange: () => {},
      onStored: () => {},
    });
    this.turn.attach(this.broker);
  }

  authorize(): Promise<never> {
    return Promise.reject(new Error("no auth server"));
  }

  /** Connects a client, which says the magic. */
  async connect(options: { readonly magic?: string } = {}): Promise<MemoryClient> {
    const client = new MemoryClient(this, `127.0.0.1:${5001 + this.#connected++}`);
    await client.send(options.magic ?? MAGIC);
    return client;
  }

  /** Time passes; what is due then happens. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.#look();
  }

  /** Somebody sets the clock; nothing is due because of that. */
  async step(ms: number): Promise<void> {
    this.clock.step(ms);
    this.broker.wallClockStepped(ms);
    await this.#look();
  }

  async #look(): Promise<void> {
    const monotonicMs = this.clock.monotonicMs();
    this.broker.scan(monotonicMs);
    for (const session of this.connections) session.keepAlive(monotonicMs);
    await settle();
  }
}

/** A client of an {@linkcode NsqdInMemory}. */
export class MemoryClient {
  readonly connection: MemoryConnection;
  readonly session: Session;
  /** Settles when the session has ended. */
  readonly done: Promise<void>;
  readonly #reader = new FrameReader();

  constructor(nsqd: SessionContext, peer: string) {
    this.connection = new MemoryConnection(peer);
    this.session = new Session(nsqd, this.connection);
    this.done = this.session.run();
  }

  /** Sends the parts at once. */
  async send(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    this.connection.push(join(...parts.map(bytesOf)));
    await settle();
  }

  /** The frames that have come since the last call. */
  frames(): Frame[] {
    return this.#reader.push(join(...this.connection.written.splice(0)));
  }

  /** Sends the parts and returns the frames that come. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<Frame[]> {
    await this.send(...parts);
    return this.frames();
  }

  /** Sends no more; the session is to end. */
  async end(): Promise<Frame[]> {
    this.connection.end();
    await settle();
    return this.frames();
  }
}

/** A test with an nsqd, whose clients must all have gone when it ends. */
export function inMemory(
  test: (nsqd: NsqdInMemory) => Promise<void>,
  options: Partial<NsqdOptions> = {},
): () => Promise<void> {
  return async () => {
    const nsqd = new NsqdInMemory({ options });
    try {
      await test(nsqd);
    } finally {
      for (const session of nsqd.connections) session.close();
      await settle();
      // What takes long is done in slices of real time: on a busy machine one more may be left.
      await eventually("all sessions have ended", () => nsqd.connections.size === 0);
    }
  };
}

/** A consumer of topic `t`, channel `c`. */
export async function consumer(
  nsqd: NsqdInMemory,
  options: { readonly rdy?: number; readonly identify?: unknown } = {},
): Promise<MemoryClient> {
  const client = await nsqd.connect();
  if (options.identify !== undefined) await client.ask(identify(options.identify));
  assertEquals(await client.ask("SUB t c\n"), [response("OK")]);
  if (options.rdy !== undefined) await client.send(`RDY ${options.rdy}\n`);
  return client;
}

/** Publishes to topic `t`. */
export async function publish({ broker }: NsqdInMemory, ...bodies: readonly string[]): Promise<void> {
  for (const body of bodies) broker.topic("t").publish(new TextEncoder().encode(body));
  await settle();
}

/** The channel that {@linkcode consumer} subscribes to. */
export function channelOf({ broker }: NsqdInMemory): Channel {
  return broker.topic("t").channel("c");
}

/** Lets everything happen that can happen without time passing. */
export async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
