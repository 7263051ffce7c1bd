/**
 * `GET /metrics` of nsqadmin: how its poller gets on, what it had to refuse, the process and its loop. Nothing in it is told for
 * each topic or node: nsqds tell that themselves. To be asked for it keeps no poller awake.
 *
 * @module
 */
import type { Moment } from "../base/clock.ts";
import { labelText, type MetricFamily, single } from "../base/exposition.ts";
import type { LoopLag } from "../base/loop_lag.ts";
import { buildInfo, processMetrics } from "../http/process_metrics.ts";
import type { RequestCounts } from "../http/request_counts.ts";
import type { Alerts } from "./alerts/alerts.ts";
import type { Poller } from "./watch/poller.ts";

/** What is told. */
export interface MetricsSource {
  readonly poller: Pick<Poller, "rounds" | "lastRoundMs" | "nodesByState" | "seriesCount" | "leftOut">;
  readonly alerts: Pick<Alerts, "counts">;
  readonly started: Moment;
  readonly lag: LoopLag;
  readonly requests: RequestCounts;
  /** HTTP connections that have been refused since the start, because there were too many. */
  readonly refused: number;
}

/** The metrics. */
export async function nsqadminMetrics(source: MetricsSource): Promise<MetricFamily[]> {
  const { poller, alerts, started, lag, requests, refused } = source;
  const { lastRoundMs } = poller;
  return [
    buildInfo("nsqadmin"),
    single("counter", "nsqadmin_poll_rounds_total", "Rounds in which all nodes were asked.", poller.rounds),
    ...lastRoundMs === undefined ? [] : [
      single("gauge", "nsqadmin_poll_round_seconds", "How long the last round took.", lastRoundMs / 1000),
    ],
    {
      name: "nsqadmin_nodes",
      type: "gauge",
      help: "nsqd nodes that are known, by how they are.",
      series: Object.entries(poller.nodesByState).map(([state, value]) => {
        return { labels: labelText({ state }), value };
      }),
    },
    single("gauge", "nsqadmin_series", "Topics and channels that are known.", poller.seriesCount),
    single(
      "gauge",
      "nsqadmin_series_left_out",
      "Topics and channels, of all nodes, for which there was no room.",
      poller.leftOut,
    ),
    {
      name: "nsqadmin_alerts",
      type: "gauge",
      help: "Alerts by rule, those that fire and those that may come to.",
      series: alerts.counts.flatMap(({ rule, firing, pending }) => [
        { labels: labelText({ rule: rule.text, state: "firing" }), value: firing },
        { labels: labelText({ rule: rule.text, state: "pending" }), value: pending },
      ]),
    },
    {
      name: "nsqadmin_refused_connections_total",
      type: "counter",
      help: "Connections that were refused, because there were too many.",
      series: [{ labels: labelText({ protocol: "http" }), value: refused }],
    },
    requests.family("nsqadmin"),
    ...await processMetrics({ prefix: "nsqadmin", startMs: started.wallMs, lag }),
  ];
}
