/**
 * Runs the fuzzers, one after the other, a while each:
 *
 *     deno task fuzz                                       a minute of each
 *     deno task fuzz --minutes=10 --only=segments
 *     deno task fuzz --only=states --seed=17 --rounds=1    a round again
 *
 * @module
 */

import { Flags } from "../support/flags.ts";
import type { FuzzOptions } from "./campaign.ts";
import { fuzz } from "./command_reader_fuzz.ts";
import { fuzzCompressed } from "./compressed_fuzz.ts";
import { fuzzConsole } from "./console_fuzz.ts";
import { fuzzRecovery } from "./recovery_fuzz.ts";
import { fuzzSegments } from "./segment_fuzz.ts";
import { fuzzStates } from "./state_fuzz.ts";
import { fuzzWebSockets } from "./websocket_fuzz.ts";

const USAGE = `usage: deno task fuzz [flags]

--only NAME   commands, compressed, segments, states, recovery, websockets or console (all of them)
--seed N      of the first round (a random one)
--rounds N    ends each after so many (no limit)
--minutes N   ends each after so long (1, without --rounds)`;

/** Each says in a line what it has seen. */
const FUZZERS = {
  async commands(options: FuzzOptions): Promise<string> {
    const { rounds, frames, messages, codes } = await fuzz(options);
    return `${rounds} inputs, ${frames} frames, of these ${messages} messages, errors: ${sorted(codes)}`;
  },
  async compressed(options: FuzzOptions): Promise<string> {
    const { rounds, frames, reasons } = await fuzzCompressed(options);
    return `${rounds} inputs, ${frames} frames, refused for: ${sorted(reasons)}`;
  },
  segments: async (options: FuzzOptions) => seenText(await fuzzSegments(options)),
  states: async (options: FuzzOptions) => seenText(await fuzzStates(options)),
  recovery: async (options: FuzzOptions) => seenText(await fuzzRecovery(options)),
  websockets: async (options: FuzzOptions) => seenText(await fuzzWebSockets(options)),
  console: async (options: FuzzOptions) => seenText(await fuzzConsole(options)),
} as const;
const NAMES = ["commands", "compressed", "segments", "states", "recovery", "websockets", "console"] as const;

function seenText({ rounds, seen }: { rounds: number; seen: ReadonlyMap<string, number> }): string {
  return `${rounds} inputs, ${sorted([...seen].map(([what, count]) => `${what} (${count})`))}`;
}

function sorted(words: Iterable<string>): string {
  return [...words].sort().join(", ");
}

const flags = new Flags({ usage: USAGE, names: ["only", "seed", "rounds", "minutes"] });
const seed = flags.count("seed") ?? Math.floor(Math.random() * 2 ** 31);
const rounds = flags.count("rounds");
const minutes = flags.count("minutes") ?? (rounds === undefined ? 1 : Infinity);
const only = flags.choice("only", NAMES);
console.log(`seed ${seed}`);
for (const name of NAMES) {
  if (only !== undefined && name !== only) continue;
  const seen = await FUZZERS[name]({ seed, rounds: rounds ?? Infinity, timeMs: minutes * 60_000 });
  console.log(`${name}: ${seen}`);
}
