/**
 * A server that can go on with another certificate. The runtime's has one for as long as it lives, so another server takes
 * the port over:
 *
 * ```
 *  renew() ──▶ the old one stops listening, and finishes what it has begun
 *         └──▶ the new one listens, as soon as the port is free: a few ms later
 * ```
 *
 * Connections without a request are closed in order by the runtime; their clients make new ones.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { settles } from "./requests.ts";
import type { HttpServer, RetirableServer } from "./server.ts";

/** What a certificate is to be used for. */
export interface RenewableServerOptions<Certificate> {
  readonly logger: Logger;
  readonly certificate: Certificate;
  /** Listens; on any port if the address says so, unless one is given. @throws {Error} Why it cannot. */
  readonly serve: (certificate: Certificate, port?: number) => RetirableServer;
}

/** How long to wait before the port is asked for again: until the old server has let go of it, and longer then. */
const RETRY_MS = 1;
const RETRY_MAX_MS = 1000;

/** A server, and those before it that have not ended. */
export class RenewableServer<Certificate> implements HttpServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly #options: RenewableServerOptions<Certificate>;
  readonly #finished = Promise.withResolvers<void>();
  readonly #retired = new Set<Promise<void>>();
  /** None while the port is waited for. */
  #current: RetirableServer | undefined;
  #certificate: Certificate;
  #renewing: Promise<void> | undefined;
  #closing = false;

  /** @throws {Error} If it can't listen, or not with this certificate. */
  constructor(options: RenewableServerOptions<Certificate>) {
    this.#options = options;
    this.#certificate = options.certificate;
    const first = options.serve(options.certificate);
    this.address = first.address;
    this.port = first.port;
    this.#use(first);
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** Goes on with another certificate, or with the one it has if that cannot be used. */
  async renew(certificate: Certificate): Promise<void> {
    // One after the other: each waits for the port.
    while (this.#renewing) await this.#renewing;
    if (this.#closing) return;
    this.#renewing = this.#replace(certificate);
    await this.#renewing;
    this.#renewing = undefined;
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    this.#closing = true;
    await this.#renewing;
    const ended = Promise.all([...this.#retired]).then(() => {});
    await Promise.all([this.#current?.close(options), settles(ended, options.graceMs)]);
    this.#finished.resolve();
  }

  async #replace(certificate: Certificate): Promise<void> {
    const { logger, serve } = this.#options;
    this.#retire();
    let next = certificate;
    for (let waitMs = RETRY_MS; !this.#closing; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        this.#use(serve(next, this.port));
        this.#certificate = next;
        return;
      } catch (error) {
        const isTaken = error instanceof Error && error.cause instanceof Deno.errors.AddrInUse;
        if (!isTaken) {
          logger.error(`HTTPS: cannot serve with the new certificate - ${errorText(error)}`);
          next = this.#certificate;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  #use(server: RetirableServer): void {
    this.#current = server;
    server.finished.catch((error) => {
      if (this.#current === server) this.#finished.reject(error);
    });
  }

  #retire(): void {
    const retired = this.#current?.retire();
    this.#current = undefined;
    if (retired === undefined) return;
    this.#retired.add(retired);
    void retired.finally(() => this.#retired.delete(retired));
  }
}
