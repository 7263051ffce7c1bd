import { assertEquals, assertRejects } from "@std/assert";
import { DataPath } from "../../src/storage/data_path.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { DATA_PATH, drive, namesIn, simulatedFiles } from "../support/simulated_data_path.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";
import { FaultError } from "../support/simulated_file_system.ts";

Deno.test("DataPath.lock() lets one at a time have the folder", async () => {
  const path = Deno.makeTempDirSync();
  try {
    {
      using first = new DataPath(path);
      await first.lock();
      using second = new DataPath(path);
      await assertRejects(
        () => second.lock(),
        Error,
        `cannot lock folder ${path} (possibly in use by another instance of nsqd)`,
      );
    }
    using third = new DataPath(path);
    await third.lock();
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("DataPath.lock() rejects for what is no folder, or is not there", async () => {
  const path = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${path}/file`, "");
    using file = new DataPath(`${path}/file`);
    using nothing = new DataPath(`${path}/nothing`);

    await assertRejects(() => file.lock(), Error, `${path}/file is no folder`);
    await assertRejects(() => nothing.lock(), Deno.errors.NotFound);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("DataPath takes the working directory for the empty path", () => {
  using dataPath = new DataPath("");

  assertEquals(dataPath.path, Deno.cwd());
});

// How the last program ended

Deno.test("DataPath.wasStopped is false in a new folder, true after stop(), and false again after use()", async () => {
  await withDataPath(async (path) => {
    const ends: boolean[] = [];
    const program = async (run: (dataPath: DataPath) => Promise<void>) => {
      using dataPath = new DataPath(path);
      await dataPath.lock();
      ends.push(dataPath.wasStopped);
      await run(dataPath);
    };

    await program((dataPath) => dataPath.stop());
    // This one does not get far enough to use it.
    await program(() => Promise.resolve());
    await program((dataPath) => dataPath.use());
    await program(() => Promise.resolve());

    assertEquals(ends, [false, true, true, false]);
  });
});

Deno.test("DataPath.wasStopped stays what it was when the folder was locked, whatever this program does", async () => {
  const files = simulatedFiles();
  const first = new DataPath(DATA_PATH, files);
  first.look();
  await drive(files, first.stop());
  const second = new DataPath(DATA_PATH, files);
  second.look();
  await drive(files, second.use());

  assertEquals([first.wasStopped, second.wasStopped], [false, true]);
});

Deno.test("DataPath.use() costs nothing when the last program did not end in order, or when it was called before", async () => {
  const files = simulatedFiles();
  const dataPath = new DataPath(DATA_PATH, files);
  dataPath.look();
  const before = files.calls;
  await dataPath.use();
  assertEquals(files.calls, before);

  await drive(files, dataPath.stop());
  await drive(files, dataPath.use());
  const after = files.calls;
  await dataPath.use();

  assertEquals(files.calls, after);
});

Deno.test("DataPath.stop() and use() survive a loss of power when they have settled", async () => {
  const names = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const disk = new SimulatedDisk({ byFolder: seed % 2 === 0 });
    const files = simulatedFiles(disk);
    const survivors = () =>
      namesIn(simulatedFiles(disk.survivor(new MixedRandom(seed), { gaps: true }))).join();
    const dataPath = new DataPath(DATA_PATH, files);

    await drive(files, dataPath.stop());
    const stopped = survivors();
    dataPath.look();
    await drive(files, dataPath.use());

    names.add(`${stopped} then ${survivors()}`);
  }

  assertEquals([...names], ["nsqd.stopped then "]);
});

Deno.test("DataPath.use() rejects on a disk that cannot be written to, and does it when it can be", async () => {
  for (const failing of ["remove", "syncFolder"]) {
    const files = simulatedFiles();
    const dataPath = new DataPath(DATA_PATH, files);
    await drive(files, dataPath.stop());
    dataPath.look();
    files.fault = (call) => call === failing ? "EIO" : undefined;
    for (let i = 0; i < 2; i++) await assertRejects(() => drive(files, dataPath.use()), FaultError);
    files.fault = () => undefined;
    const { calls } = files;

    await drive(files, dataPath.use());

    assertEquals([namesIn(files), files.calls - calls > 0], [[], true], failing);
  }
});

Deno.test("DataPath.stop() rejects when it cannot be written down", async () => {
  const files = simulatedFiles();
  files.fault = () => "ENOSPC";

  await assertRejects(() => drive(files, new DataPath(DATA_PATH, files).stop()), FaultError, "No space left");
});

// Whether it can be written to

Deno.test("DataPath.probe() leaves nothing behind, and rejects when there is no room", async () => {
  const files = simulatedFiles();
  const dataPath = new DataPath(DATA_PATH, files);

  await drive(files, dataPath.probe());
  const well = namesIn(files);
  files.fault = () => "ENOSPC";
  await assertRejects(() => drive(files, dataPath.probe()), FaultError, "No space left");
  files.fault = () => undefined;

  assertEquals([well, namesIn(files)], [[], []]);
});

Deno.test("DataPath.probe() says why a disk that is read only cannot be written to", async () => {
  const files = simulatedFiles();
  files.fault = () => "EROFS";

  await assertRejects(
    () => drive(files, new DataPath(DATA_PATH, files).probe()),
    FaultError,
    "Read-only file system (os error 30): write '/data/nsqd.probe'",
  );
});
