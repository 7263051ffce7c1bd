/**
 * What the script says: the page brings it along, from the table of texts (texts/english.tsx).
 *
 * @module
 */

/** Values come in place of what is in braces. */
export interface ScriptTexts {
  readonly stopUpdating: string;
  readonly goOnUpdating: string;
  readonly notUpdated: string;
  readonly numbersAreOld: string;
  /** `{count}` results. */
  readonly found: string;
  /** Because of the `{status}` of the answer. */
  readonly cannotSearch: string;
  readonly connectionLost: string;
  /** What is found, by what `/search?format=json` calls it. */
  readonly kinds: Readonly<Record<"page" | "topic" | "channel" | "node", string>>;
  readonly watch: string;
  readonly stopWatching: string;
  readonly watching: string;
  readonly tapRefused: string;
}
