/**
 * Requests to other HTTP servers, which may hang, be huge, or send nonsense: each has a limit of time, to connect and in
 * all, and of size; all together have one of number and of memory. Redirections are not followed. Why a request failed is
 * said in the words of Go's client, which operators of NSQ know.
 *
 * By Node's client and not by `fetch`, which has no way not to verify a certificate, and refuses ports that browsers do.
 * Connections are not kept: one that its server has closed meanwhile would have to be told from a request that failed.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { ClientRequest as OutgoingRequest, request as ask } from "node:http";
import { Budget } from "../base/budget.ts";
import { errorText } from "../base/error_text.ts";
import { hostPort } from "../base/host_port.ts";
import type { Header } from "./answer.ts";
import { BodyBudget } from "./body_budget.ts";

/** How certificates of servers are verified, and what is shown to them. */
export interface ClientTls {
  /** Authorities, in PEM form, in place of those that the runtime knows. */
  readonly rootCa?: string | undefined;
  /** Certificate and key to be shown, in PEM form. */
  readonly pair?: { readonly cert: string; readonly key: string } | undefined;
  /** Whatever certificate a server has will do. */
  readonly skipVerify?: boolean;
}

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

/** An answer, whatever its status. */
export interface ClientAnswer {
  readonly status: number;
  /** By name in lower case; of several of one name all, as Node joins them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
}

/** The largest answer that is read, in bytes. */
export const ANSWER_SIZE_MAX = 32 * 1024 * 1024;
/** Bytes of all answers together. */
export const ANSWERS_SIZE_MAX = 256 * 1024 * 1024;
/** Requests at a time. */
export const REQUESTS_MAX = 200;
/** Requests that wait for that. */
export const WAITING_MAX = 20_000;

/** Ports of addresses that do not say one. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** Makes requests. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #places: Budget;
  readonly #memory: BodyBudget;
  readonly #waitingMax: number;
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
    const exchange = new Exchange(this.#options, this.#memory, request);
    try {
      return await use(await exchange.run());
    } finally {
      exchange.release();
    }
  }
}

/** One request and its answer. */
class Exchange {
  readonly #options: HttpClientOptions;
  readonly #memory: BodyBudget;
  readonly #request: ClientRequest;
  readonly #sizeMax: number;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  /** What it waits for, as Go's client says it when it has waited long enough. */
  #waitsFor = "i/o timeout";

  constructor(options: HttpClientOptions, memory: BodyBudget, request: ClientRequest) {
    this.#options = options;
    this.#memory = memory;
    this.#request = request;
    this.#sizeMax = options.answerSizeMax ?? ANSWER_SIZE_MAX;
  }

  /** Gives back the memory of the answer. */
  release(): void {
    this.#memory.giveBack(this.#size);
    this.#size = 0;
  }

  async run(): Promise<ClientAnswer> {
    const { signal, connectTimeoutMs, requestTimeoutMs } = this.#options;
    const { request } = this.#isSecure ? await import("node:https") : await import("node:http");
    if (signal.aborted) throw new Error("context canceled");
    const { promise, resolve, reject } = Promise.withResolvers<ClientAnswer>();
    const outgoing = this.#begin(request);
    const fail = (reason: string) => {
      reject(new Error(reason));
      outgoing.destroy();
    };
    const onAbort = () => fail("context canceled");
    signal.addEventListener("abort", onAbort);
    const limitsMs = [requestTimeoutMs, this.#request.timeoutMs ?? 0].filter((ms) => ms > 0);
    const whole = timer(Math.min(...limitsMs), () => fail(this.#waitsFor));
    const connecting = timer(connectTimeoutMs, () => fail(`dial tcp ${this.#peer}: i/o timeout`));
    outgoing.on("socket", (socket) => {
      socket.once("connect", () => {
        clearTimeout(connecting);
        this.#waitsFor = "net/http: timeout awaiting response headers";
      });
    });
    outgoing.on("error", (error) => fail(this.#reasonOf(error)));
    outgoing.on("response", (incoming) => {
      this.#waitsFor = "net/http: request canceled (Client.Timeout exceeded while reading body)";
      incoming.on("data", (piece: Buffer) => {
        const refusal = this.#add(piece);
        if (refusal !== undefined) fail(refusal);
      });
      incoming.on("error", (error) => fail(this.#reasonOf(error)));
      incoming.on("end", () => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, pieces: this.#pieces });
      });
    });
    outgoing.end(this.#request.body);
    try {
      return await promise;
    } finally {
      clearTimeout(whole);
      clearTimeout(connecting);
      signal.removeEventListener("abort", onAbort);
      // A connection that its server keeps would outlive the request.
      outgoing.destroy();
    }
  }

  get #isSecure(): boolean {
    return this.#request.url.protocol === "https:";
  }

  #begin(request: typeof ask): OutgoingRequest {
    const { url, method, headers = [] } = this.#request;
    const isSecure = this.#isSecure;
    const { rootCa, pair, skipVerify = false } = this.#options.tls ?? {};
    const auth = url.username === "" && url.password === ""
      ? undefined
      : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return request({
      agent: false,
      method,
      host: this.#host,
      port: this.#port,
      path: url.pathname + url.search,
      headers: Object.fromEntries([["Host", url.host], ...headers]),
      ...auth !== undefined && { auth },
      ...isSecure && {
        rejectUnauthorized: !skipVerify,
        ...rootCa !== undefined && { ca: rootCa },
        ...pair !== undefined && { cert: pair.cert, key: pair.key },
      },
    });
  }

  /** Without the brackets of an IPv6 address. */
  get #host(): string {
    return this.#request.url.hostname.replace(/^\[|\]$/g, "");
  }

  get #port(): number {
    const { port, protocol } = this.#request.url;
    return port === "" ? DEFAULT_PORTS[protocol] : Number(port);
  }

  get #peer(): string {
    return hostPort({ hostname: this.#host, port: this.#port });
  }

  /** Why not, if a piece of the answer is too much. */
  #add(piece: Buffer): string | undefined {
    if (this.#size + piece.length > this.#sizeMax) return `the answer has more than ${this.#sizeMax} bytes`;
    if (!this.#memory.take(piece.length)) return "answers take too much memory together";
    this.#size += piece.length;
    // Not a view of memory that others use.
    this.#pieces.push(new Uint8Array(piece));
    return undefined;
  }

  #reasonOf(error: Error): string {
    const { code = "" } = error as { readonly code?: string };
    if (code === "ECONNREFUSED") return `dial tcp ${this.#peer}: connect: connection refused`;
    if (code === "ENOTFOUND") return `dial tcp: lookup ${this.#host}: no such host`;
    if (code.startsWith("HPE_")) return `malformed HTTP response: ${errorText(error)}`;
    return errorText(error) === "aborted" ? "unexpected EOF" : errorText(error);
  }
}

/** The longest time that a timer can take: a longer one would be over at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

function timer(ms: number, act: () => void): ReturnType<typeof setTimeout> | undefined {
  return ms <= 0 || ms > TIMER_MAX_MS ? undefined : setTimeout(act, ms);
}
