import { assertEquals } from "@std/assert";
import { FixedHistogram } from "../../src/base/fixed_histogram.ts";

Deno.test("FixedHistogram.insert() counts a value that is a bound below it, and one above all bounds last", () => {
  const histogram = new FixedHistogram([1, 10]);

  for (const value of [0, 1, 1.5, 10, 11]) histogram.insert(value);

  assertEquals([...histogram.counts], [2, 2, 1]);
  assertEquals([histogram.count, histogram.sum], [5, 23.5]);
});

Deno.test("FixedHistogram.add() adds what another one has counted", () => {
  const [one, other] = [new FixedHistogram([1]), new FixedHistogram([1])];
  one.insert(1);
  other.insert(1);
  other.insert(2);

  one.add(other);

  assertEquals([[...one.counts], one.sum, other.count], [[2, 1], 4, 2]);
});
