/**
 * Where nsqd listens: for TCP clients, for HTTP, and for HTTPS once there is a certificate; and apart from them for those
 * that administer it, if it is told to.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { ErrorSink } from "../base/error_sink.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { type Address, parseAddress } from "../config/address.ts";
import { BodyBudget } from "../http/body_budget.ts";
import type { RequestHandler } from "../http/http_request.ts";
import type { HttpOptions } from "../http/options.ts";
import { httpConnections, httpLimits, type HttpServer, serveHttp } from "../http/server.ts";
import type { ConnectionLimits } from "../net/admission.ts";
import { possibleLimits } from "../net/descriptors.ts";
import { ConnectionListener, type Listening } from "../net/listener.ts";
import type { ThreadListener } from "../net/threads/thread_listener.ts";
import type { TlsServer } from "../net/tls_server.ts";
import { removeAbandonedSocket } from "../net/unix_socket.ts";
import { OPEN_FILES_MAX } from "../storage/open_files.ts";
import { requireTls } from "./api/guard.ts";
import type { ApiOptions } from "./api/options.ts";
import type { TlsOptions } from "./node/tls.ts";
import type { SessionOptions } from "./session/options.ts";

/** What listeners are opened with. */
export interface ListenersContext {
  readonly logger: Logger;
  /** By which limits of time go. */
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly options:
    & Pick<
      SessionOptions,
      "tcpAddress" | "maxConnections" | "maxConnectionsPerAddress" | "writeTimeoutMs" | "ioThreads"
    >
    & Pick<ApiOptions, "httpAddress" | "httpsAddress" | "adminAddress">
    & HttpOptions
    & Pick<TlsOptions, "tlsRequired">;
  /** Absent without a certificate: there is no HTTPS then. */
  readonly tlsServer: TlsServer | undefined;
  /** Answers HTTP requests. */
  readonly handler: RequestHandler;
  /** Answers those on the address for administration. */
  readonly adminHandler: RequestHandler;
  /** Is told of what clients do wrong before there is a request. */
  readonly onError: ErrorSink;
}

/** Connections that have been refused since the start, because there were too many. */
export interface RefusedConnections {
  readonly tcp: number;
  readonly http: number;
}

/** Segment files that may be open at once: each topic's last, and those that are read or synced. */
const SEGMENT_FILES_MAX = 2 * OPEN_FILES_MAX;
/** Files that an I/O thread of the runtime has open besides its connections: 7, and one more. */
const THREAD_FILES = 8;
/** Nobody administers nsqd on more connections than that at once. */
const ADMIN_LIMITS: ConnectionLimits = { max: 100, perAddressMax: 0 };
const NONE: ConnectionLimits = { max: 0, perAddressMax: 0 };

/** All listeners of one nsqd. */
export class Listeners {
  #threads: ThreadListener | undefined;
  #tcp: Listening | undefined;
  #http: HttpServer | undefined;
  #https: HttpServer | undefined;
  #admin: HttpServer | undefined;
  /** What is left of the files that may be open is dealt out to all of them at once. */
  #tcpLimits = NONE;

  /** Starts the threads that TCP connections are to have. @throws {Error} If they cannot be had. */
  async startThreads(
    { tcpAddress, ioThreads, maxOutputPendingSizeBytes }: Pick<
      SessionOptions,
      "tcpAddress" | "ioThreads" | "maxOutputPendingSizeBytes"
    >,
    logger: Logger,
  ): Promise<void> {
    if (ioThreads === 0 || parseAddress(tcpAddress)?.kind !== "tcp") return;
    const { ThreadListener } = await import("../net/threads/thread_listener.ts");
    this.#threads = await ThreadListener.start({
      threads: ioThreads,
      logger,
      outputMax: maxOutputPendingSizeBytes,
    });
  }

  /** Frees what connections have left in threads of their own. */
  collectGarbage(): void {
    this.#threads?.collectGarbage();
  }

  /** Listens for HTTP. @throws {Error} If one cannot listen; those that do already are to be closed. */
  async openHttp(context: ListenersContext): Promise<void> {
    const { logger, clock, options, tlsServer, handler, adminHandler, onError } = context;
    const addresses = addressesOf(context);
    for (const address of Object.values(addresses)) await clear(address, logger);
    const limits = limitsOf(context, addresses);
    this.#tcpLimits = limits.TCP;
    // One budget for all of them: the memory is one.
    const budget = new BodyBudget(options.httpMaxBodiesSizeBytes);
    const serve = (name: "HTTP" | "HTTPS" | "ADMIN", handler: RequestHandler, tls?: TlsServer) => {
      const address = addresses[name];
      if (address === undefined) return undefined;
      return serveHttp({
        address,
        handler,
        logger,
        clock,
        name,
        tls,
        onError,
        limits: httpLimits(options, limits[name], budget),
      });
    };
    this.#https = serve("HTTPS", handler, tlsServer);
    this.#http = serve(
      "HTTP",
      options.tlsRequired === "true" ? requireTls(this.#https?.port ?? 0, onError) : handler,
    );
    this.#admin = serve("ADMIN", adminHandler);
  }

  /** Listens for TCP clients, after HTTP. @throws {Error} If it cannot. */
  async openTcp(options: Pick<SessionOptions, "tcpAddress">, logger: Logger): Promise<void> {
    this.#tcp = await listenTcp(options, this.#threads, this.#tcpLimits, logger);
  }

  /** Stops listening for TCP clients. */
  closeTcp(): void {
    (this.#tcp ?? this.#threads)?.close();
  }

  get tcp(): Listening | undefined {
    return this.#tcp;
  }

  get http(): HttpServer | undefined {
    return this.#http;
  }

  get https(): HttpServer | undefined {
    return this.#https;
  }

  /** Where those are served that administer nsqd, if apart from others. */
  get admin(): HttpServer | undefined {
    return this.#admin;
  }

  /** Port of the TCP protocol, `undefined` for a unix socket. */
  get tcpPort(): number | undefined {
    return this.#tcp === undefined || this.#tcp.port < 0 ? undefined : this.#tcp.port;
  }

  /** What has been refused so far. */
  get refused(): RefusedConnections {
    const http = [this.#http, this.#https, this.#admin].reduce(
      (sum, server) => sum + (server?.refused ?? 0),
      0,
    );
    return { tcp: this.#tcp?.admission.refused ?? 0, http };
  }

  /** Serves HTTPS by another certificate from now on; connections stay that there are. */
  renewTls(tls: TlsServer | undefined): void {
    if (tls) this.#https?.renew(tls);
  }

  /** Closes HTTP and HTTPS; requests in progress may take that long. */
  async closeHttp(options: { readonly graceMs: number }): Promise<void> {
    await Promise.all([this.#http, this.#https, this.#admin].map((server) => server?.close(options)));
  }
}

type Name = "TCP" | "HTTP" | "HTTPS" | "ADMIN";
type Addresses = Readonly<Record<Name, Address | undefined>>;

function addressesOf({ options, tlsServer }: ListenersContext): Addresses {
  return {
    TCP: parseAddress(options.tcpAddress),
    HTTP: parseAddress(options.httpAddress),
    HTTPS: tlsServer && parseAddress(options.httpsAddress),
    ADMIN: parseAddress(options.adminAddress),
  };
}

function limitsOf(
  { options, logger }: ListenersContext,
  addresses: Addresses,
): Record<Name, ConnectionLimits> {
  const http = httpConnections(options);
  const wanted: Record<Name, ConnectionLimits> = {
    TCP: { max: options.maxConnections, perAddressMax: options.maxConnectionsPerAddress },
    HTTP: http,
    HTTPS: http,
    ADMIN: ADMIN_LIMITS,
  };
  const listening = Object.entries(wanted).filter(([name]) => addresses[name as Name] !== undefined);
  const files = SEGMENT_FILES_MAX + THREAD_FILES * options.ioThreads;
  const possible = possibleLimits(Object.fromEntries(listening), { files, logger });
  return { TCP: NONE, HTTP: NONE, HTTPS: NONE, ADMIN: NONE, ...possible };
}

/** A socket that a killed nsqd has left behind is in nobody's way. */
async function clear(address: Address | undefined, logger: Logger): Promise<void> {
  if (address?.kind !== "unix") return;
  if (await removeAbandonedSocket(address.path)) {
    logger.info(`removed the socket ${address.path}, on which nobody listened any more`);
  }
}

async function listenTcp(
  { tcpAddress }: Pick<SessionOptions, "tcpAddress">,
  threads: ThreadListener | undefined,
  limits: ConnectionLimits,
  logger: Logger,
): Promise<Listening | undefined> {
  const address = parseAddress(tcpAddress);
  if (!address) return undefined;
  let listener: Listening;
  try {
    if (threads !== undefined && address.kind === "tcp") {
      await threads.listen(address, limits);
      listener = threads;
    } else {
      listener = new ConnectionListener(address, { limits });
    }
  } catch (cause) {
    throw new Error(`listen (${tcpAddress}) failed - ${errorText(cause)}`, { cause });
  }
  logger.info(`TCP: listening on ${listener.text}`);
  return listener;
}
