/**
 * `GET /subscribe`: messages as Server-Sent Events (HTML, "Server-sent events"), each with its lease as its id:
 *
 * ```
 *  retry: 2000
 *
 *  id: 0d3c8f2a1b4e5f60.1.k3f9x2qa
 *  data: {"id":"0d3c8f2a1b4e5f60","lease":…,"body":"hello"}
 *
 *  event: closing
 *  data: {"message":"STOPPING"}
 * ```
 *
 * All events of a turn go out in one piece. That is why they are not written by std's `ServerSentEventStream`, which makes a
 * piece of each: it costs more than all the rest of a delivery (docs/performance.md).
 *
 * @module
 */
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import {
  EVENT_STREAM_BEAT,
  EVENT_STREAM_BEAT_INTERVAL_MS,
  EVENT_STREAM_HEADERS,
  FIRST_EVENT,
} from "../../http/server_sent_events.ts";
import type { EndReason, LeasedMessage, StreamSink, Subscription } from "../queue/queue.ts";
import { clientOf, consumeParams, numberOf, timeoutOf } from "./consume.ts";
import type { ApiContext } from "./context.ts";
import { messageJson } from "./message_forms.ts";
import { placeOf } from "./params.ts";

/** A client that has taken nothing for so long of what waits for it is left, in ms. */
export const STALL_TIME_MS = 60_000;
/** Bytes that may wait for the client to read them before it gets no more. */
export const PENDING_SIZE_MAX = 64 * 1024;
const ENCODER = new TextEncoder();

/** `GET /subscribe` */
export async function subscribe(nsqd: ApiContext, request: RequestContext): Promise<Answer> {
  const params = consumeParams(nsqd, request);
  const place = placeOf(params);
  const most = nsqd.options.maxRdyCount;
  const maxInFlight = numberOf(params, "max_in_flight", { least: 1, most }) ?? 1;
  const timeoutMs = timeoutOf(nsqd, params);
  const ack = params.get("ack") ?? "manual";
  if (ack !== "manual" && ack !== "auto") throw new HttpError(400, "INVALID_ACK");
  await nsqd.authorize(request, place);
  const stream = new EventStream();
  const wish = { maxInFlight, timeoutMs, isAutomatic: ack === "auto", client: clientOf(request) };
  stream.begin(await nsqd.queue.subscribe(place, wish, stream));
  return new Answer(200, EVENT_STREAM_HEADERS, stream.readable);
}

/** The events of one client. */
export class EventStream implements StreamSink {
  /** What the client reads. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #timers: Timers;
  readonly #ended = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  #subscription: Subscription | undefined;
  /** Events of this turn. */
  #events = "";
  /** When the client took something last, or had nothing to take. */
  #progressMs: number;

  constructor(timers: Timers = SYSTEM_TIMERS) {
    this.#timers = timers;
    this.#progressMs = timers.monotonicMs();
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#taken(),
      cancel: () => this.#leave(),
    }, { highWaterMark: PENDING_SIZE_MAX, size: ({ length }) => length });
    this.#enqueue(FIRST_EVENT);
  }

  get hasRoom(): boolean {
    return !this.#ended.signal.aborted && this.#events.length < this.#room;
  }

  /** Where the messages come from. */
  begin(subscription: Subscription): void {
    this.#subscription = subscription;
    // It may have ended meanwhile.
    if (this.#ended.signal.aborted) subscription.close();
    else void this.#keepAlive();
  }

  send(message: LeasedMessage): void {
    this.#events += `id: ${message.lease}\ndata: ${messageJson(message)}\n\n`;
  }

  flush(): void {
    if (this.#ended.signal.aborted || this.#events === "") return;
    this.#enqueue(this.#events);
    this.#events = "";
  }

  end(reason: EndReason): void {
    if (this.#ended.signal.aborted) return;
    this.flush();
    this.#enqueue(`event: closing\ndata: {"message":"${reason.toUpperCase()}"}\n\n`);
    this.#ended.abort();
    this.#controller?.close();
  }

  /** Bytes that the client may still be sent. */
  get #room(): number {
    return this.#controller?.desiredSize ?? 0;
  }

  #enqueue(text: string): void {
    this.#controller?.enqueue(ENCODER.encode(text));
  }

  /** The client has taken something, and there is room. */
  #taken(): void {
    this.#progressMs = this.#timers.monotonicMs();
    this.#subscription?.awake();
  }

  /** The client has gone. */
  #leave(): void {
    this.#ended.abort();
    this.#subscription?.close();
  }

  /** Sends comments, and leaves a client that does not read. */
  async #keepAlive(): Promise<void> {
    const { signal } = this.#ended;
    for (;;) {
      await this.#timers.sleep(EVENT_STREAM_BEAT_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const nowMs = this.#timers.monotonicMs();
      if (this.#room > 0) {
        this.#progressMs = nowMs;
        this.#enqueue(EVENT_STREAM_BEAT);
      } else if (nowMs - this.#progressMs >= STALL_TIME_MS) {
        this.#leave();
        this.#controller?.error(new Deno.errors.TimedOut("The client does not read"));
        return;
      }
    }
  }
}
