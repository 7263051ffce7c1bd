/**
 * How many bytes messages may take where they are in memory only: what would not fit is refused, because there is no disk
 * that it could go to, and a process that takes more than it may is killed with all that was acknowledged.
 *
 * @module
 */

import type { Logger } from "../base/logger.ts";

const MIB = 2 ** 20;

/** What the room is made from. */
export interface MessageRoomContext {
  /** Bytes that messages may take. */
  readonly limitBytes: number;
  /** Bytes that they take now. To find out costs as much as there are topics. */
  readonly usedBytes: () => number;
  readonly logger: Logger;
}

/** Counts what comes, and measures what there is now and then: what goes is not counted. */
export class MessageRoom {
  readonly #context: MessageRoomContext;
  #usedBytes = 0;
  /** It has not been measured since the last look. */
  #isStale = true;
  #isFull = false;

  constructor(context: MessageRoomContext) {
    this.#context = context;
  }

  /** Measures; to be called often, for room that has been given back is seen by this. */
  look(): void {
    if (this.#usedBytes > 0) this.#measure();
    this.#isStale = true;
  }

  /** Takes room for so many bytes more; false when there is not as much. */
  take(sizeBytes: number): boolean {
    const leftAfter = () => this.#context.limitBytes - this.#usedBytes - sizeBytes;
    // Not at each refusal: somebody who tries again and again is not to cost more than one who publishes.
    if (leftAfter() < 0 && this.#isStale) this.#measure();
    const fits = leftAfter() >= 0;
    if (fits) this.#usedBytes += sizeBytes;
    this.#say(fits);
    return fits;
  }

  #measure(): void {
    this.#usedBytes = this.#context.usedBytes();
    this.#isStale = false;
  }

  #say(fits: boolean): void {
    if (fits !== this.#isFull) return;
    this.#isFull = !fits;
    const { logger, limitBytes } = this.#context;
    const used = `messages take ${mebibytes(this.#usedBytes)} of ${mebibytes(limitBytes)} MiB`;
    if (fits) logger.info(`MEMORY: ${used}, more are taken again`);
    else logger.warn(`MEMORY: ${used}, and what does not fit is refused until some are finished`);
  }
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
