import { assertEquals } from "@std/assert";
import { NODE_SIZE, nodeHistory, SERIES_SIZE, seriesHistory } from "../../../src/nsqadmin/watch/history.ts";
import { infoNode } from "../../../src/cluster/cluster_nodes.ts";
import { NodeNumbers } from "../../../src/nsqadmin/watch/node_numbers.ts";
import { AT, FIELDS, type Series, SeriesSet } from "../../../src/nsqadmin/watch/series.ts";
import { WatchedNode } from "../../../src/nsqadmin/watch/watched_node.ts";
import { statsReader } from "../../support/stats_reader.ts";

/** A topic whose depth is that in the next round; undefined is that no node has it. */
function say(series: Series, depth: number | undefined): void {
  const numbers = new Float64Array(FIELDS.length);
  numbers[AT.depth] = depth ?? 0;
  if (depth !== undefined) series.add(numbers, 0);
  series.publish();
}

async function setOf(
  history: ReturnType<typeof seriesHistory>,
  depths: readonly (number | undefined)[],
): Promise<Series> {
  const set = new SeriesSet();
  const series = set.use("t");
  if (series === undefined) throw new Error("there is room for one");
  for (const [i, depth] of depths.entries()) {
    say(series, depth);
    await history.record(set.all(), i * 1000);
  }
  return series;
}

Deno.test("History.past() has the points of the last rounds, oldest first", async () => {
  const history = seriesHistory();
  const series = await setOf(history, [1, undefined, 3]);

  assertEquals(history.past(series, "depth", 0), { timesMs: [0, 1000, 2000], values: [1, NaN, 3] });
  assertEquals(history.past(series, "depth", 1), { timesMs: [], values: [] });
});

Deno.test("History.past() has as many points as the ring has room for", async () => {
  const history = seriesHistory();
  const series = await setOf(history, Array.from({ length: 125 }, (_, i) => i));

  const { timesMs, values } = history.past(series, "depth", 0);

  assertEquals([values.length, values[0], values[119], timesMs[0]], [120, 5, 124, 5000]);
});

Deno.test("History.past() has means of what is known, for an hour and for a day", async () => {
  const history = seriesHistory();
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
  const history = seriesHistory();
  const series = await setOf(history, Array.from({ length: 290 * 60 }, (_, i) => Math.floor(i / 60)));

  const { values } = history.past(series, "depth", 2);

  assertEquals([values.length, values[0], values[287]], [288, 2, 289]);
});

Deno.test("History.past() of a topic has what waits in its channels, too", async () => {
  const history = seriesHistory();
  const set = new SeriesSet();
  const topic = set.use("t");
  if (topic === undefined) throw new Error("there is room");
  const channel = set.use("c", { topic });
  if (channel === undefined) throw new Error("there is room");
  say(topic, 1);
  say(channel, 10);

  await history.record(set.all(), 0);

  assertEquals(history.past(topic, "depth", 0).values, [11]);
  assertEquals(history.past(channel, "depth", 0).values, [10]);
});

Deno.test("History.record() keeps as many histories as the limit says, of the same size", async () => {
  const set = new SeriesSet();
  const [a, b] = ["a", "b", "c"].map((name) => set.use(name));
  const history = seriesHistory(2);
  await history.record(set.all(), 0);
  await history.record(set.all(), 1000);

  const have = () => [...set.all()].map(({ history }) => history?.byteLength);
  assertEquals(have(), [SERIES_SIZE, SERIES_SIZE, undefined]);
  assertEquals([history.size, SERIES_SIZE], [2, 11_232]);
  if (a === undefined || b === undefined) throw new Error("there is room");
  set.release(a);
  await history.record(set.all(), 2000);
  await history.record(set.all(), 3000);
  assertEquals(have(), [SERIES_SIZE, SERIES_SIZE]);
});

/** A node that has answered with that. */
async function nodeSaying(answer: unknown): Promise<WatchedNode> {
  const node = new WatchedNode(infoNode({ broadcast_address: "h", http_port: 1 }, []));
  const slice = { isOver: false, next: () => Promise.resolve() };
  const how = { set: new SeriesSet(), slice, atMs: 0, previous: undefined };
  node.hasAnswered(await NodeNumbers.read(statsReader(answer), how), { wallMs: 0, monotonicMs: 0 });
  return node;
}

Deno.test("nodeHistory() has what waits on a node and its memory, while it counts", async () => {
  const topics = [{ topic_name: "t", depth: 3, channels: [{ channel_name: "c", depth: 4 }] }];
  const node = await nodeSaying({ topics, memory: { heap_in_use_bytes: 1024 } });
  let counts = true;
  const history = nodeHistory(() => counts);

  await history.record([node], 0);
  counts = false;
  await history.record([node], 1000);

  assertEquals(history.past(node, "waiting", 0), { timesMs: [0, 1000], values: [7, NaN] });
  assertEquals(history.past(node, "memory", 0).values, [1024, NaN]);
});

Deno.test("nodeHistory() keeps as many as its limit says", async () => {
  const nodes = await Promise.all([{}, {}, {}].map(nodeSaying));
  const history = nodeHistory(() => true, 2);

  await history.record(nodes, 0);

  assertEquals(nodes.map((node) => node.history?.byteLength), [NODE_SIZE, NODE_SIZE, undefined]);
  assertEquals([NODE_SIZE, history.past(nodes[2], "waiting", 0).values], [7488, [NaN]]);
  assertEquals(history.past(nodes[0], "memory", 0).values, [NaN]);
});
