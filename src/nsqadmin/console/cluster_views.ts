/**
 * What pages show of the cluster that the poller does not know: each node's part of a topic or channel, and who consumes. It
 * is asked for when somebody looks, and once for all pages that bring themselves up to date (watch/shared_answers.ts).
 *
 * @module
 */

import type { Failure } from "../../cluster/asked.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { Consumers } from "../../cluster/consumers.ts";
import { type ChannelStats, sumChannels, sumTopics, type TopicStats } from "../../cluster/topic_stats.ts";
import { SharedAnswers, type SharedAnswersOptions } from "../watch/shared_answers.ts";
import { Asking } from "./asking.ts";

/** How somebody looks. */
export interface Look {
  /** His page brings itself up to date, as others do. */
  readonly isUpdate: boolean;
}

/** What came of asking. */
interface View {
  /** Who has not answered. */
  readonly failures: readonly Failure[];
}

/** A topic, over all nodes. */
export interface TopicView extends View {
  /** Nodes that have it. */
  readonly nodes: number;
  readonly sum: TopicStats;
}

/** A channel, over all nodes. */
export interface ChannelView extends View {
  /** Undefined if no node has it. */
  readonly sum: ChannelStats | undefined;
}

/** All consumers. */
export interface ConsumersView extends View {
  readonly consumers: Consumers;
  /** A question has got no answer at all. */
  readonly failed: boolean;
}

/** See above. */
export class ClusterViews {
  readonly #cluster: Cluster;
  readonly #topics: SharedAnswers<TopicView>;
  readonly #channels: SharedAnswers<ChannelView>;
  readonly #consumers: SharedAnswers<ConsumersView>;

  constructor(cluster: Cluster, options: Omit<SharedAnswersOptions<unknown>, "sizeOf">) {
    this.#cluster = cluster;
    this.#topics = new SharedAnswers({ ...options, sizeOf: topicSize });
    this.#channels = new SharedAnswers({ ...options, sizeOf: channelSize });
    this.#consumers = new SharedAnswers({ ...options, sizeOf: () => 1 });
  }

  /** A topic. */
  topic(topic: string, look: Look): Promise<TopicView> {
    return this.#topics.of(topic, async () => {
      const asking = new Asking();
      const stats = await this.#stats(asking, { topic, channel: "", includeClients: false });
      return { nodes: stats.length, sum: await sumTopics(topic, stats), failures: asking.failures };
    }, { shares: look.isUpdate });
  }

  /** A channel, with its clients. */
  channel(topic: string, channel: string, look: Look): Promise<ChannelView> {
    return this.#channels.of(JSON.stringify([topic, channel]), async () => {
      const asking = new Asking();
      const stats = await this.#stats(asking, { topic, channel, includeClients: true });
      const parts = stats.flatMap(({ channels }) => channels ?? []).filter(({ channel_name }) =>
        channel_name === channel
      );
      const sum = parts.length === 0 ? undefined : await sumChannels(parts);
      return { sum, failures: asking.failures };
    }, { shares: look.isUpdate });
  }

  /** Who consumes. */
  consumers(look: Look): Promise<ConsumersView> {
    return this.#consumers.of("", async () => {
      const asking = new Asking();
      const consumers = new Consumers();
      const nodes = await asking.ask(this.#cluster.nodesOnly(), []);
      if (nodes.length > 0) {
        const adding = this.#cluster.eachChannel(nodes, (channel, slice) => consumers.add(channel, slice));
        await asking.ask(adding, []);
      }
      return { consumers, failures: asking.failures, failed: asking.failed };
    }, { shares: look.isUpdate });
  }

  /** Something has changed: what is shown from now on was asked for from now on. */
  forget(): void {
    for (const answers of this.#all) answers.forget();
  }

  /** Drops what nobody looks at any more. */
  dropOld(): void {
    for (const answers of this.#all) answers.dropOld();
  }

  get #all(): readonly Pick<SharedAnswers<unknown>, "forget" | "dropOld">[] {
    return [this.#topics, this.#channels, this.#consumers];
  }

  async #stats(
    asking: Asking,
    query: { readonly topic: string; readonly channel: string; readonly includeClients: boolean },
  ): Promise<readonly TopicStats[]> {
    const nodes = await asking.ask(this.#cluster.topicNodes(query.topic), []);
    return nodes.length === 0 ? [] : await asking.ask(this.#cluster.topicStats(nodes, query), []);
  }
}

function topicSize({ sum: { nodes } }: TopicView): number {
  return (nodes ?? []).reduce((size, { channels }) => size + 1 + (channels?.length ?? 0), 1);
}

function channelSize({ sum }: ChannelView): number {
  return 1 + (sum?.nodes?.length ?? 0) + (sum?.clients?.length ?? 0);
}
