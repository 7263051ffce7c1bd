/**
 * How what goes on behind its answer has ended, in the activity and in the audit log: its beginning stands there as what somebody
 * has done, and says nothing of what came of it. Of many changes each that was made has a line, and those that were not begun would
 * have none.
 *
 * @module
 */

import {
  type ActivityAuthor,
  DETAIL_WORDS,
  type DetailWords,
  type Outcome,
  type Subject,
} from "./activity.ts";
import type { BulkGo } from "./bulk.ts";
import type { BulkState } from "./bulk_words.ts";
import type { AdminContext } from "./context.ts";
import type { Redrive, RedriveState } from "./redrive/redrive.ts";

type EndState = BulkState | RedriveState;
type Notes = Pick<AdminContext, "activity" | "audit" | "clock">;

/** As HTTP has it. */
const STATUSES: Readonly<Record<EndState, number>> = {
  running: 200,
  done: 200,
  canceled: 200,
  stopped: 503,
  revoked: 403,
  failed: 502,
};

/** Notes the end of a redrive, as of who has begun it. */
export function noteRedriveEnd(notes: Notes, redrive: Redrive): void {
  const { id, author, order: { topic, channel, to }, state, count, redriven, failed } = redrive;
  const isDone = state === "done" && failed === 0;
  note(notes, {
    author,
    subject: { action: "end-redrive", topic, channel, to },
    state,
    outcome: outcomeOf(isDone, redriven),
    outcomeIn: ({ redrive: words }) => words.outcome(words.states[state], { count, redriven, failed }),
    problemIn: ({ redrive: words }) => redrive.problemIn(words),
    target: `/redrives/${id}`,
    about: { topic, channel, to },
    counts: { count, redriven, put_back: failed },
  });
}

/** Notes the end of many changes, as of who has begun them. */
export function noteBulkEnd(notes: Notes, go: BulkGo): void {
  const { id, action, author, items: { length: count }, state, counts } = go;
  const { done, failed, left } = counts;
  note(notes, {
    author,
    subject: { action: "end-bulk" },
    state,
    outcome: outcomeOf(failed + left === 0, done),
    outcomeIn: ({ bulk: words }) =>
      words.outcome(words.states[state], words.actions[action], { count, ...counts }),
    problemIn: ({ bulk: words }) => go.problemIn(words),
    target: `/bulk/${id}`,
    about: { action },
    counts: { count, done, failed, not_tried: left },
  });
}

/** What has ended, and how. */
interface Ending {
  readonly author: ActivityAuthor;
  readonly subject: Omit<Subject, "detail">;
  readonly state: EndState;
  readonly outcome: Outcome;
  /** What has come of it. */
  readonly outcomeIn: (words: DetailWords) => string;
  /** What was wrong, if anything was. */
  readonly problemIn: (words: DetailWords) => string | undefined;
  /** For the audit log: its page, what it is about, and how much of it was done. */
  readonly target: string;
  readonly about: object;
  readonly counts: object;
}

function note({ activity, audit, clock }: Notes, ending: Ending): void {
  const { author, subject, state, outcome, outcomeIn, problemIn, target, about, counts } = ending;
  const status = STATUSES[state];
  const detail = (words: DetailWords) => {
    const problem = problemIn(words);
    return problem === undefined ? outcomeIn(words) : `${outcomeIn(words)} - ${problem}`;
  };
  activity.noteEnd(author, { subject: { ...subject, detail }, outcome, status, atMs: clock.nowMs() });
  audit?.note({
    ...{ event: subject.action, address: author.address, token: author.user, target },
    ...{ ...about, state, ...counts, status, reason: problemIn(DETAIL_WORDS) },
  });
}

function outcomeOf(isDone: boolean, doneCount: number): Outcome {
  if (isDone) return "done";
  return doneCount > 0 ? "partly" : "failed";
}
