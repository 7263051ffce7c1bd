/**
 * What a handler gets of a request. Parts that cost something are made when they are asked for: a publish needs
 * the query and the body only.
 *
 * @module
 */
import type { HttpRequest } from "./http_request.ts";

const NO_PARAMS: Readonly<Record<string, string>> = {};

/** One request. */
export class RequestContext {
  readonly request: HttpRequest;
  /** `host:port` of the client; Go prints `@` for one that came through a unix socket. Of whom a proxy speaks, without a port. */
  readonly remoteAddress: string;
  /** Path and query as they were sent. */
  readonly target: string;
  /** Path as it was sent, escapes included. */
  readonly rawPath: string;
  /** What follows the first `?`. */
  readonly rawQuery: string;
  /** Values of the `:name` parts of the route; set by the router. */
  params = NO_PARAMS;
  /** An answer with the status of a refusal is one, and told of as an error of the client's. */
  refuses = true;
  /** Method and path of the route; set by the router. */
  route: string | undefined;
  /** Name of the client's token, once a guard has found out. */
  client: string | undefined;
  /** What the client may do by its token; absent where nobody asks for one. */
  permits: ((role: string, topic: string, channel: string) => boolean) | undefined;
  /** What a handler wants to be noted besides path and query: a value from the body. */
  detail: string | undefined;

  constructor(request: HttpRequest, remoteAddress = request.peer) {
    this.request = request;
    this.remoteAddress = remoteAddress;
    this.target = pathAndQuery(request);
    const queryStart = this.target.indexOf("?");
    this.rawPath = queryStart < 0 ? this.target : this.target.slice(0, queryStart);
    this.rawQuery = queryStart < 0 ? "" : this.target.slice(queryStart + 1);
  }

  get method(): string {
    return this.request.method;
  }

  /** Length of the body as the client announced it, in bytes; `undefined` for one sent in chunks. */
  get contentLength(): number | undefined {
    return this.request.body.announced;
  }

  /** The whole body, or `undefined` if it is longer than `limitBytes`. @throws {HttpError} If it cannot be read. */
  readBody(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.request.body.read(limitBytes);
  }
}

/** By hand, because `new URL` costs a tenth of a whole request, and would hide double slashes and dots. */
function pathAndQuery({ method, target }: HttpRequest): string {
  if (target.startsWith("/") || target === "*") return target;
  // Proxies are asked with a whole URL; what is connected to is no path.
  const authority = target.indexOf("://");
  if (method === "CONNECT" || authority < 0) return "";
  const path = /[/?]/.exec(target.slice(authority + 3));
  return path === null ? "" : target.slice(authority + 3 + path.index);
}
