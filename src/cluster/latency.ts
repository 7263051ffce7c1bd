/**
 * End-to-end latencies of a topic or channel, of one node and of several together (internal/quantile/aggregate.go).
 *
 * @module
 */

import { fieldsOf, listField, numberField, textField, wholeField } from "./answer_fields.ts";

/** A quantile, in the form and order of nsqadmin's JSON; in ns. */
export interface LatencyQuantile {
  readonly average: number;
  readonly count: number;
  readonly max: number;
  readonly min: number;
  readonly quantile: number;
  /** Of one node only. */
  readonly value?: number;
}

/** The latencies, in the form and order of nsqadmin's JSON. */
export interface Latency {
  readonly count: number;
  readonly percentiles: readonly LatencyQuantile[] | null;
  readonly topic: string;
  readonly channel: string;
  readonly host: string;
}

/** Quantiles of a latency that are read, and that a sum of several has: whoever measures them names a few. */
export const QUANTILES_MAX = 32;

/** What a node says. @throws {TypeError} */
export function latencyOf(value: unknown): Latency {
  const fields = fieldsOf(value, "e2e_processing_latency");
  const count = wholeField(fields, "count");
  const percentiles = fields.percentiles === undefined || fields.percentiles === null
    ? null
    : listField(fields, "percentiles").slice(0, QUANTILES_MAX).map((each) => {
      const quantile = fieldsOf(each, "a percentile");
      const value = numberField(quantile, "value");
      return {
        average: value,
        count,
        max: value,
        min: value,
        quantile: numberField(quantile, "quantile"),
        value,
      };
    });
  const names = [textField(fields, "topic"), textField(fields, "channel"), textField(fields, "host")];
  return { count, percentiles, topic: names[0], channel: names[1], host: names[2] };
}

/** The latencies of several, added to those of `first`. */
export function addLatencies(first: Latency, others: readonly Latency[]): Latency {
  return others.reduce(addLatency, first);
}

/** None, to which others are added. */
export function noLatency(topic: string, channel: string): Latency {
  return { count: 0, percentiles: null, topic, channel, host: "*" };
}

function addLatency(sum: Latency, other: Latency): Latency {
  const percentiles = [...sum.percentiles ?? []];
  for (const each of other.percentiles ?? []) {
    const at = percentiles.findIndex(({ quantile }) => quantile === each.quantile);
    if (at < 0 && percentiles.length >= QUANTILES_MAX) continue;
    const known = percentiles[at] ?? { average: 0, count: 0, max: 0, min: 0, quantile: each.quantile };
    percentiles[at < 0 ? percentiles.length : at] = addQuantile(known, each);
  }
  const { topic, channel } = sum;
  const count = sum.count + other.count;
  return {
    count,
    percentiles: percentiles.length === 0 ? sum.percentiles : percentiles,
    topic,
    channel,
    host: "*",
  };
}

function addQuantile(known: LatencyQuantile, added: LatencyQuantile): LatencyQuantile {
  const count = known.count + added.count;
  const max = Math.max(added.max, known.max);
  return {
    average: count === 0 ? 0 : known.average + (added.average - known.average) * added.count / count,
    count,
    max,
    // NSQ compat: of the largest values, and not of the smallest.
    min: Math.min(added.max, max),
    quantile: known.quantile,
    ...known.value !== undefined && { value: known.value },
  };
}
