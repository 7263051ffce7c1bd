/**
 * What the numbers of topics and channels were, for a day, in memory: three rings for each, of which the coarser ones hold
 * means of the finer.
 *
 * ```
 *  a round (5 s)    ─▶ ▯▯▯▯…▯  120 points: 10 minutes
 *  12 of those      ─▶ ▯▯…▯     60 points: an hour
 *  5 of those again ─▶ ▯▯▯…▯   288 points: a day
 * ```
 *
 * All series have their points at the same times, so times are kept once, and a series costs as many bytes as another.
 * A point without numbers is NaN.
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import type { Field, Series, SeriesSet } from "./series.ts";

/** What is kept. */
export const KEPT_FIELDS = ["depth", "inFlight", "deferred", "consumers", "inRate", "outRate"] as const;

/** A number of which there is a history. */
export type KeptField = (typeof KEPT_FIELDS)[number];

/** The rings: how many points each has, and of how many points of the one before each is made. */
const RINGS = [{ points: 120, of: 1 }, { points: 60, of: 12 }, { points: 288, of: 5 }] as const;

/** Which ring. */
export type Span = 0 | 1 | 2;

const STARTS = RINGS.map((_, ring) => RINGS.slice(0, ring).reduce((sum, { points }) => sum + points, 0));
/** Points of a field in all rings. */
const POINTS = RINGS.reduce((sum, { points }) => sum + points, 0);

/** What the history of a topic or channel takes, in bytes. */
export const SERIES_SIZE = POINTS * KEPT_FIELDS.length * Float32Array.BYTES_PER_ELEMENT;
/** Topics and channels that have a history: those that came first. */
export const HISTORY_SERIES_MAX = 10_000;

/** The past of a number, oldest first. */
export interface Past {
  /** By the wall clock. */
  readonly timesMs: readonly number[];
  /** NaN where nobody knows. */
  readonly values: readonly number[];
}

/** Histories of all topics and channels. */
export class History {
  readonly #timesMs = new Float64Array(POINTS);
  readonly #limit: number;
  /** Rounds that were recorded. */
  #rounds = 0;
  /** Series that have a history, as of the last round. */
  #size = 0;

  constructor(limit = HISTORY_SERIES_MAX) {
    this.#limit = limit;
  }

  /** Series that have a history. */
  get size(): number {
    return this.#size;
  }

  /** Notes the numbers of a round. */
  async record(set: SeriesSet, nowMs: number): Promise<void> {
    const places = this.#placesOfRound();
    for (const place of places) this.#timesMs[place.to] = nowMs;
    let room = this.#limit - this.#size;
    let size = 0;
    await inSlices(set.all(), (series) => {
      if (series.history === undefined && room-- <= 0) return;
      size++;
      series.history ??= new Float32Array(POINTS * KEPT_FIELDS.length).fill(NaN);
      record(series, series.history, places);
    });
    this.#size = size;
    // Only now is it there for those who look: the round may have been recorded in several turns.
    this.#rounds++;
  }

  /** The past of a number. */
  past(series: Series, field: KeptField, span: Span): Past {
    const { points, start, count } = this.#ring(span);
    const places = Array.from(
      { length: Math.min(count, points) },
      (_, i) => start + (Math.max(count - points, 0) + i) % points,
    );
    const { history } = series;
    const from = KEPT_FIELDS.indexOf(field) * POINTS;
    return {
      timesMs: places.map((place) => this.#timesMs[place]),
      values: places.map((place) => history === undefined ? NaN : history[from + place]),
    };
  }

  #ring(span: Span): { readonly points: number; readonly start: number; readonly count: number } {
    const every = RINGS.slice(0, span + 1).reduce((product, { of }) => product * of, 1);
    return { points: RINGS[span].points, start: STARTS[span], count: Math.floor(this.#rounds / every) };
  }

  /** Where the points of this round go, finest first, and what those of a coarser ring are the means of. */
  #placesOfRound(): Place[] {
    const places: Place[] = [{ to: STARTS[0] + this.#rounds % RINGS[0].points, meanOf: [] }];
    let count = this.#rounds + 1;
    for (let ring = 1; ring < RINGS.length && count % RINGS[ring].of === 0; ring++) {
      const finer = RINGS[ring - 1].points;
      const meanOf = Array.from(
        { length: RINGS[ring].of },
        (_, i) => STARTS[ring - 1] + (count - 1 - i) % finer,
      );
      count /= RINGS[ring].of;
      places.push({ to: STARTS[ring] + (count - 1) % RINGS[ring].points, meanOf });
    }
    return places;
  }
}

/** Where a point goes. */
interface Place {
  readonly to: number;
  /** The points that it is the mean of; none for a round's own. */
  readonly meanOf: readonly number[];
}

function record(series: Series, history: Float32Array, places: readonly Place[]): void {
  for (let field = 0; field < KEPT_FIELDS.length; field++) {
    const from = field * POINTS;
    for (const { to, meanOf } of places) {
      history[from + to] = meanOf.length === 0
        ? series.nodes === 0 ? NaN : valueOf(series, KEPT_FIELDS[field])
        : mean(history, from, meanOf);
    }
  }
}

/** Of a topic, what waits in its channels waits as well. */
function valueOf(series: Series, field: Field): number {
  if (field !== "depth") return series.sum(field);
  let depth = series.sum("depth");
  for (const channel of series.channels.values()) depth += channel.sum("depth");
  return depth;
}

/** Of those that are known. */
function mean(history: Float32Array, from: number, places: readonly number[]): number {
  let sum = 0;
  let count = 0;
  for (const place of places) {
    const value = history[from + place];
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return count === 0 ? NaN : sum / count;
}
