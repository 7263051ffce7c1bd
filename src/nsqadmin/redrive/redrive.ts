/**
 * A redrive: messages of a channel are published to another topic, and finished when that is acknowledged. What fails is put
 * back. So nothing is lost, and what was published when an answer was lost is published twice.
 *
 * ```
 *             ┌─ done      as many as there were when it began, or no more come
 *  running ───┼─ canceled  somebody wanted it to end
 *             ├─ stopped   nsqadmin ends
 *             ├─ revoked   who began it may no more
 *             └─ failed    nothing can be taken, or one after the other cannot be published
 * ```
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { every, sleep } from "../../base/every.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { ConnectionOptions, Consumer, Message, Producer } from "../../client/mod.ts";
import type { ActivityAuthor } from "../activity.ts";
import { type Said, saidIn } from "../said.ts";
import type { RedriveOrder, RedrivePlan } from "./plan.ts";

/** Messages that are taken and not yet published. */
export const IN_FLIGHT_MAX = 50;
/** So many in a row that cannot be published end it. */
export const FAILURES_MAX = 10;
/** How long a message may take to be published, in ms. */
const PUBLISH_TIMEOUT_MS = 10_000;
/** How long a message that could not be published is put back for, in ms. */
const PUT_BACK_MS = 10_000;
/** How long it waits for more messages, in ms: others may have had what is missing. */
const IDLE_MS = 3000;
const LOOK_INTERVAL_MS = 250;
/** How long what is being published may take when it ends, in ms. */
const END_TIMEOUT_MS = 3000;

/** How it stands. */
export type RedriveState = "running" | "done" | "canceled" | "stopped" | "revoked" | "failed";

/** What is said of redrives, in one language. */
export interface RedriveWords {
  readonly states: Readonly<Record<RedriveState, string>>;
  readonly noMoreCame: string;
  readonly unreachable: (reason: string) => string;
  readonly noAnswer: string;
  readonly mayNoMore: (user: string | undefined) => string;
  /** What has come of it. */
  readonly outcome: (
    state: string,
    counts: Readonly<Record<"count" | "redriven" | "failed", number>>,
  ) => string;
}

/** What logs and the API say of redrives. */
export const REDRIVE_WORDS: RedriveWords = {
  states: {
    running: "running",
    done: "done",
    canceled: "canceled",
    stopped: "stopped",
    revoked: "revoked",
    failed: "failed",
  },
  noMoreCame: "no more were delivered",
  unreachable: (reason) => `no node could be reached over TCP: ${reason}`,
  noAnswer: "there is no answer",
  mayNoMore: (user) => `${user ?? "who began it"} may not redrive any more`,
  outcome: (state, { count, redriven, failed }) =>
    `${state}: ${redriven} of ${count} published, ${failed} put back`,
};

/** What {@linkcode Redrive} is given. */
export interface RedriveOptions {
  readonly id: string;
  readonly order: RedriveOrder;
  readonly plan: Pick<RedrivePlan, "count" | "sources" | "targets">;
  readonly connection: ConnectionOptions;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  /** Who wanted it. */
  readonly author: ActivityAuthor;
  /** @default {IDLE_MS} */
  readonly idleMs?: number;
  /** @default {END_TIMEOUT_MS} */
  readonly endTimeoutMs?: number;
}

/** See above. */
export class Redrive {
  readonly id: string;
  readonly order: RedriveOrder;
  readonly author: ActivityAuthor;
  /** As many are taken. */
  readonly count: number;
  readonly beganMs: number;
  state: RedriveState = "running";
  /** Published, and finished. */
  redriven = 0;
  /** Put back. */
  failed = 0;
  endedMs: number | undefined;

  #problem: Said<RedriveWords> | undefined;
  readonly #plan: RedriveOptions["plan"];
  readonly #connection: ConnectionOptions;
  readonly #clock: RedriveOptions["clock"];
  readonly #idleMs: number;
  readonly #endTimeoutMs: number;
  readonly #rate: RateLimit;
  readonly #end = new AbortController();
  #taken = 0;
  #failedInRow = 0;
  #isConnected = false;
  #lastMs: number;
  /** Settles when the one before has been let through. */
  #turn: Promise<void> = Promise.resolve();

  constructor({ id, order, plan, connection, clock, author, ...times }: RedriveOptions) {
    this.id = id;
    this.order = order;
    this.author = author;
    this.count = plan.count;
    this.beganMs = clock.nowMs();
    this.#plan = plan;
    this.#connection = connection;
    this.#clock = clock;
    this.#idleMs = times.idleMs ?? IDLE_MS;
    this.#endTimeoutMs = times.endTimeoutMs ?? END_TIMEOUT_MS;
    this.#rate = new RateLimit(order.rate);
    this.#lastMs = clock.monotonicMs();
  }

  /** What was wrong last. */
  get problem(): string | undefined {
    return this.problemIn(REDRIVE_WORDS);
  }

  /** The same in a language. */
  problemIn(words: RedriveWords): string | undefined {
    return this.#problem && saidIn(words, this.#problem);
  }

  /** Ends it, if it goes on: what was taken and not published is put back. */
  end(state: "canceled" | "stopped" | "revoked", problem?: Said<RedriveWords>): void {
    this.#over(state, problem);
  }

  /** Does it. Never rejects. */
  async run(): Promise<void> {
    const { topic, channel } = this.order;
    const { signal } = this.#end;
    try {
      // A start does without it.
      const { Consumer, Producer } = await import("../../client/mod.ts");
      const consumer = new Consumer(topic, channel, {
        ...this.#connection,
        nsqd: this.#plan.sources,
        maxInFlight: this.#inFlightMax,
        backoff: false,
      });
      const producer = new Producer({
        ...this.#connection,
        nsqd: this.#plan.targets,
        timeoutMs: PUBLISH_TIMEOUT_MS,
      });
      const watching = [this.#watch(consumer, () => this.#connected()), this.#watch(producer)];
      const running = consumer.run((message) => this.#pass(message, consumer, producer), {
        concurrency: IN_FLIGHT_MAX,
        autoTouch: true,
      });
      await every(LOOK_INTERVAL_MS, signal, () => this.#look(consumer));
      await consumer.close({ timeoutMs: this.#endTimeoutMs });
      await producer.close({ timeoutMs: this.#endTimeoutMs });
      await Promise.all([running, ...watching]);
    } catch (error) {
      this.#over("failed", errorText(error));
    } finally {
      this.endedMs = this.#clock.nowMs();
    }
  }

  /** However long that took, what is there comes from now on. */
  #connected(): void {
    this.#isConnected = true;
    this.#lastMs = this.#clock.monotonicMs();
  }

  async #pass(message: Message, consumer: Consumer, producer: Producer): Promise<void> {
    this.#lastMs = this.#clock.monotonicMs();
    if (this.#taken >= this.count) return putBack(message);
    this.#taken++;
    await this.#mayPass();
    if (this.#end.signal.aborted) return putBack(message);
    try {
      await producer.publish(this.order.to, message.body);
    } catch (error) {
      this.failed++;
      this.#problem = errorText(error);
      message.requeue({ delayMs: PUT_BACK_MS, backoff: false });
      if (++this.#failedInRow >= FAILURES_MAX) this.#over("failed");
      this.#settled(consumer);
      return;
    }
    this.redriven++;
    this.#failedInRow = 0;
    // Before the node hears of it, and sends more than are wanted.
    this.#settled(consumer);
    message.finish();
  }

  #settled(consumer: Consumer): void {
    this.#lastMs = this.#clock.monotonicMs();
    consumer.maxInFlight = this.#inFlightMax;
    if (this.redriven + this.failed >= this.count) this.#over("done");
  }

  /** No more are taken than are wanted, and none for longer than a second because of the rate. */
  get #inFlightMax(): number {
    return Math.min(IN_FLIGHT_MAX, Math.ceil(this.order.rate), this.count - this.redriven - this.failed);
  }

  /** Settles when the rate lets one more through. */
  async #mayPass(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#turn;
    this.#turn = promise;
    await before;
    const { signal } = this.#end;
    while (!signal.aborted && this.#rate.take(1, this.#clock.monotonicMs()) === 0) {
      await sleep(this.#rate.intervalMs, signal);
    }
    resolve();
  }

  /** Ends it when nothing more comes. */
  #look({ stats }: Consumer): void {
    if (stats.inFlight > 0) this.#lastMs = this.#clock.monotonicMs();
    const idleMs = this.#clock.monotonicMs() - this.#lastMs;
    const { dialTimeoutMs = 0 } = this.#connection;
    if (this.#isConnected && idleMs >= this.#idleMs) this.#over("done", ({ noMoreCame }) => noMoreCame);
    if (!this.#isConnected && idleMs >= this.#idleMs + dialTimeoutMs) {
      const reason = this.#problem;
      this.#over("failed", (words) => words.unreachable(saidIn(words, reason ?? words.noAnswer)));
    }
  }

  async #watch(client: Consumer | Producer, onConnected?: () => void): Promise<void> {
    for await (const status of client.status(this.#end.signal)) {
      if (status.kind === "connected") onConnected?.();
      if (status.kind === "connect-failed") this.#problem = `${status.node}: ${errorText(status.error)}`;
      if (status.kind === "settle-refused") this.#problem = `${status.node}: ${errorText(status.error)}`;
    }
  }

  #over(state: RedriveState, problem?: Said<RedriveWords>): void {
    if (this.state !== "running") return;
    this.state = state;
    if (problem !== undefined) this.#problem = problem;
    this.#end.abort();
  }
}

function putBack(message: Message): void {
  message.requeue({ delayMs: 0, backoff: false });
}
