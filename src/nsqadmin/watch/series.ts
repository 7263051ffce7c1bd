/**
 * The topics and channels of a cluster, each known by one object for as long as a node tells of it, so that the numbers of
 * many nodes need no names. There are as many as a limit allows, whatever nodes say.
 *
 * @module
 */

/** What is known of a topic or channel, in the order in which it stands in lists of numbers. */
export const FIELDS = [
  "depth",
  "inFlight",
  "deferred",
  "requeued",
  "timedOut",
  "messages",
  "consumers",
  /** Of how many nodes it is paused. */
  "paused",
  /** Of a topic, how many channels; of a channel 0. */
  "channels",
  /** Messages in a second that came in, and that were finished. */
  "inRate",
  "outRate",
  /** Messages in a second that consumers wanted again. */
  "requeueRate",
  /** Age of the oldest message that is first in line, in s, of the node where that is most; 0 where it is not known. */
  "oldestS",
  /** Messages that consumers of a channel have finished; of a node that does not tell it, or a topic, 0. */
  "finished",
] as const;

/** A number that is known of a topic or channel. */
export type Field = (typeof FIELDS)[number];

/** Where each stands. */
export const AT = Object.fromEntries(FIELDS.map((field, i) => [field, i])) as Readonly<Record<Field, number>>;

/** Of what consumers have answered lately, how much they want again. */
export function requeuedPercent(of: (field: Field) => number): number {
  const requeued = of("requeueRate");
  return requeued === 0 ? 0 : 100 * requeued / (requeued + of("outRate"));
}

/** Topics and channels of a whole cluster. */
export const SERIES_MAX = 50_000;
/** The longest name that is kept, in characters: of what NSQ allows none is longer than 74. */
export const NAME_LENGTH_MAX = 255;

/** A topic, or a channel of one. */
export class Series {
  readonly name: string;
  /** Of a channel, what it is a channel of. */
  readonly topic: Series | undefined;
  readonly channels = new Map<string, Series>();
  /** Lists of numbers that name it. */
  users = 0;
  /** See history.ts. */
  history: Float32Array | undefined;
  /** Over all nodes that count, as of the last round; see {@linkcode FIELDS}. */
  #sums = new Float64Array(FIELDS.length);
  #nodes = 0;
  /** The same of the round that goes on. */
  #nextSums = new Float64Array(FIELDS.length);
  #nextNodes = 0;
  /** Nodes that have it, and whose numbers are too old to count: as of the last round, and of that which goes on. */
  #silent = 0;
  #nextSilent = 0;
  /** When these have answered last. */
  #silentMs = -Infinity;
  #nextSilentMs = -Infinity;
  /** The last sums that there were, while all nodes that have it are silent. */
  #last: Float64Array | undefined;

  constructor(name: string, topic?: Series) {
    this.name = name;
    this.topic = topic;
  }

  /** Nodes that count and have it. */
  get nodes(): number {
    return this.#nodes;
  }

  /** A number over all nodes that count: the sum of theirs, of ages the highest. */
  sum(field: Field): number {
    return this.#sums[AT[field]];
  }

  /** Nodes that have it, and have not said for too long what. */
  get silentNodes(): number {
    return this.#silent;
  }

  /** When it was last known, by the monotonic clock, where nobody says any more; undefined where somebody does. */
  get knownMs(): number | undefined {
    return this.#last && this.#silentMs;
  }

  /** A number as it was last known. */
  known(field: Field): number {
    return (this.#last ?? this.#sums)[AT[field]];
  }

  /** Adds, for the next round, the numbers of a node, which stand there. */
  add(numbers: Float64Array, from: number): void {
    const next = this.#nextSums;
    const oldestS = Math.max(next[AT.oldestS], numbers[from + AT.oldestS]);
    for (let field = 0; field < FIELDS.length; field++) next[field] += numbers[from + field];
    next[AT.oldestS] = oldestS;
    this.#nextNodes++;
  }

  /** A node has it that does not count in the next round, and has answered then, by the monotonic clock. */
  addSilent(answeredMs: number): void {
    this.#nextSilent++;
    this.#nextSilentMs = Math.max(this.#nextSilentMs, answeredMs);
  }

  /** What was added is what there is, and another round begins. */
  publish(): void {
    if (this.#nextNodes > 0 || this.#nextSilent === 0) this.#last = undefined;
    else if (this.#nodes > 0) this.#last = this.#sums.slice();
    this.#silent = this.#nextSilent;
    this.#silentMs = this.#nextSilentMs;
    this.#nextSilent = 0;
    this.#nextSilentMs = -Infinity;
    [this.#sums, this.#nextSums] = [this.#nextSums, this.#sums];
    this.#nodes = this.#nextNodes;
    this.#nextSums.fill(0);
    this.#nextNodes = 0;
  }
}

/** All that are in use. */
export class SeriesSet {
  readonly #topics = new Map<string, Series>();
  readonly #limit: number;
  #size = 0;

  constructor(limit = SERIES_MAX) {
    this.#limit = limit;
  }

  get topics(): Iterable<Series> {
    return this.#topics.values();
  }

  /** Topics and channels. */
  get size(): number {
    return this.#size;
  }

  /** A topic that is known. */
  find(topic: string): Series | undefined {
    return this.#topics.get(topic);
  }

  /** All topics, each before its channels. */
  *all(): Generator<Series> {
    for (const topic of this.#topics.values()) {
      yield topic;
      yield* topic.channels.values();
    }
  }

  /**
   * The topic, or channel of one, for one more user; undefined if there is no room for it. Who guesses right, by what was at
   * the same place before, saves looking for it.
   */
  use(
    name: string,
    { topic, guess }: { readonly topic?: Series; readonly guess?: Series | undefined } = {},
  ): Series | undefined {
    if (guess !== undefined && guess.name === name && guess.topic === topic && guess.users > 0) {
      guess.users++;
      return guess;
    }
    const siblings = topic?.channels ?? this.#topics;
    let series = siblings.get(name);
    if (series === undefined) {
      if (this.#size >= this.#limit || name.length > NAME_LENGTH_MAX) return undefined;
      series = new Series(name, topic);
      siblings.set(name, series);
      this.#size++;
    }
    series.users++;
    return series;
  }

  /** A user needs it no more; what nobody uses is forgotten. */
  release(series: Series): void {
    if (--series.users > 0) return;
    (series.topic?.channels ?? this.#topics).delete(series.name);
    this.#size--;
  }
}
