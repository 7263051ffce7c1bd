import { assertEquals } from "@std/assert";
import { REMOVAL_INTERVAL_MS } from "../../../src/nsqd/kv/kv_queue.ts";
import { FAKE_START_MS, FakeClock } from "../../support/fake_clock.ts";
import { allKeys, Barrier, idle, kvQueue, type TestKvQueue, withKv } from "../../support/kv.ts";
import { PLACE, publish, receive, refusalOf, textsOf } from "../../support/kv_requests.ts";
import { Random } from "../../support/random.ts";

const OTHER = { topic: "t", channel: "d" };

/** A test with two instances on one database, whose clocks go alike. */
function instancesTest(
  name: string,
  test: (a: TestKvQueue, b: TestKvQueue, kv: Deno.Kv) => Promise<void>,
  { aheadMs = 0 } = {},
): void {
  Deno.test(name, () =>
    withKv(":memory:", async (kv) => {
      await using a = kvQueue(kv);
      await using b = kvQueue(kv, { clock: new FakeClock(FAKE_START_MS + aheadMs) });
      await test(a, b, kv);
    }));
}

/** Lets so much time pass for both. */
async function advance(ms: number, ...instances: readonly TestKvQueue[]): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 100) {
    for (const { advance } of instances) await advance(Math.min(leftMs, 100));
  }
}

instancesTest("Of two instances that lease a message at once, one gets it", async (a, b) => {
  await publish(a, "x");
  const barrier = new Barrier(2);
  a.kv.faults = b.kv.faults = { before: (kind) => kind === "commit" ? barrier.arrive() : undefined };
  await b.queue.createTopic("t");

  const both = await Promise.all([receive(a), receive(b)]);

  assertEquals(both.flatMap(textsOf), ["x"]);
  assertEquals(barrier.isOpen, true);
});

instancesTest(
  "An instance that has listed a chunk before it was finished and removed does not begin it anew",
  async (a, b) => {
    await publish(a, "x");
    const barrier = new Barrier(2);
    await b.queue.createTopic("t");
    b.kv.faults = { before: (kind) => kind === "commit" ? barrier.arrive() : undefined };
    const late = receive(b);
    await idle(a.kv);
    await barrier.reached(1);

    const [{ lease }] = await receive(a);
    assertEquals(await a.queue.finish(PLACE, [lease]), { done: 1, failed: [] });
    void barrier.arrive();

    assertEquals(textsOf(await late), []);
  },
);

instancesTest(
  "Of two instances that are asked to finish a lease at once, both say that it is done, and it counts once",
  async (a, b) => {
    await publish(a, "x", "y");
    const [{ lease }] = await receive(a, { max: 1 });
    await b.queue.createTopic("t");
    const barrier = new Barrier(2);
    a.kv.faults = b.kv.faults = { before: (kind) => kind === "commit" ? barrier.arrive() : undefined };

    const answers = await Promise.all([a.queue.finish(PLACE, [lease]), b.queue.finish(PLACE, [lease])]);

    assertEquals(answers, [{ done: 1, failed: [] }, { done: 1, failed: [] }]);
    const { topics } = await a.queue.stats({
      topics: new Set(["t"]),
      channels: new Set(["c"]),
      includeClients: false,
    });
    assertEquals(topics?.[0].channels.map(({ depth, in_flight_count }) => [depth, in_flight_count]), [[
      1,
      0,
    ]]);
  },
);

instancesTest(
  "A message that one instance finishes while another gives it back is done",
  async (a, b) => {
    await publish(a, "x", "y");
    const [{ lease }] = await receive(a, { max: 1 });
    await b.queue.createTopic("t");
    const barrier = new Barrier(2);
    a.kv.faults = b.kv.faults = { before: (kind) => kind === "commit" ? barrier.arrive() : undefined };

    const [finished, requeued] = await Promise.all([
      a.queue.finish(PLACE, [lease]),
      b.queue.requeue(PLACE, [lease], { delayMs: 0 }),
    ]);

    // Whoever comes second sees what the first has done: a finish of what was given back counts, and nobody has had it since.
    assertEquals(finished, { done: 1, failed: [] });
    assertEquals([requeued.done + requeued.failed.length, textsOf(await receive(a))], [1, ["y"]]);
  },
);

instancesTest("A lease is good for every instance", async (a, b) => {
  await publish(a, "x");
  const [{ lease }] = await receive(a);

  assertEquals((await b.queue.touch(PLACE, [lease])).done, 1);
  assertEquals(await b.queue.finish(PLACE, [lease]), { done: 1, failed: [] });
  assertEquals(textsOf(await receive(a)), []);
});

instancesTest(
  "What an instance has leased and not finished in time is delivered by another, and the first holder is told",
  async (a, b) => {
    await publish(a, "x");
    const [{ lease }] = await receive(a);
    assertEquals(textsOf(await receive(b)), []);
    await advance(61_000, a, b);

    const [again] = await receive(b);

    assertEquals([again.attempts, textsOf([again])], [2, ["x"]]);
    assertEquals(await a.queue.finish(PLACE, [lease]), { done: 0, failed: [{ lease, problem: "EXPIRED" }] });
  },
);

instancesTest(
  "An instance whose clock is a second ahead takes no lease before its time is over",
  async (a, b) => {
    await publish(a, "x");
    await receive(a);
    await advance(59_999, a, b);
    assertEquals(textsOf(await receive(b)), []);
    await advance(1, a, b);

    assertEquals(textsOf(await receive(b)), ["x"]);
  },
  { aheadMs: 1000 },
);

instancesTest("Who waits at one instance is given what is published at another", async (a, b) => {
  await publish(a);
  const waiting = receive(b, { waitMs: 10_000 });
  await b.advance(100);
  await publish(a, "x");
  await b.advance(300);

  assertEquals(textsOf(await waiting), ["x"]);
});

instancesTest("Who waits at one instance is given what is given back at another", async (a, b) => {
  await publish(a, "x");
  const [{ lease }] = await receive(a);
  const waiting = receive(b, { waitMs: 10_000 });
  await b.advance(300);
  await a.queue.requeue(PLACE, [lease], { delayMs: 0 });
  await b.advance(300);

  assertEquals(textsOf(await waiting), ["x"]);
});

instancesTest(
  "A stream at one instance has room again when its message is finished at another",
  async (a, b) => {
    await publish(a, "x", "y");
    const sent: string[] = [];
    const leases: string[] = [];
    const { signal } = new AbortController();
    const client = { remoteAddress: "127.0.0.1:1", userAgent: "", name: undefined, signal };
    await b.queue.subscribe(PLACE, { maxInFlight: 1, timeoutMs: 60_000, isAutomatic: false, client }, {
      hasRoom: true,
      send: (message) => {
        sent.push(...textsOf([message]));
        leases.push(message.lease);
      },
      flush: () => {},
      end: () => {},
    });
    await b.advance(300);
    assertEquals(sent.length, 1);
    await a.queue.finish(PLACE, leases);
    await b.advance(300);

    assertEquals(sent.sort(), ["x", "y"]);
  },
);

instancesTest("A pause at one instance holds for another, and so does its end", async (a, b) => {
  await publish(a, "x");
  await receive(b, { max: 0 });
  await a.queue.pauseChannel(PLACE, true);
  const waiting = receive(b, { waitMs: 10_000 });
  await b.advance(300);
  await a.queue.pauseChannel(PLACE, false);
  await b.advance(300);

  assertEquals(textsOf(await waiting), ["x"]);
});

instancesTest(
  "Who waits at one instance is answered when the channel is deleted at another",
  async (a, b) => {
    await publish(a);
    const waiting = receive(b, { waitMs: 10_000 });
    await b.advance(100);
    await a.queue.deleteChannel(PLACE);
    await b.advance(300);

    assertEquals(textsOf(await waiting), []);
    assertEquals(await refusalOf(b.queue.finish(PLACE, [])), [404, "CHANNEL_NOT_FOUND"]);
  },
);

instancesTest(
  "Publishing at one instance goes on in a topic that was deleted and made anew at another",
  async (a, b) => {
    await publish(a, "x");
    await publish(b, "y");
    await a.queue.deleteTopic("t");
    await publish(a);
    await b.queue.publish("t", new TextEncoder().encode("z"), { deferMs: 0 });

    assertEquals(textsOf(await receive(b)), ["z"]);
    assertEquals(textsOf(await receive(a)), []);
  },
);

instancesTest(
  "A chunk goes when all channels are done with it, whichever instance was asked",
  async (a, b, kv) => {
    await publish(a);
    await a.queue.createChannel(OTHER);
    await publish(a, "x");
    const [mine] = await receive(a);
    const [others] = await receive(b, {}, OTHER);
    await a.queue.finish(PLACE, [mine.lease]);
    await b.queue.finish(OTHER, [others.lease]);
    await b.advance(100);

    assertEquals((await allKeys(kv)).map(([, , kind]) => kind).filter((kind) => kind !== "n"), ["t"]);
  },
);

instancesTest(
  "What is left of a topic whose instance ends as it is deleted is removed by another",
  async (a, b, kv) => {
    await publish(a, "x", "y");
    await a.queue.publish("t", new Uint8Array(200_000), { deferMs: 3_600_000 });
    await receive(a, { max: 1 });
    await a.queue.deleteTopic("t");
    assertEquals((await allKeys(kv)).map(([, , kind]) => kind).includes("b"), true);
    await b.advance(REMOVAL_INTERVAL_MS + 100);

    assertEquals(await allKeys(kv), []);
  },
);

instancesTest(
  "What is left of a channel that is deleted or emptied goes, and other channels keep what is theirs",
  async (a, b, kv) => {
    await publish(a);
    await a.queue.createChannel(OTHER);
    await publish(a, "x");
    await receive(a);
    await a.queue.deleteChannel(PLACE);
    await b.advance(REMOVAL_INTERVAL_MS + 100);
    assertEquals((await allKeys(kv)).map(([, , kind]) => kind).filter((kind) => kind !== "n"), [
      "b",
      "i",
      "t",
    ]);
    assertEquals(textsOf(await receive(b, {}, OTHER)), ["x"]);

    await b.queue.emptyChannel(OTHER);
    await b.advance(200);
    assertEquals((await allKeys(kv)).map(([, , kind]) => kind).filter((kind) => kind !== "n"), ["t"]);
  },
);

for (const seed of [1, 2, 3]) {
  Deno.test(`Four instances that do as they like finish each message once (seed ${seed})`, () =>
    withKv(":memory:", async (kv) => {
      const random = new Random(seed);
      const instances = Array.from({ length: 4 }, () => kvQueue(kv));
      const bodies = Array.from({ length: 400 }, (_, i) => `${i}`);
      await publish(instances[0], ...bodies);
      const finished: string[] = [];

      const work = async (instance: TestKvQueue) => {
        for (let empty = 0; empty < 3;) {
          const messages = await receive(instance, { max: 1 + random.below(20) });
          if (messages.length === 0) empty++;
          const keep = messages.filter(() => random.below(10) < 7);
          const back = messages.filter((message) => !keep.includes(message));
          const other = instances[random.below(instances.length)];
          const done = await other.queue.finish(PLACE, keep.map(({ lease }) => lease));
          assertEquals(done.failed, []);
          finished.push(...textsOf(keep));
          if (back.length === 0) continue;
          empty = 0;
          const given = await other.queue.requeue(PLACE, back.map(({ lease }) => lease), { delayMs: 0 });
          assertEquals(given.failed, []);
        }
      };
      // What is given back at another instance is seen when it is looked for: they all look until there is nothing.
      while (finished.length < bodies.length) {
        await Promise.all(instances.map(work));
        for (const instance of instances) await instance.advance(60_000);
      }
      for (const instance of instances) await instance[Symbol.asyncDispose]();

      assertEquals(finished.map(Number).sort((x, y) => x - y), bodies.map(Number));
    }));
}
