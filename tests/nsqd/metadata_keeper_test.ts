/**
 * When `nsqd.dat` is written, on a disk whose syncs end when the test says so, and fail when it says so.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { AsyncGroup } from "../../src/base/async_group.ts";
import { MetadataFile } from "../../src/nsqd/metadata.ts";
import { MetadataKeeper } from "../../src/nsqd/metadata_keeper.ts";
import { FakeTimers } from "../support/fake_timers.ts";
import { NsqdInMemory } from "../support/nsqd_in_memory.ts";
import { DATA_PATH, drive, namesIn, simulatedFiles, textOf } from "../support/simulated_data_path.ts";
import { FaultError, type SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { settle } from "../support/settle.ts";

const DELAY_MS = 20;
const EIO = "Input/output error (os error 5)";

interface KeeperTest {
  readonly keeper: MetadataKeeper;
  readonly files: SimulatedFileSystem;
  readonly timers: FakeTimers;
  readonly tasks: AsyncGroup;
  /** The log's lines, without those that say that the file is being written. */
  readonly errors: () => string[];
  /** How often the file was written, or tried to be. */
  readonly writes: () => number;
  /** What was found out about the disk. */
  readonly stored: unknown[];
  /** Makes a topic, and says so. */
  readonly make: (topic: string) => void;
  /** Pauses a topic, and says nothing. */
  readonly pause: (topic: string) => void;
  /** The topics in the file; those that are paused with a star. */
  readonly inFile: () => string[];
  /** Ends the syncs that run, and those that begin because of that. */
  readonly endSyncs: () => Promise<void>;
}

/** A test with a keeper that has written what there was at the start, which is nothing. */
function keeperTest(name: string, test: (context: KeeperTest) => Promise<void>): void {
  Deno.test(name, async () => {
    const nsqd = new NsqdInMemory();
    const files = simulatedFiles();
    const timers = new FakeTimers();
    const tasks = new AsyncGroup();
    const stored: unknown[] = [];
    const file = new MetadataFile(DATA_PATH, nsqd.logger, files);
    const health = { stored: (error: unknown) => void stored.push(error) };
    const keeper = new MetadataKeeper({
      logger: nsqd.logger,
      timers,
      file,
      broker: nsqd.broker,
      health,
      tasks,
    });
    let writes = 0;
    await drive(files, keeper.follow());
    files.fault = (call) => {
      if (call === "write") writes++;
      return undefined;
    };
    nsqd.lines.splice(0);
    try {
      await test({
        keeper,
        files,
        timers,
        tasks,
        stored,
        errors: () => nsqd.lines.filter((line) => line.startsWith("ERROR")),
        writes: () => writes,
        make(topic) {
          nsqd.broker.topic(topic);
          keeper.changed();
        },
        pause: (topic) => nsqd.broker.topic(topic).pause(),
        inFile() {
          const { topics } = JSON.parse(textOf(files, "nsqd.dat"));
          return (topics ?? []).map((topic: { name: string; paused: boolean }) =>
            topic.name + (topic.paused ? "*" : "")
          );
        },
        async endSyncs() {
          for (await settle(); files.running > 0; await settle()) files.endOne();
        },
      });
    } finally {
      files.fault = () => undefined;
      await drive(files, tasks.stop());
    }
    assertEquals(namesIn(files), ["nsqd.dat"]);
    assertEquals(timers.sleeping, []);
  });
}

/** Lets every sync fail from now on. */
function breakDisk(files: SimulatedFileSystem): void {
  files.fault = (call) => call.startsWith("sync") ? "EIO" : undefined;
}

// After a change

keeperTest(
  "MetadataKeeper.changed() begins to write 20 ms later, once for all that has changed",
  async (test) => {
    test.make("a");
    test.make("b");
    test.timers.advance(DELAY_MS - 1);
    await settle();
    const early = test.writes();
    test.make("c");
    test.timers.advance(1);
    await test.endSyncs();

    assertEquals([early, test.writes(), test.inFile()], [0, 1, ["a", "b", "c"]]);
    assertEquals(test.keeper.keeping(), undefined);
  },
);

keeperTest(
  "MetadataKeeper lets others go on while the disk syncs, and the old file stand until it has",
  async (test) => {
    test.make("a");
    test.timers.advance(DELAY_MS);
    await settle();

    // The bytes are being synced, under another name.
    assertEquals([test.files.running, test.inFile()], [1, []]);
    test.files.endOne();
    await settle();
    // They have the name, and that is being synced.
    assertEquals([test.files.running, test.inFile()], [1, ["a"]]);
    await test.endSyncs();
    assertEquals(test.files.running, 0);
  },
);

keeperTest(
  "MetadataKeeper writes what changes during a write with the next one, one at a time",
  async (test) => {
    test.make("a");
    test.timers.advance(DELAY_MS);
    await settle();

    test.make("b");
    test.timers.advance(DELAY_MS);
    await settle();
    const during = [test.writes(), test.files.running];
    await test.endSyncs();

    assertEquals([during, test.writes(), test.inFile()], [[1, 1], 2, ["a", "b"]]);
  },
);

keeperTest("MetadataKeeper.changed() writes at once when the program ends", async (test) => {
  test.make("a");

  test.tasks.abort();
  await test.endSyncs();

  assertEquals(test.inFile(), ["a"]);
});

Deno.test("MetadataKeeper does not write before everything is loaded", async () => {
  const nsqd = new NsqdInMemory();
  const files = simulatedFiles();
  const tasks = new AsyncGroup();
  const timers = new FakeTimers();
  const file = new MetadataFile(DATA_PATH, nsqd.logger, files);
  const health = { stored: () => {} };
  const keeper = new MetadataKeeper({
    logger: nsqd.logger,
    timers,
    file,
    broker: nsqd.broker,
    health,
    tasks,
  });
  files.write(`${DATA_PATH}/nsqd.dat.7.tmp`, Uint8Array.of(1));

  nsqd.broker.topic("loaded");
  keeper.changed();
  const before = [tasks.running, keeper.keeping(), namesIn(files)];
  await drive(files, keeper.follow());

  assertEquals(before, [[], undefined, ["nsqd.dat.7.tmp"]]);
  assertEquals([namesIn(files), textOf(files, "nsqd.dat").includes("loaded")], [["nsqd.dat"], true]);
});

// For who keeps something

keeperTest("MetadataKeeper.keeping() writes at once, and settles when that is synced", async (test) => {
  test.make("a");
  let kept = false;

  const keeping = test.keeper.keeping()?.then(() => kept = true);
  await settle();
  test.files.endOne();
  await settle();
  const early = kept;
  await drive(test.files, keeping ?? Promise.reject(new Error("nothing is being written")));

  assertEquals([early, kept, test.inFile()], [false, true, ["a"]]);
  assertEquals(test.keeper.keeping(), undefined);
  // Nothing is left for the write that was to come 20 ms later.
  test.timers.advance(DELAY_MS);
  await settle();
  assertEquals(test.writes(), 1);
});

keeperTest(
  "MetadataKeeper.keeping() waits for a write that runs, if that has all, and else for the next",
  async (test) => {
    const notes: string[] = [];
    const keep = (name: string) => test.keeper.keeping()?.then(() => notes.push(name));

    test.make("a");
    const first = keep("first");
    await settle();
    const second = keep("second");
    test.make("b");
    const [third, fourth] = [keep("third"), keep("fourth")];
    await drive(test.files, Promise.all([first, second]));
    const between = notes.splice(0).sort();
    await drive(test.files, Promise.all([third, fourth]));

    assertEquals([between, notes.sort()], [["first", "second"], ["fourth", "third"]]);
    assertEquals([test.writes(), test.inFile()], [2, ["a", "b"]]);
  },
);

keeperTest(
  "MetadataKeeper.keeping() rejects when the file cannot be written, and tries again when asked again",
  async (test) => {
    test.make("a");
    breakDisk(test.files);

    const refused = test.keeper.keeping();
    await assertRejects(() => drive(test.files, Promise.resolve(refused)), FaultError, EIO);
    const failure = test.keeper.keepingFailure;
    test.files.fault = () => undefined;
    await drive(test.files, Promise.resolve(test.keeper.keeping()));

    assertEquals([failure instanceof FaultError, test.keeper.keepingFailure], [true, undefined]);
    assertEquals([test.keeper.keeping(), test.inFile()], [undefined, ["a"]]);
  },
);

keeperTest("MetadataKeeper.keeping() that nobody waits for is no unhandled rejection", async (test) => {
  test.make("a");
  breakDisk(test.files);

  test.keeper.keeping();
  test.keeper.keeping();
  await test.endSyncs();

  assertEquals(test.errors().length, 1);
});

// When the disk fails

keeperTest(
  "MetadataKeeper says once that the file cannot be written, and why, until it can",
  async (test) => {
    breakDisk(test.files);
    test.make("a");
    test.timers.advance(DELAY_MS);
    await test.endSyncs();
    for (let i = 0; i < 3; i++) await drive(test.files, test.keeper.retry());
    const failing = [test.keeper.keepingFailure instanceof FaultError, test.stored.length];

    test.files.fault = () => undefined;
    await drive(test.files, test.keeper.retry());
    const healed = [test.keeper.keepingFailure, test.inFile()];
    breakDisk(test.files);
    test.make("b");
    await drive(test.files, test.keeper.finish());

    assertEquals([failing, healed], [[true, 4], [undefined, ["a"]]]);
    assertEquals(test.errors().map((line) => line.replace(/: sync.*/, "")), [
      `ERROR: failed to persist metadata - ${EIO}`,
      `ERROR: failed to persist metadata - ${EIO}`,
    ]);
  },
);

keeperTest(
  "MetadataKeeper.retry() writes nothing that is to be written anyway, or is written",
  async (test) => {
    await test.keeper.retry();
    test.make("a");
    await test.keeper.retry();
    const before = test.writes();
    test.timers.advance(DELAY_MS);
    await test.endSyncs();
    await test.keeper.retry();

    assertEquals([before, test.writes()], [0, 1]);
  },
);

// By hand

keeperTest(
  "MetadataKeeper.persist() writes what it is not told of, and settles when that is synced",
  async (test) => {
    test.make("a");
    await drive(test.files, test.keeper.finish());

    test.pause("a");
    await drive(test.files, test.keeper.persist());

    assertEquals([test.inFile(), test.writes()], [["a*"], 2]);
  },
);

keeperTest("MetadataKeeper.persist() does not settle with a write that began before it", async (test) => {
  test.make("a");
  test.keeper.keeping();
  await settle();

  test.pause("a");
  await drive(test.files, test.keeper.persist());

  assertEquals([test.inFile(), test.writes()], [["a*"], 2]);
});

keeperTest(
  "MetadataKeeper.persist() settles though the file cannot be written, and logs that",
  async (test) => {
    breakDisk(test.files);

    await drive(test.files, test.keeper.persist());

    assertEquals(test.errors().length, 1);
  },
);

keeperTest("MetadataKeeper.finish() settles when everything is written", async (test) => {
  test.make("a");
  test.keeper.keeping();
  await settle();
  test.make("b");

  await drive(test.files, test.keeper.finish());

  assertEquals([test.files.running, test.inFile()], [0, ["a", "b"]]);
});
