/**
 * What waits to be published, and how it is put together: messages of a topic that follow one another go out as one
 * MPUB. No I/O, time is passed in.
 *
 * ```
 *  publish() ──► queued ──► take(): batch ──► sent to a node ──► OK: published
 *                  ▲                               │
 *                  │  not published, or nobody knows (and that may be): next node, until the attempts are used up
 *                  ├───────────────────────────────┤
 *                  │  a message in it is refused: both halves, each as a batch of its own
 *                  └───────────────────────────────┘
 * ```
 *
 * @module
 */

/** What follows one another in a queue and belongs to the same group may be one batch. */
export interface Group {
  /** How long nsqd keeps it before it is delivered, in ms: such messages go alone. */
  readonly deferMs: number;
  /** The message is a batch already, which is published whole or not at all. */
  readonly whole: boolean;
}

/** The messages that nothing is said about. */
export const PLAIN: Group = { deferMs: 0, whole: false };

/** One message, or a batch that was given as one. */
export interface Item {
  readonly topic: string;
  readonly bodies: readonly Uint8Array[];
  /** Of all bodies together. */
  readonly bytes: number;
  /** By the monotonic clock; it is not tried any more afterwards. In ms. */
  readonly deadlineMs: number;
  group: Group;
  /** How often it was sent and not taken. */
  attempts: number;
  /** It was sent and not answered, once at least. */
  ambiguous: boolean;
  /** Nobody waits for it any more. */
  over: boolean;
}

/** The most that goes into one batch. */
export interface BatchLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** What waits. */
export class PublishQueue<T extends Item> {
  /** Those of each topic, the first to be sent first; topics take turns. */
  readonly #topics = new Map<string, TopicQueue<T>>();

  /** True when nothing waits. */
  get empty(): boolean {
    return this.#topics.size === 0;
  }

  /** Puts an item at the end. */
  push(item: T): void {
    const queue = this.#topics.get(item.topic);
    if (queue) queue.push(item);
    else this.#topics.set(item.topic, new TopicQueue([item]));
  }

  /** Puts items of one topic, which have been taken, to where they were. */
  putBack(items: readonly T[]): void {
    if (items.length === 0) return;
    const { topic } = items[0];
    const queue = this.#topics.get(topic);
    this.#topics.set(topic, new TopicQueue([...items, ...queue?.rest() ?? []]));
  }

  /** The next batch, all of one topic and one group; empty when nothing waits. */
  take(limits: BatchLimits): T[] {
    for (const [topic, queue] of this.#topics) {
      const batch = queue.take(limits);
      // To the end of the line: the other topics come first.
      this.#topics.delete(topic);
      if (!queue.empty) this.#topics.set(topic, queue);
      if (batch.length > 0) return batch;
    }
    return [];
  }

  /** All that waits. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (const queue of this.#topics.values()) yield* queue.rest();
  }
}

/** Puts items that were refused together into groups of half as many each. */
export function split(items: readonly Item[]): void {
  const half = items.length >>> 1;
  const first: Group = { ...PLAIN };
  const second: Group = { ...PLAIN };
  items.forEach((item, i) => item.group = i < half ? first : second);
}

class TopicQueue<T extends Item> {
  #items: T[];
  #first = 0;

  constructor(items: T[]) {
    this.#items = items;
  }

  get empty(): boolean {
    return this.#first === this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  rest(): T[] {
    return this.#items.slice(this.#first);
  }

  take(limits: BatchLimits): T[] {
    const items = this.#items;
    const batch: T[] = [];
    let bytes = 0;
    let at = this.#first;
    for (; at < items.length; at++) {
      const item = items[at];
      if (item.over) continue;
      if (batch.length > 0) {
        const { group } = batch[0];
        if (item.group !== group || group.whole || group.deferMs > 0) break;
        if (batch.length >= limits.messages || bytes + item.bytes > limits.bytes) break;
      }
      batch.push(item);
      bytes += item.bytes;
    }
    this.#first = at;
    if (at === items.length) {
      this.#items = [];
      this.#first = 0;
    } else if (at > 1024 && at > items.length >>> 1) {
      // What was taken is let go once it is the greater part.
      this.#items = items.slice(at);
      this.#first = 0;
    }
    return batch;
  }
}
