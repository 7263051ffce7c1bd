/**
 * Who may use the HTTP API: everybody, as in NSQ, unless there are tokens, in a file (`--http-auth-token-file`) or a variable
 * of the environment, or TLS is required. Where everybody can reach it, it is closed without tokens. What the endpoints do is not known here; each has its access declared in the table of routes. Whoever is
 * refused is noted in the audit log, if there is one.
 *
 * @module
 */
import type { Audit } from "../../base/audit_log.ts";
import type { ErrorSink } from "../../base/error_sink.ts";
import type { Logger } from "../../base/logger.ts";
import { Answer } from "../../http/answer.ts";
import { refusal, type Responder, V1_JSON } from "../../http/decorators.ts";
import type { RequestHandler } from "../../http/http_request.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { OptionError } from "../../config/option.ts";
import { parseQuery } from "../../http/query.ts";
import { route } from "../../http/route_table.ts";
import type { HttpRoute } from "../../http/router.ts";
import { type HttpRole, HttpTokens } from "./tokens.ts";

/** Who may use an endpoint: anyone, or who has a token with that role, or with one of several. */
export type Access = "anyone" | HttpRole | readonly HttpRole[];

/** An endpoint, and who may use it. */
export interface Endpoint extends HttpRoute {
  readonly access: Access;
}

/** An endpoint, for tables that read as one. */
export function endpoint(access: Access, method: string, path: string, value: Responder): Endpoint {
  return { access, ...route(method, path, value) };
}

/** The variable that tokens may be in, where there are no files. */
export const TOKENS_VARIABLE = "DENOSQ_HTTP_TOKENS";

/** Where tokens come from. */
export interface TokenSource {
  /** Path of a file with tokens, or "". */
  readonly path: string;
  /** What the variable has, if it is there. */
  readonly listed: string | undefined;
  /** Without tokens nobody may use what is not for everybody. */
  readonly isClosed: boolean;
}

/** Who is told, and how it is noted. */
interface GuardContext {
  readonly logger: Logger;
  readonly audit?: Audit | undefined;
}

/** Lets requests pass that bring a token with the role that their endpoint asks for. */
export class HttpGuard {
  /** The file of tokens, or "" when they are not in one. */
  readonly #path: string;
  readonly #audit: Audit | undefined;
  /** Undefined where it is closed. */
  #tokens: HttpTokens | undefined;
  readonly #unauthorized: Responder;
  readonly #forbidden: Responder;

  private constructor({ path, listed }: TokenSource, { logger, audit }: GuardContext) {
    this.#path = path;
    this.#audit = audit;
    if (path !== "") this.#tokens = HttpTokens.read(path);
    else if (listed !== undefined) this.#tokens = HttpTokens.listed(listed, TOKENS_VARIABLE);
    else {
      logger.warn(
        `HTTP: closed but for /ping and /health/*, because there are no tokens: set ${TOKENS_VARIABLE}` +
          ' to "<token> <roles>", several of them with ; between, or give --http-auth-token-file',
      );
    }
    this.#unauthorized = refusal(logger, 401, "UNAUTHORIZED");
    this.#forbidden = refusal(logger, 403, "FORBIDDEN");
  }

  /** The guard that is asked for; none where everything is open. @throws {OptionError} If tokens cannot be used. */
  static of(source: TokenSource, context: GuardContext): HttpGuard | undefined {
    const { path, listed, isClosed } = source;
    if (path !== "" && listed !== undefined) {
      throw new OptionError(`Tokens are in --http-auth-token-file or in ${TOKENS_VARIABLE}, not in both`);
    }
    if (path === "" && listed === undefined && !isClosed) return undefined;
    return new HttpGuard(source, context);
  }

  /** There is a file that can be read again. */
  get canReload(): boolean {
    return this.#path !== "";
  }

  /** Reads the file again; what is returned makes its tokens those that count. @throws {OptionError} If it can't be used. */
  prepare(): () => void {
    const tokens = HttpTokens.read(this.#path);
    return () => void (this.#tokens = tokens);
  }

  /** The endpoint as a route that only those may use who may. */
  protect({ access, method, path, value }: Endpoint): HttpRoute {
    if (access === "anyone") return route(method, path, value);
    const roles = typeof access === "string" ? [access] : access;
    return route(method, path, (context) => this.#refuse(context, roles) ?? value(context));
  }

  #refuse(context: RequestContext, wanted: readonly HttpRole[]): Promise<Answer> | undefined {
    if (this.#tokens === undefined) {
      this.#noteRefusal(context, "there are no tokens", 403);
      return Promise.resolve(this.#forbidden(context));
    }
    const token = bearerToken(context);
    const holder = token === undefined ? undefined : this.#tokens.holderOf(token);
    if (holder === undefined) {
      return this.#refuseUnknown(context, token === undefined ? "no token" : "unknown token");
    }
    context.client = holder.name;
    const [topic, channel] = holder.isLimited ? placeIn(context) : [];
    if (!wanted.some((role) => holder.may(role, topic, channel))) {
      this.#noteRefusal(context, `role ${wanted.join(" or ")} is missing`, 403);
      return Promise.resolve(this.#forbidden(context));
    }
    context.permits = (role, topic, channel) => holder.may(role as HttpRole, topic, channel);
    return undefined;
  }

  #noteRefusal(
    { remoteAddress: address, client: token, method, target }: RequestContext,
    reason: string,
    status: number,
  ) {
    this.#audit?.note({ event: "refused", address, token, method, target, status, reason });
  }

  async #refuseUnknown(context: RequestContext, reason: string): Promise<Answer> {
    this.#noteRefusal(context, reason, 401);
    return (await this.#unauthorized(context)).with(["Www-Authenticate", "Bearer"]);
  }
}

/** What plain HTTP answers to every request when TLS is required (nsqd/http.go, `ServeHTTP`). */
export function requireTls(httpsPort: number, onError: ErrorSink): RequestHandler {
  const body = `{"message": "TLS_REQUIRED", "https_port": ${httpsPort}}`;
  return ({ peer }) => {
    onError("HTTP_403", peer, body);
    return Promise.resolve(new Answer(403, V1_JSON, body));
  };
}

/** The token that a request brings: pages in a browser cannot give a WebSocket headers, but they can name subprotocols. */
export function bearerToken({ request: { headers } }: RequestContext): string | undefined {
  const authorization = headers.get("authorization");
  if (authorization !== undefined) return /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  const protocols = headers.get("upgrade") === undefined ? undefined : headers.get("sec-websocket-protocol");
  return protocols === undefined ? undefined : /(?:^|,)\s*bearer\.([^\s,]+)/.exec(protocols)?.[1];
}

/** The topic and the channel in the query, as far as they are given. */
function placeIn({ rawQuery }: RequestContext): [topic?: string | undefined, channel?: string | undefined] {
  try {
    const params = parseQuery(rawQuery);
    return [params.get("topic"), params.get("channel")];
  } catch (error) {
    // The endpoint says what is wrong with it.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
