/**
 * The end of a redrive, in the activity and in the audit log: its beginning stands there as what somebody has done, and says
 * nothing of what came of it.
 *
 * @module
 */

import type { DetailWords, Outcome } from "../activity.ts";
import type { AdminContext } from "../context.ts";
import type { Redrive, RedriveState } from "./redrive.ts";

const ACTION = "end-redrive";

/** As HTTP has it. */
const STATUSES: Readonly<Record<RedriveState, number>> = {
  running: 200,
  done: 200,
  canceled: 200,
  stopped: 503,
  revoked: 403,
  failed: 502,
};

/** Notes it, as of who has begun it. */
export function noteEnd(
  { activity, audit, clock }: Pick<AdminContext, "activity" | "audit" | "clock">,
  redrive: Redrive,
): void {
  const { id, author, order: { topic, channel, to }, state, count, redriven, failed, problem } = redrive;
  const status = STATUSES[state];
  const detail = ({ redrive: words }: DetailWords) => {
    const outcome = words.outcome(words.states[state], { count, redriven, failed });
    const reason = redrive.problemIn(words);
    return reason === undefined ? outcome : `${outcome} - ${reason}`;
  };
  activity.noteEnd(author, {
    subject: {
      action: ACTION,
      topic,
      channel,
      to,
      detail,
    },
    outcome: outcomeOf(redrive),
    status,
    atMs: clock.nowMs(),
  });
  audit?.note({
    ...{ event: ACTION, address: author.address, token: author.user, target: `/redrives/${id}` },
    ...{ topic, channel, to, state, count, redriven, put_back: failed, status, reason: problem },
  });
}

function outcomeOf({ state, redriven, failed }: Redrive): Outcome {
  if (state === "done" && failed === 0) return "done";
  return redriven > 0 ? "partly" : "failed";
}
