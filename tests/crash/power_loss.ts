/**
 * Crashes, thousands a minute: nodes on a simulated disk (tests/support/simulated_disk.ts) publish, deliver, save and
 * sync at random, until the power fails or they are killed, at any moment, in the middle of any call, or while the disk
 * makes trouble. Another node is started on what is left; whatever it gives out is compared with the record of what was
 * acknowledged and finished. Then it goes on, until the next crash.
 *
 * Run for long: `deno task power-loss 10000`. Each run has a seed; a run that fails is repeated with fewer and fewer
 * steps, and `deno run -A tests/crash/power_loss.ts 1 <seed>` repeats it.
 *
 * @module
 */
import { MixedRandom } from "../support/mixed_random.ts";
import { type Counts, CrashRun } from "./power_loss_run.ts";
import { doStep, randomProfile } from "./power_loss_steps.ts";

/** What a campaign has seen; one that finds nothing should at least have been everywhere. */
export interface Report {
  readonly counts: Counts;
  readonly crashes: number;
}

/** A run that has failed. */
export class RunFailed extends Error {
  override readonly name = "RunFailed";
}

const STEPS = 150;
const SHOWN_STEPS = 60;

/** Runs the seeds from `first` on. */
export async function campaign(
  options: { first: number; seeds: number; shrinks?: boolean; onSeed?: (seed: number) => void },
): Promise<Report> {
  const counts: Counts = new Map();
  for (let seed = options.first; seed < options.first + options.seeds; seed++) {
    options.onSeed?.(seed);
    const failure = await runSteps(seed, allSteps(), counts);
    if (!failure) continue;
    const steps = options.shrinks ? await shrink(seed, failure) : failure.steps;
    const shown = (await runSteps(seed, steps, new Map())) ?? failure;
    throw new RunFailed(`seed ${seed}: ${steps} ${shown.text}`, { cause: shown.error });
  }
  let crashes = 0;
  for (const [what, count] of counts) if (/^(crash|fork): /.test(what)) crashes += count;
  return { counts, crashes };
}

interface Failure {
  readonly error: unknown;
  /** Those that were done. */
  readonly steps: readonly number[];
  readonly text: string;
}

function allSteps(): number[] {
  return Array.from({ length: STEPS }, (_, i) => i);
}

/** Does the steps, by number, of the seed's run. */
async function runSteps(
  seed: number,
  steps: readonly number[],
  counts: Counts,
): Promise<Failure | undefined> {
  const random = new MixedRandom(seed);
  const profile = randomProfile(random);
  const run = await CrashRun.begin(profile, random, counts);
  let done = 0;
  try {
    for (const step of steps) {
      done++;
      await doStep(run, new MixedRandom(seed * 1009 + step * 7919 + 1));
    }
    await run.crash(random, "kill");
  } catch (error) {
    const trace = run.trace.join(" ").split("\n").slice(-SHOWN_STEPS).join("\n  ");
    const text = `${JSON.stringify(profile)}\n  ${trace}\n${error instanceof Error ? error.stack : error}`;
    return { error, steps: steps.slice(0, done), text };
  }
  return undefined;
}

/** Leaves out as many steps as it can. */
async function shrink(seed: number, failure: Failure): Promise<readonly number[]> {
  let { steps } = failure;
  for (let size = steps.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < steps.length;) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      const again = await runSteps(seed, fewer, new Map());
      if (again && messageOf(again.error) === messageOf(failure.error)) steps = again.steps;
      else at += size;
    }
  }
  return steps;
}

/** What is the same in two runs that fail alike. */
function messageOf(error: unknown): string {
  return String(error).replaceAll(/[#\d]+/g, "");
}

if (import.meta.main) {
  const [seeds = 1000, first = 0] = Deno.args.map(Number);
  if (!Number.isSafeInteger(seeds) || !Number.isSafeInteger(first) || seeds < 1 || Deno.args.length > 2) {
    console.error("usage: deno task power-loss [seeds] [first seed]   (1000 seeds from 0)");
    Deno.exit(2);
  }
  let seed = first;
  addEventListener("unhandledrejection", () => console.error(`A promise nobody waits for, seed ${seed}`));
  const start = performance.now();
  const { counts, crashes } = await campaign({ first, seeds, shrinks: true, onSeed: (next) => seed = next });
  const minutes = (performance.now() - start) / 60_000;
  for (const [what, count] of [...counts].sort()) console.log(`${String(count).padStart(8)} ${what}`);
  console.log(`${seeds} seeds, ${crashes} crash points, ${Math.round(crashes / minutes)} a minute`);
}
