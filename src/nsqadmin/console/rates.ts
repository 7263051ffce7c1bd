/**
 * Messages in a second, where a page shows more than the poller knows.
 *
 * @module
 */

import type { Series } from "../watch/series.ts";
import type { PageRequest } from "./request.ts";

/** By the last round; undefined where nobody knows. */
export interface Rates {
  readonly inRate: number | undefined;
  readonly outRate: number | undefined;
}

/** Of a topic or channel, over all nodes. */
export function ratesOf(series: Series | undefined): Rates {
  return { inRate: series?.sum("inRate"), outRate: series?.sum("outRate") };
}

/** The same on a node, by its address. */
export function ratesAt({ admin: { poller } }: PageRequest, node: string, series: Series | undefined): Rates {
  const numbers = poller.node(node)?.numbers;
  const index = series === undefined || numbers === undefined ? -1 : numbers.series.indexOf(series);
  const rateOf = (field: keyof Rates) => index < 0 ? undefined : numbers?.at(index, field);
  return { inRate: rateOf("inRate"), outRate: rateOf("outRate") };
}
