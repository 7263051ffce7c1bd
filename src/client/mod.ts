/**
 * A client of NSQ for Deno and Node.js: {@linkcode Producer} publishes, {@linkcode Consumer} takes messages.
 *
 * @module
 */

export { type BackoffOptions } from "./backoff_machine.ts";
export { type NodeAddress, parseNodeAddress } from "./address.ts";
export {
  Consumer,
  type ConsumerOptions,
  type ConsumerStats,
  type GiveUp,
  type RunOptions,
} from "./consumer.ts";
export { type Handler } from "./deliveries.ts";
export {
  ClosedError,
  ConnectionError,
  NsqdError,
  NsqError,
  PublishError,
  QueueFullError,
  TimeoutError,
} from "./errors.ts";
export { GoConfig, type GoValue } from "./go_config.ts";
export { type DialOptions, type Link, type LinkOwner, type Transport } from "./link.ts";
export { Message, type RequeueOptions } from "./message.ts";
export { type ConnectionOptions, type TlsOptions } from "./options.ts";
export {
  type Body,
  Producer,
  type ProducerOptions,
  type ProducerStats,
  type PublishOptions,
  type Receipt,
} from "./producer.ts";
export { type BatchLimits } from "./publish_queue.ts";
export { type Status } from "./status.ts";
export {
  type Tracing,
  type TracingAttributes,
  type TracingMetricOptions,
  type TracingSpan,
  type TracingSpanContext,
  type TracingSpanOptions,
} from "./tracing.ts";
