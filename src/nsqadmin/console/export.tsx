/**
 * Tables as files: all rows that the filter lets through, in their order, as JSON or CSV, at the page's own address with
 * `?format=`, or for whoever accepts nothing else.
 *
 * @module
 */

import type { Failure } from "../../cluster/asked.ts";
import { Answer } from "../../http/answer.ts";
import { V1_JSON } from "../../http/decorators.ts";
import { HttpError } from "../../http/http_error.ts";
import { goJson } from "../../http/json_pieces.ts";
import { textPieces } from "../../http/text_pieces.ts";
import { type Cell, csvAnswer } from "../csv.ts";
import type { Markup } from "./markup.ts";
import { type PageRequest, queryWith } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

/** What a table is as a file, by the names of its columns, in which `-` becomes `_`. */
export type Fields<Row> = Readonly<Record<string, (row: Row) => Cell>>;

/** A table that a page has. */
export interface ExportedTable {
  readonly keys: readonly string[];
  /** Of each row; made as it is written. */
  cells(): Iterable<readonly Cell[]>;
}

/** A table of all these rows. */
export function fileOf<Row>(rows: readonly Row[], fields: Fields<Row>): ExportedTable {
  const values = Object.values(fields);
  return {
    keys: Object.keys(fields).map((name) => name.replaceAll("-", "_")),
    *cells() {
      for (const row of rows) yield values.map((valueOf) => valueOf(row));
    },
  };
}

const TYPES = ["text/html", "application/json", "text/csv"];
const FORMATS: readonly (Format | undefined)[] = [undefined, "json", "csv"];
type Format = "json" | "csv";

/**
 * The file that is asked for in place of the page: of the table of that name (`?table=`), or of the first; undefined if it
 * is the page. `failures` is who has not answered, of whom there are no rows.
 *
 * @throws {HttpError} 400 for a format or table that there is not.
 */
export function exported(
  request: PageRequest,
  tables: Readonly<Record<string, ExportedTable>>,
  failures: readonly Failure[],
): Promise<Answer> | undefined {
  const format = formatOf(request);
  if (format === undefined) return undefined;
  const name = request.query.get("table") ?? Object.keys(tables)[0];
  if (!Object.hasOwn(tables, name)) throw new HttpError(400, "INVALID_TABLE");
  const table = tables[name];
  return format === "csv" ? csvFile(table) : jsonAnswer(table, failures);
}

/** Whether a file is asked for in place of the page. @throws {HttpError} 400 for a format that there is not. */
export function wantsFile(request: PageRequest): boolean {
  return formatOf(request) !== undefined;
}

/** A table as CSV, with the names of its columns. */
export function csvFile(table: ExportedTable): Promise<Answer> {
  return csvAnswer(csvRows(table));
}

/** Where a table is as files. */
export function ExportLinks(
  { request, table }: {
    readonly request: PageRequest;
    readonly table?: keyof Texts["export"]["tables"];
  },
): Markup {
  const texts = request.texts.export;
  const to = (format: Format) => queryWith(request.query, { format, table: table ?? "", page: "", done: "" });
  const labelOf = (format: string) =>
    table === undefined ? texts.as(format) : texts.tableAs(texts.tables[table], format);
  return (
    <p class="quiet">
      {texts.allRows(
        <a href={to("csv")} aria-label={labelOf("CSV")}>CSV</a>,
        <a href={to("json")} aria-label={labelOf("JSON")}>JSON</a>,
      )}
    </p>
  );
}

function* csvRows({ keys, cells }: ExportedTable): Generator<readonly Cell[]> {
  yield keys;
  yield* cells();
}

async function jsonAnswer(table: ExportedTable, failures: readonly Failure[]): Promise<Answer> {
  return new Answer(200, V1_JSON, await textPieces(jsonTexts(table, failures), goJson));
}

function* jsonTexts({ keys, cells }: ExportedTable, failures: readonly Failure[]): Generator<string> {
  let before = '{"rows":[';
  for (const row of cells()) {
    // What can be no number in JSON is null there.
    yield before + JSON.stringify(Object.fromEntries(keys.map((key, i) => [key, row[i] ?? null])));
    before = ",";
  }
  if (before !== ",") yield before;
  const unanswered = failures.map(({ daemon: { kind, address }, reason }) => ({ kind, address, reason }));
  yield `],"failures":${JSON.stringify(unanswered)}}`;
}

/** @throws {HttpError} 400 */
function formatOf({ query, context }: PageRequest): Format | undefined {
  const asked = query.get("format");
  if (asked === "json" || asked === "csv") return asked;
  if (asked !== undefined && asked !== "" && asked !== "html") throw new HttpError(400, "INVALID_FORMAT");
  if (asked !== undefined) return undefined;
  // The first that is known: browsers name HTML before all else, and others what they want.
  const accepted = (context.request.headers.get("accept") ?? "").toLowerCase().split(",")
    .map((each) => each.split(";")[0].trim());
  return FORMATS[TYPES.indexOf(accepted.find((type) => TYPES.includes(type)) ?? "text/html")];
}
