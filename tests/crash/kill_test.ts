import { assertRejects } from "@std/assert";
import { killCampaign } from "./kill_campaign.ts";
import { LossError } from "./kill_round.ts";

/** For the tests; `deno task crash` runs many more, and longer ones. */
const ROUNDS = 20;
const WORK_MS_MAX = 500;

/** What is to have happened: a campaign in which nothing happens finds nothing. */
const ENOUGH = {
  kills: ROUNDS / 2,
  acked: 100 * ROUNDS,
  redelivered: 10 * ROUNDS,
  bulks: 3,
  deferred: 10 * ROUNDS,
};

Deno.test("Nsqd loses nothing that it acknowledged, however often it is killed", async () => {
  const seen = { kills: 0, acked: 0, redelivered: 0, bulks: 0, deferred: 0 };
  const names = Object.keys(seen) as (keyof typeof seen)[];

  // One is enough, but on a machine that does much else, where little happens in a round.
  for (let seed = 1; names.some((name) => seen[name] < ENOUGH[name]); seed += ROUNDS) {
    const report = await killCampaign({ seed, rounds: ROUNDS, workMsMax: WORK_MS_MAX });
    for (const name of names) seen[name] += report[name];
  }
});

Deno.test("killCampaign() finds what a topic in memory loses", async () => {
  const loss = await assertRejects(
    () =>
      killCampaign({
        seed: 1,
        rounds: 10,
        workMsMax: WORK_MS_MAX,
        durable: () => true,
        drainTimeoutMs: 3000,
      }),
    LossError,
    "deliveries are missing",
  );

  await loss.path.remove();
});
