/**
 * `/config/:opt` (nsqadmin/http.go): options shown, and two of them changed, for those in a network.
 *
 * @module
 */

import { parseLogLevel } from "../../base/logger.ts";
import { changeOption, parseStringList, required, showOption } from "../../http/config_option.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { requireRight } from "../access.ts";
import type { AdminContext } from "../context.ts";
import { ipOf, parseSubnet } from "../subnet.ts";

/** `GET /config/:opt` */
export function showAdminOption(admin: AdminContext, request: RequestContext): unknown {
  requireAccess(admin, request);
  return showOption(admin, request);
}

/** `PUT /config/:opt` */
export async function changeAdminOption(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireAccess(admin, request);
  const changes = new Map<string, (text: string) => void>([
    ["log_level", (text) => admin.setLogLevel(required(parseLogLevel(text)))],
    ["nsqlookupd_http_addresses", (text) => admin.setLookupdAddresses(required(parseStringList(text)))],
  ]);
  admin.activity.tried(request, { action: `set ${request.params.opt}` });
  return await changeOption({ optionValue: (key) => admin.optionValue(key), changes }, request);
}

/** Whether options may be seen where the request comes from. */
export function isOfConfigNetwork(admin: AdminContext, request: RequestContext): boolean {
  return networkRefusal(admin, request) === undefined;
}

/** @throws {HttpError} */
function requireAccess(admin: AdminContext, request: RequestContext): void {
  const refusal = networkRefusal(admin, request);
  if (refusal !== undefined) throw refusal;
  // NSQ compat: where it is a proxy that knows users, the network decides alone.
  if (admin.logins !== undefined) requireRight(admin, request, "config");
}

function networkRefusal(
  { options, logger }: AdminContext,
  { remoteAddress }: RequestContext,
): HttpError | undefined {
  const subnet = parseSubnet(options.allowConfigFromCidr);
  // None is checked at the start: the option is empty then.
  if (subnet === undefined) return undefined;
  const ip = ipOf(remoteAddress);
  if (ip === undefined) {
    logger.error(`failed to parse RemoteAddr ${remoteAddress}`);
    return new HttpError(400, "INVALID_REMOTE_ADDR");
  }
  return subnet.has(ip) ? undefined : new HttpError(403, "FORBIDDEN");
}
