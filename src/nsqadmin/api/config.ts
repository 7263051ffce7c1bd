/**
 * `/config/:opt` (nsqadmin/http.go): options shown, and two of them changed, for those in a network.
 *
 * @module
 */

import { parseLogLevel } from "../../base/logger.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { AdminContext } from "../context.ts";
import { parseSubnet } from "../subnet.ts";

/** The largest value that an option is given, in bytes. */
export const CONFIG_VALUE_SIZE_MAX = 64 * 1024;

/** `GET /config/:opt` */
export function showOption(admin: AdminContext, request: RequestContext): unknown {
  requireNetwork(admin, request);
  return valueOf(admin, request);
}

/** `PUT /config/:opt` */
export async function changeOption(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireNetwork(admin, request);
  const body = await request.readBody(CONFIG_VALUE_SIZE_MAX);
  if (body === undefined || body.length === 0) throw new HttpError(413, "INVALID_VALUE");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  request.detail = text;
  switch (request.params.opt) {
    case "log_level":
      admin.setLogLevel(required(parseLogLevel(text)));
      break;
    case "nsqlookupd_http_addresses":
      admin.setLookupdAddresses(required(stringList(text)));
      break;
    default:
      throw new HttpError(400, "INVALID_OPTION");
  }
  return valueOf(admin, request);
}

function valueOf(admin: AdminContext, { params }: RequestContext): unknown {
  const value = admin.optionValue(params.opt);
  if (value === undefined) throw new HttpError(400, "INVALID_OPTION");
  return value;
}

function requireNetwork({ options, logger }: AdminContext, { remoteAddress }: RequestContext): void {
  const subnet = parseSubnet(options.allowConfigFromCidr);
  // None is checked at the start: the option is empty then.
  if (subnet === undefined) return;
  const ip = /^\[?([^\]]*?)\]?:\d+$/.exec(remoteAddress)?.[1];
  if (ip === undefined) {
    logger.error(`failed to parse RemoteAddr ${remoteAddress}`);
    throw new HttpError(400, "INVALID_REMOTE_ADDR");
  }
  if (!subnet.has(ip)) throw new HttpError(403, "FORBIDDEN");
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new HttpError(400, "INVALID_VALUE");
  return value;
}

/** A JSON array of strings; `null` is an empty one. */
function stringList(json: string): readonly string[] | undefined {
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
