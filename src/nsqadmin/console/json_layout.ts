/**
 * JSON with a line for each value. Its numbers and texts stay as they are written, whatever a parser would make of them.
 *
 * @module
 */

/** Levels that are indented: what is deeper is not further in, so that the text does not grow with the square of the depth. */
export const INDENTED_LEVELS_MAX = 20;
/** In JSON that is valid: texts, what is between values, and all else. */
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** The text laid out; undefined if it is no JSON. */
export function laidOutJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  let laidOut = "";
  let level = 0;
  let before = "";
  const line = () => `\n${"  ".repeat(Math.min(level, INDENTED_LEVELS_MAX))}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const isEnd = token === "}" || token === "]";
    const isAfterStart = before === "{" || before === "[";
    if (isEnd) level--;
    if (isEnd ? !isAfterStart : isAfterStart || before === ",") laidOut += line();
    laidOut += token === ":" ? ": " : token;
    if (token === "{" || token === "[") level++;
    before = token;
  }
  return laidOut;
}
