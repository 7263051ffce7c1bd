/**
 * Takes requests to their routes, and answers those that have none as Go's httprouter does with NSQ's settings:
 * a redirect to the path that was meant, OPTIONS, 405 or 404. The one place where errors that no handler
 * expected end: the client gets a 500, the log the cause.
 *
 * @module
 */
import type { ErrorSink } from "../base/error_sink.ts";
import type { Logger } from "../base/logger.ts";
import { Answer, type Header, HeaderBlock, statusText } from "./answer.ts";
import { refusal, type Responder } from "./decorators.ts";
import { foreignness, type HostNames } from "./foreign_requests.ts";
import type { HttpRequest } from "./http_request.ts";
import { percentDecode } from "./query.ts";
import { RequestContext } from "./request_context.ts";
import type { RequestCounts } from "./request_counts.ts";
import { type Route, RouteTable } from "./route_table.ts";

/** One line of a program's table of routes. */
export type HttpRoute = Route<Responder>;

/** What {@linkcode Router} is made from. */
export interface RouterOptions {
  readonly routes: Iterable<HttpRoute>;
  readonly logger: Logger;
  /** By which names it may be asked. @default {any} */
  readonly hosts?: HostNames | undefined;
  /** Is told of every request that is refused, or cannot be answered. @default {nobody} */
  readonly onError?: ErrorSink;
  /** Is told of requests that a page of another site has made, which are refused. @default {nobody} */
  readonly onForeign?: (context: RequestContext) => void;
  /** Where answers are counted. @default {nowhere} */
  readonly counts?: RequestCounts | undefined;
  /** Origins of pages that may use it. @default {none} */
  readonly origins?: readonly string[];
  /** Origins that are its own by another name: their pages may change something, and read no more than others. @default {none} */
  readonly ownOrigins?: readonly string[];
  /** Address of the client, if it is not that of the connection. @default {the connection's} */
  readonly clientOf?: ((request: HttpRequest) => string) | undefined;
}

/** No route has a longer path, in characters, and to find out what one of a MiB may mean holds all others up. */
export const PATH_LENGTH_MAX = 8192;

/** Of the target of a request that was refused so much is told, in characters. */
const TOLD_LENGTH_MAX = 120;

const HTML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};
const NO_HEADERS = new HeaderBlock([]);
/** What a page may send, which is kept for ten minutes. */
const PREFLIGHT = new HeaderBlock([
  ["Access-Control-Allow-Methods", "GET, POST, PUT"],
  ["Access-Control-Allow-Headers", "Authorization, Content-Type"],
  ["Access-Control-Max-Age", "600"],
]);
/** What it may read of the headers, beside those that it always may. */
const EXPOSED: Header = ["Access-Control-Expose-Headers", "*"];

/** An HTTP API: a table of routes, ready to be served. */
export class Router {
  readonly #table: RouteTable<Responder>;
  readonly #logger: Logger;
  readonly #hosts: HostNames | undefined;
  readonly #onError: ErrorSink | undefined;
  readonly #onForeign: RouterOptions["onForeign"];
  readonly #counts: RequestCounts | undefined;
  readonly #origins: ReadonlySet<string>;
  /** Origins of pages that may change something. */
  readonly #changing: ReadonlySet<string>;
  readonly #clientOf: RouterOptions["clientOf"];
  readonly #notFound: Responder;
  readonly #methodNotAllowed: Responder;
  readonly #internalError: Responder;
  readonly #foreign: Readonly<Record<"FOREIGN_HOST" | "FOREIGN_ORIGIN", Responder>>;

  constructor(options: RouterOptions) {
    const { routes, logger, hosts, counts, onError, onForeign, clientOf, origins = [], ownOrigins = [] } =
      options;
    this.#origins = new Set(origins);
    this.#changing = new Set([...origins, ...ownOrigins]);
    this.#clientOf = clientOf;
    this.#table = new RouteTable(routes);
    this.#logger = logger;
    this.#hosts = hosts;
    this.#counts = counts;
    this.#onError = onError;
    this.#onForeign = onForeign;
    this.#notFound = refusal(logger, 404, "NOT_FOUND");
    this.#methodNotAllowed = refusal(logger, 405, "METHOD_NOT_ALLOWED");
    this.#internalError = refusal(logger, 500, "INTERNAL_ERROR");
    this.#foreign = {
      FOREIGN_HOST: refusal(logger, 403, "FOREIGN_HOST"),
      FOREIGN_ORIGIN: refusal(logger, 403, "FOREIGN_ORIGIN"),
    };
  }

  /** Answers a request. Never rejects. */
  readonly handle = async (request: HttpRequest): Promise<Answer> => {
    let context = new RequestContext(request);
    let answer: Answer;
    try {
      if (this.#clientOf !== undefined) context = new RequestContext(request, this.#clientOf(request));
      const origin = this.#origins.size > 0 ? this.#allowedOrigin(request) : undefined;
      answer = await (origin === undefined ? this.#respond(context) : this.#respondToPage(context, origin));
    } catch (cause) {
      answer = await this.#failed(context, cause);
    }
    try {
      if (answer.status >= 400 && context.refuses) this.#tell(context, answer);
      this.#counts?.count(context.route, answer.status);
    } catch (cause) {
      // What was done is done, and is answered.
      this.#logFault(cause);
    }
    return answer;
  };

  #failed(context: RequestContext, cause: unknown): Answer | Promise<Answer> {
    this.#logFault(cause);
    return this.#internalError(context);
  }

  #logFault(cause: unknown): void {
    this.#logger.error(`panic in HTTP handler - ${cause}`);
    if (cause instanceof Error) cause.stack?.split("\n").forEach((line) => this.#logger.debug(line));
  }

  #tell({ method, target, remoteAddress }: RequestContext, { status, body }: Answer): void {
    const said = typeof body === "string" ? body : "";
    this.#onError?.(`HTTP_${status}`, remoteAddress, `${method} ${target.slice(0, TOLD_LENGTH_MAX)} ${said}`);
  }

  /** The page's origin, if it may use the API. */
  #allowedOrigin({ headers }: HttpRequest): string | undefined {
    const origin = headers.get("origin");
    return origin !== undefined && this.#origins.has(origin) ? origin : undefined;
  }

  /** As `#respond`, with what a browser must be told so that it lets the page have the answer. */
  async #respondToPage(context: RequestContext, origin: string): Promise<Answer> {
    const allowed: readonly Header[] = [["Access-Control-Allow-Origin", origin], ["Vary", "Origin"]];
    const asked = context.request.headers.get("access-control-request-method");
    if (context.method === "OPTIONS" && asked !== undefined) {
      return new Answer(204, PREFLIGHT.with(allowed));
    }
    const answer = await this.#respond(context);
    // A WebSocket's answer is not the page's to read.
    return answer.status === 101 ? answer : answer.with(...allowed, EXPOSED);
  }

  #respond(context: RequestContext): Answer | Promise<Answer> {
    const foreign = foreignness(context.request, this.#hosts, this.#changing);
    if (foreign !== undefined) {
      this.#onForeign?.(context);
      return this.#foreign[foreign](context);
    }

    const { method, rawPath } = context;
    if (rawPath.length > PATH_LENGTH_MAX) return this.#notFound(context);
    const path = percentDecode(rawPath);
    if (path === undefined) return new Answer(400, NO_HEADERS);

    const match = this.#table.match(method, path);
    if (match !== undefined) {
      context.params = match.params;
      context.route = match.name;
      return match.value(context);
    }
    const meant = path === "/" ? undefined : this.#table.meant(method, path);
    if (meant !== undefined) return redirect(context, meant);

    const allowed = this.#table.allowed(path).join(", ");
    if (allowed === "") return this.#notFound(context);
    if (method === "OPTIONS") return new Answer(200, new HeaderBlock([["Allow", allowed]]));
    return this.#refuseMethod(context, allowed);
  }

  async #refuseMethod(context: RequestContext, allowed: string): Promise<Answer> {
    return (await this.#methodNotAllowed(context)).with(["Allow", allowed]);
  }
}

/** As Go's server redirects. */
function redirect(context: RequestContext, path: string): Answer {
  const query = context.rawQuery === "" ? "" : `?${context.rawQuery}`;
  const location = encodeURI(path).replace(/[?#]/g, encodeURIComponent) + query;
  if (context.method !== "GET") return new Answer(307, new HeaderBlock([["Location", location]]));
  const headers = new HeaderBlock([["Content-Type", "text/html; charset=utf-8"], ["Location", location]]);
  return new Answer(301, headers, `<a href="${escapeHtml(location)}">${statusText(301)}</a>.\n\n`);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML[character]);
}
