/**
 * `GET /metrics`: what `/stats` has, and what the node counts besides, for Prometheus. Whoever may read the one may read the
 * other.
 *
 * @module
 */
import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import { metricsAnswer } from "../../http/metrics_answer.ts";
import { queryPairs } from "../../http/query.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { VOCABULARIES } from "../stats/metric_names.ts";
import { nodeMetrics, type NodeSource } from "../stats/node_metrics.ts";
import type { StatsOptions } from "../stats/options.ts";
import type { StatsSource } from "../stats/stats.ts";
import { AGGREGATIONS, topicMetrics, type TopicMetricsQuery } from "../stats/topic_metrics.ts";
import { boolParam } from "./params.ts";

/** What the endpoint asks of the daemon. */
export interface MetricsContext extends StatsSource {
  readonly options: Pick<
    StatsOptions,
    "metricsExcludeEphemeral" | "metricsMaxSeries" | "e2eProcessingLatencyPercentiles"
  >;
  /** What is told of the node as a whole. */
  readonly node: NodeSource;
}

/** Answers it. @throws {HttpError} 400 if what is asked for does not exist. */
export async function metrics(nsqd: MetricsContext, request: RequestContext): Promise<Answer> {
  const { metricsExcludeEphemeral, metricsMaxSeries, e2eProcessingLatencyPercentiles } = nsqd.options;
  const query = queryOf(request, metricsExcludeEphemeral);
  const families = [
    // Under other names they are in nobody's way.
    ...query.vocabulary === "" ? await nodeMetrics(nsqd.node) : [],
    ...await topicMetrics(nsqd, query, {
      seriesMax: metricsMaxSeries,
      quantiles: e2eProcessingLatencyPercentiles,
    }),
  ];
  return await metricsAnswer(families, request.request.headers.get("accept"));
}

function queryOf(request: RequestContext, excludeEphemeral: boolean): TopicMetricsQuery {
  const values = new Map<string, string[]>();
  try {
    for (const [name, value] of queryPairs(request.rawQuery)) {
      const known = values.get(name);
      if (known) known.push(value);
      else values.set(name, [value]);
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, "INVALID_REQUEST", { cause });
  }
  const first = (name: string) => values.get(name)?.[0];
  const all = (name: string) => new Set(values.get(name)?.filter((value) => value !== ""));
  return {
    filter: {
      topics: all("topic"),
      channels: all("channel"),
      includeClients: boolParam(first("clients")) ?? false,
      excludeEphemeral,
    },
    vocabulary: oneOf(VOCABULARIES, first("names"), "INVALID_NAMES"),
    aggregation: oneOf(AGGREGATIONS, first("aggregate"), "INVALID_AGGREGATE"),
  };
}

function oneOf<T extends string>(words: readonly T[], given = "", refusal: string): T {
  const word = words.find((word) => word === given);
  if (word === undefined) throw new HttpError(400, refusal);
  return word;
}
