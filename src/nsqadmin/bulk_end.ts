/**
 * The end of many changes, in the activity and in the audit log: of each that was made there is a line, and of those that were not
 * begun there would be none.
 *
 * @module
 */

import type { DetailWords, Outcome } from "./activity.ts";
import type { BulkGo } from "./bulk.ts";
import type { BulkState } from "./bulk_words.ts";
import type { AdminContext } from "./context.ts";

const ACTION = "end-bulk";

/** As HTTP has it. */
const STATUSES: Readonly<Record<BulkState, number>> = {
  running: 200,
  done: 200,
  canceled: 200,
  stopped: 503,
  revoked: 403,
};

/** Notes it, as of who has begun it. */
export function noteBulkEnd(
  { activity, audit, clock }: Pick<AdminContext, "activity" | "audit" | "clock">,
  go: BulkGo,
): void {
  const { id, action, author, items, state, counts, reason } = go;
  const count = items.length;
  const status = STATUSES[state];
  const detail = ({ bulk: words }: DetailWords) => {
    const outcome = words.outcome(words.states[state], words.actions[action], { count, ...counts });
    const problem = go.problemIn(words);
    return problem === undefined ? outcome : `${outcome} - ${problem}`;
  };
  activity.noteEnd(author, {
    subject: { action: ACTION, detail },
    outcome: outcomeOf(go),
    status,
    atMs: clock.nowMs(),
  });
  audit?.note({
    ...{ event: ACTION, address: author.address, token: author.user, target: `/bulk/${id}`, action },
    ...{ state, count, done: counts.done, failed: counts.failed, not_tried: counts.left, status, reason },
  });
}

function outcomeOf({ counts: { done, failed, left } }: BulkGo): Outcome {
  if (failed + left === 0) return "done";
  return done > 0 ? "partly" : "failed";
}
