/**
 * Long work in slices of a few ms, between which whatever else waits has its turn: nothing that somebody asks for may hold up
 * the others, however large it is.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { atEndOfTurn, othersFirst } from "./every.ts";

/** How long work goes on before others have their turn, in ms. */
export const SLICE_MS = 5;
const SYSTEM = { monotonicMs: () => performance.now() };

/** Part of a long work. */
export interface Slice {
  /** True when it is time for others. */
  readonly isOver: boolean;
  /** Lets others have their turn, and begins another slice. */
  next(): Promise<void>;
}

/**
 * A slice that begins when it is made. The clock is only asked, and nothing awaited, while it lasts:
 *
 * ```ts
 * import { TimeSlice } from "./time_slice.ts";
 *
 * const slice = new TimeSlice();
 * let sum = 0;
 * for (let i = 0; i < 1000; i++) {
 *   sum += i;
 *   if (slice.isOver) await slice.next();
 * }
 * ```
 */
export class TimeSlice implements Slice {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #endMs: number;

  /** By the system's clock, if none is given. */
  constructor(clock: Pick<Clock, "monotonicMs"> = SYSTEM) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + SLICE_MS;
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  async next(): Promise<void> {
    await othersFirst();
    this.#endMs = this.#clock.monotonicMs() + SLICE_MS;
  }
}

/**
 * One slice for all who have long work in the same turn of the event loop: however many they are, it is over when together
 * they have worked as long. Each does a little before it looks. What cannot be cut waits before it begins instead
 * (fair_share.ts).
 */
export class SharedSlice implements Slice {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #endMs = 0;
  /** Somebody has begun in this turn. */
  #begun = false;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Somebody begins; who does so first in a turn begins the slice. Who does not say it begins when it first looks. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#endMs = this.#clock.monotonicMs() + SLICE_MS;
    atEndOfTurn(() => this.#begun = false);
  }

  get isOver(): boolean {
    if (this.#begun) return this.#clock.monotonicMs() >= this.#endMs;
    this.begin();
    return false;
  }

  async next(): Promise<void> {
    await othersFirst();
    this.begin();
  }
}

/** Takes all steps of a work, and does something with what each has come to; the slice may have begun with other work. */
export async function inSlices<Step>(
  steps: Iterable<Step>,
  use: (step: Step) => unknown = () => {},
  slice: Slice = new TimeSlice(),
): Promise<void> {
  for (const step of steps) {
    use(step);
    if (slice.isOver) await slice.next();
  }
  if (slice.isOver) await slice.next();
}
