/**
 * Takes requests to their routes, and answers those that have none as Go's httprouter does with NSQ's settings:
 * a redirect to the path that was meant, OPTIONS, 405 or 404. The one place where errors that no handler
 * expected end: the client gets a 500, the log the cause.
 *
 * @module
 */
import { STATUS_TEXT } from "@std/http/status";
import type { Logger } from "../base/logger.ts";
import { discardBody, refuseBody } from "./body.ts";
import { refusal, type Responder } from "./decorators.ts";
import { percentDecode } from "./query.ts";
import type { HttpRequest, Peer } from "./http_request.ts";
import { RequestContext } from "./request_context.ts";
import { type Route, RouteTable } from "./route_table.ts";

/** One line of a program's table of routes. */
export type HttpRoute = Route<Responder>;

/** What {@linkcode Router} is made from. */
export interface RouterOptions {
  readonly routes: Iterable<HttpRoute>;
  readonly logger: Logger;
  /** Whether clients are trusted before a route says so. @default {true} */
  readonly trusting?: boolean;
}

/** An HTTP API: a table of routes, ready to be served. */
export class Router {
  readonly #table: RouteTable<Responder>;
  readonly #logger: Logger;
  readonly #notFound: Responder;
  readonly #methodNotAllowed: Responder;
  readonly #internalError: Responder;
  readonly #trusting: boolean;

  constructor(options: RouterOptions) {
    this.#table = new RouteTable(options.routes);
    this.#logger = options.logger;
    this.#trusting = options.trusting ?? true;
    this.#notFound = refusal(options.logger, 404, "NOT_FOUND");
    this.#methodNotAllowed = refusal(options.logger, 405, "METHOD_NOT_ALLOWED");
    this.#internalError = refusal(options.logger, 500, "INTERNAL_ERROR");
  }

  /** Answers a request. Never rejects. */
  readonly handle = async (request: HttpRequest, peer: Peer): Promise<Response> => {
    const context = new RequestContext(request, peer);
    context.trusted = this.#trusting;
    let response: Response;
    try {
      response = await this.#respond(context);
    } catch (cause) {
      this.#logger.error(`panic in HTTP handler - ${cause}`);
      if (cause instanceof Error) cause.stack?.split("\n").forEach((line) => this.#logger.debug(line));
      response = await this.#internalError(context);
    }
    if (!context.bodyTaken) await (context.trusted ? discardBody(request) : refuseBody(request, peer));
    return response;
  };

  #respond(context: RequestContext): Response | Promise<Response> {
    const { method, rawPath } = context;
    const path = percentDecode(rawPath);
    if (path === undefined) return badRequest();

    const match = this.#table.match(method, path);
    if (match !== undefined) {
      context.params = match.params;
      return match.value(context);
    }
    const meant = path === "/" ? undefined : this.#table.meant(method, path);
    if (meant !== undefined) return redirect(context, meant);

    const allowed = this.#table.allowed(path).join(", ");
    if (allowed === "") return this.#notFound(context);
    if (method === "OPTIONS") return new Response(null, { headers: { Allow: allowed } });
    return this.#refuseMethod(context, allowed);
  }

  async #refuseMethod(context: RequestContext, allowed: string): Promise<Response> {
    const response = await this.#methodNotAllowed(context);
    response.headers.set("Allow", allowed);
    return response;
  }
}

/** What Go's server says to a path that is none. */
function badRequest(): Response {
  return new Response(`400 ${STATUS_TEXT[400]}`, {
    status: 400,
    headers: { "Content-Type": "text/plain; charset=utf-8", "Connection": "close" },
  });
}

function redirect(context: RequestContext, path: string): Response {
  const status = context.method === "GET" ? 301 : 307;
  const query = context.rawQuery === "" ? "" : `?${context.rawQuery}`;
  const location = encodeURI(path).replace(/[?#]/g, encodeURIComponent) + query;
  return new Response(`${STATUS_TEXT[status]}\n`, { status, headers: { Location: location } });
}
