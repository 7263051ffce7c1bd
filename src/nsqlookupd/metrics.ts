/**
 * `GET /metrics` of nsqlookupd: how much it knows, what it had to refuse, the process and its loop. Nothing in it is told for
 * each topic: there may be a million.
 *
 * @module
 */
import type { Moment } from "../base/clock.ts";
import { labelText, type MetricFamily, single } from "../base/exposition.ts";
import type { LoopLag } from "../base/loop_lag.ts";
import type { RegistrationDb } from "../cluster/registration_db.ts";
import { buildInfo, processMetrics } from "../http/process_metrics.ts";
import type { RequestCounts } from "../http/request_counts.ts";

/** What is told. */
export interface MetricsSource {
  readonly db: Pick<RegistrationDb, "count" | "topicCount" | "producers">;
  readonly started: Moment;
  readonly lag: LoopLag;
  readonly requests: RequestCounts;
  readonly connections: ReadonlySet<unknown>;
  /** Connections that have been refused since the start, because there were too many. */
  readonly refused: { readonly tcp: number; readonly http: number };
}

/** The metrics. */
export async function lookupdMetrics(source: MetricsSource): Promise<MetricFamily[]> {
  const { db, started, lag, requests, connections, refused } = source;
  return [
    buildInfo("nsqlookupd"),
    single("gauge", "nsqlookupd_topics", "Topics that are known.", db.topicCount),
    single("gauge", "nsqlookupd_channels", "Channels that are known.", db.count - db.topicCount),
    single("gauge", "nsqlookupd_producers", "nsqd nodes that are connected.", db.producers.length),
    single("gauge", "nsqlookupd_connected_clients", "TCP connections.", connections.size),
    {
      name: "nsqlookupd_refused_connections_total",
      type: "counter",
      help: "Connections that were refused, because there were too many.",
      series: [
        { labels: labelText({ protocol: "tcp" }), value: refused.tcp },
        { labels: labelText({ protocol: "http" }), value: refused.http },
      ],
    },
    requests.family("nsqlookupd"),
    ...await processMetrics({ prefix: "nsqlookupd", startMs: started.wallMs, lag }),
  ];
}
