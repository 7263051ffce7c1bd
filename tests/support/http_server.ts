/**
 * Servers of HTTP on sockets, closed in the end: by the engine of this project's own, or by `Deno.serve`.
 *
 * @module
 */

import { SystemClock } from "../../src/base/clock.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Address } from "../../src/config/address.ts";
import { BodyBudget } from "../../src/http/body_budget.ts";
import { v1 } from "../../src/http/decorators.ts";
import { serveWithRuntime } from "../../src/http/deno_serve.ts";
import type { HttpTimeouts } from "../../src/http/http_connection.ts";
import type { RequestHandler } from "../../src/http/http_request.ts";
import { route } from "../../src/http/route_table.ts";
import { Router } from "../../src/http/router.ts";
import { type HttpServer, serveHttp, type ServeOptions } from "../../src/http/server.ts";
import type { TlsServer } from "../../src/net/tls_server.ts";
import { RawHttpClient } from "./raw_http_client.ts";

/** The ways to serve: what they have in common is tested with both. */
export const WAYS: readonly (readonly [name: string, serve: (options: ServeOptions) => HttpServer])[] = [
  ["serveHttp()", serveHttp],
  ["serveWithRuntime()", serveWithRuntime],
];

/** What a server may be told; whatever is left out is without limits. */
export interface TestServerOptions {
  readonly serve?: (options: ServeOptions) => HttpServer;
  readonly address?: Address;
  readonly handler?: RequestHandler;
  readonly connections?: { readonly max?: number; readonly perAddressMax?: number };
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly bodiesSizeMax?: number;
  readonly tls?: TlsServer;
}

const ANY_PORT: Address = { kind: "tcp", hostname: "127.0.0.1", port: 0 };
const GRACE_MS = 5000;
const NO_TIMEOUTS: HttpTimeouts = {
  headerTimeoutMs: 0,
  bodyTimeoutMs: 0,
  idleTimeoutMs: 0,
  writeTimeoutMs: 0,
};
/** Largest body that `/read` takes, in bytes. */
export const READ_SIZE_MAX = 1_000_000;

/** A server, and what it logs. */
export class TestHttpServer implements AsyncDisposable {
  /** Without the time. */
  readonly lines: string[] = [];
  readonly server: HttpServer;
  readonly budget: BodyBudget;

  constructor(given: TestServerOptions = {}) {
    const { serve = serveHttp, address = ANY_PORT, connections, timeouts, bodiesSizeMax = 0, tls } = given;
    const { lines } = this;
    const level = LOG_LEVELS.info;
    const logger = new Logger({ prefix: "", level, write: (line) => lines.push(line.slice(27)) });
    this.budget = new BodyBudget(bodiesSizeMax);
    this.server = serve({
      address,
      handler: given.handler ?? testRouter(logger).handle,
      logger,
      limits: {
        connections: { max: 0, perAddressMax: 0, ...connections },
        timeouts: { ...NO_TIMEOUTS, ...timeouts },
        budget: this.budget,
      },
      clock: new SystemClock(),
      tls,
    });
  }

  /** `http://host:port`. */
  get url(): string {
    return `http://${this.server.address}`;
  }

  get port(): number {
    return this.server.port ?? 0;
  }

  /** Connects a client that speaks HTTP by hand, in plain. */
  connect(): Promise<RawHttpClient> {
    return RawHttpClient.to(this.server);
  }

  /** Closes it in order. */
  close(graceMs = GRACE_MS): Promise<void> {
    return this.server.close({ graceMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.server.finished;
  }
}

/** What the server of a test answers, unless it is told otherwise. */
function testRouter(logger: Logger): Router {
  return new Router({
    logger,
    routes: [
      route("GET", "/ping", v1(() => "OK")),
      route("GET", "/peer", v1((context) => context.remoteAddress)),
      route("GET", "/target", v1((context) => context.target)),
      route("GET", "/large", v1(() => "x".repeat(5_000_000))),
      route("GET", "/pieces", v1(() => Array.from({ length: 100_000 }, (_, i) => `${i} ☃`))),
      route("GET", "/unicode", v1(() => "größer ☃")),
      route("POST", "/unread", v1(() => "unread")),
      route("POST", "/read", v1(async (context) => sum(await context.readBody(READ_SIZE_MAX)))),
    ],
  });
}

/** The length of a body, and a number that depends on each of its bytes. */
export function sum(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "too big";
  return `${bytes.length} ${bytes.reduce((total, byte) => (total * 31 + byte) % 1_000_003, 0)}`;
}
