/**
 * What is asked of graphite on behalf of others (nsqadmin/http.go): a rate, and, where it is proxied, its graphs.
 *
 * @module
 */

import { hideCredentials } from "../../base/credentials.ts";
import { errorText } from "../../base/error_text.ts";
import { parseJson } from "../../base/json_slices.ts";
import { queryEscape } from "../../http/query.ts";
import { Answer, type Header, HeaderBlock } from "../../http/answer.ts";
import type { Responder } from "../../http/decorators.ts";
import type { ClientAnswer } from "../../http/answer_reader.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { requestParams } from "../../http/request_params.ts";
import type { AdminContext } from "../context.ts";
import { ipOf } from "../subnet.ts";

const SECOND_MS = 1000;

/** `GET /api/graphite` */
export async function graphiteRate(admin: AdminContext, request: RequestContext): Promise<unknown> {
  const params = requestParams(request);
  if (params.get("metric") !== "rate") throw new HttpError(400, "INVALID_ARG_METRIC");
  const target = params.get("target");
  if (target === undefined) throw new HttpError(400, "INVALID_ARG_TARGET");
  const { graphiteUrl, statsdIntervalMs } = admin.options;
  const intervalS = Math.floor(statsdIntervalMs / SECOND_MS);
  const from = Math.floor(2 * statsdIntervalMs / SECOND_MS);
  const url = `${graphiteUrl}/render?format=json&from=-${from}sec&target=${
    queryEscape(target)
  }&until=-${intervalS}sec`;
  admin.logger.info(`GRAPHITE: ${hideCredentials(url)}`);
  try {
    const value = await admin.http.send({ method: "GET", url: new URL(url), headers: ACCEPT }, firstPoint);
    return { rate: value < 0 ? "N/A" : (value / intervalS).toFixed(2) };
  } catch (cause) {
    admin.logger.error(`graphite request failed - ${hideCredentials(errorText(cause))}`);
    throw new HttpError(500, "INTERNAL_ERROR", { cause });
  }
}

/** `GET /render`: the same of graphite, which knows of no base path. */
export function graphiteProxy(admin: AdminContext): Responder {
  return async (request) => {
    const url = new URL(admin.options.graphiteUrl);
    const query = request.rawQuery === "" ? "" : `?${request.rawQuery}`;
    try {
      const headers = forwardedHeaders(admin, request, url);
      return await admin.http.send(
        { method: "GET", url: new URL(`/render${query}`, url), headers },
        ({ status, headers, bytes }) =>
          new Answer(status, new HeaderBlock(passedOn(headers)), [bytes.slice()]),
      );
    } catch (error) {
      admin.logger.error(`graphite request failed - ${hideCredentials(errorText(error))}`);
      return new Answer(502, new HeaderBlock([]));
    }
  };
}

const ACCEPT: readonly Header[] = [["Accept", "application/vnd.nsq; version=1.0"]];

/** Of what a client says, what graphite may want to know. */
const FORWARDED: readonly string[] = ["Accept", "Accept-Language", "Authorization", "Cookie", "User-Agent"];
/** By which users prove who they are, to whom is no business of graphite's. */
const CREDENTIALS: readonly string[] = ["Authorization", "Cookie"];
/** Of what graphite says, what is no business of its connection alone. */
const PASSED_ON: readonly string[] = [
  "Content-Type",
  "Content-Disposition",
  "Cache-Control",
  "ETag",
  "Expires",
  "Last-Modified",
  "Pragma",
];

function forwardedHeaders(
  { logins }: AdminContext,
  { request, remoteAddress }: RequestContext,
  { username }: URL,
): Header[] {
  const headers: Header[] = [["X-Forwarded-For", ipOf(remoteAddress) ?? remoteAddress]];
  for (const name of FORWARDED) {
    const value = request.headers.get(name.toLowerCase());
    if (value === undefined || name === "Authorization" && username !== "") continue;
    if (logins !== undefined && CREDENTIALS.includes(name)) continue;
    headers.push([name, value]);
  }
  return headers;
}

function passedOn(headers: ClientAnswer["headers"]): Header[] {
  return PASSED_ON.flatMap((name): Header[] => {
    const value = headers.get(name.toLowerCase());
    return value === undefined ? [] : [[name, value]];
  });
}

/** The first value of the first series. @throws {Error} If there is none. */
async function firstPoint({ status, bytes }: ClientAnswer): Promise<number> {
  if (status !== 200) throw new Error(`got response ${status}`);
  const answer = await parseJson(new TextDecoder().decode(bytes));
  const value = (answer as readonly { readonly datapoints?: readonly (readonly unknown[])[] }[] | null)
    ?.[0]?.datapoints?.[0]?.[0];
  if (typeof value !== "number") throw new TypeError("there is no data point");
  return value;
}
