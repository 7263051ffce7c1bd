/**
 * Metrics of many things of a kind as a table: a row for each combination of labels, a column for each metric. What comes with
 * labels that have a row already is added up in it, which is all that aggregation is.
 *
 * @module
 */
import type { MetricFamily, MetricType, Series } from "../../base/exposition.ts";
import { FixedHistogram } from "../../base/fixed_histogram.ts";

/** A metric of each of these things. */
export interface Column<Source> {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** What several come to in one row. @default {"sum"} */
  readonly together?: "sum" | "most";
  /** Undefined where there is none, or it is not known. */
  value(source: Source): number | FixedHistogram | undefined;
}

type Cell = number | FixedHistogram | undefined;

/** Rows of metrics. */
export class MetricTable<Source> {
  readonly #columns: readonly Column<Source>[];
  readonly #rows = new Map<string, Cell[]>();

  constructor(columns: readonly Column<Source>[]) {
    this.#columns = columns;
  }

  /** Adds one thing to the row of its labels. */
  add(labels: string, source: Source): void {
    const row = this.#rows.get(labels);
    if (row === undefined) {
      this.#rows.set(labels, this.#columns.map((column) => column.value(source)));
      return;
    }
    this.#columns.forEach((column, i) => row[i] = together(column, row[i], column.value(source)));
  }

  /** A metric for each column. */
  families(): MetricFamily[] {
    return this.#columns.map(({ name, type, help }, i) => ({ name, type, help, series: this.#series(i) }));
  }

  *#series(column: number): Generator<Series> {
    for (const [labels, row] of this.#rows) {
      const value = row[column];
      if (value !== undefined) yield { labels, value };
    }
  }
}

function together<Source>({ together = "sum" }: Column<Source>, one: Cell, other: Cell): Cell {
  if (one === undefined || other === undefined) return one ?? other;
  if (one instanceof FixedHistogram && other instanceof FixedHistogram) {
    // The one may be a channel's own, which goes on counting.
    const both = new FixedHistogram(one.bounds);
    both.add(one);
    both.add(other);
    return both;
  }
  return together === "most" ? Math.max(Number(one), Number(other)) : Number(one) + Number(other);
}
