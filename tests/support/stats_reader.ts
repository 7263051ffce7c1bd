/**
 * What a node says in `/stats`, to be read.
 *
 * @module
 */

import { JsonCursor } from "../../src/base/json_cursor.ts";
import { KnownTexts } from "../../src/base/known_texts.ts";
import type { Slice } from "../../src/base/time_slice.ts";
import { StatsReader } from "../../src/cluster/topic_numbers.ts";

/** A slice that is never over. */
const ENDLESS: Slice = { isOver: false, next: () => Promise.resolve() };

/** Reads that value, or that text. */
export function statsReader(answer: unknown, slice = ENDLESS): StatsReader {
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  return new StatsReader(new JsonCursor(new TextEncoder().encode(text), new KnownTexts(100)), slice);
}
