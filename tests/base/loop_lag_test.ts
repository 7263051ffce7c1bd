import { assertEquals } from "@std/assert";
import { LoopLag } from "../../src/base/loop_lag.ts";

Deno.test("LoopLag.look() notes by how much it comes later than a tenth of a second after the last call", () => {
  let nowMs = 1000;
  const lag = new LoopLag(() => nowMs);

  for (const passedMs of [100, 140, 99, 2100]) {
    nowMs += passedMs;
    lag.look();
  }

  const { bounds, counts, sum } = lag.histogram;
  assertEquals(sum, 2.04);
  assertEquals(bounds.filter((_, i) => counts[i] > 0), [0.001, 0.05, 5]);
  assertEquals([...counts].filter((count) => count > 0), [2, 1, 1]);
});
