/**
 * The one who asks the cluster, for all who look: in rounds, each of which asks every node once. Pages are made of what it
 * knows, so that no page waits for a node, and a hundred browsers ask nobody anything.
 *
 * A round asks some nodes at a time, so that their answers do not fill the memory, and ends when each has answered or is late.
 * A late node keeps its question, and delays neither the others nor, as long as it is late, the next rounds. Its numbers, as
 * those of one that fails, count for a while longer; those of a node that nobody tells of any more are kept to be shown.
 *
 * @module
 */

import { type Clock, type Moment, momentOf } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { sleep } from "../../base/every.ts";
import type { Logger } from "../../base/logger.ts";
import { SharedRun } from "../../base/shared_run.ts";
import { inSlices } from "../../base/time_slice.ts";
import { SYSTEM_TIMERS, within } from "../../base/timers.ts";
import { DAEMONS_MAX, type Failure, UnansweredError } from "../../cluster/asked.ts";
import type { Cluster, NodesQuestion, RegistryAnswer } from "../../cluster/cluster.ts";
import { byText, type ClusterNode, httpAddressOf } from "../../cluster/cluster_nodes.ts";
import type { Daemon } from "../../cluster/daemon_client.ts";
import type { Waits } from "../waits.ts";
import { nodeHistory, seriesHistory } from "./history.ts";
import { NodeNumbers } from "./node_numbers.ts";
import { type Series, SeriesSet } from "./series.ts";
import { LATE_REASON, NODE_STATES, type NodeState, WatchedNode } from "./watched_node.ts";
import { WatchedRegistry } from "./watched_registry.ts";

/** Nodes that are asked at a time. */
export const ASKED_MAX = 4;
/** How often those who tell of nodes are asked for them, in ms. */
const DISCOVERY_INTERVAL_MS = 10_000;
/** How long somebody looks who has asked for a page, in ms. */
const LOOKING_MS = 60_000;
/** For how long a node's numbers count after it has said them, in ms; where rounds are rarer, for two of them. */
const AGE_MAX_MS = 15_000;
/** Nodes that are watched, with those that are gone. */
export const NODES_MAX = DAEMONS_MAX;
/** How long a node is remembered that nobody tells of any more, in ms. */
const GONE_KEPT_MS = 24 * 3600 * 1000;

/** What {@linkcode Poller} is given. */
export interface PollerOptions {
  /** Whose requests are the poller's own. */
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For nodes, by a round. */
  readonly waits: Waits;
  /** From the beginning of a round to that of the next. */
  readonly intervalMs: number;
  /** Rounds go on when nobody looks. */
  readonly keepsHistory: boolean;
  /** They do so as well without a history. @default {false} */
  readonly neverRests?: boolean;
  /** Somebody looks all the time. */
  readonly isListened: () => boolean;
  /** Is told of each round, of which that is the number; what it does belongs to the round. */
  readonly onRound: (round: number) => void | Promise<void>;
}

/** See above. */
export class Poller {
  readonly history = seriesHistory();
  readonly nodeHistory = nodeHistory((node) => this.counts(node));
  readonly #options: PollerOptions;
  readonly #set = new SeriesSet();
  readonly #nodes = new Map<string, WatchedNode>();
  /** The same by hostname, once somebody has asked, until there are others: a page asks several times. */
  #inOrder: readonly WatchedNode[] | undefined;
  readonly #registries = new Map<string, WatchedRegistry>();
  readonly #rounds = new SharedRun(() => this.#round());
  readonly #firstRound = Promise.withResolvers<void>();
  /** Questions, which may outlast their round. */
  readonly #asking = new Map<WatchedNode, Promise<void>>();
  #discovering: { readonly ended: Promise<void>; readonly question: NodesQuestion } | undefined;
  #discoveredMs = -Infinity;
  #discoveryFailures: readonly Failure[] = [];
  #lookedMs = -Infinity;
  #count = 0;
  #lastRoundMs: number | undefined;
  #ended: Moment | undefined;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Rounds, until the signal aborts; ends when nothing of them goes on. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, keepsHistory, neverRests } = this.#options;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      if (this.#options.isListened()) this.note();
      const isLookedAt = startMs - this.#lookedMs <= Math.max(LOOKING_MS, 2 * intervalMs);
      if (keepsHistory || neverRests || isLookedAt) await this.#rounds.request();
      // What takes long is done less often: half of the time is others'.
      const endMs = clock.monotonicMs();
      await sleep(Math.max(startMs + intervalMs - endMs, endMs - startMs), signal);
    }
    await this.#rounds.idle();
    await this.#discovering?.ended;
    await Promise.all(this.#asking.values());
  }

  /** Somebody looks: settles when there is something to be seen that is not old. */
  async look(): Promise<void> {
    this.note();
    if (this.#ended === undefined) {
      if (this.#rounds.isRunning) await this.#firstRound.promise;
      else await this.#rounds.request();
    } else if (this.#isOld(this.#ended)) await this.refresh();
  }

  /** Somebody looks, who does not wait. */
  note(): void {
    this.#lookedMs = this.#options.clock.monotonicMs();
  }

  /** Settles after a round that begins after the call. */
  async refresh(): Promise<void> {
    await this.#rounds.request();
  }

  /** Those who tell of nodes are others now. */
  rediscover(): void {
    this.#discoveredMs = -Infinity;
  }

  /** All topics, as of the last round. */
  get topics(): Iterable<Series> {
    return this.#set.topics;
  }

  /** A topic, or a channel of it, as of the last round. */
  find(topic: string, channel?: string): Series | undefined {
    const found = this.#set.find(topic);
    return channel === undefined ? found : found?.channels.get(channel);
  }

  /** All nodes that are there or were, by hostname. */
  get nodes(): readonly WatchedNode[] {
    return this.#inOrder ??= [...this.#nodes.values()].sort((a, b) =>
      byText(a.node.hostname, b.node.hostname) || byText(a.address, b.address)
    );
  }

  /** A node, by its address. */
  node(address: string): WatchedNode | undefined {
    return this.#nodes.get(address);
  }

  /** It did not answer the last time, which is not long ago. */
  doubts({ address }: Daemon): boolean {
    if (this.#ended === undefined || this.#isOld(this.#ended)) return false;
    return this.#nodes.get(address)?.isDoubtful || this.#registries.get(address)?.reason !== undefined;
  }

  /** Those who tell of nodes, as they are configured; none where there is a list of nsqds. */
  get registries(): WatchedRegistry[] {
    const addresses = this.#options.cluster.registries?.addresses ?? [];
    return addresses.map((address) => this.#registries.get(address) ?? new WatchedRegistry(address));
  }

  /** Remembers a node no longer that is gone; false if there is none at that address. */
  forget(address: string): boolean {
    const node = this.#nodes.get(address);
    if (node?.gone === undefined) return false;
    this.#drop(node);
    return true;
  }

  /** The node's numbers are in the sums. */
  counts(node: WatchedNode): boolean {
    return node.counts(this.#options.clock.monotonicMs(), this.#ageMaxMs);
  }

  /** Somebody has said what he has. */
  get hasAnswers(): boolean {
    return this.#nodes.values().some((node) => this.counts(node));
  }

  /** Topics and channels, of all nodes, for which there was no room. */
  get leftOut(): number {
    return this.#nodes.values().reduce((sum, { numbers }) => sum + (numbers?.leftOut ?? 0), 0);
  }

  /** Who has not answered the last time. */
  get failures(): readonly Failure[] {
    const failures = this.nodes.flatMap(({ address, reason }): Failure[] =>
      reason === undefined ? [] : [{ daemon: { kind: "nsqd", address }, reason }]
    );
    return [...this.#discoveryFailures, ...failures];
  }

  /** When the last round ended. */
  get ended(): Moment | undefined {
    return this.#ended;
  }

  /** Rounds that have ended. */
  get rounds(): number {
    return this.#count;
  }

  /** How long the last of them took; undefined before the first. */
  get lastRoundMs(): number | undefined {
    return this.#lastRoundMs;
  }

  /** Nodes that are there or were, by how they are. */
  get nodesByState(): Readonly<Record<NodeState, number>> {
    const counts = Object.fromEntries(NODE_STATES.map((state) => [state, 0])) as Record<NodeState, number>;
    for (const { state } of this.#nodes.values()) counts[state]++;
    return counts;
  }

  /** Topics and channels that are known. */
  get seriesCount(): number {
    return this.#set.size;
  }

  #isOld({ monotonicMs }: Moment): boolean {
    return this.#options.clock.monotonicMs() - monotonicMs > this.#ageMaxMs;
  }

  get #ageMaxMs(): number {
    return Math.max(AGE_MAX_MS, 2 * this.#options.intervalMs);
  }

  async #round(): Promise<void> {
    const { clock, keepsHistory } = this.#options;
    const startMs = clock.monotonicMs();
    await this.#discover();
    await this.#askAll();
    const nowMs = clock.monotonicMs();
    await inSlices(this.#nodes.values(), (node) => {
      if (node.counts(nowMs, this.#ageMaxMs)) node.numbers?.addToSums();
      else if (node.gone === undefined) node.numbers?.addAsSilent();
    });
    for (const series of this.#set.all()) series.publish();
    if (keepsHistory) {
      const atMs = clock.nowMs();
      await this.history.record(this.#set.all(), atMs);
      await this.nodeHistory.record(this.#nodes.values(), atMs);
    }
    this.#ended = momentOf(clock);
    this.#lastRoundMs = this.#ended.monotonicMs - startMs;
    this.#firstRound.resolve();
    await this.#options.onRound(++this.#count);
  }

  /** Asks for the nodes, if it is time to; it is not waited for long. */
  async #discover(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#discovering === undefined && nowMs - this.#discoveredMs >= DISCOVERY_INTERVAL_MS) {
      this.#discoveredMs = nowMs;
      const question = this.#options.cluster.askForNodes();
      const ended = this.#nodesTold(question).finally(() => this.#discovering = undefined);
      this.#discovering = { ended, question };
    }
    if (this.#discovering === undefined) return;
    const { ended, question } = this.#discovering;
    if (!await settledWithin(this.#options.waits.lateMs, ended)) this.#useSoFar(question);
  }

  /** Who is new is asked at once, whoever else is still to tell of nodes. */
  #useSoFar({ soFar }: NodesQuestion): void {
    const { value, registries, late } = soFar();
    const others = value.filter((node) => !this.#nodes.has(httpAddressOf(node)));
    this.#setNodes(others, { isWhole: false, failingAreGone: false });
    const failures = late.map((daemon) => ({ daemon, reason: LATE_REASON }));
    this.#noteRegistries(registries, failures);
    const isLate = new Set(late.map(({ address }) => address));
    const before = this.#discoveryFailures.filter(({ daemon }) => !isLate.has(daemon.address));
    // Of a node that is watched it is said already.
    this.#discoveryFailures = [
      ...before,
      ...failures.filter(({ daemon }) => !this.#nodes.has(daemon.address)),
    ];
  }

  async #nodesTold({ all }: NodesQuestion): Promise<void> {
    const { cluster } = this.#options;
    try {
      const { value, failures, registries } = await all;
      this.#noteRegistries(registries, failures);
      const isWhole = failures.length === 0;
      // In a list of nsqds, who does not answer is missing, and not gone.
      this.#setNodes(value, { isWhole, failingAreGone: cluster.registries !== undefined });
      this.#discoveryFailures = failures;
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      this.#noteRegistries([], error.failures);
      this.#discoveryFailures = error.failures;
    }
  }

  #noteRegistries(answers: readonly RegistryAnswer[], failures: readonly Failure[]): void {
    const now = momentOf(this.#options.clock);
    const { registries } = this;
    this.#registries.clear();
    for (const registry of registries) this.#registries.set(registry.address, registry);
    for (const answer of answers) this.#registries.get(answer.address)?.hasAnswered(answer, now);
    for (const { daemon, reason } of failures) {
      const registry = this.#registries.get(daemon.address);
      if (registry !== undefined) registry.reason = reason;
    }
  }

  #setNodes(
    told: readonly ClusterNode[],
    { isWhole, failingAreGone }: { readonly isWhole: boolean; readonly failingAreGone: boolean },
  ): void {
    const now = momentOf(this.#options.clock);
    const addresses = new Set<string>();
    this.#inOrder = undefined;
    for (const node of told) {
      const address = httpAddressOf(node);
      addresses.add(address);
      const known = this.#nodes.get(address);
      if (known !== undefined) {
        known.node = node;
        known.gone = undefined;
      } else if (this.#nodes.size < NODES_MAX) this.#nodes.set(address, new WatchedNode(node));
    }
    for (const node of this.#nodes.values()) {
      if (addresses.has(node.address)) continue;
      const isGone = isWhole || failingAreGone && node.state !== "up";
      if (isGone) node.gone ??= now;
      if (node.gone === undefined || now.monotonicMs - node.gone.monotonicMs <= GONE_KEPT_MS) continue;
      this.#drop(node);
    }
  }

  #drop(node: WatchedNode): void {
    node.numbers?.release(this.#set);
    this.#nodes.delete(node.address);
    this.#inOrder = undefined;
  }

  /** Asks all nodes, and waits for those that may be expected to answer. */
  async #askAll(): Promise<void> {
    const { lateMs, doubtfulMs } = this.#options.waits;
    const nodes = [...this.#nodes.values()].filter(({ gone }) => gone === undefined);
    const doubtful = nodes.filter(({ isDoubtful }) => isDoubtful);
    const others = nodes.filter(({ isDoubtful }) => !isDoubtful).values();
    const doubts = Promise.all(doubtful.map((node) => settledWithin(doubtfulMs, this.#ask(node))));
    await Promise.all(Array.from({ length: ASKED_MAX }, async () => {
      for (const node of others) {
        if (!await settledWithin(lateMs, this.#ask(node))) node.isLate = true;
      }
    }));
    await doubts;
  }

  /** Asks a node, if it has not still to answer. Never rejects. */
  #ask(node: WatchedNode): Promise<void> {
    const asking = this.#asking.get(node) ??
      this.#answerOf(node).finally(() => this.#asking.delete(node));
    this.#asking.set(node, asking);
    return asking;
  }

  async #answerOf(node: WatchedNode): Promise<void> {
    const { cluster, clock, logger } = this.#options;
    try {
      const numbers = await cluster.nodeNumbers({ kind: "nsqd", address: node.address }, (reader, slice) => {
        const atMs = clock.monotonicMs();
        return NodeNumbers.read(reader, { set: this.#set, slice, atMs, previous: node.numbers });
      });
      node.numbers?.release(this.#set);
      // It may have been forgotten meanwhile.
      if (this.#nodes.get(node.address) !== node) return numbers.release(this.#set);
      if (node.failure !== undefined) logger.info(`WATCH: ${node.address} answers again`);
      node.hasAnswered(numbers, momentOf(clock));
    } catch (error) {
      if (node.failure === undefined) {
        logger.warn(`WATCH: ${node.address} does not answer - ${errorText(error)}`);
        // It may have ended, and nobody tell of it any more.
        this.rediscover();
      }
      node.hasFailed(errorText(error));
    }
  }
}

/** Whether it has settled within that time. */
async function settledWithin(ms: number, promise: Promise<void>): Promise<boolean> {
  return await within(SYSTEM_TIMERS, ms, promise.then(() => true)) ?? false;
}
