/**
 * Spans and metrics of OpenTelemetry (semantic conventions 1.45 for messaging, which are in development), by whatever the
 * program hands over: `@opentelemetry/api` as a whole fits. Without it there is nothing here at run time but a look whether
 * it is there, once for a batch and once for a handler.
 *
 * | what | span | kind |
 * | --- | --- | --- |
 * | one message | `pub T`, `dpub T` | producer; a child of the span in which it was published |
 * | a batch | `mpub T` | client; linked to the spans in which its messages were published |
 * | a handler's run | `process T` | consumer; active while the handler runs |
 *
 * There is no room for a context in NSQ's messages, so a consumer's spans are not linked to a producer's.
 *
 * @module
 */

import { isEphemeral } from "../protocol/names.ts";
import type { Message } from "./message.ts";
import { CLIENT_VERSION } from "./options.ts";

/** What is used of a span. */
export interface TracingSpan {
  setAttribute(name: string, value: string): unknown;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  recordException(error: Error): void;
  end(): void;
}

/** Values of attributes. */
export type TracingAttributes = Readonly<Record<string, string | number | boolean>>;

/** What names a span. */
export interface TracingSpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** How a span begins. */
export interface TracingSpanOptions {
  readonly kind: number;
  readonly attributes: TracingAttributes;
  readonly links?: { readonly context: TracingSpanContext }[];
}

/** What is used of `@opentelemetry/api`. */
export interface Tracing {
  readonly trace: {
    getTracer(name: string, version: string): {
      startSpan(name: string, options: TracingSpanOptions, context?: unknown): TracingSpan;
    };
    setSpan(context: unknown, span: TracingSpan): unknown;
    getSpanContext(context: unknown): TracingSpanContext | undefined;
  };
  readonly metrics: {
    getMeter(name: string, version: string): {
      createHistogram(name: string, options: TracingMetricOptions): {
        record(value: number, attributes: TracingAttributes): void;
      };
      createCounter(name: string, options: TracingMetricOptions): {
        add(value: number, attributes: TracingAttributes): void;
      };
    };
  };
  readonly context: {
    active(): unknown;
    with<T>(context: unknown, run: () => T): T;
  };
}

/** How a metric is described. */
export interface TracingMetricOptions {
  readonly unit: string;
  readonly description: string;
  readonly advice?: { readonly explicitBucketBoundaries: number[] };
}

const NAME = "@denosq/client";
/** OpenTelemetry's numbers. */
const KIND = { client: 2, producer: 3, consumer: 4 } as const;
const STATUS_ERROR = 2;
/** As the conventions recommend, in seconds. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** A batch that is being sent. */
export interface Sending {
  readonly operation: "pub" | "dpub" | "mpub";
  readonly topic: string;
  readonly node: string;
  readonly messages: number;
  readonly bytes: number;
  /** What was active when the messages were published. */
  readonly contexts: readonly unknown[];
}

/** Makes the spans and metrics of one producer or consumer. */
export class Tracer {
  readonly #tracing: Tracing;
  readonly #tracer;
  readonly #duration;
  readonly #processDuration;
  readonly #sent;
  readonly #consumed;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
    this.#tracer = tracing.trace.getTracer(NAME, CLIENT_VERSION);
    const meter = tracing.metrics.getMeter(NAME, CLIENT_VERSION);
    const seconds = { unit: "s", advice: { explicitBucketBoundaries: BOUNDARIES } };
    this.#duration = meter.createHistogram("messaging.client.operation.duration", {
      ...seconds,
      description: "How long it took until nsqd answered a command that publishes.",
    });
    this.#processDuration = meter.createHistogram("messaging.process.duration", {
      ...seconds,
      description: "How long a handler had a message.",
    });
    this.#sent = meter.createCounter("messaging.client.sent.messages", {
      unit: "{message}",
      description: "Messages that were published.",
    });
    this.#consumed = meter.createCounter("messaging.client.consumed.messages", {
      unit: "{message}",
      description: "Messages that were delivered.",
    });
  }

  /** What is active now, for a message that is sent later. */
  context(): unknown {
    return this.#tracing.context.active();
  }

  /** Begins a span for a command; what is returned ends it. */
  sending({ operation, topic, node, messages, bytes, contexts }: Sending): (error?: Error) => void {
    const startMs = performance.now();
    const isBatch = operation === "mpub";
    const common = { ...destination(topic, operation, "send"), ...server(node) };
    const attributes = {
      ...common,
      ...isBatch ? { "messaging.batch.message_count": messages } : { "messaging.message.body.size": bytes },
    };
    const { trace } = this.#tracing;
    const links = isBatch ? contexts.flatMap((context) => trace.getSpanContext(context) ?? []) : [];
    const span = this.#tracer.startSpan(`${operation} ${topic}`, {
      kind: isBatch ? KIND.client : KIND.producer,
      attributes,
      ...links.length > 0 && { links: links.map((context) => ({ context })) },
    }, isBatch ? undefined : contexts[0]);
    return (error) => {
      const failure = endSpan(span, error);
      this.#duration.record((performance.now() - startMs) / 1000, { ...common, ...failure });
      this.#sent.add(messages, { ...common, ...failure });
    };
  }

  /** A message was delivered. */
  consumed({ topic, channel, node }: Message): void {
    this.#consumed.add(1, {
      ...destination(topic, "receive", "receive"),
      ...subscription(channel),
      ...server(node),
    });
  }

  /** Runs a handler in a span of its own. */
  processing(message: Message, run: () => void | Promise<void>): void | Promise<void> {
    const startMs = performance.now();
    const { topic, channel, node } = message;
    const common = { ...destination(topic, "process", "process"), ...subscription(channel), ...server(node) };
    const attributes = {
      ...common,
      "messaging.message.id": message.id,
      "messaging.message.body.size": message.body.length,
      "messaging.nsq.message.attempts": message.attempts,
    };
    const span = this.#tracer.startSpan(`process ${topic}`, { kind: KIND.consumer, attributes });
    const ended = (error?: unknown) => {
      const failure = endSpan(span, error);
      this.#processDuration.record((performance.now() - startMs) / 1000, { ...common, ...failure });
    };
    const { context, trace } = this.#tracing;
    let result: void | Promise<void>;
    try {
      result = context.with(trace.setSpan(context.active(), span), run);
    } catch (error) {
      ended(error);
      throw error;
    }
    if (typeof result?.then !== "function") return ended();
    return result.then(() => ended(), (error) => {
      ended(error);
      throw error;
    });
  }
}

/** Ends a span; the attribute that says what went wrong, if something did. */
function endSpan(span: TracingSpan, error: unknown): TracingAttributes {
  if (error === undefined) {
    span.end();
    return {};
  }
  const failed = error instanceof Error ? error : new Error(String(error));
  const type = "code" in failed && typeof failed.code === "string" ? failed.code : failed.name;
  span.recordException(failed);
  span.setStatus({ code: STATUS_ERROR, message: failed.message });
  span.setAttribute("error.type", type);
  span.end();
  return { "error.type": type };
}

function destination(topic: string, operation: string, type: string): TracingAttributes {
  return {
    "messaging.system": "nsq",
    "messaging.operation.name": operation,
    "messaging.operation.type": type,
    "messaging.destination.name": topic,
    ...isEphemeral(topic) && { "messaging.destination.temporary": true },
  };
}

function subscription(channel: string): TracingAttributes {
  return { "messaging.destination.subscription.name": channel, "messaging.consumer.group.name": channel };
}

function server(node: string): TracingAttributes {
  const [, host, port] = /^(?:\w+:\/\/)?(?:\[([^\]]+)\]|[^:/]+):(\d+)/.exec(node) ?? [];
  if (port === undefined) return { "server.address": node };
  return {
    "server.address": host ?? node.slice(0, node.lastIndexOf(":")).replace(/^\w+:\/\//, ""),
    "server.port": Number(port),
  };
}
