/**
 * What this nsqd tells the others: each topic and channel that comes or goes, and all that there are, again and again,
 * because Serf may lose an event, and whoever joins has heard none (nsqd/gossip.go, `gossipLoop`).
 *
 * @module
 */

import { Bell } from "../../base/bell.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Timers } from "../../base/timers.ts";
import type { SerfClient } from "../../cluster/serf_client.ts";
import { SerfError } from "../../cluster/serf_records.ts";
import { AHEAD_MAX_MS, encodeEvent, eventName, type GossipOperation } from "./event.ts";
import type { SerfLink } from "./link.ts";

/** Topics by name, and their channels. */
export type GossipTopics = ReadonlyMap<string, { readonly channels: ReadonlyMap<string, unknown> }>;

/** A topic, or a channel of it, and what has become of it. */
export interface GossipChange {
  readonly topic: string;
  readonly channel: string | undefined;
  readonly operation: GossipOperation;
}

/** What a sender is made with. */
export interface GossipSenderOptions {
  readonly logger: Logger;
  readonly timers: Timers;
  readonly topics: GossipTopics;
  readonly regossipIntervalMs: number;
  /** Name of this nsqd's member. */
  readonly ownName: () => string;
  /** True when there are other members. */
  readonly hasPeers: () => boolean;
  /** The time of day, by which the others order events. */
  readonly clock: Pick<Clock, "nowMs">;
}

/** Changes that wait for an agent. What is more comes with the next regossip, or is missed by the others in time. */
const CHANGES_MAX = 10_000;

/** Events that are sent in one go, before the state of Serf's queue is looked at, and changes have their turn. */
const CHUNK_COUNT = 100;
/** Events that may wait in Serf's queue for more to be added. It drops the oldest beyond 4096. */
const SERF_QUEUE_MAX = 2000;
/** How often a queue that is full is looked at, in ms. */
const SERF_QUEUE_INTERVAL_MS = 1000;
const AHEAD_MAX_NS = BigInt(AHEAD_MAX_MS) * 1_000_000n;

/** Tells the others what this nsqd has. */
export class GossipSender {
  readonly #options: GossipSenderOptions;
  readonly #bell = new Bell();
  #changes: GossipChange[] = [];
  #orderNs = 0n;
  #ended = false;

  constructor(options: GossipSenderOptions) {
    this.#options = options;
  }

  /** Topics without channels, and the channels of the others, which imply their topics. */
  *everything(): Generator<GossipChange> {
    for (const [topic, { channels }] of this.#options.topics) {
      if (channels.size === 0) yield { topic, channel: undefined, operation: "=" };
      for (const channel of channels.keys()) yield { topic, channel, operation: "=" };
    }
  }

  /** Something came or went, and is to be told. */
  add(change: GossipChange): void {
    if (this.#ended || this.#changes.length >= CHANGES_MAX) return;
    this.#changes.push(change);
    this.#bell.ring();
  }

  /** Tells everything at once and at each interval, and each change when it comes, until the connection ends. */
  async send(link: SerfLink): Promise<void> {
    const { client, signal } = link;
    const { timers, logger, regossipIntervalMs } = this.#options;
    let regossipMs = timers.monotonicMs();
    while (!signal.aborted && !this.#ended) {
      if (timers.monotonicMs() >= regossipMs) {
        logger.info("SERF: re-gossiping");
        await this.#sendEverything(link);
        regossipMs = timers.monotonicMs() + regossipIntervalMs;
      }
      await this.#sendChanges(client);
      await this.#bell.wait(timers, regossipMs - timers.monotonicMs(), signal);
    }
  }

  /** Tells that everything is gone, and then no more. */
  async sayFarewell(client: SerfClient): Promise<void> {
    this.#ended = true;
    this.#bell.ring();
    for (const topic of this.#options.topics.keys()) {
      if (client.failure) return;
      await this.#send(client, { topic, channel: undefined, operation: "-" });
    }
  }

  async #sendEverything(link: SerfLink): Promise<void> {
    let count = 0;
    for (const change of this.everything()) {
      if (count++ % CHUNK_COUNT === 0) {
        await this.#waitForRoom(link);
        await this.#sendChanges(link.client);
      }
      if (this.#ended || link.client.failure) return;
      await this.#send(link.client, change);
    }
  }

  async #sendChanges(client: SerfClient): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    for (const [i, change] of changes.entries()) {
      if (this.#ended) return;
      if (client.failure) {
        // For the next connection: that something is gone is said only once.
        this.#changes.unshift(...changes.slice(i));
        return;
      }
      await this.#send(client, change);
    }
  }

  /** Serf sends some dozens of events per second. Without anybody to send to, its queue stays as it is. */
  async #waitForRoom({ client, signal }: SerfLink): Promise<void> {
    const { timers, hasPeers } = this.#options;
    while (hasPeers() && !this.#ended && await queueLength(client) > SERF_QUEUE_MAX) {
      await timers.sleep(SERF_QUEUE_INTERVAL_MS, signal);
      await this.#sendChanges(client);
    }
  }

  async #send(client: SerfClient, { topic, channel, operation }: GossipChange): Promise<void> {
    const { clock, ownName, logger } = this.#options;
    // By the wall clock, as it must go on over a restart; a clock that was set back is waited for by counting. When it was
    // set back by more than the others would take, they have not taken what was said before.
    const nowNs = BigInt(Math.round(clock.nowMs() * 1000)) * 1000n;
    const isBehind = nowNs <= this.#orderNs && this.#orderNs - nowNs < AHEAD_MAX_NS;
    this.#orderNs = isBehind ? this.#orderNs + 1n : nowNs;
    const payload = encodeEvent({ node: ownName(), topic, channel }, this.#orderNs);
    try {
      await client.userEvent(eventName({ operation, channel }), payload);
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      // A connection that is lost is said once, by the one who makes another.
      if (!client.failure) logger.error(`failed to send Serf user event - ${error.message}`);
    }
  }
}

/** Events in Serf's queue. One that cannot be asked, because it is lost, has room: what is sent then fails by itself. */
async function queueLength(client: SerfClient): Promise<number> {
  try {
    const length = (await client.stats()).get("serf")?.get("event_queue") ?? "";
    // What is no number is no reason to wait for ever.
    return /^\d{1,9}$/.test(length) ? Number(length) : 0;
  } catch (error) {
    if (error instanceof SerfError) return 0;
    throw error;
  }
}
