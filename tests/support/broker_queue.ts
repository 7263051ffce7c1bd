/**
 * The queue on a broker of its own, with its turns, on a clock that stands still unless it is moved.
 *
 * @module
 */
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { BrokerQueue } from "../../src/nsqd/queue/broker_queue.ts";
import { Turn } from "../../src/nsqd/turn.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { testBroker } from "./broker_setup.ts";
import type { TestStores } from "./broker_stores.ts";
import { FakeClock } from "./fake_clock.ts";
import { settle } from "./settle.ts";

/** A queue under test, and what is behind it. */
export interface TestQueue extends AsyncDisposable {
  readonly queue: BrokerQueue;
  readonly broker: Broker;
  readonly clock: FakeClock;
  /** Lets so much time pass, in steps that timeouts are looked for in, and everything happen that happens by then. */
  advance(ms: number): Promise<void>;
}

/** Of the node, in its messages' ids. */
export const NODE_ID = 7;
/** As nsqd has it. */
const LOOK_INTERVAL_MS = 100;

/** Makes one. */
export function brokerQueue(
  given: {
    readonly limits?: Partial<NsqdOptions> | undefined;
    readonly clock?: FakeClock;
    readonly stores?: TestStores;
  } = {},
): TestQueue {
  const { clock = new FakeClock(), limits = {}, stores } = given;
  const turn = new Turn(clock);
  const options = { ...defaultOptions(NSQD_OPTIONS), nodeId: NODE_ID, ...limits };
  const { broker } = testBroker({
    clock,
    ...stores && { stores },
    limits: { maxChannelConsumers: options.maxChannelConsumers, memQueueSize: options.memQueueSize },
    onWork: () => turn.schedule(),
  });
  turn.attach(broker);
  const queue = new BrokerQueue({
    broker,
    clock,
    logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write: () => {} }),
    options,
    openTopic: (name) => broker.topic(name),
    turn,
    persistMetadata: () => Promise.resolve(),
    sessions: () => [],
    clientOf() {
      throw new Error("The consumer is none of the queue's");
    },
  });
  return {
    queue,
    broker,
    clock,
    async advance(ms) {
      // A second at a time is enough for what takes minutes.
      const stepMs = Math.max(LOOK_INTERVAL_MS, Math.ceil(ms / 60));
      await settle();
      for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
        clock.advance(Math.min(leftMs, stepMs));
        broker.scan(clock.monotonicMs());
        queue.look();
        await settle();
      }
    },
    async [Symbol.asyncDispose]() {
      queue.stopDelivery();
      await settle();
    },
  };
}
