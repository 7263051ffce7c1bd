/**
 * The parts of one nsqd, and what each is given of the others. Each room asks, in a context of its own, for what it
 * needs, and gets that and nothing else; no part knows nsqd as a whole. Nothing is started, opened or loaded here.
 *
 * @module
 */

import { AsyncGroup } from "../base/async_group.ts";
import { AuditLog } from "../base/audit_log.ts";
import { momentOf, SystemClock } from "../base/clock.ts";
import { collectGarbage } from "../base/collect_garbage.ts";
import { othersFirst } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { LoopLag } from "../base/loop_lag.ts";
import { hostName, isOnDeploy, variable } from "../base/platform.ts";
import { SharedSlice } from "../base/time_slice.ts";
import { SYSTEM_TIMERS } from "../base/timers.ts";
import type { Broker } from "../broker/broker.ts";
import type { Consumer } from "../broker/consumer.ts";
import { warnOfOpenSecrets } from "../config/secret_files.ts";
import { HostNames } from "../http/foreign_requests.ts";
import { RequestCounts } from "../http/request_counts.ts";
import type { ApiContext } from "./api/context.ts";
import { nsqdHttpApi } from "./api/endpoints.ts";
import { HttpGuard, TOKENS_VARIABLE } from "./api/guard.ts";
import { HttpAuth } from "./api/http_auth.ts";
import { diskOf } from "./disk.ts";
import { Drain } from "./drain.ts";
import { Flush } from "./flush.ts";
import type { Gossip } from "./gossip/gossip.ts";
import { isGossipOn } from "./gossip/options.ts";
import { Health } from "./health.ts";
import { Listeners } from "./listeners.ts";
import { LookupLoop } from "./lookup/loop.ts";
import { makeBroker } from "./make_broker.ts";
import { MemoryWatch } from "./memory_watch.ts";
import { MessageRoom } from "./message_room.ts";
import { MetadataKeeper } from "./metadata_keeper.ts";
import { startNewTopic } from "./new_topic.ts";
import { CertificateWatch } from "./node/certificate_watch.ts";
import { nodeInfoOf } from "./node/info.ts";
import { NodeTls } from "./node/tls.ts";
import { TopicError, TopicOpener } from "./node/topic_opener.ts";
import { Tracing } from "./node/tracing.ts";
import { type NsqdStart, secretFiles } from "./options.ts";
import { BrokerQueue } from "./queue/broker_queue.ts";
import { Inspection } from "./queue/inspection.ts";
import { Reload, type Reloadable } from "./reload.ts";
import { auditedAuth } from "./session/audited_auth.ts";
import { Authorizer } from "./session/authorizer.ts";
import type { Session } from "./session/session.ts";
import { Sessions } from "./session/sessions.ts";
import { messagesSizeMax } from "./sandbox.ts";
import { ErrorCounts } from "./stats/errors.ts";
import { Settings } from "./settings.ts";
import { NodeCounts, type NodeSource } from "./stats/node_metrics.ts";
import { StatsdLoop } from "./stats/statsd_loop.ts";
import { Turn } from "./turn.ts";

/** Loops ask the clock ten times a second: without being asked for longer than this, nsqd has stood still. */
const STANDING_STILL_MS = 1000;

/** What one nsqd is put together from. */
export type NsqdParts = ReturnType<typeof compose>;

/** Makes the parts. @throws {Error} If a file that an option names cannot be used. */
export function compose(start: Pick<NsqdStart, "options" | "tls">, logger: Logger) {
  const settings = new Settings(start.options);
  const clock = new SystemClock({ stillMs: STANDING_STILL_MS });
  const hostname = hostName();
  const started = momentOf(clock);
  const loops = new AsyncGroup();
  /** Apart from the loops, because connections end before the topics close. */
  const clients = new AsyncGroup();
  const listeners = new Listeners();
  const errors = new ErrorCounts(() => clock.nowMs());
  const lag = new LoopLag();
  const counts = new NodeCounts({ requests: new RequestCounts(), lag });
  const { auditLog: auditTo } = start.options;
  const audit = auditTo === "" ? undefined : AuditLog.open({ to: auditTo, program: "nsqd", logger, clock });
  const guard = HttpGuard.of({
    path: start.options.httpAuthTokenFile,
    listed: variable(TOKENS_VARIABLE),
    // Whatever is served there, everybody can reach.
    isClosed: isOnDeploy(),
  }, { logger, audit });
  const tls = new NodeTls(start.options, start.tls);
  const certificateWatch = new CertificateWatch(logger, tls);
  /** Loaded at the start, if anybody has asked for it. */
  let tracing: Tracing | undefined;
  const loadTracing = async () => {
    tracing = await Tracing.load({ nodeId: start.options.nodeId, logger });
  };
  /** Made when the ports are known. */
  let gossip: Gossip | undefined;

  /** Reports a fault outside of any task as that of a task of this name: nsqd must stop then. */
  const fail = (task: string, error: unknown) => loops.spawn(task, () => Promise.reject(error));
  const nodeInfo = () => {
    const { tcpPort, http } = listeners;
    return nodeInfoOf({ options: settings.options, hostname, tcpPort, httpPort: http?.port });
  };

  // Discovery
  const lookup = new LookupLoop({
    logger,
    get options() {
      return settings.options;
    },
    answerSizeMax: start.options.maxBodySizeBytes,
    get topics() {
      return broker.topics;
    },
    nodeInfo,
  });
  /** Makes the part that the options ask for, if they do. @throws {OptionError} If a secret cannot be used. */
  const makeGossip = async () => {
    if (!isGossipOn(start.options)) return;
    const { Gossip } = await import("./gossip/gossip.ts");
    const { topics } = broker;
    const httpsPort = listeners.https?.port;
    gossip = new Gossip({ options: start.options, logger, clock, topics, nodeInfo: nodeInfo(), httpsPort });
  };

  // Topics, and where they are kept
  const disk = diskOf(start.options, logger);
  const { dataPath, stores, metadataFile } = disk;
  const turn = new Turn(clock, (error) => fail("turn", error));
  const health = new Health({
    logger,
    dataPath,
    get memoryProblem() {
      return memory.refusal;
    },
    get gossipProblem() {
      return gossip?.problem;
    },
    get drain() {
      return drain.progress;
    },
  });
  const hasDisk = start.options.store !== "memory";
  /** Abort when discovery is to forget this nsqd. */
  const leaving = { lookup: new AbortController(), gossip: new AbortController() };
  const drain = new Drain({
    logger,
    timers: { monotonicMs: () => clock.monotonicMs(), sleep: SYSTEM_TIMERS.sleep },
    options: start.options,
    get topics() {
      return broker.topics;
    },
    nextDueMs: () => broker.nextDueMs,
    leave: async () => {
      leaving.lookup.abort();
      await gossip?.leave();
      leaving.gossip.abort();
    },
    spill: hasDisk ? () => broker.spill() : undefined,
  });
  const beginDrain = () => {
    if (!drain.begin()) return;
    health.phase = "draining";
    loops.spawn("drain", (signal) => drain.run(signal));
  };
  const memory = new MemoryWatch({
    limitBytes: start.options.maxMemoryBytes,
    clock,
    logger,
    usedBytes: () => Deno.memoryUsage().rss,
    collect: (type) => {
      collectGarbage(type);
      if (type === "major") listeners.collectGarbage();
    },
    spill: hasDisk ? () => broker.spill() : undefined,
    room: hasDisk ? undefined : new MessageRoom({
      limitBytes: messagesSizeMax(start.options),
      usedBytes: () => broker.bytes,
      logger,
    }),
  });
  const broker: Broker = makeBroker(start.options, {
    memory,
    ending: () => drain.refusal,
    clock,
    logger,
    stores,
    wasStopped: () => dataPath.wasStopped,
    keeping: () => metadata.keeping(),
    keepingFailure: () => metadata.keepingFailure,
    onWork: () => turn.schedule(),
    othersFirst,
    onFault: (error) => fail("background", error),
    onChange: ({ topic, channel, kept }) => {
      lookup.changed(topic.name, channel?.name);
      gossip?.changed(topic.name, channel?.name);
      if (kept) metadata.changed();
    },
    onStored: (error) => health.stored(error),
    onSynced: (durationMs) => counts.syncs.insert(durationMs / 1000),
    startTopic: (topic) => {
      const asked = settings.options.lookupdTcpAddresses.length > 0 ? lookup : undefined;
      startNewTopic(topic, { topics: broker.topics, gossip, lookup: asked, tasks: clients });
    },
  });
  turn.attach(broker);
  /** Tells those that compare times of day when the clock was set. */
  const followWallClock = () => {
    const stepMs = clock.adjust();
    if (stepMs !== 0) broker.wallClockStepped(stepMs);
  };
  const opener = new TopicOpener({ broker, stores, logger, health });
  const openTopic = (name: string) => {
    // What is made now would be there for nobody.
    if (drain.refusal !== undefined && !broker.topics.has(name)) throw new TopicError(drain.refusal);
    return opener.open(name);
  };
  const metadata = new MetadataKeeper({
    logger,
    timers: SYSTEM_TIMERS,
    file: metadataFile,
    broker,
    health,
    tasks: loops,
  });
  const flush = new Flush({ logger, clock, broker, turn, metadata, health, dataPath, stores });

  // Clients
  const authorizer = new Authorizer({
    options: start.options,
    timeoutMs: start.options.httpClientRequestTimeoutMs,
    rootCa: start.tls.rootCa,
    signal: clients.signal,
    clock,
  });
  const connections = new Set<Session>();
  const sessions = new Sessions({
    clock,
    logger,
    openTopic,
    turn,
    slice: new SharedSlice(clock),
    options: start.options,
    get tlsServer() {
      return tls.server;
    },
    connections,
    onError: errors.note,
    get tracing() {
      return tracing;
    },
    authorize: (client, secret) => auditedAuth(audit, client, authorizer.authorize(client, secret)),
  });

  const queue = new BrokerQueue({
    broker,
    clock,
    logger,
    options: start.options,
    openTopic,
    turn,
    get tracing() {
      return tracing;
    },
    persistMetadata: () => metadata.persist(),
    sessions: () => sessions.speaking(),
    clientOf: (consumer) => sessions.clientOf(consumer),
  });

  /** Whoever is behind a consumer, however it has come. */
  const clientOf = (consumer: Consumer) => queue.clientOf(consumer) ?? sessions.clientOf(consumer);

  const inspection = new Inspection({
    broker,
    clock,
    logger,
    options: start.options,
    addressOf: (consumer) => clientOf(consumer).remoteAddress,
    kick: (address) => {
      const streams = queue.streamsOf(address);
      for (const stream of streams) stream.end("kicked");
      return sessions.kick(address) + streams.length;
    },
  });

  const httpAuth = new HttpAuth({
    clock,
    logger,
    authorize: (client, secret) => auditedAuth(audit, client, authorizer.authorize(client, secret)),
  });

  // Everything that a reload can change.
  const reloadables: Reloadable[] = [];
  if (tls.hasFiles) {
    const prepare = () => {
      const apply = tls.prepare();
      return () => {
        apply();
        authorizer.trust(tls.rootCa);
        listeners.renewTls(tls.server);
        certificateWatch.look(clock.nowMs());
      };
    };
    reloadables.push({ name: "certificates", prepare });
  }
  if (guard?.canReload) reloadables.push({ name: "tokens", prepare: () => guard.prepare() });
  if (audit) reloadables.push({ name: "audit log", prepare: () => audit.prepare() });
  const reload = new Reload(logger, reloadables);
  const warnOfSecrets = () => warnOfOpenSecrets(secretFiles(start.options), logger);

  const statsd = new StatsdLoop({
    logger,
    clock,
    get options() {
      return settings.options;
    },
    broker,
    sessions: () => sessions.speaking(),
    clientOf,
  });

  const refused = () => listeners.refused;
  const node: NodeSource = {
    counts,
    started,
    dataPath: dataPath.path,
    broker,
    health: () => health.text,
    sessions: () => sessions.speaking(),
    refused,
    errors,
    get statsdPackets() {
      return statsd.counts;
    },
    get certificateExpiresMs() {
      return tls.expiresMs;
    },
  };

  const runningTasks = () => [...loops.running, ...clients.running];
  const apiContext: ApiContext = {
    broker,
    queue,
    inspection,
    sockets: {
      get count() {
        return sessions.carried;
      },
      serve: (connection, carrier) => sessions.serveCarried(connection, carrier),
    },
    authorize: (request, place) =>
      start.options.authHttpAddresses.length > 0 ? httpAuth.check(request, place) : undefined,
    clock,
    get options() {
      return settings.options;
    },
    logger,
    hostname,
    get tcpPort() {
      return listeners.tcpPort;
    },
    get httpPort() {
      return listeners.http?.port;
    },
    started,
    hasGossip: isGossipOn(start.options),
    get gossip() {
      return gossip;
    },
    health: () => health.text,
    readiness: () => health.readiness,
    drain: beginDrain,
    get isLoading() {
      return health.phase === "loading";
    },
    errors,
    get tracing() {
      return tracing;
    },
    refused,
    node,
    sessions: () => sessions.speaking(),
    clientOf,
    optionValue: (key) => settings.valueOf(key),
    setLogLevel: (level) => {
      settings.change({ logLevel: level });
      logger.level = level;
    },
    setLookupdAddresses: (lookupdTcpAddresses) => {
      settings.change({ lookupdTcpAddresses });
      lookup.addressesChanged();
    },
    reload: () => {
      warnOfSecrets();
      return reload.run();
    },
    get certificateExpiresMs() {
      return tls.expiresMs;
    },
    runningTasks,
  };
  const hosts = HostNames.of(start.options.httpAllowedHosts);
  const api = (withoutAdmin: boolean) =>
    nsqdHttpApi(apiContext, {
      guard,
      audit,
      hosts,
      origins: start.options.httpAllowOrigins,
      withoutAdmin,
    }).handle;
  const openHttp = async () => {
    const { options } = settings;
    await tls.open();
    await listeners.openHttp({
      logger,
      clock,
      options,
      tlsServer: tls.server,
      handler: api(options.adminAddress !== ""),
      adminHandler: api(false),
      onError: errors.note,
    });
  };
  const startThreads = () => listeners.startThreads(settings.options, logger);
  const openTcp = async () => {
    await listeners.openTcp(settings.options, logger);
    settings.findPorts({ tcpPort: listeners.tcpPort, httpPort: listeners.http?.port });
  };

  return {
    settings,
    clock,
    followWallClock,
    loops,
    clients,
    fail,
    nodeInfo,
    disk,
    dataPath,
    broker,
    turn,
    metadata,
    flush,
    health,
    leaving,
    drain,
    beginDrain,
    memory,
    authorizer,
    audit,
    guard,
    tls,
    certificateWatch,
    reload: apiContext.reload,
    warnOfSecrets,
    connections,
    sessions,
    errors,
    queue,
    lookup,
    loadTracing,
    lag,
    statsd,
    makeGossip,
    get gossip() {
      return gossip;
    },
    listeners,
    startThreads,
    openHttp,
    openTcp,
    runningTasks,
  };
}
