/**
 * Messages of a channel as files: those of the page that is looked at as JSON or CSV, or many, one after the other, as an object of
 * JSON in a line each, with the names that the tools use (src/tools/message_form.ts).
 *
 * @module
 */

import { failureText, UnansweredError } from "../../cluster/asked.ts";
import {
  lookAtMessages,
  type MessagesPage,
  type MessagesQuery,
  type SeenMessage,
  WHOLE_BODY_SIZE,
} from "../../cluster/messages.ts";
import { Answer, HeaderBlock } from "../../http/answer.ts";
import { CAUTION } from "../../http/decorators.ts";
import { wholeNumber } from "../../http/whole_number.ts";
import { mayGoOn } from "../access.ts";
import type { Fields } from "./export.tsx";
import type { Markup } from "./markup.ts";
import { type PageRequest, queryWith } from "./request.ts";

/** Messages of a file of many. */
export const EXPORTED_MAX = 10_000;
/** The same where nobody says. */
const EXPORTED_DEFAULT = 1000;
/** Messages that the node is asked for at a time. */
const ASKED_MAX = 50;
/** How long the node looks for so many at the most, in ms. */
const EXPORT_TIME_MAX_MS = 60_000;
const NDJSON = new HeaderBlock([["Content-Type", "application/x-ndjson; charset=utf-8"], ...CAUTION]);
const ENCODER = new TextEncoder();

/** A message in a file, as far as its page shows it. */
export const MESSAGE_FIELDS: Fields<SeenMessage> = {
  id: ({ id }) => id,
  state: ({ state }) => state,
  attempts: ({ attempts }) => attempts,
  timestamp: ({ timestamp }) => timestamp,
  size: ({ sizeBytes }) => sizeBytes,
  client: ({ client }) => client,
  expires_in_ms: ({ expiresInMs }) => expiresInMs,
  due_in_ms: ({ dueInMs }) => dueInMs,
  body: ({ text }) => text,
  body_base64: ({ text, bytes }) => text === undefined ? bytes.toBase64() : undefined,
  cut: ({ isCut }) => isCut,
};

/** Where these are. */
export function MessageExportLinks({ request }: { readonly request: PageRequest }): Markup {
  const to = (format: string) => queryWith(request.query, { format, done: "" });
  return (
    <p class="quiet">
      {request.texts.export.messages({
        csv: <a href={to("csv")}>CSV</a>,
        json: <a href={to("json")}>JSON</a>,
        lines: (text) => <a href={to("ndjson")}>{text}</a>,
      }, EXPORTED_DEFAULT)}
    </p>
  );
}

/** Many messages of a node, as they are looked at (`?format=ndjson&count=`). @throws {HttpError} 400 */
export function exportedMessages(
  { admin, context, query }: PageRequest,
  node: string,
  { topic, channel, parameters }: MessagesQuery,
): Answer {
  let left = wholeNumber(
    query.get("count"),
    { otherwise: EXPORTED_DEFAULT, max: EXPORTED_MAX },
    "INVALID_COUNT",
  );
  let { cursor = "" } = parameters;
  const endMs = admin.clock.monotonicMs() + EXPORT_TIME_MAX_MS;
  const next = async (): Promise<MessagesPage> => {
    const { value } = await lookAtMessages(admin.cluster, node, {
      topic,
      channel,
      parameters: { ...parameters, cursor },
      messagesMax: Math.min(left, ASKED_MAX),
      bodySizeMax: WHOLE_BODY_SIZE,
    });
    return value;
  };
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    // As fast as it is read, and no faster.
    async pull(file) {
      // What is behind it is missing: who reads it is to know.
      const cutOff = (error: string) => {
        file.enqueue(ENCODER.encode(`${JSON.stringify({ error })}\n`));
        file.close();
      };
      try {
        const page = await next();
        const lines = page.messages.map((message) => lineOf(message, { topic, channel, node }));
        if (lines.length > 0) file.enqueue(ENCODER.encode(lines.join("")));
        left -= page.messages.length;
        cursor = page.cursor;
        if (left <= 0 || cursor === "") return file.close();
        if (admin.clock.monotonicMs() > endMs) cutOff("it has taken too long");
        else if (!mayGoOn(admin, context, "peek")) cutOff("you may not read messages any more");
      } catch (error) {
        if (!(error instanceof UnansweredError)) throw error;
        cutOff(failureText(error.failures));
      }
    },
  }, { highWaterMark: 1 });
  return new Answer(200, NDJSON, stream);
}

function lineOf(
  message: SeenMessage,
  place: { readonly topic: string; readonly channel: string; readonly node: string },
): string {
  const { id, timestamp, attempts, state, text, bytes, isCut } = message;
  const body = text === undefined ? { body_base64: bytes.toBase64() } : { body: text };
  const line = { ...place, id, timestamp, attempts, state, ...body, ...isCut && { cut: true } };
  return `${JSON.stringify(line)}\n`;
}
