/**
 * Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0, which differ in few words. A family is one metric, a series is
 * one combination of its labels. Knows nothing of what is measured.
 *
 * @module
 */

import { FixedHistogram } from "./fixed_histogram.ts";

/** What a metric's numbers mean. Names of counters end in `_total`, or OpenMetrics has no word for their type. */
export type MetricType = "counter" | "gauge" | "histogram";

/** One metric. */
export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  /** One sentence for people, with the unit where the name has none. */
  readonly help: string;
  readonly series: Iterable<Series>;
}

/** One combination of labels. */
export interface Series {
  /** Made by {@linkcode labelText}; "" for none. */
  readonly labels: string;
  readonly value: number | FixedHistogram;
}

/** The two formats. */
export const EXPOSITION_FORMATS = ["text", "openmetrics"] as const;

/** One of the formats. */
export type ExpositionFormat = typeof EXPOSITION_FORMATS[number];

const TOTAL = "_total";

/** Labels as they stand between braces. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeQuoted(value)}"`).join(",");
}

/** A metric that is one number. */
export function single(type: MetricType, name: string, help: string, value: number): MetricFamily {
  return { name, type, help, series: [{ labels: "", value }] };
}

/**
 * The text, in parts of a line or a few.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { expositionTexts, single } from "./exposition.ts";
 *
 * const text = [...expositionTexts([single("counter", "hits_total", "Hits.", 3)], "text")].join("");
 * assertEquals(text, "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total 3\n");
 * ```
 */
export function* expositionTexts(
  families: Iterable<MetricFamily>,
  format: ExpositionFormat,
): Generator<string> {
  for (const family of families) {
    let isFirst = true;
    for (const { labels, value } of family.series) {
      // A metric without a series is left out.
      if (isFirst) yield headOf(family, format);
      isFirst = false;
      yield value instanceof FixedHistogram
        ? histogramText(family.name, labels, value)
        : sample(family.name, labels, value);
    }
  }
  if (format === "openmetrics") yield "# EOF\n";
}

function headOf({ name, type, help }: MetricFamily, format: ExpositionFormat): string {
  if (format === "text") return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  const isTotal = name.endsWith(TOTAL);
  const family = type === "counter" && isTotal ? name.slice(0, -TOTAL.length) : name;
  const said = type === "counter" && !isTotal ? "unknown" : type;
  return `# HELP ${family} ${escapeQuoted(help)}\n# TYPE ${family} ${said}\n`;
}

function histogramText(name: string, labels: string, { bounds, counts, sum }: FixedHistogram): string {
  const others = labels === "" ? "" : `${labels},`;
  let count = 0;
  let text = "";
  for (let i = 0; i < counts.length; i++) {
    count += counts[i];
    text += sample(
      `${name}_bucket`,
      `${others}le="${i < bounds.length ? floatText(bounds[i]) : "+Inf"}"`,
      count,
    );
  }
  return text + sample(`${name}_sum`, labels, sum) + sample(`${name}_count`, labels, count);
}

function sample(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** In both formats the same, or the format that is asked for would make other series: OpenMetrics has a point in each. */
function floatText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function escapeQuoted(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
