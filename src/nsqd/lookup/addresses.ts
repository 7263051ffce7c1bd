/**
 * From the configured addresses of nsqlookupds to the hosts behind them. A name that resolves to several hosts means
 * all of them, as behind a headless service of Kubernetes (nsqio/nsq#646); it is asked for again and again, and what
 * has come or gone is said. Nothing is connected to here.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import { hostPort } from "../../base/host_port.ts";
import { dialledIpVersion } from "../../base/ip_address.ts";
import type { Logger } from "../../base/logger.ts";
import { parseAddress } from "../../config/address.ts";

/** One nsqlookupd. */
export interface LookupHost {
  /** `host:port`, by which it is known and logged. */
  readonly text: string;
  /** Its IP addresses, to be tried in this order. */
  readonly ways: readonly string[];
  readonly port: number;
}

/** The IP addresses of a name. Rejects when it has none, or cannot be asked for. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/** What {@linkcode followAddress} is given. */
export interface Following {
  readonly logger: Logger;
  readonly resolve: Resolver;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** These are the hosts now. */
  readonly onHosts: (hosts: readonly LookupHost[]) => void;
}

/** How often a name is asked for again. */
export const RESOLVE_INTERVAL_MS = 15_000;
/** How soon, at first, one that could not be resolved yet; each time it takes twice as long. */
const RETRY_MS = 1000;
/** Hosts behind one name; what is more is left out, and said so. */
export const HOSTS_MAX = 64;

/** Says which hosts are behind an address, and says it again whenever they change, until it is told to end. */
export async function followAddress(address: string, following: Following): Promise<void> {
  const { logger, onHosts } = following;
  const parsed = parseAddress(address);
  if (parsed?.kind !== "tcp") {
    logger.error(`LOOKUPD(${address}): address ${address}: missing port in address`);
    return;
  }
  const { port } = parsed;
  // As Go dials: without a host it is this one.
  const hostname = parsed.hostname === "" ? "127.0.0.1" : parsed.hostname;
  if (dialledIpVersion(hostname) > 0) onHosts([hostAt([hostname], port)]);
  else await followName(address, { hostname, port }, following);
}

/** The IP addresses of a name as the operating system knows them, the hosts file included. */
export async function resolveName(name: string): Promise<readonly string[]> {
  const { lookup } = await import("node:dns");
  return await new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found) => {
      if (error) reject(error);
      else resolve(found.map(({ address }) => address));
    });
  });
}

/**
 * The hosts that IP addresses belong to. Of a name with addresses of both families it cannot be told which belong
 * together, and connecting to one nsqlookupd twice would register this node twice: IPv6 addresses stand for hosts of
 * their own only when there is no IPv4 address, and for another way to the host when there is one.
 */
export function hostsAt(addresses: readonly string[], port: number): LookupHost[] {
  const unique = [...new Set(addresses)].sort();
  const v4 = unique.filter((address) => dialledIpVersion(address) === 4);
  const v6 = unique.filter((address) => dialledIpVersion(address) === 6);
  if (v4.length === 1) return [hostAt([...v4, ...v6], port)];
  return (v4.length > 0 ? v4 : v6).map((address) => hostAt([address], port));
}

async function followName(
  address: string,
  { hostname, port }: { readonly hostname: string; readonly port: number },
  { logger, resolve, sleep, signal, onHosts }: Following,
): Promise<void> {
  let known = "";
  let retryMs = RETRY_MS;
  while (!signal.aborted) {
    try {
      // A resolver can take long, and cannot be stopped.
      const hosts = hostsAt(await unlessAborted(resolve(hostname), signal), port);
      if (signal.aborted) return;
      if (hosts.length === 0) throw new Error("no addresses");
      const some = hosts.slice(0, HOSTS_MAX);
      const text = some.map((host) => host.text).join(", ");
      if (text !== known) {
        const more = hosts.length > HOSTS_MAX
          ? `, and ${hosts.length - HOSTS_MAX} more that are left out`
          : "";
        logger.info(`LOOKUP(${address}): resolves to ${text}${more}`);
        known = text;
        onHosts(some);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isForbidden(error)) {
        logger.warn(`LOOKUP(${address}): connects by name, without permission to look it up`);
        onHosts([hostAt([hostname], port)]);
        return;
      }
      const complaint = `LOOKUP(${address}): failed to resolve - ${errorText(error)}`;
      // What was known stays: a name server that is down is no reason to leave.
      if (known === "") logger.error(complaint);
      else logger.warn(complaint);
    }
    await sleep(known === "" ? retryMs : RESOLVE_INTERVAL_MS, signal);
    retryMs = Math.min(2 * retryMs, RESOLVE_INTERVAL_MS);
  }
}

function hostAt(ways: readonly string[], port: number): LookupHost {
  return { text: hostPort({ hostname: ways[0], port }), ways, port };
}

/** Looking names up needs a permission for the whole host, connecting one for its port only. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPERM";
}

/** Settles with `work`, or rejects as soon as the signal aborts. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener("abort", abort));
}
