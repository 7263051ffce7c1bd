/**
 * The campaign of all hostile scenarios.
 *
 * @module
 */

import { Flags } from "../support/flags.ts";
import { MissingError } from "../support/interop.ts";
import { play, SCENARIOS } from "./campaign.ts";

const USAGE = `usage: deno task hostile [flags]

  --only TEXT    only scenarios whose name has it
  --rounds N     of each (20)
  --seed N       of what is random (any)`;

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["only", "rounds", "seed"] });
  const rounds = flags.count("rounds") ?? 20;
  const seed = flags.count("seed") ?? Math.floor(Math.random() * 2 ** 31);
  const only = flags.text("only") ?? "";
  let failures = 0;
  for (const scenario of SCENARIOS) {
    const name = `${scenario.program}: ${scenario.name}`;
    if (!name.includes(only)) continue;
    try {
      const { asked, worstMs, refusedCount, memoryMib } = await play(scenario, { rounds, seed });
      const refused = refusedCount > 0 ? `, were refused ${refusedCount} times` : "";
      const waited = `asked ${asked} times${refused} and waited ${worstMs.toFixed(1)} ms at most`;
      console.log(`held    ${name}; others ${waited}; it took ${memoryMib.toFixed(0)} MiB`);
    } catch (error) {
      if (error instanceof MissingError) {
        console.log(`left    ${name}: needs ${error.message}`);
        continue;
      }
      failures++;
      console.error(`FAILED  ${name} (seed ${seed})`, error);
    }
  }
  if (failures > 0) Deno.exit(1);
}
