/**
 * What the HTTP API asks of the daemon it belongs to. src/nsqd/composition.ts gives it; tests stand in for it.
 *
 * @module
 */
import type { Clock, Moment } from "../../base/clock.ts";
import type { Logger, LogLevel } from "../../base/logger.ts";
import type { Consumer } from "../../broker/consumer.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { Connection } from "../../net/connection.ts";
import type { RegistrationDb } from "../../cluster/registration_db.ts";
import type { Readiness } from "../../http/health_pages.ts";
import type { MessageOptions } from "../node/message_options.ts";
import type { NodeOptions } from "../node/options.ts";
import type { Tracing } from "../node/tracing.ts";
import type { Inspection } from "../queue/inspection.ts";
import type { QueueOptions } from "../queue/options.ts";
import type { Place, Queue } from "../queue/queue.ts";
import type { SessionOptions } from "../session/options.ts";
import type { Carrier } from "../session/session.ts";
import type { ErrorCounts } from "../stats/errors.ts";
import type { ClientSource, StatsSource } from "../stats/stats.ts";
import type { MetricsContext } from "./metrics.ts";

/** Gossip, as the HTTP API sees it. */
export interface GossipApi {
  /** Who has what, of all nodes that are there. */
  readonly db: RegistrationDb;
  /** What `/stats` tells of it. */
  stats(): Promise<Readonly<Record<string, string>>>;
}

/** Protocol V2 over WebSockets, as the HTTP API sees it. */
export interface SocketApi {
  /** How many there are. */
  readonly count: number;
  /** Serves one to its end; never rejects. */
  serve(connection: Connection, carrier: Carrier): Promise<void>;
}

/** A running nsqd, as its HTTP API sees it. */
export interface ApiContext {
  readonly broker: StatsSource["broker"];
  /** The messages. */
  readonly queue: Queue;
  /** Absent where there is no protocol V2. */
  readonly sockets: SocketApi | undefined;
  /** Looking at the messages, where they are this process's. */
  readonly inspection?: Inspection | undefined;
  /** Settles when auth servers, if there are any, say that the client may consume there. @throws {HttpError} */
  authorize(request: RequestContext, place: Place): Promise<void> | undefined;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  /** The options in force; asked anew for each request, because some can be changed. */
  readonly options:
    & MessageOptions
    & MetricsContext["options"]
    & QueueOptions
    & Pick<NodeOptions, "broadcastAddress" | "topologyRegion" | "topologyZone">
    & Pick<
      SessionOptions,
      | "maxHeartbeatIntervalMs"
      | "maxRdyCount"
      | "maxOutputBufferSizeBytes"
      | "maxOutputBufferTimeoutMs"
      | "maxDeflateLevel"
    >;
  readonly logger: Logger;
  readonly hostname: string;
  /** Port of the TCP protocol, `undefined` for a unix socket. */
  readonly tcpPort: number | undefined;
  /** Port of plain HTTP, `undefined` for a unix socket. */
  readonly httpPort: number | undefined;
  /** When it was started. */
  readonly started: Moment;
  /** Discovery goes through Serf: this nsqd answers what nsqlookupd answers. */
  readonly hasGossip: boolean;
  /** Discovery through Serf, where it is on and nsqd has been started. */
  readonly gossip?: GossipApi | undefined;
  /** "OK", or "NOK - " and why. */
  health(): string;
  /** Whether clients can be served, and why not. */
  readiness(): Readiness;
  /** Begins to let consumers finish what there is, and to take no more; nsqd ends then. Does nothing a second time. */
  drain(): void;
  /** True until everything is there that was kept. */
  readonly isLoading: boolean;
  /** Connections that have been refused since the start, because there were too many. */
  refused(): { readonly tcp: number; readonly http: number };
  /** Absent where nobody has asked for traces. */
  readonly tracing?: Tracing | undefined;
  /** What clients have done wrong. */
  readonly errors: ErrorCounts;
  /** What `/metrics` tells of the node as a whole. */
  readonly node: MetricsContext["node"];
  /** The TCP clients that are connected. */
  sessions(): Iterable<ClientSource>;
  /** The client that a consumer of the broker belongs to. */
  clientOf(consumer: Consumer): ClientSource;
  /** The value that `GET /config/<key>` shows, or `undefined` if there is no such option. */
  optionValue(key: string): unknown;
  /** Changes the option and the log. */
  setLogLevel(level: LogLevel): void;
  /** Changes the option, connects to new addresses and leaves the ones that are gone. */
  setLookupdAddresses(addresses: readonly string[]): void;
  /** Reads the files again that can change while nsqd runs; returns what. @throws {Error} Why nothing has changed. */
  reload(): readonly string[];
  /** When nsqd's own certificate expires, by the wall clock; `undefined` without one. */
  readonly certificateExpiresMs: number | undefined;
  /** Names of the tasks that run, for the debug pages. */
  runningTasks(): readonly string[];
}
