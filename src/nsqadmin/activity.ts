/**
 * What people have done lately, and what they were refused: the last of it, in memory, for whoever asks who has deleted that
 * topic. Unlike the audit log it tells what each daemon has made of a change, and is gone when nsqadmin ends.
 *
 * @module
 */

import { shortened } from "../base/shortened.ts";
import type { Failure } from "../cluster/asked.ts";
import type { Done } from "../cluster/cluster_actions.ts";
import type { Daemon } from "../cluster/daemon_client.ts";
import { answered, type Responder } from "../http/decorators.ts";
import type { RequestContext } from "../http/request_context.ts";
import { userOf } from "./access.ts";
import { BULK_WORDS, type BulkWords } from "./bulk_words.ts";
import type { AdminContext } from "./context.ts";
import { REDRIVE_WORDS, type RedriveWords } from "./redrive/redrive.ts";
import { type Said, saidIn } from "./said.ts";

/** Activities that are kept. */
export const ACTIVITIES_MAX = 2000;
/** Of these, such as were refused: who tries again and again does not push out what was done. */
export const REFUSED_MAX = 500;
/** The same of such as were one of many changes that somebody has asked for at once. */
export const BULK_ACTIVITIES_MAX = 1000;
/** Daemons of a change that are named, those that failed first. */
export const RESULTS_MAX = 50;
/** The longest text of an activity, in characters. */
export const ACTIVITY_TEXT_LENGTH_MAX = 300;

/** What became of it: all, some or none of the daemons have done it; or it was not even tried. */
export type Outcome = "done" | "partly" | "failed" | "refused";

/** What a change is about. */
export interface Subject {
  readonly action: string;
  readonly topic?: string | undefined;
  readonly channel?: string | undefined;
  readonly node?: string | undefined;
  /** Its id. */
  readonly message?: string | undefined;
  /** A consumer, by what it calls itself or its address. */
  readonly client?: string | undefined;
  /** The topic that messages go to. */
  readonly to?: string | undefined;
  /** What has come of it. */
  readonly detail?: Said<DetailWords> | undefined;
}

/** What details are said in, in one language. */
export interface DetailWords {
  readonly bulk: BulkWords;
  readonly redrive: RedriveWords;
}

/** As the API and logs say them. */
export const DETAIL_WORDS: DetailWords = { bulk: BULK_WORDS, redrive: REDRIVE_WORDS };

/** What a daemon has made of it. */
export interface Result {
  readonly daemon: string;
  /** Why it failed; undefined if it has done it. */
  readonly reason: string | undefined;
}

/** Something that somebody has done, or tried to do. */
export interface Activity extends Subject {
  /** Counts them. */
  readonly number: number;
  /** By the wall clock. */
  readonly atMs: number;
  readonly user: string | undefined;
  /** With the port. */
  readonly address: string;
  readonly userAgent: string;
  /** Of the answer. */
  readonly status: number;
  readonly outcome: Outcome;
  /** It is one of many that were asked for at once. */
  readonly isOfBulk: boolean;
  readonly results: readonly Result[];
  /** Further results that are not kept. */
  readonly resultsLeftOut: number;
}

/** Who has done something. */
export interface ActivityAuthor {
  readonly user: string | undefined;
  /** With the port. */
  readonly address: string;
  readonly userAgent: string;
}

/** What was tried on behalf of a request. */
interface Attempt {
  readonly subject: Subject;
  readonly result: Done | undefined;
}

/** The last of them. */
export class ActivityLog {
  #kept: Activity[] = [];
  #count = 0;
  readonly #attempts = new WeakMap<RequestContext, Attempt>();

  /** All that are kept, the newest first. */
  get newestFirst(): Activity[] {
    return this.#kept.toReversed();
  }

  /** A request is about that, and so much has come of it. */
  tried(context: RequestContext, subject: Subject, result?: Done): void {
    this.#attempts.set(context, { subject, result });
  }

  /** A request was answered with that status. What only looks, or asks what would be done, is no activity unless it was forbidden. */
  note(context: RequestContext, { status, user, atMs }: {
    readonly status: number;
    readonly user: string | undefined;
    readonly atMs: number;
  }): void {
    const attempt = this.#attempts.get(context);
    if (attempt === undefined && (status < 400 || context.method === "GET" && status !== 403)) return;
    const { method, rawPath, params, remoteAddress, request } = context;
    const subject = attempt?.subject ??
      { action: `${method} ${rawPath}`, topic: params.topic, channel: params.channel, node: params.node };
    const userAgent = request.headers.get("user-agent") ?? "";
    this.#add({ user, address: remoteAddress, userAgent }, {
      ...{ subject, result: attempt?.result, status, atMs, isOfBulk: false },
    });
  }

  /** What had been begun for a request is over, and that has come of it. */
  noteEnd(by: ActivityAuthor, ended: {
    readonly subject: Subject;
    readonly outcome: Outcome;
    readonly status: number;
    readonly atMs: number;
  }): void {
    this.#add(by, { ...ended, result: undefined, isOfBulk: false });
  }

  /** One of many changes, which no request is about alone, was tried, and that has come of it. */
  noteOfBulk(
    by: ActivityAuthor,
    tried: {
      readonly subject: Subject;
      readonly result: Done;
      readonly status: number;
      readonly atMs: number;
    },
  ): void {
    this.#add(by, { ...tried, isOfBulk: true });
  }

  #add(
    { user, address, userAgent }: ActivityAuthor,
    { subject, result, status, atMs, isOfBulk, outcome = outcomeOf(status, result) }: {
      readonly subject: Subject;
      readonly result: Done | undefined;
      readonly outcome?: Outcome;
      readonly status: number;
      readonly atMs: number;
      readonly isOfBulk: boolean;
    },
  ): void {
    const { results, leftOut } = resultsOf(result);
    this.#kept.push({
      number: ++this.#count,
      atMs,
      user: cut(user),
      address,
      userAgent: cut(userAgent) ?? "",
      action: cut(subject.action) ?? "",
      topic: cut(subject.topic),
      channel: cut(subject.channel),
      node: cut(subject.node),
      message: cut(subject.message),
      client: cut(subject.client),
      to: cut(subject.to),
      detail: subject.detail,
      status,
      outcome,
      isOfBulk,
      results,
      resultsLeftOut: leftOut,
    });
    this.#dropAbove(REFUSED_MAX, ({ outcome }) => outcome === "refused");
    this.#dropAbove(BULK_ACTIVITIES_MAX, ({ isOfBulk }) => isOfBulk);
    this.#dropAbove(ACTIVITIES_MAX, () => true);
  }

  /** Drops the oldest of a sort if there is one too many. */
  #dropAbove(most: number, isOfSort: (activity: Activity) => boolean): void {
    let count = 0;
    for (const activity of this.#kept) if (isOfSort(activity)) count++;
    if (count > most) this.#kept.splice(this.#kept.findIndex(isOfSort), 1);
  }
}

type Recorder = Pick<AdminContext, "activity" | "clock" | "options" | "proxies" | "logins">;

/** Notes what becomes of requests that change something. */
export function recorded(admin: Recorder, responder: Responder): Responder {
  return answered(responder, (context, status) => noteActivity(admin, context, status));
}

/** Notes that a request was answered with that status. */
export function noteActivity(admin: Recorder, context: RequestContext, status: number): void {
  const user = context.client ?? userOf(admin, context);
  admin.activity.note(context, { status, user, atMs: admin.clock.nowMs() });
}

/** The texts of an activity by which it is found. */
export function textOf({ user, address, outcome, ...activity }: Activity): string {
  const { action, topic, channel, node, message, client, to } = activity;
  const detail = detailOf(activity);
  const texts = [user, address, action, topic, channel, node, message, client, to, detail, outcome];
  return texts.filter((text) => text !== undefined).join(" ");
}

/** What has come of it, in words. */
export function detailOf(
  { detail }: Pick<Activity, "detail">,
  words: DetailWords = DETAIL_WORDS,
): string | undefined {
  return cut(detail && saidIn(words, detail));
}

function outcomeOf(status: number, result: Done | undefined): Outcome {
  if (result === undefined) return status < 400 ? "done" : status < 500 ? "refused" : "failed";
  if (result.failures.length === 0) return "done";
  return result.done.length > 0 ? "partly" : "failed";
}

function resultsOf(result: Done | undefined): { readonly results: Result[]; readonly leftOut: number } {
  if (result === undefined) return { results: [], leftOut: 0 };
  const all = new Map<string, string | undefined>();
  for (const { daemon, reason } of result.failures as readonly Failure[]) {
    all.set(nameOf(daemon), cut(reason));
  }
  // A daemon may have had several steps to do, of which one has failed.
  for (const daemon of result.done) if (!all.has(nameOf(daemon))) all.set(nameOf(daemon), undefined);
  const results = [...all].slice(0, RESULTS_MAX).map(([daemon, reason]) => ({ daemon, reason }));
  return { results, leftOut: all.size - results.length };
}

function nameOf({ kind, address }: Daemon): string {
  return `${kind} ${address}`;
}

/** What others have sent is kept up to a length. */
function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > ACTIVITY_TEXT_LENGTH_MAX
    ? `${shortened(text, ACTIVITY_TEXT_LENGTH_MAX)}…`
    : text;
}
