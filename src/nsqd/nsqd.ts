/**
 * nsqd (nsqd/nsqd.go): what it starts, and what it stops, are one list each. What it is put together from is in
 * composition.ts.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import type { SystemClock } from "../base/clock.ts";
import type { Daemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { every, othersFirst } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { versionLine } from "../base/version.ts";
import type { Broker } from "../broker/broker.ts";
import { compose, type NsqdParts } from "./composition.ts";
import { loadTopics } from "./load_topics.ts";
import { LOOK_INTERVAL_MS } from "./node/certificate_watch.ts";
import { advertisedLine } from "./node/info.ts";
import type { NsqdStart } from "./options.ts";
import { placeLines } from "./sandbox.ts";
import type { Session } from "./session/session.ts";

/** How often timeouts and deferred messages are looked for: NSQ's QueueScanInterval. */
const QUEUE_SCAN_INTERVAL_MS = 100;
/** How often connections are looked at for heartbeats; the shortest interval a client may ask for is 1 s. */
const KEEP_ALIVE_INTERVAL_MS = 100;
const CLOCK_INTERVAL_MS = 1000;
/** In this time a publisher as fast as memory fills some hundredths of a small container. */
const MEMORY_INTERVAL_MS = 20;
/** How long HTTP requests may take to end when nsqd stops. */
const HTTP_GRACE_MS = 2000;
/** How long connections may take to end when nsqd stops. */
const STOP_TIMEOUT_MS = 10_000;
/**
 * How long it all may take where nothing is kept on a disk: nothing is lost then that would not be anyway, and a platform that
 * has asked a process to stop kills it 5 s later.
 */
export const STOP_LIMIT_MS = 4000;
/** How long HTTP requests may take to end then: what comes after them needs its time, too. */
const HTTP_GRACE_IN_MEMORY_MS = 1000;
/** How long the audit log may take for what is still to be written. */
const AUDIT_TIMEOUT_MS = 2000;

/** A running nsqd. */
export class Nsqd implements Daemon {
  readonly #logger: Logger;
  readonly #parts: NsqdParts;
  #stopping: Promise<void> | undefined;

  constructor(start: Pick<NsqdStart, "options" | "tls">, logger: Logger) {
    this.#logger = logger;
    this.#parts = compose(start, logger);
  }

  /**
   * Locks the data path, loads what was kept, listens, and runs the loops. No TCP client is let in before everything is
   * loaded, and HTTP answers nothing before but how nsqd is.
   *
   * @throws {Error} Why it cannot start; everything is released then.
   */
  async start(): Promise<void> {
    const { settings, broker, clock, flush, health, leaving, lookup, loops, memory, queue, sessions } =
      this.#parts;
    this.#logger.info(versionLine("nsqd"));
    this.#logger.info(`ID: ${settings.options.nodeId}`);
    this.#warn();
    try {
      await this.#lock();
      // Before anything shows the address.
      settings.findAddress();
      await this.#parts.loadTracing();
      // Nobody is to find HTTP there and TCP not yet for as long as they take.
      await this.#parts.startThreads();
      // Whoever waits for the messages of years to be loaded is told so.
      await this.#parts.openHttp();
      await this.#load();
      await this.#parts.openTcp();
      await this.#parts.makeGossip();
    } catch (error) {
      await this.#release();
      throw error;
    }
    this.#logger.info(advertisedLine(this.#parts.nodeInfo()));
    this.#serve();
    loops.spawn("lookupLoop", (signal) => lookup.run(AbortSignal.any([signal, leaving.lookup.signal])));
    this.#loop("queueScanLoop", QUEUE_SCAN_INTERVAL_MS, async () => {
      while (!broker.scan(clock.monotonicMs())) await othersFirst();
    });
    this.#loop("keepAliveLoop", KEEP_ALIVE_INTERVAL_MS, () => {
      sessions.keepAlive();
      queue.look();
    });
    loops.spawn("lagLoop", (signal) => this.#parts.lag.run(signal));
    this.#loop("clockLoop", CLOCK_INTERVAL_MS, () => this.#parts.followWallClock());
    if (this.#parts.tls.expiresMs !== undefined) this.#watchCertificate();
    this.#loop("syncLoop", settings.options.syncTimeoutMs, () => flush.syncTopics());
    if (settings.options.maxMemoryBytes > 0) {
      this.#loop("memoryLoop", MEMORY_INTERVAL_MS, () => memory.look());
    }
    this.#loop("compactionLoop", settings.options.syncTimeoutMs, () => flush.compactTopics());
    loops.spawn("removal", () => flush.removeDeleted());
    if (settings.options.statsdAddress !== "") {
      loops.spawn("statsdLoop", (signal) => this.#parts.statsd.run(signal));
    }
    for (const { name, run } of this.#parts.gossip?.tasks ?? []) {
      loops.spawn(name, (signal) => run(AbortSignal.any([signal, leaving.gossip.signal])));
    }
    health.phase = "running";
  }

  /** Settles when a drain is over: nsqd has nothing more to do. */
  get finished(): Promise<void> {
    return this.#parts.drain.over;
  }

  /** Lets consumers finish what there is, if that is to be done before a stop. */
  finish(): Promise<void> {
    if (!this.#parts.settings.options.drainOnStop) return Promise.resolve();
    this.#parts.beginDrain();
    return this.finished;
  }

  /** Stops in NSQ's order: no more clients, metadata, messages, loops, lock. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  /** There is a limit where nothing is kept: see {@linkcode STOP_LIMIT_MS}. */
  get stopLimitMs(): number | undefined {
    return this.#parts.settings.options.store === "memory" ? STOP_LIMIT_MS : undefined;
  }

  async #stop(): Promise<void> {
    const {
      health,
      listeners,
      sessions,
      clients,
      metadata,
      flush,
      memory,
      loops,
      authorizer,
      audit,
      dataPath,
      queue,
    } = this.#parts;
    health.phase = "stopping";
    const left = this.#parts.gossip?.leave();
    listeners.closeTcp();
    sessions.close();
    queue.stopDelivery();
    clients.abort();
    if (listeners.tcp) this.#logger.info(`TCP: closing ${listeners.tcp.text}`);
    const isHurried = this.stopLimitMs !== undefined;
    await listeners.closeHttp({ graceMs: isHurried ? HTTP_GRACE_IN_MEMORY_MS : HTTP_GRACE_MS });
    await this.#settle(clients);
    await left;
    await metadata.persist();
    await memory.finish();
    this.#logger.info("NSQ: closing topics");
    const isSaved = await flush.closeTopics();
    this.#logger.info("NSQ: stopping subsystems");
    loops.abort();
    await this.#settle(loops);
    await metadata.finish();
    if (isSaved) await this.#noteStop();
    authorizer.close();
    await audit?.close(AUDIT_TIMEOUT_MS);
    dataPath[Symbol.dispose]();
    this.#logger.info("NSQ: bye");
  }

  /** Settles with the error when a task has failed: nsqd must stop then. */
  get failed(): Promise<Error> {
    return Promise.race([this.#parts.loops.failed, this.#parts.clients.failed]);
  }

  /** Reports a fault outside of any task as that of a task of this name: nsqd must stop then. */
  fail(task: string, error: unknown): void {
    this.#parts.fail(task, error);
  }

  /** Reads the files again that can change while it runs. @throws {Error} Why nothing has changed. */
  reload(): void {
    this.#parts.reload();
  }

  /** Names of the tasks that run. */
  runningTasks(): string[] {
    return this.#parts.runningTasks();
  }

  get clock(): SystemClock {
    return this.#parts.clock;
  }

  get broker(): Broker {
    return this.#parts.broker;
  }

  /** Every TCP connection. */
  get connections(): ReadonlySet<Session> {
    return this.#parts.connections;
  }

  /** Where the TCP protocol is served, `undefined` before the start. */
  get tcpAddress(): string | undefined {
    return this.#parts.listeners.tcp?.text;
  }

  get tcpPort(): number | undefined {
    return this.#parts.listeners.tcpPort;
  }

  get httpPort(): number | undefined {
    return this.#parts.listeners.http?.port;
  }

  get adminPort(): number | undefined {
    return this.#parts.listeners.admin?.port;
  }

  get httpsPort(): number | undefined {
    return this.#parts.listeners.https?.port;
  }

  #serve(): void {
    const { loops, clients, sessions, errors, listeners: { tcp, http, https, admin } } = this.#parts;
    const client = { serve: sessions.serve, logger: this.#logger, name: "TCP", onError: errors.note };
    if (tcp) loops.spawn("tcpServer", () => tcp.serve(clients, client));
    if (http) loops.spawn("httpServer", () => http.finished);
    if (https) loops.spawn("httpsServer", () => https.finished);
    if (admin) loops.spawn("adminServer", () => admin.finished);
  }

  /** Of what was given and has no effect, or not the one that somebody may think it has. */
  #warn(): void {
    const { options } = this.#parts.settings;
    const { authHttpAddresses, tcpAddress } = options;
    for (const line of placeLines(options)) this.#logger.info(`PLACE: ${line}`);
    this.#parts.warnOfSecrets();
    if (this.#parts.guard !== undefined && tcpAddress !== "" && authHttpAddresses.length === 0) {
      this.#logger.warn(
        "--http-auth-token-file closes the HTTP API only: without --auth-http-address whoever reaches the TCP port may do everything there",
      );
    }
  }

  #watchCertificate(): void {
    const { certificateWatch, clock } = this.#parts;
    certificateWatch.look(clock.nowMs());
    this.#loop("certificateLoop", LOOK_INTERVAL_MS, () => certificateWatch.look(clock.nowMs()));
  }

  async #lock(): Promise<void> {
    try {
      await this.#parts.dataPath.lock();
    } catch (cause) {
      throw new Error(`failed to lock data-path: ${errorText(cause)}`, { cause });
    }
  }

  async #load(): Promise<void> {
    const { disk, clock, broker, metadata } = this.#parts;
    const { stores, metadataFile } = disk;
    const imported = await disk.takeOver(() => clock.nowMs());
    await loadTopics(broker, {
      metadata: metadataFile,
      stores,
      imported: imported?.topics,
      logger: this.#logger,
    });
    await this.#useDataPath();
    await metadata.follow();
    await imported?.finish();
  }

  /**
   * Unlike NSQ, which does not start when it cannot write: what is there can be consumed, which makes room. When nothing is
   * there, somebody has made a mistake.
   */
  async #useDataPath(): Promise<void> {
    const { dataPath, broker, flush } = this.#parts;
    if (broker.topics.size === 0) {
      try {
        await dataPath.probe();
      } catch (cause) {
        throw new Error(`failed to write to data-path: ${errorText(cause)}`, { cause });
      }
    }
    await flush.useDataPath();
  }

  #loop(name: string, intervalMs: number, work: () => void | Promise<void>): void {
    this.#parts.loops.spawn(name, (signal) => every(intervalMs, signal, work));
  }

  async #settle(group: AsyncGroup): Promise<void> {
    try {
      await group.wait({ timeoutMs: STOP_TIMEOUT_MS });
    } catch (error) {
      this.#logger.error(errorText(error));
    }
  }

  async #release(): Promise<void> {
    const { listeners, flush, metadata, authorizer, audit, dataPath } = this.#parts;
    listeners.closeTcp();
    await listeners.closeHttp({ graceMs: 0 });
    // What was loaded is as it was; closing writes it back the same.
    const isSaved = await flush.closeTopics();
    await metadata.finish();
    // What could not be loaded has not been touched: that is as it was left.
    if (isSaved && dataPath.wasStopped) await this.#noteStop();
    authorizer.close();
    await audit?.close(AUDIT_TIMEOUT_MS);
    dataPath[Symbol.dispose]();
  }

  async #noteStop(): Promise<void> {
    try {
      await this.#parts.dataPath.stop();
    } catch (error) {
      this.#logger.error(`failed to note the end in the data path - ${errorText(error)}`);
    }
  }
}
