/**
 * nsqadmin's HTTP side (nsqadmin/http.go): the table of all routes, below the base path. Does not listen: src/http/server.ts
 * does.
 *
 * @module
 */

import type { Answer } from "../http/answer.ts";
import { audited } from "../http/audited.ts";
import { log, plainText, v1 } from "../http/decorators.ts";
import { HostNames } from "../http/foreign_requests.ts";
import { healthPages } from "../http/health_pages.ts";
import type { HttpError } from "../http/http_error.ts";
import { metricsAnswer } from "../http/metrics_answer.ts";
import type { RequestContext } from "../http/request_context.ts";
import { route } from "../http/route_table.ts";
import { type HttpRoute, Router } from "../http/router.ts";
import { noteActivity, recorded } from "./activity.ts";
import { activity, activityCsv } from "./api/activity.ts";
import { alerts } from "./api/alerts.ts";
import { changeAdminOption, showAdminOption } from "./api/config.ts";
import { graphiteProxy, graphiteRate } from "./api/graphite.ts";
import { channel, counter, node, nodes, topic, topics } from "./api/reads.ts";
import { cancelRedrive, redrive, redrives } from "./api/redrives.ts";
import { staticFiles } from "./api/static_files.ts";
import {
  actOnNode,
  actOnTopicOrChannel,
  createTopicOrChannel,
  deleteTopicOrChannel,
  forgetNode,
  kickConsumer,
  tombstoneNode,
} from "./api/writes.ts";
import { PAGE_FILES, pageRoutes } from "./console/pages.tsx";
import { tapEvents } from "./console/tap.tsx";
import type { AdminContext } from "./context.ts";
import { forUsers } from "./login/guard.ts";
import { nsqadminMetrics } from "./metrics.ts";

/** Does the work of one endpoint. */
type Operation = (admin: AdminContext, request: RequestContext) => unknown;

/** Everything that one nsqadmin serves. */
export function nsqadminHttp(admin: AdminContext): Router {
  const { basePath, httpAllowedHosts, trustedOrigins } = admin.options;
  const { proxies } = admin;
  const prefix = basePath === "/" ? "" : basePath;
  const routes = nsqadminRoutes(admin).map((each) => ({
    ...each,
    path: each.path === "/" && prefix !== "" ? prefix : prefix + each.path,
  }));
  const hosts = HostNames.of(httpAllowedHosts);
  const onForeign = (context: RequestContext) => {
    if (context.method !== "GET") noteActivity(admin, context, 403);
  };
  return new Router({
    routes,
    logger: admin.logger,
    hosts,
    counts: admin.requests,
    onForeign,
    // As browsers write it.
    ownOrigins: trustedOrigins.map((origin) => origin.toLowerCase()),
    clientOf: proxies && ((request) => proxies.clientOf(request)),
  });
}

/** The table, without the base path. */
export function nsqadminRoutes(admin: AdminContext): HttpRoute[] {
  const logged = log(admin.logger);
  const api = (operation: Operation) => v1(logged((request) => operation(admin, request)));
  const change = (operation: Operation) => audited(admin.audit, recorded(admin, api(operation)));
  const files = staticFiles(admin, PAGE_FILES);
  const open = [
    route("GET", "/ping", plainText(logged(() => "OK"))),
    ...healthPages(() => admin.readiness),
    route("GET", "/static/:asset", files),
    route("GET", "/fonts/:asset", files),
  ];
  const closed = [
    route("GET", "/metrics", plainText(logged((request) => metrics(admin, request)))),
    route("GET", "/events", api(events)),
    route("GET", "/tap/:topic/events", recorded(admin, api(tapEvents))),
    ...admin.options.proxyGraphite ? [route("GET", "/render", graphiteProxy(admin))] : [],

    route("GET", "/api/topics", api(topics)),
    route("GET", "/api/topics/:topic", api(topic)),
    route("GET", "/api/topics/:topic/:channel", api(channel)),
    route("GET", "/api/nodes", api(nodes)),
    route("GET", "/api/nodes/:node", api(node)),
    route("POST", "/api/topics", change(createTopicOrChannel)),
    route("POST", "/api/topics/:topic", change(actOnTopicOrChannel)),
    route("POST", "/api/topics/:topic/:channel", change(actOnTopicOrChannel)),
    route("POST", "/api/nodes/:node", change(actOnNode)),
    route("DELETE", "/api/nodes/:node", change(tombstoneNode)),
    route("DELETE", "/api/topics/:topic", change(deleteTopicOrChannel)),
    route("DELETE", "/api/topics/:topic/:channel", change(deleteTopicOrChannel)),
    route("DELETE", "/api/cluster/nodes/:node", change(forgetNode)),
    route("POST", "/api/consumers/kick", change(kickConsumer)),
    route("GET", "/api/redrives", api(redrives)),
    route("POST", "/api/redrives", change(redrive)),
    route("DELETE", "/api/redrives/:id", change(cancelRedrive)),
    route("GET", "/api/counter", api(counter)),
    route("GET", "/api/alerts", api(alerts)),
    route("GET", "/api/activity", api(activity)),
    route("GET", "/api/activity.csv", api(activityCsv)),
    route("GET", "/api/graphite", api(graphiteRate)),
    route("GET", "/config/:opt", api(showAdminOption)),
    route("PUT", "/config/:opt", change(changeAdminOption)),
  ];
  const refuse = (context: RequestContext, error: HttpError) =>
    v1(logged(() => {
      throw error;
    }))(context);
  return [...open, ...pageRoutes(admin), ...forUsers(admin, closed, refuse)];
}

/** `GET /events` */
function events({ events, logins }: AdminContext, request: RequestContext): Answer {
  return events.add(logins && (() => logins.holds(request)));
}

/** `GET /metrics` */
async function metrics(admin: AdminContext, { request }: RequestContext): Promise<Answer> {
  return await metricsAnswer(await nsqadminMetrics(admin), request.headers.get("accept"));
}
