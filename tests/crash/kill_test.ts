import { assert, assertRejects } from "@std/assert";
import { killCampaign } from "./kill_campaign.ts";
import { LossError } from "./kill_round.ts";

/** For the tests; `deno task crash` runs many more, and longer ones. */
const ROUNDS = 20;
const WORK_MS_MAX = 500;

Deno.test("Nsqd loses nothing that it acknowledged, however often it is killed", async () => {
  const report = await killCampaign({ seed: 1, rounds: ROUNDS, workMsMax: WORK_MS_MAX });

  // A campaign in which nothing happens finds nothing.
  assert(report.kills >= ROUNDS / 2, `${report.kills} kills`);
  assert(report.acked > 100 * ROUNDS, `${report.acked} messages`);
  assert(report.redelivered > 10 * ROUNDS, `${report.redelivered} redelivered`);
  assert(report.bulks > 2, `${report.bulks} rounds with much of something`);
  assert(report.deferred > 10 * ROUNDS, `${report.deferred} deferred`);
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
