/**
 * When a topic syncs what it has written, and who waits for that.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Topic } from "../../src/broker/topic.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import {
  bytes,
  recoveredTopic,
  testBroker,
  TestConsumer,
  type TestTopic,
  testTopic,
} from "../support/broker_setup.ts";

for (const durability of ["memory", "disk"] as const) {
  Deno.test(`Topic.kept() is nothing to wait for with a durability of ${durability}`, () => {
    const { topic, publish, stores } = testTopic({ durability, limits: { memQueueSize: 0 } });

    publish("a");

    assertEquals([topic.kept(), stores.syncs], [undefined, 0]);
  });
}

Deno.test("Topic.kept() is nothing to wait for with an ephemeral topic", () => {
  const { topic, publish } = testTopic({ name: "t#ephemeral", durability: "fsync" });

  publish("a");

  assertEquals([topic.kept(), topic.durability], [undefined, "memory"]);
});

Deno.test("Topic.kept() settles when what was written is synced, and not earlier", async () => {
  const { topic, publish, stores } = testTopic({ durability: "fsync" });
  stores.holdSyncs();
  const notes: string[] = [];

  publish("a");
  note(notes, "a", topic.kept());
  await turn();
  assertEquals([notes, stores.syncs], [[], 1]);
  stores.releaseSyncs();
  await turn();

  assertEquals(notes, ["a kept"]);
});

Deno.test("Topic.kept() shares the next sync with all who ask while one runs", async () => {
  const { topic, publish, stores } = testTopic({ durability: "fsync" });
  stores.holdSyncs();
  const notes: string[] = [];
  for (let i = 0; i < 20; i++) {
    publish(`${i}`);
    note(notes, `${i}`, topic.kept());
  }
  await turn();
  assertEquals([notes, stores.syncs], [[], 1]);

  stores.releaseSyncs();
  stores.holdSyncs();
  await turn();
  // The first one's has ended, and the others' has begun.
  assertEquals([notes, stores.syncs], [["0 kept"], 2]);
  stores.releaseSyncs();
  await turn();

  assertEquals([notes.length, stores.syncs], [20, 2]);
});

Deno.test("Topic.kept() shares a sync with publishers who come back right after the one before", async () => {
  const test = testTopic({ durability: "fsync", othersFirst: () => new Promise(() => {}) });
  const { topic, publish, stores, clock } = test;
  const notes: string[] = [];
  const keep = (body: string) => {
    publish(body);
    note(notes, body, topic.kept());
  };
  stores.holdSyncs();
  keep("a");
  await turn();
  keep("b");
  clock.advance(10);
  stores.releaseSyncs();
  await turn();
  const waiting = [stores.syncs, [...notes]];

  keep("c");
  await turn();

  assertEquals(waiting, [1, ["a kept"]]);
  assertEquals([stores.syncs, notes], [2, ["a kept", "b kept", "c kept"]]);
});

Deno.test("Topic.kept() begins to sync after what was published before it was called", async () => {
  const { topic, publish, stores } = testTopic({ durability: "fsync" });
  const written: number[] = [];
  const store = stores.open("t");
  stores.syncFault = () => {
    written.push(store.list()[0].size);
    return false;
  };
  stores.holdSyncs();
  publish("a");
  const first = topic.kept();
  publish("b");
  const second = topic.kept();
  stores.releaseSyncs();

  await Promise.all([first, second]);

  // Header and batches; the second sync comes after both.
  assertEquals([written.length, written[1]], [2, 16 + 39 + 39]);
});

Deno.test("Broker.commit() says which topics' publishers must wait, and for what", async () => {
  const { broker, stores } = testTopic({ durability: "fsync" });
  const [good, bad, ephemeral] = ["good", "bad", "e#ephemeral"].map((name) => broker.topic(name));
  for (const topic of [good, bad, ephemeral]) append(topic, "a");
  let writes = 0;
  stores.fault = () => ++writes === 2 ? "fails" : undefined;

  const { failed, pending } = broker.commit();

  assertEquals([...failed.keys()].map(({ name }) => name), ["bad"]);
  assertEquals([...pending.keys()].map(({ name }) => name), ["good"]);
  await pending.get(good);
  const next = broker.commit();
  assertEquals([next.failed.size, next.pending.size], [0, 0]);
});

Deno.test("Broker.commit() syncs once what many have appended in a turn", async () => {
  const { broker, topic, stores } = testTopic({ durability: "fsync" });
  for (let i = 0; i < 100; i++) append(topic, `${i}`);

  const { pending } = broker.commit();
  await pending.get(topic);

  assertEquals(stores.syncs, 1);
});

Deno.test("Broker.commit() waits for nothing with a durability of disk", () => {
  const { broker, topic, stores } = testTopic({ durability: "disk" });
  append(topic, "a");

  const { failed, pending } = broker.commit();

  assertEquals([failed.size, pending.size, stores.syncs], [0, 0, 0]);
  assertEquals(stores.open("t").list().length, 1);
});

Deno.test("Topic delivers to consumers while a sync runs", () => {
  const test = testTopic({ durability: "fsync" });
  const consumer = new TestConsumer(test.topic.channel("c"));
  test.stores.holdSyncs();
  test.publish("a");
  test.topic.kept();

  test.publish("b");
  test.pump();

  assertEquals(consumer.take(), ["a", "b"]);
  test.stores.releaseSyncs();
});

Deno.test("Topic.kept() rejects when the sync fails, which is logged and told once", async () => {
  const test = testTopic({ durability: "fsync" });
  test.stores.syncFault = () => true;
  test.publish("a");

  await assertRejects(() => test.topic.kept() ?? Promise.resolve(), Error, "input/output error");

  assertEquals(test.lines, ["ERROR: TOPIC(t): failed to sync - input/output error"]);
  assertEquals(test.stored.map(String), ["Error: input/output error"]);
});

Deno.test("Topic.kept() rejects without anybody who listens, and nothing else happens", async () => {
  const test = testTopic({ durability: "fsync" });
  test.stores.syncFault = () => true;

  test.publish("a");
  test.topic.kept();
  await turn();

  assertEquals(test.errors.length, 1);
});

Deno.test("Topic adds nothing to a segment any more whose sync has failed", async () => {
  const test = testTopic({ durability: "fsync" });
  test.publish("a");
  await failingSync(test);

  test.publish("b");
  await test.topic.kept();

  assertEquals(test.topic.log.segments.map(({ count, sealed }) => [count, sealed]), [[1, true], [1, false]]);
  assertEquals(test.stored.map((error) => error && String(error)), ["Error: input/output error", undefined]);
});

Deno.test("Topic.kept() rejects for those, too, whose messages were written while a sync ran that fails", async () => {
  const test = testTopic({ durability: "fsync" });
  const notes: string[] = [];
  test.stores.holdSyncs();
  let syncs = 0;
  test.stores.syncFault = () => ++syncs === 1;
  test.publish("a");
  note(notes, "a", test.topic.kept());
  // It goes to the same segment, of which nobody knows any more what the disk has.
  test.publish("b");
  note(notes, "b", test.topic.kept());
  test.stores.releaseSyncs();
  await turn();
  assertEquals([notes, syncs], [["a input/output error", "b input/output error"], 1]);

  test.publish("c");
  note(notes, "c", test.topic.kept());
  await turn();

  assertEquals([notes.at(-1), syncs], ["c kept", 2]);
});

Deno.test("Topic delivers what it has refused because of a failed sync: more than once is allowed", async () => {
  const test = testTopic({ durability: "fsync" });
  const consumer = new TestConsumer(test.topic.channel("c"));
  test.publish("a");

  await failingSync(test);
  await test.settle();

  assertEquals(consumer.take(), ["a"]);
});

Deno.test("Topic.sync() syncs again after a failure, until that works", async () => {
  const test = testTopic({ durability: "disk" });
  test.publish("a");
  test.stores.syncFault = () => true;
  await assertRejects(() => test.topic.sync(), Error, "input/output error");
  await assertRejects(() => test.topic.sync(), Error, "input/output error");
  test.stores.syncFault = () => false;

  await test.topic.sync();
  await test.topic.sync();

  assertEquals(test.stores.syncs, 3);
});

Deno.test("Topic.sync() does nothing when nothing was written since", async () => {
  const test = testTopic({ durability: "memory", limits: { memQueueSize: 1 } });
  await test.topic.sync();
  test.publish("in memory");
  await test.topic.sync();
  assertEquals(test.stores.syncs, 0);

  test.publish("spilled");
  await test.topic.sync();
  await test.topic.sync();

  assertEquals(test.stores.syncs, 1);
});

Deno.test("Topic.sync() waits for a sync that runs already", async () => {
  const test = testTopic({ durability: "disk" });
  test.stores.holdSyncs();
  const notes: string[] = [];
  test.publish("a");
  note(notes, "first", test.topic.sync());
  await turn();

  note(notes, "second", test.topic.sync());
  await turn();
  assertEquals(notes, []);
  test.stores.releaseSyncs();
  await turn();

  assertEquals(notes, ["first kept", "second kept"]);
});

Deno.test("Topic syncs by itself after so many messages, counted over all publishes", async () => {
  const test = testTopic({ durability: "disk", syncEvery: 5 });

  test.publish("a", "b", "c", "d");
  assertEquals(test.stores.syncs, 0);
  test.publish("e");
  assertEquals(test.stores.syncs, 1);
  await turn();
  test.topic.publishBatch(blockOfTexts("f", "g", "h", "i"), 4);
  assertEquals(test.stores.syncs, 1);
  test.topic.publishBatch(blockOfTexts("j", "k"), 2);

  assertEquals(test.stores.syncs, 2);
  await test.topic.sync();
});

Deno.test("Topic does not sync by itself what others wait for anyway, or what is in memory", async () => {
  for (const durability of ["fsync", "memory"] as const) {
    const test = testTopic({ durability, syncEvery: 1 });

    test.publish("a", "b");
    await turn();

    assertEquals(test.stores.syncs, 0, durability);
  }
});

Deno.test("Topic logs that a sync has failed that nobody has asked for", async () => {
  const test = testTopic({ durability: "disk", syncEvery: 1 });
  test.stores.syncFault = () => true;

  test.publish("a");
  await turn();

  assertEquals(test.errors, ["ERROR: TOPIC(t): failed to sync - input/output error"]);
});

Deno.test("Topic.close() syncs everything, whatever the durability", async () => {
  for (const durability of ["memory", "disk", "fsync"] as const) {
    const test = testTopic({ durability });
    test.publish("a");

    await test.topic.close();

    assertEquals(test.stores.syncs, 1, durability);
  }
});

Deno.test("Topic.close() rejects when the last sync fails, and has saved everything all the same", async () => {
  const test = testTopic({ durability: "disk" });
  test.topic.channel("c");
  test.publish("a");
  test.stores.syncFault = () => true;

  await assertRejects(() => test.topic.close(), Error, "input/output error");

  const after = recoveredTopic(test, "c");
  after.topic.start();
  assertEquals(after.topic.channel("c").depth, 1);
});

for (const durability of ["disk", "fsync"] as const) {
  Deno.test(`Topic acknowledges messages in ${durability} when what they belong to is kept, too`, async () => {
    const keeping = Promise.withResolvers<void>();
    const test = testTopic({ durability, keeping: () => keeping.promise });
    const notes: string[] = [];

    test.publish("a");
    note(notes, "a", test.topic.kept());
    await turn();
    assertEquals(notes, []);
    keeping.resolve();
    await turn();

    assertEquals(notes, ["a kept"]);
  });

  Deno.test(`Topic refuses messages in ${durability} when what they belong to cannot be kept`, async () => {
    const test = testTopic({ durability, keeping: () => Promise.reject(new Error("disk full")) });
    const notes: string[] = [];

    test.publish("a");
    note(notes, "a", test.topic.kept());
    await turn();

    assertEquals(notes, ["a disk full"]);
  });

  Deno.test(`Topic writes no message in ${durability} while what it belongs to cannot be kept`, () => {
    let failure: unknown = new Error("disk full");
    const test = testTopic({ durability, keepingFailure: () => failure });

    assertThrows(() => test.publish("a"), Error, "disk full");
    assertEquals([test.topic.depth, test.stores.open("t").list()], [0, []]);
    failure = undefined;
    test.publish("b");

    assertEquals([test.topic.depth, test.stores.open("t").list().length], [1, 1]);
  });
}

Deno.test("Topic that keeps messages in memory only does not ask for what they belong to", () => {
  let asked = 0;
  const ask = () => void asked++;
  const test = testTopic({ durability: "memory", keeping: ask, keepingFailure: ask });

  test.publish("a");

  assertEquals([test.topic.kept(), asked], [undefined, 0]);
});

Deno.test("Topic.saveState() waits until the channels that it speaks of are known", async () => {
  const keeping = Promise.withResolvers<void>();
  const test = testTopic({ durability: "disk", keeping: () => keeping.promise });
  test.publish("a");

  const saved = test.topic.saveState();
  await turn();
  assertEquals(test.stores.open("t").readState(), undefined);
  keeping.resolve();
  await saved;

  assertEquals(test.stores.open("t").readState() === undefined, false);
});

Deno.test("Topic.saveState() saves once more for all who ask while it saves", async () => {
  const test = testTopic({ durability: "disk" });
  test.publish("a");
  test.stores.holdSyncs();
  let saved = 0;
  test.stores.onState = () => {
    saved++;
    return () => {};
  };

  const first = test.topic.saveState();
  await turn();
  test.topic.channel("b");
  const others = [test.topic.saveState(), test.topic.saveState()];
  assertEquals(saved, 1);
  test.stores.releaseSyncs();
  await Promise.all([first, ...others]);

  assertEquals(saved, 2);
  const after = recoveredTopic(test);
  after.topic.restoreChannels();
  assertEquals([...after.topic.channels.keys()], ["b"]);
});

Deno.test("Topic.saveState() does nothing when nothing has changed", async () => {
  const test = testTopic({ durability: "disk" });
  test.publish("a");
  let saved = 0;
  test.stores.onState = () => {
    saved++;
    return () => {};
  };

  await test.topic.saveState();
  await test.topic.saveState();
  assertEquals(saved, 1);
  test.publish("b");
  await test.topic.saveState();

  assertEquals(saved, 2);
});

Deno.test("Broker.deleteTopic() while its messages are synced lets those go who wait", async () => {
  const test = testBroker({ durability: "fsync" });
  const topic = test.broker.topic("t");
  const notes: string[] = [];
  test.stores.holdSyncs();
  topic.publish(bytes("a"));
  note(notes, "a", topic.kept());

  test.broker.deleteTopic("t");
  test.stores.releaseSyncs();
  await turn();

  assertEquals([notes, test.errors], [["a kept"], []]);
});

/** Writes down how the promise settles. */
function note(notes: string[], name: string, kept: Promise<void> | undefined): void {
  kept?.then(() => notes.push(`${name} kept`), (error) => notes.push(`${name} ${error.message}`));
}

async function failingSync({ stores, topic }: TestTopic): Promise<void> {
  const { syncFault } = stores;
  stores.syncFault = () => true;
  await assertRejects(() => topic.kept() ?? Promise.resolve());
  stores.syncFault = syncFault;
}

function append(topic: Topic, body: string): void {
  const block = blockOfTexts(body);
  topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
}

/** Lets everything happen that waits for nothing but its turn. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
