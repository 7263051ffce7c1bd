/**
 * Asks an nsqlookupd, or an nsqd with gossip, over HTTP which nodes there are. It may answer anything: an answer has a
 * limit and sends nobody elsewhere.
 *
 * @module
 */

import { parseHostPort } from "./address.ts";
import { NsqError } from "./errors.ts";

/** The largest answer that is read, in bytes: that with some 20,000 nodes. */
const ANSWER_SIZE_MAX = 8 * 1024 * 1024;
/** The most of an answer that is shown when it is none, in characters. */
const SHOWN_MAX = 200;

/** How to ask. */
export interface LookupdQuery {
  /** The topic whose nodes are wanted; all nodes if there is none. */
  readonly topic: string | undefined;
  readonly secret: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The URL to ask at.
 *
 * @throws {TypeError} If `lookupd` is no address.
 */
export function lookupdUrl(lookupd: string, topic: string | undefined): string {
  if (!/^https?:\/\//.test(lookupd)) {
    parseHostPort(lookupd);
    return lookupdUrl(`http://${lookupd}`, topic);
  }
  if (!URL.canParse(lookupd)) {
    throw new TypeError(`Not the address of an nsqlookupd: ${JSON.stringify(lookupd)}`);
  }
  const url = new URL(lookupd);
  if (url.pathname === "/") url.pathname = topic === undefined ? "/nodes" : "/lookup";
  if (topic !== undefined) url.searchParams.set("topic", topic);
  return url.href;
}

/**
 * The addresses of the nodes. Where nobody has the topic yet, there are none.
 *
 * @throws {Error} Whatever went wrong.
 */
export async function queryLookupd(lookupd: string, query: LookupdQuery): Promise<string[]> {
  const response = await fetch(lookupdUrl(lookupd, query.topic), {
    headers: {
      Accept: "application/vnd.nsq; version=1.0",
      ...query.secret !== undefined && { Authorization: `Bearer ${query.secret}` },
    },
    signal: AbortSignal.any([query.signal, AbortSignal.timeout(query.timeoutMs)]),
    redirect: "manual",
  });
  const text = await readText(response);
  // A server that is no nsqlookupd says 404 too, but nothing of topics.
  if (response.status === 404 && query.topic !== undefined && text.includes("TOPIC")) return [];
  if (response.status !== 200) {
    throw new NsqError("DISCOVERY", `${lookupd}: got response ${response.status} ${shown(text)}`);
  }
  return nodesOf(lookupd, text);
}

function nodesOf(lookupd: string, text: string): string[] {
  const answer = parsed(text);
  // Before version 1.0 of NSQ the answer was in a wrapping of its own.
  const producers = answer?.producers ?? (answer?.data as { producers?: unknown } | undefined)?.producers;
  const nodes = Array.isArray(producers) ? producers.map(nodeOf) : [undefined];
  if (nodes.every((node) => node !== undefined)) return nodes;
  throw new NsqError("DISCOVERY", `${lookupd}: the answer is no list of nodes: ${shown(text)}`);
}

function nodeOf(producer: unknown): string | undefined {
  const { broadcast_address: host, tcp_port: port } = (producer ?? {}) as Record<string, unknown>;
  if (typeof host !== "string" || typeof port !== "number" || host === "") return undefined;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let leftBytes = ANSWER_SIZE_MAX;
  for await (const piece of response.body ?? []) {
    leftBytes -= piece.length;
    if (leftBytes < 0) throw new NsqError("DISCOVERY", `The answer has more than ${ANSWER_SIZE_MAX} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_MAX));
}
