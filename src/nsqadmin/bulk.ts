/**
 * The same change of many topics or channels, one after the other behind the answer: of a thousand topics on a hundred nodes
 * it is a hundred thousand requests, for which no page waits. Each change is made as if it were alone: it is in the activity,
 * in the audit log, and told to whoever is told of changes.
 *
 * What is to be changed is a list of names, which is fixed when somebody says yes. What has failed can be tried again, by
 * which only those are told who have not done it.
 *
 * @module
 */

import { type Moment, momentOf } from "../base/clock.ts";
import { othersFirst } from "../base/every.ts";
import { shortened } from "../base/shortened.ts";
import { type Failure, failureText, UnansweredError } from "../cluster/asked.ts";
import { type Done, type Rest, restOf, type Target, withThoseConcerned } from "../cluster/cluster_actions.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Daemon } from "../cluster/daemon_client.ts";
import { Patience } from "../cluster/patience.ts";
import { WAITING_MAX } from "../http/http_client.ts";
import { mayStill } from "./access.ts";
import { ACTIVITY_TEXT_LENGTH_MAX, RESULTS_MAX } from "./activity.ts";
import { BULK_WORDS, type BulkAction, type BulkState, type BulkStop, type BulkWords } from "./bulk_words.ts";
import { type Author, carryOut, rightFor, subjectOf } from "./changes.ts";
import type { AdminContext } from "./context.ts";
import { noteBulkEnd } from "./endings.ts";
import { type Said, saidIn } from "./said.ts";

/** Topics or channels that are changed in one go. */
export const BULK_MAX = 1000;
/** Of these at a time. */
export const AT_A_TIME_MAX = 8;
/** Requests of all goes at a time: those of pages wait for none of them, and what is done of them in one turn is little. */
export const BULK_REQUESTS_MAX = 24;
/** Goes that run at a time. */
export const RUNNING_MAX = 2;
/** Goes that are kept when they have ended, to be looked at and tried again. */
export const KEPT_MAX = 20;
/** Reasons that are kept of a go; further ones are only counted. */
export const REASONS_MAX = 2000;

/** What became of one of them. */
export interface BulkOutcome {
  /** Everywhere. */
  readonly isDone: boolean;
  /** Daemons that have done it. */
  readonly doneCount: number;
  /** Daemons that have not, or have not said who else there is. */
  readonly failedCount: number;
  /** The first of these. */
  readonly failures: readonly Failure[];
  /** What is left; undefined where that is all of it, or nothing. */
  readonly rest: Rest | undefined;
}

/** One of them. */
export interface BulkItem {
  readonly target: Target;
  /** Of an earlier try. */
  readonly rest: Rest | undefined;
  /** Undefined until it has been tried. */
  outcome: BulkOutcome | undefined;
}

/** What is done in one go. */
export class BulkGo {
  readonly id = crypto.randomUUID();
  readonly action: BulkAction;
  readonly author: Author;
  readonly items: readonly BulkItem[];
  readonly begun: Moment;
  ended: Moment | undefined;
  /** Why it was stopped, where nobody wanted that. */
  problem: Said<BulkWords> | undefined;
  /** Settles when it has ended. */
  finished: Promise<void> = Promise.resolve();
  #stop: BulkStop | undefined;
  #reasons = 0;
  /** There are few daemons, and many changes that name them. */
  readonly #daemons = new Map<string, Daemon>();

  constructor(
    { action, author, items, begun }: {
      readonly action: BulkAction;
      readonly author: Author;
      readonly items: readonly Omit<BulkItem, "outcome">[];
      readonly begun: Moment;
    },
  ) {
    this.action = action;
    this.author = author;
    this.items = items.map((item) => ({ ...item, outcome: undefined }));
    this.begun = begun;
  }

  get state(): BulkState {
    if (this.ended === undefined) return "running";
    return this.counts.left === 0 ? "done" : this.#stop ?? "stopped";
  }

  /** The problem, as logs say it. */
  get reason(): string | undefined {
    return this.problemIn(BULK_WORDS);
  }

  /** The same in a language. */
  problemIn(words: BulkWords): string | undefined {
    return this.problem && saidIn(words, this.problem);
  }

  /** Nothing further is begun. */
  get isStopped(): boolean {
    return this.#stop !== undefined;
  }

  /** Begins nothing further. */
  stop(why: BulkStop): void {
    this.#stop ??= why;
  }

  /** How many are done everywhere, are not, and have not been tried. */
  get counts(): { readonly done: number; readonly failed: number; readonly left: number } {
    const counts = { done: 0, failed: 0, left: 0 };
    for (const { outcome } of this.items) {
      if (outcome === undefined) counts.left++;
      else if (outcome.isDone) counts.done++;
      else counts.failed++;
    }
    return counts;
  }

  /** What there is to be tried again. */
  get remaining(): readonly Omit<BulkItem, "outcome">[] {
    return this.items.flatMap(({ target, rest, outcome }) => {
      if (outcome === undefined) return { target, rest };
      return outcome.isDone ? [] : { target, rest: outcome.rest };
    });
  }

  /** Notes what has come of an item, and what is left; undefined if that is all of it, as nobody was told. */
  note(item: BulkItem, { done, failures }: Done, rest: Rest | undefined): void {
    const isDone = rest !== undefined && failures.length === 0;
    const kept = failures.slice(0, Math.min(RESULTS_MAX, REASONS_MAX - this.#reasons));
    this.#reasons += kept.length;
    item.outcome = {
      isDone,
      doneCount: new Set(done.map(({ kind, address }) => `${kind} ${address}`)).size,
      failedCount: failures.length,
      failures: kept.map(({ daemon, reason }) => ({
        daemon: this.#same(daemon),
        reason: shortened(reason, ACTIVITY_TEXT_LENGTH_MAX),
      })),
      rest: isDone || rest === undefined ? undefined : {
        ...rest,
        failed: rest.failed.map((daemon) => this.#same(daemon)),
        done: [...item.rest?.done ?? [], ...rest.done].map((daemon) => this.#same(daemon)),
      },
    };
  }

  #same(daemon: Daemon): Daemon {
    const name = `${daemon.kind} ${daemon.address}`;
    const known = this.#daemons.get(name) ?? daemon;
    this.#daemons.set(name, known);
    return known;
  }
}

/** Starts a task that ends soon after its signal aborts. */
export type Spawn = (name: string, run: (signal: AbortSignal) => Promise<void>) => void;

/** All goes that run, and those that have ended last. */
export class BulkGoes {
  readonly #admin: AdminContext;
  readonly #clusterOf: (patience: Patience) => Cluster;
  readonly #spawn: Spawn;
  readonly #goes = new Map<string, BulkGo>();
  #isEnded = false;

  /** The requests to the clusters that it is given are the goes' own; each go has its own patience with daemons. */
  constructor(admin: AdminContext, clusterOf: (patience: Patience) => Cluster, spawn: Spawn) {
    this.#admin = admin;
    this.#clusterOf = clusterOf;
    this.#spawn = spawn;
  }

  /** Those that go on. */
  get running(): BulkGo[] {
    return [...this.#goes.values().filter(({ ended }) => ended === undefined)];
  }

  find(id: string): BulkGo | undefined {
    return this.#goes.get(id);
  }

  /** Begins a go; undefined if too many run, or nothing may begin any more. */
  start(
    { action, author, items }: {
      readonly action: BulkAction;
      readonly author: Author;
      readonly items: readonly Omit<BulkItem, "outcome">[];
    },
  ): BulkGo | undefined {
    if (this.#isEnded || this.running.length >= RUNNING_MAX) return undefined;
    const go = new BulkGo({ action, author, items, begun: momentOf(this.#admin.clock) });
    this.#goes.set(go.id, go);
    // The right may have been lost while the form came.
    this.review();
    const { promise, resolve } = Promise.withResolvers<void>();
    go.finished = promise;
    this.#spawn(`bulk ${action}`, async (signal) => {
      await this.#run(go, signal);
      go.ended = momentOf(this.#admin.clock);
      noteBulkEnd(this.#admin, go);
      this.#forget();
      resolve();
      // What pages show is not as it was.
      if (!signal.aborted) await this.#admin.poller.refresh();
    });
    return go;
  }

  /** Nothing further is begun. */
  end(): void {
    this.#isEnded = true;
    for (const go of this.#goes.values()) go.stop("stopped");
  }

  /** Somebody may have lost the right to it: of what he has begun nothing further is. */
  review(): void {
    for (const go of this.running) {
      const { action, author: { user } } = go;
      if (go.isStopped || mayStill(this.#admin, user, rightFor({ kind: action }))) continue;
      go.stop("revoked");
      go.problem = (words) => words.mayNoMore[action](user);
      this.#admin.logger.warn(`BULK(${go.id}): ${action} is stopped - ${go.reason}`);
    }
  }

  async #run(go: BulkGo, signal: AbortSignal): Promise<void> {
    const items = go.items.values();
    const cluster = this.#clusterOf(new Patience());
    // Requests of all goes together must find room where they wait.
    const room = Math.floor(WAITING_MAX / 2 / RUNNING_MAX / Math.max(1, this.#admin.poller.nodes.length));
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME_MAX, Math.max(1, room)) }, async () => {
      for (const item of items) {
        if (go.isStopped || signal.aborted) return;
        // A change begins a request to each node in one turn.
        await othersFirst();
        await this.#change(go, item, cluster);
      }
    }));
  }

  async #change(go: BulkGo, item: BulkItem, cluster: Cluster): Promise<void> {
    const { activity, audit, clock, logger } = this.#admin;
    const { author, action } = go;
    const { target, rest } = item;
    const change = { kind: action, target, rest };
    let done: Done;
    let left: Rest | undefined;
    try {
      done = withThoseConcerned(await carryOut(this.#admin, author, change, cluster));
      left = restOf(done);
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      done = { done: [], failures: error.failures };
      left = undefined;
    }
    if (done.failures.length > 0) logger.warn(`failed to ${action} - ${failureText(done.failures)}`);
    go.note(item, done, left);
    const status = left === undefined ? 502 : 200;
    activity.noteOfBulk(author, { subject: subjectOf(change), result: done, status, atMs: clock.nowMs() });
    audit?.note({
      ...{ event: "admin", address: author.address, token: author.user, method: "POST" },
      target: `/topics/${target.topic}${target.channel === "" ? "" : `/${target.channel}`}`,
      value: `action=${action}&bulk=${go.id}`,
      status,
    });
  }

  /** Those that have ended first go first. */
  #forget(): void {
    const ended = [...this.#goes.values()].filter(({ ended }) => ended !== undefined);
    for (const { id } of ended.slice(0, -KEPT_MAX)) this.#goes.delete(id);
  }
}
