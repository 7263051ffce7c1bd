/**
 * Messages that are ready and whose segments are not in memory: of those that are about to be delivered, some are read at
 * a time, each on its own. How many follows how quickly they are taken, so a slow consumer makes nobody read what it
 * does not get to.
 *
 * @module
 */

import type { Segment } from "../log/segment.ts";
import type { MessagePlace } from "../log/message_reader.ts";
import type { TopicLog } from "../log/topic_log.ts";

/** The fewest and the most messages that are read at a time. */
const MESSAGES_MIN = 8;
const MESSAGES_MAX = 1024;
/** The most bytes that are read at a time, unless a single message is longer. */
const BYTES_MAX = 256 * 1024;

/** What was read of one channel's ready messages. */
export class ReadAhead {
  readonly #log: TopicLog;
  readonly #onRead: (missing: readonly number[]) => void;
  /** By position. */
  readonly #messages = new Map<number, Segment>();
  /** Positions that are being read; those that are not wanted any more are dropped when they come. */
  #wanted: Set<number> | undefined;
  #most = MESSAGES_MIN;

  /** `onRead` is called when messages have come, with the positions of those that were not where they were said to be. */
  constructor(log: TopicLog, onRead: (missing: readonly number[]) => void) {
    this.#log = log;
    this.#onRead = onRead;
  }

  /** The message at the position, if it has been read. */
  get(position: number): Segment | undefined {
    return this.#messages.get(position);
  }

  /** The message is delivered, or not wanted any more. */
  forget(position: number): void {
    this.#messages.delete(position);
    this.#wanted?.delete(position);
  }

  /** True when half of what was read has been taken. */
  get isLow(): boolean {
    return this.#wanted === undefined && 2 * this.#messages.size <= this.#most;
  }

  /** Reads the next of these messages, in the order in which they will be wanted: the first of them at least. */
  request(places: Iterable<MessagePlace>): void {
    if (this.#wanted) return;
    // Those that came last time have been taken.
    if (this.#messages.size === 0) this.#most = Math.min(2 * this.#most, MESSAGES_MAX);
    const room = this.#most - this.#messages.size;
    const next: MessagePlace[] = [];
    let bytes = 0;
    for (const place of places) {
      if (this.#messages.has(place.position)) continue;
      bytes += place.length;
      if (next.length > 0 && (next.length >= room || bytes > BYTES_MAX)) break;
      next.push(place);
    }
    if (next.length > 0) void this.#read(next);
  }

  /** Forgets what was read: nobody takes it. */
  clear(): void {
    this.#messages.clear();
    this.#wanted?.clear();
    this.#most = MESSAGES_MIN;
  }

  async #read(places: readonly MessagePlace[]): Promise<void> {
    const wanted = this.#wanted = new Set(places.map(({ position }) => position));
    const missing: number[] = [];
    try {
      const messages = await this.#log.readMessages(places);
      for (const position of wanted) {
        const message = messages.get(position);
        if (message) this.#messages.set(position, message);
        else missing.push(position);
      }
    } catch {
      // Whoever reads the segments as a whole is told what is wrong, and tries again.
      missing.push(...wanted);
    }
    this.#wanted = undefined;
    this.#onRead(missing);
  }
}
