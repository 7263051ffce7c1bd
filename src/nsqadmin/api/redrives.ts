/**
 * Redrives, over the API: what goes on, what would be done, and to have it done or ended.
 *
 * @module
 */

import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { requireRight } from "../access.ts";
import type { AdminContext } from "../context.ts";
import { planRedrive } from "../redrive/plan.ts";
import { redriveOrder } from "../redrive/redrives.ts";
import { Upstream } from "./upstream.ts";
import { applied, bodyTexts } from "./writes.ts";

/** `GET /api/redrives` */
export function redrives(admin: AdminContext): unknown {
  return {
    redrives: admin.redrives.newestFirst.map((redrive) => ({
      id: redrive.id,
      ...redrive.order,
      state: redrive.state,
      count: redrive.count,
      redriven: redrive.redriven,
      put_back: redrive.failed,
      problem: redrive.problem,
      user: redrive.author.user,
      began: new Date(redrive.beganMs).toISOString(),
      ended: redrive.endedMs === undefined ? undefined : new Date(redrive.endedMs).toISOString(),
    })),
  };
}

/** `POST /api/redrives` */
export async function redrive(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "redrive");
  const names = ["topic", "channel", "to", "rate", "messages", "dry_run"] as const;
  const { topic = "", channel = "", to = "", rate = "", messages = "", dry_run: dryRun = "false" } =
    await bodyTexts(request, names, ["rate", "messages", "dry_run"]);
  if (dryRun !== "true" && dryRun !== "false") throw new HttpError(400, "INVALID_DRY_RUN");
  const order = redriveOrder({ topic, channel, to, rate, messages });
  if (dryRun === "true") {
    const upstream = new Upstream(admin);
    const { count, waiting, targets } = await upstream.noting(
      "plan redrive",
      planRedrive(admin.cluster, order),
    );
    return {
      count,
      waiting: waiting.map(({ node, count }) => ({ node, count })),
      targets,
      message: upstream.message,
    };
  }
  const { message } = await applied(admin, request, {
    what: "redrive messages",
    change: { kind: "redrive", order },
  });
  const begun = admin.redrives.runningOf(topic, channel);
  return { id: begun?.id, count: begun?.count, message };
}

/** `DELETE /api/redrives/:id` */
export async function cancelRedrive(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "redrive");
  const { id } = request.params;
  return await applied(admin, request, { what: "cancel redrive", change: { kind: "cancel-redrive", id } });
}
