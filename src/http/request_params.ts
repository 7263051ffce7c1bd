/**
 * The parameters of a request, as NSQ's handlers ask for them (internal/http_api/req_params.go).
 *
 * @module
 */
import { HttpError } from "./http_error.ts";
import { parseQuery } from "./query.ts";
import type { RequestContext } from "./request_context.ts";

/** The first value of each parameter. */
export type RequestParams = ReadonlyMap<string, string>;

/** The parameters in the query. @throws {HttpError} If it is malformed. */
export function requestParams(context: RequestContext): RequestParams {
  try {
    return parseQuery(context.rawQuery);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, "INVALID_REQUEST", { cause });
  }
}

/** A parameter that must be there, such as `topic`. @throws {HttpError} Such as `MISSING_ARG_TOPIC`. */
export function requiredParam(params: RequestParams, name: string): string {
  const value = params.get(name);
  if (value === undefined) throw new HttpError(400, `MISSING_ARG_${name.toUpperCase()}`);
  return value;
}
