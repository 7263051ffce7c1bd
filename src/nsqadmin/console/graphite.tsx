/**
 * Links to graphs of graphite, which go further back than those of the pages: where nsqadmin passes on `/render`
 * (`--proxy-graphite`). They are drawn of what nsqd nodes send to statsd, by the names that statsd makes of it.
 *
 * @module
 */

import type { NsqadminOptions } from "../options.ts";
import { type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";

/** Something that nodes send, by the end of its name. */
type Metric = readonly [name: string, kind: "gauge" | "counter"];

/** What nodes send of a topic. */
export const TOPIC_METRICS: readonly Metric[] = [["depth", "gauge"], ["message_count", "counter"]];
/** Of a channel. */
export const CHANNEL_METRICS: readonly Metric[] = [
  ["depth", "gauge"],
  ["in_flight_count", "gauge"],
  ["deferred_count", "gauge"],
  ["requeue_count", "counter"],
  ["timeout_count", "counter"],
  ["message_count", "counter"],
  ["clients", "gauge"],
];
/** Of its memory. */
export const NODE_METRICS: readonly Metric[] = [
  ["*_bytes", "gauge"],
  ["gc_pause_*", "gauge"],
  ["gc_runs", "counter"],
  ["heap_objects", "gauge"],
];

const MS_PER_S = 1000;
/** How the graphs look, and of how long they are. */
const GRAPH = {
  from: "-7d",
  until: "-1min",
  width: "800",
  height: "450",
  yMin: "0",
  lineMode: "connected",
  drawNullAsZero: "false",
};

/** The links, to what all nodes together have, or, with its address, one node. */
export function GraphiteLinks(
  { request, of, node = "*", metrics }: {
    readonly request: PageRequest;
    /** What the names of metrics are part of, without names that others give. */
    readonly of: readonly string[];
    readonly node?: string;
    readonly metrics: readonly Metric[];
  },
): Markup {
  const { options } = request.admin;
  if (!options.proxyGraphite || options.graphiteUrl === "") return NOTHING;
  return (
    <p class="quiet">
      {request.texts.charts.graphite(metrics.map((metric, i) => (
        <>
          {i > 0 && ", "}
          <a href={request.paths.render(query(options, { of, node, metric }))}>{metric[0]}</a>
        </>
      )))}
    </p>
  );
}

function query(
  options: NsqadminOptions,
  { of, node, metric: [name, kind] }: {
    readonly of: readonly string[];
    readonly node: string;
    readonly metric: Metric;
  },
): string {
  const intervalS = Math.max(1, Math.round(options.statsdIntervalMs / MS_PER_S));
  const prefix = options.statsdPrefix.replaceAll("%s", () => node.replace(/[.:]/g, "_"));
  const key = [...prefix === "" ? [] : [prefix.replace(/\.$/, "")], ...of.map(graphiteName), name].join(".");
  const format = kind === "gauge" ? options.statsdGaugeFormat : options.statsdCounterFormat;
  const series = format === "" ? key : format.replaceAll("%s", () => key);
  const sum = node === "*" ? `sumSeries(${series})` : series;
  // A counter is what came in an interval.
  const target = kind === "counter" ? `scale(${sum},${1 / intervalS})` : sum;
  return String(new URLSearchParams({ ...GRAPH, target: `summarize(${target},"${intervalS}sec","avg")` }));
}

/** What statsd makes of a name, so that it is one part of a path. */
function graphiteName(name: string): string {
  return name.replaceAll(" ", "_").replaceAll("/", "-").replace(/[^\w.-]/g, "");
}
