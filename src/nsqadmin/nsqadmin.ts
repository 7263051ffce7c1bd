/**
 * nsqadmin, put together (nsqadmin/nsqadmin.go): what it starts, and what it stops, are one list each. It keeps nothing on
 * disk: the API says of the cluster what it is told when it asks, and the pages what the poller was told a little before.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { AuditLog } from "../base/audit_log.ts";
import { momentOf, SystemClock } from "../base/clock.ts";
import type { Daemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { every } from "../base/every.ts";
import type { Logger, LogLevel } from "../base/logger.ts";
import { LoopLag } from "../base/loop_lag.ts";
import { versionLine } from "../base/version.ts";
import { Cluster } from "../cluster/cluster.ts";
import { DaemonClient, type DaemonClientOptions } from "../cluster/daemon_client.ts";
import { parseAddress } from "../config/address.ts";
import { configValue, OptionError } from "../config/option.ts";
import { warnOfOpenSecrets } from "../config/secret_files.ts";
import { compressed } from "../http/compressed.ts";
import type { Readiness } from "../http/health_pages.ts";
import { HttpClient } from "../http/http_client.ts";
import type { RequestContext } from "../http/request_context.ts";
import { RequestCounts } from "../http/request_counts.ts";
import { httpConnections, httpLimits, type HttpServer, serveHttp } from "../http/server.ts";
import { EVENT_STREAM_BEAT_INTERVAL_MS } from "../http/server_sent_events.ts";
import { possibleLimits } from "../net/descriptors.ts";
import { mayStill } from "./access.ts";
import { ActivityLog } from "./activity.ts";
import { alertJson, Alerts, alertText } from "./alerts/alerts.ts";
import type { Alert } from "./alerts/found.ts";
import { DEFAULT_RULES } from "./alerts/rules.ts";
import { BULK_REQUESTS_MAX, BulkGoes } from "./bulk.ts";
import { ClusterViews } from "./console/cluster_views.ts";
import { PageEvents } from "./console/events.ts";
import type { AdminContext } from "./context.ts";
import { noteRedriveEnd } from "./endings.ts";
import { nsqadminHttp } from "./http_api.ts";
import { Logins } from "./login/logins.ts";
import { nodeConnection } from "./node_connections.ts";
import { type AdminAction, Notifications } from "./notifications.ts";
import { NSQADMIN_OPTIONS, type NsqadminConfig, type NsqadminOptions } from "./options.ts";
import { TrustedProxies } from "./proxies.ts";
import { Redrives } from "./redrive/redrives.ts";
import { Taps } from "./tap/taps.ts";
import { readTokenFile } from "./token_file.ts";
import { WAITS, type Waits } from "./waits.ts";
import { Poller } from "./watch/poller.ts";

const CLOCK_INTERVAL_MS = 1000;
/** How often it is looked whether the file of users has changed. */
const USER_FILE_INTERVAL_MS = 2000;
/** How long HTTP requests may take to end when nsqadmin stops. */
const HTTP_GRACE_MS = 2000;
/** How long notifications may take that are still to be sent. */
const NOTIFICATIONS_GRACE_MS = 2000;
/** How often a webhook is asked to take an alert. */
const WEBHOOK_TRIES = 5;
/** How long tasks may take to end when nsqadmin stops. */
const STOP_TIMEOUT_MS = 10_000;
/** How long the audit log may take for what is still to be written. */
const AUDIT_TIMEOUT_MS = 2000;

/** A running nsqadmin. */
export class Nsqadmin implements Daemon, AdminContext {
  readonly clock = new SystemClock();
  readonly logger: Logger;
  readonly cluster: Cluster;
  readonly poller: Poller;
  readonly views: ClusterViews;
  readonly alerts: Alerts;
  readonly texts: NsqadminConfig["texts"];
  readonly events = new PageEvents();
  readonly activity = new ActivityLog();
  readonly bulk: BulkGoes;
  readonly redrives: Redrives;
  readonly taps: Taps;
  readonly http: HttpClient;
  readonly proxies: TrustedProxies | undefined;
  readonly logins: Logins | undefined;
  readonly waits: Waits;
  readonly hostname = Deno.hostname();
  readonly started = momentOf(this.clock);
  readonly lag = new LoopLag();
  readonly requests = new RequestCounts();

  readonly #group = new AsyncGroup();
  /** Ends all requests to others. */
  readonly #requests = new AbortController();
  readonly #notifications: Notifications | undefined;
  readonly #webhook: Notifications<unknown> | undefined;
  #options: NsqadminOptions;
  #token: string | undefined;
  #server: HttpServer | undefined;
  #audit: AuditLog | undefined;
  #notifying: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor({ options, tls, token, users, waits = WAITS, texts }: NsqadminConfig, logger: Logger) {
    this.#options = options;
    this.#token = token;
    this.waits = waits;
    const proxies = this.proxies = TrustedProxies.of(options.trustedProxies);
    this.logins = users && new Logins({
      users,
      clock: this.clock,
      ...{ path: options.userFile, basePath: options.basePath, sessionIdleMs: options.sessionIdleTimeoutMs },
      isSecure: ({ request }: RequestContext) => proxies?.isSecure(request) ?? request.tls !== undefined,
      onChange: () => {
        this.events.review();
        this.redrives.review();
        this.bulk.review();
      },
    });
    this.logger = logger;
    this.texts = texts;
    const limits = {
      connectTimeoutMs: options.httpClientConnectTimeoutMs,
      requestTimeoutMs: options.httpClientRequestTimeoutMs,
      signal: this.#requests.signal,
    };
    const { rootCa, pair } = tls;
    const secure = {
      ...limits,
      tls: { rootCa, pair, skipVerify: options.httpClientTlsInsecureSkipVerify },
    };
    this.http = new HttpClient(secure);
    this.cluster = this.#clusterOf({});
    const bulkHttp = new HttpClient({ ...secure, requestsMax: BULK_REQUESTS_MAX });
    this.bulk = new BulkGoes(
      this,
      (patience) => this.#clusterOf({ patience }, bulkHttp),
      (name, run) => this.#group.spawn(name, run),
    );
    this.poller = new Poller({
      // What is asked every few seconds would fill the log.
      cluster: this.#clusterOf({ onRequest: (text) => logger.debug(text) }),
      clock: this.clock,
      logger,
      waits,
      intervalMs: options.pollIntervalMs,
      keepsHistory: options.history,
      // Who has asked for alerts wants them also when nobody looks.
      neverRests: options.alertRules.length > 0 || options.alertWebhook !== "",
      isListened: () => this.events.isListened,
      onRound: async (round) => {
        await this.alerts.judge(this.poller);
        this.events.tell(round);
      },
    });
    const lookingFor = (timeoutMs?: number) =>
      this.#clusterOf({
        onRequest: (text) => logger.debug(text),
        timeoutMs: (daemon) => this.poller.doubts(daemon) ? waits.doubtfulMs : timeoutMs,
      });
    this.views = new ClusterViews(
      { quick: lookingFor(waits.lateMs), patient: lookingFor() },
      { clock: this.clock, rounds: () => this.poller.rounds, waits },
    );
    this.alerts = new Alerts({
      rules: [...options.alertDefaults ? DEFAULT_RULES : [], ...options.alertRules],
      clock: this.clock,
      registries: () => this.cluster.registries,
      onChange: (alert) => this.#tellOf(alert),
    });
    const connection = () =>
      nodeConnection({
        tls,
        skipVerify: options.httpClientTlsInsecureSkipVerify,
        token: this.#token,
        connectTimeoutMs: options.httpClientConnectTimeoutMs,
      });
    this.redrives = new Redrives({
      logger,
      clock: this.clock,
      connection,
      spawn: (run) => this.#group.spawn("redrive", run),
      mayRedrive: (user) => mayStill(this, user, "redrive"),
      onEnd: (redrive) => noteRedriveEnd(this, redrive),
    });
    this.taps = new Taps({
      // Whether they are alone is asked every few seconds.
      cluster: this.#clusterOf({ onRequest: (text) => logger.debug(text) }),
      clock: this.clock,
      connection,
      spawn: (run) => this.#group.spawn("tap", run),
    });
    // NSQ compat: what is said of TLS is for daemons and graphite.
    const http = new HttpClient(limits);
    const { notificationHttpEndpoint: endpoint, alertWebhook } = options;
    if (endpoint !== "") this.#notifications = new Notifications({ endpoint, http, logger });
    if (alertWebhook !== "") {
      const retry = { tries: WEBHOOK_TRIES, signal: this.#requests.signal };
      this.#webhook = new Notifications({ endpoint: alertWebhook, http, logger, retry });
    }
  }

  /**
   * Looks whether the names of the cluster's daemons can be resolved, listens, and runs the loops.
   *
   * @throws {Error} Why it cannot start; everything is released then.
   */
  async start(): Promise<void> {
    const { auditLog: to, lookupdHttpAddresses, nsqdHttpAddresses, gossipHttpAddresses } = this.#options;
    await resolveAll("lookupd-http-address", lookupdHttpAddresses);
    await resolveAll("nsqd-http-address", nsqdHttpAddresses);
    await resolveAll("gossip-http-address", gossipHttpAddresses);
    this.logger.info(versionLine("nsqadmin"));
    this.#warnOfOpenSecrets();
    if (to !== "") {
      this.#audit = AuditLog.open({ to, program: "nsqadmin", logger: this.logger, clock: this.clock });
    }
    const server = this.#server = this.#listen();
    this.#group.spawn("httpServer", () => server.finished);
    this.#group.spawn("clockLoop", (signal) => {
      return every(CLOCK_INTERVAL_MS, signal, () => {
        this.clock.adjust();
        this.views.dropOld();
      });
    });
    this.#group.spawn("lagLoop", (signal) => this.lag.run(signal));
    this.#notifying = Promise.all([this.#notifications?.run(), this.#webhook?.run()]).then(() => {});
    this.#group.spawn("poller", (signal) => this.poller.run(signal));
    this.#group.spawn(
      "pageEvents",
      (signal) => every(EVENT_STREAM_BEAT_INTERVAL_MS, signal, () => this.events.beat()),
    );
    if (this.logins) {
      this.#group.spawn(
        "userFile",
        (signal) => every(USER_FILE_INTERVAL_MS, signal, () => this.readUsersIfChanged()),
      );
    }
    const notifying = this.#notifying;
    this.#group.spawn("notifications", () => notifying);
  }

  get failed(): Promise<Error> {
    return this.#group.failed;
  }

  fail(task: string, error: unknown): void {
    this.#group.spawn(task, () => Promise.reject(error));
  }

  /** Reads token and users again, and opens the audit log anew. @throws {Error} If that is not possible; nothing has changed. */
  reload(): void {
    const token = readTokenFile(this.#options.nsqdAuthTokenFile);
    const useUsers = this.logins?.prepare();
    this.#audit?.prepare()();
    useUsers?.();
    this.#token = token;
    this.#warnOfOpenSecrets();
    const reloaded = [token && "token", this.logins && "users", this.#audit && "audit log"].filter((what) =>
      what !== undefined
    );
    this.logger.info(`reloaded ${reloaded.join(", ") || "nothing: there are no such files"}`);
  }

  /** Stops: pages' events and taps, what is done in bulk, HTTP, redrives, notifications, requests to others, loops. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  get readiness(): Readiness {
    // That daemons do not answer is no reason: another nsqadmin would get no answers either, and the pages say who does not.
    const reasons = this.#stopping ? ["stopping"] : [];
    return { ready: reasons.length === 0, state: this.#stopping ? "stopping" : "running", reasons };
  }

  get refused(): number {
    return this.#server?.refused ?? 0;
  }

  get httpPort(): number {
    return this.#server?.port ?? -1;
  }

  get options(): NsqadminOptions {
    return this.#options;
  }

  get audit(): AuditLog | undefined {
    return this.#audit;
  }

  setLogLevel(logLevel: LogLevel): void {
    this.#options = { ...this.#options, logLevel };
    this.logger.level = logLevel;
  }

  setLookupdAddresses(lookupdHttpAddresses: readonly string[]): void {
    this.#options = { ...this.#options, lookupdHttpAddresses };
    this.poller.rediscover();
    this.views.forget();
  }

  optionValue(key: string): unknown {
    return configValue(NSQADMIN_OPTIONS, this.#options, key);
  }

  notify(action: AdminAction): void {
    this.#notifications?.add(action);
  }

  /** Whoever changes the file needs to tell nobody; a file that cannot be used changes nothing, and is told of once. */
  async readUsersIfChanged(): Promise<void> {
    const { logins } = this;
    if (logins === undefined || !await logins.hasFileChanged()) return;
    try {
      logins.prepare()();
      this.#warnOfOpenSecrets();
      this.logger.info("reloaded users: their file has changed");
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      this.logger.error(`failed to reload users - ${errorText(error)}`);
    }
  }

  #tellOf(alert: Alert): void {
    const text = `ALERT: ${alertText(alert)}`;
    if (alert.resolved === undefined) this.logger.warn(text);
    else this.logger.info(text);
    this.#webhook?.add({ ...alertJson(alert), via: this.hostname });
  }

  #warnOfOpenSecrets(): void {
    const { httpClientTlsKey, nsqdAuthTokenFile, userFile } = this.#options;
    warnOfOpenSecrets([httpClientTlsKey, nsqdAuthTokenFile, userFile], this.logger);
  }

  #clusterOf(how: Omit<DaemonClientOptions, "token">, http = this.http): Cluster {
    const onRequest = (text: string) => this.logger.info(text);
    const client = new DaemonClient(http, { onRequest, ...how, token: () => this.#token });
    return new Cluster(client, () => ({
      lookupds: this.#options.lookupdHttpAddresses,
      gossip: this.#options.gossipHttpAddresses,
      nsqds: this.#options.nsqdHttpAddresses,
    }));
  }

  #listen(): HttpServer {
    const { logger, clock, options } = this;
    const address = parseAddress(options.httpAddress);
    if (address === undefined) {
      throw new TypeError(`No address to listen on: ${JSON.stringify(options.httpAddress)}`);
    }
    const limits = possibleLimits({ HTTP: httpConnections(options) }, { files: 0, logger });
    const handler = compressed(nsqadminHttp(this).handle);
    return serveHttp({ address, handler, logger, clock, limits: httpLimits(options, limits.HTTP) });
  }

  async #stop(): Promise<void> {
    this.events.end();
    this.taps.end();
    this.bulk.end();
    await this.#server?.close({ graceMs: HTTP_GRACE_MS });
    await Promise.all([this.redrives.stop(), this.taps.ended()]);
    this.#notifications?.end();
    this.#webhook?.end();
    await this.#notified();
    this.#requests.abort();
    this.#group.abort();
    try {
      await this.#group.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.logger.error(errorText(error));
    }
    await this.#audit?.close(AUDIT_TIMEOUT_MS);
  }

  /** Settles when all notifications are sent, or have had the time for it. */
  async #notified(): Promise<void> {
    if (this.#notifying === undefined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, NOTIFICATIONS_GRACE_MS);
    await Promise.race([this.#notifying, late]);
    clearTimeout(timer);
  }
}

/** As NSQ does: an operator who has mistyped a name learns of it at once. @throws {Error} */
async function resolveAll(flag: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  const { lookup } = await import("node:dns/promises");
  for (const text of addresses) {
    const refuse = (reason: string, cause?: unknown) =>
      new Error(`failed to resolve --${flag} (${text}) - ${reason}`, { cause });
    const address = parseAddress(text);
    if (address?.kind !== "tcp") throw refuse("no address with a port");
    try {
      if (address.hostname !== "") await lookup(address.hostname);
    } catch (cause) {
      throw refuse(errorText(cause), cause);
    }
  }
}
