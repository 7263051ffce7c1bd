/**
 * A topic's log without a topic: its owner writes down what it is told.
 *
 * @module
 */
import type { Segment } from "../../src/log/segment.ts";
import type { Damage } from "../../src/log/segment_image.ts";
import type { Expectation } from "../../src/log/recovery.ts";
import { Budget } from "../../src/base/budget.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import type { Change } from "../../src/log/segment_loader.ts";
import { type LogLimits, type LogOwner, TopicLog } from "../../src/log/topic_log.ts";
import { blockOfTexts, textOf } from "./broker_messages.ts";
import { TestStores } from "./broker_stores.ts";

/** Where the logs of the tests begin. */
export const LOG_START = 1000;

/** A log under test, and what it told. */
export class TestLog implements LogOwner {
  readonly stores: TestStores;
  readonly store: SegmentStore;
  readonly log: TopicLog;
  /** Settles when others have had their turn. */
  othersFirst: () => Promise<void> = () => Promise.resolve();
  isMemoryShort = false;
  /** What `waitingInMemory` says. */
  waiting = 0;
  readonly events: string[] = [];

  constructor(
    options: {
      limits?: Partial<LogLimits>;
      stores?: TestStores;
      stored?: boolean;
      durable?: boolean;
      end?: number;
      reads?: Budget;
    } = {},
  ) {
    const { limits, stores = new TestStores(), stored = true, durable = false, end = LOG_START } = options;
    const { reads = new Budget(Infinity) } = options;
    this.stores = stores;
    this.store = stores.open("t");
    this.log = new TopicLog({
      owner: this,
      store: stored ? this.store : undefined,
      limits: { memQueueSize: 0, maxBytesPerFile: 100_000, ...limits },
      durable,
      end,
      reads,
      othersFirst: () => this.othersFirst(),
      isMemoryShort: () => this.isMemoryShort,
    });
  }

  /** Takes what the store has, as at the start of a topic without channels. */
  recover(expected?: Expectation): void {
    for (const { kind, base, ranges } of this.log.recover(expected)) {
      this.events.push(`${kind} ${base}: ${ranges.map(({ from, to }) => `${from}-${to}`).join(" ")}`);
    }
    this.log.recovered();
  }

  /** Adds messages, all of one moment. */
  append(...bodies: readonly string[]): void {
    const block = blockOfTexts(...bodies);
    const timestamp = { high: 1, low: 2 };
    this.log.append(block, 0, block.length, { count: bodies.length, timestamp, dueMs: 0 });
  }

  /** Adds a message that is due then; 0 is at once. */
  defer(body: string, dueMs: number): void {
    const block = blockOfTexts(body);
    this.log.append(block, 0, block.length, { count: 1, timestamp: { high: 1, low: 2 }, dueMs });
  }

  /** Adds messages and makes them the topic's. */
  publish(...bodies: readonly string[]): void {
    this.append(...bodies);
    this.log.commit();
  }

  /** What the log has: of each segment its kind, whether it is in memory, its first position and its bodies. */
  content(): string[] {
    return this.log.segments.map((segment) => {
      const bodies = segment.resident
        ? Array.from(
          { length: segment.count },
          (_, index) => segment.has(index) ? textOf(segment, index) : "-",
        ).join(" ")
        : `(${segment.count})`;
      return `${segment.stored ? "stored" : "memory"} ${segment.base}: ${bodies}`;
    });
  }

  /** The events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }

  waitingInMemory(): number {
    return this.waiting;
  }

  committed(segment: Segment, from: number, to: number): void {
    this.events.push(`committed ${segment.base + from}-${segment.base + to}`);
  }

  changed(segment: Segment, { lost }: Change): void {
    this.events.push(`changed ${segment.base}: ${lost} lost`);
  }

  spilled(segment: Segment): void {
    this.events.push(`spilled ${segment.base}`);
  }

  sealed(segment: Segment): void {
    this.events.push(`sealed ${segment.base}`);
  }

  damaged(segment: Segment, damages: readonly Damage[]): void {
    this.events.push(`damaged ${segment.base}: ${damages.map(({ reason }) => reason).join(", ")}`);
  }

  missing(segment: Segment): void {
    this.events.push(`missing ${segment.base}`);
  }

  loadFailed(segment: Segment, error: unknown): void {
    this.events.push(`load failed ${segment.base}: ${error}`);
  }

  removeFailed(segment: Segment, error: unknown): void {
    this.events.push(`remove failed ${segment.base}: ${error}`);
  }
}
