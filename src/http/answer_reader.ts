/**
 * The answer to one request, as it comes on a connection. Nothing else is expected on it: what follows is left.
 *
 * ```
 *  HTTP/1.1 100 Continue ⏎⏎   HTTP/1.1 200 OK ⏎ Transfer-Encoding: chunked ⏎⏎   5 ⏎ hello ⏎ 0 ⏎⏎
 *  ── passed over ─────────   ── head ──────────────────────────────────────   ── body ─────────
 * ```
 *
 * All of it is read to one piece of memory, in which the body is moved together in the end: an answer may have many MB, and
 * each copy of them costs as much as reading them.
 *
 * @module
 */

import type { FairShare } from "../base/fair_share.ts";
import type { Connection } from "../net/connection.ts";
import { ChunkDecoder, ChunkError } from "./chunks.ts";
import { headEnd, type HeaderFields, isMalformed, parseFields, RefusedRequest } from "./head.ts";

/** An answer, whatever its status. */
export interface ClientAnswer {
  readonly status: number;
  readonly headers: HeaderFields;
  /** Its body, which is there until it has been used: others may be read to the same memory then. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What {@linkcode AnswerReader} is given. */
export interface AnswerReaderOptions {
  readonly connection: Connection;
  /** Memory to be read to; where it is too small, other is taken in its place. */
  readonly room: Uint8Array<ArrayBuffer>;
  /** Whose turns are waited for. */
  readonly share: FairShare;
  /** Is told how long the body is as far as it has come. @throws {Error} If it may not be as long. */
  readonly onSize: (size: number) => void;
  /** The head is there. */
  readonly onHead: () => void;
}

/** The largest head, in bytes: Node's limit. */
export const ANSWER_HEAD_SIZE_MAX = 16 * 1024;
/** Most bytes of one read: the runtime lets 128 of them succeed before others have their turn. */
const READ_SIZE_MAX = 128 * 1024;

const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: [^\r]*)?\r?$/;
const VERSION = new TextEncoder().encode("HTTP/1.");
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** How long a body is: that many bytes, told with each of its chunks, or as many as come. */
type AnswerLength = number | "chunked" | "open";

interface AnswerHead {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly length: AnswerLength;
}

/** Reads one answer. */
export class AnswerReader {
  readonly #options: AnswerReaderOptions;
  #room: Uint8Array<ArrayBuffer>;
  /** Up to where bytes have come. */
  #end = 0;

  constructor(options: AnswerReaderOptions) {
    this.#options = options;
    this.#room = options.room;
  }

  /** The memory that it was read to. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.#room;
  }

  /** Reads all of it. @throws {Error} If it is none, breaks off, or is too long. */
  async read(): Promise<ClientAnswer> {
    let head = await this.#readHead();
    while (head.status < 200) head = await this.#readHead();
    this.#options.onHead();
    const size = await this.#readBody(head.length);
    return { status: head.status, headers: head.headers, bytes: this.#room.subarray(0, size) };
  }

  /** The next head, behind which nothing is left. */
  async #readHead(): Promise<AnswerHead> {
    for (let searched = 0;;) {
      // Whoever speaks something else may not say more before he hears more.
      if (!startsAlike(this.#room, VERSION, this.#end)) throw malformed("it does not begin with a version");
      const end = headEnd(this.#room, searched, this.#end);
      if ((end < 0 ? this.#end : end) > ANSWER_HEAD_SIZE_MAX) throw malformed("its head is too long");
      if (end >= 0) {
        const head = parseAnswerHead(this.#room.subarray(0, end));
        this.#room.copyWithin(0, end, this.#end);
        this.#end -= end;
        return head;
      }
      // The end may be across what has been searched and what comes.
      searched = Math.max(0, this.#end - 3);
      if (!await this.#fill()) throw new Error(this.#end === 0 ? "EOF" : "unexpected EOF");
    }
  }

  /** The body, from the beginning of the room on: its length. */
  async #readBody(length: AnswerLength): Promise<number> {
    if (length === "chunked") return await this.#readChunks();
    const sizeMax = length === "open" ? Infinity : length;
    for (;;) {
      const size = Math.min(this.#end, sizeMax);
      this.#options.onSize(size);
      if (size === sizeMax) return size;
      if (await this.#fill()) continue;
      if (length === "open") return size;
      throw new Error("unexpected EOF");
    }
  }

  async #readChunks(): Promise<number> {
    const decoder = new ChunkDecoder();
    let size = 0;
    for (;;) {
      const start = size;
      const room = this.#room;
      const read = decoded(decoder, room.subarray(0, this.#end), start, (from, to) => {
        room.copyWithin(size, from, to);
        size += to - from;
      }) - start;
      this.#options.onSize(size);
      if (decoder.done) return size;
      this.#end = size;
      // Many small chunks cost much more than their bytes.
      if (size - start < read / 2) await this.#options.share.turn();
      if (!await this.#fill()) throw new Error("unexpected EOF");
    }
  }

  /** Reads more; false at the end. */
  async #fill(): Promise<boolean> {
    if (this.#end === this.#room.length) {
      const larger = new Uint8Array(2 * this.#room.length);
      larger.set(this.#room);
      this.#room = larger;
    }
    const { connection } = this.#options;
    const count = await connection.read(this.#room.subarray(this.#end, this.#end + READ_SIZE_MAX));
    this.#end += count ?? 0;
    return count !== null;
  }
}

/** Whether bytes, as far as they have come, begin with those. */
function startsAlike(bytes: Uint8Array, expected: Uint8Array, end: number): boolean {
  for (let i = 0; i < expected.length && i < end; i++) if (bytes[i] !== expected[i]) return false;
  return true;
}

/** {@linkcode ChunkDecoder.decode} of what has come of an answer. */
function decoded(
  decoder: ChunkDecoder,
  bytes: Uint8Array,
  start: number,
  data: (from: number, to: number) => void,
): number {
  try {
    return decoder.decode(bytes, start, bytes.length, data);
  } catch (error) {
    if (error instanceof ChunkError) throw malformed(error.message);
    throw error;
  }
}

function parseAnswerHead(bytes: Uint8Array): AnswerHead {
  if (isMalformed(bytes)) throw malformed("its head has a control character");
  const text = DECODER.decode(bytes);
  const lineEnd = text.indexOf("\n");
  const status = Number(STATUS_LINE.exec(text.slice(0, lineEnd))?.[1]);
  // That of a protocol that nobody has asked for is none.
  if (Number.isNaN(status) || status === 101) throw malformed("it has no status");
  const headers = fieldsOf(text, lineEnd + 1);
  return { status, headers, length: lengthOf(status, headers) };
}

function fieldsOf(text: string, from: number): HeaderFields {
  try {
    const { headers, isNamed } = parseFields(text, from);
    if (isNamed) return headers;
  } catch (error) {
    if (!(error instanceof RefusedRequest)) throw error;
  }
  throw malformed("a line of its head is no header");
}

/** Is told once, and in one way, like that of a request. */
function lengthOf(status: number, headers: HeaderFields): AnswerLength {
  if (status === 204 || status === 304) return 0;
  const encoding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (encoding !== undefined) {
    if (
      length !== undefined || headers.count("transfer-encoding") > 1 || encoding.toLowerCase() !== "chunked"
    ) {
      throw malformed("its length is not clear");
    }
    return "chunked";
  }
  if (length === undefined) return "open";
  if (!/^\d{1,15}$/.test(length) || headers.count("content-length") > 1) {
    throw malformed("its length is not clear");
  }
  return Number(length);
}

function malformed(what: string): Error {
  return new Error(`malformed HTTP response: ${what}`);
}
