/**
 * Where nsqd listens: for TCP clients, for HTTP, and for HTTPS once there is a certificate.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { parseAddress } from "../config/address.ts";
import type { RequestHandler } from "../http/http_request.ts";
import { type HttpsServer, serveHttps } from "../http/https_server.ts";
import { type HttpServer, serveHttp } from "../http/server.ts";
import { ConnectionListener } from "../net/listener.ts";
import type { TlsServer } from "../net/tls_server.ts";
import { requireTls } from "./api/guard.ts";
import type { ApiOptions } from "./api/options.ts";
import type { TlsOptions } from "./node/tls.ts";
import type { SessionOptions } from "./session/options.ts";

/** What listeners are opened with. */
export interface ListenersContext {
  readonly logger: Logger;
  readonly options:
    & Pick<SessionOptions, "tcpAddress">
    & Pick<ApiOptions, "httpAddress" | "httpsAddress">
    & Pick<TlsOptions, "tlsRequired">;
  /** Absent without a certificate: there is no HTTPS then. */
  readonly tlsServer: TlsServer | undefined;
  /** Answers HTTP requests. */
  readonly handler: RequestHandler;
}

/** All listeners of one nsqd. */
export class Listeners {
  #tcp: ConnectionListener | undefined;
  #http: HttpServer | undefined;
  #https: HttpsServer | undefined;

  /** @throws {Error} If one cannot listen; those that do already are to be closed. */
  open({ logger, options, tlsServer, handler }: ListenersContext): void {
    this.#tcp = listenTcp(options.tcpAddress, logger);
    const https = parseAddress(options.httpsAddress);
    if (https && tlsServer) {
      this.#https = serveHttps({ address: https, handler, logger, tls: tlsServer.options });
    }
    const http = parseAddress(options.httpAddress);
    if (http) {
      const plain = options.tlsRequired === "true" ? requireTls(this.#https?.port ?? 0) : handler;
      this.#http = serveHttp({ address: http, handler: plain, logger });
    }
  }

  get tcp(): ConnectionListener | undefined {
    return this.#tcp;
  }

  get http(): HttpServer | undefined {
    return this.#http;
  }

  get https(): HttpServer | undefined {
    return this.#https;
  }

  /** Port of the TCP protocol, `undefined` for a unix socket. */
  get tcpPort(): number | undefined {
    return this.#tcp === undefined || this.#tcp.port < 0 ? undefined : this.#tcp.port;
  }

  /** Serves HTTPS by another certificate from now on; connections stay that there are. */
  async renewTls(tlsServer: TlsServer | undefined): Promise<void> {
    if (tlsServer) await this.#https?.renew(tlsServer.options);
  }

  /** Closes HTTP and HTTPS; requests in progress may take that long. */
  async closeHttp(options: { readonly graceMs: number }): Promise<void> {
    await Promise.all([this.#http, this.#https].map((server) => server?.close(options)));
  }
}

function listenTcp(text: string, logger: Logger): ConnectionListener | undefined {
  const address = parseAddress(text);
  if (!address) return undefined;
  let listener: ConnectionListener;
  try {
    listener = new ConnectionListener(address);
  } catch (cause) {
    throw new Error(`listen (${text}) failed - ${errorText(cause)}`, { cause });
  }
  logger.info(`TCP: listening on ${listener.text}`);
  return listener;
}
