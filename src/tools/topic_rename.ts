/**
 * New names for topics, as sed(1) says it: `s/^eu_(.*)/\1/`, with `g` behind it for all places. Pure.
 *
 * @module
 */

import { RE2JS } from "re2js";
import { errorText } from "../base/error_text.ts";

/**
 * Reads a rule.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseRename(rule: string): (topic: string) => string {
  if (rule === "") return (topic) => topic;
  const delimiter = rule[1] ?? "";
  const [command, from, to, flags, ...more] = rule.split(delimiter);
  if (
    command !== "s" || from === undefined || to === undefined || !/^g?$/.test(flags ?? "-") || more.length > 0
  ) {
    throw new SyntaxError("must be a rule such as s/from/to/ or s/from/to/g");
  }
  const replacement = to.replaceAll("$", "$$$$").replaceAll("&", "$$&").replace(/\\(\d)/g, "$$$1");
  try {
    const pattern = RE2JS.compile(from);
    // A group that does not exist is refused here, and not with the first topic.
    pattern.matcher("").replaceAll(replacement);
    for (const [, group] of to.matchAll(/\\(\d)/g)) {
      if (Number(group) > pattern.groupCount()) throw new SyntaxError(`there is no group \\${group}`);
    }
    return (topic) => {
      const matcher = pattern.matcher(topic);
      return flags === "g" ? matcher.replaceAll(replacement) : matcher.replaceFirst(replacement);
    };
  } catch (error) {
    throw new SyntaxError(`is no rule for names: ${errorText(error)}`, { cause: error });
  }
}
