/**
 * Traces by OpenTelemetry, which the runtime exports where `OTEL_DENO=true` asks it to; without that nothing of this is loaded,
 * and nothing of it is done.
 *
 * ```
 *  a client's span ──traceparent──▶ POST /pub   span "pub T"       its context is kept with the message
 *                                                    ▲
 *                                                    └─── link ─── span "process T": from each delivery to FIN, REQ or timeout
 * ```
 *
 * A consumer over HTTP is told that context, too, so that its own spans can be linked or joined to the trace; protocol V2 has
 * no place for it.
 *
 * Only what a client has begun to trace, and has sampled, is traced here: a message whose publish came without a `traceparent`,
 * or with one that is not sampled, costs nothing. Names are those of the semantic conventions for messaging 1.45.0.
 *
 * @module
 */

import type { Attributes, Context, Span, SpanContext, Tracer } from "@opentelemetry/api";
import type { Logger } from "../../base/logger.ts";
import { variable } from "../../base/platform.ts";
import type { FlightEnd, FlightObserver } from "../../broker/consumer.ts";
import type { Segment } from "../../log/segment.ts";
import { TRACE_ATTRIBUTE_LENGTH, TRACE_LENGTH, writeTraceAttribute } from "../../log/segment_image.ts";
import { readU32 } from "../../protocol/frames.ts";
import { MESSAGE_ID_LENGTH, writeMessageId } from "../../protocol/message_id.ts";
import { isEphemeral } from "../../protocol/names.ts";
import { byteString } from "../../protocol/quote.ts";

type Api = typeof import("@opentelemetry/api");

/** Deliveries of traced messages to one consumer that are followed at a time; further ones have no span. */
export const SPANS_PER_CONSUMER_MAX = 1000;
const VARIABLE = "OTEL_DENO";
const SAMPLED = 1;
const TRACE_ID_LENGTH = 16;
const SPAN_ID_LENGTH = 8;
/** `00-<trace id>-<span id>-<flags>`; what a later version has behind that means nothing here. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-|$)/;
/** What of NSQ's commands a delivery ends with is an error, as telemetry has it. */
const ERROR_TYPES: Readonly<Record<FlightEnd, string | undefined>> = {
  finished: undefined,
  requeued: "requeued",
  timedOut: "timeout",
  dropped: "dropped",
};

/** What {@linkcode Tracing} is made with. */
export interface TracingContext {
  /** Of which message ids are made. */
  readonly nodeId: number;
  readonly logger: Logger;
}

/** Messages that are published, as far as their span tells of them. */
export interface TracedPublish {
  /** `pub` or `mpub`. */
  readonly operation: "pub" | "mpub";
  readonly topic: string;
  readonly bodyBytes: number;
  /** Of a batch, its messages. */
  readonly count?: number;
}

/** The span of a publish. */
export interface PublishSpan {
  /** What is kept with the message: an attribute of the log's format. */
  readonly attributes: Uint8Array;
  /** It has been published, or has not, which the error says. */
  end(error?: unknown): void;
}

/** Who gets messages. */
export interface TracedConsumer {
  readonly topic: string;
  readonly channel: string;
  readonly clientId: string;
}

/** Makes spans. */
export class Tracing {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #nodeId: number;

  private constructor(api: Api, nodeId: number) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("denosq");
    this.#nodeId = nodeId;
  }

  /** Undefined where nobody has asked for traces, and where the runtime cannot export any, which the log says. */
  static async load({ nodeId, logger }: TracingContext): Promise<Tracing | undefined> {
    if (variable(VARIABLE) !== "true") return undefined;
    const tracing = new Tracing(await import("@opentelemetry/api"), nodeId);
    if (tracing.#isExported()) {
      logger.info("OTEL: what clients trace is traced here, too, and exported");
      return tracing;
    }
    // Whether it exports is decided where an executable is compiled, not where it runs (Deno 2.9.6).
    logger.warn(`OTEL: nothing is exported, for this executable was compiled without ${VARIABLE}=true`);
    return undefined;
  }

  /** Begins the span of a publish, if the client traces it. */
  publishing(traceparent: string | undefined, publish: TracedPublish): PublishSpan | undefined {
    const parent = parseTraceparent(traceparent);
    if (parent === undefined) return undefined;
    const { operation, topic, bodyBytes, count } = publish;
    const attributes: Attributes = {
      ...ofTopic(topic),
      "messaging.operation.name": operation,
      "messaging.operation.type": "send",
      "messaging.message.body.size": bodyBytes,
    };
    if (count !== undefined) attributes["messaging.batch.message_count"] = count;
    const { SpanKind, trace } = this.#api;
    const span = this.#tracer.startSpan(
      `${operation} ${topic}`,
      { kind: SpanKind.PRODUCER, attributes },
      trace.setSpanContext(this.#root, parent),
    );
    return {
      attributes: attributeOf(span.spanContext()),
      end: (error) => {
        if (error !== undefined) this.#failed(span, error instanceof Error ? error.message : String(error));
        span.end();
      },
    };
  }

  /** The context that the message at the index was published in, as a `traceparent`; undefined where it was not traced. */
  traceparentOf(segment: Segment, index: number): string | undefined {
    const at = segment.traceAt(index);
    if (at === 0) return undefined;
    const { traceId, spanId, traceFlags } = contextAt(segment.bytes, at);
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  }

  /** Follows the deliveries to a consumer. What it is called is asked for when a delivery begins. */
  observer(consumer: TracedConsumer): FlightObserver {
    const spans = new Map<number, Span>();
    return {
      began: (segment, index, attempts) => {
        const at = segment.traceAt(index);
        if (at === 0 || spans.size >= SPANS_PER_CONSUMER_MAX) return;
        const context = contextAt(segment.bytes, at);
        if (!(context.traceFlags & SAMPLED)) return;
        const span = this.#process(consumer, context, this.#ofMessage(segment, index, attempts));
        spans.set(segment.base + index, span);
      },
      ended: (position, how) => {
        const span = spans.get(position);
        if (span === undefined) return;
        spans.delete(position);
        this.#endProcess(span, how);
      },
      emptied: () => {
        for (const span of spans.values()) this.#endProcess(span, "dropped");
        spans.clear();
      },
    };
  }

  #isExported(): boolean {
    const { traceId } = this.#tracer.startSpan("start").spanContext();
    return traceId !== this.#api.INVALID_TRACEID;
  }

  get #root(): Context {
    return this.#api.ROOT_CONTEXT;
  }

  #process({ topic, channel, clientId }: TracedConsumer, context: SpanContext, message: Attributes): Span {
    const attributes: Attributes = {
      ...ofTopic(topic),
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      // Whatever groups by consumers knows one of these.
      "messaging.destination.subscription.name": channel,
      "messaging.consumer.group.name": channel,
      "messaging.client.id": clientId,
      ...message,
    };
    const options = { kind: this.#api.SpanKind.CONSUMER, attributes, links: [{ context }] };
    return this.#tracer.startSpan(`process ${topic}`, options, this.#root);
  }

  #endProcess(span: Span, how: FlightEnd): void {
    const type = ERROR_TYPES[how];
    if (type !== undefined) this.#failed(span, type);
    span.end();
  }

  #failed(span: Span, type: string): void {
    span.setAttribute("error.type", type);
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: type });
  }

  #ofMessage(segment: Segment, index: number, attempts: number): Attributes {
    const foreign = segment.foreignId(index);
    const id = new Uint8Array(MESSAGE_ID_LENGTH);
    if (foreign === 0) writeMessageId(id, 0, segment.base + index, this.#nodeId);
    else id.set(segment.bytes.subarray(foreign, foreign + MESSAGE_ID_LENGTH));
    return {
      "messaging.message.id": byteString(id),
      "messaging.message.body.size": readU32(segment.bytes, segment.bodyOffset(index) - 4),
      "messaging.nsq.message.attempts": attempts,
    };
  }
}

/** What a W3C `traceparent` says that is sampled; undefined for none, for one that is not, and for what is none. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const match = TRACEPARENT.exec(text ?? "");
  if (match === null) return undefined;
  const [, traceId, spanId, flags] = match;
  const traceFlags = Number.parseInt(flags, 16);
  return traceFlags & SAMPLED ? { traceId, spanId, traceFlags, isRemote: true } : undefined;
}

function ofTopic(topic: string): Attributes {
  return {
    "messaging.system": "nsq",
    "messaging.destination.name": topic,
    "messaging.destination.temporary": isEphemeral(topic) || undefined,
  };
}

function attributeOf({ traceId, spanId, traceFlags }: SpanContext): Uint8Array {
  const bytes = new Uint8Array(TRACE_ATTRIBUTE_LENGTH);
  const at = writeTraceAttribute(bytes, 0);
  bytes.set(Uint8Array.fromHex(traceId), at);
  bytes.set(Uint8Array.fromHex(spanId), at + TRACE_ID_LENGTH);
  bytes[at + TRACE_LENGTH - 1] = traceFlags;
  return bytes;
}

function contextAt(bytes: Uint8Array, at: number): SpanContext {
  const hex = (from: number, length: number) => bytes.subarray(from, from + length).toHex();
  return {
    traceId: hex(at, TRACE_ID_LENGTH),
    spanId: hex(at + TRACE_ID_LENGTH, SPAN_ID_LENGTH),
    traceFlags: bytes[at + TRACE_LENGTH - 1],
    isRemote: true,
  };
}
