/**
 * Messages on their way to a stream: a message is answered when its last byte is out, and not before. What the stream
 * does not take is requeued, so that somebody else gets it.
 *
 * ```
 *  show() ──► buffer ──► one write after the other ──► written: finished
 *                                    └── fails ──► this one and all behind it: requeued at once
 * ```
 *
 * The buffer needs no limit of its own: no more messages are on their way than may be in flight.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { ByteTarget } from "../base/line_writer.ts";
import type { Message } from "../client/mod.ts";
import { Output } from "../net/output.ts";
import type { MessageFields, MessageForm } from "./message_form.ts";

/** Shows messages. */
export class ShownMessages {
  /** How many were put in. */
  count = 0;
  readonly #target: ByteTarget;
  readonly #form: MessageForm;
  readonly #written: (message: Message) => void;
  readonly #failure = Promise.withResolvers<Error>();
  readonly #output = new Output();
  /** Those in the buffer, and where each ends there. */
  #messages: Message[] = [];
  #ends: number[] = [];
  #running: Promise<void> | undefined;
  #error: Error | undefined;

  /** @param written What is done with a message that is out. */
  constructor(target: ByteTarget, form: MessageForm, written: (message: Message) => void) {
    this.#target = target;
    this.#form = form;
    this.#written = written;
  }

  /** Settles when the stream takes nothing more. */
  get failed(): Promise<Error> {
    return this.#failure.promise;
  }

  /** Puts a message behind the others, as these fields. */
  show(message: Message, fields: MessageFields): void {
    if (this.#error) return requeue(message);
    this.count++;
    this.#form(fields, this.#output);
    this.#messages.push(message);
    this.#ends.push(this.#output.length);
    this.#running ??= this.#run();
  }

  /** Settles when all is out, or cannot be any more. */
  async flush(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // What comes in this turn goes out in one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#messages.length > 0 && !this.#error) await this.#writeBuffer();
    this.#running = undefined;
  }

  async #writeBuffer(): Promise<void> {
    const bytes = this.#output.take();
    const messages = this.#messages;
    const ends = this.#ends;
    this.#messages = [];
    this.#ends = [];
    let out = 0;
    let done = 0;
    try {
      while (out < bytes.length) {
        out += await this.#target.write(bytes.subarray(out));
        while (done < messages.length && ends[done] <= out) this.#written(messages[done++]);
      }
    } catch (error) {
      this.#error = error as Error;
      for (const message of messages.slice(done)) requeue(message);
      for (const message of this.#messages) requeue(message);
      this.#messages = [];
      this.#failure.resolve(this.#error);
    }
  }
}

function requeue(message: Message): void {
  message.requeue({ delayMs: 0, backoff: false });
}
