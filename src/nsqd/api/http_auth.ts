/**
 * What auth servers say of clients that consume over HTTP: who may not subscribe over TCP may not do so here. The bearer token
 * is the secret that they are asked about.
 *
 * @module
 */
import type { Clock } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { fromNode } from "../../base/from_node.ts";
import type { Logger } from "../../base/logger.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { Place } from "../queue/queue.ts";
import type { AuthState } from "../session/auth.ts";
import type { AskedClient } from "../session/authorizer.ts";
import { hostOf } from "../../net/connection.ts";
import { bearerToken } from "./guard.ts";

const nodeCrypto = fromNode("node:crypto");

/** Clients whose permissions are remembered while they are valid. */
export const REMEMBERED_MAX = 1000;

/** What is needed to ask. */
export interface HttpAuthContext {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  /** Asks an auth server. Rejects when none answers as it should. */
  authorize(client: AskedClient, secret: string): Promise<AuthState>;
}

/** Asks, and remembers the answers. */
export class HttpAuth {
  readonly #context: HttpAuthContext;
  /** By a hash of all that auth servers are told. */
  readonly #states = new Map<string, Promise<AuthState>>();

  constructor(context: HttpAuthContext) {
    this.#context = context;
  }

  /** Settles when the client may consume there. @throws {HttpError} When it may not. */
  async check(request: RequestContext, { topic, channel }: Place): Promise<void> {
    const secret = bearerToken(request);
    if (secret === undefined) {
      throw new HttpError(401, "UNAUTHORIZED", { headers: [["Www-Authenticate", "Bearer"]] });
    }
    const { rules } = await this.#stateOf(request, secret);
    if (!(rules.known(topic, channel) ?? await rules.decide(topic, channel))) {
      throw new HttpError(403, "FORBIDDEN");
    }
  }

  async #stateOf(request: RequestContext, secret: string): Promise<AuthState> {
    const { remoteAddress } = request;
    const { tls } = request.request;
    const told = [secret, hostOf(remoteAddress), tls !== undefined, tls?.commonName];
    const key = nodeCrypto().createHash("sha256").update(JSON.stringify(told)).digest("base64");
    const last = this.#states.get(key);
    const known = last && await last.catch(() => undefined);
    if (known !== undefined && known.expiresMs >= this.#context.clock.monotonicMs()) return known;
    // Somebody else may be asking already.
    let asked = this.#states.get(key);
    if (asked === undefined || asked === last) {
      asked = this.#context.authorize({ remoteAddress, tls }, secret);
      this.#remember(key, asked);
    }
    try {
      return await asked;
    } catch (cause) {
      if (this.#states.get(key) === asked) this.#states.delete(key);
      // What is wrong with the server is not for a client to know.
      this.#context.logger.warn(`HTTP: [${remoteAddress}] AUTH failed ${errorText(cause)}`);
      throw new HttpError(503, "AUTH_FAILED", { headers: [["Retry-After", "1"]], cause });
    }
  }

  #remember(key: string, asked: Promise<AuthState>): void {
    this.#states.delete(key);
    for (const oldest of this.#states.keys()) {
      if (this.#states.size < REMEMBERED_MAX) break;
      this.#states.delete(oldest);
    }
    this.#states.set(key, asked);
  }
}
