/**
 * Asks nsqlookupds over HTTP which channels a topic has anywhere (internal/clusterinfo, `GetLookupdTopicChannels`).
 * All are asked at the same time, and one that fails takes nothing from what the others say. Where they are is what they
 * have said themselves, and they may say and answer anything: the address is an address and nothing more, an answer has a
 * limit, is read a little in each turn of the event loop, and sends nobody elsewhere.
 *
 * It is nsqd that asks, so it is by `fetch`, which is there, and not by the client of nsqadmin and the tools
 * (src/http/http_client.ts), which its start would have to load.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";

/** An nsqlookupd to ask. */
export interface QueriedLookupd {
  /** `host:port` of its HTTP API. */
  readonly address: string;
  /** How long it may take. */
  readonly timeoutMs: number;
}

/** The largest answer that need be read, in bytes: that with some 15,000 channels of the longest names. */
export const CHANNELS_ANSWER_SIZE_MAX = 1024 * 1024;

/** Pieces of an answer that are read in one turn of the event loop: some 50 µs each. */
const PIECES_IN_TURN = 64;
/** The most of an answer that is shown when it is none, in characters. */
const SHOWN_MAX = 200;

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
  const { pathname, username } = new URL(url);
  if (pathname !== "/channels" || username !== "") throw new Error("it has said more than a host and a port");
  const response = await fetch(url, {
    headers: { Accept: "application/vnd.nsq; version=1.0" },
    signal: AbortSignal.any([query.signal, AbortSignal.timeout(timeoutMs)]),
    // Unlike NSQ's client, which goes wherever it is sent.
    redirect: "manual",
  });
  const text = new TextDecoder().decode(await readBody(response, query.answerSizeMax));
  if (response.status === 200) return JSON.parse(text);
  throw new Error(`got response ${response.status} ${JSON.stringify(text.slice(0, SHOWN_MAX))}`);
}

async function readBody(response: Response, sizeMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let leftBytes = sizeMax;
  for await (const piece of response.body ?? []) {
    leftBytes -= piece.length;
    if (leftBytes < 0) throw new Error(`the answer has more than ${sizeMax} bytes`);
    if (pieces.push(piece) % PIECES_IN_TURN === 0) await othersFirst();
  }
  return concat(pieces);
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
