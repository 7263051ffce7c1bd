/**
 * The options of authorization: which auth servers are asked about clients, and how.
 *
 * @module
 */
import { string, urlList } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

/** The table. */
export const AUTH_OPTIONS = {
  authHttpAddresses: option({
    flag: "auth-http-address",
    key: "auth_http_addresses",
    kind: urlList,
    default: [],
    description: "<addr>:<port> or URL of an auth server to ask about clients; may be repeated.",
  }),
  authHttpRequestMethod: option({
    flag: "auth-http-request-method",
    kind: string,
    default: "get",
    description: "HTTP method of requests to auth servers: get or post.",
  }),
};

/** What authorization is configured with. */
export type AuthOptions = OptionsOf<typeof AUTH_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function authRefusal({ authHttpRequestMethod }: AuthOptions): string | undefined {
  if (authHttpRequestMethod === "get" || authHttpRequestMethod === "post") return undefined;
  return "--auth-http-request-method must be get or post";
}
