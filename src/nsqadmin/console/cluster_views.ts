/**
 * What pages show of the cluster that the poller does not know: each node's part of a topic or channel, and who consumes. It
 * is asked for when somebody looks, and once for all pages that bring themselves up to date (watch/shared_answers.ts).
 *
 * @module
 */

import { type Answered, type Failure, hasNone, type Question } from "../../cluster/asked.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import type { ClusterNode } from "../../cluster/cluster_nodes.ts";
import { Consumers } from "../../cluster/consumers.ts";
import { type ChannelStats, sumChannels, sumTopics, type TopicStats } from "../../cluster/topic_stats.ts";
import type { InactiveTopics } from "../../cluster/inactive_topics.ts";
import { SharedAnswers } from "../watch/shared_answers.ts";
import { Asking } from "./asking.ts";
import {
  lateFailures,
  type LongQuestion,
  LongQuestions,
  type LongQuestionsOptions,
} from "./long_questions.ts";

/** How somebody looks. */
export interface Look {
  /** His page brings itself up to date, as others do. */
  readonly isUpdate: boolean;
}

/** The cluster, as it is asked for a page: neither waits for those of whom it is known that they do not answer. */
export interface ViewClusters {
  /** Waits for nobody for long. */
  readonly quick: Cluster;
  /** Waits as long as a request may take: there may be much in an answer. */
  readonly patient: Cluster;
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

/** The same, where there may be much to be told. */
export interface LongLook extends Look {
  /** Waits until all have answered: for a file, of which nobody would know that there is more. */
  readonly waits: boolean;
}

/** All consumers. */
export interface ConsumersView extends View {
  readonly consumers: Consumers;
  /** A question has got no answer at all. */
  readonly failed: boolean;
}

/** Topics that no node has any more. */
export interface InactiveView extends View {
  readonly topics: InactiveTopics;
  /** As above. */
  readonly failed: boolean;
}

/** See above. */
export class ClusterViews {
  readonly #clusters: ViewClusters;
  readonly #topics: SharedAnswers<TopicView>;
  readonly #channels: SharedAnswers<ChannelView>;
  readonly #consumers: LongQuestions<ConsumersView>;
  readonly #inactive: LongQuestions<InactiveView>;

  constructor(clusters: ViewClusters, options: LongQuestionsOptions) {
    this.#clusters = clusters;
    this.#topics = new SharedAnswers({ ...options, sizeOf: topicSize });
    this.#channels = new SharedAnswers({ ...options, sizeOf: channelSize });
    this.#consumers = new LongQuestions(() => this.#askForConsumers(), options);
    this.#inactive = new LongQuestions(() => this.#askForInactive(), options);
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
  consumers({ isUpdate, waits }: LongLook): Promise<ConsumersView> {
    return this.#consumers.of({ shares: isUpdate, waits });
  }

  /** Topics that no node has any more. */
  inactiveTopics({ isUpdate, waits }: LongLook): Promise<InactiveView> {
    return this.#inactive.of({ shares: isUpdate, waits });
  }

  /** Nodes that have a topic. @throws {UnansweredError} */
  topicNodes(topic: string): Promise<Answered<readonly ClusterNode[]>> {
    return this.#clusters.quick.topicNodes(topic);
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
    return [this.#topics, this.#channels, this.#consumers, this.#inactive];
  }

  async #askForConsumers(): Promise<LongQuestion<ConsumersView>> {
    const asking = new Asking();
    const consumers = new Consumers();
    const nodes = await asking.ask(this.#clusters.quick.nodesOnly(), []);
    const view = (of: Asking): ConsumersView => ({ consumers, failures: of.failures, failed: of.failed });
    if (nodes.length === 0) return { all: Promise.resolve(view(asking)), soFar: () => view(asking) };
    const question = this.#clusters.patient.askForEachChannel(nodes, (channel, slice) => {
      return consumers.add(channel, slice);
    });
    return {
      all: asking.ask(question.all, []).then(() => view(asking)),
      soFar: () => view(askedSoFar(question, asking)),
    };
  }

  #askForInactive(): Promise<LongQuestion<InactiveView>> {
    const asking = new Asking();
    const question = this.#clusters.patient.askForInactiveTopics();
    const view = (topics: InactiveTopics, { failures, failed }: Asking) => ({ topics, failures, failed });
    return Promise.resolve({
      all: asking.ask(question.all, new Map()).then((topics) => view(topics, asking)),
      soFar: () => view(question.soFar().value, askedSoFar(question, asking)),
    });
  }

  async #stats(
    asking: Asking,
    query: { readonly topic: string; readonly channel: string; readonly includeClients: boolean },
  ): Promise<readonly TopicStats[]> {
    const nodes = await asking.ask(this.topicNodes(query.topic), []);
    return nodes.length === 0 ? [] : await asking.ask(this.#clusters.quick.topicStats(nodes, query), []);
  }
}

/** What has come of asking by now, with those who are late. */
function askedSoFar(question: Pick<Question<unknown>, "soFar">, before: Asking): Asking {
  const { failures, late } = question.soFar();
  const asking = new Asking();
  const unanswered = failures.filter((failure) => !hasNone(failure));
  asking.failures.push(...before.failures, ...unanswered, ...lateFailures(late));
  asking.failed = before.failed;
  return asking;
}

function topicSize({ sum: { nodes } }: TopicView): number {
  return (nodes ?? []).reduce((size, { channels }) => size + 1 + (channels?.length ?? 0), 1);
}

function channelSize({ sum }: ChannelView): number {
  return 1 + (sum?.nodes?.length ?? 0) + (sum?.clients?.length ?? 0);
}
