/**
 * Looks at the messages of a topic or channel without taking them, over HTTP, page by page; denosq's nsqd can do that,
 * and NSQ's cannot.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import { getBytes, getJson, type HttpAsking, HttpStatusError } from "./http_json.ts";
import type { MessageFields } from "./message_form.ts";
import { ToolError } from "./tool.ts";

/** Where to look. */
export interface PeekPlace {
  /** `host:port` of an nsqd's HTTP API. */
  readonly node: string;
  readonly topic: string;
  /** Empty for messages that no channel has got. */
  readonly channel: string;
}

/** What a message is in a page. */
interface PeekedMessage {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly timestamp: string;
  readonly body: string;
  readonly encoding?: string;
  readonly cut?: boolean;
}

/** Messages of a page, and the most bytes of each body in it, so that a page is read in some ms; longer ones are asked for alone. */
const PAGE_MESSAGES = 100;
const PAGE_BODY_BYTES = 16384;
/** nsqd looks for so many at a time at most: the others wait. */
const BUSY_MS = 500;

/**
 * The messages that are there, in the order in which they were published.
 *
 * @throws {ToolError} If nsqd does not say.
 */
export async function* peek(
  place: PeekPlace,
  asking: HttpAsking,
): AsyncGenerator<MessageFields, void, undefined> {
  const { node, topic, channel } = place;
  let cursor = "";
  do {
    const page = await pageAt(place, cursor, asking);
    for (const message of page.messages) {
      const body = message.cut ? await wholeBody(place, message.id, asking) : bodyOf(message);
      // It was finished meanwhile.
      if (body === undefined) continue;
      const { id, attempts, state } = message;
      yield { topic, channel, node, id, attempts, state, timestampNs: BigInt(message.timestamp), body };
    }
    cursor = page.cursor ?? "";
  } while (cursor !== "");
}

async function pageAt(
  place: PeekPlace,
  cursor: string,
  asking: HttpAsking,
): Promise<{ readonly messages: readonly PeekedMessage[]; readonly cursor: string | null }> {
  const query = `max=${PAGE_MESSAGES}&body=${PAGE_BODY_BYTES}${
    cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
  }`;
  for (;;) {
    try {
      const page = await getJson(urlOf(place, "/messages", query), asking) as Awaited<
        ReturnType<typeof pageAt>
      >;
      if (!Array.isArray(page.messages)) throw new Error(`${place.node}: the answer holds no messages`);
      return page;
    } catch (error) {
      if (!(error instanceof HttpStatusError) || error.status !== 429) throw refused(place, error);
      await sleep(BUSY_MS, asking.signal);
      asking.signal.throwIfAborted();
    }
  }
}

async function wholeBody(place: PeekPlace, id: string, asking: HttpAsking): Promise<Uint8Array | undefined> {
  try {
    return await getBytes(urlOf(place, "/message", `id=${id}&format=raw`), asking);
  } catch (error) {
    if (error instanceof HttpStatusError && error.code === "MESSAGE_NOT_FOUND") return undefined;
    throw refused(place, error);
  }
}

function urlOf({ node, topic, channel }: PeekPlace, path: string, query: string): string {
  const where = `topic=${encodeURIComponent(topic)}${
    channel === "" ? "" : `&channel=${encodeURIComponent(channel)}`
  }`;
  return `http://${node}${path}?${where}&${query}`;
}

function bodyOf({ body, encoding }: PeekedMessage): Uint8Array {
  return encoding === "base64" ? Uint8Array.fromBase64(body) : new TextEncoder().encode(body);
}

/** What an answer means for whoever wants to look. */
function refused({ node, topic, channel }: PeekPlace, error: unknown): unknown {
  if (!(error instanceof HttpStatusError)) {
    if (error instanceof Error && error.name === "AbortError") return error;
    return new ToolError(`cannot look at messages of ${node} - ${errorText(error)}`, { cause: error });
  }
  const meanings: Readonly<Record<string, string>> = {
    TOPIC_NOT_FOUND: `there is no topic ${topic}`,
    CHANNEL_NOT_FOUND: `topic ${topic} has no channel ${channel}`,
  };
  const meaning = meanings[error.code] ??
    (error.status === 404
      ? "it cannot show messages without delivering them; denosq's nsqd can"
      : error.status === 401 || error.status === 403
      ? "it demands a token that may look: --http-token"
      : error.message);
  return new ToolError(`${node}: ${meaning}`, { cause: error });
}
