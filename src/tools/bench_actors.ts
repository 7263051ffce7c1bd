/**
 * Who publishes and who takes messages while bench measures.
 *
 * @module
 */

import { sleep } from "../base/every.ts";
import type { Consumer, Message, Producer } from "../client/mod.ts";
import type { Measured } from "./bench_report.ts";

/** Commands of a producer that are sent and not answered. */
const UNANSWERED_MAX = 8;
/** How often those that publish at a rate look at what is due, in ms. */
const PACE_MS = 1;
const NS_PER_MS = 1e6;
/** Marks messages of this run: others may be there. */
export const MARK_SIZE = 16;

/** Numbers messages, and says when each is due. */
export class Schedule {
  readonly #count: number;
  readonly #perMs: number;
  #beginMs: number | undefined;
  #taken = 0;

  /** @param perSecond 0 for at once. */
  constructor(count: number, perSecond: number) {
    this.#count = count;
    this.#perMs = perSecond / 1000;
  }

  /** Whether all have been taken. */
  get isOver(): boolean {
    return this.#taken >= this.#count;
  }

  /** Takes those that are due, up to a number; when the first was due, and how many. */
  take(countMax: number, nowMs: number): { readonly count: number; readonly dueMs: number } {
    this.#beginMs ??= nowMs;
    const left = Math.min(countMax, this.#count - this.#taken);
    if (this.#perMs === 0) {
      this.#taken += left;
      return { count: left, dueMs: nowMs };
    }
    const due = Math.floor((nowMs - this.#beginMs) * this.#perMs) + 1 - this.#taken;
    const count = Math.max(0, Math.min(left, due));
    const dueMs = this.#beginMs + this.#taken / this.#perMs;
    this.#taken += count;
    return { count, dueMs };
  }
}

/** Publishes what a schedule says until it is over, or the signal aborts. */
export async function publishAll(
  producer: Producer,
  { topic, schedule, batch, bodyOf, measured, signal }: {
    readonly topic: string;
    readonly schedule: Schedule;
    readonly batch: number;
    /** A body that says when it was due. */
    readonly bodyOf: (dueMs: number) => Uint8Array;
    readonly measured: Measured;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const unanswered = new Set<Promise<void>>();
  const send = async (count: number, dueMs: number) => {
    const body = bodyOf(dueMs);
    if (count === 1) await producer.publish(topic, body);
    else await producer.publishMany(topic, new Array(count).fill(body));
    const nowMs = performance.now();
    // From when it was due: what waits because an answer is late is late too.
    measured.times.insert(Math.round((nowMs - dueMs) * NS_PER_MS));
    measured.count(count, count * body.length, nowMs);
  };
  while (!schedule.isOver && !signal.aborted) {
    const nowMs = performance.now();
    const { count, dueMs } = schedule.take(batch, nowMs);
    if (count === 0) {
      await sleep(PACE_MS, signal);
      continue;
    }
    measured.firstMs ??= nowMs;
    const sent: Promise<void> = send(count, dueMs).finally(() => unanswered.delete(sent));
    unanswered.add(sent);
    if (unanswered.size >= UNANSWERED_MAX) await Promise.race(unanswered);
  }
  await Promise.all(unanswered);
}

/** Takes messages until so many have come over all consumers; settles then. */
export function takeAll(
  consumers: readonly Consumer[],
  { count, measured, dueMsOf }: {
    readonly count: number;
    readonly measured: Measured;
    /** When a message was due; undefined if it is of another run, and NaN if that does not matter. */
    readonly dueMsOf: (message: Message) => number | undefined;
  },
): Promise<void> {
  return new Promise((resolve) => {
    for (const consumer of consumers) {
      void consumer.run((message) => {
        const nowMs = performance.now();
        const dueMs = dueMsOf(message);
        if (dueMs === undefined || measured.messages >= count) return;
        measured.firstMs ??= nowMs;
        if (!Number.isNaN(dueMs)) measured.times.insert(Math.round((nowMs - dueMs) * NS_PER_MS));
        measured.count(1, message.body.length, nowMs);
        if (measured.messages === count) resolve();
      });
    }
  });
}
