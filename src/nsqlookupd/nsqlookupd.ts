/**
 * nsqlookupd, put together (nsqlookupd/nsqlookupd.go): what it starts, and what it stops, are one list each. It keeps
 * nothing on disk: each nsqd registers again with an nsqlookupd that was started anew.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { AuditLog } from "../base/audit_log.ts";
import { momentOf, SystemClock } from "../base/clock.ts";
import type { Daemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { every } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { LoopLag } from "../base/loop_lag.ts";
import { SharedSlice } from "../base/time_slice.ts";
import { versionLine } from "../base/version.ts";
import { RegistrationDb } from "../cluster/registration_db.ts";
import { type Address, parseAddress } from "../config/address.ts";
import { BodyBudget } from "../http/body_budget.ts";
import type { Readiness } from "../http/health_pages.ts";
import { RequestCounts } from "../http/request_counts.ts";
import { httpConnections, httpLimits, type HttpServer, serveHttp } from "../http/server.ts";
import type { ConnectionLimits } from "../net/admission.ts";
import type { Connection } from "../net/connection.ts";
import { possibleLimits } from "../net/descriptors.ts";
import { ConnectionListener } from "../net/listener.ts";
import { type HttpApiContext, nsqlookupdHttpApi } from "./http_api.ts";
import { type NsqlookupdOptions, registrationLimits } from "./options.ts";
import { Session, type SessionContext } from "./session.ts";

/** How often connections are held against their time limits. */
const LIMITS_INTERVAL_MS = 500;
const CLOCK_INTERVAL_MS = 1000;
/** Nobody administers nsqlookupd on more connections than that at once. */
const ADMIN_LIMITS: ConnectionLimits = { max: 100, perAddressMax: 0 };
/** How long HTTP requests may take to end when nsqlookupd stops. */
const HTTP_GRACE_MS = 2000;
/** How long connections may take to end when nsqlookupd stops. */
const STOP_TIMEOUT_MS = 10_000;
/** How long the audit log may take for what is still to be written. */
const AUDIT_TIMEOUT_MS = 2000;

/** A running nsqlookupd. */
export class Nsqlookupd implements Daemon, HttpApiContext, SessionContext {
  readonly clock = new SystemClock();
  readonly options: NsqlookupdOptions;
  readonly logger: Logger;
  readonly db: RegistrationDb;
  readonly connections = new Set<Session>();
  readonly slice = new SharedSlice(this.clock);
  readonly hostname = Deno.hostname();
  readonly started = momentOf(this.clock);
  readonly lag = new LoopLag();
  readonly requests = new RequestCounts();

  readonly #group = new AsyncGroup();
  /** Apart from the loops, because connections end first. */
  readonly #clients = new AsyncGroup();
  #tcp: ConnectionListener | undefined;
  #http: HttpServer | undefined;
  #audit: AuditLog | undefined;
  #admin: HttpServer | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: NsqlookupdOptions, logger: Logger) {
    this.options = options;
    this.logger = logger;
    this.db = new RegistrationDb(registrationLimits(options));
  }

  /**
   * Listens, and runs the loops.
   *
   * @throws {Error} Why it cannot start; everything is released then.
   */
  start(): void {
    this.logger.info(versionLine("nsqlookupd"));
    const { auditLog: to } = this.options;
    if (to !== "") {
      this.#audit = AuditLog.open({ to, program: "nsqlookupd", logger: this.logger, clock: this.clock });
    }
    this.#listen();
    this.#loop("limitsLoop", LIMITS_INTERVAL_MS, () => this.#checkLimits());
    this.#group.spawn("lagLoop", (signal) => this.lag.run(signal));
    this.#loop("clockLoop", CLOCK_INTERVAL_MS, () => void this.clock.adjust());
  }

  get failed(): Promise<Error> {
    return Promise.race([this.#group.failed, this.#clients.failed]);
  }

  fail(task: string, error: unknown): void {
    this.#group.spawn(task, () => Promise.reject(error));
  }

  /** Opens the audit log anew; no other file is in use. @throws {Error} If that is not possible. */
  reload(): void {
    this.#audit?.prepare()();
    this.logger.info(`reloaded ${this.#audit ? "audit log" : "nothing: there are no such files"}`);
  }

  /** Stops in NSQ's order: TCP, its clients, HTTP, loops. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  get readiness(): Readiness {
    // It keeps nothing that it could have to wait for: each nsqd tells it anew what it has.
    const reasons = this.#stopping ? ["stopping"] : [];
    return { ready: reasons.length === 0, state: this.#stopping ? "stopping" : "running", reasons };
  }

  get tcpPort(): number {
    return this.#tcp?.port ?? -1;
  }

  /** Where those are served that administer it, if apart from others. */
  get adminPort(): number | undefined {
    return this.#admin?.port;
  }

  get httpPort(): number {
    return this.#http?.port ?? -1;
  }

  get refused(): { readonly tcp: number; readonly http: number } {
    return {
      tcp: this.#tcp?.admission.refused ?? 0,
      http: (this.#http?.refused ?? 0) + (this.#admin?.refused ?? 0),
    };
  }

  runningTasks(): string[] {
    return [...this.#group.running, ...this.#clients.running];
  }

  #listen(): void {
    const { logger, clock, options } = this;
    const isApart = options.adminAddress !== "";
    const wanted: Record<string, ConnectionLimits> = {
      TCP: { max: options.maxConnections, perAddressMax: options.maxConnectionsPerAddress },
      HTTP: httpConnections(options),
    };
    if (isApart) wanted.ADMIN = ADMIN_LIMITS;
    const limits = possibleLimits(wanted, { files: 0, logger });
    const budget = new BodyBudget(options.httpMaxBodiesSizeBytes);
    const serve = (name: "HTTP" | "ADMIN", address: string, withoutAdmin: boolean): HttpServer => {
      const { handle: handler } = nsqlookupdHttpApi(this, { audit: this.#audit, withoutAdmin });
      const own = httpLimits(options, limits[name], budget);
      return serveHttp({ address: listenAddress(address), handler, logger, clock, name, limits: own });
    };
    const tcp = this.#listenTcp(limits.TCP);
    try {
      const http = this.#http = serve("HTTP", options.httpAddress, isApart);
      const admin = this.#admin = isApart ? serve("ADMIN", options.adminAddress, false) : undefined;
      const client = {
        logger,
        name: "TCP",
        serve: (connection: Connection) => new Session(this, connection).run(),
      };
      this.#group.spawn("tcpServer", () => tcp.serve(this.#clients, client));
      this.#group.spawn("httpServer", () => http.finished);
      if (admin) this.#group.spawn("adminServer", () => admin.finished);
    } catch (error) {
      tcp.close();
      void this.#http?.close({ graceMs: 0 });
      throw error;
    }
  }

  #listenTcp(limits: ConnectionLimits): ConnectionListener {
    const { tcpAddress } = this.options;
    try {
      this.#tcp = new ConnectionListener(listenAddress(tcpAddress), { limits });
    } catch (cause) {
      throw new Error(`listen (${tcpAddress}) failed - ${errorText(cause)}`, { cause });
    }
    this.logger.info(`TCP: listening on ${this.#tcp.text}`);
    return this.#tcp;
  }

  #loop(name: string, intervalMs: number, work: () => void): void {
    this.#group.spawn(name, (signal) => every(intervalMs, signal, work));
  }

  #checkLimits(): void {
    const monotonicMs = this.clock.monotonicMs();
    for (const session of this.connections) session.checkLimits(monotonicMs);
  }

  async #stop(): Promise<void> {
    this.#tcp?.close();
    for (const session of this.connections) session.close();
    this.#clients.abort();
    if (this.#tcp) this.logger.info(`TCP: closing ${this.#tcp.text}`);
    await Promise.all([this.#http, this.#admin].map((server) => server?.close({ graceMs: HTTP_GRACE_MS })));
    await this.#settle(this.#clients);
    this.#group.abort();
    await this.#settle(this.#group);
    await this.#audit?.close(AUDIT_TIMEOUT_MS);
  }

  async #settle(group: AsyncGroup): Promise<void> {
    try {
      await group.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.logger.error(errorText(error));
    }
  }
}

/** Both are checked when the options are read. */
function listenAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`No address to listen on: ${JSON.stringify(text)}`);
  return address;
}
