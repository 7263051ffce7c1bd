/**
 * nsqd on a Deno KV database: the HTTP API on a queue that it shares with other instances, and nothing else. There is no TCP,
 * no broker, no data path, and no discovery. What it starts and stops is one list each, as in nsqd.ts.
 *
 * @module
 */
import { AsyncGroup } from "../base/async_group.ts";
import { AuditLog } from "../base/audit_log.ts";
import { momentOf, SystemClock } from "../base/clock.ts";
import type { Daemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { every, sleep } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { LoopLag } from "../base/loop_lag.ts";
import { oneLine } from "../base/one_line.ts";
import { hostName, isOnDeploy, variable } from "../base/platform.ts";
import { versionLine } from "../base/version.ts";
import { warnOfOpenSecrets } from "../config/secret_files.ts";
import { HostNames } from "../http/foreign_requests.ts";
import { HttpError } from "../http/http_error.ts";
import { RequestCounts } from "../http/request_counts.ts";
import type { ApiContext } from "./api/context.ts";
import { nsqdHttpApi } from "./api/endpoints.ts";
import { HttpGuard, TOKENS_VARIABLE } from "./api/guard.ts";
import { HttpAuth } from "./api/http_auth.ts";
import type { Kv } from "./kv/database.ts";
import { KvQueue } from "./kv/kv_queue.ts";
import { kvPlaceOf } from "./kv/options.ts";
import { Listeners } from "./listeners.ts";
import { NodeTls } from "./node/tls.ts";
import { type NsqdOptions, type NsqdStart, secretFiles } from "./options.ts";
import { Reload, type Reloadable } from "./reload.ts";
import { auditedAuth } from "./session/audited_auth.ts";
import { Authorizer } from "./session/authorizer.ts";
import { placeLines } from "./sandbox.ts";
import { ErrorCounts } from "./stats/errors.ts";
import { NodeCounts } from "./stats/node_metrics.ts";
import { Settings } from "./settings.ts";

/** How often it is looked what has timed out, and who has waited long enough: as in nsqd.ts. */
const LOOK_INTERVAL_MS = 100;
const CLOCK_INTERVAL_MS = 1000;
/** How long HTTP requests may take to end when it stops. */
const HTTP_GRACE_MS = 1000;
/** How long what is under way in the database may take to end when it stops. */
const STOP_TIMEOUT_MS = 1500;
/** How long it all may take: a platform that has asked a process to stop kills it 5 s later. */
const STOP_LIMIT_MS = 4000;
/** How long the audit log may take for what is still to be written. */
const AUDIT_TIMEOUT_MS = 500;

/** A running instance. */
export class KvNode implements Daemon {
  readonly queue: KvQueue;
  readonly #logger: Logger;
  readonly #settings: Settings;
  readonly #clock = new SystemClock();
  readonly #loops = new AsyncGroup();
  readonly #listeners = new Listeners();
  readonly #errors: ErrorCounts;
  readonly #lag = new LoopLag();
  readonly #audit: AuditLog | undefined;
  readonly #tls: NodeTls;
  readonly #authorizer: Authorizer;
  readonly #openListeners: () => Promise<void>;
  readonly #reload: Reload;
  #stopping: Promise<void> | undefined;

  constructor(start: Pick<NsqdStart, "options" | "tls">, kv: Kv, logger: Logger) {
    // What it does not have is not there, whatever is asked for.
    const options = { ...start.options, tcpAddress: "", store: storeOf(start.options) };
    const clock = this.#clock;
    this.#logger = logger;
    this.#errors = new ErrorCounts(() => clock.nowMs());
    this.#settings = new Settings(options);
    const { auditLog: to } = options;
    const audit = to === "" ? undefined : AuditLog.open({ to, program: "nsqd", logger, clock });
    const guard = HttpGuard.of({
      path: options.httpAuthTokenFile,
      listed: variable(TOKENS_VARIABLE),
      // Whatever is served there, everybody can reach.
      isClosed: isOnDeploy(),
    }, { logger, audit });
    this.#audit = audit;
    this.#tls = new NodeTls(options, start.tls);
    this.#authorizer = new Authorizer({
      options,
      timeoutMs: options.httpClientRequestTimeoutMs,
      rootCa: start.tls.rootCa,
      signal: this.#loops.signal,
      clock,
    });
    this.queue = new KvQueue({
      kv,
      clock,
      logger,
      options,
      tasks: this.#loops,
      sleep: (ms) => sleep(ms, this.#loops.signal),
    });
    const reloadables: Reloadable[] = [];
    if (this.#tls.hasFiles) reloadables.push({ name: "certificates", prepare: () => this.#prepareTls() });
    if (guard?.canReload) reloadables.push({ name: "tokens", prepare: () => guard.prepare() });
    if (audit) reloadables.push({ name: "audit log", prepare: () => audit.prepare() });
    this.#reload = new Reload(logger, reloadables);

    const context = this.#apiContext();
    const hosts = HostNames.of(options.httpAllowedHosts);
    const api = (withoutAdmin: boolean) =>
      nsqdHttpApi(context, { guard, audit, hosts, origins: options.httpAllowOrigins, withoutAdmin }).handle;
    this.#openListeners = async () => {
      await this.#tls.open();
      await this.#listeners.openHttp({
        logger,
        clock,
        options: this.#settings.options,
        tlsServer: this.#tls.server,
        handler: api(options.adminAddress !== ""),
        adminHandler: api(false),
        onError: this.#errors.note,
      });
    };
  }

  /** @throws {Error} Why it cannot start; everything is released then. */
  async start(): Promise<void> {
    const { options } = this.#settings;
    this.#logger.info(versionLine("nsqd"));
    this.#logger.info(`KV: messages are kept in ${placeText(options)}, and served over HTTP only`);
    this.#warn();
    try {
      await this.#openListeners();
    } catch (error) {
      await this.#release({ graceMs: 0 });
      throw error;
    }
    const { http, https, admin } = this.#listeners;
    if (http) this.#loops.spawn("httpServer", () => http.finished);
    if (https) this.#loops.spawn("httpsServer", () => https.finished);
    if (admin) this.#loops.spawn("adminServer", () => admin.finished);
    this.#loops.spawn("lagLoop", (signal) => this.#lag.run(signal));
    this.#loop("lookLoop", LOOK_INTERVAL_MS, () => this.queue.look());
    this.#loop("clockLoop", CLOCK_INTERVAL_MS, () => void this.#clock.adjust());
  }

  /** Stops: no more messages, no more requests, loops, the database. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.queue.stopDelivery();
    await this.#release({ graceMs: HTTP_GRACE_MS });
    this.#logger.info("NSQ: bye");
  }

  /** What is under way is in the database or not, and nothing is lost by not waiting for it. */
  get stopLimitMs(): number {
    return STOP_LIMIT_MS;
  }

  get failed(): Promise<Error> {
    return this.#loops.failed;
  }

  fail(task: string, error: unknown): void {
    this.#loops.spawn(task, () => Promise.reject(error));
  }

  /** @throws {Error} Why nothing has changed. */
  reload(): void {
    this.#runReload();
  }

  get httpPort(): number | undefined {
    return this.#listeners.http?.port;
  }

  async #release({ graceMs }: { readonly graceMs: number }): Promise<void> {
    await this.#listeners.closeHttp({ graceMs });
    this.#loops.abort();
    try {
      await this.#loops.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.#logger.error(errorText(error));
    }
    this.queue.close();
    this.#authorizer.close();
    await this.#audit?.close(AUDIT_TIMEOUT_MS);
  }

  /** Of what was given and has no effect. */
  #warn(): void {
    const { options } = this.#settings;
    for (const line of placeLines(options)) this.#logger.info(`PLACE: ${line}`);
    warnOfOpenSecrets(secretFiles(options), this.#logger);
    const without = [
      ["lookupd-tcp-address", options.lookupdTcpAddresses.length > 0],
      ["gossip-address", options.gossipAddress !== ""],
      ["data-path", options.dataPath !== ""],
      ["durability", options.durability !== "memory"],
    ].flatMap(([flag, isGiven]) => isGiven ? [flag] : []);
    for (const flag of without) this.#logger.warn(`--${flag} has no effect with --store=kv`);
  }

  #apiContext(): ApiContext {
    const settings = this.#settings;
    const { options } = settings;
    const clock = this.#clock;
    const listeners = this.#listeners;
    const tls = this.#tls;
    const { queue } = this;
    const started = momentOf(clock);
    const refused = () => listeners.refused;
    const health = () => queue.problem === undefined ? "OK" : `NOK - Deno KV: ${oneLine(queue.problem)}`;
    const logger = this.#logger;
    const httpAuth = new HttpAuth({
      clock,
      logger,
      authorize: (client, secret) =>
        auditedAuth(this.#audit, client, this.#authorizer.authorize(client, secret)),
    });
    return {
      queue,
      sockets: undefined,
      authorize: (request, place) =>
        options.authHttpAddresses.length > 0 ? httpAuth.check(request, place) : undefined,
      clock,
      get options() {
        return settings.options;
      },
      logger,
      hostname: hostName(),
      tcpPort: undefined,
      get httpPort() {
        return listeners.http?.port;
      },
      started,
      hasGossip: false,
      health,
      readiness: () => {
        const isReady = queue.problem === undefined;
        return { ready: isReady, state: "running", reasons: isReady ? [] : [`Deno KV: ${queue.problem}`] };
      },
      drain() {
        // Nothing ends with this instance that consumers would have to finish before.
        throw new HttpError(501, "NO_DRAIN");
      },
      isLoading: false,
      errors: this.#errors,
      refused,
      // There are none here: /metrics has what the node counts, and topics are in /stats.
      broker: { topics: new Map() },
      node: {
        counts: new NodeCounts({ requests: new RequestCounts(), lag: this.#lag }),
        started,
        dataPath: "",
        broker: { backgroundWork: { tasks: 0, segments: 0, bytes: 0 } },
        health,
        sessions: () => [],
        refused,
        errors: this.#errors,
        statsdPackets: { sent: 0, failed: 0 },
        get certificateExpiresMs() {
          return tls.expiresMs;
        },
      },
      sessions: () => [],
      clientOf() {
        throw new Error("There are no consumers of a broker");
      },
      optionValue: (key) => settings.valueOf(key),
      setLogLevel: (level) => {
        settings.change({ logLevel: level });
        logger.level = level;
      },
      // They are remembered, and shown, as long as nothing registers with them.
      setLookupdAddresses: (lookupdTcpAddresses) => settings.change({ lookupdTcpAddresses }),
      reload: () => this.#runReload(),
      get certificateExpiresMs() {
        return tls.expiresMs;
      },
      runningTasks: () => this.#loops.running,
    };
  }

  #runReload(): readonly string[] {
    warnOfOpenSecrets(secretFiles(this.#settings.options), this.#logger);
    return this.#reload.run();
  }

  #prepareTls(): () => void {
    const apply = this.#tls.prepare();
    return () => {
      apply();
      this.#authorizer.trust(this.#tls.rootCa);
      this.#listeners.renewTls(this.#tls.server);
    };
  }

  #loop(name: string, intervalMs: number, work: () => void): void {
    this.#loops.spawn(name, (signal) => every(intervalMs, signal, work));
  }
}

/** What is in force: a database that nobody has asked for is the one that is attached. */
function storeOf({ store }: NsqdOptions): NsqdOptions["store"] {
  return kvPlaceOf({ store }) === undefined ? "kv" : store;
}

function placeText({ store }: NsqdOptions): string {
  const place = kvPlaceOf({ store }) ?? "";
  return place === "" ? "the Deno KV database that is attached" : `Deno KV at ${place}`;
}
