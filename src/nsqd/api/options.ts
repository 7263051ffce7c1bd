/**
 * The options of the HTTP API: where it is served, and to whom.
 *
 * @module
 */
import { listenRefusal, parseAddress } from "../../config/address.ts";
import { string, stringList } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";
import { HTTP_OPTIONS, httpRefusal, isOrigin } from "../../http/options.ts";

/** The table. */
export const API_OPTIONS = {
  httpAddress: option({
    flag: "http-address",
    kind: string,
    default: "0.0.0.0:4151",
    description:
      "Where to listen for HTTP clients: <addr>:<port>, or the path of a unix socket; empty for none.",
  }),
  httpsAddress: option({
    flag: "https-address",
    kind: string,
    default: "0.0.0.0:4152",
    description:
      "Where to listen for HTTPS clients, as <addr>:<port>, once there is a certificate; empty for none.",
  }),
  adminAddress: option({
    flag: "admin-address",
    kind: string,
    default: "",
    description:
      "Where to listen for HTTP clients that administer, as <addr>:<port>, or the path of a unix socket; without it the other addresses serve them, too.",
  }),
  httpAuthTokenFile: option({
    flag: "http-auth-token-file",
    kind: string,
    default: "",
    description:
      "Path of a file with a bearer token and its roles (publish, consume, peek, read, admin) on each line; without it the HTTP API is open.",
  }),
  httpAllowOrigins: option<readonly string[]>({
    flag: "http-allow-origin",
    kind: stringList,
    default: [],
    description:
      "Origin, such as https://shop.example, whose pages may use the HTTP API in a browser (may be given several times); none without it.",
  }),
  ...HTTP_OPTIONS,
};

/** What the HTTP API is configured with. */
export type ApiOptions = OptionsOf<typeof API_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function apiRefusal(
  options: ApiOptions & { readonly tlsCert: string },
): string | undefined {
  const { httpAddress, httpsAddress, adminAddress, tlsCert } = options;
  if (httpAddress !== "" && parseAddress(httpAddress) === undefined) {
    return listenRefusal("http-address", httpAddress);
  }
  if (adminAddress !== "" && parseAddress(adminAddress) === undefined) {
    return listenRefusal("admin-address", adminAddress);
  }
  // Without a certificate nothing listens there, so nothing is wrong with it.
  const hasHttps = httpsAddress !== "" && tlsCert !== "";
  if (hasHttps && parseAddress(httpsAddress)?.kind !== "tcp") {
    return listenRefusal("https-address", httpsAddress);
  }
  const badOrigin = options.httpAllowOrigins.find((origin) => !isOrigin(origin));
  if (badOrigin !== undefined) return `--http-allow-origin is no origin: ${JSON.stringify(badOrigin)}`;
  return httpRefusal(options);
}
