/**
 * Who asks, and what he may do (nsqadmin/http.go, `isAuthorizedAdminRequest`): the same for the API and the pages.
 *
 * @module
 */

import { HttpError } from "../http/http_error.ts";
import type { RequestContext } from "../http/request_context.ts";
import type { TrustedProxies } from "./proxies.ts";
import type { NsqadminOptions } from "./options.ts";

/** What somebody is: a viewer sees numbers and names, an operator keeps things going, an admin may destroy what there is. */
export type Role = typeof ROLES[number];

/** All there are. */
export const ROLES = ["viewer", "peek", "operator", "admin"] as const;

/** What somebody may do, by the least role that it takes; an admin may all of it. */
const ROLE_FOR = {
  /** Any change at all. */
  change: "operator",
  create: "operator",
  /** And unpause. */
  pause: "operator",
  publish: "operator",
  requeue: "operator",
  /** A node that is gone. */
  forget: "operator",
  /** Read what messages say. */
  peek: "peek",
  empty: "admin",
  delete: "admin",
  tombstone: "admin",
  drain: "admin",
  kick: "admin",
  redrive: "admin",
  config: "admin",
} as const satisfies Readonly<Record<string, Role>>;

/** Something that one may do, or not. */
export type Right = keyof typeof ROLE_FOR;

/** Somebody of whom it is proven who he is. */
export interface Identity {
  readonly user: string;
  readonly roles: readonly Role[];
}

/** What the access of requests is decided by. */
export interface AccessContext {
  readonly options: Pick<NsqadminOptions, "adminUsers" | "aclHttpHeader">;
  readonly proxies: TrustedProxies | undefined;
  /** Who has logged in; undefined where nobody has to. */
  readonly logins: {
    identityOf(request: RequestContext): Identity | undefined;
    rolesOf(user: string): readonly Role[];
    holds(request: RequestContext): boolean;
  } | undefined;
}

/** Whether somebody with these roles may do that. */
export function allows(roles: readonly Role[], right: Right): boolean {
  return roles.includes("admin") || roles.includes(ROLE_FOR[right]);
}

/** Who has logged in, or who a proxy says that it is, by the header or by the name of HTTP's Basic; `undefined` if nobody says. */
export function userOf(access: AccessContext, request: RequestContext): string | undefined {
  if (access.logins !== undefined) return access.logins.identityOf(request)?.user;
  // What Basic says is proven by nobody here.
  const named = access.proxies === undefined
    ? basicCredentials(request.request.headers.get("authorization") ?? "")?.name
    : undefined;
  return named || headerUser(access, request) || undefined;
}

/** Refuses who may not do that, and notes for the audit log who it is. @throws {HttpError} 403 */
export function requireRight(access: AccessContext, request: RequestContext, right: Right): void {
  request.client = userOf(access, request);
  if (!allows(rolesOf(access, request), right)) throw new HttpError(403, "FORBIDDEN");
}

/** Whether somebody may do that now who was allowed to before: for what goes on when he has been answered. */
export function mayStill(
  { logins }: Pick<AccessContext, "logins">,
  user: string | undefined,
  right: Right,
): boolean {
  // Who is named by a flag stays named.
  return logins === undefined || user !== undefined && allows(logins.rolesOf(user), right);
}

/** Whether who has made that request may go on with it: for answers that take long. */
export function mayGoOn(access: AccessContext, request: RequestContext, right: Right): boolean {
  return (access.logins?.holds(request) ?? true) && allows(rolesOf(access, request), right);
}

/** What the one who asks is. */
export function rolesOf(access: AccessContext, request: RequestContext): readonly Role[] {
  if (access.logins !== undefined) return access.logins.identityOf(request)?.roles ?? [];
  const { adminUsers } = access.options;
  const isAdmin = adminUsers.length === 0 || adminUsers.includes(headerUser(access, request));
  return isAdmin ? ["admin"] : ["viewer"];
}

/** With trusted proxies, what one of them says, and says once: a client could have sent the header, too. */
function headerUser({ options, proxies }: AccessContext, { request }: RequestContext): string {
  const users = request.headers.all(options.aclHttpHeader.toLowerCase());
  if (proxies !== undefined && (users.length > 1 || !proxies.haveSent(request))) return "";
  return users[0] ?? "";
}

/** What HTTP's Basic says (RFC 7617); undefined if it is something else. */
export function basicCredentials(
  authorization: string,
): { readonly name: string; readonly password: string } | undefined {
  const credentials = /^Basic ([A-Za-z0-9+/]*={0,2})$/i.exec(authorization);
  if (credentials === null || credentials[1].length % 4 !== 0) return undefined;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(credentials[1]));
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
