/**
 * Whole numbers that a query or a form says.
 *
 * @module
 */

import { HttpError } from "./http_error.ts";

/** The number from 1 to `max` that a text says, or `otherwise` if it says none. @throws {HttpError} 400 with that code. */
export function wholeNumber(
  text: string | undefined,
  { otherwise, max }: { readonly otherwise: number; readonly max: number },
  code: string,
): number {
  const digits = (text ?? "").trim();
  if (digits === "") return otherwise;
  const number = Number(digits);
  if (/^\d+$/.test(digits) && number >= 1 && number <= max) return number;
  throw new HttpError(400, code);
}
