/**
 * All redrives that go on, and the last that did: in memory only.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { ConnectionOptions } from "../../client/mod.ts";
import { HttpError } from "../../http/http_error.ts";
import { wholeNumber } from "../../http/whole_number.ts";
import { isEphemeral, isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import type { ActivityAuthor } from "../activity.ts";
import type { RedriveOrder, RedrivePlan } from "./plan.ts";
import { Redrive } from "./redrive.ts";

/** That go on at a time; of a channel there is one. */
export const RUNNING_MAX = 4;
/** That are over and still shown. */
export const OVER_MAX = 50;
/** Messages in a second. */
export const RATE_MAX = 10_000;
/** The same where nobody says. */
export const RATE_DEFAULT = 100;
/** Messages of one. */
export const MESSAGES_MAX = 1_000_000;

/** What {@linkcode Redrives} is given. */
export interface RedrivesOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  /** How nodes are connected to, as it is now. */
  readonly connection: () => ConnectionOptions;
  /** Runs something that never rejects. */
  readonly spawn: (run: () => Promise<void>) => void;
  /** Whether somebody may redrive, as it is now. */
  readonly mayRedrive: (user: string | undefined) => boolean;
  /** Is told of one that is over. */
  readonly onEnd: (redrive: Redrive) => void;
}

/** See above. */
export class Redrives {
  readonly #options: RedrivesOptions;
  readonly #running = new Map<Redrive, Promise<void>>();
  #over: Redrive[] = [];
  #count = 0;
  #isStopped = false;

  constructor(options: RedrivesOptions) {
    this.#options = options;
  }

  /** All of them, the newest first. */
  get newestFirst(): Redrive[] {
    return [...this.#over, ...this.#running.keys()].sort((a, b) => Number(b.id) - Number(a.id));
  }

  /** Those that go on. */
  get running(): Redrive[] {
    return [...this.#running.keys()];
  }

  find(id: string): Redrive | undefined {
    return this.newestFirst.find((each) => each.id === id);
  }

  /** The one of this channel that goes on. */
  runningOf(topic: string, channel: string): Redrive | undefined {
    return this.#running.keys().find(({ order }) => order.topic === topic && order.channel === channel);
  }

  /** @throws {HttpError} 409 or 503 if one cannot begin now. */
  check({ topic, channel }: Pick<RedriveOrder, "topic" | "channel">): void {
    if (this.runningOf(topic, channel) !== undefined) throw new HttpError(409, "REDRIVE_RUNNING");
    if (this.#isStopped || this.#running.size >= RUNNING_MAX) throw new HttpError(503, "TOO_MANY_REDRIVES");
  }

  /** Begins one. @throws {HttpError} 409 or 503 if it cannot begin now. */
  start(order: RedriveOrder, plan: RedrivePlan, author: ActivityAuthor): Redrive {
    this.check(order);
    if (plan.count === 0 || plan.sources.length === 0) throw new HttpError(409, "NOTHING_TO_REDRIVE");
    const { clock, logger, connection, onEnd } = this.#options;
    const id = String(++this.#count);
    const redrive = new Redrive({ id, order, plan, author, clock, connection: connection() });
    const name = `REDRIVE(${order.topic}/${order.channel}): ${id}`;
    logger.info(`${name}: ${plan.count} messages to ${order.to}, ${order.rate} in a second`);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(redrive, promise);
    this.#options.spawn(async () => {
      await redrive.run();
      this.#running.delete(redrive);
      this.#over = [...this.#over, redrive].slice(-OVER_MAX);
      const { state, redriven, failed, problem } = redrive;
      const text = `${name}: ${state}: ${redriven} of ${redrive.count} are published, ${failed} put back`;
      if (state === "failed") logger.error(`${text} - ${problem}`);
      else if (state === "revoked") logger.warn(`${text} - ${problem}`);
      else logger.info(text);
      onEnd(redrive);
      resolve();
    });
    // The right may have been lost while the cluster was asked what waits.
    this.review();
    return redrive;
  }

  /** Somebody may have lost the right to it: what he has begun ends. */
  review(): void {
    for (const redrive of this.running) {
      const { user } = redrive.author;
      if (this.#options.mayRedrive(user)) continue;
      redrive.end("revoked", (words) => words.mayNoMore(user));
    }
  }

  /** Has one end, which it is soon. @throws {HttpError} 404 or 409 if it does not go on. */
  cancel(id: string): Redrive {
    const redrive = this.find(id);
    if (redrive === undefined) throw new HttpError(404, "REDRIVE_NOT_FOUND");
    if (redrive.state !== "running") throw new HttpError(409, "REDRIVE_OVER");
    redrive.end("canceled");
    return redrive;
  }

  /** Ends all, and settles when what they had taken is published or put back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const redrive of this.#running.keys()) redrive.end("stopped");
    await Promise.all(this.#running.values());
  }
}

/** What a form or the API orders. @throws {HttpError} 400 for what is no order. */
export function redriveOrder(
  { topic, channel, to: target, rate, messages }: Readonly<Record<keyof RedriveOrder, string>>,
): RedriveOrder {
  const to = target.trim();
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  // What is ephemeral goes with its last consumer, and takes its messages along.
  if (!isValidChannelName(channel) || isEphemeral(channel)) throw new HttpError(400, "INVALID_CHANNEL");
  if (!isValidTopicName(to) || isEphemeral(to) || to === topic) throw new HttpError(400, "INVALID_TARGET");
  return {
    topic,
    channel,
    to,
    rate: wholeNumber(rate, { otherwise: RATE_DEFAULT, max: RATE_MAX }, "INVALID_RATE"),
    messages: wholeNumber(messages, { otherwise: MESSAGES_MAX, max: MESSAGES_MAX }, "INVALID_MESSAGES"),
  };
}
