/**
 * A node as long as it is watched: when it was asked, what it said last, and how it is now.
 *
 * @module
 */

import type { Moment } from "../../base/clock.ts";
import { type ClusterNode, httpAddressOf } from "../../cluster/cluster_nodes.ts";
import type { NodeNumbers } from "./node_numbers.ts";

/**
 * How a node is: it has not been asked yet; it answers; its answer is late; it has failed to answer; nobody tells of it any
 * more.
 */
export const NODE_STATES = ["new", "up", "late", "failing", "gone"] as const;

/** Why nothing is known, without how long ago that is: it is read aloud whenever it changes. */
export const LATE_REASON = "is late, and not waited for";

/** One of these. */
export type NodeState = (typeof NODE_STATES)[number];

/** A node of the cluster, or one that was. */
export class WatchedNode {
  readonly address: string;
  /** As it was told of last. */
  node: ClusterNode;
  /** What it said last. */
  numbers: NodeNumbers | undefined;
  /** When it did. */
  answered: Moment | undefined;
  /** See history.ts. */
  history: Float32Array | undefined;
  /** Its answer has been waited for in vain. */
  isLate = false;
  /** Since when nobody tells of it. */
  gone: Moment | undefined;
  #failure: string | undefined;

  constructor(node: ClusterNode) {
    this.node = node;
    this.address = httpAddressOf(node);
  }

  get state(): NodeState {
    if (this.gone !== undefined) return "gone";
    if (this.isLate) return "late";
    if (this.#failure !== undefined) return "failing";
    return this.answered === undefined ? "new" : "up";
  }

  /** Why it did not answer the last time. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** It may well not answer. */
  get isDoubtful(): boolean {
    return this.isLate || this.#failure !== undefined;
  }

  /** What is wrong with it, if it should answer and does not. */
  get reason(): string | undefined {
    if (this.gone !== undefined) return undefined;
    if (this.isLate) return LATE_REASON;
    return this.#failure;
  }

  /** It has answered. */
  hasAnswered(numbers: NodeNumbers, at: Moment): void {
    this.numbers = numbers;
    this.answered = at;
    this.isLate = false;
    this.#failure = undefined;
  }

  /** It has not answered, or not with what it was asked for. */
  hasFailed(reason: string): void {
    this.isLate = false;
    this.#failure = reason;
  }

  /** Its numbers count, at that time by the monotonic clock: it is there, and they are not older than that. */
  counts(nowMs: number, ageMaxMs: number): boolean {
    if (this.gone !== undefined || this.answered === undefined) return false;
    return nowMs - this.answered.monotonicMs <= ageMaxMs;
  }
}
