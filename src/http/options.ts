/**
 * The options that all programs with an HTTP API have: how much clients may take, and who may ask.
 *
 * @module
 */
import { duration, int, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { isHost } from "./head.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const MIB = 1024 * 1024;

/** The table. */
export const HTTP_OPTIONS = {
  httpMaxConnections: option({
    flag: "http-max-connections",
    kind: int,
    default: 5000,
    description:
      "Most connections at a time on each HTTP and HTTPS address; further ones get 503, or are closed; 0 is no limit.",
  }),
  httpMaxConnectionsPerAddress: option({
    flag: "http-max-connections-per-address",
    kind: int,
    default: 2500,
    description: "Most connections of one IP address among them; 0 is no limit.",
  }),
  httpHeaderTimeoutMs: option({
    flag: "http-header-timeout",
    kind: duration,
    default: 90 * SECOND_MS,
    description: "How long an HTTP client may take to send the head of a request; 0 is no limit.",
  }),
  httpBodyTimeoutMs: option({
    flag: "http-body-timeout",
    kind: duration,
    default: 2 * MINUTE_MS,
    description: "How long an HTTP client may take to send the body of a request; 0 is no limit.",
  }),
  httpIdleTimeoutMs: option({
    flag: "http-idle-timeout",
    kind: duration,
    default: 5 * MINUTE_MS,
    description: "How long an HTTP connection is kept without a request; 0 is no limit.",
  }),
  httpMaxBodiesSizeBytes: option({
    flag: "http-max-bodies-size",
    kind: int,
    default: 256 * MIB,
    description:
      "Most bytes of memory that bodies of HTTP requests may take together while they come; further ones get 503; 0 is no limit.",
  }),
  httpAllowedHosts: option<readonly string[]>({
    flag: "http-allowed-host",
    kind: stringList,
    default: [],
    description:
      "Name by which HTTP clients may ask for this program (may be given several times); others get 403, but for IP addresses and localhost. Without it every name will do.",
  }),
};

/** What HTTP is configured with. */
export type HttpOptions = OptionsOf<typeof HTTP_OPTIONS>;

/** True for an origin as browsers send it: without a path. */
export function isOrigin(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/\s,*]+$/.test(text);
}

/** Why these options cannot be run with, or `undefined` if they can. */
export function httpRefusal({ httpAllowedHosts }: Pick<HttpOptions, "httpAllowedHosts">): string | undefined {
  const bad = httpAllowedHosts.find((host) => host === "" || !isHost(host));
  return bad === undefined ? undefined : `--http-allowed-host is no host: ${JSON.stringify(bad)}`;
}
