import { assertEquals } from "@std/assert";
import { inSlices, SharedSlice, SLICE_MS, TimeSlice } from "../../src/base/time_slice.ts";

/** A clock that a step of the work moves on. */
class WorkClock {
  nowMs = 0;

  monotonicMs(): number {
    return this.nowMs;
  }
}

Deno.test("TimeSlice is over after SLICE_MS, and begins anew when others have had their turn", async () => {
  const clock = new WorkClock();
  const slice = new TimeSlice(clock);

  clock.nowMs = SLICE_MS - 1;
  const before = slice.isOver;
  clock.nowMs = SLICE_MS;
  const after = slice.isOver;
  await slice.next();

  assertEquals([before, after, slice.isOver], [false, true, false]);
});

Deno.test("inSlices() lets others have their turn after each slice, and takes every step in order", async () => {
  const clock = new WorkClock();
  const done: string[] = [];
  const other = setInterval(() => done.push("other"), 0);

  await inSlices([1, 2, 3, 4, 5], (step) => {
    done.push(String(step));
    clock.nowMs += SLICE_MS / 2;
  }, new TimeSlice(clock));
  clearInterval(other);

  assertEquals(done.filter((what) => what !== "other"), ["1", "2", "3", "4", "5"]);
  assertEquals(done.indexOf("other"), 2);
});

Deno.test("inSlices() waits for nobody while a slice lasts", async () => {
  const clock = new WorkClock();
  let others = 0;
  const other = setTimeout(() => others++, 0);

  await inSlices(Array(1000).keys(), () => {}, new TimeSlice(clock));
  clearTimeout(other);

  assertEquals(others, 0);
});

Deno.test("inSlices() ends with the error of a step", async () => {
  const failure = new Error("no");
  const steps = inSlices([1], () => {
    throw failure;
  });

  assertEquals(await steps.catch((error) => error), failure);
});

Deno.test("SharedSlice is one slice for all who begin in a turn, and another for those of the next", async () => {
  const clock = new WorkClock();
  const slice = new SharedSlice(clock);

  slice.begin();
  clock.nowMs = SLICE_MS;
  slice.begin();
  const second = slice.isOver;
  await Promise.all([slice.next(), slice.next()]);
  clock.nowMs = 2 * SLICE_MS - 1;
  const next = slice.isOver;
  slice.begin();
  clock.nowMs = 2 * SLICE_MS;

  assertEquals([second, next, slice.isOver], [true, false, true]);
  await slice.next();
});

Deno.test("SharedSlice begins with the first look of a turn, when nobody has said so before", async () => {
  const clock = new WorkClock();
  const slice = new SharedSlice(clock);
  clock.nowMs = 3 * SLICE_MS;

  const first = slice.isOver;
  clock.nowMs = 4 * SLICE_MS - 1;
  const second = slice.isOver;
  clock.nowMs = 4 * SLICE_MS;

  assertEquals([first, second, slice.isOver], [false, false, true]);
  await slice.next();
});
