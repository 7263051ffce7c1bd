/**
 * An answer to a request, and its form on the wire: that of Go's server, header names spelled as it spells them, because
 * there are clients that compare them letter by letter.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { STATUS_TEXT } from "@std/http/status";
import type { Connection } from "../net/connection.ts";

/** A name, as Go spells it, and a value. */
export type Header = readonly [name: string, value: string];

/** The headers of an answer but for those that its connection adds: made once for answers of a kind. */
export class HeaderBlock {
  readonly list: readonly Header[];
  /** As they are sent. */
  readonly text: string;

  constructor(list: readonly Header[]) {
    this.list = list;
    this.text = list.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  /** These and more. */
  with(more: readonly Header[]): HeaderBlock {
    return more.length === 0 ? this : new HeaderBlock([...this.list, ...more]);
  }
}

/**
 * A text, or one that was so long that it has been encoded in pieces, which are sent one after the other; or what comes
 * bit by bit, for as long as somebody wants it.
 */
export type AnswerBody =
  | string
  | readonly Uint8Array<ArrayBuffer>[]
  | ReadableStream<Uint8Array<ArrayBuffer>>;

/** An answer. */
export class Answer {
  readonly status: number;
  readonly headers: HeaderBlock;
  readonly body: AnswerBody;

  constructor(status: number, headers: HeaderBlock, body: AnswerBody = "") {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** The same answer with further headers. */
  with(...more: readonly Header[]): Answer {
    return new Answer(this.status, this.headers.with(more), this.body);
  }
}

/** After this answer the connection is not HTTP's any more. */
export class Takeover extends Answer {
  /** Serves the connection to its end. */
  readonly serve: (connection: Connection) => Promise<void>;

  constructor(headers: HeaderBlock, serve: (connection: Connection) => Promise<void>) {
    super(101, headers);
    this.serve = serve;
  }
}

/** What the connection says of itself and of how it goes on. */
export interface AnswerForm {
  /** HTTP/1.0. */
  readonly isOld: boolean;
  readonly keepAlive: boolean;
  /** HEAD: the answer ends with its headers. */
  readonly isHead: boolean;
}

const ENCODER = new TextEncoder();
/** Headers that Go's server has for what it refuses itself. */
const REFUSAL = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
/** Where Go says something else than the registry does by now. */
const GO_TEXT: Readonly<Record<number, string>> = { 413: "Request Entity Too Large" };

/** Where an answer is interim: the client may send its body. */
export const CONTINUE = ENCODER.encode("HTTP/1.1 100 Continue\r\n\r\n");

/** The text of a status, as Go has it. */
export function statusText(status: number): string {
  return GO_TEXT[status] ?? STATUS_TEXT[status] ?? `status code ${status}`;
}

/** The short answer that was sent last, and how: mostly the next is the same, and encoding one costs as much as reading a head. */
let last: { readonly answer: Answer; readonly form: AnswerForm; readonly date: string } | undefined;
let lastPieces: readonly Uint8Array<ArrayBuffer>[] = [];

/** An answer as it is sent: what is short in one piece. */
export function encodeAnswer(answer: Answer, form: AnswerForm): readonly Uint8Array<ArrayBuffer>[] {
  if (typeof answer.body !== "string" || answer.body.length > ASCII_LOOKED_FOR_MAX) {
    return encodeAnew(answer, form);
  }
  const date = dateText();
  if (last?.date !== date || !isSameAnswer(last.answer, answer) || !isSameForm(last.form, form)) {
    lastPieces = encodeAnew(answer, form);
    last = { answer, form, date };
  }
  return lastPieces;
}

function isSameAnswer(a: Answer, b: Answer): boolean {
  return a.status === b.status && a.headers === b.headers && a.body === b.body;
}

function isSameForm(a: AnswerForm, b: AnswerForm): boolean {
  return a.isOld === b.isOld && a.keepAlive === b.keepAlive && a.isHead === b.isHead;
}

function encodeAnew(
  answer: Answer,
  { isOld, keepAlive, isHead }: AnswerForm,
): readonly Uint8Array<ArrayBuffer>[] {
  const { status, headers, body } = answer;
  if (body instanceof ReadableStream || status === 101) {
    return [encodeOpenHead(answer, { isOld, keepAlive, isHead })];
  }
  const version = isOld ? "HTTP/1.0" : "HTTP/1.1";
  const connection = keepAlive ? isOld ? "Connection: keep-alive\r\n" : "" : "Connection: close\r\n";
  const head = (length: number) =>
    `${version} ${status} ${statusText(status)}\r\n${headers.text}Date: ${dateText()}\r\n` +
    `${status === 204 ? "" : `Content-Length: ${length}\r\n`}${connection}\r\n`;
  if (typeof body === "string" && body.length <= ASCII_LOOKED_FOR_MAX && isAscii(body)) {
    return [ENCODER.encode(isHead ? head(body.length) : head(body.length) + body)];
  }
  const pieces = typeof body === "string" ? [ENCODER.encode(body)] : body;
  const headBytes = ENCODER.encode(head(pieces.reduce((sum, { length }) => sum + length, 0)));
  if (isHead) return [headBytes];
  const [first, ...rest] = pieces;
  // One write for both, where it is one: each costs more than the copy.
  return rest.length === 0 && first !== undefined ? [concat([headBytes, first])] : [headBytes, ...pieces];
}

/** A chunk of an answer that comes bit by bit (RFC 9112, 7.1). */
export function encodeChunk(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return concat([ENCODER.encode(`${bytes.length.toString(16)}\r\n`), bytes, LINE_END]);
}

const LINE_END = ENCODER.encode("\r\n");
/** The end of such an answer. */
export const LAST_CHUNK = ENCODER.encode("0\r\n\r\n");

/** The head of an answer whose length is not known: what follows comes in chunks, or lasts until the connection ends. */
function encodeOpenHead(
  { status, headers }: Answer,
  { isOld, keepAlive }: AnswerForm,
): Uint8Array<ArrayBuffer> {
  const chunks = isOld || status === 101 ? "" : "Transfer-Encoding: chunked\r\n";
  const connection = keepAlive || status === 101 ? "" : "Connection: close\r\n";
  return ENCODER.encode(
    `${isOld ? "HTTP/1.0" : "HTTP/1.1"} ${status} ${statusText(status)}\r\n${headers.text}` +
      `Date: ${dateText()}\r\n${chunks}${connection}\r\n`,
  );
}

/** What Go's server answers to what is no request; the connection ends. */
export function encodeRefusal(status: number, message: string): Uint8Array<ArrayBuffer> {
  const text = `${status} ${statusText(status)}`;
  // NSQ compat: of all refusals these two have another form.
  if (status === 501) return ENCODER.encode(`HTTP/1.1 ${text}\r\n${REFUSAL}${message}`);
  if (status === 417) {
    return ENCODER.encode(
      `HTTP/1.1 ${text}\r\nConnection: close\r\nDate: ${dateText()}\r\nContent-Length: 0\r\n\r\n`,
    );
  }
  const said = message === "" ? text : `${text}: ${message}`;
  return ENCODER.encode(`HTTP/1.1 ${said}\r\n${REFUSAL}${said}`);
}

/** Longer texts are encoded first, to learn their length. */
const ASCII_LOOKED_FOR_MAX = 1024;

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

let dateS = 0;
let date = "";

/** Now, as the Date header has it. */
function dateText(): string {
  const nowS = Math.floor(Date.now() / 1000);
  if (nowS !== dateS) {
    dateS = nowS;
    date = new Date(nowS * 1000).toUTCString();
  }
  return date;
}
