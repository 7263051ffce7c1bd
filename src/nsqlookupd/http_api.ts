/**
 * nsqlookupd's HTTP API (nsqlookupd/http.go): the table of all endpoints, and what they do. Does not listen:
 * src/http/server.ts does.
 *
 * @module
 */
import type { Audit } from "../base/audit_log.ts";
import { type Clock, momentOf } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { inSlices } from "../base/time_slice.ts";
import { NSQ_VERSION } from "../base/version.ts";
import {
  channelsAnswer,
  lookupAnswer,
  type LookupTimes,
  nodesAnswer,
  topicsAnswer,
} from "../cluster/lookup_answers.ts";
import {
  type Registration,
  type RegistrationDb,
  RegistrationsFullError,
} from "../cluster/registration_db.ts";
import type { Answer } from "../http/answer.ts";
import { audited } from "../http/audited.ts";
import { log, plainText, v1 } from "../http/decorators.ts";
import { debugPages } from "../http/debug_pages.ts";
import { HostNames } from "../http/foreign_requests.ts";
import { healthPages, type Readiness } from "../http/health_pages.ts";
import { HttpError } from "../http/http_error.ts";
import { metricsAnswer } from "../http/metrics_answer.ts";
import type { RequestContext } from "../http/request_context.ts";
import { requestParams, requiredParam } from "../http/request_params.ts";
import { route } from "../http/route_table.ts";
import { type HttpRoute, Router } from "../http/router.ts";
import { isValidChannelName, isValidTopicName } from "../protocol/names.ts";
import { debugAnswer } from "./debug_answer.ts";
import { lookupdMetrics, type MetricsSource } from "./metrics.ts";
import type { NsqlookupdOptions } from "./options.ts";

/** What the HTTP API asks of the daemon it belongs to. */
export interface HttpApiContext extends MetricsSource {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: NsqlookupdOptions;
  readonly db: RegistrationDb;
  /** Whether clients can be served, and why not. */
  readonly readiness: Readiness;
  /** Names of the tasks that run, for the debug pages. */
  runningTasks(): readonly string[];
}

/** Does the work of one endpoint. */
type Operation = (nsqlookupd: HttpApiContext, request: RequestContext) => unknown;

/**
 * The API of one nsqlookupd, ready to be served: all of it, or what is for those who look only, when administration and
 * debug pages are elsewhere.
 */
export function nsqlookupdHttpApi(
  nsqlookupd: HttpApiContext,
  { audit, withoutAdmin = false }: { readonly audit?: Audit | undefined; readonly withoutAdmin?: boolean } =
    {},
): Router {
  const { logger, options } = nsqlookupd;
  const routes = withoutAdmin
    ? lookupRoutes(nsqlookupd)
    : [...lookupRoutes(nsqlookupd), ...adminRoutes(nsqlookupd, audit)];
  const hosts = HostNames.of(options.httpAllowedHosts);
  return new Router({ routes, logger, hosts, counts: nsqlookupd.requests });
}

function lookupRoutes(nsqlookupd: HttpApiContext): HttpRoute[] {
  const { logged, api } = decoratorsOf(nsqlookupd);
  return [
    route("GET", "/ping", plainText(logged(() => "OK"))),
    ...healthPages(() => nsqlookupd.readiness),
    route("GET", "/metrics", plainText(logged((request) => metrics(nsqlookupd, request)))),
    route("GET", "/info", api(() => ({ version: NSQ_VERSION }))),

    route("GET", "/lookup", api(lookup)),
    route("GET", "/topics", api(({ db }) => topicsAnswer(db))),
    route("GET", "/channels", api(channels)),
    route("GET", "/nodes", api((nsqlookupd) => nodesAnswer(nsqlookupd.db, timesOf(nsqlookupd)))),
  ];
}

function adminRoutes(nsqlookupd: HttpApiContext, audit: Audit | undefined): HttpRoute[] {
  const { api } = decoratorsOf(nsqlookupd);
  const change = (operation: Operation) => audited(audit, api(operation));
  return [
    route("POST", "/topic/create", change(createTopic)),
    route("POST", "/topic/delete", change(deleteTopic)),
    route("POST", "/channel/create", change(createChannel)),
    route("POST", "/channel/delete", change(deleteChannel)),
    route("POST", "/topic/tombstone", change(tombstone)),

    route("GET", "/debug", api(({ db }) => debugAnswer(db))),
    ...debugPages({ indexPath: "/debug/pprof", runningTasks: () => nsqlookupd.runningTasks() }),
  ];
}

function decoratorsOf(nsqlookupd: HttpApiContext) {
  const logged = log(nsqlookupd.logger);
  return { logged, api: (operation: Operation) => v1(logged((request) => operation(nsqlookupd, request))) };
}

function timesOf({ clock, options }: HttpApiContext): LookupTimes {
  return { ...options, monotonicMs: clock.monotonicMs() };
}

/** `GET /metrics` */
async function metrics(nsqlookupd: HttpApiContext, { request }: RequestContext): Promise<Answer> {
  return await metricsAnswer(await lookupdMetrics(nsqlookupd), request.headers.get("accept"));
}

/** `GET /lookup` */
async function lookup(nsqlookupd: HttpApiContext, request: RequestContext): Promise<unknown> {
  const topic = requiredParam(requestParams(request), "topic");
  const answer = await lookupAnswer(nsqlookupd.db, topic, timesOf(nsqlookupd));
  if (answer === undefined) throw new HttpError(404, "TOPIC_NOT_FOUND");
  return answer;
}

/** `GET /channels` */
function channels({ db }: HttpApiContext, request: RequestContext): unknown {
  return channelsAnswer(db, requiredParam(requestParams(request), "topic"));
}

/** `POST /topic/create` */
function createTopic(nsqlookupd: HttpApiContext, request: RequestContext): void {
  const topic = validTopic(requiredParam(requestParams(request), "topic"));
  addTopic(nsqlookupd, topic);
  nsqlookupd.logger.info(`DB: adding topic(${topic})`);
}

/** `POST /topic/delete` */
async function deleteTopic({ db, logger }: HttpApiContext, request: RequestContext): Promise<void> {
  // NSQ compat: any name will do, and that of every topic is one (docs/compatibility.md).
  const topic = requiredParam(requestParams(request), "topic");
  await inSlices(db.removingTopics(topic), (removed) => logger.info(`DB: removing ${describe(removed)}`));
}

/** `POST /channel/create` */
function createChannel(nsqlookupd: HttpApiContext, request: RequestContext): void {
  const { topic, channel } = validNames(request);
  addTopic(nsqlookupd, topic, channel);
  nsqlookupd.logger.info(`DB: adding channel(${channel}) in topic(${topic})`);
  nsqlookupd.logger.info(`DB: adding topic(${topic})`);
}

/** `POST /channel/delete` */
function deleteChannel({ db, logger }: HttpApiContext, request: RequestContext): void {
  const { topic, channel } = validNames(request);
  if (!db.removeChannel(topic, channel)) throw new HttpError(404, "CHANNEL_NOT_FOUND");
  logger.info(`DB: removing channel(${channel}) from topic(${topic})`);
}

/** `POST /topic/tombstone` */
async function tombstone(
  { db, logger, clock }: HttpApiContext,
  request: RequestContext,
): Promise<void> {
  const params = requestParams(request);
  const topic = requiredParam(params, "topic");
  const node = requiredParam(params, "node");
  logger.info(`DB: setting tombstone for producer@${node} of topic(${topic})`);
  await inSlices(db.tombstoning(topic, node, momentOf(clock)));
}

function addTopic({ db }: HttpApiContext, topic: string, channel?: string): void {
  try {
    db.addTopic(topic, channel);
  } catch (cause) {
    if (!(cause instanceof RegistrationsFullError)) throw cause;
    throw new HttpError(503, "TOO_MANY_REGISTRATIONS", { cause });
  }
}

function validNames(request: RequestContext): { topic: string; channel: string } {
  const params = requestParams(request);
  const topic = validTopic(requiredParam(params, "topic"));
  const channel = requiredParam(params, "channel");
  if (!isValidChannelName(channel)) throw new HttpError(400, "INVALID_ARG_CHANNEL");
  return { topic, channel };
}

function validTopic(name: string): string {
  if (!isValidTopicName(name)) throw new HttpError(400, "INVALID_ARG_TOPIC");
  return name;
}

function describe({ category, key, subKey }: Registration): string {
  return category === "channel" ? `channel(${subKey}) from topic(${key})` : `topic(${key})`;
}
