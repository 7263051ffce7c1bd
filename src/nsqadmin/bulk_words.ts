/**
 * What can be done with many topics or channels at once, how it ends, and what is said of it.
 *
 * @module
 */

import type { Action } from "../cluster/cluster_actions.ts";

/** What can be done with many at once. */
export const BULK_ACTIONS = ["pause", "unpause", "empty", "delete"] as const satisfies (Action | "delete")[];

/** One of these. */
export type BulkAction = typeof BULK_ACTIONS[number];

/** How it goes, or has ended: as somebody wanted, with nsqadmin, or because who began it may no more. */
export type BulkState = "running" | "done" | BulkStop;

/** Why nothing further is begun. */
export type BulkStop = "canceled" | "stopped" | "revoked";

/** What is said of goes, in one language. */
export interface BulkWords {
  readonly mayNoMore: Readonly<Record<BulkAction, (user: string | undefined) => string>>;
  readonly states: Readonly<Record<BulkState, string>>;
  readonly actions: Readonly<Record<BulkAction, string>>;
  /** What has come of it. */
  readonly outcome: (
    state: string,
    action: string,
    counts: Readonly<Record<"count" | "done" | "failed" | "left", number>>,
  ) => string;
}

const SOMEBODY = "who began it";

/** What logs and the API say of goes. */
export const BULK_WORDS: BulkWords = {
  mayNoMore: {
    pause: (user = SOMEBODY) => `${user} may not pause any more`,
    unpause: (user = SOMEBODY) => `${user} may not unpause any more`,
    empty: (user = SOMEBODY) => `${user} may not empty any more`,
    delete: (user = SOMEBODY) => `${user} may not delete any more`,
  },
  states: { running: "running", done: "done", canceled: "canceled", stopped: "stopped", revoked: "revoked" },
  actions: { pause: "pause", unpause: "unpause", empty: "empty", delete: "delete" },
  outcome: (state, action, { count, done, failed, left }) =>
    `${state}: ${action} of ${count}, ${done} done, ${failed} failed, ${left} not tried`,
};
