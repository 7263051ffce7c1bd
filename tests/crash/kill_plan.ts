/**
 * What a round of the crash tests does, drawn from its seed: how the server is configured, who publishes and who
 * consumes, and when and how the server ends. The moments are the plan's, what meets them there is chance.
 *
 * @module
 */

import { Random } from "../support/random.ts";

/** Someone who publishes. */
export interface PublisherPlan {
  readonly over: "tcp" | "http";
  readonly topic: string;
  readonly seed: number;
  /** Commands that may be unanswered at a time. */
  readonly window: number;
  /** Messages after which it goes slowly. */
  readonly messages: number;
}

/** Someone who consumes. */
export interface ConsumerPlan {
  readonly topic: string;
  readonly channel: string;
  readonly seed: number;
  readonly rdy: number;
  /** 0 is the server's. */
  readonly msgTimeoutMs: number;
  /** Of 100 messages, those that it finishes at once. */
  readonly finishPercent: number;
  /** When it leaves, and another one comes; Infinity is never. */
  readonly leaveAfterMs: number;
  /** It says so before. */
  readonly polite: boolean;
}

/** A channel that is made in the round if it is not there yet. */
export interface ChannelPlan {
  readonly topic: string;
  readonly channel: string;
  readonly afterMs: number;
}

/** Kinds of {@linkcode BulkPlan}: what a server has much of when it ends. */
export const BULKS = ["paused", "deferred", "deleted"] as const;

/** Much of something, in one topic. */
export interface BulkPlan {
  /**
   * A backlog of a channel that is paused; messages that are deferred to one moment; or a backlog of a channel that nobody
   * reads and that is deleted, when of the others' messages only a few deferred ones are left: the segments are rewritten.
   */
  readonly kind: typeof BULKS[number];
  readonly topic: string;
  readonly seed: number;
  readonly messages: number;
  /** When the deferred ones are due, and when the channel is deleted: so long after the round has begun. */
  readonly dueAfterMs: number;
  readonly deleteAfterMs: number;
}

/** A server's configuration. */
export interface ServerPlan {
  readonly args: readonly string[];
  readonly syncTimeoutMs: number;
  readonly msgTimeoutMs: number;
}

/** A round. */
export interface RoundPlan {
  readonly seed: number;
  /** Of the server that is started after the kill. */
  readonly server: ServerPlan;
  readonly channels: readonly ChannelPlan[];
  readonly publishers: readonly PublisherPlan[];
  readonly consumers: readonly ConsumerPlan[];
  readonly bulk: BulkPlan | undefined;
  /** How long they work before the server ends. */
  readonly workMs: number;
  readonly end: "kill" | "stop";
  /** Kills while it starts again: so long after its start. */
  readonly killsAtStartMs: readonly number[];
  /** A kill while the messages that are left are delivered: so long after the beginning; Infinity is none. */
  readonly killAtDrainMs: number;
  /** Some messages are deferred for longer than the server keeps them in memory, more than a minute. */
  readonly longDeferrals: boolean;
}

/** A topic for each durability, by its name's beginning. */
export const TOPICS = ["fsync_topic", "disk_topic", "memory_topic"] as const;
const CHANNELS = ["a", "b", "c"];

/** Of a consumer that takes all there is. */
const EAGER = { rdy: 500, finishPercent: 100, leaveAfterMs: Infinity } as const;

/** The server's configuration of a seed. */
export function planServer(seed: number): ServerPlan {
  const random = new Random(seed ^ 0x5e7);
  const syncTimeoutMs = random.pick([20, 50, 100, 200]);
  // Which of them is the usual one, and which are rules, is not to matter.
  const usual = random.pick(["fsync", "disk", "memory"]);
  const rules = ["fsync", "disk", "memory"].filter((durability) => durability !== usual);
  const msgTimeoutMs = random.pick([200, 600, 2000]);
  return {
    syncTimeoutMs,
    msgTimeoutMs,
    args: [
      `--durability=${usual}`,
      ...rules.map((durability) => `--durability-topic=${durability}*=${durability}`),
      `--sync-timeout=${syncTimeoutMs}ms`,
      `--sync-every=${random.pick([1, 100, 2500])}`,
      // Segments of less than 64 KiB are not worth rewriting.
      `--max-bytes-per-file=${random.pick([8, 80, 128, 256, 4096]) * 1024}`,
      `--mem-queue-size=${random.pick([0, 10, 1000, 10_000])}`,
      `--msg-timeout=${msgTimeoutMs}ms`,
    ],
  };
}

/** How large rounds are. */
export interface RoundSize {
  readonly workMsMax: number;
  /** The most messages of a {@linkcode BulkPlan}. */
  readonly bulkMax: number;
  readonly longDeferrals: boolean;
}

/** The round of a seed. */
export function planRound(seed: number, options: RoundSize): RoundPlan {
  const random = new Random(seed);
  const publishers: PublisherPlan[] = [];
  const consumers: ConsumerPlan[] = [];
  const channels: ChannelPlan[] = [];
  for (const topic of TOPICS) {
    const weight = topic.startsWith("memory") ? 1 : 3;
    for (let i = 0; i < weight; i++) publishers.push(planPublisher(random, topic, i === 0 ? "http" : "tcp"));
    for (const channel of CHANNELS.slice(0, 2 + random.below(2))) {
      channels.push({ topic, channel, afterMs: random.pick([0, 0, 30, 200]) });
      for (let i = random.below(3); i > 0; i--) consumers.push(planConsumer(random, topic, channel));
    }
  }
  // Some so short that hardly anything has been saved besides the messages.
  const workMs = random.oneIn(5) ? 5 + random.below(100) : 200 + random.below(options.workMsMax - 200);
  const bulk = random.oneIn(3) ? planBulk(random, { workMs, bulkMax: options.bulkMax }) : undefined;
  if (bulk?.kind === "deleted") {
    const all = channels.filter(({ topic }) => topic === bulk.topic);
    consumers.push(
      ...all.map(({ topic, channel }) => ({ ...planConsumer(random, topic, channel), ...EAGER })),
    );
  }
  return {
    seed,
    server: planServer(seed),
    channels,
    publishers,
    consumers,
    bulk,
    workMs,
    end: random.oneIn(8) ? "stop" : "kill",
    killsAtStartMs: Array.from(
      { length: random.oneIn(6) ? 1 + random.below(2) : 0 },
      () => 20 + random.below(400),
    ),
    killAtDrainMs: random.oneIn(4) ? random.below(400) : Infinity,
    longDeferrals: options.longDeferrals,
  };
}

function planBulk(random: Random, { workMs, bulkMax }: { workMs: number; bulkMax: number }): BulkPlan {
  return {
    kind: random.pick(BULKS),
    topic: random.pick(TOPICS),
    seed: random.next(),
    messages: Math.ceil((1 + random.below(4)) * bulkMax / 4),
    // Before the end, while the next server starts, or when it works.
    dueAfterMs: workMs - 100 + random.below(1500),
    deleteAfterMs: Math.max(workMs - random.below(250), 0),
  };
}

function planPublisher(random: Random, topic: string, over: "tcp" | "http"): PublisherPlan {
  return {
    over,
    topic,
    seed: random.next(),
    window: over === "http" ? 1 + random.below(3) : random.pick([1, 1, 10, 100]),
    messages: 100 + random.below(500),
  };
}

function planConsumer(random: Random, topic: string, channel: string): ConsumerPlan {
  return {
    topic,
    channel,
    seed: random.next(),
    rdy: random.pick([1, 10, 100, 500]),
    msgTimeoutMs: random.pick([0, 0, 1000, 5000]),
    finishPercent: random.pick([30, 70, 90, 99]),
    leaveAfterMs: random.oneIn(3) ? 50 + random.below(500) : Infinity,
    polite: random.oneIn(2),
  };
}
