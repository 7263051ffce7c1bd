/**
 * Who asks, and whether he may change anything (nsqadmin/http.go, `isAuthorizedAdminRequest`).
 *
 * @module
 */

import { HttpError } from "../http/http_error.ts";
import type { RequestContext } from "../http/request_context.ts";
import type { NsqadminOptions } from "./options.ts";

type AccessOptions = Pick<NsqadminOptions, "adminUsers" | "aclHttpHeader">;

/** Who a proxy says that it is, by the header or by the name of HTTP's Basic; `undefined` if nobody says. */
export function userOf(request: RequestContext, { aclHttpHeader }: AccessOptions): string | undefined {
  return basicAuthUser(request) || headerUser(request, aclHttpHeader) || undefined;
}

/** Whether the request may change something. */
export function isAdmin(request: RequestContext, { adminUsers, aclHttpHeader }: AccessOptions): boolean {
  return adminUsers.length === 0 || adminUsers.includes(headerUser(request, aclHttpHeader));
}

/** Refuses who may not change anything, and notes for the audit log who it is. @throws {HttpError} 403 */
export function requireAdmin(request: RequestContext, options: AccessOptions): void {
  request.client = userOf(request, options);
  if (!isAdmin(request, options)) throw new HttpError(403, "FORBIDDEN");
}

function headerUser(request: RequestContext, header: string): string {
  return request.request.headers.get(header.toLowerCase()) ?? "";
}

function basicAuthUser(request: RequestContext): string | undefined {
  const credentials = /^Basic ([A-Za-z0-9+/]*={0,2})$/.exec(
    request.request.headers.get("authorization") ?? "",
  );
  if (credentials === null || credentials[1].length % 4 !== 0) return undefined;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(credentials[1]));
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : text.slice(0, colon);
}
