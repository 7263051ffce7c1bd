/**
 * What the numbers of topics, channels and nodes were, for a day, in memory: three rings for each, of which the coarser ones hold
 * means of the finer.
 *
 * ```
 *  a round (5 s)    ─▶ ▯▯▯▯…▯  120 points: 10 minutes
 *  12 of those      ─▶ ▯▯…▯     60 points: an hour
 *  5 of those again ─▶ ▯▯▯…▯   288 points: a day
 * ```
 *
 * All of a kind have their points at the same times, so times are kept once, and one costs as many bytes as another.
 * A point without numbers is NaN.
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import type { Series } from "./series.ts";
import type { WatchedNode } from "./watched_node.ts";

/** What is kept of a topic or channel. */
export const KEPT_FIELDS = ["depth", "inFlight", "deferred", "consumers", "inRate", "outRate"] as const;
/** What is kept of a node; memory is that of its heap, in bytes. */
export const KEPT_NODE_FIELDS = ["waiting", "inRate", "outRate", "memory"] as const;

/** A number of a topic or channel of which there is a history. */
export type KeptField = (typeof KEPT_FIELDS)[number];
/** A number of a node of which there is a history. */
export type KeptNodeField = (typeof KEPT_NODE_FIELDS)[number];

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
/** What the history of a node takes, in bytes. */
export const NODE_SIZE = POINTS * KEPT_NODE_FIELDS.length * Float32Array.BYTES_PER_ELEMENT;
/** Nodes that have a history: those that came first. */
export const HISTORY_NODES_MAX = 1000;

/** The past of a number, oldest first. */
export interface Past {
  /** By the wall clock. */
  readonly timesMs: readonly number[];
  /** NaN where nobody knows. */
  readonly values: readonly number[];
}

/** Something that has a history, which it carries with it. */
export interface Remembered {
  history: Float32Array | undefined;
}

/** What {@linkcode History} is made from. */
export interface HistoryOptions<Item, Name> {
  readonly fields: readonly Name[];
  /** What it is now; NaN if nobody knows. */
  readonly valueOf: (item: Item, field: Name) => number;
  /** How many have a history: those that came first. */
  readonly limit: number;
}

/** Histories of all topics and channels. */
export function seriesHistory(limit = HISTORY_SERIES_MAX): History<Series, KeptField> {
  return new History({ fields: KEPT_FIELDS, valueOf: seriesValue, limit });
}

/** Histories of all nodes; what those say that do not count is not known. */
export function nodeHistory(
  counts: (node: WatchedNode) => boolean,
  limit = HISTORY_NODES_MAX,
): History<WatchedNode, KeptNodeField> {
  const valueOf = (node: WatchedNode, field: KeptNodeField) => {
    const { numbers } = node;
    if (numbers === undefined || !counts(node)) return NaN;
    return field === "memory" ? numbers.facts?.memory.inUseBytes || NaN : numbers.totals[field];
  };
  return new History({ fields: KEPT_NODE_FIELDS, valueOf, limit });
}

/** Histories of things of one kind. */
export class History<Item extends Remembered, Name extends string> {
  readonly #timesMs = new Float64Array(POINTS);
  readonly #options: HistoryOptions<Item, Name>;
  /** Rounds that were recorded. */
  #rounds = 0;
  /** How many have a history, as of the last round. */
  #size = 0;

  constructor(options: HistoryOptions<Item, Name>) {
    this.#options = options;
  }

  /** How many have a history. */
  get size(): number {
    return this.#size;
  }

  /** Notes the numbers of a round. */
  async record(items: Iterable<Item>, nowMs: number): Promise<void> {
    const { fields, limit } = this.#options;
    const places = this.#placesOfRound();
    for (const place of places) this.#timesMs[place.to] = nowMs;
    let room = limit - this.#size;
    let size = 0;
    await inSlices(items, (item) => {
      if (item.history === undefined && room-- <= 0) return;
      size++;
      item.history ??= new Float32Array(POINTS * fields.length).fill(NaN);
      this.#recordOne(item, item.history, places);
    });
    this.#size = size;
    // Only now is it there for those who look: the round may have been recorded in several turns.
    this.#rounds++;
  }

  /** The past of a number. */
  past({ history }: Remembered, field: Name, span: Span): Past {
    const { points, start, count } = this.#ring(span);
    const places = Array.from(
      { length: Math.min(count, points) },
      (_, i) => start + (Math.max(count - points, 0) + i) % points,
    );
    const from = this.#options.fields.indexOf(field) * POINTS;
    return {
      timesMs: places.map((place) => this.#timesMs[place]),
      values: places.map((place) => history === undefined ? NaN : history[from + place]),
    };
  }

  #ring(span: Span): { readonly points: number; readonly start: number; readonly count: number } {
    const every = RINGS.slice(0, span + 1).reduce((product, { of }) => product * of, 1);
    return { points: RINGS[span].points, start: STARTS[span], count: Math.floor(this.#rounds / every) };
  }

  #recordOne(item: Item, history: Float32Array, places: readonly Place[]): void {
    const { fields, valueOf } = this.#options;
    for (let field = 0; field < fields.length; field++) {
      const from = field * POINTS;
      for (const { to, meanOf } of places) {
        history[from + to] = meanOf.length === 0 ? valueOf(item, fields[field]) : mean(history, from, meanOf);
      }
    }
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

/** Of a topic, what waits in its channels waits as well. */
function seriesValue(series: Series, field: KeptField): number {
  if (series.nodes === 0) return NaN;
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
