/**
 * Asks nsqlookupds over HTTP which channels a topic has anywhere (internal/clusterinfo, `GetLookupdTopicChannels`).
 * All are asked at the same time, and one that fails takes nothing from what the others say.
 *
 * @module
 */

import { LimitedBytesTransformStream, toBytes } from "@std/streams";
import { errorText } from "../base/error_text.ts";

/** An nsqlookupd to ask. */
export interface QueriedLookupd {
  /** `host:port` of its HTTP API. */
  readonly address: string;
  /** How long it may take. */
  readonly timeoutMs: number;
}

/** How to ask. */
export interface ChannelQuery {
  readonly lookupds: readonly QueriedLookupd[];
  /** The largest answer that is read, in bytes. */
  readonly answerSizeMax: number;
  /** Ends the asking. */
  readonly signal: AbortSignal;
  /** Is told of each request before it is made. */
  readonly onRequest?: (url: string) => void;
}

/** What came of it. */
export interface ChannelAnswer {
  /** Every channel that any of them knows, once, sorted. */
  readonly channels: readonly string[];
  /** What was wrong with each that did not answer. */
  readonly failures: readonly string[];
}

/** Asks which channels the topic has. Never rejects. */
export async function queryChannels(topic: string, query: ChannelQuery): Promise<ChannelAnswer> {
  const failures: string[] = [];
  const channels = await Promise.all(query.lookupds.map(async (lookupd) => {
    const url = `http://${lookupd.address}/channels?topic=${encodeURIComponent(topic)}`;
    query.onRequest?.(url);
    try {
      return channelsOf(await getJson(url, lookupd.timeoutMs, query));
    } catch (error) {
      failures.push(`${url}: ${reasonOf(error)}`);
      return [];
    }
  }));
  return { channels: [...new Set(channels.flat())].sort(), failures };
}

async function getJson(url: string, timeoutMs: number, query: ChannelQuery): Promise<unknown> {
  const response = await fetch(url, {
    headers: { Accept: "application/vnd.nsq; version=1.0" },
    signal: AbortSignal.any([query.signal, AbortSignal.timeout(timeoutMs)]),
  });
  const limit = new LimitedBytesTransformStream(query.answerSizeMax, { error: true });
  const body = response.body === null ? new Uint8Array() : await toBytes(response.body.pipeThrough(limit));
  const text = new TextDecoder().decode(body);
  if (response.status !== 200) throw new Error(`got response ${response.status} ${JSON.stringify(text)}`);
  return JSON.parse(text);
}

/** A list that is missing, or null as Go writes an empty one, is empty. */
function channelsOf(answer: unknown): string[] {
  const channels = (answer as { readonly channels?: unknown } | null)?.channels ?? [];
  const isList = Array.isArray(channels) && channels.every((name) => typeof name === "string");
  if (!isList) throw new Error("the answer is no list of channels");
  return channels;
}

/** Without the address, which the runtime's errors repeat in full. */
function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "i/o timeout";
  const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  return errorText(cause).replace(/ for url \(.*?\)(?=:|$)/, "");
}
