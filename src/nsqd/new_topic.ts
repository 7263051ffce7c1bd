/**
 * The start of a topic that is new here. Its channels elsewhere are to have its first messages, too: those wait until
 * the channels are known.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import type { Topic } from "../broker/topic.ts";
import type { Gossip } from "./gossip/gossip.ts";
import type { LookupLoop } from "./lookup/loop.ts";

/** Who knows the channels that the topic has elsewhere. */
export interface NewTopicContext {
  /** The topics there are. */
  readonly topics: ReadonlyMap<string, Topic>;
  /** Absent where it is off. */
  readonly gossip: Pick<Gossip, "channelsOf"> | undefined;
  /** Absent where no nsqlookupd is configured. */
  readonly lookup: Pick<LookupLoop, "channelsOf"> | undefined;
  /** Those that end before the topics are closed. */
  readonly tasks: Pick<AsyncGroup, "spawn">;
}

/** Starts the topic, now or when its channels are known. */
export function startNewTopic(topic: Topic, { topics, gossip, lookup, tasks }: NewTopicContext): void {
  for (const channel of gossip?.channelsOf(topic.name) ?? []) topic.channel(channel);
  if (lookup === undefined) {
    topic.start();
    return;
  }
  tasks.spawn(`channels of ${topic.name}`, async (signal) => {
    const channels = await lookup.channelsOf(topic.name, signal);
    if (signal.aborted || topics.get(topic.name) !== topic) return;
    for (const channel of channels) topic.channel(channel);
    topic.start();
  });
}
