import { assertEquals } from "@std/assert";
import type { Collection } from "../../src/base/collect_garbage.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { MemoryWatch } from "../../src/nsqd/memory_watch.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { settle } from "../support/settle.ts";

const MIB = 2 ** 20;

Deno.test("MemoryWatch does nothing while there is room, or no limit", () => {
  const { watch, use, done } = setup();
  use(69);
  watch.look();
  assertEquals([watch.isShort, watch.refusal, done.splice(0)], [false, undefined, []]);

  const unlimited = setup({ limitMib: 0 });
  unlimited.use(1e6);
  unlimited.watch.look();
  assertEquals([unlimited.watch.isShort, unlimited.watch.refusal, unlimited.done], [false, undefined, []]);
});

Deno.test("MemoryWatch collects what was made lately first, and all only if that is not enough", () => {
  const { watch, use, frees, done } = setup();
  use(75);
  frees.minor = 10;
  watch.look();
  assertEquals(done.splice(0), ["minor"]);

  use(75);
  frees.minor = 1;
  frees.major = 30;
  watch.look();

  assertEquals([done, watch.isShort], [["minor", "major"], false]);
});

Deno.test("MemoryWatch does not collect everything again and again", () => {
  const { watch, use, frees, clock, done } = setup();
  use(75);
  frees.major = 3;
  watch.look();
  use(75);
  clock.advance(249);
  watch.look();
  assertEquals(done.splice(0), ["minor", "major", "minor"]);
  clock.advance(1);
  // Now there is little garbage.
  frees.major = 1;
  watch.look();
  assertEquals(done.splice(0), ["minor", "major"]);

  clock.advance(4999);
  watch.look();
  assertEquals(done.splice(0), ["minor"]);
  clock.advance(1);
  watch.look();

  assertEquals(done, ["minor", "major"]);
});

Deno.test("MemoryWatch has messages put on the disk when garbage is not what takes the memory, until there is room again", async () => {
  const { watch, use, lines, done, clock } = setup();
  use(80);
  watch.look();
  assertEquals([watch.isShort, watch.refusal, done.splice(0)], [true, undefined, [
    "minor",
    "major",
    "spill",
  ]]);
  await settle();

  clock.advance(1000);
  use(76);
  watch.look();
  assertEquals([watch.isShort, done.splice(0)], [true, ["minor", "major", "spill"]]);
  await settle();
  use(74);
  watch.look();

  assertEquals([watch.isShort, done], [false, ["minor"]]);
  assertEquals(lines, [
    "WARNING: MEMORY: 80 of 100 MiB are in use, messages go to the disk",
    "INFO: MEMORY: 74 of 100 MiB are in use, messages may stay in memory again",
  ]);
});

Deno.test("MemoryWatch does not spill twice at a time, says what has failed, and tries again", async () => {
  const { watch, use, lines, done, spills } = setup();
  use(85);
  const failure = Promise.withResolvers<void>();
  spills.push(failure.promise);
  watch.look();
  watch.look();
  assertEquals(done.filter((what) => what === "spill").length, 1);
  failure.reject(new Error("disk full"));
  await settle();
  watch.look();

  assertEquals(done.filter((what) => what === "spill").length, 2);
  assertEquals(lines.at(-1), "ERROR: MEMORY: failed to put messages on the disk - disk full");
});

Deno.test("MemoryWatch has messages refused when nothing else helps, until there is room again", () => {
  const { watch, use, lines } = setup();
  const refusals = [91, 92, 88, 86, 60].map((mib) => {
    use(mib);
    watch.look();
    return watch.refusal;
  });

  assertEquals(refusals, [undefined, "out of memory", "out of memory", undefined, undefined]);
  assertEquals(lines, [
    "WARNING: MEMORY: 91 of 100 MiB are in use, messages go to the disk",
    "ERROR: MEMORY: 92 of 100 MiB are in use, messages are refused",
    "INFO: MEMORY: 86 of 100 MiB are in use, messages are taken again",
    "INFO: MEMORY: 60 of 100 MiB are in use, messages may stay in memory again",
  ]);
});

Deno.test("MemoryWatch.finish() waits for what is being put on the disk, and nothing more is", async () => {
  const { watch, use, done, spills } = setup();
  use(85);
  const spilled = Promise.withResolvers<void>();
  spills.push(spilled.promise);
  watch.look();
  let isFinished = false;

  const finished = watch.finish().then(() => isFinished = true);
  await settle();
  assertEquals(isFinished, false);
  spilled.resolve();
  await finished;
  done.length = 0;
  watch.look();

  assertEquals(done, []);
});

/** A watch over memory that is said to be in use. */
function setup({ limitMib = 100 } = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const done: (Collection | "spill")[] = [];
  const spills: Promise<void>[] = [];
  const frees = { minor: 0, major: 0 };
  let usedMib = 0;
  const watch = new MemoryWatch({
    limitBytes: limitMib * MIB,
    clock,
    logger: new Logger({ prefix: "", level: LOG_LEVELS.info, write: (line) => lines.push(line.slice(27)) }),
    usedBytes: () => usedMib * MIB,
    collect: (type) => {
      done.push(type);
      usedMib -= frees[type];
    },
    spill: () => {
      done.push("spill");
      return spills.shift() ?? Promise.resolve();
    },
  });
  return { watch, clock, lines, done, spills, frees, use: (mib: number) => usedMib = mib };
}
