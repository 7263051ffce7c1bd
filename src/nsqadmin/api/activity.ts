/**
 * `GET /api/activity` and `/api/activity.csv`: what people have done lately, the newest first. `?filter=` is as on the page.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { type Activity, detailOf, textOf } from "../activity.ts";
import { csvFile, type ExportedTable, type Fields, fileOf } from "../console/export.tsx";
import { queryOf } from "../console/request.ts";
import type { AdminContext } from "../context.ts";

/** What all forms tell of an activity, before what daemons have made of it. */
const FIELDS: Fields<Activity> = {
  time: ({ atMs }) => new Date(atMs).toISOString(),
  user: ({ user }) => user,
  address: ({ address }) => address,
  user_agent: ({ userAgent }) => userAgent,
  action: ({ action }) => action,
  topic: ({ topic }) => topic,
  channel: ({ channel }) => channel,
  node: ({ node }) => node,
  message: ({ message }) => message,
  client: ({ client }) => client,
  to: ({ to }) => to,
  detail: (activity) => detailOf(activity),
  status: ({ status }) => status,
  outcome: ({ outcome }) => outcome,
};

/** `GET /api/activity` */
export function activity(admin: AdminContext, request: RequestContext): unknown {
  return {
    activity: asked(admin, request).map((each) => ({
      ...Object.fromEntries(Object.entries(FIELDS).map(([name, valueOf]) => [name, valueOf(each)])),
      results: each.results.map(({ daemon, reason }) => ({ daemon, error: reason })),
      results_left_out: each.resultsLeftOut,
    })),
  };
}

/** `GET /api/activity.csv` */
export function activityCsv(admin: AdminContext, request: RequestContext): Promise<Answer> {
  return csvFile(activityFile(asked(admin, request)));
}

/** Activities as a table. */
export function activityFile(activities: readonly Activity[]): ExportedTable {
  return fileOf(activities, {
    ...FIELDS,
    done_by: ({ results }) =>
      results.filter(({ reason }) => reason === undefined).map(({ daemon }) => daemon).join("; "),
    failed: ({ results }) =>
      results.flatMap(({ daemon, reason }) => reason === undefined ? [] : `${daemon}: ${reason}`).join("; "),
  });
}

function asked({ activity }: AdminContext, { rawQuery }: RequestContext): Activity[] {
  const wanted = (queryOf(rawQuery).get("filter") ?? "").toLowerCase();
  return activity.newestFirst.filter((each) => textOf(each).toLowerCase().includes(wanted));
}
