/**
 * The broker that the options ask for.
 *
 * @module
 */

import { Broker, type BrokerOptions } from "../broker/broker.ts";
import { DurabilityRules } from "../broker/durability.ts";
import { Latency } from "../broker/latency.ts";
import type { NsqdOptions } from "./options.ts";

/** What the broker is made with besides the options: the world, and who is told what happens. */
export type BrokerContext = Pick<
  BrokerOptions,
  | "clock"
  | "logger"
  | "stores"
  | "wasStopped"
  | "keeping"
  | "keepingFailure"
  | "onWork"
  | "othersFirst"
  | "onFault"
  | "onChange"
  | "onStored"
  | "startTopic"
  | "onSynced"
  | "memory"
  | "ending"
>;

/** What an ephemeral topic or channel keeps when `--mem-queue-size=0` would let it keep nothing. */
const EPHEMERAL_DEPTH_DEFAULT = 10_000;

/** Makes the broker. */
export function makeBroker(options: NsqdOptions, context: BrokerContext): Broker {
  const quantiles = options.e2eProcessingLatencyPercentiles;
  const windowMs = options.e2eProcessingLatencyWindowTimeMs;
  const durability = new DurabilityRules(options.durability, options.durabilityTopics);
  return new Broker({
    ...context,
    limits: {
      memQueueSize: options.memQueueSize,
      maxBytesPerFile: options.maxBytesPerFile,
      maxChannelConsumers: options.maxChannelConsumers,
      maxMsgTimeoutMs: options.maxMsgTimeoutMs,
      ephemeralDepthMax: options.memQueueSize > 0 ? options.memQueueSize : EPHEMERAL_DEPTH_DEFAULT,
    },
    newLatency: () =>
      quantiles.length > 0 || options.metricsLatency
        ? new Latency({ quantiles, windowMs, nowMs: context.clock.monotonicMs() })
        : undefined,
    durabilityOf: (topic) => durability.of(topic),
    syncEvery: options.syncEvery,
  });
}
