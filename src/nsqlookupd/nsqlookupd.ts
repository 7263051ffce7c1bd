/**
 * nsqlookupd, put together (nsqlookupd/nsqlookupd.go): what it starts, and what it stops, are one list each. It keeps
 * nothing on disk: each nsqd registers again with an nsqlookupd that was started anew.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { AuditLog } from "../base/audit_log.ts";
import { SystemClock } from "../base/clock.ts";
import type { Daemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { every } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { SharedSlice } from "../base/time_slice.ts";
import { versionLine } from "../base/version.ts";
import { RegistrationDb } from "../cluster/registration_db.ts";
import { type Address, parseAddress } from "../config/address.ts";
import { type HttpServer, serveHttp } from "../http/server.ts";
import type { Connection } from "../net/connection.ts";
import { ConnectionListener } from "../net/listener.ts";
import { type HttpApiContext, nsqlookupdHttpApi } from "./http_api.ts";
import { type NsqlookupdOptions, registrationLimits } from "./options.ts";
import { Session, type SessionContext } from "./session.ts";

/** How often connections are held against their time limits. */
const LIMITS_INTERVAL_MS = 500;
const CLOCK_INTERVAL_MS = 1000;
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

  readonly #group = new AsyncGroup();
  /** Apart from the loops, because connections end first. */
  readonly #clients = new AsyncGroup();
  #tcp: ConnectionListener | undefined;
  #http: HttpServer | undefined;
  #audit: AuditLog | undefined;
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
    const tcp = this.#listenTcp();
    try {
      const http = this.#listenHttp();
      this.#group.spawn("tcpServer", () => tcp.serve(this.#clients, this.#serve, this.#acceptFailed));
      this.#group.spawn("httpServer", () => http.finished);
    } catch (error) {
      tcp.close();
      throw error;
    }
    this.#loop("limitsLoop", LIMITS_INTERVAL_MS, () => this.#checkLimits());
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

  get tcpPort(): number {
    return this.#tcp?.port ?? -1;
  }

  get httpPort(): number {
    return this.#http?.port ?? -1;
  }

  runningTasks(): string[] {
    return [...this.#group.running, ...this.#clients.running];
  }

  #listenTcp(): ConnectionListener {
    const { tcpAddress } = this.options;
    try {
      this.#tcp = new ConnectionListener(listenAddress(tcpAddress));
    } catch (cause) {
      throw new Error(`listen (${tcpAddress}) failed - ${errorText(cause)}`, { cause });
    }
    this.logger.info(`TCP: listening on ${this.#tcp.text}`);
    return this.#tcp;
  }

  #listenHttp(): HttpServer {
    const { handle: handler } = nsqlookupdHttpApi(this, this.#audit);
    const address = listenAddress(this.options.httpAddress);
    return this.#http = serveHttp({ address, handler, logger: this.logger });
  }

  readonly #serve = async (connection: Connection): Promise<void> => {
    const { maxConnections } = this.options;
    if (maxConnections > 0 && this.connections.size >= maxConnections) {
      this.logger.warn(`TCP: refused client(${connection.peer}): there are ${maxConnections} connections`);
      connection.close();
      return;
    }
    await new Session(this, connection).run();
  };

  readonly #acceptFailed = (error: unknown): void => {
    this.logger.warn(`temporary Accept() failure - ${errorText(error)}`);
  };

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
    await this.#http?.close({ graceMs: HTTP_GRACE_MS });
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
