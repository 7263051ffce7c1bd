/**
 * What the others tell this nsqd: Serf's members and their events go into the view (nsqd/gossip.go,
 * `serfEventLoop`).
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import type { Logger } from "../../base/logger.ts";
import type { Timers } from "../../base/timers.ts";
import type { SerfClient } from "../../cluster/serf_client.ts";
import { SerfError, type SerfEvent, type SerfUserEvent } from "../../cluster/serf_records.ts";
import { AHEAD_MAX_MS, aheadMs, decodeEvent, type GossipEvent } from "./event.ts";
import type { SerfLink, SerfUser } from "./link.ts";
import type { GossipView } from "./view.ts";

/** What a listener is made with. */
export interface GossipListenerOptions {
  readonly logger: Logger;
  readonly timers: Timers;
  /** The time of day, which events are held against. */
  readonly clock: Pick<Clock, "nowMs">;
  readonly view: GossipView;
  /** Tags for an agent that was not started with them. */
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly memberGone: () => void;
}

const EVENT_TYPES = ["member-join", "member-leave", "member-failed", "member-update", "member-reap", "user"];
/** How often members are compared with those that Serf knows, and old names forgotten. */
const SYNC_INTERVAL_MS = 30_000;

/** Listens to the others. */
export class GossipListener implements SerfUser {
  readonly #options: GossipListenerOptions;
  /** An event of the future has been said, and is not said again before the next sync. */
  #saidAhead = false;

  constructor(options: GossipListenerOptions) {
    this.#options = options;
  }

  /** Says who this node is if the agent does not know, and learns who is there. */
  async introduce(client: SerfClient): Promise<AsyncIterable<SerfEvent>> {
    const { tags, view } = this.#options;
    if (tags) await client.updateTags(tags);
    const events = await client.events(EVENT_TYPES);
    view.ownName = (await client.stats()).get("agent")?.get("name") ?? view.ownName;
    // Those that are not alive may still be found by a new agent.
    for (const member of await client.members()) {
      if (member.status === "alive") view.join(member);
    }
    return events;
  }

  /** Takes an event in. */
  handle(event: SerfEvent): void {
    const { view, memberGone } = this.#options;
    switch (event.type) {
      case "member-join":
      case "member-update":
        return event.members.forEach((member) => view.join(member));
      case "member-leave":
      case "member-failed":
      case "member-reap":
        event.members.forEach(({ name }) => view.leave(name));
        return memberGone();
      case "user":
        return this.#hear(event);
    }
  }

  /** Makes up for events that were lost between Serf and us, and forgets what nobody speaks of, until the link ends. */
  async keepInStep({ client, signal }: SerfLink): Promise<void> {
    const { timers, view, logger } = this.#options;
    for (;;) {
      await timers.sleep(SYNC_INTERVAL_MS, signal);
      if (signal.aborted) return;
      try {
        this.#saidAhead = false;
        view.sync(await client.members());
        view.sweep(timers.monotonicMs());
      } catch (error) {
        if (!(error instanceof SerfError)) throw error;
        if (!client.failure) logger.error(`SERF: ${error.message}`);
      }
    }
  }

  #hear(event: SerfUserEvent): void {
    const { logger, view, timers } = this.#options;
    const heard = decodeEvent(event);
    if (heard === undefined) logger.debug(`GOSSIP: event ${event.name} is none of ours`);
    else if (!this.#isAhead(heard)) view.hear(heard, timers.monotonicMs());
  }

  #isAhead(event: GossipEvent): boolean {
    const { logger, clock } = this.#options;
    const ms = aheadMs(event, clock.nowMs());
    if (ms <= AHEAD_MAX_MS) return false;
    if (!this.#saidAhead) {
      logger.warn(
        `GOSSIP: refused an event of member(${event.node}) that is ${
          formatDuration(ms)
        } ahead: are the clocks right?`,
      );
    }
    this.#saidAhead = true;
    return true;
  }
}
