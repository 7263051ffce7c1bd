/**
 * What all fuzzers have in common: rounds, each with a seed of its own that says how to see it again.
 *
 * @module
 */

import { AssertionError } from "@std/assert";

/** How a campaign is run. */
export interface FuzzOptions {
  /** Of the first round; each round counts it up. */
  readonly seed: number;
  /** Ends after so many rounds. */
  readonly rounds: number;
  /** Ends when so much time has passed. @default {Infinity} */
  readonly timeMs?: number;
}

/** What a campaign has seen; a fuzzer that finds nothing should at least have been everywhere. */
export interface FuzzReport {
  readonly rounds: number;
  /** What inputs have led to, and how often. */
  readonly seen: ReadonlyMap<string, number>;
}

/**
 * Runs rounds of a fuzzer, which is called by that name; a round tells what it has seen.
 *
 * @throws {AssertionError} When something does not hold; the message says how to see it again.
 */
export async function runRounds(
  name: string,
  options: FuzzOptions,
  round: (seed: number) => Promise<Iterable<string>> | Iterable<string>,
): Promise<FuzzReport> {
  const endMs = performance.now() + (options.timeMs ?? Infinity);
  const seen = new Map<string, number>();
  let rounds = 0;
  for (; rounds < options.rounds && performance.now() < endMs; rounds++) {
    const seed = options.seed + rounds;
    try {
      for (const what of await round(seed)) seen.set(what, (seen.get(what) ?? 0) + 1);
    } catch (cause) {
      const message = cause instanceof Error ? cause.stack ?? cause.message : String(cause);
      throw new AssertionError(
        `seed ${seed}: ${message}\nagain: deno task fuzz --only=${name} --seed=${seed} --rounds=1`,
        { cause },
      );
    }
  }
  return { rounds, seen };
}
