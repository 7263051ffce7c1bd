/**
 * What `peers.ts` has measured, as a table of medians.
 *
 * @module
 */

import { markdownTable } from "../markdown_table.ts";

/** What the client prints. */
export interface Measured {
  readonly seconds: number;
  readonly messages: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const HEAD = [
  "load",
  "server",
  "thousand/s",
  "server's CPU, µs/message",
  "p50, ms",
  "p99, ms",
  "client, cores",
];

/** What was measured, by load and server. */
export class Results {
  readonly #runs = new Map<string, Measured[]>();
  readonly #failures = new Map<string, string>();

  add(load: string, server: string, run: Measured): void {
    const runs = this.#runs.get(keyOf(load, server)) ?? [];
    this.#runs.set(keyOf(load, server), [...runs, run]);
  }

  /** A run has come to nothing. */
  fail(load: string, server: string, why: string): void {
    this.#failures.set(keyOf(load, server), why);
  }

  /** A Markdown table of these loads and servers. */
  table(pairs: readonly (readonly [load: string, server: string])[]): string {
    return markdownTable(HEAD, pairs.map(([load, server]) => this.#row(load, server)), { textColumns: 2 });
  }

  #row(load: string, server: string): string[] {
    const runs = this.#runs.get(keyOf(load, server));
    if (!runs) return [load, server, this.#failures.get(keyOf(load, server)) ?? "", "", "", "", ""];
    const of = (figure: (run: Measured) => number) => median(runs.map(figure));
    return [
      load,
      server,
      (of(({ messages, seconds }) => messages / seconds) / 1000).toFixed(1),
      of(({ serverCpuSeconds, messages }) => serverCpuSeconds / messages * 1e6).toFixed(1),
      of(({ p50Ms }) => p50Ms).toFixed(3),
      of(({ p99Ms }) => p99Ms).toFixed(3),
      of(({ clientCpuSeconds, seconds }) => clientCpuSeconds / seconds).toFixed(2),
    ];
  }
}

function keyOf(load: string, server: string): string {
  return `${load}, ${server}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
