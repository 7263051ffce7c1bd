/**
 * What was thrown, for a line of the log.
 *
 * @module
 */

/** The message of an error, or whatever else was thrown as text. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
