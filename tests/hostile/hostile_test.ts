import { play, SCENARIOS } from "./campaign.ts";

for (const scenario of SCENARIOS) {
  Deno.test(`${scenario.program} goes on serving others: ${scenario.name}`, async () => {
    await play(scenario, { rounds: 1, seed: 1 });
  });
}
