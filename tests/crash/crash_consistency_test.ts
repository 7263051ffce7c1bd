import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FileSegments, topicFolder } from "../../src/storage/file_segments.ts";
import { bytes, TestConsumer } from "../support/broker_setup.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import type { SimulatedDisk } from "../support/simulated_disk.ts";
import { Died, FaultError, SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { CrashNode, newDisk } from "./power_loss_node.ts";
import { drive } from "./power_loss_recovery.ts";

// What the campaign of power_loss.ts has found, each as short as it can be told.

const SEGMENT = "/data/fsync.topic/00000000000001.seg";
const STATE = "/data/fsync.topic/state";
const SEEDS = 50;

Deno.test("FileSegments.writeState() leaves a topic alone that has the name of a deleted one", async () => {
  const { disk, files } = begin();
  const store = open(files);
  store.append(1, bytes("one"));
  const saving = store.writeState(bytes("old"));
  store.destroy();
  const next = open(files);
  next.append(2, bytes("two"));
  const savingNext = next.writeState(bytes("new"));

  await drive(files, "saving", Promise.all([saving, savingNext]));
  await drive(files, "saving", store.writeState(undefined));

  assertEquals(next.readState(), bytes("new"));
  assertEquals(disk.paths(), [SEGMENT.replace("1.seg", "2.seg"), STATE]);
});

Deno.test("FileSegments.writeState() without a state lets no removed segment come back", async () => {
  const { disk, files } = begin();
  const store = open(files);
  store.append(1, bytes("one"));
  await drive(files, "sync()", store.sync());

  store.remove(1);
  await drive(files, "writeState()", store.writeState(undefined));

  assertEquals(survivors(disk), [""]);
});

Deno.test("FileSegments.destroy() removes no state before its segments, wherever it ends", async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin(seed);
    const store = open(files);
    store.append(1, bytes("one"));
    await drive(files, "writeState()", store.writeState(bytes("state")));

    files.lastCall = files.calls + 1 + seed % 3;
    assertThrows(() => store.destroy(), Died);

    const left = disk.paths();
    assertEquals(left.includes(SEGMENT) && !left.includes(STATE), false);
  }
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

Deno.test("Topic removes a segment of which not even the header was written, and says nothing of an empty one", () => {
  for (
    const [image, warnings] of [["", 0], ["NSQSEG", 1], [
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
      1,
    ]] as const
  ) {
    const { disk, files } = begin();
    open(files).append(1, bytes(image));

    const node = start(files);
    node.broker.topic("fsync");

    assertEquals([node.errors, node.warnings.length, files.newNames.size], [[], warnings, 1]);
    assertEquals(disk.paths(), ["/data/nsqd.dat"]);
  }
});

Deno.test("Topic.saveState() gives messages to no channel that a crash makes unknown", async () => {
  const { disk, files } = begin();
  const { topic } = await withMessage(files);
  topic.channel("a");

  await drive(files, "saveState()", topic.saveState());

  const after = start(afterKill(disk)).broker.topics.get("fsync");
  assertEquals(after?.channels.get("a")?.depth, 1);
});

Deno.test("Topic.saveState() fails while what it gives messages to cannot be made known", async () => {
  const { disk, files } = begin();
  const { topic } = await withMessage(files);
  topic.channel("a");
  files.fault = (_call, path) => path.includes("nsqd.dat") ? "ENOSPC" : undefined;

  await assertRejects(() => drive(files, "saveState()", topic.saveState()), FaultError, "nsqd.dat");

  const after = start(afterKill(disk)).broker.topics.get("fsync");
  assertEquals([after?.channels.size, after?.depth], [0, 1]);
});

Deno.test("Topic.publish() refuses a message whose channel cannot be made known", async () => {
  const { files } = begin();
  const { topic } = await withMessage(files);
  const channel = topic.channel("a");
  files.fault = (_call, path) => path.includes("nsqd.dat") ? "ENOSPC" : undefined;

  assertThrows(() => topic.publish(bytes("refused")), FaultError, "nsqd.dat");
  files.fault = () => undefined;
  topic.publish(bytes("kept"));

  assertEquals([topic.messageCount, channel.depth], [2, 2]);
});

Deno.test("Topic.saveState() saves attempts that were made since it was saved last", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  const channel = topic.channel("a");
  new TestConsumer(channel);
  await drive(files, "saveState()", topic.saveState());
  node.broker.pump(0);

  await drive(files, "saveState()", topic.saveState());

  const after = start(afterKill(disk));
  const consumer = new TestConsumer(after.broker.topic("fsync").channel("a"));
  after.broker.pump(0);
  assertEquals(consumer.deliveries.map(({ attempts }) => attempts), [2]);
});

Deno.test("Topic.sync() waits for a sync that has begun", async () => {
  const { disk, files } = begin();
  const topic = start(files).broker.topic("disk");
  topic.publish(bytes("one"));
  const first = topic.sync();

  await drive(files, "sync()", topic.sync());

  await first;
  assertEquals(survivors(disk).filter((paths) => !paths.endsWith(".seg")), []);
});

Deno.test("Topic keeps what is known of a segment that cannot be read when it starts", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.publish(bytes("two"));
  const channel = topic.channel("a");
  const consumer = new TestConsumer(channel, { readyCount: 1 });
  node.broker.pump(0);
  channel.finish(consumer.consumer, consumer.deliveries[0].position, 0);
  await drive(files, "saveState()", topic.saveState());

  const sick = afterKill(disk);
  sick.fault = (call, path) => call.startsWith("read") && path.endsWith(".seg") ? "EIO" : undefined;
  const between = start(sick).broker.topic("fsync");
  between.publish(bytes("three"));
  await drive(sick, "maintain()", between.maintain());

  const well = afterKill(disk);
  const after = start(well);
  const last = new TestConsumer(after.broker.topic("fsync").channel("a"));
  for (let i = 0; i < 3; i++) {
    after.broker.pump(0);
    await drive(well, "reading", after.broker.topic("fsync").log.idle());
  }
  assertEquals(last.take(), ["two", "three"]);
});

Deno.test("Topic keeps a segment that can neither be read nor put aside, and delivers it when it can", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.channel("a");
  node.persistMetadata();
  await drive(files, "close()", node.close());

  const sick = afterKill(disk);
  sick.random = new FailsWholly(0);
  const isSegment = (path: string) => path.endsWith(".seg");
  sick.fault = (call, path) => isSegment(path) && (call === "read" || call === "rename") ? "EIO" : undefined;
  const after = start(sick);
  const again = after.broker.topic("fsync");
  const consumer = new TestConsumer(again.channel("a"));
  for (let i = 0; i < 10; i++) {
    await drive(sick, "maintain()", again.maintain());
    await drive(sick, "reading", again.log.idle());
  }
  assertEquals([again.channel("a").depth, disk.paths().filter(isSegment).length], [1, 1]);
  sick.fault = () => undefined;
  await drive(sick, "maintain()", again.maintain());
  await drive(sick, "reading", again.log.idle());
  after.broker.pump(0);

  assertEquals(consumer.take(), ["one"]);
});

Deno.test("Topic forgets with the next save what a channel had that is not there any more", async () => {
  const { disk, files } = begin();
  const { node, topic } = await withMessage(files);
  topic.channel("a");
  await drive(files, "saveState()", topic.saveState());
  topic.deleteChannel("a");
  node.persistMetadata();

  const second = afterKill(disk);
  const between = start(second);
  await drive(second, "saveState()", between.broker.topic("fsync").saveState());
  between.broker.topic("fsync").channel("a");
  between.persistMetadata();

  const after = start(afterKill(disk)).broker.topic("fsync");
  assertEquals(after.channel("a").depth, 0);
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

function start(files: SimulatedFileSystem): CrashNode {
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
  node.load();
  return node;
}

/** A topic without channels, with a message that was acknowledged. */
async function withMessage(files: SimulatedFileSystem) {
  const node = start(files);
  const topic = node.broker.topic("fsync");
  topic.publish(bytes("one"));
  await drive(files, "kept()", topic.kept() ?? Promise.resolve());
  return { node, topic };
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
