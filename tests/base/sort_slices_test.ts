import { assertEquals } from "@std/assert";
import { sortedInSlices } from "../../src/base/sort_slices.ts";
import { CountedSlice } from "../support/counted_slice.ts";
import { Random } from "../support/random.ts";

interface Item {
  readonly key: number;
  readonly place: number;
}

const byKey = (a: Item, b: Item) => a.key - b.key;

for (const count of [0, 1, 2, 511, 512, 513, 1024, 1537, 5000]) {
  Deno.test(`sortedInSlices() has ${count} items in the order of toSorted(), equal ones in theirs`, async () => {
    const random = new Random(count);
    const items = Array.from({ length: count }, (_, place) => ({ key: random.below(100), place }));
    const before = [...items];

    assertEquals(await sortedInSlices(items, byKey), items.toSorted(byKey));

    assertEquals(items, before);
  });
}

Deno.test("sortedInSlices() leaves others a turn after a few hundred items that are sorted or merged", async () => {
  const items = Array.from({ length: 4096 }, (_, place) => ({ key: -place, place }));
  const slice = new CountedSlice();

  await sortedInSlices(items, byKey, slice);

  // Eight runs, and three times as many pieces that are merged; and one when each is done.
  assertEquals(slice.turns, 8 + 1 + 3 * (8 + 1));
});
