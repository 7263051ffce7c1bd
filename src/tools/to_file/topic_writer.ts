/**
 * One topic's messages on their way into files. A message is finished when the file that it is in has been synced, and
 * not before; many are finished together.
 *
 * ```
 *  add() ──► waiting ──► into the buffer of its file ──► written ──► all files synced ──► finished
 *                                   └──────────── fails ────────────┴──► requeued at once, and the tool ends
 * ```
 *
 * It syncs when enough is held, when a node waits for answers before it can send more, at an interval, when half of the
 * time is over that nsqd waits for the oldest, before a file is closed, and when the tool stops. Meanwhile more comes in.
 *
 * @module
 */

import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "node:timers";
import type { Logger } from "../../base/logger.ts";
import type { Message } from "../../client/mod.ts";
import type { MessageForm } from "../message_form.ts";
import type { FileNames } from "./file_name.ts";
import { type FileSettings, FileStream } from "./file_stream.ts";

/** How a topic's messages are written. */
export interface TopicWriterOptions {
  readonly names: FileNames;
  readonly settings: FileSettings;
  readonly form: MessageForm;
  /** So many unfinished messages are synced without waiting for more. */
  readonly syncCount: number;
  readonly syncIntervalMs: number;
  /** Whether a file is opened only when there is something to put into it. */
  readonly skipEmpty: boolean;
  /** Whether a node waits for answers before it can send more. */
  readonly isStarved: () => boolean;
  readonly log: Logger;
}

/** More files of a topic are not open at a time; which one a message goes into may depend on what is in it. */
export const OPEN_FILES_MAX = 100;
/** What is written at once at most, in bytes, and a message more. */
const WRITE_SIZE_MAX = 256 * 1024;

/** Writes one topic's messages. */
export class TopicWriter {
  readonly #options: TopicWriterOptions;
  /** By the name that they had when they were opened; those written to last are last. */
  readonly #streams = new Map<string, FileStream>();
  readonly #failure = Promise.withResolvers<Error>();
  readonly #ticker: ReturnType<typeof setInterval>;
  #waiting: Message[] = [];
  /** Those that are in files, or their buffers, and not synced. */
  #held: Message[] = [];
  #running: Promise<void> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #error: Error | undefined;
  #isSyncDue = false;
  #isTickDue = false;
  #isCloseDue = false;
  #isStopping = false;

  constructor(options: TopicWriterOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => {
      this.#isTickDue = true;
      this.#runSoon();
    }, options.syncIntervalMs);
  }

  /** Settles when nothing more can be written. */
  get failed(): Promise<Error> {
    return this.#failure.promise;
  }

  /** Takes a message. */
  add(message: Message): void {
    if (this.#error) return requeue(message);
    this.#waiting.push(message);
    this.#runSoon();
  }

  /** Syncs and closes all files; messages that come later go into new ones. */
  closeFiles(): void {
    this.#isCloseDue = true;
    this.#runSoon();
  }

  /** From now on what comes is synced at once. */
  hurry(): void {
    this.#isStopping = true;
    this.#isSyncDue = true;
    this.#runSoon();
  }

  /** Syncs and closes everything. Never rejects; see `failed`. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.closeFiles();
    while (this.#running) await this.#running;
    clearTimeout(this.#deadline);
    for (const stream of this.#streams.values()) stream.abandon();
  }

  #runSoon(): void {
    if (!this.#error) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What comes in this turn is written together.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#waiting.length > 0 || this.#isTickDue || this.#isSyncDue || this.#isCloseDue) {
        await this.#step();
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#running = undefined;
  }

  /** Writes what waits, and syncs it if that is due. */
  async #step(): Promise<void> {
    const messages = this.#waiting;
    this.#waiting = [];
    if (this.#isTickDue) await this.#tick();
    let next = 0;
    try {
      while (next < messages.length) {
        const message = messages[next];
        // What nsqd has given to somebody else is not ours any more. And most messages have nothing to wait for.
        if (!message.expired && !message.settled && !this.#putNow(message)) await this.#putLater(message);
        next++;
      }
    } finally {
      // Those that could not be written are not forgotten.
      if (next < messages.length) this.#waiting = messages.slice(next).concat(this.#waiting);
    }
    for (const stream of this.#streams.values()) await stream.write();
    if (this.#isSyncDue || this.#isCloseDue || this.#isStopping || this.#holdsEnough()) await this.#sync();
    if (!this.#isCloseDue) return;
    this.#isCloseDue = false;
    for (const stream of this.#streams.values()) await stream.close();
  }

  #holdsEnough(): boolean {
    const count = this.#held.length;
    return count > 0 && (count >= this.#options.syncCount || this.#options.isStarved());
  }

  /** Puts a message into the open file; false if another one must be opened first. */
  #putNow(message: Message): boolean {
    const name = this.#options.names.at(Date.now(), message.body);
    const stream = this.#streamFor(name);
    if (stream === undefined || stream.output.length >= WRITE_SIZE_MAX || stream.needsRotation(name)) {
      return false;
    }
    this.#put(message, stream);
    return true;
  }

  async #putLater(message: Message): Promise<void> {
    const name = this.#options.names.at(Date.now(), message.body);
    const stream = this.#streamFor(name) ?? await this.#newStream(name);
    await stream.write();
    if (stream.needsRotation(name)) {
      // The old file is not left with messages in it that are not finished, or they would come again.
      if (stream.isOpen) await this.#sync();
      await stream.rotate(name);
      // As with NSQ, the first message of a file does not wait for others.
      this.#isSyncDue = true;
    }
    this.#put(message, stream);
  }

  #put(message: Message, stream: FileStream): void {
    this.#options.form(message, stream.output);
    this.#held.push(message);
    if (this.#held.length === 1) this.#armDeadline(message);
  }

  #streamFor(name: string): FileStream | undefined {
    // Without fields there is one, whose name changes with the time.
    if (!this.#options.names.hasFields) return this.#streams.get("");
    const stream = this.#streams.get(name);
    if (stream && this.#streams.size > 1) {
      this.#streams.delete(name);
      this.#streams.set(name, stream);
    }
    return stream;
  }

  async #newStream(name: string): Promise<FileStream> {
    if (this.#streams.size >= OPEN_FILES_MAX) {
      const [oldest] = this.#streams.keys();
      await this.#sync();
      await this.#drop(oldest);
    }
    const stream = new FileStream(this.#options.settings);
    this.#streams.set(this.#options.names.hasFields ? name : "", stream);
    return stream;
  }

  async #drop(key: string): Promise<void> {
    const stream = this.#streams.get(key);
    this.#streams.delete(key);
    await stream?.close();
  }

  /** Looks for files whose time is over; NSQ begins the next one even when there is nothing to put into it. */
  async #tick(): Promise<void> {
    this.#isTickDue = false;
    await this.#sync();
    const { names, skipEmpty } = this.#options;
    if (names.hasFields) {
      for (const [name, stream] of [...this.#streams]) {
        // A name of another hour has another time in it.
        if (stream.needsRotation(name) || !this.#isCurrent(name)) await this.#drop(name);
      }
      return;
    }
    const name = names.at(Date.now());
    const stream = this.#streamFor(name) ?? await this.#newStream(name);
    if ((skipEmpty && !stream.isOpen) || !stream.needsRotation(name)) return;
    if (skipEmpty) await stream.close();
    else await stream.rotate(name);
  }

  /** Whether messages of now may still get that name. */
  #isCurrent(name: string): boolean {
    return this.#options.names.mayBe(name, Date.now());
  }

  async #sync(): Promise<void> {
    this.#isSyncDue = false;
    const messages = this.#held;
    if (messages.length === 0) return;
    const { log, settings: { scope } } = this.#options;
    this.#held = [];
    clearTimeout(this.#deadline);
    log.info(`${scope} syncing ${messages.length} records to disk`);
    try {
      await Promise.all(Array.from(this.#streams.values(), (stream) => stream.sync()));
    } catch (error) {
      this.#held = messages;
      throw error;
    }
    for (const message of messages) message.finish();
  }

  /** Whoever is to answer in time does so at half of the time. */
  #armDeadline(message: Message): void {
    const leftMs = message.expiresMs - performance.now();
    clearTimeout(this.#deadline);
    if (leftMs / 2 >= this.#options.syncIntervalMs) return;
    this.#deadline = setTimeout(() => {
      this.#isSyncDue = true;
      this.#runSoon();
    }, Math.max(0, leftMs / 2));
  }

  #fail(error: Error): void {
    this.#error = error;
    for (const message of [...this.#held, ...this.#waiting]) requeue(message);
    this.#held = [];
    this.#waiting = [];
    this.#failure.resolve(error);
  }
}

function requeue(message: Message): void {
  message.requeue({ delayMs: 0, backoff: false });
}
