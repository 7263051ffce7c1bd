/**
 * A WebSocket on a connection of our own (RFC 6455), the server's side, as a stream of bytes: the data of binary messages one
 * after the other, wherever one ends, and what is written as a message each. No extension is spoken.
 *
 * ```
 *  FIN RSV opcode | MASK length (7, 16 or 64 bits) | mask (32, from clients) | data …
 * ```
 *
 * Data of any length is passed on as it comes, and nothing is gathered; a control frame is at most 125 bytes. Pings are
 * answered before more is read, so who sends many, and reads no answer, is not read from.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { fromNode } from "../base/from_node.ts";
import { type Connection, isDisconnect, writeAll } from "../net/connection.ts";
import { HeaderBlock, Takeover } from "./answer.ts";
import { HttpError } from "./http_error.ts";
import type { HttpRequest, UpgradeOptions } from "./http_request.ts";

const nodeCrypto = fromNode("node:crypto");

/** What every WebSocket's key is hashed with (RFC 6455, 1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION = "13";
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Why a WebSocket is closed (RFC 6455, 7.4.1). */
const CLOSE = { normal: 1000, protocolError: 1002, unsupported: 1003 } as const;

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const CONTROL_LENGTH_MAX = 125;
const MASK_LENGTH = 4;
const HEADER_LENGTH_MAX = 2 + 8 + MASK_LENGTH;
/** How much is read at a time, in bytes. */
const INPUT_SIZE = 16 * 1024;
/** How much is written as one message, in bytes. */
const MESSAGE_SIZE_MAX = 64 * 1024;
/** How long the peer may take to be told of the end, in ms. */
const CLOSE_TIME_MS = 1000;

/** A client does not keep to the protocol. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  /** What it is told. */
  readonly code: number;

  constructor(message: string, code: number = CLOSE.protocolError) {
    super(`WebSocket: ${message}`);
    this.code = code;
  }
}

/**
 * Checks that a request asks for a WebSocket with that subprotocol.
 *
 * @returns Its key, and whether it has named subprotocols.
 * @throws {HttpError} If it does not.
 */
export function checkHandshake(
  { method, headers }: Pick<HttpRequest, "method" | "headers">,
  protocol: string,
): { readonly key: string; readonly isOffered: boolean } {
  const key = headers.get("sec-websocket-key") ?? "";
  const asksFor = hasToken(headers.get("upgrade"), "websocket") &&
    hasToken(headers.get("connection"), "upgrade");
  if (method !== "GET" || !asksFor) {
    throw new HttpError(426, "UPGRADE_REQUIRED", { headers: [["Upgrade", "websocket"]] });
  }
  if (headers.get("sec-websocket-version") !== VERSION) {
    throw new HttpError(426, "UNKNOWN_VERSION", { headers: [["Sec-Websocket-Version", VERSION]] });
  }
  if (!KEY.test(key)) throw new HttpError(400, "INVALID_KEY");
  const offered = headers.get("sec-websocket-protocol");
  if (offered !== undefined && !tokensOf(offered).includes(protocol)) {
    throw new HttpError(400, "UNKNOWN_PROTOCOL");
  }
  return { key, isOffered: offered !== undefined };
}

/** The answer that makes a connection of our own a WebSocket. @throws {HttpError} */
export function takeoverFor(request: HttpRequest, { protocol, serve }: UpgradeOptions): Takeover {
  const { key, isOffered } = checkHandshake(request, protocol);
  const accept = nodeCrypto().createHash("sha1").update(key + GUID).digest("base64");
  const headers = new HeaderBlock([
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-Websocket-Accept", accept],
    ...isOffered ? [["Sec-Websocket-Protocol", protocol] as const] : [],
  ]);
  return new Takeover(headers, async (connection) => {
    const socket = new WebSocketConnection(connection);
    await serve(socket);
    await socket.finish();
  });
}

/** The elements of a header that lists some. */
export function tokensOf(value: string): string[] {
  return value.split(",").map((token) => token.trim());
}

function hasToken(value: string | undefined, token: string): boolean {
  return value !== undefined && tokensOf(value.toLowerCase()).includes(token);
}

/** A WebSocket as a stream of bytes. */
export class WebSocketConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  readonly #input = new Uint8Array(INPUT_SIZE);
  #start = 0;
  #end = 0;
  /** Data that is left of the frame that is being read. */
  #left = 0;
  readonly #mask = new Uint8Array(MASK_LENGTH);
  /** Bytes of its data that have been read. */
  #unmasked = 0;
  /** A message has begun, and its last frame has not come. */
  #isWithin = false;
  /** Frames go out one after the other. */
  #sending = Promise.resolve();
  /** The end has been told, and takes no longer than this. */
  #closing: ReturnType<typeof setTimeout> | undefined;
  /** The peer has told the end. */
  #isTold = false;

  constructor(inner: Connection) {
    this.#inner = inner;
    this.peer = inner.peer;
  }

  /** @throws {WebSocketError} When what comes is no data of a binary message; the peer has been told. */
  async read(buffer: Uint8Array): Promise<number | null> {
    try {
      while (this.#left === 0) {
        if (!await this.#readHeader()) return null;
      }
      if (this.#start === this.#end && !await this.#fill()) return null;
    } catch (error) {
      if (error instanceof WebSocketError) await this.#send(OPCODE.close, closeData(error.code));
      throw error;
    }
    const count = Math.min(this.#left, this.#end - this.#start, buffer.length);
    this.#unmask(buffer, count);
    this.#left -= count;
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, MESSAGE_SIZE_MAX);
    await this.#send(OPCODE.binary, part);
    return part.length;
  }

  /** Tells the peer; the connection below ends when it has answered, or has had the time for it. */
  close(): void {
    if (this.#closing !== undefined) return;
    this.#closing = setTimeout(() => this.#inner.close(), CLOSE_TIME_MS);
    if (!this.#isTold) void this.#send(OPCODE.close, closeData(CLOSE.normal)).then(next, next);
  }

  /** Settles when the peer has answered that it is the end, or has had the time for it; nothing else may be reading. */
  async finish(): Promise<void> {
    this.close();
    const rest = new Uint8Array(INPUT_SIZE);
    try {
      while (!this.#isTold && await this.read(rest) !== null);
    } catch (error) {
      if (!(error instanceof WebSocketError) && !isDisconnect(error)) throw error;
    } finally {
      clearTimeout(this.#closing);
      this.#inner.close();
    }
  }

  /** Reads up to the data of the next data frame, and answers what comes in between; false at the end. */
  async #readHeader(): Promise<boolean> {
    if (!await this.#need(2)) return false;
    const [first, second] = [this.#input[this.#start], this.#input[this.#start + 1]];
    const opcode = first & 0x0f;
    if ((first & RESERVED) !== 0) throw new WebSocketError("a reserved bit is set");
    if ((second & MASKED) === 0) throw new WebSocketError("a frame is not masked");
    const short = second & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const isControl = opcode >= OPCODE.close;
    if (isControl && (short > CONTROL_LENGTH_MAX || (first & FIN) === 0)) {
      throw new WebSocketError("a control frame is in parts, or too long");
    }
    if (!await this.#need(2 + lengthBytes + MASK_LENGTH)) return false;
    const at = this.#start + 2;
    const length = lengthBytes === 0 ? short : this.#lengthAt(at, lengthBytes);
    this.#mask.set(this.#input.subarray(at + lengthBytes, at + lengthBytes + MASK_LENGTH));
    this.#start = at + lengthBytes + MASK_LENGTH;
    this.#unmasked = 0;
    if (isControl) return await this.#control(opcode, length);
    if (opcode === OPCODE.text) throw new WebSocketError("a message is text", CLOSE.unsupported);
    if (opcode !== (this.#isWithin ? OPCODE.continuation : OPCODE.binary)) {
      throw new WebSocketError(`opcode ${opcode} is not to come here`);
    }
    this.#isWithin = (first & FIN) === 0;
    this.#left = length;
    return true;
  }

  #lengthAt(at: number, size: number): number {
    let length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + this.#input[at + i];
    if (length > Number.MAX_SAFE_INTEGER) throw new WebSocketError("a frame is too long");
    return length;
  }

  async #control(opcode: number, length: number): Promise<boolean> {
    if (!await this.#need(length)) return false;
    const data = new Uint8Array(length);
    this.#unmask(data, length);
    if (opcode === OPCODE.ping) {
      await this.#send(OPCODE.pong, data);
    } else if (opcode === OPCODE.close) {
      this.#isTold = true;
      if (this.#closing === undefined) await this.#send(OPCODE.close, data.subarray(0, 2));
      return false;
    } else if (opcode !== OPCODE.pong) {
      throw new WebSocketError(`opcode ${opcode} is unknown`);
    }
    return true;
  }

  /** Takes data that is there. */
  #unmask(into: Uint8Array, count: number): void {
    const input = this.#input;
    const mask = this.#mask;
    const [from, offset] = [this.#start, this.#unmasked];
    for (let i = 0; i < count; i++) into[i] = input[from + i] ^ mask[offset + i & 3];
    this.#start += count;
    this.#unmasked = offset + count & 3;
  }

  /** Reads until so many bytes are there; false at the end. */
  async #need(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      if (!await this.#fill()) return false;
    }
    return true;
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#input.length - this.#end < HEADER_LENGTH_MAX + CONTROL_LENGTH_MAX) {
      this.#input.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const count = await this.#inner.read(this.#input.subarray(this.#end));
    this.#end += count ?? 0;
    return count !== null;
  }

  #send(opcode: number, data: Uint8Array): Promise<void> {
    const frame = concat([frameHeader(opcode, data.length), data]);
    const sent = this.#sending.then(() => writeAll(this.#inner, frame));
    this.#sending = sent.then(next, next);
    return sent;
  }
}

/** The next one may try: whoever has sent is told by its own promise what has become of it. */
function next(): void {}

function frameHeader(opcode: number, length: number): Uint8Array {
  if (length <= CONTROL_LENGTH_MAX) return Uint8Array.of(FIN | opcode, length);
  if (length < 2 ** 16) return Uint8Array.of(FIN | opcode, 126, length >>> 8, length);
  return Uint8Array.of(FIN | opcode, 127, 0, 0, 0, 0, length >>> 24, length >>> 16, length >>> 8, length);
}

function closeData(code: number): Uint8Array {
  return Uint8Array.of(code >>> 8, code);
}
