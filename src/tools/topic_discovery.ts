/**
 * Finds topics whose names match a pattern: nsqlookupds are asked which there are, again and again.
 *
 * @module
 */

import { RE2JS } from "re2js";
import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";

/** Where and how topics are looked for. */
export interface DiscoveryOptions {
  readonly lookupd: readonly string[];
  readonly refreshMs: number;
  readonly timeoutMs: number;
  /** Is told of each topic once. */
  readonly found: (topic: string) => void;
  /** Is told of an nsqlookupd that does not answer. */
  readonly failed: (text: string) => void;
}

/** The largest answer that is read, in bytes. */
const ANSWER_SIZE_MAX = 8 * 1024 * 1024;

/**
 * Reads a pattern of topics' names: a regular expression (RE2) that is found anywhere in them, unless it says where.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseTopicPattern(pattern: string): (topic: string) => boolean {
  try {
    const compiled = RE2JS.compile(pattern);
    return (topic) => compiled.matcher(topic).find();
  } catch (error) {
    throw new SyntaxError(`is no regular expression: ${errorText(error)}`, { cause: error });
  }
}

/** Looks for topics until the signal aborts: at once, and then at the interval. */
export async function discoverTopics(options: DiscoveryOptions, stop: AbortSignal): Promise<void> {
  const known = new Set<string>();
  while (!stop.aborted) {
    // One that does not answer keeps nobody from hearing of the others' topics.
    await Promise.all(options.lookupd.map(async (lookupd) => {
      try {
        for (const topic of await topicsOf(lookupd, options.timeoutMs, stop)) {
          if (known.has(topic) || stop.aborted) continue;
          known.add(topic);
          options.found(topic);
        }
      } catch (error) {
        if (!stop.aborted) options.failed(`${lookupd}: ${errorText(error)}`);
      }
    }));
    await sleep(options.refreshMs, stop);
  }
}

async function topicsOf(lookupd: string, timeoutMs: number, stop: AbortSignal): Promise<string[]> {
  const base = /^https?:\/\//.test(lookupd) ? lookupd : `http://${lookupd}`;
  const response = await fetch(new URL("/topics", base), {
    headers: { Accept: "application/vnd.nsq; version=1.0" },
    signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]),
    redirect: "manual",
  });
  const text = await limitedText(response);
  if (response.status !== 200) {
    throw new Error(`got response ${response.status} ${JSON.stringify(text.slice(0, 200))}`);
  }
  const { topics } = JSON.parse(text) as { topics?: unknown };
  if (Array.isArray(topics) && topics.every((topic) => typeof topic === "string")) return topics;
  throw new Error(`the answer is no list of topics: ${JSON.stringify(text.slice(0, 200))}`);
}

async function limitedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let leftBytes = ANSWER_SIZE_MAX;
  for await (const piece of response.body ?? []) {
    leftBytes -= piece.length;
    if (leftBytes < 0) throw new Error(`the answer has more than ${ANSWER_SIZE_MAX} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
