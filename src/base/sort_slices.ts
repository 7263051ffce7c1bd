/**
 * Sorting of any number of items in slices of time: short runs are sorted in one go, and merged two by two.
 *
 * @module
 */

import { inSlices, type Slice, TimeSlice } from "./time_slice.ts";

/** Items that are sorted, or merged, in one go: some 100 µs, up to a ms where comparing is slow. */
const RUN_LENGTH = 512;

/** How two items stand to each other, as `sort` wants to be told. */
export type Compare<Item> = (a: Item, b: Item) => number;

/** The items in order; those that are equal stay in theirs. */
export async function sortedInSlices<Item>(
  items: readonly Item[],
  compare: Compare<Item>,
  slice: Slice = new TimeSlice(),
): Promise<Item[]> {
  let sorted: Item[] = [];
  await inSlices(runsOf(items), (run) => {
    for (const item of run.sort(compare)) sorted.push(item);
  }, slice);
  for (let length = RUN_LENGTH; length < items.length; length *= 2) {
    const merged: Item[] = [];
    await inSlices(mergings({ from: sorted, to: merged, length }, compare), undefined, slice);
    sorted = merged;
  }
  return sorted;
}

function* runsOf<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += RUN_LENGTH) {
    yield items.slice(start, start + RUN_LENGTH);
  }
}

/** Merges sorted runs of that length, two by two, a little in each step. */
function* mergings<Item>(
  { from, to, length }: { readonly from: readonly Item[]; readonly to: Item[]; readonly length: number },
  compare: Compare<Item>,
): Generator<void> {
  for (let start = 0; start < from.length; start += 2 * length) {
    let left = start;
    const leftEnd = Math.min(start + length, from.length);
    let right = leftEnd;
    const rightEnd = Math.min(leftEnd + length, from.length);
    while (left < leftEnd || right < rightEnd) {
      const isLeft = right >= rightEnd || left < leftEnd && compare(from[left], from[right]) <= 0;
      to.push(from[isLeft ? left++ : right++]);
      if (to.length % RUN_LENGTH === 0) yield;
    }
  }
}
