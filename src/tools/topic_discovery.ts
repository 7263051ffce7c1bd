/**
 * Finds topics whose names match a pattern: nsqlookupds are asked which there are, again and again.
 *
 * @module
 */

import { RE2JS } from "re2js";
import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import { getJson } from "./http_json.ts";

/** Where and how topics are looked for. */
export interface DiscoveryOptions {
  readonly lookupd: readonly string[];
  readonly refreshMs: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Is told of each topic once. */
  readonly found: (topic: string) => void;
  /** Is told of an nsqlookupd that does not answer. */
  readonly failed: (text: string) => void;
}

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
        for (const topic of await topicsOf(lookupd, options, stop)) {
          if (known.has(topic) || stop.aborted) continue;
          known.add(topic);
          options.found(topic);
        }
      } catch (error) {
        if (!stop.aborted) options.failed(errorText(error));
      }
    }));
    await sleep(options.refreshMs, stop);
  }
}

async function topicsOf(
  lookupd: string,
  { connectTimeoutMs, requestTimeoutMs }: DiscoveryOptions,
  stop: AbortSignal,
): Promise<string[]> {
  const base = /^https?:\/\//.test(lookupd) ? lookupd : `http://${lookupd}`;
  const asking = { connectTimeoutMs, requestTimeoutMs, token: "", signal: stop };
  const answer = await getJson(new URL("/topics", base).href, asking);
  const { topics } = (answer ?? {}) as { readonly topics?: unknown };
  if (Array.isArray(topics) && topics.every((topic) => typeof topic === "string")) return topics;
  throw new Error(`${base}: the answer is no list of topics`);
}
