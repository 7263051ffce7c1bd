/**
 * Requests that are handed to a handler in process, without a connection, and what its answers say.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { Answer } from "../../src/http/answer.ts";
import type { HttpBody, HttpRequest, RequestHandler } from "../../src/http/http_request.ts";

/** A request; a body that is a list of texts is one that comes in chunks. */
export interface Call {
  /** @default {"GET"} */
  readonly method?: string;
  readonly target: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | readonly string[] | undefined;
  /** @default {never aborted} */
  readonly signal?: AbortSignal;
}

/** An answer, as a client sees it. */
export interface Seen {
  readonly status: number;
  readonly text: string;
  /** The value of a header, looked up without regard to case. */
  header(name: string): string | undefined;
}

/** A body that is there already. */
export class ReadyBody implements HttpBody {
  readonly announced: number | undefined;
  /** How often it has been read. */
  reads = 0;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(body: Call["body"]) {
    const whole = Array.isArray(body) ? body.join("") : body as string | Uint8Array<ArrayBuffer> | undefined;
    this.#bytes = whole instanceof Uint8Array ? whole : new TextEncoder().encode(whole);
    this.announced = Array.isArray(body) ? undefined : this.#bytes.length;
  }

  read(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.reads++;
    return Promise.resolve(this.#bytes.length > limitBytes ? undefined : this.#bytes);
  }
}

/** The request as a handler gets it. */
export function httpRequest(call: Call): HttpRequest & { readonly body: ReadyBody } {
  const { method = "GET", target, headers = {}, body, signal = new AbortController().signal } = call;
  return {
    method,
    target,
    headers: {
      get: (name) => headers[name],
      all: (name) => name in headers ? [headers[name]] : [],
    },
    body: new ReadyBody(body),
    peer: "127.0.0.1:1234",
    signal,
    tls: undefined,
    upgrade() {
      throw new Error("There is no connection that could become a WebSocket");
    },
  };
}

/** Hands the request to a handler. */
export async function callHandler(handler: RequestHandler, call: Call): Promise<Seen> {
  return seen(await handler(httpRequest(call)));
}

/** What an answer says. */
export function seen({ status, headers, body }: Answer): Seen {
  return {
    status,
    text: typeof body === "string"
      ? body
      : body instanceof ReadableStream
      ? ""
      : new TextDecoder().decode(concat(body)),
    header: (name) => headers.list.find(([each]) => each.toLowerCase() === name)?.[1],
  };
}
