import { assertEquals, assertRejects } from "@std/assert";
import { NodeNumbers } from "../../../src/nsqadmin/watch/node_numbers.ts";
import { type Field, NAME_LENGTH_MAX, SeriesSet } from "../../../src/nsqadmin/watch/series.ts";
import { statsReader } from "../../support/stats_reader.ts";

/** A slice that is never over. */
const SLICE = { isOver: false, next: () => Promise.resolve() };

/** A channel of an answer. */
interface Channel {
  readonly name: unknown;
  readonly [field: string]: unknown;
}

function answer(
  ...topics: readonly { name: string; channels?: readonly Channel[]; [field: string]: unknown }[]
) {
  return {
    topics: topics.map(({ name, channels = [], ...fields }) => ({
      ...{ topic_name: name, ...fields },
      channels: channels.map(({ name, ...fields }) => ({ channel_name: name, ...fields })),
    })),
  };
}

function read(
  set: SeriesSet,
  said: unknown,
  { atMs = 0, previous }: { atMs?: number; previous?: NodeNumbers | undefined } = {},
): Promise<NodeNumbers> {
  return NodeNumbers.read(statsReader(said), { set, slice: SLICE, atMs, previous });
}

/** A field of all topics and channels. */
function all(numbers: NodeNumbers, field: Field): Record<string, number> {
  return Object.fromEntries(numbers.series.map(({ name }, i) => [name, numbers.at(i, field)]));
}

Deno.test("NodeNumbers.read() has a topic's own numbers, and those of its channels together", async () => {
  const said = answer({
    name: "t",
    ...{ depth: 5, message_count: 9, paused: true },
    channels: [{ name: "c", depth: 1, in_flight_count: 2, client_count: 3 }, {
      name: "d",
      depth: 4,
      in_flight_count: 5,
    }],
  });

  const numbers = await read(new SeriesSet(), said);

  assertEquals(all(numbers, "depth"), { t: 5, c: 1, d: 4 });
  assertEquals(all(numbers, "inFlight"), { t: 7, c: 2, d: 5 });
  assertEquals(all(numbers, "paused"), { t: 1, c: 0, d: 0 });
  assertEquals(all(numbers, "channels"), { t: 2, c: 0, d: 0 });
  assertEquals(numbers.totals, {
    ...{ topics: 1, waiting: 10, inMemory: 10, inFlight: 7, deferred: 0, ephemeral: 0 },
    ...{ inRate: 0, outRate: 0, consumers: 3 },
  });
});

Deno.test("NodeNumbers.read() has what was finished as a node counts it, and where none does by what is no more", async () => {
  const set = new SeriesSet();
  const said = (counts: { readonly depth: number; readonly finish_count?: number }) =>
    answer({ name: "t", channels: [{ name: "c", message_count: 100, ...counts }] });
  const previous = await read(set, said({ depth: 90 }));

  const first = await read(set, said({ depth: 80, finish_count: 4 }), { atMs: 1000, previous });
  const emptied = await read(set, said({ depth: 0, finish_count: 6 }), { atMs: 2000, previous: first });
  const uncounted = await read(set, said({ depth: 80 }), { atMs: 1000, previous });

  const outRates = [first, emptied, uncounted].map((numbers) => all(numbers, "outRate"));
  assertEquals(outRates, [{ t: 4, c: 4 }, { t: 2, c: 2 }, { t: 10, c: 10 }]);
});

Deno.test("NodeNumbers.read() has rates by what the node said before, also when the order is another", async () => {
  const set = new SeriesSet();
  const previous = await read(
    set,
    answer({ name: "t", message_count: 10, channels: [{ name: "c", message_count: 10, depth: 10 }] }, {
      name: "u",
      message_count: 7,
    }),
  );
  const said = answer({ name: "u", message_count: 7 }, {
    name: "t",
    message_count: 30,
    channels: [{ name: "c", message_count: 30, depth: 14, in_flight_count: 1, deferred_count: 1 }],
  }, { name: "new", message_count: 100 });

  const numbers = await read(set, said, { atMs: 2000, previous });

  assertEquals(all(numbers, "inRate"), { u: 0, t: 10, c: 10, new: 0 });
  assertEquals(all(numbers, "outRate"), { u: 0, t: 7, c: 7, new: 0 });
});

Deno.test("NodeNumbers.read() takes counts that were set back for a new start, and not for a rate", async () => {
  const set = new SeriesSet();
  const previous = await read(set, answer({ name: "t", message_count: 1000 }));

  const numbers = await read(set, answer({ name: "t", message_count: 3 }), { atMs: 1000, previous });

  assertEquals(all(numbers, "inRate"), { t: 0 });
});

Deno.test("NodeNumbers.read() keeps numbers to what can be added up", async () => {
  const numbers = await read(
    new SeriesSet(),
    answer({ name: "t", depth: 1e308, message_count: -5 }),
  );

  assertEquals(all(numbers, "depth"), { t: Number.MAX_SAFE_INTEGER });
  assertEquals(all(numbers, "messages"), { t: 0 });
});

Deno.test("NodeNumbers.read() leaves out, and counts, what there is no room for", async () => {
  const set = new SeriesSet(3);
  const long = "x".repeat(NAME_LENGTH_MAX);

  const numbers = await read(
    set,
    answer({ name: `${long}x` }, { name: long, channels: [{ name: "c" }, { name: "d" }, { name: "e" }] }, {
      name: "t",
    }),
  );

  assertEquals(numbers.series.map(({ name }) => name), [long, "c", "d"]);
  assertEquals([numbers.leftOut, set.size], [3, 3]);
});

Deno.test("NodeNumbers.read() leaves nothing behind of an answer that is none", async () => {
  const set = new SeriesSet();

  await assertRejects(
    () => read(set, answer({ name: "t", channels: [{ name: "c" }, { name: 1 }] })),
    TypeError,
  );

  assertEquals([set.size, set.find("t")], [0, undefined]);
});

Deno.test("NodeNumbers.release() lets go of what no other node has", async () => {
  const set = new SeriesSet();
  const one = await read(set, answer({ name: "t", channels: [{ name: "c" }] }, { name: "u" }));
  const other = await read(set, answer({ name: "t", channels: [{ name: "d" }] }));

  one.release(set);
  assertEquals([...set.all()].map(({ name }) => name), ["t", "d"]);
  other.release(set);
  assertEquals(set.size, 0);
});

Deno.test("Series.publish() shows the sums of a round, and begins the next at nothing", async () => {
  const set = new SeriesSet();
  const one = await read(set, answer({ name: "t", depth: 1 }));
  const other = await read(set, answer({ name: "t", depth: 2 }));
  const shown = () => [...set.all()].map((series) => [series.nodes, series.sum("depth")]);
  const publish = () => [...set.all()].forEach((series) => series.publish());

  one.addToSums();
  other.addToSums();
  assertEquals(shown(), [[0, 0]]);
  publish();
  assertEquals(shown(), [[2, 3]]);
  other.addToSums();
  publish();
  assertEquals(shown(), [[1, 2]]);
});

Deno.test("A Series of which nobody says anything any more is as it was last known, until somebody does or it is nowhere", async () => {
  const set = new SeriesSet();
  const one = await read(set, answer({ name: "t", depth: 1 }), { atMs: 10 });
  const other = await read(set, answer({ name: "t", depth: 2 }), { atMs: 20 });
  const [series] = set.all();
  const round = (...adds: readonly (() => void)[]) => {
    for (const add of adds) add();
    series.publish();
    const { nodes, silentNodes, knownMs } = series;
    return { nodes, silentNodes, knownMs, depth: [series.sum("depth"), series.known("depth")] };
  };
  const counts = (numbers: NodeNumbers) => () => numbers.addToSums();
  const silent = (numbers: NodeNumbers) => () => numbers.addAsSilent();

  const known = { nodes: 1, silentNodes: 1, knownMs: undefined, depth: [2, 2] };
  assertEquals(round(counts(other), silent(one)), known);
  const unknown = { nodes: 0, silentNodes: 2, knownMs: 20, depth: [0, 2] };
  assertEquals(round(silent(one), silent(other)), unknown);
  assertEquals(round(silent(other), silent(one)), unknown);
  assertEquals(round(counts(one), silent(other)), { ...known, depth: [1, 1] });
  round(silent(one));
  assertEquals(round(), { nodes: 0, silentNodes: 0, knownMs: undefined, depth: [0, 0] });
});

Deno.test("NodeNumbers.read() has what was requeued in a second, and the age of the oldest message where it is told", async () => {
  const set = new SeriesSet();
  const said = (requeued: number, age?: number) =>
    answer({
      name: "t",
      channels: [
        { name: "c", requeue_count: requeued, oldest_message_age_seconds: age },
        { name: "d", requeue_count: 2 * requeued, oldest_message_age_seconds: 7 },
      ],
    });
  const previous = await read(set, said(10));

  const numbers = await read(set, said(30, 9), { atMs: 2000, previous });

  assertEquals(all(numbers, "requeueRate"), { t: 30, c: 10, d: 20 });
  assertEquals(all(previous, "oldestS"), { t: 7, c: 0, d: 7 });
  assertEquals(all(numbers, "oldestS"), { t: 9, c: 9, d: 7 });
});

Deno.test("NodeNumbers.read() has what is on no disk, and apart from it what is ephemeral", async () => {
  const numbers = await read(
    new SeriesSet(),
    answer(
      {
        name: "t",
        ...{ depth: 10, backend_depth: 4 },
        channels: [
          { name: "c", depth: 5, backend_depth: 5, in_flight_count: 1, deferred_count: 2 },
          { name: "d#ephemeral", depth: 3, in_flight_count: 1, deferred_count: 1 },
        ],
      },
      { name: "e#ephemeral", depth: 7, channels: [{ name: "c", depth: 2, in_flight_count: 1 }] },
    ),
  );

  const { waiting, inMemory, inFlight, deferred, ephemeral } = numbers.totals;
  assertEquals({ waiting, inMemory, inFlight, deferred, ephemeral }, {
    waiting: 27,
    inMemory: 6,
    inFlight: 3,
    deferred: 3,
    ephemeral: 15,
  });
});
