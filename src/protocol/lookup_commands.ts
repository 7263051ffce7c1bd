/**
 * Reads what nsqlookupd is sent over TCP, protocol V1 (nsqlookupd/lookup_protocol_v1.go), out of a stream of bytes:
 *
 * ```
 *  "  V1"                                        once, before everything else
 *  PING\n
 *  IDENTIFY\n[ size i32 ][ body, size bytes ]    once; the body is JSON
 *  REGISTER topic [channel]\n                    after IDENTIFY
 *  UNREGISTER topic [channel]\n                  after IDENTIFY
 * ```
 *
 * Owns no socket: whoever reads one puts bytes into {@linkcode LookupCommandReader.space} and says how many with
 * {@linkcode LookupCommandReader.received}. All sizes are held against a limit before memory is taken. Every error of
 * this protocol is fatal: after one, nothing more is to be read.
 *
 * @module
 */

import { LINE_LENGTH_MAX } from "./command_reader.ts";
import { ProtocolError } from "./errors.ts";
import { readI32 } from "./frames.ts";
import { parseNodeInfo } from "./lookup_node_info.ts";
import type { NodeInfo } from "./lookup_requests.ts";
import { isValidChannelName, isValidTopicName, NAME_LENGTH_MAX } from "./names.ts";
import { byteString, shown } from "./quote.ts";

/** What a client of nsqlookupd says first. */
export const MAGIC_V1 = "  V1";

/** A command. Without a channel, REGISTER and UNREGISTER are about the topic alone. */
export type LookupCommand =
  | { readonly name: "PING" }
  | { readonly name: "IDENTIFY"; readonly info: NodeInfo }
  | {
    readonly name: "REGISTER" | "UNREGISTER";
    readonly topic: string;
    readonly channel: string | undefined;
  };

const PING: LookupCommand = { name: "PING" };

/** Size of an idle connection's buffer, and of the largest one that reads make; a body may need more. In bytes. */
const BUFFER_SIZE_MIN = 1024;
const BUFFER_SIZE_MAX = 64 * 1024;
const SIZE_LENGTH = 4;

const NEWLINE = 10;
const SPACE = 32;

/** One connection's commands. */
export class LookupCommandReader {
  readonly #maxBodySizeBytes: number;
  #bytes = new Uint8Array(BUFFER_SIZE_MIN);
  /** What has been taken ends here. */
  #start = 0;
  /** Bytes have come up to here. */
  #end = 0;
  /** How far the end of the line has been looked for. */
  #searched = 0;
  #ended = false;
  #identified = false;
  /** The line of an IDENTIFY has been taken, its body not yet. */
  #awaitsBody = false;

  /** An IDENTIFY may have a body of up to that size. */
  constructor(limits: { readonly maxBodySizeBytes: number }) {
    this.#maxBodySizeBytes = limits.maxBodySizeBytes;
  }

  /** True when a command has been begun and not ended. */
  get isInCommand(): boolean {
    return this.#awaitsBody || this.#end > this.#start;
  }

  /** The free part of the buffer, at least one byte long; what is put there is reported by `received()`. */
  space(): Uint8Array<ArrayBuffer> {
    const pending = this.#end - this.#start;
    // Grows with what has come, not with what was announced: a size alone costs no memory.
    if (pending === this.#bytes.length) this.#moveTo(2 * pending);
    else if (pending === 0) this.#moveTo(BUFFER_SIZE_MIN);
    else if (this.#end === this.#bytes.length) this.#moveTo(this.#bytes.length);
    return this.#bytes.subarray(this.#end);
  }

  /** Says how many bytes were put into `space()`. */
  received(count: number): void {
    this.#end += count;
    // A read that filled the buffer says that more is waiting: larger reads cost less.
    if (this.#end === this.#bytes.length && this.#end < BUFFER_SIZE_MAX) {
      this.#moveTo(Math.min(4 * this.#end, BUFFER_SIZE_MAX));
    }
  }

  /** Says that no more bytes will come. */
  end(): void {
    this.#ended = true;
  }

  /** Takes the four bytes of the protocol's magic, as a byte string; undefined when they have not all come. */
  takeMagic(): string | undefined {
    if (this.#end - this.#start < MAGIC_V1.length) return undefined;
    const magic = byteString(this.#bytes.subarray(this.#start, this.#start + MAGIC_V1.length));
    this.#start = this.#searched = this.#start + MAGIC_V1.length;
    return magic;
  }

  /**
   * Takes the next command; undefined when it has not all come.
   *
   * @throws {ProtocolError} With NSQ's text, when it is none, or not allowed now.
   */
  next(): LookupCommand | undefined {
    if (this.#awaitsBody) return this.#takeIdentify();
    const words = this.#takeLine();
    if (words === undefined) return undefined;
    const name = wordText(words[0]);
    switch (name) {
      case "PING":
        return PING;
      case "IDENTIFY":
        if (this.#identified) throw new ProtocolError("E_INVALID", "cannot IDENTIFY again");
        this.#awaitsBody = true;
        return this.#takeIdentify();
      case "REGISTER":
      case "UNREGISTER":
        if (!this.#identified) throw new ProtocolError("E_INVALID", "client must IDENTIFY");
        return { name, ...namesOf(name, words) };
      default:
        throw new ProtocolError("E_INVALID", `invalid command ${name}`);
    }
  }

  #takeLine(): Uint8Array[] | undefined {
    const bytes = this.#bytes;
    let end = this.#searched;
    // By hand, because indexOf would search what lies behind the bytes that have come.
    while (end < this.#end && bytes[end] !== NEWLINE) end++;
    this.#searched = end;
    if (end - this.#start >= LINE_LENGTH_MAX) throw new ProtocolError("E_INVALID", "line too long");
    if (end === this.#end) return undefined;
    const words = split(trim(bytes.subarray(this.#start, end)));
    this.#start = this.#searched = end + 1;
    return words;
  }

  #takeIdentify(): LookupCommand | undefined {
    const size = this.#bodySize();
    if (size === undefined) return undefined;
    const start = this.#start + SIZE_LENGTH;
    if (this.#end - start < size) return this.#missing("IDENTIFY failed to read body");
    const body = this.#bytes.subarray(start, start + size);
    this.#start = this.#searched = start + size;
    this.#awaitsBody = false;
    this.#identified = true;
    return { name: "IDENTIFY", info: parseNodeInfo(body) };
  }

  #bodySize(): number | undefined {
    if (this.#end - this.#start < SIZE_LENGTH) return this.#missing("IDENTIFY failed to read body size");
    const size = readI32(this.#bytes, this.#start);
    // NSQ takes memory for any size, and ends with a panic for a negative one (docs/compatibility.md).
    if (size < 0) throw new ProtocolError("E_BAD_BODY", `IDENTIFY invalid body size ${size}`);
    if (size > this.#maxBodySizeBytes) {
      throw new ProtocolError("E_BAD_BODY", `IDENTIFY body too big ${size} > ${this.#maxBodySizeBytes}`);
    }
    return size;
  }

  #missing(description: string): undefined {
    if (!this.#ended) return undefined;
    throw new ProtocolError("E_BAD_BODY", description, { cause: new Error("unexpected EOF") });
  }

  /** Moves the bytes that have not been taken to the front of a buffer of that size, which may be this one. */
  #moveTo(size: number): void {
    const pending = this.#bytes.subarray(this.#start, this.#end);
    if (size === this.#bytes.length) this.#bytes.copyWithin(0, this.#start, this.#end);
    else {
      this.#bytes = new Uint8Array(size);
      this.#bytes.set(pending);
    }
    this.#end -= this.#start;
    this.#searched -= this.#start;
    this.#start = 0;
  }
}

/** The names in a REGISTER or UNREGISTER. NSQ compat: an empty channel is none, and further words are passed over. */
function namesOf(
  command: string,
  words: readonly Uint8Array[],
): { topic: string; channel: string | undefined } {
  if (words.length < 2) throw new ProtocolError("E_INVALID", `${command} insufficient number of params`);
  const topic = wordText(words[1]);
  const channel = words.length > 2 && words[2].length > 0 ? wordText(words[2]) : undefined;
  if (!isValidTopicName(topic)) {
    throw new ProtocolError("E_BAD_TOPIC", `${command} topic name '${topic}' is not valid`);
  }
  if (channel !== undefined && !isValidChannelName(channel)) {
    throw new ProtocolError("E_BAD_CHANNEL", `${command} channel name '${channel}' is not valid`);
  }
  return { topic, channel };
}

/**
 * A word as a byte string. A name is made at once, because it is kept: one that was put together, or cut out of the
 * line, would keep more memory alive than its own.
 */
function wordText(word: Uint8Array): string {
  return word.length <= NAME_LENGTH_MAX ? String.fromCharCode(...word) : shown(word);
}

/** Without white space at both ends. */
function trim(line: Uint8Array): Uint8Array {
  let start = 0;
  let end = line.length;
  while (start < end && isSpace(line[start])) start++;
  while (end > start && isSpace(line[end - 1])) end--;
  return line.subarray(start, end);
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte >= 9 && byte <= 13;
}

/** What stands between single spaces; the first three words are all that counts. */
function split(line: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  let start = 0;
  while (words.length < 3) {
    const space = line.indexOf(SPACE, start);
    words.push(line.subarray(start, space < 0 ? line.length : space));
    if (space < 0) break;
    start = space + 1;
  }
  return words;
}
