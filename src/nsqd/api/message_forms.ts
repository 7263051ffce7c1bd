/**
 * The forms in which messages are answered: JSON, the bytes of a single one, or frames of protocol V2.
 *
 * @module
 */
import { fromNode } from "../../base/from_node.ts";
import { TimeSlice } from "../../base/time_slice.ts";
import { Answer, HeaderBlock } from "../../http/answer.ts";
import { V1_JSON } from "../../http/decorators.ts";
import { FRAME_TYPE, MESSAGE_HEADER_LENGTH, writeU32 } from "../../protocol/frames.ts";
import { MESSAGE_ID_LENGTH } from "../../protocol/message_id.ts";
import type { LeasedMessage } from "../queue/queue.ts";

const buffer = fromNode("node:buffer");

/** One of the forms. */
export type MessageForm = "json" | "raw" | "frames";

/** What a form is asked for by in an Accept header. */
const MEDIA_TYPES: readonly (readonly [type: string, form: MessageForm])[] = [
  ["application/octet-stream", "raw"],
  ["application/vnd.nsq.v2", "frames"],
];

const CAUTION = [["Cache-Control", "no-store"], ["X-Content-Type-Options", "nosniff"]] as const;
/** Headers of an answer that is the bytes of a message. */
export const RAW = new HeaderBlock([["Content-Type", "application/octet-stream"], ...CAUTION]);
const FRAMES = new HeaderBlock([["Content-Type", "application/vnd.nsq.v2"], ...CAUTION]);
const NOTHING = new HeaderBlock(CAUTION);

/** A byte order mark at the beginning belongs to the body. */
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const ENCODER = new TextEncoder();
/** A longer text is encoded in pieces, in characters. */
const PIECE_LENGTH = 64 * 1024;

/** The form that a request asks for, by name or by its Accept header; `undefined` for an unknown name. */
export function formOf(name: string | undefined, accept: string | undefined): MessageForm | undefined {
  if (name === "json" || name === "raw" || name === "frames") return name;
  if (name !== undefined) return undefined;
  return MEDIA_TYPES.find(([type]) => accept?.includes(type))?.[1] ?? "json";
}

/** The answer with these messages; `epoch` is that of their leases. */
export function messagesAnswer(
  messages: readonly LeasedMessage[],
  form: MessageForm,
  epoch: string,
): Answer | Promise<Answer> {
  if (form === "json") return jsonAnswer(messages);
  return form === "raw" ? rawAnswer(messages[0]) : framesAnswer(messages, epoch);
}

/** A message as JSON, in one line: a body that is not UTF-8 is base64, and said to be so. */
export function messageJson(message: LeasedMessage): string {
  const { id, lease, attempts, timestampNs, expiresInMs, traceparent, body } = message;
  const content = buffer().isUtf8(body)
    ? `"body":${JSON.stringify(DECODER.decode(body))}`
    : `"body":"${body.toBase64()}","encoding":"base64"`;
  const context = traceparent === undefined ? "" : `"traceparent":"${traceparent}",`;
  return `{"id":"${id}","lease":"${lease}","attempts":${attempts},"timestamp":"${timestampNs}",` +
    `"expires_in_ms":${Math.floor(expiresInMs)},${context}${content}}`;
}

/** Large messages take a while, in which others are served. */
async function jsonAnswer(messages: readonly LeasedMessage[]): Promise<Answer> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const slice = new TimeSlice();
  let text = '{"messages":[';
  for (const [i, message] of messages.entries()) {
    if (i > 0) text += ",";
    text += messageJson(message);
    if (text.length >= PIECE_LENGTH) {
      pieces.push(ENCODER.encode(text));
      text = "";
    }
    if (slice.isOver) await slice.next();
  }
  text += "]}";
  if (pieces.length === 0) return new Answer(200, V1_JSON, text);
  pieces.push(ENCODER.encode(text));
  return new Answer(200, V1_JSON, pieces);
}

function rawAnswer(message: LeasedMessage | undefined): Answer {
  if (message === undefined) return new Answer(204, NOTHING);
  const { id, lease, attempts, timestampNs, traceparent, body } = message;
  const headers = RAW.with([
    ["Nsq-Message-Id", id],
    ["Nsq-Lease", lease],
    ["Nsq-Attempts", String(attempts)],
    ["Nsq-Timestamp", String(timestampNs)],
    ...traceparent === undefined ? [] : [["traceparent", traceparent] as const],
  ]);
  return new Answer(200, headers, [body]);
}

/** A frame's id is the first part of the lease: with attempts and epoch that makes it whole. */
function framesAnswer(messages: readonly LeasedMessage[], epoch: string): Answer {
  const size = messages.reduce((sum, { body }) => sum + MESSAGE_HEADER_LENGTH + body.length, 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const { lease, attempts, timestampNs, body } of messages) {
    writeU32(out, at, MESSAGE_HEADER_LENGTH - 4 + body.length);
    writeU32(out, at + 4, FRAME_TYPE.message);
    view.setBigUint64(at + 8, timestampNs);
    view.setUint16(at + 16, attempts);
    for (let i = 0; i < MESSAGE_ID_LENGTH; i++) out[at + 18 + i] = lease.charCodeAt(i);
    out.set(body, at + MESSAGE_HEADER_LENGTH);
    at += MESSAGE_HEADER_LENGTH + body.length;
  }
  return new Answer(200, FRAMES.with([["Nsq-Lease-Epoch", epoch]]), [out]);
}
