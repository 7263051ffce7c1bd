/**
 * A consumer's side of one connection: the messages that it holds, and the answers to them.
 *
 * @module
 */

import { writeCommand, writeFin, writeReq, writeTouch } from "../protocol/command_writer.ts";
import type { Outcome } from "./backoff_machine.ts";
import type { Connection, MessageReceiver } from "./connection.ts";
import type { NsqdError } from "./errors.ts";
import { Message, type MessageSource, type RequeueOptions } from "./message.ts";
import { Share } from "./ready_budget.ts";

/** Whoever has the nodes. */
export interface NodeOwner {
  readonly topic: string;
  readonly channel: string;
  /** A message was delivered. */
  delivered(node: ConsumerNode, message: Message): void;
  /** One was answered. */
  settled(node: ConsumerNode, outcome: Outcome): void;
  refused(node: ConsumerNode, error: NsqdError): void;
  /** How long a message that is requeued is kept by default, in ms. */
  requeueDelayMs(attempts: number): number;
}

/** One node of a consumer. */
export class ConsumerNode extends Share implements MessageSource, MessageReceiver {
  readonly node: string;
  readonly topic: string;
  readonly channel: string;
  readonly msgTimeoutMs: number;
  readonly connection: Connection;
  readonly #owner: NodeOwner;
  /** Not answered, and not lost: the one that was delivered or touched first is the first. */
  readonly #held = new Set<Message>();

  constructor(connection: Connection, owner: NodeOwner) {
    super(connection.info.maxRdyCount);
    this.node = connection.node;
    this.topic = owner.topic;
    this.channel = owner.channel;
    this.msgTimeoutMs = connection.info.msgTimeoutMs;
    this.connection = connection;
    this.#owner = owner;
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    const { receivedMs } = this.connection;
    const message = new Message(this, bytes, start, end, receivedMs);
    this.#held.add(message);
    this.inFlight++;
    this.deliveredMs = receivedMs;
    this.#owner.delivered(this, message);
  }

  settleRefused(error: NsqdError): void {
    this.#owner.refused(this, error);
  }

  finish(message: Message): void {
    writeFin(this.connection.output, message);
    this.#settle(message, "finished");
  }

  requeue(message: Message, options: RequeueOptions): void {
    const { delayMs = this.#owner.requeueDelayMs(message.attempts), backoff = true } = options;
    writeReq(this.connection.output, message, Math.max(0, Math.round(delayMs)));
    this.#settle(message, backoff ? "failed" : "requeued");
  }

  touch(message: Message): void {
    if (message.expired) return;
    writeTouch(this.connection.output, message);
    this.connection.flushSoon();
    message.expiresMs = performance.now() + this.msgTimeoutMs;
    this.#held.delete(message);
    this.#held.add(message);
  }

  /** Tells nsqd the RDY that was decided. */
  sendReady(): void {
    writeCommand(this.connection.output, `RDY ${this.ready}`);
    this.connection.flushSoon();
  }

  /** Forgets what nsqd has taken for lost: it is not in flight here any more. True if there was something. */
  expire(nowMs: number): boolean {
    let found = false;
    for (const message of this.#held) {
      if (message.expiresMs > nowMs) break;
      message.expired = true;
      this.#held.delete(message);
      this.inFlight--;
      found = true;
    }
    return found;
  }

  /** Touches what has been held for half of its time. */
  touchHeld(nowMs: number): void {
    // Those that are touched go to the end, and are not met again.
    for (const message of this.#held) {
      if (message.expiresMs - nowMs > this.msgTimeoutMs / 2) break;
      message.touch();
    }
  }

  /** Requeues whatever has not been answered. */
  requeueHeld(): void {
    for (const message of this.#held) message.requeue({ delayMs: 0, backoff: false });
  }

  /** The connection has ended: nothing can be answered any more. */
  abandon(): void {
    for (const message of this.#held) message.abandon();
    this.#held.clear();
    this.inFlight = 0;
  }

  #settle(message: Message, outcome: Outcome): void {
    this.connection.flushSoon();
    // One that has expired is answered all the same: nsqd may have a little more patience than was counted here.
    if (!this.#held.delete(message)) return;
    this.inFlight--;
    this.#owner.settled(this, outcome);
  }
}
