/**
 * The broker against a model: random steps, the same for both, and the same numbers and deliveries after each.
 * A failure names its seed; `DENOSQ_MODEL_SEED=n` tries that one alone, `DENOSQ_MODEL_SEEDS=n` tries more.
 *
 * @module
 */
import { assert } from "@std/assert";
import { checkCounts } from "../support/broker_checks.ts";
import { crash, type CrashKind } from "../support/broker_crash.ts";
import { drain } from "../support/broker_drain.ts";
import { randomProfile, randomStep, type TrialProfile } from "../support/broker_steps.ts";
import { BrokerTrial } from "../support/broker_trial.ts";
import { Random } from "../support/random.ts";

const STEPS = 300;
const SHOWN_STEPS = 40;

Deno.test("Broker does what its model does, step by step", async () => {
  const met = { rewritten: 0, segmentsRead: 0, messagesRead: 0 };
  for (const seed of seeds(150)) {
    await run(seed, {}, async (trial) => {
      await drain(trial);
      met.rewritten += trial.stores.replaced;
      met.segmentsRead += trial.stores.reads;
      met.messagesRead += trial.stores.partReads;
    });
  }
  // Otherwise the steps do not come to what is hard: segments that leave memory, and what is read back and rewritten.
  if (seeds(150).length > 1) {
    for (const [what, count] of Object.entries(met)) assert(count > 20, `${what}: ${count}`);
  }
});

Deno.test("Broker keeps all of what it says it keeps, and nothing else, while its store fails now and then", async () => {
  for (const seed of seeds(150)) {
    await run(seed, { faulty: true }, async (trial) => {
      trial.stores.faultless = true;
      await drain(trial);
    });
  }
});

Deno.test("Broker delivers after it was killed what its store had and was not finished", async () => {
  for (const seed of seeds(150)) await runAndCrash(seed, "kill");
});

Deno.test("Broker delivers after a loss of power what it had said it keeps", async () => {
  for (const seed of seeds(150)) await runAndCrash(seed, "power");
});

Deno.test("Broker delivers what is whole after a crash that damaged its store", async () => {
  for (const seed of seeds(150)) await runAndCrash(seed, "damage");
});

/** Random steps up to a crash; in half of the cases some calls of the store fail before. */
async function runAndCrash(seed: number, kind: CrashKind): Promise<void> {
  const random = new Random(seed + 2e6);
  const options = { stepsMax: random.below(STEPS), faulty: random.oneIn(2) };
  await run(seed, options, (trial) => crash(trial, kind, random));
}

/** The seeds to be tried. */
function seeds(usual: number): number[] {
  const one = Deno.env.get("DENOSQ_MODEL_SEED");
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: Number(Deno.env.get("DENOSQ_MODEL_SEEDS") ?? usual) }, (_, seed) => seed);
}

/** Some of the store's calls fail. */
function useFaults(trial: BrokerTrial, random: Random, { restarts }: TrialProfile): void {
  const { stores } = trial;
  stores.fault = () => random.oneIn(8) ? random.pick(["fails", "tears"]) : undefined;
  stores.replaceFault = () => random.oneIn(4);
  stores.nameFault = () => random.oneIn(8);
  stores.stateFault = () => random.oneIn(4);
  stores.syncFault = () => random.oneIn(4);
  stores.readFault = () => random.oneIn(8);
  // Refused messages that could not be taken back would be there again after a restart.
  stores.truncateFault = () => !restarts && random.oneIn(4);
  stores.removeFault = () => !(restarts && trial.committing) && random.oneIn(4);
}

/** Random steps, and then `end`. */
async function run(
  seed: number,
  options: { faulty?: boolean; stepsMax?: number },
  end: (trial: BrokerTrial) => Promise<void>,
): Promise<void> {
  const random = new Random(seed);
  const profile: TrialProfile = randomProfile(random);
  const { faulty = false } = options;
  const trial = new BrokerTrial({ ...profile, faulty });
  if (faulty) useFaults(trial, new Random(seed + 1e6), profile);
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
