import { assertEquals } from "@std/assert";
import type { Health } from "../../src/nsqd/health.ts";
import { Flush } from "../../src/nsqd/flush.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import { testBroker, TestConsumer } from "../support/broker_setup.ts";
import { settle } from "../support/settle.ts";

/** Ten of these are a segment that is large enough to be compacted. */
const BODY = "x".repeat(9000);

Deno.test("Flush.syncTopics() syncs many topics at a time, and all of them", async () => {
  const { flush, broker, stores } = setup();
  for (let i = 0; i < 40; i++) broker.topic(`t${i}`).publish(new Uint8Array(1));
  broker.commit();
  stores.holdSyncs();

  const synced = flush.syncTopics();
  await settle();
  assertEquals(stores.syncs, 16);
  stores.releaseSyncs();
  await synced;

  assertEquals(stores.syncs, 40);
});

Deno.test("Flush.syncTopics() waits for no topic that is being compacted, not even for that topic", async () => {
  const { flush, broker, stores, thinned } = setup();
  const topic = await thinned("t");
  await flush.compactTopics();
  const before = stores.syncs;
  stores.holdReads();

  const compacted = flush.compactTopics();
  await settle();
  broker.topic("t").publish(new Uint8Array(1));
  broker.topic("other").publish(new Uint8Array(1));
  broker.commit();
  await flush.syncTopics();
  assertEquals([stores.syncs - before, holesOf(topic)], [2, 0]);
  stores.releaseReads();
  await compacted;

  assertEquals(holesOf(topic), 9);
});

Deno.test("Flush.compactTopics() ends after a while, and goes on with the topics that have waited", async () => {
  const { flush, clock, stores, thinned } = setup();
  const topics = [await thinned("a"), await thinned("b"), await thinned("c")];
  await flush.compactTopics();
  stores.replaceFault = () => {
    clock.advance(300);
    return false;
  };
  const rewritten: number[][] = [];

  for (let i = 0; i < 2; i++) {
    await flush.compactTopics();
    rewritten.push(topics.map(holesOf));
  }

  assertEquals(rewritten, [[9, 9, 0], [9, 9, 9]]);
});

Deno.test("Flush.closeTopics() saves the other topics when one cannot be, and says so", async () => {
  const { flush, broker, stores, lines } = setup({ durability: "memory" });
  for (const name of ["a", "b", "c"]) {
    broker.topic(name).channel("c");
    broker.topic(name).publish(new Uint8Array(1));
  }
  broker.commit();
  let writes = 0;
  stores.fault = () => ++writes === 2 ? "fails" : undefined;

  assertEquals(await flush.closeTopics(), false);

  assertEquals([stores.used(["a", "b", "c"]), lines], [["a", "c"], [
    "ERROR: TOPIC(b): failed to save messages - disk full",
  ]]);
});

Deno.test("Flush.closeTopics() waits for what is being synced, and ends what is being compacted", async () => {
  const { flush, broker, stores, thinned } = setup();
  const [first, second] = [await thinned("a"), await thinned("b")];
  await flush.compactTopics();
  broker.topic("a").publish(new Uint8Array(1));
  broker.commit();
  stores.holdReads();
  stores.holdSyncs();
  const ends: string[] = [];

  const compacted = flush.compactTopics().then(() => ends.push("compacted"));
  const synced = flush.syncTopics().then(() => ends.push("synced"));
  await settle();
  const closed = flush.closeTopics().then((isSaved) => ends.push(`closed: ${isSaved}`));
  await settle();
  assertEquals(ends, []);
  stores.releaseSyncs();
  stores.releaseReads();
  await Promise.all([compacted, synced, closed]);

  assertEquals(ends.at(-1), "closed: true");
  assertEquals([holesOf(first), holesOf(second)], [9, 0]);
});

Deno.test("Flush says once that a topic cannot be saved, and once more when that is for another reason", async () => {
  const { flush, broker, stores, lines, healthNotes } = setup();
  broker.topic("t").publish(new Uint8Array(1));
  broker.commit();
  let reason = "disk full";
  stores.syncFault = () => {
    throw new Error(reason);
  };

  for (const next of ["disk full", "disk full", "gone"]) {
    reason = next;
    await flush.syncTopics();
  }

  assertEquals(lines, [
    "ERROR: TOPIC(t): failed to save - disk full",
    "ERROR: TOPIC(t): failed to save - gone",
  ]);
  assertEquals(healthNotes, ["disk full", "disk full", "gone"]);
});

/** A flush of a broker whose stores can be made to wait and to fail. */
function setup({ durability = "disk" }: { durability?: "memory" | "disk" } = {}) {
  const test = testBroker({ durability });
  const { broker, clock } = test;
  const lines: string[] = [];
  const healthNotes: string[] = [];
  const health: Pick<Health, "stored" | "storeFails" | "probe"> = {
    stored: (error) => healthNotes.push((error as Error).message),
    storeFails: false,
    probe: () => Promise.resolve(),
  };
  const flush = new Flush({
    logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write: (line) => lines.push(line.slice(27)) }),
    clock,
    broker,
    turn: { run: () => broker.commit() },
    metadata: { retry: () => Promise.resolve(), keepingFailure: undefined },
    health,
    dataPath: { use: () => Promise.resolve() },
    stores: { removeDeleted: () => Promise.resolve() },
  });
  /** A topic with a segment on disk of which one message in ten is left. */
  const thinned = async (name: string) => {
    const topic = broker.topic(name);
    const { channel, consumer, deliveries } = new TestConsumer(topic.channel("c"), { readyCount: 100 });
    topic.publishBatch(blockOfTexts(...Array(10).fill(BODY)), 10);
    topic.log.seal();
    topic.publish(new Uint8Array(1));
    for (let i = 0; i < 3; i++) {
      broker.pump(clock.monotonicMs());
      await broker.idle();
    }
    for (const [i, { position }] of deliveries.entries()) {
      if (i !== 4) channel.finish(consumer, position, 0);
      else channel.requeue(consumer, position, { delayMs: 3_600_000, nowMs: clock.monotonicMs() });
    }
    channel.pause();
    await broker.idle();
    assertEquals([topic.log.segments[0].resident, topic.isThinned], [false, true]);
    return topic;
  };
  return { ...test, flush, lines, healthNotes, thinned };
}

function holesOf(
  topic: { readonly log: { readonly segments: readonly { readonly holes: number }[] } },
): number {
  return topic.log.segments[0].holes;
}
