/**
 * The options of consuming over HTTP: how much clients may take. NSQ has none of them.
 *
 * @module
 */
import { duration, int } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;

/** The table. */
export const QUEUE_OPTIONS = {
  httpMaxLeases: option({
    flag: "http-max-leases",
    kind: int,
    default: 10_000,
    description: "Most messages of a channel that are leased over HTTP at a time; further receives get 429.",
  }),
  httpMaxWaiters: option({
    flag: "http-max-waiters",
    kind: int,
    default: 2000,
    description:
      "Most HTTP requests that wait for messages at a time; further ones get 429; 0 lets none wait.",
  }),
  httpMaxStreams: option({
    flag: "http-max-streams",
    kind: int,
    default: 500,
    description:
      "Most event streams and WebSockets at a time, each of them; further ones get 429; 0 allows none.",
  }),
  httpMaxWaitMs: option({
    flag: "http-max-wait",
    kind: duration,
    default: 50 * SECOND_MS,
    description:
      "Longest time that an HTTP request can wait for messages; proxies cut what is silent for a minute.",
  }),
};

/** How much clients that consume over HTTP may take. */
export type QueueOptions = OptionsOf<typeof QUEUE_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function queueRefusal(options: QueueOptions): string | undefined {
  if (options.httpMaxLeases < 1) return "--http-max-leases must be at least 1";
  return undefined;
}
