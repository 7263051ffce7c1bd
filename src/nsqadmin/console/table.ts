/**
 * What of many rows a page shows: those that a filter lets through, in an order, a page at a time. All of it is in the URL,
 * so that it can be kept, sent and gone back to.
 *
 * @module
 */

import { sortedInSlices } from "../../base/sort_slices.ts";
import { inSlices, type Slice, TimeSlice } from "../../base/time_slice.ts";

/** How a table is looked at. */
export interface TableView {
  /** Part of a name, in any case; empty for all. */
  readonly filter: string;
  /** The column that is sorted by. */
  readonly sort: string;
  readonly descending: boolean;
  /** From 1. */
  readonly page: number;
}

/** What of the rows is shown. */
export interface TablePart<Row> {
  readonly rows: readonly Row[];
  /** All that there are, in the order in which they came. */
  readonly all: readonly Row[];
  /** All rows that the filter lets through, in order. */
  readonly found: readonly Row[];
  /** Of rows that the filter lets through. */
  readonly count: number;
  /** Of all rows. */
  readonly countInAll: number;
  /** The page that is shown. */
  readonly page: number;
  readonly pages: number;
}

/** Rows of a page: few enough that a browser is not kept waiting. */
export const PAGE_ROWS = 100;

/** Columns by name: what rows are sorted by. */
export type Columns<Row> = Readonly<Record<string, (row: Row) => string | number>>;

/** Reads how a table is to be looked at; what is none of its columns is the first. */
export function tableView<Row>(query: ReadonlyMap<string, string>, columns: Columns<Row>): TableView {
  const [first] = Object.keys(columns);
  const text = query.get("sort") ?? "";
  const name = text.replace(/^-/, "");
  const sort = Object.hasOwn(columns, name) ? name : first;
  const page = Number(query.get("page") ?? "1");
  return {
    filter: query.get("filter") ?? "",
    sort,
    descending: text.startsWith("-"),
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}

/** The part of the rows that is looked at, found in slices of time; `nameOf` is what the filter looks for. */
export async function tablePart<Row>(
  rows: Iterable<Row>,
  view: TableView,
  { columns, nameOf }: { readonly columns: Columns<Row>; readonly nameOf: (row: Row) => string },
  slice: Slice = new TimeSlice(),
): Promise<TablePart<Row>> {
  const wanted = view.filter.toLowerCase();
  const valueOf = columns[view.sort];
  const all: Row[] = [];
  // Once for each row, and not for each comparison of two.
  const keyed: { readonly row: Row; readonly name: string; readonly value: string | number }[] = [];
  await inSlices(rows, (row) => {
    all.push(row);
    const name = nameOf(row);
    if (name.toLowerCase().includes(wanted)) keyed.push({ row, name, value: valueOf(row) });
  }, slice);
  const direction = view.descending ? -1 : 1;
  const sorted = await sortedInSlices(
    keyed,
    (a, b) => direction * compare(a.value, b.value) || compare(a.name, b.name),
    slice,
  );
  const found = sorted.map(({ row }) => row);
  const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
  const page = Math.min(view.page, pages);
  const start = (page - 1) * PAGE_ROWS;
  return {
    rows: found.slice(start, start + PAGE_ROWS),
    all,
    found,
    count: found.length,
    countInAll: all.length,
    page,
    pages,
  };
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
