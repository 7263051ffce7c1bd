/**
 * nsqd, put together (nsqd/nsqd.go): what it starts, and what it stops, are one list each.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { SystemClock } from "../base/clock.ts";
import { every } from "../base/every.ts";
import type { Logger, LogLevel } from "../base/logger.ts";
import { Quantile } from "../base/quantile.ts";
import { versionLine } from "../base/version.ts";
import { Broker } from "../broker/broker.ts";
import { parseAddress } from "../config/address.ts";
import { type HttpServer, serveHttp } from "../http/server.ts";
import type { Consumer } from "../broker/consumer.ts";
import { ConnectionListener } from "../net/listener.ts";
import { DataPath } from "../storage/data_path.ts";
import { FileStores } from "../storage/file_segments.ts";
import { nsqdHttpApi } from "./http_api.ts";
import type { HttpApiContext } from "./http_api_context.ts";
import { MetadataFile } from "./metadata.ts";
import type { NsqdOptions, NsqdStart } from "./options.ts";
import { Session, type SessionContext } from "./session.ts";
import { Turn } from "./turn.ts";

/** How often timeouts and deferred messages are looked for: NSQ's QueueScanInterval. */
const QUEUE_SCAN_INTERVAL_MS = 100;
/** How often connections are looked at for heartbeats; the shortest interval a client may ask for is 1 s. */
const KEEP_ALIVE_INTERVAL_MS = 100;
const CLOCK_INTERVAL_MS = 1000;
/** Topics and channels that come at the same time are written to the metadata file together. */
const METADATA_INTERVAL_MS = 20;
/** What an ephemeral topic or channel keeps when `--mem-queue-size=0` would let it keep nothing. */
const EPHEMERAL_DEPTH_DEFAULT = 10_000;
/** How long HTTP requests may take to end when nsqd stops. */
const HTTP_GRACE_MS = 2000;
/** How long connections may take to end when nsqd stops. */
const STOP_TIMEOUT_MS = 10_000;

/** A running nsqd. */
export class Nsqd implements HttpApiContext, SessionContext {
  readonly clock = new SystemClock();
  readonly logger: Logger;
  readonly broker: Broker;
  readonly turn: Turn;
  readonly clients = new Set<Session>();
  readonly hostname = Deno.hostname();
  readonly startTimeMs = Date.now();
  options: NsqdOptions;

  readonly #dataPath: DataPath;
  readonly #metadata: MetadataFile;
  readonly #group = new AsyncGroup();
  /** Apart from the loops, because connections end before the topics close. */
  readonly #connections = new AsyncGroup();
  #tcp: ConnectionListener | undefined;
  #http: HttpServer | undefined;
  #storeError: unknown;
  #metadataChanged = false;
  #loading = true;
  #stopping: Promise<void> | undefined;

  constructor(start: Pick<NsqdStart, "options">, logger: Logger) {
    this.options = start.options;
    this.logger = logger;
    this.#dataPath = new DataPath(start.options.dataPath);
    this.#metadata = new MetadataFile(this.#dataPath.path, logger);
    this.turn = new Turn(this.clock);
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
    refuseUnsupported(this.options);
    this.#warnOfNoEffect();
    await this.#lock();
    try {
      this.#load();
      this.#listen();
    } catch (error) {
      await this.#release();
      throw error;
    }
    const tcp = this.#tcp;
    if (tcp) {
      this.#group.spawn("tcpServer", () => tcp.serve(this.#connections, this.#serve, this.#acceptFailed));
    }
    if (this.#http) {
      const http = this.#http;
      this.#group.spawn("httpServer", () => http.finished);
    }
    const { syncTimeoutMs } = this.options;
    this.#loop("queueScanLoop", QUEUE_SCAN_INTERVAL_MS, () => this.broker.scan(this.clock.nowMs()));
    this.#loop("keepAliveLoop", KEEP_ALIVE_INTERVAL_MS, () => this.#keepAlive());
    this.#loop("clockLoop", CLOCK_INTERVAL_MS, () => this.clock.adjust());
    this.#loop("metadataLoop", METADATA_INTERVAL_MS, () => this.#persistChanges());
    this.#loop("syncLoop", syncTimeoutMs, () => this.#syncTopics());
  }

  /** Settles with the error when a task has failed: nsqd must stop then. */
  get failed(): Promise<Error> {
    return Promise.race([this.#group.failed, this.#connections.failed]);
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

  nowMs(): number {
    return this.clock.nowMs();
  }

  health(): string {
    return this.#storeError === undefined ? "OK" : `NOK - ${text(this.#storeError)}`;
  }

  sessions(): Iterable<Session> {
    return this.clients;
  }

  clientOf(consumer: Consumer): Session {
    if (!(consumer.sink instanceof Session)) throw new Error("A consumer that is no client");
    return consumer.sink;
  }

  persistMetadata(): void {
    this.#metadataChanged = false;
    try {
      this.#metadata.persist(this.broker);
    } catch (error) {
      this.#metadataChanged = true;
      this.logger.error(`failed to persist metadata - ${text(error)}`);
    }
  }

  setLogLevel(level: LogLevel): void {
    this.options = { ...this.options, logLevel: level };
    this.logger.level = level;
  }

  setLookupdAddresses(addresses: readonly string[]): void {
    this.options = { ...this.options, lookupdTcpAddresses: addresses };
  }

  runningTasks(): string[] {
    return [...this.#group.running, ...this.#connections.running];
  }

  #makeBroker(): Broker {
    const { options } = this;
    const quantiles = options.e2eProcessingLatencyPercentiles;
    const windowMs = options.e2eProcessingLatencyWindowTimeMs;
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
      onWork: () => this.turn.schedule(),
      onChange: ({ kept }) => {
        if (kept && !this.#loading) this.#metadataChanged = true;
      },
      onStored: (error) => this.#storeError = error,
    });
  }

  #warnOfNoEffect(): void {
    const { lookupdTcpAddresses, statsdAddress, experiments } = this.options;
    if (lookupdTcpAddresses.length > 0) this.logger.warn("--lookupd-tcp-address has no effect yet");
    if (statsdAddress !== "") this.logger.warn("--statsd-address has no effect yet");
    if (experiments.length > 0) this.logger.warn("--enable-experiment has no effect yet");
  }

  async #lock(): Promise<void> {
    try {
      await this.#dataPath.lock();
    } catch (cause) {
      throw new Error(`failed to lock data-path: ${text(cause)}`, { cause });
    }
  }

  #load(): void {
    this.#metadata.load(this.broker);
    // After a crash there may be messages of topics that the metadata file does not know yet.
    for (const name of new FileStores(this.#dataPath.path).names()) this.broker.recoverTopic(name);
    for (const topic of this.broker.topics.values()) topic.start();
    this.#loading = false;
    this.#metadata.persist(this.broker);
  }

  #listen(): void {
    const { tcpAddress, httpAddress } = this.options;
    const tcp = parseAddress(tcpAddress);
    if (tcp) {
      try {
        this.#tcp = new ConnectionListener(tcp);
      } catch (cause) {
        throw new Error(`listen (${tcpAddress}) failed - ${text(cause)}`, { cause });
      }
      this.logger.info(`TCP: listening on ${this.#tcp.text}`);
    }
    const http = parseAddress(httpAddress);
    if (http) {
      const router = nsqdHttpApi(this);
      this.#http = serveHttp({ address: http, handler: router.handle, logger: this.logger });
    }
  }

  readonly #serve = (connection: ConstructorParameters<typeof Session>[1]): Promise<void> =>
    new Session(this, connection).run();

  readonly #acceptFailed = (error: unknown): void => {
    this.logger.warn(`temporary Accept() failure - ${text(error)}`);
  };

  #loop(name: string, intervalMs: number, work: () => void | Promise<void>): void {
    this.#group.spawn(name, (signal) => every(intervalMs, signal, work));
  }

  #keepAlive(): void {
    const nowMs = this.clock.nowMs();
    for (const session of this.clients) session.keepAlive(nowMs);
  }

  #persistChanges(): void {
    if (this.#metadataChanged) this.persistMetadata();
  }

  async #syncTopics(): Promise<void> {
    for (const topic of [...this.broker.topics.values()]) {
      try {
        topic.maintain();
        topic.saveState();
        await topic.sync();
      } catch (error) {
        this.#storeError = error;
        this.logger.error(`TOPIC(${topic.name}): failed to sync - ${text(error)}`);
      }
    }
  }

  async #stop(): Promise<void> {
    this.#tcp?.close();
    for (const session of this.clients) session.close();
    this.#connections.abort();
    if (this.#tcp) this.logger.info(`TCP: closing ${this.#tcp.text}`);
    await this.#http?.close({ graceMs: HTTP_GRACE_MS });
    await this.#settle(this.#connections);
    this.persistMetadata();
    this.logger.info("NSQ: closing topics");
    await this.#closeTopics();
    this.logger.info("NSQ: stopping subsystems");
    this.#group.abort();
    await this.#settle(this.#group);
    this.#dataPath[Symbol.dispose]();
    this.logger.info("NSQ: bye");
  }

  async #closeTopics(): Promise<void> {
    this.turn.run();
    for (const topic of this.broker.topics.values()) {
      try {
        await topic.close();
      } catch (error) {
        this.logger.error(`TOPIC(${topic.name}): failed to save messages - ${text(error)}`);
      }
    }
  }

  async #settle(group: AsyncGroup): Promise<void> {
    try {
      await group.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.logger.error(text(error));
    }
  }

  async #release(): Promise<void> {
    this.#tcp?.close();
    await this.#http?.close({ graceMs: 0 });
    for (const topic of this.broker.topics.values()) {
      // What was loaded is as it was; closing writes it back the same.
      await topic.close();
    }
    this.#dataPath[Symbol.dispose]();
  }
}

/** Running without what guards the data would be worse than not running. */
function refuseUnsupported(options: NsqdOptions): void {
  if (options.tlsCert !== "" || options.tlsRequired !== "false") throw new Error("TLS is not supported yet");
  if (options.authHttpAddresses.length > 0) throw new Error("--auth-http-address is not supported yet");
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
