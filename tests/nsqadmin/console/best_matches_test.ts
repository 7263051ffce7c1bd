import { assertEquals } from "@std/assert";
import { BestMatches } from "../../../src/nsqadmin/console/best_matches.ts";

/** The best of these names, in order. */
function best(query: string, names: readonly string[], most = 10): readonly string[] {
  const matches = new BestMatches<string>(query, most);
  for (const name of names) matches.offer(name, name);
  return matches.best;
}

Deno.test("BestMatches are first what begins with a word, then what has a part that does, then what has it", () => {
  const names = ["reorders", "eu.orders", "orders.v2", "orders", "other", "eu_ORDERS_x"];

  assertEquals(best("Orders", names), ["orders", "orders.v2", "eu.orders", "eu_ORDERS_x", "reorders"]);
});

Deno.test("BestMatches have all words, in any order, and a later part may be the one that begins with it", () => {
  const names = ["orders/archive", "archive/orders", "orders", "reorder-orders/archive"];

  assertEquals(best(" archive  orders", names), [
    "archive/orders",
    "orders/archive",
    "reorder-orders/archive",
  ]);
  assertEquals(best("orders/archive", names), best("archive orders", names));
});

Deno.test("BestMatches of no words are the shortest of all names", () => {
  assertEquals(best("", ["ccc", "b", "aa", "a"], 3), ["a", "b", "aa"]);
});

Deno.test("BestMatches keep so many, whatever comes in which order, and count all", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `x${String((i * 7919) % 1000).padStart(3, "0")}`);
  const matches = new BestMatches<string>("x", 3);
  for (const name of names) matches.offer(name, name);

  assertEquals(matches.best, ["x000", "x001", "x002"]);
  assertEquals(matches.count, 1000);
});
