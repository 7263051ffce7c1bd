/**
 * What a handler gets of a request. Parts that cost something are made when they are asked for: a publish needs
 * the query and the body only.
 *
 * @module
 */
import { hostPort } from "../base/host_port.ts";
import { readBody } from "./body.ts";
import type { HttpRequest, Peer } from "./http_request.ts";

const NO_PARAMS: Readonly<Record<string, string>> = {};

/** One request. */
export class RequestContext {
  readonly request: HttpRequest;
  /** Path and query as they were sent. */
  readonly target: string;
  /** Path as it was sent, escapes included. */
  readonly rawPath: string;
  /** What follows the first `?`. */
  readonly rawQuery: string;
  /** Values of the `:name` parts of the route; set by the router. */
  params = NO_PARAMS;
  /** True unless the API has a guard that has not yet found the client to be one of its own. */
  trusted = true;
  /** Name of the client's token, once a guard has found out. */
  client: string | undefined;
  /** What a handler wants to be noted besides path and query: a value from the body. */
  detail: string | undefined;

  readonly #peer: Peer;
  #bodyTaken = false;

  constructor(request: HttpRequest, peer: Peer) {
    this.request = request;
    this.#peer = peer;
    // By hand, because `new URL` costs a tenth of a whole request, and would hide double slashes and dots.
    const url = request.url;
    const pathStart = url.indexOf("/", url.indexOf("://") + 3);
    const queryStart = url.indexOf("?", pathStart);
    this.target = url.slice(pathStart);
    this.rawPath = queryStart < 0 ? this.target : url.slice(pathStart, queryStart);
    this.rawQuery = queryStart < 0 ? "" : url.slice(queryStart + 1);
  }

  get method(): string {
    return this.request.method;
  }

  /** Length of the body as the client announced it, in bytes; `undefined` for one sent in chunks. */
  get contentLength(): number | undefined {
    const header = this.request.headers.get("content-length");
    return header === null ? undefined : Number(header);
  }

  /** `host:port` of the client; Go prints `@` for one that came through a unix socket. */
  get remoteAddress(): string {
    const address = this.#peer.remoteAddr;
    if (address.transport !== "tcp" && address.transport !== "udp") return "@";
    return hostPort(address);
  }

  /** True once a handler has read the whole body. */
  get bodyTaken(): boolean {
    return this.#bodyTaken;
  }

  /** The whole body, or `undefined` if it is longer than `limitBytes`. See {@linkcode readBody}. */
  async readBody(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const body = await readBody(this.request, limitBytes);
    this.#bodyTaken = body !== undefined;
    return body;
  }
}
