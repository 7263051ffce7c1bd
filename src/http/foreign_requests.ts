/**
 * Requests that a web page of somebody else makes a browser send. Browsers say so, and whoever is no browser does not:
 * curl, nsqadmin and the clients' libraries are never meant.
 *
 * - A page may not change anything here: what is not a GET is refused when the browser calls it `cross-site`, or when the
 *   page's origin is another host. A WebSocket, for which browsers ask with a GET, counts as a change. Origins that
 *   are allowed may do all that others may.
 * - Where the names are told by which this program may be asked for, a page whose own name has been made to lead here
 *   (DNS rebinding) cannot read anything either. An IP address, or localhost, is no such name.
 *
 * @module
 */
import type { HttpRequest } from "./http_request.ts";

/** Why a request is refused. */
export type Foreignness = "FOREIGN_HOST" | "FOREIGN_ORIGIN";

/** The names by which a program may be asked for. */
export class HostNames {
  readonly #names: ReadonlySet<string>;

  /** Each is `host`, or `host:port` for that port only. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  /** Those that an option lists; none are all. */
  static of(names: readonly string[]): HostNames | undefined {
    return names.length === 0 ? undefined : new HostNames(names);
  }

  /** True for a Host header with one of the names. */
  has(host: string): boolean {
    const lower = host.toLowerCase();
    const name = lower.replace(/:\d*$/, "");
    return this.#names.has(name) || this.#names.has(lower) || isAddress(name);
  }
}

/** Whether, and how, a request is a foreign page's; pages of the `origins` are not foreign. */
export function foreignness(
  request: Pick<HttpRequest, "method" | "headers">,
  hosts: HostNames | undefined,
  origins: ReadonlySet<string> = NO_ORIGINS,
): Foreignness | undefined {
  const { method, headers } = request;
  // Nobody needs to be asked for by name: who leaves it out is no browser.
  const host = headers.get("host") ?? "";
  if (hosts !== undefined && host !== "" && !hosts.has(host)) return "FOREIGN_HOST";
  if (method === "GET" && headers.get("upgrade") === undefined) return undefined;
  const origin = headers.get("origin");
  if (origin !== undefined && origins.has(origin)) return undefined;
  if (headers.get("sec-fetch-site") === "cross-site") return "FOREIGN_ORIGIN";
  return origin === undefined || hostOfOrigin(origin) === host.toLowerCase() ? undefined : "FOREIGN_ORIGIN";
}

const NO_ORIGINS: ReadonlySet<string> = new Set();

/** Names that lead nowhere else: no page of another site can have one. */
function isAddress(name: string): boolean {
  return name === "localhost" || name.startsWith("[") || /^\d+(\.\d+){3}$/.test(name);
}

/** Host and port of `https://host:port`; of `null`, which is a page without an origin, none. */
function hostOfOrigin(origin: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/]*)$/i.exec(origin)?.[1].toLowerCase();
}
