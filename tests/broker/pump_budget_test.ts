import { assertEquals } from "@std/assert";
import { PumpBudget } from "../../src/broker/pump_budget.ts";

Deno.test("PumpBudget is spent when its messages are, or its bytes", () => {
  const byMessages = new PumpBudget(2, 100);
  const byBytes = new PumpBudget(100, 10);
  const spent: boolean[][] = [];

  for (let i = 0; i < 3; i++) {
    spent.push([byMessages.isSpent, byBytes.isSpent]);
    byMessages.spend(1);
    byBytes.spend(5);
  }

  assertEquals(spent, [[false, false], [false, false], [true, true]]);
});

Deno.test("PumpBudget.share() gives a part, and counts what was spent of it", () => {
  const whole = new PumpBudget(5, 100);
  const counts: number[] = [];
  const spendAll = (part: PumpBudget) => {
    let count = 0;
    for (; !part.isSpent; count++) part.spend(1);
    counts.push(count);
  };

  whole.share(3, 100, spendAll);
  whole.share(3, 1, spendAll);
  assertEquals(whole.isSpent, false);
  whole.share(3, 100, spendAll);
  assertEquals([counts, whole.isSpent], [[3, 1, 1], true]);
  whole.share(3, 100, spendAll);

  assertEquals(counts, [3, 1, 1, 0]);
});

Deno.test("PumpBudget.share() takes no more from the whole than it has, when the last message was large", () => {
  const whole = new PumpBudget(5, 100);

  whole.share(5, 10, (part) => part.spend(1000));

  assertEquals(whole.isSpent, true);
});
