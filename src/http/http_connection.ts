/**
 * One connection of HTTP/1, from its first request to its last. What is done for a request is one read and one write
 * where both are small.
 *
 * ```
 *  idle ──▶ head ──▶ body ──▶ (the handler) ──▶ answer ──▶ idle
 *    │       │        │                           │
 *    └───────┴────────┴──── each within a time ───┴─────▶ lingering ──▶ closed
 * ```
 *
 * The answer to what was not read to its end goes out at once, and the connection ends after it. Then it lingers:
 * a client that still sends would not get to read the answer if what it sends met a closed socket.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { ErrorSink } from "../base/error_sink.ts";
import { errorText } from "../base/error_text.ts";
import type { FairShare } from "../base/fair_share.ts";
import { type Connection, isDisconnect, UnreadConnection, writeAll } from "../net/connection.ts";
import type { TlsState } from "../net/tls_server.ts";
import {
  Answer,
  CONTINUE,
  encodeAnswer,
  encodeChunk,
  encodeRefusal,
  HeaderBlock,
  LAST_CHUNK,
  Takeover,
} from "./answer.ts";
import type { BodyBudget } from "./body_budget.ts";
import { parseHead, RefusedRequest, type RequestHead } from "./head.ts";
import type { HttpRequest, RequestHandler, UpgradeOptions } from "./http_request.ts";
import { HttpInput } from "./input.ts";
import { type BodyOwner, RequestBody } from "./request_body.ts";
import { takeoverFor } from "./websocket.ts";

/** How long a connection may take for each of its parts, in ms; 0 is no limit. */
export interface HttpTimeouts {
  /** From the first byte of a head, or the connection's beginning, to the head's end. */
  readonly headerTimeoutMs: number;
  /** For a whole body. */
  readonly bodyTimeoutMs: number;
  /** From an answer to the next request. */
  readonly idleTimeoutMs: number;
  /** For each part of an answer that the client takes. */
  readonly writeTimeoutMs: number;
}

/** What a connection is served with. */
export interface HttpConnectionContext {
  readonly handler: RequestHandler;
  readonly timeouts: HttpTimeouts;
  /** By which they go. */
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly budget: BodyBudget;
  /** Shared by all connections of a server. */
  readonly share: FairShare;
  /** Reports a fault of the program, which has cost a request or a connection. */
  onFault(text: string): void;
  /** Is told of what is no request, and of what takes too long. @default {nobody} */
  readonly onError?: ErrorSink | undefined;
  /** True when no further request is to be served. */
  isClosing(): boolean;
}

/** What is left of a body is dropped, and the connection kept, if it is no longer than this, in bytes: as in Go. */
const DISCARDED_BYTES_MAX = 256 * 1024;
/** A larger head takes so long to be read and handled that it waits for its turn, in bytes. */
const LARGE_HEAD_SIZE = 16 * 1024;
/** Of what still comes after the last answer, so much is dropped, for so long. */
const LINGER_BYTES_MAX = 16 * 1024 * 1024;
const LINGER_TIME_MS = 5000;
/** An answer is written in parts of this size, so that time counts from what the client has taken. */
const WRITE_SIZE = 64 * 1024;

const NO_ANSWER_HEADERS = new HeaderBlock([]);

/** Serves one connection. */
export class HttpConnection implements BodyOwner {
  readonly input: HttpInput;
  readonly #connection: Connection;
  readonly #context: HttpConnectionContext;
  readonly #tls: TlsState | undefined;
  #deadlineMs: number;
  /** A request has begun, and its answer is not out. */
  #busy = false;
  /** No byte of the next request has come; a first request is waited for from the connection's beginning on. */
  #idle = false;
  /** The client sends its body when it is asked to. */
  #waits = false;

  constructor(connection: Connection, context: HttpConnectionContext, tls?: TlsState) {
    this.#tls = tls;
    this.#connection = connection;
    this.#context = context;
    this.input = new HttpInput(connection, context.budget, context.share);
    this.#deadlineMs = Infinity;
    this.#allow(context.timeouts.headerTimeoutMs);
  }

  get budget(): BodyBudget {
    return this.#context.budget;
  }

  /** True while a request is being answered. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Serves requests until one side has enough. Never rejects. */
  async run(): Promise<void> {
    try {
      while (await this.#exchange()) {
        this.input.shrink();
        this.#idle = true;
        this.#allow(this.#context.timeouts.idleTimeoutMs);
      }
    } catch (error) {
      this.#report(error);
    } finally {
      this.#busy = false;
      this.input.release();
      this.#connection.close();
    }
  }

  /** Ends the connection at once. */
  close(): void {
    this.#connection.close();
  }

  /** Ends the connection if it takes longer than it may. */
  checkTime(): void {
    if (this.#context.clock.monotonicMs() < this.#deadlineMs) return;
    // That there is no further request is nobody's fault.
    if (!this.#idle) this.#context.onError?.("HTTP_TIMEOUT", this.#connection.peer, "i/o timeout");
    this.#deadlineMs = Infinity;
    this.close();
  }

  async askForBody(): Promise<void> {
    if (!this.#waits) return;
    this.#waits = false;
    await writeAll(this.#connection, CONTINUE);
  }

  bodyAwaited(): void {
    this.#allow(this.#context.timeouts.bodyTimeoutMs);
  }

  bodyDone(): void {
    this.#deadlineMs = Infinity;
  }

  /** One request and its answer; true if another may follow. */
  async #exchange(): Promise<boolean> {
    let head: RequestHead;
    let isLarge: boolean;
    try {
      const bytes = await this.input.head(this.#onHeadBegun);
      if (bytes === undefined) return false;
      isLarge = bytes.length > LARGE_HEAD_SIZE;
      head = isLarge ? await this.#context.share.run(() => parseHead(bytes)) : parseHead(bytes);
    } catch (error) {
      if (!(error instanceof RefusedRequest)) throw error;
      await this.#refuse(error);
      return false;
    }
    this.#busy = true;
    this.#deadlineMs = Infinity;
    this.#waits = head.waits;
    const body = new RequestBody(this, head.bodyLength);
    try {
      return await this.#answer(head, body, isLarge);
    } finally {
      body.release();
      this.#busy = false;
    }
  }

  readonly #onHeadBegun = (): void => {
    if (!this.#idle) return;
    this.#idle = false;
    this.#allow(this.#context.timeouts.headerTimeoutMs);
  };

  async #answer(head: RequestHead, body: RequestBody, isLarge: boolean): Promise<boolean> {
    const answer = await this.#handle(head, body, isLarge);
    const { method, isOld } = head;
    const keepAlive = head.keepAlive && !this.#context.isClosing() &&
      (body.finished || await this.#mayReadRest(body));
    const pieces = encodeAnswer(answer, { isOld, keepAlive, isHead: method === "HEAD" });
    if (answer.body instanceof ReadableStream) {
      await this.#writeStream(pieces, answer.body, isOld);
    } else {
      for (const piece of pieces) await this.#write(piece);
    }
    if (answer instanceof Takeover) {
      const unread = this.input.take(this.input.length).slice();
      await answer.serve(new UnreadConnection(this.#connection, unread));
      return false;
    }
    // A stream may have lasted until now because of that.
    if (keepAlive && !this.#context.isClosing() && (body.finished || await body.discard())) {
      if (method === "POST") this.input.skipLineEnds();
      return true;
    }
    if (body.finished) await this.#sayGoodbye();
    else await this.#linger();
    return false;
  }

  async #handle(head: RequestHead, body: RequestBody, isLarge: boolean): Promise<Answer> {
    // Go's server answers this one itself.
    if (head.target === "*" && head.method === "OPTIONS") return new Answer(200, NO_ANSWER_HEADERS);
    try {
      const { peer } = this.#connection;
      const request = new ConnectionRequest(head, { body, peer, input: this.input, tls: this.#tls });
      const { handler, share } = this.#context;
      return await (isLarge ? share.run(() => handler(request)) : handler(request));
    } catch (error) {
      this.#context.onFault(`failed to respond - ${errorText(error)}`);
      return new Answer(500, NO_ANSWER_HEADERS);
    }
  }

  /** True if what the handler has left of a body is so little that it can be read to get at the next request. */
  async #mayReadRest(body: RequestBody): Promise<boolean> {
    // A client that asks before it sends can be refused without its body; another's may be of no use.
    return !this.#waits && await body.endsWithin(DISCARDED_BYTES_MAX);
  }

  async #refuse({ status, message }: RefusedRequest): Promise<void> {
    this.#context.onError?.(`HTTP_${status}`, this.#connection.peer, message);
    await this.#write(encodeRefusal(status, message));
    await this.#linger();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      this.#allow(this.#context.timeouts.writeTimeoutMs);
      sent += await this.#connection.write(bytes.subarray(sent, sent + WRITE_SIZE));
    }
    this.#deadlineMs = Infinity;
  }

  /** Writes the head, and then what comes, as it comes; when the client has gone, no more is asked for. */
  async #writeStream(
    head: readonly Uint8Array[],
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    isOld: boolean,
  ): Promise<void> {
    const reader = stream.getReader();
    let failure: unknown;
    // A stream that has failed fails again when it is canceled, also long after that, when the connection ends.
    const cancel = (reason: unknown) =>
      reader.cancel(reason).catch((error) => {
        if (error !== failure) this.#report(error);
        failure ??= error;
      });
    this.input.watch(() => void cancel("the client has gone"));
    try {
      for (const piece of head) await this.#write(piece);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (value.length > 0) await this.#write(isOld ? value : encodeChunk(value));
      }
      if (!isOld) await this.#write(LAST_CHUNK);
    } catch (error) {
      failure ??= error;
      await cancel(error);
      throw error;
    }
  }

  #report(error: unknown): void {
    if (!isGone(error)) this.#context.onFault(`[${this.#connection.peer}] ${errorText(error)}`);
  }

  async #sayGoodbye(): Promise<void> {
    this.#idle = true;
    this.#allow(LINGER_TIME_MS);
    await this.#connection.closeWrite?.();
  }

  /** Lets the client read the last answer, and drops what it sends meanwhile. */
  async #linger(): Promise<void> {
    await this.#sayGoodbye();
    for (let leftBytes = LINGER_BYTES_MAX; leftBytes > 0;) {
      leftBytes -= this.input.take(this.input.length).length;
      if (!await this.input.fill()) return;
    }
  }

  #allow(timeMs: number): void {
    this.#deadlineMs = timeMs === 0 ? Infinity : this.#context.clock.monotonicMs() + timeMs;
  }
}

/** A request on a connection. */
class ConnectionRequest implements HttpRequest {
  readonly body: RequestBody;
  readonly peer: string;
  readonly tls: TlsState | undefined;
  readonly #head: RequestHead;
  readonly #input: HttpInput;
  #controller: AbortController | undefined;

  constructor(
    head: RequestHead,
    of: {
      readonly body: RequestBody;
      readonly peer: string;
      readonly input: HttpInput;
      readonly tls: TlsState | undefined;
    },
  ) {
    this.#head = head;
    this.body = of.body;
    this.peer = of.peer;
    this.tls = of.tls;
    this.#input = of.input;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get headers(): RequestHead["headers"] {
    return this.#head.headers;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      this.#input.watch(() => controller.abort());
    }
    return this.#controller.signal;
  }

  upgrade(options: UpgradeOptions): Answer {
    return takeoverFor(this, options);
  }
}

/** True for the ways in which a connection ends that is of no use any more. */
function isGone(error: unknown): boolean {
  return isDisconnect(error) || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.TimedOut || error instanceof RefusedRequest;
}
