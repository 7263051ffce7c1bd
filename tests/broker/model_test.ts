/**
 * The broker against a model: random steps, the same for both, and the same numbers and deliveries after each.
 * A failure names its seed; `DENOSQ_MODEL_SEED=n` tries that one alone, `DENOSQ_MODEL_SEEDS=n` tries more.
 *
 * @module
 */
import { checkCounts } from "../support/broker_checks.ts";
import { crash } from "../support/broker_crash.ts";
import { drain } from "../support/broker_drain.ts";
import { randomProfile, randomStep, type TrialProfile } from "../support/broker_steps.ts";
import { BrokerTrial } from "../support/broker_trial.ts";
import { Random } from "../support/random.ts";

const STEPS = 300;
const SHOWN_STEPS = 40;

Deno.test("Broker does what its model does, step by step", async () => {
  for (const seed of seeds(300)) {
    await run(seed, {}, drain);
  }
});

Deno.test("Broker keeps all of what it says it keeps, and nothing else, while its store fails now and then", async () => {
  for (const seed of seeds(200)) {
    await run(seed, { usesFaults: true }, async (trial) => {
      trial.stores.fault = () => undefined;
      await drain(trial);
    });
  }
});

Deno.test("Broker delivers after a crash what its store had and was not finished", async () => {
  for (const seed of seeds(300)) {
    await run(seed, { stepsMax: new Random(seed + 2e6).below(STEPS) }, (trial) => crash(trial));
  }
});

Deno.test("Broker delivers what is whole after a crash that damaged its store", async () => {
  for (const seed of seeds(300)) {
    const random = new Random(seed + 3e6);
    await run(seed, { stepsMax: random.below(STEPS) }, (trial) => crash(trial, random));
  }
});

/** The seeds to be tried. */
function seeds(usual: number): number[] {
  const one = Deno.env.get("DENOSQ_MODEL_SEED");
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: Number(Deno.env.get("DENOSQ_MODEL_SEEDS") ?? usual) }, (_, seed) => seed);
}

/** Random steps, and then `end`. */
async function run(
  seed: number,
  options: { usesFaults?: boolean; stepsMax?: number },
  end: (trial: BrokerTrial) => Promise<void>,
): Promise<void> {
  const random = new Random(seed);
  const profile: TrialProfile = randomProfile(random);
  const trial = new BrokerTrial(profile.limits);
  if (options.usesFaults) {
    const faults = new Random(seed + 1e6);
    trial.stores.fault = () => faults.oneIn(8) ? faults.pick(["fails", "tears"]) : undefined;
  }
  const steps: string[] = [];
  try {
    for (let i = 0; i < (options.stepsMax ?? STEPS); i++) {
      const { name, step } = randomStep(random);
      steps.push(name);
      const done = step(trial, random, profile);
      if (done) await done;
      checkCounts(trial);
    }
    steps.push("the end");
    await end(trial);
  } catch (cause) {
    const last = steps.slice(-SHOWN_STEPS).join(", ");
    throw new Error(`seed ${seed}, ${JSON.stringify(profile)}, step ${steps.length}: … ${last}`, { cause });
  }
}
