/**
 * Asks nsqlookupds where the HTTP APIs of nsqds are.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { getJson, type HttpAsking, HttpStatusError } from "./http_json.ts";

/** Addresses of all nsqds that have the topic, or of all there are; what went wrong is added to `failures`. */
export async function nodesOf(
  lookupds: readonly string[],
  topic: string,
  asking: HttpAsking,
  failures: string[],
): Promise<string[]> {
  const path = topic === "" ? "/nodes" : `/lookup?topic=${encodeURIComponent(topic)}`;
  const found = await Promise.all(lookupds.map(async (lookupd) => {
    try {
      return producersIn(await getJson(`http://${lookupd}${path}`, asking));
    } catch (error) {
      // It knows of none.
      if (error instanceof HttpStatusError && error.status === 404) return [];
      failures.push(`ERROR: failed to get topic producers - ${errorText(error)}`);
      return [];
    }
  }));
  return [...new Set(found.flat())];
}

function producersIn(answer: unknown): string[] {
  const { producers } = (answer ?? {}) as { readonly producers?: unknown };
  return (Array.isArray(producers) ? producers : []).flatMap((producer) => {
    const { broadcast_address: host, http_port: port } = (producer ?? {}) as Readonly<
      Record<string, unknown>
    >;
    if (typeof host !== "string" || typeof port !== "number") return [];
    return [host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`];
  });
}
