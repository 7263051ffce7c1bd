/**
 * Which topics hold dead letters. A message that is given up is published, as it was, to another topic (docs/client.md,
 * `giveUp`; docs/tools.md, `--dead-letter-topic`): nothing in it says where it came from. What is left is the name: with
 * `.failed` as a suffix, `orders.failed` holds those of `orders`.
 *
 * @module
 */

import { isValidTopicName } from "../protocol/names.ts";

/** The topic whose dead letters this one holds, by the longest suffix that fits; undefined if it holds none. */
export function originOf(topic: string, suffixes: readonly string[]): string | undefined {
  const fitting = suffixes.filter((suffix) => suffix !== "" && topic.endsWith(suffix));
  const longest = fitting.reduce((a, b) => b.length > a.length ? b : a, "");
  const origin = topic.slice(0, topic.length - longest.length);
  return longest !== "" && isValidTopicName(origin) ? origin : undefined;
}

/** The topics that hold those of this one, as far as names can be that long. */
export function deadLetterTopicsOf(topic: string, suffixes: readonly string[]): string[] {
  return suffixes.map((suffix) => topic + suffix).filter((name) => name !== topic && isValidTopicName(name));
}
