/**
 * Tables as CSV (RFC 4180), for spreadsheets.
 *
 * @module
 */

import { Answer, HeaderBlock } from "../http/answer.ts";
import { CAUTION } from "../http/decorators.ts";

const CSV = new HeaderBlock([["Content-Type", "text/csv; charset=utf-8; header=present"], ...CAUTION]);

/** An answer with rows, of which the first is the head. */
export function csvAnswer(rows: Iterable<readonly (string | number | undefined)[]>): Answer {
  return new Answer(200, CSV, csvText(rows));
}

/** The text of rows. */
export function csvText(rows: Iterable<readonly (string | number | undefined)[]>): string {
  return Array.from(rows, (row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: string | number | undefined): string {
  if (typeof value === "number") return String(value);
  // A spreadsheet would take it for a formula, which could load or send something.
  const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : value ?? "";
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
