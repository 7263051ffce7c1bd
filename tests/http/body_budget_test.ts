import { assertEquals } from "@std/assert";
import { BodyBudget } from "../../src/http/body_budget.ts";

Deno.test("BodyBudget gives as much as there is, and no more", () => {
  const budget = new BodyBudget(10);

  assertEquals([budget.take(9), budget.take(2), budget.take(1), budget.take(1)], [true, false, true, false]);
  assertEquals(budget.size, 10);
});

Deno.test("BodyBudget gives again what was given back", () => {
  const budget = new BodyBudget(10);
  budget.take(10);

  budget.giveBack(4);

  assertEquals([budget.take(5), budget.take(4)], [false, true]);
});

Deno.test("BodyBudget has no limit when that is 0", () => {
  assertEquals(new BodyBudget(0).take(2 ** 50), true);
});
