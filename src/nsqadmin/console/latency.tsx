/**
 * Columns of end-to-end latencies, where nodes measure any.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import type { Latency } from "../../cluster/latency.ts";
import type { Markup } from "./markup.ts";
import type { PageRequest } from "./request.ts";

const NS_PER_MS = 1e6;
const DIGITS = 3;
/** Columns of a table. */
const QUANTILES_MAX = 8;

/** The quantiles that any of the rows has, the largest first. */
export function quantilesOf(
  rows: readonly { readonly e2e_processing_latency: Latency | null }[],
): readonly number[] {
  const all = rows.flatMap((row) => row.e2e_processing_latency?.percentiles ?? []).map(({ quantile }) =>
    quantile
  );
  return [...new Set(all)].sort((a, b) => b - a).slice(0, QUANTILES_MAX);
}

/** Heads of the columns. */
export function LatencyHeads(
  { request: { texts }, quantiles }: {
    readonly request: PageRequest;
    readonly quantiles: readonly number[];
  },
): Markup {
  return (
    <>
      {quantiles.map((quantile) => (
        <th scope="col" class="n">
          <abbr title={texts.table.latency}>
            {percent(quantile)}
          </abbr>
        </th>
      ))}
    </>
  );
}

/** A row's cells of the columns. */
export function LatencyCells(
  { of: latency, quantiles }: { readonly of: Latency | null; readonly quantiles: readonly number[] },
): Markup {
  const known = new Map(latency?.percentiles?.map((each) => [each.quantile, each]));
  return (
    <>
      {quantiles.map((quantile) => {
        const each = known.get(quantile);
        return <td class="n">{each === undefined ? "" : shown(each.average)}</td>;
      })}
    </>
  );
}

/** As much as anybody looks at. */
function shown(ns: number): string {
  return formatDuration(Number((ns / NS_PER_MS).toPrecision(DIGITS)));
}

function percent(quantile: number): string {
  return `${Number((quantile * 100).toFixed(4))} %`;
}
