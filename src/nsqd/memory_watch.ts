/**
 * Keeps nsqd below `--max-memory`, for in a container what goes beyond its limit is killed: first garbage is collected, then
 * new messages go to the disk and those in memory follow, and at last no more are taken until there is room again.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Collection } from "../base/collect_garbage.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import type { MessageRoom } from "./message_room.ts";

/** Parts of the limit. From here on garbage is collected. */
const COLLECT_FROM = 0.7;
/** From here on messages go to the disk. */
const SPILL_FROM = 0.8;
/** From here on none are taken. */
const REFUSE_FROM = 0.92;
/** That is over when so much less is in use again. */
const SLACK = 0.05;
/** What a collection costs, clients wait for: all of it comes only so often while memory goes up, and now and then. */
const MAJOR_INTERVAL_MS = 250;
/** Collections that are of little use are made less often, as long as there is room for messages. */
const MAJOR_REST_MS = 5000;
/** A collection is of use when it frees this part of the limit. */
const USEFUL_FROM = 0.02;
const MIB = 2 ** 20;

/** What the watch is made from. */
export interface MemoryWatchContext {
  /** Bytes that may be in use; 0 is any number. */
  readonly limitBytes: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  /** Bytes in use. */
  readonly usedBytes: () => number;
  readonly collect: (type: Collection) => void;
  /** Puts on the disk what is in memory only; absent without a disk. */
  readonly spill: (() => Promise<void>) | undefined;
  /** Room for messages, where they are in memory only. */
  readonly room?: MessageRoom | undefined;
}

/** Knows how much memory there is left. */
export class MemoryWatch {
  readonly #context: MemoryWatchContext;
  #isShort = false;
  #isOut = false;
  #majorDueMs = 0;
  #spilling: Promise<void> | undefined;
  #finished = false;

  constructor(context: MemoryWatchContext) {
    this.#context = context;
  }

  /** Messages are not to stay in memory. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** Why no message can be taken, while that is so. */
  get refusal(): string | undefined {
    return this.#isOut ? "out of memory" : undefined;
  }

  /** Takes room for bytes that come into memory only; false when there is none. */
  hasRoomFor(sizeBytes: number): boolean {
    return this.#context.room?.take(sizeBytes) ?? true;
  }

  /** Looks how much is in use, and does what is to be done; to be called often: it costs some µs. */
  look(): void {
    const { limitBytes, usedBytes, room } = this.#context;
    if (limitBytes === 0 || this.#finished) return;
    room?.look();
    let part = usedBytes() / limitBytes;
    if (part >= COLLECT_FROM) part = this.#collect(part);
    this.#judge(part);
    const { spill } = this.#context;
    if (this.#isShort && spill) this.#spilling ??= this.#spill(spill);
  }

  /** Looks no more, and settles when nothing is being put on the disk. */
  async finish(): Promise<void> {
    this.#finished = true;
    await this.#spilling;
  }

  #collect(before: number): number {
    const { limitBytes, usedBytes, collect, clock } = this.#context;
    collect("minor");
    const part = usedBytes() / limitBytes;
    const nowMs = clock.monotonicMs();
    if (part < COLLECT_FROM || nowMs < this.#majorDueMs) return part;
    collect("major");
    const after = usedBytes() / limitBytes;
    const isOfUse = before - after >= USEFUL_FROM || after >= SPILL_FROM;
    this.#majorDueMs = nowMs + (isOfUse ? MAJOR_INTERVAL_MS : MAJOR_REST_MS);
    return after;
  }

  #judge(part: number): void {
    const { logger, limitBytes } = this.#context;
    const wasShort = this.#isShort;
    const wasOut = this.#isOut;
    this.#isShort = this.#context.spill !== undefined && part >= SPILL_FROM - (wasShort ? SLACK : 0);
    this.#isOut = part >= REFUSE_FROM - (wasOut ? SLACK : 0);
    const used = `${mebibytes(part * limitBytes)} of ${mebibytes(limitBytes)} MiB are in use`;
    if (this.#isOut && !wasOut) logger.error(`MEMORY: ${used}, messages are refused`);
    else if (this.#isShort && !wasShort) logger.warn(`MEMORY: ${used}, messages go to the disk`);
    else if (wasOut && !this.#isOut) logger.info(`MEMORY: ${used}, messages are taken again`);
    else if (wasShort && !this.#isShort) logger.info(`MEMORY: ${used}, messages may stay in memory again`);
  }

  async #spill(spill: () => Promise<void>): Promise<void> {
    try {
      await spill();
    } catch (error) {
      this.#context.logger.error(`MEMORY: failed to put messages on the disk - ${errorText(error)}`);
    }
    this.#spilling = undefined;
  }
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
