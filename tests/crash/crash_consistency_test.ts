import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FileSegments } from "../../src/storage/file_segments.ts";
import { FileStores, topicFolder } from "../../src/storage/file_stores.ts";
import { bytes, TestConsumer } from "../support/broker_setup.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import { pieces } from "../support/pieces.ts";
import { type SimulatedDisk, SimulatedFile } from "../support/simulated_disk.ts";
import { Died, FaultError, SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { CrashNode, newDisk } from "./power_loss_node.ts";
import { drive, microtasks } from "./power_loss_recovery.ts";

// What the campaign of power_loss.ts has found, each as short as it can be told.

const SEGMENT = "/data/fsync.topic/00000000000001.seg";
const STATE = "/data/fsync.topic/state";
const SEEDS = 50;
/** Longer than any test. */
const LONG_MS = 10_000_000;

Deno.test("FileSegments.writeState() leaves a topic alone that has the name of a deleted one", async () => {
  const { disk, files } = begin();
  const store = open(files);
  store.append(1, bytes("one"));
  const saving = store.writeState(pieces("old"));
  const destroyed = store.destroy();
  const next = open(files);
  next.append(2, bytes("two"));
  const savingNext = next.writeState(pieces("new"));

  await drive(files, "saving", Promise.all([saving, destroyed, savingNext]));
  await drive(files, "saving", store.writeState(undefined));

  assertEquals(next.readState(), bytes("new"));
  assertEquals(disk.paths(), [SEGMENT.replace("1.seg", "2.seg"), STATE]);
});

Deno.test("FileSegments.writeState() without a state lets no removed segment come back", async () => {
  const { disk, files } = begin();
  const store = open(files);
  store.append(1, bytes("one"));
  await drive(files, "sync()", store.sync());

  await drive(files, "remove()", store.remove(1));
  await drive(files, "writeState()", store.writeState(undefined));

  assertEquals(survivors(disk), [""]);
});

Deno.test("FileSegments.destroy() leaves the topic with all it had or without anything, wherever it ends", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 4 * SEEDS; seed++) {
    const { disk, files } = begin(seed, { byFolder: seed % 2 === 0 });
    const store = open(files);
    for (const base of [1, 2]) store.append(base, bytes("one"));
    await drive(files, "writeState()", store.writeState(pieces("state")));
    await drive(files, "sync()", store.sync());

    files.lastCall = files.calls + 1 + seed % 7;
    await assertRejects(() => drive(files, "destroy()", store.destroy()), Died);

    const left = disk.survivor(new MixedRandom(seed), { gaps: false });
    for (const after of [disk, left]) {
      seen.add(
        after.paths().filter((path) => path.startsWith("/data/fsync.topic/")).length + " of its files",
      );
      // What is left is removed by the next program.
      const next = new SimulatedFileSystem(after, { random: new MixedRandom(0) });
      await drive(next, "removeDeleted()", new FileStores("/data", next).removeDeleted());
      assertEquals(after.paths().filter((path) => path.includes("deleted")), []);
    }
  }

  assertEquals([...seen].sort(), ["0 of its files", "3 of its files"]);
});

Deno.test("FileSegments.list() has a segment of which the end cannot be read", () => {
  const { files } = begin();
  open(files).append(1, bytes("one"));

  files.fault = (call) => call === "readEnd" ? "EIO" : undefined;

  assertEquals(open(files).list().map(({ base, closing }) => [base, closing]), [[1, undefined]]);
});

Deno.test("FileSegments.sync() syncs a folder that is there though making it has failed", async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin(seed, { byFolder: true });
    const store = open(files);
    files.fault = (call) => call === "makeFolder" ? "EIO" : undefined;
    assertThrows(() => store.append(1, bytes("one")), FaultError);
    files.fault = () => undefined;

    store.append(1, bytes("one"));
    await drive(files, "sync()", store.sync());

    assertEquals(survivors(disk), [SEGMENT]);
  }
});

Deno.test("Topic removes a segment of which not even the header was written, and says nothing of an empty one", async () => {
  for (
    const [image, warnings] of [["", 0], ["NSQSEG", 1], [
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
      1,
    ]] as const
  ) {
    const { disk, files } = begin();
    open(files).append(1, bytes(image));

    const { node } = await start(files);
    await drive(files, "idle()", node.broker.idle());

    assertEquals([node.errors, node.warnings.length], [[], warnings]);
    assertEquals(disk.paths(), ["/data/nsqd.dat"]);
  }
});

Deno.test("Topic.saveState() gives messages to no channel that a crash makes unknown", async () => {
  const { disk, files } = begin();
  const { topic } = await withMessage(files);
  topic.channel("a");

  await drive(files, "saveState()", topic.saveState());

  const after = (await start(afterKill(disk))).node.broker.topics.get("fsync");
  assertEquals(after?.channels.get("a")?.depth, 1);
});

Deno.test("Topic.saveState() gives messages to no channel that is made while it waits for others to be known", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  node.broker.topic("other");
  const saved = topic.saveState();
  await microtasks();

  topic.channel("a");
  await drive(files, "saveState()", saved);

  const after = (await start(afterKill(disk))).node.broker.topics.get("fsync");
  assertEquals(after?.channels.get("a")?.depth, 1);
});

Deno.test("Topic.saveState() fails while what it gives messages to cannot be made known", async () => {
  const { disk, files } = begin();
  const { topic } = await withMessage(files);
  topic.channel("a");
  files.fault = (_call, path) => path.includes("nsqd.dat") ? "ENOSPC" : undefined;

  await assertRejects(() => drive(files, "saveState()", topic.saveState()), FaultError, "nsqd.dat");

  const after = (await start(afterKill(disk))).node.broker.topics.get("fsync");
  assertEquals([after?.channels.size, after?.depth], [0, 1]);
});

Deno.test("Topic.kept() rejects for a message whose channel cannot be made known, and the next is refused", async () => {
  const { files } = begin();
  const { topic } = await withMessage(files);
  const channel = topic.channel("a");
  files.fault = (_call, path) => path.includes("nsqd.dat") ? "ENOSPC" : undefined;

  topic.publish(bytes("not acknowledged"));
  await assertRejects(
    () => drive(files, "kept()", topic.kept() ?? Promise.resolve()),
    FaultError,
    "nsqd.dat",
  );
  assertThrows(() => topic.publish(bytes("refused")), FaultError, "nsqd.dat");
  // It has been tried for the one that was refused.
  await microtasks();
  files.fault = () => undefined;
  await drive(files, "retry()", topic.kept() ?? Promise.resolve());
  topic.publish(bytes("kept"));

  assertEquals([topic.messageCount, channel.depth], [3, 3]);
});

Deno.test("Topic.saveState() saves attempts that were made since it was saved last", async () => {
  const { disk, files } = begin();
  const before = await withMessage(files);
  const { topic } = before;
  const channel = topic.channel("a");
  new TestConsumer(channel);
  await drive(files, "saveState()", topic.saveState());
  await deliver(before);

  await drive(files, "saveState()", topic.saveState());

  const after = await start(afterKill(disk));
  const consumer = new TestConsumer(after.node.broker.topic("fsync").channel("a"));
  await deliver(after);
  assertEquals(consumer.deliveries.map(({ attempts }) => attempts), [2]);
});

Deno.test("Topic.sync() waits for a sync that has begun", async () => {
  const { disk, files } = begin();
  const topic = (await start(files)).node.broker.topic("disk");
  topic.publish(bytes("one"));
  const first = topic.sync();

  await drive(files, "sync()", topic.sync());

  await first;
  assertEquals(survivors(disk).filter((paths) => !paths.endsWith(".seg")), []);
});

Deno.test("Topic syncs what a killed program has written and not synced", async () => {
  const { disk, files } = begin();
  const { topic } = await withMessage(files);
  topic.publish(bytes("two"));
  // Closes the segment.
  topic.log.seal();

  const second = afterKill(disk);
  const { node } = await start(second);
  await drive(second, "flush()", node.broker.topic("fsync").flush());

  for (let seed = 0; seed < SEEDS; seed++) {
    const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: true }), {
      random: new MixedRandom(seed),
    });
    const after = await start(left);
    assertEquals([after.node.errors, after.node.warnings, after.node.broker.topic("fsync").depth], [
      [],
      [],
      2,
    ]);
  }
});

Deno.test("Topic says of no segment that it was closed before that is synced", async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin(seed);
    const { topic } = await withMessage(files);
    topic.publish(bytes("two"));
    // Closes the segment.
    topic.log.seal();
    await drive(files, "saveState()", topic.saveState());

    const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: false }), {
      random: new MixedRandom(seed),
    });
    const { node } = await start(left);

    // What was not acknowledged is no loss, and what is left of it an interrupted write.
    assertEquals(node.errors, []);
  }
});

for (const failing of ["open", "readEnd"]) {
  Deno.test(`Topic says of no segment that it was closed before that is synced, though "${failing}" had failed at first`, async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { disk, files } = begin(seed);
      const { topic } = await withMessage(files);
      topic.publish(bytes("two"));
      // Closes the segment, which is not synced before the program is killed.
      topic.log.seal();
      const second = afterKill(disk);
      second.fault = (call, path) => call === failing && path.endsWith(".seg") ? "EIO" : undefined;
      const again = (await start(second)).node.broker.topic("fsync");
      second.fault = () => undefined;
      await drive(second, "flush()", again.flush());

      const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: false }), {
        random: new MixedRandom(seed),
      });
      const { node } = await start(left);

      assertEquals([node.errors, node.warnings, node.broker.topic("fsync").depth], [[], [], 2]);
    }
  });
}

Deno.test("Topic loses nothing of a segment whose end is missing when the power fails once more", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.publish(bytes("lost"));
  await drive(files, "stop()", node.stop());
  const [segment] = disk.paths().filter((path) => path.endsWith(".seg"));
  const cut = disk.find(segment);
  if (!(cut instanceof SimulatedFile)) throw new Error("No segment");
  cut.truncate(16 + 34 + 4 + 3 + 10);
  cut.sync().end();

  const first = await start(afterKill(disk));
  const told = [...first.node.errors];
  const bodies = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: true }), {
      random: new MixedRandom(seed),
    });
    const after = await start(left);
    const consumer = new TestConsumer(after.node.broker.topic("fsync").channel("a"));
    await deliver(after);
    bodies.add(consumer.take().join());
  }

  assertEquals(told.map((line) => line.replace(/segment \d+/, "segment 1")), [
    "TOPIC(fsync): segment 1 has lost its end, with 1 message",
  ]);
  assertEquals([...bodies], ["one"]);
});

Deno.test("Topic keeps what is known of a segment that cannot be read when it starts", async () => {
  const { disk, files } = begin();
  const before = await withMessage(files);
  const { topic } = before;
  topic.publish(bytes("two"));
  const channel = topic.channel("a");
  const consumer = new TestConsumer(channel, { readyCount: 1 });
  await deliver(before);
  channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);
  await drive(files, "saveState()", topic.saveState());

  const sick = afterKill(disk);
  sick.fault = (call, path) => call.startsWith("read") && path.endsWith(".seg") ? "EIO" : undefined;
  const between = (await start(sick)).node.broker.topic("fsync");
  between.publish(bytes("three"));
  await drive(sick, "maintain()", between.maintain());

  const after = await start(afterKill(disk));
  const last = new TestConsumer(after.node.broker.topic("fsync").channel("a"));
  await deliver(after);
  assertEquals(last.take(), ["two", "three"]);
});

Deno.test("Topic keeps a segment that can neither be read nor put aside, and delivers it when it can", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.channel("a");
  await drive(files, "stop()", node.stop());

  const sick = afterKill(disk);
  sick.random = new FailsWholly(0);
  const isSegment = (path: string) => path.endsWith(".seg");
  sick.fault = (call, path) => isSegment(path) && (call === "read" || call === "rename") ? "EIO" : undefined;
  const after = await start(sick);
  const again = after.node.broker.topic("fsync");
  const consumer = new TestConsumer(again.channel("a"));
  for (let i = 0; i < 10; i++) {
    await deliver(after);
    await drive(sick, "maintain()", again.maintain());
  }
  assertEquals([again.channel("a").depth, disk.paths().filter(isSegment).length], [1, 1]);
  sick.fault = () => undefined;
  await drive(sick, "maintain()", again.maintain());
  await deliver(after);

  assertEquals(consumer.take(), ["one"]);
});

Deno.test("Topic forgets with the next save what a channel had that is not there any more", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.channel("a");
  await drive(files, "saveState()", topic.saveState());
  topic.deleteChannel("a");
  await drive(files, "persist()", node.metadata.persist());

  const second = afterKill(disk);
  const between = (await start(second)).node;
  await drive(second, "saveState()", between.broker.topic("fsync").saveState());
  between.broker.topic("fsync").channel("a");
  await drive(second, "persist()", between.metadata.persist());

  const after = (await start(afterKill(disk))).node.broker.topic("fsync");
  assertEquals(after.channel("a").depth, 0);
});

Deno.test("Channel delivers deferred messages once though the clock was set back between two of them", async () => {
  const { disk, files } = begin();
  const { node, clock } = await start(files);
  const topic = node.broker.topic("fsync");
  topic.channel("a");
  topic.publish(bytes("soon"), { deferMs: 1000 });
  clock.step(-100_000);
  node.broker.wallClockStepped(-100_000);
  topic.publish(bytes("late"), { deferMs: 200_000 });
  await drive(files, "stop()", node.stop());

  const after = await start(afterKill(disk));
  const channel = after.node.broker.topic("fsync").channel("a");
  const counts = [channel.depth, channel.deferredCount];
  const consumer = new TestConsumer(channel, { msgTimeoutMs: LONG_MS });
  for (let i = 0; i < 10; i++) {
    after.clock.advance(100_000);
    after.node.broker.scan(after.clock.monotonicMs());
    await deliver(after);
  }

  assertEquals([counts, consumer.take()], [[0, 2], ["soon", "late"]]);
});

Deno.test("Channel counts no deferred messages that the state knows of, and that a loss of power has taken", async () => {
  const counts = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin(seed);
    const { node } = await start(files);
    const topic = node.broker.topic("disk");
    topic.channel("a");
    topic.publish(bytes("one"), { deferMs: 100_000 });
    await drive(files, "flush()", topic.flush());
    topic.publish(bytes("two"), { deferMs: 200_000 });
    await drive(files, "saveState()", topic.saveState());

    const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: false }), {
      random: new MixedRandom(seed),
    });
    const after = await start(left);
    const channel = after.node.broker.topic("disk").channel("a");
    const consumer = new TestConsumer(channel, { msgTimeoutMs: LONG_MS });
    const counted = channel.deferredCount;
    for (let i = 0; i < 4; i++) {
      after.clock.advance(100_000);
      after.node.broker.scan(after.clock.monotonicMs());
      await deliver(after);
    }
    counts.add(`${counted} ${consumer.take()}`);
  }

  assertEquals([...counts].sort(), ["1 one", "2 one,two"]);
});

Deno.test("Topic saves a state of one moment, whatever comes while it is written", async () => {
  const { disk, files } = begin();
  const { node } = await start(files);
  const topic = node.broker.topic("disk");
  const channel = topic.channel("a");
  await drive(files, "flush()", topic.flush());
  const publish = (count: number, deferMs: number) => {
    for (let i = 0; i < count; i++) topic.publish(bytes("one"), { deferMs });
  };
  // A state of several pieces, and a page of a segment that more comes into.
  publish(8000, 30_000);
  topic.log.seal();
  publish(10, 30_000);
  publish(10, 300_000);
  // Nothing else is under way.
  await drive(files, "kept()", topic.kept() ?? Promise.resolve());
  await drive(files, "sync()", topic.sync());
  const saved = topic.saveState();
  await microtasks();
  const isWaiting = files.running === 1;
  publish(10, 30_000);
  publish(10, 300_000);
  publish(10, 0);
  await drive(files, "saveState()", saved);
  const before = [channel.depth, channel.deferredCount];

  const after = await start(afterKill(disk));
  const again = after.node.broker.topic("disk").channel("a");
  const counts = [again.depth, again.deferredCount];
  const consumer = new TestConsumer(again, { msgTimeoutMs: LONG_MS, readyCount: 100_000 });
  for (let i = 0; i < 10; i++) {
    after.clock.advance(50_000);
    after.node.broker.scan(after.clock.monotonicMs());
    await deliver(after);
  }
  // Only some are read at a time.
  for (let seen = -1; seen < consumer.deliveries.length;) {
    seen = consumer.deliveries.length;
    await deliver(after);
  }

  assertEquals([isWaiting, before], [true, [10, 8040]]);
  assertEquals(counts, before);
  const positions = consumer.deliveries.map(({ position }) => position);
  assertEquals([positions.length, new Set(positions).size], [8050, 8050]);
  assertEquals([again.depth, again.deferredCount, after.node.broker.outstanding.size], [0, 0, 8050]);
});

/** A disk, and what the first program sees of it. */
function begin(
  seed = 0,
  { byFolder } = { byFolder: false },
): { disk: SimulatedDisk; files: SimulatedFileSystem } {
  const disk = newDisk({ byFolder });
  return { disk, files: new SimulatedFileSystem(disk, { random: new MixedRandom(seed) }) };
}

/** What the next program sees of it. */
function afterKill(disk: SimulatedDisk): SimulatedFileSystem {
  return new SimulatedFileSystem(disk, { random: new MixedRandom(0) });
}

/** Of a call that fails nothing was done. */
class FailsWholly extends MixedRandom {
  override oneIn(): boolean {
    return false;
  }
}

/** The store of the topic `fsync`. */
function open(files: SimulatedFileSystem): FileSegments {
  return new FileSegments({ dataPath: "/data", name: topicFolder("fsync"), files });
}

/** A program that has loaded what is there. */
interface Started {
  readonly node: CrashNode;
  readonly files: SimulatedFileSystem;
  readonly clock: FakeClock;
}

async function start(files: SimulatedFileSystem): Promise<Started> {
  const limits = {
    memQueueSize: 100,
    maxBytesPerFile: 1_000_000,
    maxChannelConsumers: 0,
    maxMsgTimeoutMs: 60_000,
    ephemeralDepthMax: 100,
  };
  const clock = new FakeClock();
  clock.advance(1000 * files.calls);
  const node = new CrashNode({ files, clock, limits, syncEvery: 2500 });
  await drive(files, "load()", node.load());
  return { node, files, clock };
}

/** Delivers what can be delivered, also what must be read first. */
async function deliver({ node, files, clock }: Started): Promise<void> {
  for (let i = 0; i < 6; i++) {
    node.broker.pump(clock.monotonicMs());
    await drive(files, "idle()", node.broker.idle());
  }
}

/** A topic without channels, with a message that was acknowledged. */
async function withMessage(files: SimulatedFileSystem) {
  const started = await start(files);
  const topic = started.node.broker.topic("fsync");
  topic.publish(bytes("one"));
  await drive(files, "kept()", topic.kept() ?? Promise.resolve());
  return { ...started, topic };
}

/** The files that may be there after a loss of power, but for the metadata: each possibility once. */
function survivors(disk: SimulatedDisk): string[] {
  const all = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const left = disk.survivor(new MixedRandom(seed), { gaps: false }).paths();
    all.add(left.filter((path) => !path.includes("nsqd.dat")).join(" "));
  }
  return [...all].sort();
}
