/**
 * Tables whose columns can be left out, as whoever looks wants it (settings.ts): each column is its name, its head and its cells
 * in one place.
 *
 * @module
 */

import type { Markup } from "./markup.ts";
import { SortHead } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import type { TableView } from "./table.ts";
import type { Texts } from "./texts/texts.ts";

/** A column of a table, beside that of names, which is always there. */
export interface Column<Row> {
  /** As in the URL, if the table can be sorted by it. */
  readonly name: string;
  readonly head: keyof Texts["columns"];
  /** @default {true} */
  readonly isSortable?: boolean;
  /** Whether there is anything to be shown. @default {always} */
  readonly isThere?: (request: PageRequest) => boolean;
  readonly cell: (row: Row, request: PageRequest) => Markup;
}

/** Those that are shown. */
export function columnsShown<Row>(
  request: PageRequest,
  table: string,
  columns: readonly Column<Row>[],
): readonly Column<Row>[] {
  return columns.filter(({ name, isThere }) =>
    !request.settings.hidden.has(`${table}.${name}`) && (isThere?.(request) ?? true)
  );
}

/** Their heads. */
export function ColumnHeads<Row>(
  { request, view, columns }: {
    readonly request: PageRequest;
    readonly view: TableView;
    readonly columns: readonly Column<Row>[];
  },
): Markup {
  const heads = request.texts.columns;
  return (
    <>
      {columns.map(({ name, head, isSortable = true }) =>
        isSortable
          ? <SortHead request={request} view={view} column={name}>{heads[head]}</SortHead>
          : <th scope="col">{heads[head]}</th>
      )}
    </>
  );
}
