import { assertEquals } from "@std/assert";
import { History, SERIES_SIZE } from "../../../src/nsqadmin/watch/history.ts";
import { AT, FIELDS, type Series, SeriesSet } from "../../../src/nsqadmin/watch/series.ts";

/** A topic whose depth is that in the next round; undefined is that no node has it. */
function say(series: Series, depth: number | undefined): void {
  const numbers = new Float64Array(FIELDS.length);
  numbers[AT.depth] = depth ?? 0;
  if (depth !== undefined) series.add(numbers, 0);
  series.publish();
}

async function setOf(history: History, depths: readonly (number | undefined)[]): Promise<Series> {
  const set = new SeriesSet();
  const series = set.use("t");
  if (series === undefined) throw new Error("there is room for one");
  for (const [i, depth] of depths.entries()) {
    say(series, depth);
    await history.record(set, i * 1000);
  }
  return series;
}

Deno.test("History.past() has the points of the last rounds, oldest first", async () => {
  const history = new History();
  const series = await setOf(history, [1, undefined, 3]);

  assertEquals(history.past(series, "depth", 0), { timesMs: [0, 1000, 2000], values: [1, NaN, 3] });
  assertEquals(history.past(series, "depth", 1), { timesMs: [], values: [] });
});

Deno.test("History.past() has as many points as the ring has room for", async () => {
  const history = new History();
  const series = await setOf(history, Array.from({ length: 125 }, (_, i) => i));

  const { timesMs, values } = history.past(series, "depth", 0);

  assertEquals([values.length, values[0], values[119], timesMs[0]], [120, 5, 124, 5000]);
});

Deno.test("History.past() has means of what is known, for an hour and for a day", async () => {
  const history = new History();
  const rounds = [
    ...Array(11).fill(10),
    22,
    ...Array(6).fill(undefined),
    ...Array(6).fill(4),
    ...Array(96).fill(0),
  ];
  const series = await setOf(history, [...rounds, 99]);

  const { timesMs, values } = history.past(series, "depth", 1);

  assertEquals(values, [11, 4, ...Array(8).fill(0)]);
  assertEquals(timesMs.slice(0, 2), [11_000, 23_000]);
  assertEquals(history.past(series, "depth", 2), { timesMs: [59_000, 119_000], values: [3, 0] });
});

Deno.test("History.past() of a day is the last day", async () => {
  const history = new History();
  const series = await setOf(history, Array.from({ length: 290 * 60 }, (_, i) => Math.floor(i / 60)));

  const { values } = history.past(series, "depth", 2);

  assertEquals([values.length, values[0], values[287]], [288, 2, 289]);
});

Deno.test("History.past() of a topic has what waits in its channels, too", async () => {
  const history = new History();
  const set = new SeriesSet();
  const topic = set.use("t");
  if (topic === undefined) throw new Error("there is room");
  const channel = set.use("c", { topic });
  if (channel === undefined) throw new Error("there is room");
  say(topic, 1);
  say(channel, 10);

  await history.record(set, 0);

  assertEquals(history.past(topic, "depth", 0).values, [11]);
  assertEquals(history.past(channel, "depth", 0).values, [10]);
});

Deno.test("History.record() keeps as many histories as the limit says, of the same size", async () => {
  const set = new SeriesSet();
  const [a, b] = ["a", "b", "c"].map((name) => set.use(name));
  const history = new History(2);
  await history.record(set, 0);
  await history.record(set, 1000);

  const have = () => [...set.all()].map(({ history }) => history?.byteLength);
  assertEquals(have(), [SERIES_SIZE, SERIES_SIZE, undefined]);
  assertEquals([history.size, SERIES_SIZE], [2, 11_232]);
  if (a === undefined || b === undefined) throw new Error("there is room");
  set.release(a);
  await history.record(set, 2000);
  await history.record(set, 3000);
  assertEquals(have(), [SERIES_SIZE, SERIES_SIZE]);
});
