/**
 * What the two sides of an I/O thread tell each other. A connection's records have its number as their id; others have 0.
 *
 * ```
 *  thread                                          main
 *    opened (who)       ────────────────────────▶    admitted, or not
 *                       ◀────────────────────────  credit (bytes that may come)
 *    data …             ────────────────────────▶    a read's
 *                       ◀────────────────────────  data …: a write's
 *    written (bytes)    ────────────────────────▶    as many more may be sent
 *                       ◀────────────────────────  layer (TLS, deflate, snappy)
 *    switched           ────────────────────────▶    what has come before is plain, and the layer's: it goes back
 *                       ◀────────────────────────  unread …, unreadEnd
 *    layered (agreed)   ────────────────────────▶
 *    ended, failed      ────────────────────────▶    the peer sends no more; the connection has broken
 *                       ◀────────────────────────  close
 *    closed             ────────────────────────▶    its number is free, its descriptor too
 * ```
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import type { TlsServerOptions } from "../../tls/acceptor.ts";

/** What a thread says. */
export const FROM_THREAD = {
  /** It is there. */
  started: 14,
  /** It listens. */
  listening: 1,
  /** No more connections will come. */
  stopped: 2,
  /** For the log: {@linkcode LogRecord}. */
  log: 3,
  opened: 4,
  data: 5,
  ended: 6,
  failed: 7,
  written: 8,
  writeFailed: 9,
  switched: 10,
  layered: 11,
  layerFailed: 12,
  closed: 13,
} as const;

/** What a thread is told. */
export const TO_THREAD = {
  /** Listen: on an address. */
  listen: 1,
  /** Accept connections. */
  accept: 2,
  /** Accept no more. */
  stop: 3,
  credit: 4,
  data: 5,
  layer: 6,
  unread: 7,
  unreadEnd: 8,
  close: 9,
  /** Free what nothing refers to any more. */
  collect: 10,
} as const;

/** A line for the log. */
export interface LogRecord {
  readonly level: "info" | "warn" | "error";
  readonly text: string;
}

/** An error that the other side is to throw. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
}

/** A layer; of TLS, with which of the certificates that the thread was given. */
export type LayerRecord =
  | { readonly kind: "tls"; readonly server: number }
  | { readonly kind: "deflate"; readonly level: number }
  | { readonly kind: "snappy" };

/** What a thread is given as messages: the memory that it shares, once, and certificates. */
export type ThreadMessage =
  | {
    /** From the thread, and to it. */
    readonly up: SharedArrayBuffer;
    readonly down: SharedArrayBuffer;
    /** The thread's own bell, and that of the main one. */
    readonly bell: SharedArrayBuffer;
    readonly mainBell: SharedArrayBuffer;
    /** What a connection may have on the way to its socket, in bytes. */
    readonly writeWindow: number;
  }
  | { readonly server: number; readonly options: TlsServerOptions };

/** What a thread says as a message: why it cannot go on. */
export interface ThreadFault {
  readonly reason: string;
  /** Where that was, for who is to mend it. */
  readonly stack: readonly string[];
}

/** What one connection may have on the way to its session that has not been read, in bytes. */
export const READ_WINDOW = 128 * 1024;
/** What one connection may have on the way to its socket that the system has not taken, in bytes, where more may wait for it. */
const WRITE_WINDOW = 64 * 1024;

/** The same of `outputMax` bytes that may wait for a client in all: half of them are the output's in any case. */
export function writeWindow(outputMax: number): number {
  return Math.max(1, Math.min(WRITE_WINDOW, Math.floor(outputMax / 2)));
}

/** The longest payload of bytes that a connection's record has, but for one read, in bytes. */
export const PIECE_SIZE_MAX = 64 * 1024;

/** Ids are from 1 to that: those of a ring are signed, and 0 is nobody's. */
const ID_MAX = 0x7fffffff;

/** The number of the next connection: they begin anew after the largest, with those that are free. */
export function nextId(last: number, used: { has(id: number): boolean }): number {
  let id = last;
  do id = id === ID_MAX ? 1 : id + 1; while (used.has(id));
  return id;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A number of bytes, as a record's payload. */
export function encodeCount(count: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(count).buffer);
}

/** The same back. */
export function decodeCount(bytes: Uint8Array, start: number): number {
  return bytes[start] | bytes[start + 1] << 8 | bytes[start + 2] << 16 | bytes[start + 3] << 24;
}

/** What a record says in words, as its payload. */
export function encodeRecord(value: unknown): Uint8Array {
  return ENCODER.encode(JSON.stringify(value));
}

/** The same back. It comes from our own program, and is of the type that its kind says. */
export function decodeRecord<Value>(bytes: Uint8Array, start: number, end: number): Value {
  // A view of shared memory cannot be decoded.
  return JSON.parse(DECODER.decode(bytes.slice(start, end))) as Value;
}

/** A fault for the other side. */
export function faultOf(thrown: unknown): ThreadFault {
  const stack = thrown instanceof Error ? thrown.stack?.split("\n").slice(1) : undefined;
  return { reason: errorText(thrown), stack: stack ?? [] };
}

/** An error for the other side. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (!(thrown instanceof Error)) return { name: "Error", message: String(thrown) };
  return { name: thrown.name, message: thrown.message };
}

/** The error that was thrown on the other side; those that say that the peer has gone do so here as well. */
export function errorOf({ name, message }: ErrorRecord): Error {
  const known: Readonly<Record<string, new (message: string) => Error>> = Deno.errors;
  return new (Object.hasOwn(known, name) ? known[name] : Error)(message);
}
