/**
 * Asks nsqds and nsqlookupds over HTTP (internal/http_api/api_request.go). Where they are is what others have said of them,
 * and they may say and answer anything: an address is a host and a port and nothing more, an answer has limits, and sends
 * nobody elsewhere. What is wrong is said in NSQ's words.
 *
 * @module
 */

import { Budget } from "../base/budget.ts";
import { errorText } from "../base/error_text.ts";
import { hostPort } from "../base/host_port.ts";
import { JsonCursor } from "../base/json_cursor.ts";
import { parseJson } from "../base/json_slices.ts";
import { KnownTexts } from "../base/known_texts.ts";
import { SharedSlice, type Slice } from "../base/time_slice.ts";
import { type Header, statusText } from "../http/answer.ts";
import type { ClientAnswer } from "../http/answer_reader.ts";
import type { HttpClient } from "../http/http_client.ts";
import type { Patience } from "./patience.ts";
import { SHOWN_LENGTH_MAX, shownText } from "../protocol/quote.ts";

/** A host or IP address, IPv6 in brackets, and a port: what others may say of where a daemon is. */
export const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[\w.-]+):\d{1,5}$/;

/** Answers are read at the same time up to so many bytes: what they are read to takes several times as much. */
const READ_SIZE_MAX = 8 * 1024 * 1024;
/** Bytes of a text that are decoded in one go. */
const DECODED_SIZE = 64 * 1024;
/** Names that are known again when they are read, as of topics and channels: all that are kept of a cluster. */
const KNOWN_TEXTS_MAX = 100_000;

/** What is made of an answer in JSON, by whoever looks at the time now and then if there may be much of it. */
export type Read<T> = (answer: unknown, slice: Slice) => T | Promise<T>;

/** What {@linkcode DaemonClient} may be told. */
export interface DaemonClientOptions {
  /** Is told of each request before it is made, and gets a line for the log. */
  readonly onRequest?: (text: string) => void;
  /** How long a daemon that is asked may take, in ms, where that is less than others may. */
  readonly timeoutMs?: (daemon: Daemon) => number | undefined;
  /** The token that nsqds are shown, as it is now. */
  readonly token?: () => string | undefined;
  /** With those who do not answer. @default {endless} */
  readonly patience?: Patience;
}

/** Asks daemons. */
export class DaemonClient {
  /** For all who read answers: there may be hundreds in one turn. */
  readonly #slice = new SharedSlice({ monotonicMs: () => performance.now() });
  readonly #reading = new Budget(READ_SIZE_MAX);
  readonly #texts = new KnownTexts(KNOWN_TEXTS_MAX);
  readonly #http: HttpClient;
  readonly #options: DaemonClientOptions;

  constructor(http: HttpClient, options: DaemonClientOptions = {}) {
    this.#http = http;
    this.#options = options;
  }

  /** What is made of the JSON of an answer. @throws {Error} Why there is none, or whatever `read` throws. */
  async get<T>(daemon: Daemon, path: string, read: Read<T>): Promise<T> {
    return await this.#ask("GET", daemon, path, async (answer) => {
      using _lease = await this.#reading.take(answer.bytes.length);
      const text = await this.#textOf(answer);
      return await read(await parseJson(text, this.#slice), this.#slice);
    });
  }

  /** The same, read from the answer's bytes, of which next to nothing is made then. */
  async scan<T>(
    daemon: Daemon,
    path: string,
    read: (cursor: JsonCursor, slice: Slice) => Promise<T>,
  ): Promise<T> {
    return await this.#ask("GET", daemon, path, async ({ bytes }) => {
      using _lease = await this.#reading.take(bytes.length);
      await this.#begin();
      return await read(new JsonCursor(bytes, this.#texts), this.#slice);
    });
  }

  /** Has something done. @throws {Error} Why it was not, as far as is known. */
  async post(daemon: Daemon, path: string, body?: string): Promise<void> {
    await this.#ask("POST", daemon, path, () => undefined, body);
  }

  async #ask<T>(
    method: "GET" | "POST",
    daemon: Daemon,
    path: string,
    use: (answer: ClientAnswer) => T | Promise<T>,
    body?: string,
  ): Promise<T> {
    const { patience } = this.#options;
    if (patience === undefined) return await this.#exchange(method, daemon, path, use, body);
    patience.check(daemon);
    try {
      const value = await this.#exchange(method, daemon, path, use, body);
      patience.note(daemon, method, true);
      return value;
    } catch (error) {
      patience.note(daemon, method, error instanceof RefusedError);
      throw error;
    }
  }

  async #exchange<T>(
    method: "GET" | "POST",
    daemon: Daemon,
    path: string,
    use: (answer: ClientAnswer) => T | Promise<T>,
    body?: string,
  ): Promise<T> {
    const { kind, address } = daemon;
    this.#options.onRequest?.(`CI: querying ${kind} http://${address}${path}`);
    const token = kind === "nsqd" ? this.#options.token?.() : undefined;
    const headers: readonly Header[] = token === undefined
      ? HEADERS
      : [...HEADERS, ["Authorization", `Bearer ${token}`]];
    // What is to be done is done, however long it takes.
    const timeoutMs = method === "GET" ? this.#options.timeoutMs?.(daemon) : undefined;
    const request = { method, path, headers, body, timeoutMs };
    const first = await this.#send({ ...request, scheme: "http", address }, use);
    if ("value" in first) return first.value;
    const second = await this.#send({ ...request, scheme: "https", address: first.secureAddress }, use);
    if ("value" in second) return second.value;
    throw new TypeError("HTTPS is asked for once");
  }

  /** What use makes of the answer, or where to ask over HTTPS. */
  async #send<T>(
    { method, scheme, address, path, headers, body, timeoutMs }: Target,
    use: (answer: ClientAnswer) => T | Promise<T>,
  ): Promise<{ readonly value: T } | { readonly secureAddress: string }> {
    const url = `${scheme}://${address}${path}`;
    try {
      if (!ADDRESS.test(address)) throw new Error("invalid address");
      return await this.#http.send(
        { method, url: new URL(url), headers, body, timeoutMs },
        async (answer) => {
          const { status } = answer;
          if (status === 200) return { value: await use(answer) };
          const text = await this.#textOf(answer);
          const securePort = status === 403 && scheme === "http" ? httpsPort(text) : undefined;
          if (securePort !== undefined) {
            return { secureAddress: hostPort({ hostname: hostOf(address), port: securePort }) };
          }
          throw new RefusedError(status, text);
        },
      );
    } catch (cause) {
      if (cause instanceof RefusedError) throw cause;
      throw new Error(`${GO_METHOD[method]} ${JSON.stringify(url)}: ${errorText(cause)}`, { cause });
    }
  }

  /** Settles when it is time to read. */
  async #begin(): Promise<void> {
    this.#slice.begin();
    while (this.#slice.isOver) await this.#slice.next();
  }

  /** The answer's body. */
  async #textOf({ bytes }: ClientAnswer): Promise<string> {
    const slice = this.#slice;
    await this.#begin();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let text = "";
    for (let at = 0; at < bytes.length; at += DECODED_SIZE) {
      text += decoder.decode(bytes.subarray(at, at + DECODED_SIZE), { stream: true });
      if (slice.isOver) await slice.next();
    }
    return text + decoder.decode();
  }
}

/** A daemon to ask. */
export interface Daemon {
  readonly kind: "nsqd" | "nsqlookupd";
  /** `host:port` of its HTTP API. */
  readonly address: string;
}

/** Where a request goes. */
interface Target {
  readonly method: "GET" | "POST";
  readonly scheme: "http" | "https";
  readonly address: string;
  readonly path: string;
  readonly headers: readonly Header[];
  readonly body: string | undefined;
  readonly timeoutMs: number | undefined;
}

/** It was asked, and has said no. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly status: number;
  /** What its JSON gives as the reason: `TOPIC_NOT_FOUND`. */
  readonly code: string | undefined;

  constructor(status: number, text: string) {
    super(`got response ${status} ${statusText(status)} ${JSON.stringify(shownText(text))}`);
    this.status = status;
    this.code = text.length <= SHOWN_LENGTH_MAX ? codeOf(text) : undefined;
  }
}

const HEADERS: readonly Header[] = [["Accept", "application/vnd.nsq; version=1.0"]];
const GO_METHOD = { GET: "Get", POST: "Post" } as const;
const PORT_MAX = 65_535;

/** Where an nsqd that serves no plain HTTP says that it serves HTTPS. */
function httpsPort(text: string): number | undefined {
  const port = refusalOf(text)?.https_port;
  return Number.isInteger(port) && Number(port) > 0 && Number(port) <= PORT_MAX ? Number(port) : undefined;
}

function codeOf(text: string): string | undefined {
  const code = refusalOf(text)?.message;
  return typeof code === "string" ? code : undefined;
}

/** The JSON of a refusal, if it is any. */
function refusalOf(text: string): { readonly https_port?: unknown; readonly message?: unknown } | null {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
