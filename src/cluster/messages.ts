/**
 * Looking at the messages that a node has of a channel (docs/http-api.md, `GET /messages`). What the node answers may be
 * anything: no more of it is taken than was asked for.
 *
 * @module
 */

import { type Fields, fieldsOf, flagField, listField, textField, wholeField } from "./answer_fields.ts";
import { type Answered, askAll } from "./asked.ts";
import type { Cluster } from "./cluster.ts";
import { queryEscape } from "../http/query.ts";
import { RefusedError } from "./daemon_client.ts";

/** Messages of a page. */
export const PAGE_MESSAGES = 20;
/** Bytes of a body that are shown. */
export const SHOWN_BODY_SIZE = 1024;
/** The same, of a message that is looked at alone. */
export const WHOLE_BODY_SIZE = 64 * 1024;
/** Characters of what else a node says of a message: more is nothing that nsqd says. */
export const WORD_LENGTH_MAX = 256;

/** Which messages. */
export interface MessagesQuery {
  readonly topic: string;
  readonly channel: string;
  /** Parameters of nsqd's `/messages` by name; empty ones are left out. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The most messages. @default {PAGE_MESSAGES} */
  readonly messagesMax?: number;
  /** Bytes of each body. @default {SHOWN_BODY_SIZE} */
  readonly bodySizeMax?: number;
}

/** A message, as a node shows it. */
export interface SeenMessage {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  /** In ns. */
  readonly timestamp: string;
  readonly sizeBytes: number;
  /** Who has it in flight; empty for nobody. */
  readonly client: string;
  /** Until it times out. */
  readonly expiresInMs: number | undefined;
  /** Until it may be delivered. */
  readonly dueInMs: number | undefined;
  /** The beginning of the body; undefined where it is no text. */
  readonly text: string | undefined;
  readonly bytes: Uint8Array;
  /** There is more of the body. */
  readonly isCut: boolean;
}

/** A message of a channel. */
export interface MessageTarget {
  readonly topic: string;
  readonly channel: string;
  /** `host:port` of the node that has it. */
  readonly node: string;
  readonly id: string;
}

/** A page of them. */
export interface MessagesPage {
  readonly messages: readonly SeenMessage[];
  /** Where the next page begins; empty at the end. */
  readonly cursor: string;
  readonly looked: number;
  /** Places on disk that could not be read. */
  readonly unreadable: number;
  /** Bodies that were not searched whole. */
  readonly partly: number;
}

/** Why a node is not asked: an address that somebody brings is no reason to connect to it. */
export const NO_SUCH_NODE = "nobody tells of such a node that has the topic";

/** What refusals mean, where their names do not say it. */
const REASONS: Readonly<Record<string, string>> = {
  NOT_FOUND:
    "this nsqd does not offer it (404): it is NSQ's, or an older denosq, or keeps its messages in a database, or offers it at its --admin-address only",
  TOPIC_NOT_FOUND: "it does not have the topic",
  CHANNEL_NOT_FOUND: "it does not have the channel",
  MESSAGE_NOT_FOUND: "it does not have the message any more, or cannot read it",
  INVALID_ID: "that is no id of a message",
  CLIENT_NOT_FOUND: "it has no such connection any more, or messages are asked for by single requests there",
  NOT_DEFERRED: "it is due: it waits, or is in flight",
  TOO_MANY_PEEKS: "too many are looking at its messages: try again",
  TOO_MANY_GAPS: "too many messages in between were deleted or requeued: try again when some are delivered",
  INVALID_CONTAINS: "it does not search for such a text: 1 to 256 bytes",
  INVALID_REGEX: "that is no pattern (RE2)",
  INVALID_PATH: "that is no JSON path: $.name, $.list[0], $.list[*]['a name']",
  INVALID_CURSOR: "that is no place among its messages: begin at the first",
  NO_DRAIN:
    "it keeps its messages in a database, and there is nothing to be finished first: it can be stopped",
  UNAUTHORIZED: "it wants a token (--nsqd-auth-token-file)",
  FORBIDDEN: "the token is not for this (--nsqd-auth-token-file)",
};

/** Asks a node for a page. @throws {UnansweredError} Why there is none. */
export async function lookAtMessages(
  cluster: Cluster,
  node: string,
  { topic, channel, parameters, messagesMax = PAGE_MESSAGES, bodySizeMax = SHOWN_BODY_SIZE }: MessagesQuery,
): Promise<Answered<MessagesPage>> {
  const query = Object.entries({
    topic,
    channel,
    max: String(messagesMax),
    body: String(bodySizeMax),
    ...parameters,
  }).filter(([, value]) => value !== "").map(([name, value]) => `${name}=${queryEscape(value)}`);
  const { value: [page], failures } = await askAll("nsqd", [node], (nsqd) => {
    const path = `/messages?${query.join("&")}`;
    return inWords(cluster.client.get(nsqd, path, (answer) => pageOf(answer, { messagesMax, bodySizeMax })));
  });
  return { value: page, failures };
}

/** Asks a node for one message. @throws {UnansweredError} Why it is not shown. */
export async function lookAtMessage(
  cluster: Cluster,
  { topic, channel, node, id }: MessageTarget,
): Promise<Answered<SeenMessage>> {
  const query = Object.entries({ topic, channel, id }).map(([name, value]) =>
    `${name}=${queryEscape(value)}`
  );
  const { value: [message], failures } = await askAll("nsqd", [node], (nsqd) => {
    const path = `/message?${query.join("&")}`;
    return inWords(cluster.client.get(nsqd, path, (answer) => messageOf(answer, WHOLE_BODY_SIZE)));
  });
  return { value: message, failures };
}

/** The same, refused in words. */
export async function inWords<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (cause) {
    if (!(cause instanceof RefusedError)) throw cause;
    const code = cause.code ?? (cause.status === 404 ? "NOT_FOUND" : "");
    throw Object.hasOwn(REASONS, code) ? new Error(REASONS[code], { cause }) : cause;
  }
}

/** @throws {TypeError} For what is no page. */
function pageOf(
  answer: unknown,
  { messagesMax, bodySizeMax }: Required<Pick<MessagesQuery, "messagesMax" | "bodySizeMax">>,
): MessagesPage {
  const fields = fieldsOf(answer, "the answer");
  return {
    messages: listField(fields, "messages").slice(0, messagesMax).map((each) => messageOf(each, bodySizeMax)),
    cursor: wordField(fields, "cursor"),
    looked: wholeField(fields, "looked"),
    unreadable: wholeField(fields, "unreadable"),
    partly: wholeField(fields, "partly"),
  };
}

function messageOf(value: unknown, bodySizeMax: number): SeenMessage {
  const fields = fieldsOf(value, "a message");
  const body = bodyOf(textField(fields, "body"), textField(fields, "encoding"), bodySizeMax);
  return {
    id: wordField(fields, "own_id") || wordField(fields, "id"),
    state: wordField(fields, "state"),
    attempts: wholeField(fields, "attempts"),
    timestamp: wordField(fields, "timestamp"),
    sizeBytes: wholeField(fields, "size"),
    client: wordField(fields, "client"),
    expiresInMs: timeField(fields, "expires_in_ms"),
    dueInMs: timeField(fields, "due_in_ms"),
    ...body,
    isCut: body.isCut || flagField(fields, "cut"),
  };
}

/** A field that is a text of a few characters. @throws {TypeError} */
function wordField(fields: Fields, name: string): string {
  const text = textField(fields, name);
  if (text.length > WORD_LENGTH_MAX) {
    throw new TypeError(`${name} has more than ${WORD_LENGTH_MAX} characters`);
  }
  return text;
}

/** A field that is a time in ms. @throws {TypeError} */
function timeField(fields: Fields, name: string): number | undefined {
  if (fields[name] === undefined) return undefined;
  const ms = wholeField(fields, name);
  if (!Number.isSafeInteger(ms)) throw new TypeError(`${name} is too large`);
  return ms;
}

/** The body, but for what was not asked for. @throws {SyntaxError} If it is said to be base64 and is not. */
function bodyOf(
  body: string,
  encoding: string,
  sizeMax: number,
): Pick<SeenMessage, "text" | "bytes" | "isCut"> {
  if (encoding === "base64") {
    const shown = body.slice(0, Math.ceil(sizeMax / 3) * 4);
    const bytes = Uint8Array.fromBase64(shown).subarray(0, sizeMax);
    return { text: undefined, bytes, isCut: shown.length < body.length };
  }
  const text = body.slice(0, sizeMax);
  return { text, bytes: new TextEncoder().encode(text), isCut: text.length < body.length };
}
