import { assertEquals } from "@std/assert";
import { decodeTopicState } from "../../src/broker/topic_state.ts";
import { CrashNode, DATA_PATH, newDisk } from "../crash/power_loss_node.ts";
import { drive } from "../crash/power_loss_recovery.ts";
import { TestConsumer } from "../support/broker_setup.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import { SimulatedFileSystem } from "../support/simulated_file_system.ts";

// Data paths that programs have left, of every version: golden/README.md says how.

const GOLDEN = new URL("golden/", import.meta.url);
/** When they were stopped, more or less, in ms since 1970. */
const STOPPED_MS = { v3: 1_795_900_267_800, v4: 1_795_900_268_100 } as const;
const MINUTE_MS = 60_000;
const LONG_BODIES = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i).repeat(1000));
/** Longer than anything is deferred here. */
const MSG_TIMEOUT_MS = 600 * MINUTE_MS;

type Version = keyof typeof STOPPED_MS;

for (const version of ["v3", "v4"] as const) {
  Deno.test(`Broker has on golden/${version} what the program had that left it`, async () => {
    const { node } = await start(copyOf(version), STOPPED_MS[version]);

    assertEquals(countsOf(node), {
      "Golden": 0,
      // In flight, the long ones, and the last; deferred by REQ and DPUB.
      "Golden/a": [22, 3],
      "Golden/b": [25, 2],
      "imported": 0,
      "imported/c": [1, 1],
      "own": 2,
    });
    assertEquals([node.errors, node.warnings, node.lostCount], [[], [], 0]);
  });

  Deno.test(`Broker delivers what golden/${version} has, each at its time and with its attempts`, async () => {
    const started = await start(copyOf(version), STOPPED_MS[version]);
    const { clock } = started;
    const taken = await consumersOf(started);

    const atOnce = await taken();
    clock.advance(31 * MINUTE_MS);
    const requeued = await taken();
    clock.advance(20 * MINUTE_MS);
    const deferred = await taken();
    clock.advance(10 * MINUTE_MS);
    const last = await taken();

    const long = LONG_BODIES.map((body) => `${body} 1`);
    assertEquals(atOnce, {
      "Golden/a": ["4 2", ...long, "last 1"].sort(),
      "Golden/b": ["1 1", "two 1", "three 1", "4 1", ...long, "last 1"].sort(),
      "imported/c": ["taken over 5"],
      "own/new": ["the topic's own 1", "and another 1"].sort(),
    });
    assertEquals(requeued, { "Golden/a": ["two 2"], "imported/c": ["and deferred 2"] });
    assertEquals(deferred, { "Golden/a": ["in 50 minutes 1"], "Golden/b": ["in 50 minutes 1"] });
    assertEquals(last, { "Golden/a": ["in an hour 1"], "Golden/b": ["in an hour 1"] });
  });

  Deno.test(`Broker saves the state of golden/${version} as version 5, and knows as much after the next start`, async () => {
    const files = copyOf(version);
    const first = await start(files, STOPPED_MS[version]);
    const before = countsOf(first.node);
    await drive(files, "stop()", first.node.stop());

    const second = await start(files, STOPPED_MS[version] + 1000);

    assertEquals(countsOf(second.node), before);
    assertEquals([second.node.errors, second.node.warnings, second.node.lostCount], [[], [], 0]);
    for (const path of statesOf(files)) {
      assertEquals([path, files.readSync(path).subarray(6, 8)], [path, Uint8Array.of(0, 5)]);
    }
  });
}

Deno.test("decodeTopicState() reads golden/v3: in flight and requeued ones are slots, deferred ones are to be parked", () => {
  const { channels, ...rest } = decodeTopicState(read("v3/Golden.topic/state"));
  const base = 0x062b08f7211000;

  assertEquals(rest, {
    distributed: base + 27,
    end: base + 27,
    closedEnd: 0,
    stored: [
      { from: base, to: base + 6 },
      { from: base + 6, to: base + 26 },
      { from: base + 26, to: base + 27 },
    ],
  });
  assertEquals([...channels].map(({ name, ranges, pages }) => ({ name, ranges, pages: [...pages] })), [
    {
      name: "a",
      ranges: [{ from: base + 6, to: base + 27 }],
      pages: [{
        ...{ base, start: 0, end: 0, parked: 0, nextDueMs: 1_795_903_267_747 },
        woken: { dueMs: -Infinity, index: -1 },
        taken: [],
        slots: [
          { index: 1, attempts: 1, dueMs: 1_795_902_067_757, offset: 0, length: 0 },
          { index: 3, attempts: 1, dueMs: 0, offset: 0, length: 0 },
        ],
        unparked: [{ from: 4, to: 6 }],
      }],
    },
    {
      name: "b",
      ranges: [{ from: base, to: base + 4 }, { from: base + 6, to: base + 27 }],
      pages: [{
        ...{ base, start: 0, end: 0, parked: 0, nextDueMs: 1_795_903_267_747 },
        woken: { dueMs: -Infinity, index: -1 },
        taken: [],
        slots: [],
        unparked: [{ from: 4, to: 6 }],
      }],
    },
  ]);
});

Deno.test("decodeTopicState() reads golden/v4: cursors, and what they have passed that is not finished", () => {
  const { channels, ...rest } = decodeTopicState(read("v4/+golden.topic/state"));
  const base = 0x062b08f730a000;
  const page = {
    ...{ base, start: 4, end: 6, parked: 2, nextDueMs: 1_795_903_268_014 },
    woken: { dueMs: 1_795_900_328_011, index: 65_536 },
    taken: [],
  };

  assertEquals(rest, {
    distributed: base + 27,
    end: base + 27,
    closedEnd: base + 27,
    stored: [{ from: base, to: base + 27 }],
  });
  assertEquals([...channels].map(({ name, ranges, pages }) => ({ name, ranges, pages: [...pages] })), [
    {
      name: "a",
      ranges: [{ from: base + 4, to: base + 27 }],
      pages: [{
        ...page,
        slots: [
          { index: 1, attempts: 1, dueMs: 1_795_902_068_029, offset: 16, length: 55 },
          { index: 3, attempts: 1, dueMs: 0, offset: 71, length: 39 },
        ],
      }],
    },
    { name: "b", ranges: [{ from: base, to: base + 27 }], pages: [{ ...page, slots: [] }] },
  ]);
});

function read(path: string): Uint8Array {
  return Deno.readFileSync(new URL(path, GOLDEN));
}

/** A copy of the data path. */
function copyOf(version: Version): SimulatedFileSystem {
  const files = new SimulatedFileSystem(newDisk({ byFolder: false }), { random: new MixedRandom(0) });
  const copy = (from: string, to: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(from, GOLDEN))) {
      if (isDirectory) {
        files.makeFolder(`${to}/${name}`);
        copy(`${from}${name}/`, `${to}/${name}`);
      } else {
        files.write(`${to}/${name}`, read(`${from}${name}`));
      }
    }
  };
  copy(`${version}/`, DATA_PATH);
  return files;
}

/** A program that has loaded what is there. */
async function start(files: SimulatedFileSystem, nowMs: number) {
  const clock = new FakeClock(nowMs);
  const limits = {
    memQueueSize: 10_000,
    maxBytesPerFile: 4096,
    maxChannelConsumers: 0,
    maxMsgTimeoutMs: MSG_TIMEOUT_MS,
    ephemeralDepthMax: 100,
  };
  const node = new CrashNode({ files, clock, limits, syncEvery: 2500 });
  await drive(files, "load()", node.load());
  return { node, files, clock };
}

type Started = Awaited<ReturnType<typeof start>>;

/** Depths of topics, and depths and deferred counts of channels. */
function countsOf({ broker }: CrashNode): Record<string, number | [number, number]> {
  const counts: Record<string, number | [number, number]> = {};
  for (const topic of broker.topics.values()) {
    counts[topic.name] = topic.depth;
    for (const { name, depth, deferredCount } of topic.channels.values()) {
      counts[`${topic.name}/${name}`] = [depth, deferredCount];
    }
  }
  return counts;
}

/** Somebody consumes every channel, and finishes all; tells what they got since they were asked last, with its attempts. */
async function consumersOf({ node, files, clock }: Started) {
  const { broker } = node;
  broker.topic("own").channel("new");
  await drive(files, "idle()", broker.idle());
  const consumers = new Map<string, TestConsumer>();
  for (const topic of broker.topics.values()) {
    for (const channel of topic.channels.values()) {
      consumers.set(
        `${topic.name}/${channel.name}`,
        new TestConsumer(channel, { msgTimeoutMs: MSG_TIMEOUT_MS }),
      );
    }
  }
  return async () => {
    for (let i = 0; i < 10; i++) {
      broker.scan(clock.monotonicMs());
      broker.pump(clock.monotonicMs());
      await drive(files, "idle()", broker.idle());
    }
    const taken: Record<string, string[]> = {};
    for (const [name, { channel, consumer, deliveries }] of consumers) {
      for (const { position, body, attempts } of deliveries.splice(0)) {
        channel.finish(consumer, position, 0);
        (taken[name] ??= []).push(`${body} ${attempts}`);
      }
      taken[name]?.sort();
    }
    return taken;
  };
}

function statesOf(files: SimulatedFileSystem): string[] {
  return files.list(DATA_PATH).filter(({ isFolder }) => isFolder).map(({ name }) =>
    `${DATA_PATH}/${name}/state`
  );
}
