/**
 * nsqd's HTTP API (nsqd/http.go): the table of all endpoints, and those that tell about the daemon itself. Does
 * not listen: src/http/server.ts does.
 *
 * @module
 */
import { durationToNs } from "../base/duration.ts";
import { parseLogLevel } from "../base/logger.ts";
import { NSQ_VERSION } from "../base/version.ts";
import { type Handler, log, plainText, v1 } from "../http/decorators.ts";
import { HttpError } from "../http/http_error.ts";
import type { RequestContext } from "../http/request_context.ts";
import { route } from "../http/route_table.ts";
import { Router } from "../http/router.ts";
import { debugRoutes } from "./debug_api.ts";
import { boolParam, paramsOf } from "./http_params.ts";
import type { HttpApiContext } from "./http_api_context.ts";
import { nsqdConfigValue } from "./options.ts";
import { publish, publishBatch } from "./publish_api.ts";
import { collectStats, memoryStats } from "./stats.ts";
import { formatStats } from "./stats_text.ts";
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
} from "./topic_api.ts";

export type { HttpApiContext } from "./http_api_context.ts";

/** An endpoint of this API. */
type Endpoint = (nsqd: HttpApiContext, request: RequestContext) => unknown;

/** The API of one nsqd, ready to be served. */
export function nsqdHttpApi(nsqd: HttpApiContext): Router {
  const of = (endpoint: Endpoint): Handler => (request) => endpoint(nsqd, request);
  const logged = log(nsqd.logger);
  const api = (endpoint: Endpoint) => v1(logged(of(endpoint)));

  const routes = [
    route("GET", "/ping", plainText(logged(of(ping)))),
    route("GET", "/info", api(info)),

    // These two leave no line in the log.
    route("POST", "/pub", v1(of(publish))),
    route("POST", "/mpub", v1(of(publishBatch))),
    route("GET", "/stats", api(stats)),

    route("POST", "/topic/create", api(createTopic)),
    route("POST", "/topic/delete", api(deleteTopic)),
    route("POST", "/topic/empty", api(emptyTopic)),
    route("POST", "/topic/pause", api(pauseTopic)),
    route("POST", "/topic/unpause", api(unpauseTopic)),
    route("POST", "/channel/create", api(createChannel)),
    route("POST", "/channel/delete", api(deleteChannel)),
    route("POST", "/channel/empty", api(emptyChannel)),
    route("POST", "/channel/pause", api(pauseChannel)),
    route("POST", "/channel/unpause", api(unpauseChannel)),

    route("GET", "/config/:opt", api(showOption)),
    route("PUT", "/config/:opt", api(changeOption)),

    ...debugRoutes(nsqd),
  ];
  return new Router({ routes, logger: nsqd.logger });
}

/** `GET /ping` */
function ping(nsqd: HttpApiContext): string {
  const health = nsqd.health();
  if (health !== "OK") throw new HttpError(500, health);
  return health;
}

/** `GET /info` */
function info(nsqd: HttpApiContext): unknown {
  const { options } = nsqd;
  return {
    version: NSQ_VERSION,
    broadcast_address: options.broadcastAddress,
    hostname: nsqd.hostname,
    http_port: nsqd.httpPort ?? -1,
    tcp_port: nsqd.tcpPort ?? -1,
    start_time: Math.floor(nsqd.startTimeMs / 1000),
    max_heartbeat_interval: Number(durationToNs(options.maxHeartbeatIntervalMs)),
    max_output_buffer_size: options.maxOutputBufferSizeBytes,
    max_output_buffer_timeout: Number(durationToNs(options.maxOutputBufferTimeoutMs)),
    max_deflate_level: options.maxDeflateLevel,
    topology_zone: options.topologyZone,
    topology_region: options.topologyRegion,
  };
}

/** `GET /stats` */
function stats(nsqd: HttpApiContext, request: RequestContext): unknown {
  const params = paramsOf(nsqd, request);
  const { startTimeMs } = nsqd;
  const nowMs = nsqd.nowMs();
  const health = nsqd.health();
  const filter = {
    topic: params.get("topic") ?? "",
    channel: params.get("channel") ?? "",
    includeClients: boolParam(params.get("include_clients")) ?? true,
  };
  const collected = collectStats(nsqd, filter, nowMs);
  const memory = boolParam(params.get("include_mem")) ?? true ? memoryStats() : undefined;

  if (params.get("format") !== "json") {
    const program = `nsqd v${NSQ_VERSION} (built w/deno${Deno.version.deno})`;
    return formatStats({ program, health, startTimeMs, nowMs, stats: collected, memory });
  }
  return {
    version: NSQ_VERSION,
    health,
    start_time: Math.floor(startTimeMs / 1000),
    topics: collected.topics,
    memory,
    producers: collected.producers,
  };
}

/** `GET /config/:opt` */
function showOption(nsqd: HttpApiContext, request: RequestContext): unknown {
  const value = nsqdConfigValue(nsqd.options, request.params.opt);
  if (value === undefined) throw new HttpError(400, "INVALID_OPTION");
  return value;
}

/** `PUT /config/:opt` */
async function changeOption(nsqd: HttpApiContext, request: RequestContext): Promise<unknown> {
  const body = await request.readBody(nsqd.options.maxMsgSizeBytes);
  if (body === undefined || body.length === 0) throw new HttpError(413, "INVALID_VALUE");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  switch (request.params.opt) {
    case "log_level":
      nsqd.setLogLevel(required(parseLogLevel(text)));
      break;
    case "nsqlookupd_tcp_addresses":
      nsqd.setLookupdAddresses(required(parseStringList(text)));
      break;
    default:
      throw new HttpError(400, "INVALID_OPTION");
  }
  return showOption(nsqd, request);
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new HttpError(400, "INVALID_VALUE");
  return value;
}

/** A JSON array of strings; `null` is an empty one. */
function parseStringList(json: string): string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (value === null) return [];
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}
