/**
 * `GET /api/activity` and `/api/activity.csv`: what people have done lately, the newest first. `?filter=` is as on the page.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { type Activity, textOf } from "../activity.ts";
import { queryOf } from "../console/request.ts";
import type { AdminContext } from "../context.ts";
import { csvAnswer } from "../csv.ts";

/** `GET /api/activity` */
export function activity(admin: AdminContext, request: RequestContext): unknown {
  return {
    activity: asked(admin, request).map((each) => ({
      time: timeOf(each),
      user: each.user,
      address: each.address,
      user_agent: each.userAgent,
      action: each.action,
      topic: each.topic,
      channel: each.channel,
      node: each.node,
      message: each.message,
      status: each.status,
      outcome: each.outcome,
      results: each.results.map(({ daemon, reason }) => ({ daemon, error: reason })),
      results_left_out: each.resultsLeftOut,
    })),
  };
}

/** `GET /api/activity.csv` */
export function activityCsv(admin: AdminContext, request: RequestContext): Promise<Answer> {
  return csvAnswer([
    [
      "time",
      "user",
      "address",
      "user_agent",
      "action",
      "topic",
      "channel",
      "node",
      "message",
      "status",
      "outcome",
      "done_by",
      "failed",
    ],
    ...asked(admin, request).map((each) => [
      timeOf(each),
      each.user,
      each.address,
      each.userAgent,
      each.action,
      each.topic,
      each.channel,
      each.node,
      each.message,
      each.status,
      each.outcome,
      each.results.filter(({ reason }) => reason === undefined).map(({ daemon }) => daemon).join("; "),
      each.results.flatMap(({ daemon, reason }) => reason === undefined ? [] : `${daemon}: ${reason}`)
        .join("; "),
    ]),
  ]);
}

function asked({ activity }: AdminContext, { rawQuery }: RequestContext): Activity[] {
  const wanted = (queryOf(rawQuery).get("filter") ?? "").toLowerCase();
  return activity.newestFirst.filter((each) => textOf(each).toLowerCase().includes(wanted));
}

function timeOf({ atMs }: Activity): string {
  return new Date(atMs).toISOString();
}
