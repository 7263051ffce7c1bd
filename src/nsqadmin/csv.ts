/**
 * Tables as CSV (RFC 4180), for spreadsheets, made in slices of time.
 *
 * @module
 */

import { Answer, HeaderBlock } from "../http/answer.ts";
import { CAUTION } from "../http/decorators.ts";
import { textPieces } from "../http/text_pieces.ts";

const CSV = new HeaderBlock([["Content-Type", "text/csv; charset=utf-8; header=present"], ...CAUTION]);

/** What may be in a cell; what is undefined is empty, and so is a number that is none. */
export type Cell = string | number | boolean | undefined;

/** An answer with rows, of which the first is the head. */
export async function csvAnswer(rows: Iterable<readonly Cell[]>): Promise<Answer> {
  return new Answer(200, CSV, await textPieces(csvLines(rows)));
}

/** The lines of rows. */
export function* csvLines(rows: Iterable<readonly Cell[]>): Generator<string> {
  for (const row of rows) yield `${row.map(cell).join(",")}\r\n`;
}

function cell(value: Cell): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const said = String(value ?? "");
  // A spreadsheet would take it for a formula, which could load or send something.
  const text = /^[=+\-@\t\r]/.test(said) ? `'${said}` : said;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
