import { assert, assertEquals } from "@std/assert";
import { Segment } from "../../src/log/segment.ts";
import { SegmentList } from "../../src/log/segment_list.ts";

Deno.test("SegmentList.from() finds the segment that has the position, or the first one behind it", () => {
  const list = listOf([10, 5], [15, 1], [20, 3]);

  const bases = [0, 9, 10, 14, 15, 16, 19, 20, 22, 23].map((position) => list.from(position)?.base);

  assertEquals(bases, [10, 10, 10, 10, 15, 20, 20, 20, 20, undefined]);
});

Deno.test("SegmentList.from() finds every position of many segments", () => {
  for (const length of [0, 1, 2, 3, 7, 8, 100]) {
    const list = listOf(...Array.from({ length }, (_, i): [number, number] => [10 * i, 1 + i % 10]));

    for (let position = 0; position < 10 * length + 5; position++) {
      const expected = list.all.find(({ end }) => position < end);
      assertEquals(list.from(position)?.base, expected?.base, `${position} of ${length} segments`);
    }
  }
});

Deno.test("SegmentList.from() takes an empty segment for the one that has the position it begins at", () => {
  const list = listOf([10, 5], [15, 0]);

  assertEquals([list.from(14)?.base, list.from(15)?.base, list.from(16)], [10, 15, undefined]);
});

Deno.test("SegmentList.indexFrom() is the length where no segment is", () => {
  const list = listOf([10, 5], [20, 5]);

  assertEquals([9, 15, 25].map((position) => list.indexFrom(position)), [0, 1, 2]);
  assertEquals(new SegmentList().indexFrom(0), 0);
});

Deno.test("SegmentList.has() knows the segments that are in it, empty ones too, and no others of the same place", () => {
  const list = listOf([10, 5], [15, 0]);
  const [first, second] = list.all;

  assertEquals([list.has(first), list.has(second), list.has(segmentAt(10, 5))], [true, true, false]);
});

Deno.test("SegmentList.remove() takes one out, wherever it is, and no other of the same place", () => {
  const list = listOf([10, 5], [15, 5], [20, 5], [25, 5]);
  const [first, , third, last] = list.all;

  assertEquals([list.remove(third), list.remove(third), list.remove(segmentAt(10, 5))], [true, false, false]);
  assertEquals([list.remove(last), list.remove(first)], [true, true]);

  assertEquals(list.all.map(({ base }) => base), [15]);
});

Deno.test("SegmentList.replace() puts one in the place of another, which must be there", () => {
  const list = listOf([10, 5], [15, 5]);
  const [first, second] = list.all;
  const next = segmentAt(15, 5);

  assertEquals([list.replace(second, next), list.replace(second, segmentAt(15, 5))], [true, false]);

  assertEquals(list.all.map((segment) => segment === first || segment === next), [true, true]);
  assertEquals(list.all.length, 2);
});

Deno.test("SegmentList.replace() of an empty segment puts one in its place that begins later", () => {
  const list = listOf([10, 5], [15, 3]);
  const next = segmentAt(18, 0);

  assertEquals(list.replace(list.all[1], next), true);

  assertEquals([list.from(15) === next, list.from(18) === next], [true, true]);
});

Deno.test("SegmentList looks at few of many segments to find one", () => {
  let looked = 0;
  const list = new SegmentList();
  for (let i = 0; i < 100_000; i++) {
    const segment = segmentAt(10 * i, 10);
    Object.defineProperty(segment, "end", {
      get: () => {
        looked++;
        return 10 * i + 10;
      },
    });
    list.push(segment);
  }

  assertEquals(list.from(777_777)?.base, 777_770);

  assert(looked <= 17, `${looked} looked at`);
});

function listOf(...segments: readonly (readonly [base: number, count: number])[]): SegmentList {
  const list = new SegmentList();
  for (const [base, count] of segments) list.push(segmentAt(base, count));
  return list;
}

function segmentAt(base: number, count: number): Segment {
  const segment = new Segment({ base, capacityBytes: 0, stored: false });
  segment.count = count;
  return segment;
}
