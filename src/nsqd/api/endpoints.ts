/**
 * nsqd's HTTP API (nsqd/http.go): the table of all endpoints, and those that tell about the daemon itself. Does
 * not listen: src/http/server.ts does.
 *
 * @module
 */
import type { Audit } from "../../base/audit_log.ts";
import { durationToNs } from "../../base/duration.ts";
import { errorText } from "../../base/error_text.ts";
import { parseLogLevel } from "../../base/logger.ts";
import { NSQ_VERSION, nsqVersionLine } from "../../base/version.ts";
import { audited } from "../../http/audited.ts";
import { type Handler, log, plainText, type Responder, v1 } from "../../http/decorators.ts";
import type { HostNames } from "../../http/foreign_requests.ts";
import {
  changeOption,
  CONFIG_VALUE_SIZE_MAX,
  parseStringList,
  required,
  showOption,
} from "../../http/config_option.ts";
import { healthPages } from "../../http/health_pages.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { Router } from "../../http/router.ts";
import { diskRoom } from "../stats/disk_room.ts";
import { errorStats } from "../stats/errors.ts";
import { memoryStats } from "../stats/stats.ts";
import { finish, receive, requeue, touch } from "./consume.ts";
import { debugEndpoints } from "./debug.ts";
import { type Endpoint, endpoint, type HttpGuard } from "./guard.ts";
import { boolParam, paramsOf } from "./params.ts";
import type { ApiContext } from "./context.ts";
import { lookupEndpoints } from "./lookup.ts";
import { publish, publishBatch } from "./publish.ts";
import {
  createChannel,
  createTopic,
  deleteChannel,
  deleteTopic,
  emptyChannel,
  emptyTopic,
  pauseChannel,
  pauseTopic,
  unpauseChannel,
  unpauseTopic,
} from "./topics.ts";

export type { ApiContext } from "./context.ts";

/** Does the work of one endpoint. */
type Operation = (nsqd: ApiContext, request: RequestContext) => unknown;

/** For whom an API is. */
export interface ApiAudience {
  /** Tells who may use what. @default {everybody may use everything} */
  readonly guard?: HttpGuard | undefined;
  /** Notes who changes what. @default {nobody is told} */
  readonly audit?: Audit | undefined;
  /** By which names it may be asked. @default {any} */
  readonly hosts?: HostNames | undefined;
  /** Origins of pages that may use it. @default {none} */
  readonly origins?: readonly string[];
  /** It is for those who publish, consume, look and check: administration, options and debug pages are elsewhere. */
  readonly withoutAdmin?: boolean;
}

/** The API of one nsqd, ready to be served. */
export function nsqdHttpApi(nsqd: ApiContext, audience: ApiAudience = {}): Router {
  const { guard, audit, hosts, origins = [], withoutAdmin = false } = audience;
  const endpoints = nsqdEndpoints(nsqd)
    .filter((each) => !(withoutAdmin && isForAdmins(each)))
    .map((each) => each.access === "anyone" ? each : { ...each, value: onceLoaded(nsqd, each.value) })
    .map((each) => each.access === "admin" ? { ...each, value: audited(audit, each.value) } : each);
  const routes = guard === undefined ? endpoints : endpoints.map((each) => guard.protect(each));
  const { logger, errors, node: { counts } } = nsqd;
  return new Router({ routes, logger, hosts, origins, counts: counts.requests, onError: errors.note });
}

/** What `--admin-address` takes away from the other addresses. */
function isForAdmins({ access, path }: Endpoint): boolean {
  return access === "admin" || path.startsWith("/config/") || path.startsWith("/debug/");
}

/** Refuses while not everything is there yet: what is asked for could be missing, and what is done, lost. */
function onceLoaded(nsqd: ApiContext, responder: Responder): Responder {
  const refuse = v1(
    log(nsqd.logger)(() => {
      throw new HttpError(503, "LOADING", { headers: [["Retry-After", "1"]] });
    }),
  );
  return (request) => nsqd.isLoading ? refuse(request) : responder(request);
}

/** All endpoints, each with who may use it where there is a guard. */
export function nsqdEndpoints(nsqd: ApiContext): Endpoint[] {
  const of = (operation: Operation): Handler => (request) => operation(nsqd, request);
  const logged = log(nsqd.logger);
  const api = (operation: Operation) => v1(logged(of(operation)));

  return [
    endpoint("anyone", "GET", "/ping", plainText(logged(of(ping)))),
    ...healthPages(() => nsqd.readiness()).map(({ method, path, value }) =>
      endpoint("anyone", method, path, value)
    ),
    endpoint("read", "GET", "/info", api(info)),

    // These two leave no line in the log.
    endpoint("publish", "POST", "/pub", v1(of(publish))),
    endpoint("publish", "POST", "/mpub", v1(of(publishBatch))),
    endpoint("read", "GET", "/stats", api(stats)),
    endpoint("read", "GET", "/metrics", plainText(logged(of(metrics)))),

    // NSQ has none of these. They leave no line in the log either, but for the last two, which last.
    endpoint("consume", "POST", "/receive", v1(of(receive))),
    endpoint("consume", "POST", "/finish", v1(of(finish))),
    endpoint("consume", "POST", "/requeue", v1(of(requeue))),
    endpoint("consume", "POST", "/touch", v1(of(touch))),
    endpoint("consume", "GET", "/subscribe", api(subscribe)),
    endpoint(["publish", "consume"], "GET", "/v2", api(openSocket)),

    endpoint("admin", "POST", "/topic/create", api(createTopic)),
    endpoint("admin", "POST", "/topic/delete", api(deleteTopic)),
    endpoint("admin", "POST", "/topic/empty", api(emptyTopic)),
    endpoint("admin", "POST", "/topic/pause", api(pauseTopic)),
    endpoint("admin", "POST", "/topic/unpause", api(unpauseTopic)),
    endpoint("admin", "POST", "/channel/create", api(createChannel)),
    endpoint("admin", "POST", "/channel/delete", api(deleteChannel)),
    endpoint("admin", "POST", "/channel/empty", api(emptyChannel)),
    endpoint("admin", "POST", "/channel/pause", api(pauseChannel)),
    endpoint("admin", "POST", "/channel/unpause", api(unpauseChannel)),

    ...nsqd.inspection
      ? [
        endpoint("peek", "GET", "/messages", api(onMessages((to) => to.messagePage))),
        endpoint("peek", "GET", "/message", api(onMessages((to) => to.wholeMessage))),
        endpoint("admin", "POST", "/message/delete", api(onMessages((to) => to.deleteMessage))),
        endpoint("admin", "POST", "/message/requeue", api(onMessages((to) => to.requeueMessage))),
        endpoint("admin", "POST", "/message/cancel", api(onMessages((to) => to.cancelMessage))),
        endpoint("admin", "POST", "/client/kick", api(onMessages((to) => to.kickClient))),
      ]
      : [],

    endpoint("read", "GET", "/config/:opt", api(showOption)),
    endpoint("admin", "PUT", "/config/:opt", api(changeNodeOption)),

    endpoint("admin", "POST", "/drain", api(drain)),

    ...nsqd.hasGossip ? lookupEndpoints(nsqd.logger, () => nsqd.gossip?.db) : [],

    ...debugEndpoints(nsqd),
  ];
}

// What a daemon may do without for long is loaded with the first request for it.

function onMessages(operation: (to: typeof import("./messages.ts")) => Operation): Operation {
  return async (nsqd, request) => await operation(await import("./messages.ts"))(nsqd, request);
}

/** `GET /metrics` */
async function metrics(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  return await (await import("./metrics.ts")).metrics(nsqd, request);
}

/** `GET /subscribe` */
async function subscribe(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  return await (await import("./event_stream.ts")).subscribe(nsqd, request);
}

/** `GET /v2` */
async function openSocket(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  return await (await import("./socket.ts")).openSocket(nsqd, request);
}

/** `GET /ping` */
function ping(nsqd: ApiContext): string {
  const health = nsqd.health();
  if (health !== "OK") throw new HttpError(500, health);
  return health;
}

/** `GET /info` */
function info(nsqd: ApiContext): unknown {
  const { options } = nsqd;
  return {
    version: NSQ_VERSION,
    broadcast_address: options.broadcastAddress,
    hostname: nsqd.hostname,
    http_port: nsqd.httpPort ?? -1,
    tcp_port: nsqd.tcpPort ?? -1,
    start_time: Math.floor(nsqd.started.wallMs / 1000),
    max_heartbeat_interval: Number(durationToNs(options.maxHeartbeatIntervalMs)),
    max_output_buffer_size: options.maxOutputBufferSizeBytes,
    max_output_buffer_timeout: Number(durationToNs(options.maxOutputBufferTimeoutMs)),
    max_deflate_level: options.maxDeflateLevel,
    topology_zone: options.topologyZone,
    topology_region: options.topologyRegion,
  };
}

/** `GET /stats` */
async function stats(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  const params = paramsOf(nsqd, request);
  const { started, clock } = nsqd;
  const gossip = await nsqd.gossip?.stats();
  const monotonicMs = clock.monotonicMs();
  const health = nsqd.health();
  const filter = {
    topics: named(params.get("topic")),
    channels: named(params.get("channel")),
    includeClients: boolParam(params.get("include_clients")) ?? true,
  };
  const { background, ...collected } = await nsqd.queue.stats(filter);
  const memory = boolParam(params.get("include_mem")) ?? true ? memoryStats() : undefined;

  if (params.get("format") !== "json") {
    const program = nsqVersionLine("nsqd");
    const uptimeMs = monotonicMs - started.monotonicMs;
    const { wallMs: startTimeMs } = started;
    const { certificateExpiresMs } = nsqd;
    const times = { startTimeMs, uptimeMs, certificateExpiresMs };
    const { formatStats } = await import("../stats/text.ts");
    return await formatStats({ program, health, ...times, stats: collected, memory, background, gossip });
  }
  const refused = nsqd.refused();
  return {
    version: NSQ_VERSION,
    health,
    start_time: Math.floor(started.wallMs / 1000),
    topics: collected.topics,
    memory,
    producers: collected.producers,
    // Absent where gossip is off, as in NSQ.
    gossip,
    background,
    // Absent without a certificate, and unknown to NSQ.
    tls_certificate_expires: secondsOf(nsqd.certificateExpiresMs),
    // Absent where none has been, and so for whoever knows NSQ's form only.
    refused_connections: refused.tcp + refused.http > 0 ? refused : undefined,
    // The same.
    errors: errorStats(nsqd.errors),
    // Only for who asks for it.
    node: boolParam(params.get("include_node")) ? await nodeStats(nsqd) : undefined,
  };
}

/** What NSQ does not tell of a node as a whole: what it is doing, where messages are kept, and how much room there is. */
async function nodeStats(nsqd: ApiContext): Promise<unknown> {
  const room = await diskRoom(nsqd.node.dataPath);
  return {
    ...nsqd.readiness(),
    store: nsqd.inspection === undefined ? "kv" : nsqd.node.dataPath === "" ? "memory" : "files",
    resident_memory_bytes: Deno.memoryUsage().rss,
    data_path_free_bytes: room?.freeBytes,
    data_path_size_bytes: room?.sizeBytes,
  };
}

/** NSQ compat: an empty name is none. */
function named(name = ""): ReadonlySet<string> {
  return new Set(name === "" ? [] : [name]);
}

function secondsOf(timeMs: number | undefined): number | undefined {
  return timeMs === undefined ? undefined : Math.floor(timeMs / 1000);
}

/** `POST /drain` */
function drain(nsqd: ApiContext): unknown {
  nsqd.drain();
  return nsqd.readiness();
}

/** `PUT /config/:opt` */
async function changeNodeOption(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  // No option, and nothing that a value could be given: nsqd reads files again that it has read at its start.
  if (request.params.opt === "reload") return reload(nsqd);
  const changes = new Map<string, (text: string) => void>([
    ["log_level", (text) => nsqd.setLogLevel(required(parseLogLevel(text)))],
    ["nsqlookupd_tcp_addresses", (text) => nsqd.setLookupdAddresses(required(parseStringList(text)))],
  ]);
  const valueSizeMax = Math.min(nsqd.options.maxMsgSizeBytes, CONFIG_VALUE_SIZE_MAX);
  return await changeOption({ optionValue: (key) => nsqd.optionValue(key), changes, valueSizeMax }, request);
}

/** `PUT /config/reload` */
function reload(nsqd: ApiContext): unknown {
  try {
    return { reloaded: nsqd.reload() };
  } catch (cause) {
    const message = `failed to reload - ${errorText(cause)}`;
    nsqd.logger.error(message);
    throw new HttpError(500, message, { cause });
  }
}
