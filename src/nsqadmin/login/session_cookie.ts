/**
 * The cookie by which a browser shows which session is its own. Browsers keep cookies by host, without its port, and there may be
 * another nsqadmin at another port: so the port is in the name.
 *
 * @module
 */

import type { Header } from "../../http/answer.ts";
import type { RequestContext } from "../../http/request_context.ts";

/** As much is looked at of the cookies of a request, in characters. */
const COOKIES_LENGTH_MAX = 64 * 1024;
const NAME = "nsqadmin_session";
const COOKIES = /(?<=^|;) *nsqadmin_session(_\d+|)=([0-9a-f]{32}) *(?=;|$)/g;

/** The id that a request brings, or "". */
export function sessionIdOf(request: RequestContext): string {
  const port = portOf(request);
  const cookies = (request.request.headers.get("cookie") ?? "").slice(0, COOKIES_LENGTH_MAX);
  return cookies.matchAll(COOKIES).find(([, ofPort]) => ofPort === port)?.[2] ?? "";
}

/** Tells the browser an id, or to forget what it has: "". */
export function sessionCookie(
  request: RequestContext,
  id: string,
  { basePath, isSecure }: { readonly basePath: string; readonly isSecure: boolean },
): Header {
  const attributes = [
    `Path=${basePath}`,
    "HttpOnly",
    "SameSite=Lax",
    ...isSecure ? ["Secure"] : [],
    ...id === "" ? ["Max-Age=0"] : [],
  ];
  return ["Set-Cookie", `${NAME}${portOf(request)}=${id}; ${attributes.join("; ")}`];
}

function portOf({ request }: RequestContext): string {
  return /:\d+$/.exec(request.headers.get("host") ?? "")?.[0].replace(":", "_") ?? "";
}
