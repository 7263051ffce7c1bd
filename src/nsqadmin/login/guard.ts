/**
 * Routes that are for users only, where there is a file of them. Who brings a wrong password or token is noted, as is who logs in
 * (console/login.tsx); who brings nothing has not tried.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { route } from "../../http/route_table.ts";
import type { HttpRoute } from "../../http/router.ts";
import { noteActivity } from "../activity.ts";
import type { AdminContext } from "../context.ts";

/** Answers who is refused. */
export type Refuse = (context: RequestContext, error: HttpError) => Answer | Promise<Answer>;

/** The routes, for users only. */
export function forUsers(
  admin: AdminContext,
  routes: readonly HttpRoute[],
  refuse: Refuse,
): readonly HttpRoute[] {
  const { logins } = admin;
  if (logins === undefined) return routes;
  return routes.map(({ method, path, value }) =>
    route(method, path, async (context) => {
      try {
        await logins.identify(context);
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        noteRefusal(admin, context, error);
        return await refuse(context, error);
      }
      return await value(context);
    })
  );
}

function noteRefusal(
  admin: AdminContext,
  context: RequestContext,
  { status, message: reason }: HttpError,
): void {
  if (context.request.headers.get("authorization") === undefined) return;
  admin.activity.tried(context, { action: "log in" });
  noteActivity(admin, context, status);
  const { remoteAddress: address, client: token, method, target } = context;
  admin.audit?.note({ event: "refused", address, token, method, target, status, reason });
}
