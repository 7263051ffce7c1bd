/**
 * What nsqd says to nsqlookupd (protocol V1), and what it is answered:
 *
 * ```
 *  request:  "IDENTIFY\n" [ size i32 ][ JSON, size bytes ]  |  "PING\n"  |  "REGISTER topic [channel]\n"  |  "UNREGISTER …\n"
 *  answer:   [ size i32 ][ data, size bytes ]
 * ```
 *
 * Before the first request goes the magic `"  V1"`. All numbers are big-endian. Each request is answered, in their
 * order, so that many may be sent before the first answer is read. Bytes only, no I/O; the server's side is
 * `lookup_commands.ts`.
 *
 * @module
 */

import { readI32, writeU32 } from "./frames.ts";

/** What nsqd tells nsqlookupd of itself; consumers are given it. */
export interface NodeInfo {
  readonly broadcast_address: string;
  readonly hostname: string;
  readonly http_port: number;
  readonly tcp_port: number;
  readonly topology_region: string;
  readonly topology_zone: string;
  readonly version: string;
}

/** What nsqlookupd answers to that of itself. */
export interface PeerInfo {
  readonly tcpPort: number;
  readonly httpPort: number;
  readonly version: string;
  readonly broadcastAddress: string;
}

/** Bytes of the size before the data of an answer. */
const SIZE_LENGTH = 4;
/** Room for the answers to a batch of registrations; a larger one gets more as it comes. */
const BUFFER_LENGTH = 8 * 1024;

const ENCODER = new TextEncoder();

/** What a connection begins with. */
export const LOOKUP_MAGIC: Readonly<Uint8Array> = ENCODER.encode("  V1");

/** The request that a connection begins with, after the magic. */
export function encodeLookupIdentify(info: NodeInfo): Uint8Array {
  const line = ENCODER.encode("IDENTIFY\n");
  const body = ENCODER.encode(JSON.stringify(info));
  const bytes = new Uint8Array(line.length + SIZE_LENGTH + body.length);
  bytes.set(line);
  writeU32(bytes, line.length, body.length);
  bytes.set(body, line.length + SIZE_LENGTH);
  return bytes;
}

/** Requests that are a line each: `PING`, `REGISTER topic channel`. */
export function encodeLookupLines(lines: readonly string[]): Uint8Array {
  return ENCODER.encode(lines.map((line) => `${line}\n`).join(""));
}

/**
 * What the answer to IDENTIFY says; a field that is missing is empty, as in Go.
 *
 * @throws {SyntaxError} If it is no such answer.
 */
export function decodePeerInfo(data: Uint8Array): PeerInfo {
  const value: unknown = JSON.parse(new TextDecoder().decode(data));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("Cannot read the answer to IDENTIFY: not a JSON object");
  }
  const fields = value as Readonly<Record<string, unknown>>;
  return {
    tcpPort: portOf(fields, "tcp_port"),
    httpPort: portOf(fields, "http_port"),
    version: textOf(fields, "version"),
    broadcastAddress: textOf(fields, "broadcast_address"),
  };
}

/**
 * Takes answers out of the bytes that come, whole ones only.
 *
 * @example Read an answer that comes in two pieces
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LookupAnswers } from "./lookup_requests.ts";
 *
 * const answers = new LookupAnswers(1024);
 * const receive = (...bytes: number[]) => {
 *   answers.space().set(bytes);
 *   answers.received(bytes.length);
 * };
 * receive(0, 0, 0, 2, 79);
 * assertEquals(answers.take(), undefined);
 * receive(75);
 * assertEquals(answers.take(), new TextEncoder().encode("OK"));
 * ```
 */
export class LookupAnswers {
  readonly #sizeMax: number;
  #buffer = new Uint8Array(BUFFER_LENGTH);
  /** Where the bytes begin and end that have not been taken. */
  #start = 0;
  #end = 0;

  /** Answers with more than `sizeMax` bytes of data are refused. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** True when nothing has come that was not taken. */
  get empty(): boolean {
    return this.#start === this.#end;
  }

  /** Where the next bytes go. Call it when `take()` has returned undefined. */
  space(): Uint8Array {
    const pending = this.#end - this.#start;
    if (pending === this.#buffer.length) {
      // Grows with what has come, not with what was announced: a size alone costs no memory.
      const larger = new Uint8Array(2 * pending);
      larger.set(this.#buffer);
      this.#buffer = larger;
    } else if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#start = 0;
      this.#end = pending;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** Says how many bytes have come. */
  received(count: number): void {
    this.#end += count;
  }

  /**
   * The data of the next answer, or undefined if it has not all come.
   *
   * @throws {RangeError} If it is too large.
   */
  take(): Uint8Array | undefined {
    const available = this.#end - this.#start;
    if (available < SIZE_LENGTH) return undefined;
    const size = readI32(this.#buffer, this.#start);
    if (size < 0) throw new RangeError(`response body size (${size}) is negative`);
    if (size > this.#sizeMax) {
      throw new RangeError(`response body size (${size}) is greater than limit (${this.#sizeMax})`);
    }
    if (available < SIZE_LENGTH + size) return undefined;
    const from = this.#start + SIZE_LENGTH;
    this.#start = from + size;
    return this.#buffer.slice(from, from + size);
  }
}

function portOf(fields: Readonly<Record<string, unknown>>, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(name);
  return value;
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw wrongType(name);
  return value;
}

function wrongType(name: string): SyntaxError {
  return new SyntaxError(`Cannot read the answer to IDENTIFY: ${name} is of the wrong type`);
}
