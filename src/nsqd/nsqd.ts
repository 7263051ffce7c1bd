/**
 * nsqd, put together (nsqd/nsqd.go): what it starts, and what it stops, are one list each.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { SystemClock } from "../base/clock.ts";
import { errorText } from "../base/error_text.ts";
import { every, othersFirst, sleep } from "../base/every.ts";
import type { Logger, LogLevel } from "../base/logger.ts";
import { Quantile } from "../base/quantile.ts";
import { versionLine } from "../base/version.ts";
import { Broker } from "../broker/broker.ts";
import { DurabilityRules } from "../broker/durability.ts";
import type { Topic } from "../broker/topic.ts";
import { parseAddress } from "../config/address.ts";
import { serveHttps } from "../http/https_server.ts";
import { type HttpServer, serveHttp } from "../http/server.ts";
import type { Consumer } from "../broker/consumer.ts";
import { type Connection, hostOf } from "../net/connection.ts";
import { ConnectionListener } from "../net/listener.ts";
import type { TlsServer } from "../net/tls_server.ts";
import { DataPath } from "../storage/data_path.ts";
import { FileStores } from "../storage/file_segments.ts";
import { DENO_FILES } from "../storage/file_system.ts";
import { importDiskQueues } from "../storage/go_import.ts";
import { type AuthState, queryAuthServers } from "./session/auth.ts";
import { AUTO_ADDRESS, networkTables, outwardAddress } from "./node/broadcast_address.ts";
import { Gossip } from "./gossip/gossip.ts";
import { nsqdHttpApi } from "./api/endpoints.ts";
import type { HttpApiContext } from "./api/context.ts";
import { HttpGuard, requireTls } from "./api/guard.ts";
import { loadTopics } from "./load_topics.ts";
import { type LookupContext, LookupLoop } from "./lookup/loop.ts";
import { MetadataFile } from "./metadata.ts";
import { advertisedLine } from "./node/info.ts";
import { tlsServerOf } from "./node/tls.ts";
import type { NsqdOptions, NsqdStart } from "./options.ts";
import { Session, type SessionContext } from "./session/session.ts";
import { Turn } from "./turn.ts";

/** How often timeouts and deferred messages are looked for: NSQ's QueueScanInterval. */
const QUEUE_SCAN_INTERVAL_MS = 100;
/** How often connections are looked at for heartbeats; the shortest interval a client may ask for is 1 s. */
const KEEP_ALIVE_INTERVAL_MS = 100;
const CLOCK_INTERVAL_MS = 1000;
/** Topics and channels that come at the same time are written to the metadata file together. */
const METADATA_DELAY_MS = 20;
/** What an ephemeral topic or channel keeps when `--mem-queue-size=0` would let it keep nothing. */
const EPHEMERAL_DEPTH_DEFAULT = 10_000;
/** Topics that are saved and synced at the same time: with one after the other a slow disk would never be done. */
const SYNC_TOPICS_MAX = 16;
/** Topics that are looked at before clients have their turn: most need nothing, so that is well below a millisecond. */
const SYNC_TOPICS_AT_ONCE = 100;
/** How long HTTP requests may take to end when nsqd stops. */
const HTTP_GRACE_MS = 2000;
/** How long connections may take to end when nsqd stops. */
const STOP_TIMEOUT_MS = 10_000;

/** A running nsqd. */
export class Nsqd implements LookupContext, HttpApiContext, SessionContext {
  readonly clock = new SystemClock();
  readonly logger: Logger;
  readonly broker: Broker;
  readonly turn: Turn;
  readonly connections = new Set<Session>();
  readonly tlsServer: TlsServer | undefined;
  readonly hostname = Deno.hostname();
  readonly startTimeMs = Date.now();
  options: NsqdOptions;

  readonly #httpGuard: HttpGuard | undefined;
  readonly #dataPath: DataPath;
  readonly #metadata: MetadataFile;
  readonly #lookup = new LookupLoop(this);
  readonly #group = new AsyncGroup();
  /** Apart from the loops, because connections end before the topics close. */
  readonly #clients = new AsyncGroup();
  /** For auth servers, where a root certificate is configured. */
  readonly #httpClient: Deno.HttpClient | undefined;
  #tcp: ConnectionListener | undefined;
  #http: HttpServer | undefined;
  #https: HttpServer | undefined;
  #gossip: Gossip | undefined;
  #storeError: unknown;
  /** What was last said about topics that could not be saved. */
  readonly #saveErrors = new Map<Topic, string>();
  /** Settles when the topics are not being saved. */
  #saving: Promise<void> | undefined;
  /** The topics are being closed, which saves them. */
  #closing = false;
  /** The metadata file is not as it should be. */
  #metadataChanged = false;
  #metadataScheduled = false;
  /** What was last said about that, until it could be written. */
  #metadataError = "";
  #loading = true;
  #stopping: Promise<void> | undefined;

  constructor(start: Pick<NsqdStart, "options" | "tls">, logger: Logger) {
    this.options = start.options;
    this.logger = logger;
    this.#httpGuard = HttpGuard.forFile(start.options.httpAuthTokenFile, logger);
    this.tlsServer = tlsServerOf(start.options, start.tls);
    const { rootCa } = start.tls;
    if (rootCa !== undefined) this.#httpClient = Deno.createHttpClient({ caCerts: [rootCa] });
    this.#dataPath = new DataPath(start.options.dataPath);
    this.#metadata = new MetadataFile(this.#dataPath.path, logger);
    this.turn = new Turn(this.clock, (error) => this.fail("turn", error));
    this.broker = this.#makeBroker();
    this.turn.attach(this.broker);
  }

  /**
   * Locks the data path, loads what was kept, listens, and runs the loops. Nothing listens before everything is
   * loaded.
   *
   * @throws {Error} Why it cannot start; everything is released then.
   */
  async start(): Promise<void> {
    this.logger.info(versionLine("nsqd"));
    this.logger.info(`ID: ${this.options.nodeId}`);
    this.#warnOfNoEffect();
    try {
      await this.#lock();
      this.#findAddress();
      await this.#load();
      this.#listen();
      this.#gossip = Gossip.of(this);
    } catch (error) {
      await this.#release();
      throw error;
    }
    this.logger.info(advertisedLine(this));
    const tcp = this.#tcp;
    if (tcp) {
      this.#group.spawn("tcpServer", () => tcp.serve(this.#clients, this.#serve, this.#acceptFailed));
    }
    const [http, https] = [this.#http, this.#https];
    if (http) this.#group.spawn("httpServer", () => http.finished);
    if (https) this.#group.spawn("httpsServer", () => https.finished);
    this.#group.spawn("lookupLoop", (signal) => this.#lookup.run(signal));
    const { syncTimeoutMs } = this.options;
    this.#loop("queueScanLoop", QUEUE_SCAN_INTERVAL_MS, () => this.broker.scan(this.clock.nowMs()));
    this.#loop("keepAliveLoop", KEEP_ALIVE_INTERVAL_MS, () => this.#keepAlive());
    this.#loop("clockLoop", CLOCK_INTERVAL_MS, () => this.clock.adjust());
    this.#loop("syncLoop", syncTimeoutMs, () => this.#syncTopics());
    for (const { name, run } of this.#gossip?.tasks ?? []) this.#group.spawn(name, run);
  }

  /** Settles with the error when a task has failed: nsqd must stop then. */
  get failed(): Promise<Error> {
    return Promise.race([this.#group.failed, this.#clients.failed]);
  }

  /** Reports a fault outside of any task as that of a task of this name: nsqd must stop then. */
  fail(task: string, error: unknown): void {
    this.#group.spawn(task, () => Promise.reject(error));
  }

  /** Stops in NSQ's order: no more clients, metadata, messages, loops, lock. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  /** Where the TCP protocol is served, `undefined` before the start. */
  get tcpAddress(): string | undefined {
    return this.#tcp?.text;
  }

  get tcpPort(): number | undefined {
    return this.#tcp === undefined || this.#tcp.port < 0 ? undefined : this.#tcp.port;
  }

  get httpPort(): number | undefined {
    return this.#http?.port;
  }

  get httpsPort(): number | undefined {
    return this.#https?.port;
  }

  /** Discovery through Serf, if it is on and nsqd has been started. */
  get gossip(): Gossip | undefined {
    return this.#gossip;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  health(): string {
    if (this.#storeError !== undefined) return `NOK - ${errorText(this.#storeError)}`;
    const problem = this.#gossip?.problem;
    return problem === undefined ? "OK" : `NOK - gossip unhealthy: ${problem}`;
  }

  sessions(): Iterable<Session> {
    return [...this.connections].filter((session) => session.speaks);
  }

  authorize(client: Session, secret: string): Promise<AuthState> {
    const { authHttpAddresses, authHttpRequestMethod, httpClientRequestTimeoutMs } = this.options;
    const request = {
      remoteIp: hostOf(client.remoteAddress),
      tls: client.tls !== undefined,
      commonName: client.tls?.commonName ?? "",
      secret,
    };
    const servers = {
      addresses: authHttpAddresses,
      method: authHttpRequestMethod === "post" ? "post" as const : "get" as const,
      timeoutMs: httpClientRequestTimeoutMs,
      client: this.#httpClient,
      signal: this.#clients.signal,
    };
    return queryAuthServers(servers, request, () => this.nowMs());
  }

  clientOf(consumer: Consumer): Session {
    if (!(consumer.sink instanceof Session)) throw new Error("A consumer that is no client");
    return consumer.sink;
  }

  persistMetadata(): void {
    try {
      this.#persistMetadata();
    } catch (error) {
      this.#storeError = error;
      const text = errorText(error);
      // It is tried again with every sync, and on a full disk said once.
      if (text !== this.#metadataError) this.logger.error(`failed to persist metadata - ${text}`);
      this.#metadataError = text;
    }
  }

  setLogLevel(level: LogLevel): void {
    this.options = { ...this.options, logLevel: level };
    this.logger.level = level;
  }

  setLookupdAddresses(addresses: readonly string[]): void {
    this.options = { ...this.options, lookupdTcpAddresses: addresses };
    this.#lookup.addressesChanged();
  }

  runningTasks(): string[] {
    return [...this.#group.running, ...this.#clients.running];
  }

  #makeBroker(): Broker {
    const { options } = this;
    const quantiles = options.e2eProcessingLatencyPercentiles;
    const windowMs = options.e2eProcessingLatencyWindowTimeMs;
    const durability = new DurabilityRules(options.durability, options.durabilityTopics);
    return new Broker({
      clock: this.clock,
      logger: this.logger,
      stores: new FileStores(this.#dataPath.path),
      limits: {
        memQueueSize: options.memQueueSize,
        maxBytesPerFile: options.maxBytesPerFile,
        maxChannelConsumers: options.maxChannelConsumers,
        maxMsgTimeoutMs: options.maxMsgTimeoutMs,
        ephemeralDepthMax: options.memQueueSize > 0 ? options.memQueueSize : EPHEMERAL_DEPTH_DEFAULT,
      },
      newLatency: () =>
        quantiles.length > 0 ? new Quantile({ quantiles, windowMs, nowMs: this.clock.nowMs() }) : undefined,
      durabilityOf: (topic) => durability.of(topic),
      syncEvery: options.syncEvery,
      onKeeping: () => {
        if (this.#metadataChanged) this.#persistMetadata();
      },
      onWork: () => this.turn.schedule(),
      startTopic: (topic) => this.#startTopic(topic),
      onChange: ({ topic, channel, kept }) => {
        this.#lookup.changed(topic.name, channel?.name);
        this.#gossip?.changed(topic.name, channel?.name);
        if (kept && !this.#loading) this.#metadataHasChanged();
      },
      onStored: (error) => this.#storeError = error,
    });
  }

  #persistMetadata(): void {
    this.#metadataChanged = false;
    try {
      this.#metadata.persist(this.broker);
      this.#metadataError = "";
    } catch (error) {
      this.#metadataChanged = true;
      throw error;
    }
  }

  #warnOfNoEffect(): void {
    const { statsdAddress } = this.options;
    if (statsdAddress !== "") this.logger.warn("--statsd-address has no effect yet");
  }

  async #lock(): Promise<void> {
    try {
      await this.#dataPath.lock();
    } catch (cause) {
      throw new Error(`failed to lock data-path: ${errorText(cause)}`, { cause });
    }
  }

  /** Before anything shows the address. */
  #findAddress(): void {
    if (this.options.broadcastAddress !== AUTO_ADDRESS) return;
    this.options = { ...this.options, broadcastAddress: outwardAddress(networkTables()) };
  }

  async #load(): Promise<void> {
    const { path: dataPath } = this.#dataPath;
    const imported = await importDiskQueues({
      dataPath,
      files: DENO_FILES,
      logger: this.logger,
      maxBytesPerFile: this.options.maxBytesPerFile,
      nowMs: () => this.clock.nowMs(),
    });
    const stores = new FileStores(dataPath);
    loadTopics(this.broker, { metadata: this.#metadata, stores, imported: imported.topics });
    this.#loading = false;
    // Unlike NSQ, which does not start on a full disk: what is there can be consumed, which makes room.
    this.persistMetadata();
    await imported.finish();
  }

  #listen(): void {
    const { tcpAddress, httpAddress, httpsAddress } = this.options;
    const tcp = parseAddress(tcpAddress);
    if (tcp) {
      try {
        this.#tcp = new ConnectionListener(tcp);
      } catch (cause) {
        throw new Error(`listen (${tcpAddress}) failed - ${errorText(cause)}`, { cause });
      }
      this.logger.info(`TCP: listening on ${this.#tcp.text}`);
    }
    const { logger } = this;
    const { handle: handler } = nsqdHttpApi(this, this.#httpGuard);
    const https = parseAddress(httpsAddress);
    if (https && this.tlsServer) {
      this.#https = serveHttps({ address: https, handler, logger, tls: this.tlsServer.options });
    }
    const http = parseAddress(httpAddress);
    if (http) {
      const plain = this.options.tlsRequired === "true" ? requireTls(this.#https?.port ?? 0) : handler;
      this.#http = serveHttp({ address: http, handler: plain, logger });
    }
  }

  /** Starts a topic that is new here. Its channels elsewhere are to have its first messages, too: those wait. */
  #startTopic(topic: Topic): void {
    for (const channel of this.#gossip?.channelsOf(topic.name) ?? []) topic.channel(channel);
    if (this.options.lookupdTcpAddresses.length === 0) {
      topic.start();
      return;
    }
    // One of the clients' tasks: they end before the topics are closed.
    this.#clients.spawn(`channels of ${topic.name}`, async (signal) => {
      const channels = await this.#lookup.channelsOf(topic.name, signal);
      if (signal.aborted || this.broker.topics.get(topic.name) !== topic) return;
      for (const channel of channels) topic.channel(channel);
      topic.start();
    });
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

  #loop(name: string, intervalMs: number, work: () => void | Promise<void>): void {
    this.#group.spawn(name, (signal) => every(intervalMs, signal, work));
  }

  #keepAlive(): void {
    const nowMs = this.clock.nowMs();
    for (const session of this.connections) session.keepAlive(nowMs);
  }

  #metadataHasChanged(): void {
    this.#metadataChanged = true;
    if (this.#metadataScheduled) return;
    this.#metadataScheduled = true;
    this.#group.spawn("metadata", async (signal) => {
      await sleep(METADATA_DELAY_MS, signal);
      this.#metadataScheduled = false;
      if (this.#metadataChanged) this.persistMetadata();
    });
  }

  async #syncTopics(): Promise<void> {
    if (this.#closing) return;
    // Only when writing it has failed is it still to be written now.
    if (this.#metadataChanged && !this.#metadataScheduled) this.persistMetadata();
    for (const topic of this.#saveErrors.keys()) {
      if (this.broker.topics.get(topic.name) !== topic) this.#saveErrors.delete(topic);
    }
    const next = [...this.broker.topics.values()].values();
    let count = 0;
    const some = async () => {
      for (const topic of next) {
        await this.#syncTopic(topic);
        if (++count % SYNC_TOPICS_AT_ONCE === 0) await othersFirst();
      }
    };
    this.#saving = Promise.all(Array.from({ length: SYNC_TOPICS_MAX }, some)).then(() => {});
    await this.#saving;
    this.#saving = undefined;
    const refused = this.#saveErrors.size > 0 || this.#metadataError !== "";
    if (this.#storeError !== undefined && !refused) await this.#probe();
  }

  async #syncTopic(topic: Topic): Promise<void> {
    try {
      await topic.maintain();
      await topic.sync();
      this.#saveErrors.delete(topic);
    } catch (error) {
      this.#storeError = error;
      const text = errorText(error);
      // A full disk is to be said once, not every few seconds.
      if (this.#saveErrors.get(topic) === text) return;
      this.#saveErrors.set(topic, text);
      this.logger.error(`TOPIC(${topic.name}): failed to save - ${text}`);
    }
  }

  /** Whether what was wrong with the disk still is: perhaps nobody publishes any more who would find out. */
  async #probe(): Promise<void> {
    try {
      await this.#dataPath.probe();
      this.#storeError = undefined;
      this.logger.info(`NSQ: ${this.#dataPath.path} can be written to again`);
    } catch (error) {
      this.#storeError = error;
    }
  }

  async #stop(): Promise<void> {
    const left = this.#gossip?.leave();
    this.#tcp?.close();
    for (const session of this.connections) session.close();
    this.#clients.abort();
    if (this.#tcp) this.logger.info(`TCP: closing ${this.#tcp.text}`);
    await Promise.all([this.#http, this.#https].map((server) => server?.close({ graceMs: HTTP_GRACE_MS })));
    await this.#settle(this.#clients);
    await left;
    this.persistMetadata();
    this.logger.info("NSQ: closing topics");
    await this.#closeTopics();
    this.logger.info("NSQ: stopping subsystems");
    this.#group.abort();
    await this.#settle(this.#group);
    this.#httpClient?.close();
    this.#dataPath[Symbol.dispose]();
    this.logger.info("NSQ: bye");
  }

  async #closeTopics(): Promise<void> {
    this.turn.run();
    this.#closing = true;
    await this.#saving;
    for (const topic of this.broker.topics.values()) {
      try {
        await topic.close();
      } catch (error) {
        this.logger.error(`TOPIC(${topic.name}): failed to save messages - ${errorText(error)}`);
      }
    }
  }

  async #settle(group: AsyncGroup): Promise<void> {
    try {
      await group.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.logger.error(errorText(error));
    }
  }

  async #release(): Promise<void> {
    this.#tcp?.close();
    await Promise.all([this.#http, this.#https].map((server) => server?.close({ graceMs: 0 })));
    // What was loaded is as it was; closing writes it back the same.
    await this.#closeTopics();
    this.#httpClient?.close();
    this.#dataPath[Symbol.dispose]();
  }
}
