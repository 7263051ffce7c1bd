/**
 * Publishes messages of an input in batches, several at a time, and knows up to where all are published:
 *
 * ```
 *  input   ────────────────────────────────────────────────►
 *          [ published ][ published ][ sent ][ published ][ sent ]
 *                                  ▲ position
 * ```
 *
 * @module
 */

import { NsqdError, type Producer } from "../client/mod.ts";
import { explained } from "./explained.ts";
import type { InputRecord } from "./records.ts";
import { ToolError } from "./tool.ts";

/** A message, and how it is published. */
export interface Sending {
  readonly record: InputRecord;
  readonly topic: string;
  readonly deferMs: number;
}

/** Batches that are sent and not answered. */
const UNANSWERED_MAX = 8;
/** Bytes of a batch, unless a single message has more; nsqd takes 5 MiB by default. */
const BATCH_BYTES_MAX = 1024 * 1024;
/** One message of a batch may be the reason for these, and the others may be good. */
const ABOUT_MESSAGE = new Set(["E_BAD_MESSAGE", "E_BAD_BODY", "E_INVALID"]);

interface Batch {
  readonly sendings: readonly Sending[];
  /** Of the input. */
  readonly start: number;
  readonly end: number;
  published: boolean;
}

/** Publishes batches, each to all of the producers. */
export class BatchSender {
  readonly #producers: readonly Producer[];
  readonly #moved: (position: number) => void;
  readonly #batches: Batch[] = [];
  #messages = 0;
  #bytes = 0;
  #position: number;
  /** End of the last batch that was sent. */
  #sentTo: number;
  #failure: ToolError | undefined;
  readonly #failed = Promise.withResolvers<undefined>();
  #unanswered = 0;
  #wake: (() => void) | undefined;

  /** @param moved Is told up to where everything is published. */
  constructor(producers: readonly Producer[], start: number, moved: (position: number) => void) {
    this.#producers = producers;
    this.#position = this.#sentTo = start;
    this.#moved = moved;
  }

  /** Messages that are published. */
  get messages(): number {
    return this.#messages;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Settles when something was not published; `drain()` says what. */
  get failed(): Promise<undefined> {
    return this.#failed.promise;
  }

  /** Sends messages, the first to be sent first, when there is room. @throws {ToolError} When something was not published. */
  async send(sendings: readonly Sending[]): Promise<void> {
    for (let from = 0; from < sendings.length;) {
      let to = from + 1;
      let bytes = sendings[from].record.body.length;
      while (to < sendings.length && (bytes += sendings[to].record.body.length) <= BATCH_BYTES_MAX) to++;
      await this.#sendBatch(sendings.slice(from, to));
      from = to;
    }
  }

  /** Waits until all is published. @throws {ToolError} When something was not. */
  async drain(): Promise<void> {
    while (this.#unanswered > 0) await this.#answer();
    if (this.#failure) throw this.#failure;
  }

  async #sendBatch(sendings: readonly Sending[]): Promise<void> {
    while (this.#unanswered >= UNANSWERED_MAX && !this.#failure) await this.#answer();
    if (this.#failure) throw this.#failure;
    const end = sendings[sendings.length - 1].record.end;
    const batch: Batch = { sendings, start: this.#sentTo, end, published: false };
    this.#sentTo = end;
    this.#batches.push(batch);
    this.#unanswered++;
    void this.#publish(batch);
  }

  #answer(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  async #publish(batch: Batch): Promise<void> {
    try {
      await Promise.all(this.#producers.map((producer) => publishAll(producer, batch.sendings)));
      batch.published = true;
      this.#advance();
    } catch (error) {
      this.#fail(batch, error as Error);
    }
    this.#unanswered--;
    this.#wake?.();
  }

  #advance(): void {
    const before = this.#position;
    while (this.#batches.length > 0 && this.#batches[0].published) {
      const { sendings, end } = this.#batches[0];
      this.#batches.shift();
      this.#position = end;
      this.#messages += sendings.length;
      for (const { record } of sendings) this.#bytes += record.body.length;
    }
    if (this.#position > before) this.#moved(this.#position);
  }

  #fail({ sendings, start, end }: Batch, error: Error): void {
    const [first, last] = [sendings[0].record, sendings[sendings.length - 1].record];
    let what = first === last ? `message ${first.number}` : `messages ${first.number} to ${last.number}`;
    let where = `bytes ${start} to ${end}`;
    let cause = error;
    if (error instanceof OneFailed) {
      cause = error.cause;
      what = `message ${error.record.number}`;
      where = `of ${error.record.body.length} bytes, before byte ${error.record.end}`;
    }
    this.#failure ??= new ToolError(
      `${what} (${where} of the input) was not published - ${explained(cause)}`,
      { cause },
    );
    this.#failed.resolve(undefined);
  }
}

/** One message of a batch, and why it was not published. */
class OneFailed extends Error {
  readonly record: InputRecord;
  override readonly cause: Error;

  constructor(record: InputRecord, cause: Error) {
    super(cause.message);
    this.record = record;
    this.cause = cause;
  }
}

async function publishAll(producer: Producer, sendings: readonly Sending[]): Promise<void> {
  const plain = new Map<string, Sending[]>();
  const tasks: Promise<unknown>[] = [];
  for (const sending of sendings) {
    const { topic, deferMs } = sending;
    if (deferMs > 0) tasks.push(publishOne(producer, sending));
    else {
      const group = plain.get(topic);
      if (group) group.push(sending);
      else plain.set(topic, [sending]);
    }
  }
  for (const [topic, group] of plain) tasks.push(publishGroup(producer, topic, group));
  await Promise.all(tasks);
}

async function publishGroup(producer: Producer, topic: string, group: readonly Sending[]): Promise<void> {
  if (group.length === 1) return await publishOne(producer, group[0]);
  try {
    await producer.publishMany(topic, group.map(({ record }) => record.body));
  } catch (error) {
    if (!(error instanceof NsqdError) || !ABOUT_MESSAGE.has(error.code)) throw error;
    // All or none of them: now one by one, to publish those before the bad one and to tell which it is.
    for (const sending of group) await publishOne(producer, sending);
  }
}

async function publishOne(producer: Producer, { topic, record, deferMs }: Sending): Promise<void> {
  try {
    await producer.publish(topic, record.body, { deferMs });
  } catch (cause) {
    throw new OneFailed(record, cause as Error);
  }
}
