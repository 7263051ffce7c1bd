/**
 * A message that was delivered, and must be answered: finished, or requeued. Answers go out together once in a turn of
 * the event loop; nsqd does not confirm them, so there is nothing to wait for.
 *
 * @module
 */

import { MESSAGE_ID_LENGTH } from "../protocol/message_id.ts";
import type { IdPlace } from "../protocol/command_writer.ts";

/** Where the parts of a message's data are. */
const TIMESTAMP_LENGTH = 8;
const ID_OFFSET = TIMESTAMP_LENGTH + 2;
const BODY_OFFSET = ID_OFFSET + MESSAGE_ID_LENGTH;

const DECODER = new TextDecoder();

/** How to requeue. */
export interface RequeueOptions {
  /** How long nsqd keeps it before it is delivered again. @default 90 s for each attempt, 15 minutes at most */
  readonly delayMs?: number;
  /** Whether it counts as a failure, and the consumer holds back. @default {true} */
  readonly backoff?: boolean;
}

/** Whoever a message is answered to. */
export interface MessageSource {
  readonly node: string;
  readonly topic: string;
  readonly channel: string;
  /** How long nsqd waits for an answer, in ms. */
  readonly msgTimeoutMs: number;
  finish(message: Message): void;
  requeue(message: Message, options: RequeueOptions): void;
  touch(message: Message): void;
}

/** A message. Its bytes are part of what was read at once; copy the body to keep it for long. */
export class Message implements IdPlace {
  /** How often it was delivered, this time included. */
  readonly attempts: number;
  /** When nsqd takes it for lost and gives it to somebody else, by `performance.now()`. In ms. */
  expiresMs: number;
  /** nsqd has taken it for lost. */
  expired = false;
  /** @ignore */
  readonly bytes: Uint8Array;
  /** @ignore */
  readonly idOffset: number;
  readonly #source: MessageSource;
  readonly #end: number;
  #settled = false;

  /** @ignore */
  constructor(source: MessageSource, bytes: Uint8Array, start: number, end: number, nowMs: number) {
    this.#source = source;
    this.bytes = bytes;
    this.idOffset = start + ID_OFFSET;
    this.#end = end;
    this.attempts = bytes[start + TIMESTAMP_LENGTH] << 8 | bytes[start + TIMESTAMP_LENGTH + 1];
    this.expiresMs = nowMs + source.msgTimeoutMs;
  }

  /** 16 hexadecimal digits. */
  get id(): string {
    return String.fromCharCode(...this.bytes.subarray(this.idOffset, this.idOffset + MESSAGE_ID_LENGTH));
  }

  /** When it was published, in ns since 1970. */
  get timestampNs(): bigint {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getBigInt64(this.idOffset - ID_OFFSET);
  }

  get topic(): string {
    return this.#source.topic;
  }

  get channel(): string {
    return this.#source.channel;
  }

  /** Where it came from. */
  get node(): string {
    return this.#source.node;
  }

  get body(): Uint8Array {
    return this.bytes.subarray(this.idOffset - ID_OFFSET + BODY_OFFSET, this.#end);
  }

  /** The body as text. */
  text(): string {
    return DECODER.decode(this.body);
  }

  /** The body as JSON. @throws {SyntaxError} If it is none. */
  json<T = unknown>(): T {
    return JSON.parse(this.text());
  }

  /** Whether it has been answered, or cannot be any more because its connection has ended. */
  get settled(): boolean {
    return this.#settled;
  }

  /** It is done: nsqd forgets it. Does nothing if it was answered before. */
  finish(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#source.finish(this);
  }

  /** It is not done: nsqd delivers it again. Does nothing if it was answered before. */
  requeue(options: RequeueOptions = {}): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#source.requeue(this, options);
  }

  /** It takes longer: nsqd waits for as long again from now on. */
  touch(): void {
    if (!this.#settled) this.#source.touch(this);
  }

  /** Its connection has ended. @ignore */
  abandon(): void {
    this.#settled = true;
  }
}
