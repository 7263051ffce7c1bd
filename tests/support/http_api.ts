/**
 * nsqd's HTTP API on a broker of its own, without a daemon: requests are handed to it in process, time stands
 * still unless it is moved.
 *
 * @module
 */
import { momentOf } from "../../src/base/clock.ts";
import { Logger } from "../../src/base/logger.ts";
import { LoopLag } from "../../src/base/loop_lag.ts";
import { Latency } from "../../src/broker/latency.ts";
import { Broker } from "../../src/broker/broker.ts";
import { Consumer } from "../../src/broker/consumer.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { type ApiContext, nsqdHttpApi } from "../../src/nsqd/api/endpoints.ts";
import { BrokerQueue } from "../../src/nsqd/queue/broker_queue.ts";
import { Inspection } from "../../src/nsqd/queue/inspection.ts";
import { NSQD_OPTIONS, nsqdConfigValue, type NsqdOptions } from "../../src/nsqd/options.ts";
import { ErrorCounts } from "../../src/nsqd/stats/errors.ts";
import { RequestCounts } from "../../src/http/request_counts.ts";
import { NodeCounts } from "../../src/nsqd/stats/node_metrics.ts";
import type { ClientSource } from "../../src/nsqd/stats/stats.ts";
import { MemoryStores } from "../../src/storage/memory_segments.ts";
import { FAKE_MONOTONIC_START_MS, FakeClock } from "./fake_clock.ts";
import { callHandler, type Seen } from "./http_call.ts";

/** What {@linkcode httpApi} may be told. */
export interface HttpApiOptions {
  readonly options?: Partial<NsqdOptions>;
  /** When the certificate expires, if there is one. */
  readonly certificateExpiresMs?: number;
  /** The store refuses every write. */
  readonly diskFails?: boolean;
  /** Whoever has published in this turn is told now. @default {nobody has} */
  readonly onCommitTurn?: (broker: Broker) => void;
}

/** An answer, as a client sees it; absent headers are left out. */
export interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly nsq?: string;
  readonly allow?: string;
  readonly challenge?: string;
  readonly text: string;
}

/** The headers that tests of the API look at. */
const HEADERS_SEEN = {
  type: "content-type",
  nsq: "x-nsq-content-type",
  allow: "allow",
  challenge: "www-authenticate",
};

/** What a client sees of an answer. */
export function answerOf({ status, text, header }: Seen): Answer {
  const headers = Object.entries(HEADERS_SEEN).flatMap(([key, name]) => {
    const value = header(name);
    return value === undefined ? [] : [[key, value]];
  });
  return { status, ...Object.fromEntries(headers), text };
}

/** An API under test, and what is behind it. */
export type TestHttpApi = ReturnType<typeof httpApi>;

/** When the nsqd under test was started: 2024-01-31 12:00:00 UTC. */
export const START_TIME_MS = 1_706_702_400_000;

/** Makes an API. */
export function httpApi(given: HttpApiOptions = {}) {
  let options: NsqdOptions = {
    ...defaultOptions(NSQD_OPTIONS),
    broadcastAddress: "broadcast.example",
    ...given.options,
  };
  const clock = new FakeClock(START_TIME_MS);
  const started = momentOf(clock);
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: options.logLevel,
    write: (line) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length)),
  });
  const clients = new Set<ClientSource>();
  const clientOfConsumer = new Map<Consumer, ClientSource>();
  const calls: string[] = [];
  const state = { health: "OK", isLoading: false, refused: { tcp: 0, http: 0 } };
  const { e2eProcessingLatencyPercentiles: quantiles, memQueueSize, maxBytesPerFile } = options;
  const counts = new NodeCounts({ requests: new RequestCounts(), lag: new LoopLag() });
  const broker = new Broker({
    clock,
    logger,
    limits: {
      memQueueSize,
      maxBytesPerFile,
      ephemeralDepthMax: memQueueSize,
      maxChannelConsumers: options.maxChannelConsumers,
      maxMsgTimeoutMs: options.maxMsgTimeoutMs,
    },
    stores: given.diskFails ? new FullStores() : new MemoryStores(),
    newLatency: () =>
      quantiles.length === 0 && !options.metricsLatency ? undefined : new Latency({
        quantiles,
        windowMs: options.e2eProcessingLatencyWindowTimeMs,
        nowMs: clock.monotonicMs(),
      }),
    durabilityOf: () => "memory",
    syncEvery: Infinity,
    wasStopped: () => false,
    keeping: () => undefined,
    keepingFailure: () => undefined,
    onWork: () => {},
    othersFirst: () => Promise.resolve(),
    onFault(error) {
      throw error;
    },
    onChange: () => {},
    onStored: () => {},
  });
  const errors = new ErrorCounts(() => clock.nowMs());
  const clientOf = (consumer: Consumer) => {
    const client = clientOfConsumer.get(consumer);
    if (client === undefined) throw new Error("The consumer belongs to no client of this test");
    return client;
  };
  const ending = new Set<{ flush(): void }>();
  const queue = new BrokerQueue({
    broker,
    clock,
    logger,
    options,
    openTopic: (name) => broker.topic(name),
    turn: { commit: () => given.onCommitTurn?.(broker), hasOutput: (member) => ending.add(member) },
    sessions: () => clients,
    clientOf,
    persistMetadata() {
      calls.push("persistMetadata");
      return Promise.resolve();
    },
  });
  const addressOf = (consumer: Consumer) => {
    const client = clientOfConsumer.get(consumer);
    if (client === undefined) throw new Error("The consumer belongs to no client of this test");
    return client.remoteAddress;
  };
  const context: ApiContext = {
    broker,
    queue,
    inspection: new Inspection({ broker, clock, logger, options, addressOf, kick: () => 0 }),
    sockets: { count: 0, serve: () => Promise.resolve() },
    authorize: () => undefined,
    clock,
    get options() {
      return options;
    },
    logger,
    hostname: "host.example",
    tcpPort: 4150,
    httpPort: 4151,
    started,
    hasGossip: false,
    health: () => state.health,
    readiness: () => ({ ready: true, state: "running", reasons: [] }),
    drain: () => calls.push("drain"),
    get isLoading() {
      return state.isLoading;
    },
    refused: () => state.refused,
    errors,
    node: {
      counts,
      started,
      dataPath: ".",
      broker,
      health: () => state.health,
      sessions: () => clients,
      refused: () => state.refused,
      errors,
      statsdPackets: { sent: 0, failed: 0 },
      certificateExpiresMs: given.certificateExpiresMs,
    },
    sessions: () => clients,
    clientOf,
    reload: () => ["certificates"],
    certificateExpiresMs: given.certificateExpiresMs,
    optionValue: (key) => nsqdConfigValue(options, key),
    setLogLevel: (logLevel) => {
      logger.level = logLevel;
      options = { ...options, logLevel };
    },
    setLookupdAddresses: (lookupdTcpAddresses) => {
      options = { ...options, lookupdTcpAddresses };
    },
    runningTasks: () => ["tcpServer", "queueScanLoop"],
  };
  const router = nsqdHttpApi(context);

  /** Sends a request; a body that is a list of texts is sent in chunks. */
  async function request(
    method: string,
    target: string,
    body?: string | Uint8Array<ArrayBuffer> | readonly string[],
  ): Promise<Answer> {
    return answerOf(await callHandler(router.handle, { method, target, body }));
  }

  return {
    broker,
    options,
    context,
    lines,
    calls,
    state,
    clock,
    handle: router.handle,
    request,
    /** Sends a request and reads the JSON of the answer. */
    json: async (target: string): Promise<unknown> => JSON.parse((await request("GET", target)).text),
    /** Connects a client that publishes. */
    addClient: (client: Partial<ClientSource>) => clients.add({ ...CLIENT, ...client }),
    /** Connects a client that consumes. */
    addConsumer(topic: string, channel: string, client: Partial<ClientSource> = {}): Consumer {
      const sink = { hasRoom: true, send: () => 0, close: () => {} };
      const consumer = new Consumer({ sink, msgTimeoutMs: 60_000, sampleRate: 0 });
      const source = { ...CLIENT, state: 3, ...client };
      clients.add(source);
      clientOfConsumer.set(consumer, source);
      broker.topic(topic).channel(channel).addConsumer(consumer);
      return consumer;
    },
  };
}

const CLIENT: ClientSource = {
  clientId: "client",
  hostname: "client.example",
  userAgent: "test/1",
  remoteAddress: "127.0.0.1:5000",
  state: 0,
  readyCount: 0,
  inFlightCount: 0,
  messageCount: 0,
  finishCount: 0,
  requeueCount: 0,
  connectTimeS: START_TIME_MS / 1000,
  connectedMs: FAKE_MONOTONIC_START_MS,
  sampleRate: 0,
  topologyZone: "",
  topologyRegion: "",
  pubCounts: new Map(),
  snappy: false,
  deflate: false,
  tls: undefined,
  auth: undefined,
};

/** A disk without space. */
class FullStores extends MemoryStores {
  override open(topic: string): SegmentStore {
    const store = super.open(topic);
    store.append = () => {
      throw new Error("disk full");
    };
    return store;
  }
}
