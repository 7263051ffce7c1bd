/**
 * Reads the commands of protocol V2 out of a stream of bytes (nsqd/protocol_v2.go, nsq.io "TCP Protocol Spec"):
 *
 * ```
 *  NAME param param…\n                                   every command
 *  NAME param…\n[ size i32 ][ body, size bytes ]         IDENTIFY, AUTH, PUB, DPUB
 *  MPUB topic\n[ size i32 ][ count i32 ]( [ size i32 ][ body ] )×count
 * ```
 *
 * Owns no socket: whoever reads one puts bytes into {@linkcode CommandReader.space} and says how many with
 * {@linkcode CommandReader.received}. The reader hands out offsets into its one large reused buffer instead
 * of objects: on the path of every message there is no allocation, and an MPUB stays one block. (Lines alone, through
 * `@std/streams`, take three times the processor time, and each body a full read: bench/read_strategies.ts.)
 *
 * A command is taken in steps: `nextLine()`, then `takeSize()`, `takeBody()` or `takeMpub()` as the command
 * asks. A step that answers false needs more bytes than have come: call `retry()` and begin the command
 * again when more have. When the peer has ended its side, such a step throws the error NSQ sends for it.
 *
 * @module
 */

import { KeptView } from "../base/kept_view.ts";
import { type ErrorCode, ProtocolError } from "./errors.ts";
import { readI32 } from "./frames.ts";
import { MESSAGE_ID_LENGTH } from "./message_id.ts";
import { byteString, shown } from "./quote.ts";

/** What a client says first. */
export const MAGIC_V2 = "  V2";

/** The longest command line, line end included, in bytes: NSQ's read buffer. */
export const LINE_LENGTH_MAX = 16 * 1024;

/**
 * Smallest and largest usual buffer, in bytes; only a command that needs more gets more, for its time. What grows is
 * doubled, so that each byte is moved once or twice, and only when half of it is used, so that sizes that were announced
 * and have not come cost no memory.
 */
const BUFFER_SIZE_MIN = 4 * 1024;
const BUFFER_SIZE_MAX = 256 * 1024;

/** Parameters whose places are kept; further ones are counted only. */
const PARAMS_KEPT = 4;

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;

/** Limits that the sizes in commands are held against, in bytes. */
export interface BodyLimits {
  readonly maxMsgSizeBytes: number;
  readonly maxBodySizeBytes: number;
}

/** One connection's commands, read from a reused buffer. */
export class CommandReader {
  /** The buffer that all offsets point into; it may be another one after each `space()`. */
  bytes = new Uint8Array(BUFFER_SIZE_MIN);
  /** The value of the last `takeSize()`. */
  size = 0;
  /** Where the last body taken lies: of an MPUB, its messages without their count. */
  bodyStart = 0;
  /** End of the last body taken. */
  bodyEnd = 0;
  /** Messages in the last MPUB body taken. */
  messageCount = 0;
  /** Bodies in the last MPUB body taken, in bytes together. */
  messageBytes = 0;
  /** Number of words in the line, the command's name included. */
  paramCount = 0;

  readonly #paramStart = new Int32Array(PARAMS_KEPT + 1);
  readonly #paramEnd = new Int32Array(PARAMS_KEPT);
  /** The command being read begins here; before it all is done. */
  #start = 0;
  /** Steps have taken the bytes up to here. */
  #offset = 0;
  /** Bytes have come up to here. */
  #end = 0;
  /** How far the search for the line's end, or the walk over an MPUB body, has come in an unfinished command. */
  #searched = 0;
  #walkedOffset = 0;
  #walkedMessages = 0;
  #walkedBytes = 0;
  /** Bytes that the unfinished command has in all, as far as it has said; Infinity when it has more than it said. */
  #needed = 0;
  #ended = false;
  #shrinks = false;
  readonly #space = new KeptView();

  /** Bytes that have come and are not part of a finished command. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** The free part of the buffer, at least one byte long; what is put there is reported by `received()`. */
  space(): Uint8Array<ArrayBuffer> {
    const pending = this.#end - this.#start;
    if (pending === 0) this.#clear();
    const wanted = Math.max(this.#needed, pending + 1);
    const sizeKept = this.#shrinks ? BUFFER_SIZE_MIN : BUFFER_SIZE_MAX;
    this.#shrinks = false;
    if (this.bytes.length > sizeKept && wanted <= sizeKept) {
      this.#move(new Uint8Array(sizeKept));
    } else if (wanted > this.bytes.length && 2 * pending >= this.bytes.length) {
      this.#move(new Uint8Array(Math.min(roundUp(wanted), 2 * this.bytes.length)));
    } else if (this.#start + Math.min(wanted, this.bytes.length) > this.bytes.length) {
      this.#move(this.bytes);
    }
    return this.#space.of(this.bytes, this.#end, this.bytes.length);
  }

  /** Says how many bytes were put into `space()`; true when they fill it. */
  received(count: number): boolean {
    const full = this.#end + count === this.bytes.length;
    this.#end += count;
    // A read that filled the buffer says that more is waiting: larger reads cost less.
    if (full && this.bytes.length < BUFFER_SIZE_MAX) {
      this.#move(new Uint8Array(Math.min(4 * this.bytes.length, BUFFER_SIZE_MAX)));
    }
    return full;
  }

  /**
   * Gives memory back that is not in use, with the next `space()`: a read that is under way holds what it was given.
   * So an idle connection needs something small to read for it, such as the answer to a heartbeat.
   */
  shrink(): void {
    this.#shrinks = true;
  }

  /** Says that no more bytes will come. */
  end(): void {
    this.#ended = true;
  }

  /** Takes the four bytes of the protocol's magic; undefined when they have not all come. */
  takeMagic(): string | undefined {
    if (this.#end - this.#start < MAGIC_V2.length) return undefined;
    const magic = byteString(this.bytes.subarray(this.#start, this.#start + MAGIC_V2.length));
    this.#start = this.#offset = this.#searched = this.#start + MAGIC_V2.length;
    return magic;
  }

  /**
   * Takes the next line and finds its words; what a command before it has not taken is dropped.
   *
   * @returns false when its end has not come.
   * @throws {RangeError} When a line is longer than `LINE_LENGTH_MAX`; NSQ closes such a connection silently.
   */
  nextLine(): boolean {
    const bytes = this.bytes;
    const start = this.#start = this.#offset;
    if (this.#searched < start) this.#begin();
    this.#paramStart[0] = start;
    let end = this.#searched;
    // By hand, because indexOf would search what lies behind the bytes that have come; and the words with it.
    let count = end === start ? 0 : this.#split(start, end);
    for (; end < this.#end; end++) {
      const byte = bytes[end];
      // Most bytes are larger than either.
      if (byte > SPACE) continue;
      if (byte === NEWLINE) break;
      if (byte === SPACE) this.#word(count++, end);
    }
    this.#searched = end;
    if (end - start >= LINE_LENGTH_MAX) throw new RangeError("Cannot read command: buffer full");
    if (end === this.#end) return false;
    this.#offset = end + 1;
    if (end > start && bytes[end - 1] === RETURN) end--;
    this.#word(count++, end);
    this.paramCount = count;
    return true;
  }

  /** Takes what has come after the last command: it is another layer's. */
  takeRest(): Uint8Array {
    const rest = this.bytes.slice(this.#offset, this.#end);
    this.#clear();
    return rest;
  }

  /** Goes back to the beginning of the unfinished command. */
  retry(): void {
    this.#offset = this.#start;
  }

  /** True when the word at `index` is `name`, a string of at most 8 ASCII characters. */
  paramIs(index: number, name: string): boolean {
    const start = this.#paramStart[index];
    if (this.#paramEnd[index] - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) {
      if (this.bytes[start + i] !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  /** True when the word at `index` is the same bytes as `word`. */
  paramEquals(index: number, word: Uint8Array): boolean {
    const start = this.#paramStart[index];
    if (this.#paramEnd[index] - start !== word.length) return false;
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[start + i] !== word[i]) return false;
    }
    return true;
  }

  /** A copy of the word at `index`. */
  paramBytes(index: number): Uint8Array {
    return this.bytes.slice(this.#paramStart[index], this.#paramEnd[index]);
  }

  /** Where the word at `index` begins. */
  paramStart(index: number): number {
    return this.#paramStart[index];
  }

  /** Length of the word at `index`, in bytes. */
  paramLength(index: number): number {
    return this.#paramEnd[index] - this.#paramStart[index];
  }

  /** The word at `index` as a byte string; of one that is too long for anything but being shown, the beginning. */
  param(index: number): string {
    return shown(this.bytes.subarray(this.#paramStart[index], this.#paramEnd[index]));
  }

  /**
   * The word at `index` as an unsigned decimal number, or -1 when it is none. Like NSQ's, an empty word is 0;
   * unlike NSQ's, a number too large stays large instead of wrapping at 2^64.
   */
  paramNumber(index: number): number {
    let value = 0;
    for (let i = this.#paramStart[index]; i < this.#paramEnd[index]; i++) {
      const digit = this.bytes[i] - 48;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  /** Where the message id at `index` begins; throws when the word is not as long as one. */
  idStart(index: number): number {
    if (this.paramLength(index) !== MESSAGE_ID_LENGTH) {
      throw new ProtocolError("E_INVALID", "invalid message ID");
    }
    return this.#paramStart[index];
  }

  /** The line as text, for the log. */
  line(): string {
    const words = Array.from({ length: Math.min(this.paramCount, PARAMS_KEPT) }, (_, i) => this.param(i));
    return `[${words.join(" ")}]`;
  }

  /** Takes a size into `this.size`. The error is what a missing size is answered with. */
  takeSize(code: ErrorCode, description: string): boolean {
    if (this.#end - this.#offset < 4) return this.#missing(4, code, description);
    this.size = readI32(this.bytes, this.#offset);
    this.#offset += 4;
    return true;
  }

  /** Takes a body of `this.size` bytes. The error is what a missing body is answered with. */
  takeBody(code: ErrorCode, description: string): boolean {
    if (this.#end - this.#offset < this.size) return this.#missing(this.size, code, description);
    this.bodyStart = this.#offset;
    this.bodyEnd = this.#offset += this.size;
    return true;
  }

  /**
   * Takes the body of an MPUB whose size has been taken, and checks each message's size.
   * NSQ compat: its end is where its messages end, whatever the body's size said (docs/compatibility.md).
   *
   * @throws {ProtocolError} As NSQ's `readMPUB`.
   */
  takeMpub(limits: BodyLimits): boolean {
    const announced = this.#offset - this.#start + this.size;
    if (!this.takeSize("E_BAD_BODY", "MPUB failed to read message count")) return false;
    const count = this.size;
    if (count <= 0 || count > mpubCountMax(limits.maxBodySizeBytes)) {
      throw new ProtocolError("E_BAD_BODY", `MPUB invalid message count ${count}`);
    }
    const bytes = this.bytes;
    const start = this.#offset;
    let offset = start + this.#walkedOffset;
    let index = this.#walkedOffset > 0 ? this.#walkedMessages : 0;
    let total = this.#walkedOffset > 0 ? this.#walkedBytes : 0;
    for (; index < count; index++) {
      if (this.#end - offset < 4) {
        this.#walked(offset - start, index, total);
        return this.#missing(
          offset - start + 4,
          "E_BAD_MESSAGE",
          `MPUB failed to read message(${index}) body size`,
          announced,
        );
      }
      const size = readI32(bytes, offset);
      if (size <= 0) {
        throw new ProtocolError("E_BAD_MESSAGE", `MPUB invalid message(${index}) body size ${size}`);
      }
      if (size > limits.maxMsgSizeBytes) {
        const description = `MPUB message too big ${size} > ${limits.maxMsgSizeBytes}`;
        throw new ProtocolError("E_BAD_MESSAGE", description);
      }
      if (this.#end - offset - 4 < size) {
        this.#walked(offset - start, index, total);
        return this.#missing(
          offset - start + 4 + size,
          "E_BAD_MESSAGE",
          "MPUB failed to read message body",
          announced,
        );
      }
      offset += 4 + size;
      total += size;
      if (offset - start > limits.maxBodySizeBytes) {
        // Without this the contents could be far larger than the size that was checked.
        throw new ProtocolError(
          "E_BAD_BODY",
          `MPUB body too big ${offset - start} > ${limits.maxBodySizeBytes}`,
        );
      }
    }
    this.bodyStart = start;
    this.bodyEnd = this.#offset = offset;
    this.messageCount = count;
    this.messageBytes = total;
    return true;
  }

  #walked(offset: number, messages: number, bytes: number): void {
    this.#walkedOffset = offset;
    this.#walkedMessages = messages;
    this.#walkedBytes = bytes;
  }

  /** `count` bytes have not all come; those, or what was announced for the whole command, are what it needs. */
  #missing(count: number, code: ErrorCode, description: string, announced?: number): false {
    if (this.#ended) throw new ProtocolError(code, description, { cause: new Error("unexpected EOF") });
    const needed = this.#offset - this.#start + count;
    const whole = announced ?? needed;
    this.#needed = whole >= needed ? whole : Infinity;
    return false;
  }

  /** Finds the words of the unfinished line that end in [start, end), and returns how many. */
  #split(start: number, end: number): number {
    let count = 0;
    for (let i = start; i < end; i++) {
      if (this.bytes[i] === SPACE) this.#word(count++, i);
    }
    return count;
  }

  /** The word at `index` ends there, and the next one begins behind. */
  #word(index: number, end: number): void {
    if (index >= PARAMS_KEPT) return;
    this.#paramEnd[index] = end;
    this.#paramStart[index + 1] = end + 1;
  }

  /** Nothing is pending: the buffer begins anew. */
  #clear(): void {
    this.#start = this.#offset = this.#end = 0;
    this.#begin();
  }

  /** Nothing is known of the command that begins at `#start`. */
  #begin(): void {
    this.#searched = this.#start;
    this.#walkedOffset = this.#needed = 0;
  }

  /** Moves the unfinished bytes to the front of `target`, which may be the buffer itself. */
  #move(target: Uint8Array<ArrayBuffer>): void {
    if (target === this.bytes) target.copyWithin(0, this.#start, this.#end);
    else {
      target.set(this.bytes.subarray(this.#start, this.#end));
      // At once and not whenever the garbage collector comes to it: a large command leaves several behind.
      if (this.bytes.length > BUFFER_SIZE_MAX) this.bytes.buffer.transfer(0);
    }
    this.bytes = target;
    this.#end -= this.#start;
    this.#offset -= this.#start;
    this.#searched -= this.#start;
    this.#start = 0;
  }
}

/** The most messages an MPUB body may hold: each takes a size and at least one byte (readMPUB). */
export function mpubCountMax(maxBodySizeBytes: number): number {
  return Math.floor((maxBodySizeBytes - 4) / 5);
}

function roundUp(size: number): number {
  return Math.ceil(size / BUFFER_SIZE_MIN) * BUFFER_SIZE_MIN;
}
