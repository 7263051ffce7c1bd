/**
 * Serves HTTP, or HTTPS to any client, on a TCP address or a unix socket. The only file that calls `Deno.serve`;
 * for HTTPS with conditions see https_server.ts.
 *
 * How a server closes. The runtime can finish its requests (`shutdown`) or cut them off (an abort signal), but
 * not do one after the other: once it has been asked to finish, a handler or a client that hangs makes it wait
 * for ever, and in recent versions a body that is still on its way is lost at once. So the requests are counted
 * here:
 *
 * ```
 *  close() ──▶ new requests get 503 ──▶ none in progress ──▶ shutdown: sends the last responses
 *                                  └──▶ time is up ────────▶ abort: everything ends at once
 * ```
 *
 * @module
 */
import { errorText } from "../base/error_text.ts";
import { hostPort } from "../base/host_port.ts";
import type { Logger } from "../base/logger.ts";
import type { Address } from "../config/address.ts";
import type { RequestHandler } from "./http_request.ts";
import { Requests, sendTimeMs, settles } from "./requests.ts";

/** What {@linkcode serveHttp} needs. */
export interface ServeOptions {
  /** Where to listen; port 0 is any free port. */
  readonly address: Address;
  readonly handler: RequestHandler;
  readonly logger: Logger;
  /** Certificate chain and private key, in PEM form, to serve HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A listener and its requests. */
export interface HttpServer {
  /** What it is bound to: `127.0.0.1:4151`, or the path of the socket. */
  readonly address: string;
  /** The port it is bound to, or `undefined` for a unix socket. */
  readonly port: number | undefined;
  /** Settles when it has stopped serving. */
  readonly finished: Promise<void>;
  /** Refuses new requests, lets those in progress finish, and cuts off what is left after `graceMs`. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

/** A server that can be replaced by another one on the same port. */
export interface RetirableServer extends HttpServer {
  /** Stops listening; settles when the requests in progress have ended. */
  retire(): Promise<void>;
}

/** The variable by which the runtime would serve somewhere else than it is told to. */
const ADDRESS_OVERRIDE = "DENO_SERVE_ADDRESS";

/**
 * Listens and serves.
 *
 * @throws {Error} If it can't listen; the message names the address, the cause is the platform's.
 */
export function serveHttp(options: ServeOptions): RetirableServer {
  ignoreAddressOverride();
  const { address, logger, tls } = options;
  const name = tls === undefined ? "HTTP" : "HTTPS";
  const requests = new Requests(options.handler);
  const abort = new AbortController();
  const settings = {
    signal: abort.signal,
    onListen: () => {},
    // Handlers don't reject: what ends here is a fault in the runtime's handling of a response.
    onError(error: unknown): Response {
      logger.error(`${name}: failed to respond - ${error}`);
      return new Response(null, { status: 500 });
    },
    // Go's server never compresses; older versions of the runtime would.
    automaticCompression: false,
  };
  try {
    const server = address.kind === "unix"
      ? Deno.serve({ ...settings, path: address.path }, requests.handle)
      : Deno.serve({ ...settings, ...tcpSettings(address), ...tls }, requests.handle);
    return new DenoServer({ server, requests, abort, name, logger });
  } catch (cause) {
    throw listenError(address, cause);
  }
}

/** Why an address cannot be listened on. */
export function listenError(address: Address, cause: unknown): Error {
  return new Error(`Cannot listen on ${formatAddress(address)}: ${errorText(cause)}`, { cause });
}

/** An address as it was bound to. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return address.path;
  return hostPort(address);
}

class DenoServer implements RetirableServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly #finished = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.Addr>;
  readonly #requests: Requests;
  readonly #abort: AbortController;
  readonly #name: string;
  readonly #logger: Logger;

  constructor(
    options: {
      server: Deno.HttpServer<Deno.Addr>;
      requests: Requests;
      abort: AbortController;
      name: string;
      logger: Logger;
    },
  ) {
    this.#server = options.server;
    this.#requests = options.requests;
    this.#abort = options.abort;
    this.#name = options.name;
    this.#logger = options.logger;
    const bound = addressOf(options.server.addr);
    this.port = bound.kind === "tcp" ? bound.port : undefined;
    this.address = formatAddress(bound);
    options.server.finished.then(this.#finished.resolve, this.#finished.reject);
    this.#logger.info(`${this.#name}: listening on ${this.address}`);
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  async retire(): Promise<void> {
    await this.#server.shutdown();
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    this.#logger.info(`${this.#name}: closing ${this.address}`);
    const endMs = performance.now() + options.graceMs;
    if (!await settles(this.#requests.close(), options.graceMs)) {
      this.#logger.warn(`${this.#name}: cut off ${this.#requests.count} requests after ${options.graceMs}ms`);
      this.#abort.abort();
      return;
    }
    if (!await settles(this.#server.shutdown(), sendTimeMs(endMs))) {
      // Nothing but Deno.exit ends these connections now, and the process does not end by itself while they last.
      this.#logger.warn(`${this.#name}: left clients behind that do not read their responses`);
      this.#finished.resolve();
    }
  }
}

function ignoreAddressOverride(): void {
  const { state } = Deno.permissions.querySync({ name: "env", variable: ADDRESS_OVERRIDE });
  if (state === "granted") Deno.env.delete(ADDRESS_OVERRIDE);
}

/** An empty host name is every address, which the runtime takes an absent one for. */
function tcpSettings(address: Address & { kind: "tcp" }): { hostname?: string; port: number } {
  const { hostname, port } = address;
  return hostname === "" ? { port } : { hostname, port };
}

function addressOf(bound: Deno.Addr): Address {
  // By what there is and not by `transport`, which older versions of the runtime leave out over TLS.
  if ("hostname" in bound) return { kind: "tcp", hostname: bound.hostname, port: bound.port };
  if ("path" in bound) return { kind: "unix", path: bound.path };
  throw new TypeError("Cannot serve HTTP over anything but TCP and unix sockets");
}
