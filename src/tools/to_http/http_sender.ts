/**
 * Sends requests over connections that are kept, each with a limit on the time for connecting and for the whole.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { Agent as TlsAgent, request as httpsRequest } from "node:https";
import { clearTimeout, setTimeout } from "node:timers";
import { gzipSync } from "node:zlib";

/** What holds for all requests. */
export interface SenderOptions {
  /** In place of POST. */
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly gzip: boolean;
  /** Signs bodies; undefined for no signature. */
  readonly hmacKey: Uint8Array | undefined;
  /** PEM; undefined for none. */
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string };
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly userAgent: string;
}

/** What was answered. */
export interface HttpAnswer {
  readonly status: number;
  /** The header Retry-After. */
  readonly retryAfter: string | undefined;
}

/** A body to send; without one, it is a GET. */
export type RequestBody = Uint8Array | undefined;

/** A connection that was kept had ended before there was an answer. */
class StaleError extends Error {
  override readonly name = "StaleError";
}

/** Sends requests. */
export class HttpSender implements Disposable {
  readonly #options: SenderOptions;
  readonly #agent: Agent;
  readonly #tlsAgent: TlsAgent;

  constructor(options: SenderOptions) {
    const agent = { keepAlive: true, maxSockets: options.connections, maxFreeSockets: options.connections };
    this.#options = options;
    this.#agent = new Agent(agent);
    this.#tlsAgent = new TlsAgent({ ...agent, ...options.tls });
  }

  /** Sends a request; rejects when there is no answer. */
  async send(url: string, body: RequestBody, own: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    const sent = body === undefined || !this.#options.gzip ? body : gzipSync(body);
    const headers = this.#headers(sent, own);
    try {
      return await this.#request(url, sent, headers);
    } catch (error) {
      if (!(error instanceof StaleError)) throw error;
      // The server has closed a connection that was kept, just when it was used again. That says nothing of the message.
      return await this.#request(url, sent, headers);
    }
  }

  async #request(url: string, sent: RequestBody, headers: OutgoingHttpHeaders): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const isTls = url.startsWith("https:");
    const request = (isTls ? httpsRequest : httpRequest)(url, {
      method: sent === undefined ? "GET" : this.#options.method,
      agent: isTls ? this.#tlsAgent : this.#agent,
      headers,
    });
    const late = (what: string, ms: number) =>
      setTimeout(() => request.destroy(new Error(`${url}: ${what} within ${ms} ms`)), ms);
    const { connectTimeoutMs, requestTimeoutMs } = this.#options;
    const whole = late("no answer", requestTimeoutMs);
    let connecting: ReturnType<typeof setTimeout> | undefined;
    request.on("socket", (socket) => {
      if (!socket.connecting) return;
      connecting = late("not connected", connectTimeoutMs);
      socket.once("connect", () => clearTimeout(connecting));
    });
    request.on("response", (response: IncomingMessage) => {
      const { statusCode: status = 0, headers: { "retry-after": retryAfter } } = response;
      // Read to its end, so that the connection can be used again.
      response.resume();
      response.on("end", () => resolve({ status, retryAfter }));
      response.on("error", reject);
    });
    request.on("error", (error: Error & { readonly code?: string }) => {
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleError(error.message, { cause: error }) : error);
    });
    request.end(sent);
    try {
      return await promise;
    } finally {
      clearTimeout(whole);
      clearTimeout(connecting);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.#tlsAgent.destroy();
  }

  #headers(sent: RequestBody, own: Readonly<Record<string, string>>): OutgoingHttpHeaders {
    const { userAgent, contentType, gzip, hmacKey, headers } = this.#options;
    const base: Record<string, string | number> = { "User-Agent": userAgent };
    if (sent !== undefined) {
      base["Content-Type"] = contentType;
      base["Content-Length"] = sent.length;
      if (gzip) base["Content-Encoding"] = "gzip";
      if (hmacKey) {
        base["X-Signature-256"] = `sha256=${createHmac("sha256", hmacKey).update(sent).digest("hex")}`;
      }
    }
    // What the user says wins, whatever its case.
    const said = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    const defaults = Object.entries({ ...base, ...own }).filter(([name]) => !said.has(name.toLowerCase()));
    return { ...Object.fromEntries(defaults), ...headers };
  }
}
