/**
 * Requests to other HTTP servers, which may hang, be huge, or send nonsense: each has a limit of time, to connect and in
 * all, and of size; all together have one of number and of memory. Redirections are not followed. Why a request failed is
 * said in the words of Go's client, which operators of NSQ know.
 *
 * By hand, on a connection of its own each: `fetch` has no way not to verify a certificate, and refuses ports that browsers do;
 * Node's client takes four times as long to receive (docs/performance.md). Connections are not kept: one that its server has closed
 * meanwhile would have to be told from a request that failed.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { Budget } from "../base/budget.ts";
import { errorText } from "../base/error_text.ts";
import { FairShare } from "../base/fair_share.ts";
import { hostPort } from "../base/host_port.ts";
import { writeAll } from "../net/connection.ts";
import type { Header } from "./answer.ts";
import { AnswerReader, type ClientAnswer } from "./answer_reader.ts";
import { BodyBudget } from "./body_budget.ts";
import { type ClientTls, codeOf, dial } from "./dial.ts";

/** What {@linkcode HttpClient} is made from. */
export interface HttpClientOptions {
  /** 0 is no limit, here and below. */
  readonly connectTimeoutMs: number;
  /** From the beginning of a request to the end of its answer. */
  readonly requestTimeoutMs: number;
  readonly tls?: ClientTls;
  /** The largest answer, in bytes. @default {ANSWER_SIZE_MAX} */
  readonly answerSizeMax?: number;
  /** Bytes of all answers that are on their way or in use. @default {ANSWERS_SIZE_MAX} */
  readonly answersSizeMax?: number;
  /** Requests at a time; further ones wait. @default {REQUESTS_MAX} */
  readonly requestsMax?: number;
  /** Requests that wait; further ones fail. @default {WAITING_MAX} */
  readonly waitingMax?: number;
  /** Ends all requests. */
  readonly signal: AbortSignal;
}

/** A request. */
export interface ClientRequest {
  readonly method: string;
  /** HTTP or HTTPS; with name and password, these are sent. */
  readonly url: URL;
  readonly headers?: readonly Header[];
  readonly body?: string | undefined;
  /** How long it may take, if that is less than any may. */
  readonly timeoutMs?: number | undefined;
}

/** The largest answer that is read, in bytes. */
export const ANSWER_SIZE_MAX = 32 * 1024 * 1024;
/** Bytes of all answers together. */
export const ANSWERS_SIZE_MAX = 256 * 1024 * 1024;
/** Requests at a time. */
export const REQUESTS_MAX = 200;
/** Requests that wait for that. */
export const WAITING_MAX = 20_000;

/** Room that is kept for further answers, and how much of it in bytes; and what an answer without any begins with. */
const ROOMS_MAX = 4;
const ROOM_SIZE_MAX = 2 * 1024 * 1024;
const ROOM_SIZE_MIN = 64 * 1024;

/** Ports of addresses that do not say one. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** Makes requests. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #places: Budget;
  readonly #memory: BodyBudget;
  readonly #waitingMax: number;
  readonly #share = new FairShare();
  /** Used again and again: making room for each of hundreds of answers would be most of the collector's work. */
  readonly #rooms: Uint8Array<ArrayBuffer>[] = [];
  #waiting = 0;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#places = new Budget(options.requestsMax ?? REQUESTS_MAX);
    this.#memory = new BodyBudget(options.answersSizeMax ?? ANSWERS_SIZE_MAX);
    this.#waitingMax = options.waitingMax ?? WAITING_MAX;
  }

  /**
   * Makes a request, and has its answer used; until then it counts.
   *
   * @throws {Error} Why there is no answer, or whatever `use` throws.
   */
  async send<T>(request: ClientRequest, use: (answer: ClientAnswer) => T | Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) throw new Error("too many requests are waiting");
    this.#waiting++;
    using _place = await this.#places.take(1).finally(() => this.#waiting--);
    const room = this.#rooms.pop() ?? new Uint8Array(ROOM_SIZE_MIN);
    const exchange = new Exchange(request, {
      ...this.#options,
      memory: this.#memory,
      share: this.#share,
      room,
    });
    try {
      const answer = await exchange.run();
      try {
        return await use(answer);
      } finally {
        // Only now, and not of an exchange that has failed: something may still come to that.
        this.#keep(exchange.room);
      }
    } finally {
      exchange.release();
    }
  }

  #keep(room: Uint8Array<ArrayBuffer>): void {
    if (room.length <= ROOM_SIZE_MAX && this.#rooms.length < ROOMS_MAX) this.#rooms.push(room);
  }
}

/** What {@linkcode Exchange} is given. */
interface ExchangeOptions extends HttpClientOptions {
  readonly memory: BodyBudget;
  readonly share: FairShare;
  /** For the answer to be read to. */
  readonly room: Uint8Array<ArrayBuffer>;
}

/** One request and its answer. */
class Exchange {
  readonly #options: ExchangeOptions;
  readonly #request: ClientRequest;
  readonly #host: string;
  readonly #port: number;
  #room: Uint8Array<ArrayBuffer>;
  #size = 0;
  /** What it waits for, as Go's client says it when it has waited long enough. */
  #waitsFor = "i/o timeout";

  constructor(request: ClientRequest, options: ExchangeOptions) {
    const { hostname, port, protocol } = request.url;
    this.#options = options;
    this.#request = request;
    // Without the brackets of an IPv6 address.
    this.#host = hostname.replace(/^\[|\]$/g, "");
    this.#port = port === "" ? DEFAULT_PORTS[protocol] : Number(port);
    this.#room = options.room;
  }

  /** What the answer was read to. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.#room;
  }

  /** Gives back the memory of the answer. */
  release(): void {
    this.#options.memory.giveBack(this.#size);
    this.#size = 0;
  }

  async run(): Promise<ClientAnswer> {
    const { signal, connectTimeoutMs, requestTimeoutMs } = this.#options;
    if (signal.aborted) throw new Error("context canceled");
    const bytes = encodeRequest(this.#request);
    const over = new AbortController();
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const fail = (reason: string) => {
      reject(new Error(reason));
      over.abort();
    };
    const onAbort = () => fail("context canceled");
    signal.addEventListener("abort", onAbort);
    const limitsMs = [requestTimeoutMs, this.#request.timeoutMs ?? 0].filter((ms) => ms > 0);
    const whole = timer(Math.min(...limitsMs), () => fail(this.#waitsFor));
    const peer = hostPort({ hostname: this.#host, port: this.#port });
    const connecting = timer(connectTimeoutMs, () => fail(`dial tcp ${peer}: i/o timeout`));
    const onConnected = () => {
      clearTimeout(connecting);
      this.#waitsFor = "net/http: timeout awaiting response headers";
    };
    try {
      return await Promise.race([failed, this.#exchange(bytes, over.signal, onConnected)]);
    } finally {
      clearTimeout(whole);
      clearTimeout(connecting);
      signal.removeEventListener("abort", onAbort);
      // A connection that its server keeps would outlive the request.
      over.abort();
    }
  }

  async #exchange(bytes: Uint8Array, signal: AbortSignal, onConnected: () => void): Promise<ClientAnswer> {
    const tls = this.#request.url.protocol === "https:" ? this.#options.tls ?? {} : undefined;
    const connection = await dial({ host: this.#host, port: this.#port, tls, signal, onConnected });
    const close = () => connection.close();
    signal.addEventListener("abort", close);
    if (signal.aborted) close();
    const reader = new AnswerReader({
      connection,
      room: this.#room,
      share: this.#options.share,
      onHead: () => {
        this.#waitsFor = "net/http: request canceled (Client.Timeout exceeded while reading body)";
      },
      onSize: (size) => this.#grow(size, signal),
    });
    const { promise: unsent, reject } = Promise.withResolvers<never>();
    writeAll(connection, bytes).catch((cause) => reject(new Error(reasonOf("write", cause), { cause })));
    const reading = reader.read().catch((cause) => {
      throw new Error(reasonOf("read", cause), { cause });
    });
    // Who does not read all of a request may answer it all the same.
    const answer = await Promise.race([reading, unsent]);
    this.#room = reader.room;
    return answer;
  }

  /** So much of the answer has come. @throws {Error} If that is too much. */
  #grow(size: number, signal: AbortSignal): void {
    const { memory, answerSizeMax = ANSWER_SIZE_MAX } = this.#options;
    if (size > answerSizeMax) throw new Error(`the answer has more than ${answerSizeMax} bytes`);
    // Nobody gives back what it takes after its end.
    signal.throwIfAborted();
    if (!memory.take(size - this.#size)) throw new Error("answers take too much memory together");
    this.#size = size;
  }
}

const ENCODER = new TextEncoder();
/** What no value of a header may have. */
const CONTROL = /[^\P{Cc}\t]/u;

/** A request as it is sent. @throws {TypeError} If a header would be something else. */
function encodeRequest({ method, url, headers = [], body }: ClientRequest): Uint8Array {
  const { username, password } = url;
  const fields: Header[] = [["Host", url.host], ...headers];
  if (username !== "" || password !== "") {
    const credentials = ENCODER.encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    fields.push(["Authorization", `Basic ${btoa(String.fromCharCode(...credentials))}`]);
  }
  const content = ENCODER.encode(body ?? "");
  if (body !== undefined || method !== "GET") fields.push(["Content-Length", String(content.length)]);
  fields.push(["Connection", "close"]);
  const lines = fields.map(([name, value]) => {
    if (CONTROL.test(value)) throw new TypeError(`the header ${name} has a control character`);
    return `${name}: ${value}\r\n`;
  });
  const head = ENCODER.encode(`${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return concat([head, content]);
}

/** Why an exchange has failed, in words like Node's, which operators know. */
function reasonOf(what: "read" | "write", error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? errorText(error) : `${what} ${code}`;
}

/** The longest time that a timer can take: a longer one would be over at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

function timer(ms: number, act: () => void): ReturnType<typeof setTimeout> | undefined {
  return ms <= 0 || ms > TIMER_MAX_MS ? undefined : setTimeout(act, ms);
}
