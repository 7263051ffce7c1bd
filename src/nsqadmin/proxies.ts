/**
 * The proxies in front, of which it is known that they say the truth (`--trusted-proxy`): who the client is
 * (`X-Forwarded-For`), and how it has come (`X-Forwarded-Proto`). What others say there is not believed.
 *
 * @module
 */

import type { HttpRequest } from "../http/http_request.ts";
import { ipOf, parseAddressOrSubnet, type Subnet } from "./subnet.ts";

/** As much is looked at of the way that a request has come, from its end, in characters. */
const WAY_LENGTH_MAX = 2048;

/** What is known of a request's connection, and what it says. */
type Forwarded = Pick<HttpRequest, "peer" | "headers" | "tls">;

/** See above. */
export class TrustedProxies {
  readonly #networks: readonly Subnet[];

  private constructor(networks: readonly Subnet[]) {
    this.#networks = networks;
  }

  /** Those at the addresses, or in the networks, that an option lists; undefined if it lists none. */
  static of(texts: readonly string[]): TrustedProxies | undefined {
    if (texts.length === 0) return undefined;
    return new TrustedProxies(texts.flatMap((text) => parseAddressOrSubnet(text) ?? []));
  }

  /** Whether a request comes from one of them. */
  haveSent({ peer }: Pick<HttpRequest, "peer">): boolean {
    return this.#has(ipOf(peer));
  }

  /**
   * Whom a request is from: each proxy adds to the list whom it has got the request from, so it is the last one there that is no
   * proxy itself. What stands before him he can have written.
   */
  clientOf({ peer, headers }: Forwarded): string {
    let client = peer;
    const way = headers.all("x-forwarded-for").join(",").slice(-WAY_LENGTH_MAX).split(",");
    while (this.#has(ipOf(client))) {
      const before = ipOf((way.pop() ?? "").trim());
      if (before === undefined) break;
      client = before;
    }
    return client;
  }

  /** Whether the client has asked over HTTPS. */
  isSecure({ peer, headers, tls }: Forwarded): boolean {
    if (tls !== undefined) return true;
    const [scheme] = (headers.get("x-forwarded-proto") ?? "").split(",", 1);
    return this.haveSent({ peer }) && scheme.trim().toLowerCase() === "https";
  }

  #has(ip: string | undefined): boolean {
    return ip !== undefined && this.#networks.some((network) => network.has(ip));
  }
}
