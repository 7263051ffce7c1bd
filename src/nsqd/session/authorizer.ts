/**
 * Asks the configured auth servers about clients.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { hostOf } from "../../net/connection.ts";
import type { TlsState } from "../../net/tls_server.ts";
import type { AuthState } from "./auth.ts";
import type { SharedRules } from "./auth_rules.ts";
import type { AuthOptions } from "./auth_options.ts";

/** What is asked, and how. */
export interface AuthorizerContext {
  readonly options: AuthOptions;
  /** Longest wait for an answer. */
  readonly timeoutMs: number;
  /** A certificate in PEM form that auth servers are trusted by at first. */
  readonly rootCa: string | undefined;
  /** Ends all asking. */
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** A client, as far as auth servers are told of it. */
export interface AskedClient {
  readonly remoteAddress: string;
  readonly tls: TlsState | undefined;
}

/** Knows whom to ask. It must be closed. */
export class Authorizer {
  readonly #context: AuthorizerContext;
  /** What clients with the same answer share; from the first question on. */
  #shared: SharedRules | undefined;
  /** Only where a root certificate is configured. */
  #httpClient: Deno.HttpClient | undefined;

  constructor(context: AuthorizerContext) {
    this.#context = context;
    this.trust(context.rootCa);
  }

  /** Trusts auth servers by this certificate from now on, in PEM form, if there is one. */
  trust(rootCa: string | undefined): void {
    this.close();
    this.#httpClient = rootCa === undefined ? undefined : Deno.createHttpClient({ caCerts: [rootCa] });
  }

  /** Asks what the client may do. Rejects when no server answers as it should. */
  async authorize(client: AskedClient, secret: string): Promise<AuthState> {
    const [{ queryAuthServers }, { SharedRules }] = await Promise.all([
      import("./auth.ts"),
      import("./auth_rules.ts"),
    ]);
    this.#shared ??= new SharedRules();
    const { options, timeoutMs, signal, clock } = this.#context;
    const request = {
      remoteIp: hostOf(client.remoteAddress),
      tls: client.tls !== undefined,
      commonName: client.tls?.commonName ?? "",
      secret,
    };
    const newest = () => this.#httpClient;
    const servers = {
      addresses: options.authHttpAddresses,
      method: options.authHttpRequestMethod === "post" ? "post" as const : "get" as const,
      timeoutMs,
      // Asked for with each request: the one before is closed when there is another.
      get client() {
        return newest();
      },
      signal,
    };
    return await queryAuthServers(servers, request, { shared: this.#shared, clock });
  }

  close(): void {
    this.#httpClient?.close();
  }
}
