/**
 * What bench has measured, as text, as CSV, and as a table of percentiles. Pure.
 *
 * @module
 */

import { Histogram } from "../base/quantile.ts";

/** What one side has done. */
export class Measured {
  readonly name: string;
  /** What `times` are of. */
  readonly timesOf: string;
  /** In ns. */
  readonly times = new Histogram();
  messages = 0;
  bytes = 0;
  /** By the monotonic clock, in ms. */
  firstMs: number | undefined;
  lastMs = 0;

  constructor(name: string, timesOf: string) {
    this.name = name;
    this.timesOf = timesOf;
  }

  /** Counts messages that are through. */
  count(messages: number, bytes: number, nowMs: number): void {
    this.messages += messages;
    this.bytes += bytes;
    this.lastMs = nowMs;
  }

  /** How long it took from the first to the last, in s. */
  get seconds(): number {
    return this.firstMs === undefined ? 0 : (this.lastMs - this.firstMs) / 1000;
  }

  /** Messages a second. */
  get rate(): number {
    return this.seconds > 0 ? this.messages / this.seconds : 0;
  }
}

const QUANTILES = [0.5, 0.9, 0.99, 0.999, 1] as const;
const NS_PER_MS = 1e6;

/** Two lines, or one where no times were taken. */
export function textOf(measured: Measured): string {
  const { name, messages, bytes, seconds, rate, times, timesOf } = measured;
  const megabytes = bytes / 1e6;
  const lines = [
    `${name}: ${messages} messages, ${megabytes.toFixed(1)} MB in ${seconds.toFixed(3)} s: ` +
    `${Math.round(rate)} messages/s, ${(seconds > 0 ? megabytes / seconds : 0).toFixed(1)} MB/s`,
  ];
  if (times.count > 0) {
    const values = QUANTILES.map((quantile) => `${nameOf(quantile)} ${msOf(times, quantile)} ms`);
    lines.push(`${name}: ${timesOf}: ${values.join(", ")}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** The names over lines of CSV. */
export const CSV_HEADER = `what,messages,bytes,seconds,messages_per_second,${
  QUANTILES.map((quantile) => `${nameOf(quantile)}_ms`).join(",")
}\n`;

/** A line of CSV; times are empty where none were taken. */
export function csvOf({ name, messages, bytes, seconds, rate, times }: Measured): string {
  const values = QUANTILES.map((quantile) => times.count > 0 ? msOf(times, quantile) : "");
  return `${[name, messages, bytes, seconds.toFixed(6), Math.round(rate), ...values].join(",")}\n`;
}

/** A table of percentiles: half of what is left in ten steps, and again, until less than one value is left. */
export function histogramOf({ name, timesOf, times }: Measured): string {
  const lines = [`# ${name}: ${timesOf}, ${times.count} values`, "ms,percentile,values"];
  for (let left = 1; left * times.count >= 0.5; left /= 2) {
    for (let step = 0; step < 10; step++) {
      const quantile = 1 - left + left * step / 20;
      lines.push(
        `${msOf(times, quantile)},${(quantile * 100).toFixed(6)},${Math.ceil(quantile * times.count)}`,
      );
    }
  }
  lines.push(`${msOf(times, 1)},100.000000,${times.count}`);
  return lines.map((line) => `${line}\n`).join("");
}

function nameOf(quantile: number): string {
  return quantile === 1 ? "max" : `p${Number((quantile * 100).toFixed(3))}`;
}

function msOf(times: Histogram, quantile: number): string {
  return (times.valueAt(quantile) / NS_PER_MS).toFixed(3);
}
