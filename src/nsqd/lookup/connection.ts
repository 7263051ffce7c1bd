/**
 * A connection to an nsqlookupd on which requests are sent and answers read, each within NSQ's second. It knows no
 * request by name, and never connects anew: after any error it is to be closed.
 *
 * @module
 */

import { type Connection, writeAll } from "../../net/connection.ts";
import { LookupAnswers } from "../../protocol/lookup_requests.ts";
import type { LookupHost } from "./addresses.ts";

/** What the part of nsqd that talks to nsqlookupds uses of the world; tests stand in for it. */
export interface LookupOutside {
  /** Connects; rejects when the signal aborts first. */
  readonly connect: (hostname: string, port: number, signal: AbortSignal) => Promise<Connection>;
  /** Waits, but not longer than until the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How long connecting, sending or waiting for the next bytes of an answer may take. */
export const LOOKUP_TIMEOUT_MS = 1000;

/** How long it may take this process to notice an answer that has come. */
const NOTICE_MS = 50;

const LATE = Symbol("late");

/** How a read ended. It is a value, because it may end while nobody waits for it. */
type ReadEnd = { readonly count: number | null } | { readonly error: unknown };

/** A connection; it must be closed. */
export class LookupConnection implements Disposable {
  readonly #connection: Connection;
  readonly #answers: LookupAnswers;
  readonly #outside: LookupOutside;
  /** The read that is under way: one always is while somebody waits, so that an end is noticed at once. */
  #reading: Promise<ReadEnd> | undefined;

  constructor(connection: Connection, outside: LookupOutside, options: { readonly answerSizeMax: number }) {
    this.#connection = connection;
    this.#outside = outside;
    this.#answers = new LookupAnswers(options.answerSizeMax);
  }

  /**
   * Connects to a host, by the first of its ways that can be gone.
   *
   * @throws {Error} Why it can't, of the last way.
   */
  static async open(
    host: LookupHost,
    outside: LookupOutside,
    options: { readonly answerSizeMax: number; readonly signal: AbortSignal },
  ): Promise<LookupConnection> {
    let failure: unknown;
    for (const way of host.ways) {
      try {
        return new LookupConnection(await connect(way, host.port, outside, options.signal), outside, options);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Sends requests. */
  async send(bytes: Readonly<Uint8Array>): Promise<void> {
    await this.#inTime(writeAll(this.#connection, bytes));
  }

  /** The next answer. */
  async answer(): Promise<Uint8Array> {
    for (;;) {
      const answer = this.#answers.take();
      if (answer !== undefined) return answer;
      this.#receive(await this.#inTime(this.#read()));
    }
  }

  /** Waits for something else than an answer; rejects when the other side ends the connection, or speaks unasked. */
  async idle(event: Promise<unknown>): Promise<void> {
    if (this.#answers.empty) {
      const end = await Promise.race([event.then(() => undefined), this.#read()]);
      if (end === undefined) return;
      this.#receive(end);
    }
    throw new Error("an answer to nothing");
  }

  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(): Promise<ReadEnd> {
    return this.#reading ??= this.#connection.read(this.#answers.space()).then(
      (count) => ({ count }),
      (error) => ({ error }),
    );
  }

  #receive(end: ReadEnd): void {
    this.#reading = undefined;
    if ("error" in end) throw end.error;
    if (end.count === null) throw new Error("EOF");
    this.#answers.received(end.count);
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController();
    try {
      const first = await Promise.race([work, overdue(this.#outside, done.signal).then(() => LATE)]);
      if (first === LATE) throw new Error("i/o timeout");
      return first as T;
    } finally {
      done.abort();
    }
  }
}

/**
 * Waits until something has taken too long. In two steps: if this process was busy for all of the first, an answer may
 * be there that only has to be noticed.
 */
async function overdue({ sleep }: LookupOutside, signal: AbortSignal): Promise<void> {
  await sleep(LOOKUP_TIMEOUT_MS, signal);
  await sleep(NOTICE_MS, signal);
}

async function connect(
  hostname: string,
  port: number,
  outside: LookupOutside,
  signal: AbortSignal,
): Promise<Connection> {
  const attempt = new AbortController();
  const over = new AbortController();
  const stop = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const late = overdue(outside, over.signal).then(() => {
    if (!over.signal.aborted) attempt.abort(new Error("i/o timeout"));
  });
  try {
    const connection = await outside.connect(hostname, port, attempt.signal);
    if (!attempt.signal.aborted) return connection;
    connection.close();
    throw attempt.signal.reason;
  } finally {
    over.abort();
    signal.removeEventListener("abort", stop);
    await late;
  }
}
