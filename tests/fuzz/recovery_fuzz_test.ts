import { assertEquals } from "@std/assert";
import { fuzzRecovery } from "./recovery_fuzz.ts";

/** Takes a second or two; a long campaign is `deno task fuzz`. */
const ROUNDS = 300;

Deno.test("Broker starts on whatever has become of golden data paths, and has nothing left in the end", async () => {
  const { rounds, seen } = await fuzzRecovery({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  assertEquals(["told", "nothing to tell", "counted"].filter((what) => !seen.has(what)), []);
});
