/**
 * The comparison's result as a Markdown table: a line for each measure, medians over the rounds, and every
 * server's ratio to the first one.
 *
 * @module
 */

import { markdownTable } from "./markdown_table.ts";

/** One figure of one run; no value if the run failed. */
export interface Measurement {
  readonly server: string;
  readonly measure: string;
  readonly unit: string;
  readonly value: number | undefined;
}

/** Lays the measurements out; the first server is what the others are compared with. */
export function compareTable(servers: readonly string[], measurements: readonly Measurement[]): string {
  const [first, ...others] = servers;
  const head = ["measure", "unit", ...servers, ...others.map((name) => `${name} / ${first}`)];
  const rows = [...new Set(measurements.map(({ measure }) => measure))].map((measure) => {
    const ofMeasure = measurements.filter((item) => item.measure === measure);
    const medians = servers.map((server) => median(ofMeasure.filter((item) => item.server === server)));
    const ratios = medians.slice(1).map((value) => ratio(value, medians[0]));
    return [measure, ofMeasure[0].unit, ...medians.map(describe), ...ratios];
  });
  return markdownTable(head, rows, { textColumns: 2 });
}

function median(measurements: readonly Measurement[]): number | undefined {
  const values = measurements.map(({ value }) => value).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

function ratio(value: number | undefined, base: number | undefined): string {
  if (value === undefined || base === undefined || base === 0) return "–";
  return (value / base).toFixed(2);
}

function describe(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 1000) return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
  return value.toPrecision(3);
}
