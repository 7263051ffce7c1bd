import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { encodeTopicState } from "../../src/broker/topic_state.ts";
import type { FileSystem } from "../../src/storage/file_system.ts";
import { importDiskQueues } from "../../src/storage/go_import.ts";
import { FAKE_START_MS } from "../support/fake_clock.ts";
import {
  fillFolder,
  type FolderContent,
  goMessages,
  goMessageText,
  goQueue,
  goRecords,
  messagesIn,
  namesIn,
} from "../support/go_data_path.ts";
import { Random } from "../support/random.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";
import { SimulatedFileSystem } from "../support/simulated_file_system.ts";

const DATA_PATH = "/data";
/** So small that queues have several segments. */
const MAX_BYTES_PER_FILE = 400;
const ROUNDS = 10;

const BODIES = {
  "a": ["own 1", "own 2"],
  "a:x": Array.from({ length: 12 }, (_, i) => `x ${i}`),
  "a:y": ["y 0", "y 1", "y 2"],
  "b:z": ["z"],
  // Names that look like those of files.
  "b.diskqueue": ["dotted"],
  "b.diskqueue.000000.dat:b.diskqueue.x": ["dotted, too"],
};
/** The folder of a topic of ours that was there before, with its state. */
const OURS = "ours.diskqueue.x.topic";
const STATE = concat([
  ...encodeTopicState({ distributed: 7, end: 7, closedEnd: 7, stored: [], channels: [] }),
]);
const CONTENT: FolderContent = {
  ...goQueue("a", ...BODIES["a"]),
  ...goQueue("a:y", ...BODIES["a:y"]),
  ...goQueue("b:z", ...BODIES["b:z"]),
  ...goQueue("b"),
  ...goQueue("b.diskqueue", ...BODIES["b.diskqueue"]),
  ...goQueue("b.diskqueue.000000.dat:b.diskqueue.x", ...BODIES["b.diskqueue.000000.dat:b.diskqueue.x"]),
  "a:x.diskqueue.000000.dat": goRecords(goMessages(...BODIES["a:x"]).slice(0, 7)),
  "a:x.diskqueue.000001.dat": goRecords(goMessages(...BODIES["a:x"]).slice(7)),
  "a:x.diskqueue.000001.dat.bad": "bad",
  "nsqd.dat": "{}",
};
const MESSAGES = Object.fromEntries(
  Object.entries(BODIES).map(([queue, bodies]) => [queue, goMessages(...bodies).map(goMessageText)]),
);

/** A disk with what Go's nsqd has left, all of it synced. */
function diskOfGo(random: Random): SimulatedDisk {
  const disk = new SimulatedDisk({ byFolder: random.oneIn(2) });
  const files = new SimulatedFileSystem(disk, { random });
  files.makeFolder(DATA_PATH);
  fillFolder(files, DATA_PATH, CONTENT);
  for (const name of Object.keys(CONTENT)) files.syncSync(`${DATA_PATH}/${name}`);
  files.makeFolder(`${DATA_PATH}/${OURS}`);
  files.write(`${DATA_PATH}/${OURS}/state`, STATE);
  files.syncSync(`${DATA_PATH}/${OURS}/state`);
  files.syncSync(`${DATA_PATH}/${OURS}`);
  files.syncSync(DATA_PATH);
  files.syncSync("");
  return disk;
}

/** What may happen to a program. */
interface Fate {
  /** It dies in this call. */
  readonly lastCall?: number;
  /** Asked before each call, and before the end of one that takes time: true when it is to fail. */
  readonly fails?: () => boolean;
}

/** Lets a program import; returns how many calls it made. Throws what the import throws, unless the program died. */
async function importOn(disk: SimulatedDisk, random: Random, fate: Fate = {}): Promise<number> {
  const files = new SimulatedFileSystem(disk, { random });
  files.lastCall = fate.lastCall ?? Infinity;
  files.fault = () => fate.fails?.() ? "EIO" : undefined;
  let ended = false;
  const running = importAll(files).finally(() => ended = true);
  running.catch(() => {});
  while (!ended && !files.dead) {
    await turn();
    files.endOne();
  }
  // Of a dead program nothing more comes: what it waited for never ends.
  if (!files.dead) await running;
  return files.calls;
}

async function importAll(files: FileSystem): Promise<void> {
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.error, write: () => {} });
  const options = {
    dataPath: DATA_PATH,
    files,
    logger,
    maxBytesPerFile: MAX_BYTES_PER_FILE,
    nowMs: () => FAKE_START_MS,
  };
  const imported = await importDiskQueues(options);
  await imported.finish();
}

/** Lets all that can happen without a call that ends happen. */
async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function assertImported(disk: SimulatedDisk, random: Random): void {
  const files = new SimulatedFileSystem(disk, { random });
  assertEquals(messagesIn(files, DATA_PATH), MESSAGES);
  assertEquals(namesIn(files, DATA_PATH), [
    ...["a.topic/", "b.diskqueue.000000.dat.topic/", "b.diskqueue.topic/", "b.topic/"],
    ...["nsq-diskqueue/", "nsqd.dat", `${OURS}/`],
  ]);
  assertEquals(files.readSync(`${DATA_PATH}/${OURS}/state`), STATE);
  const kept = namesIn(files, `${DATA_PATH}/nsq-diskqueue`);
  assertEquals(kept, Object.keys(CONTENT).filter((name) => name !== "nsqd.dat").sort());
  for (const name of kept) {
    const content = CONTENT[name];
    const expected = typeof content === "string" ? new TextEncoder().encode(content) : content;
    assertEquals(files.readSync(`${DATA_PATH}/nsq-diskqueue/${name}`), expected);
  }
}

/** How many calls an import makes that nothing happens to. */
async function countCalls(): Promise<number> {
  const calls = await importOn(diskOfGo(new Random(0)), new Random(0));
  assert(calls > 50, `only ${calls} calls`);
  return calls;
}

Deno.test("importDiskQueues() loses and doubles nothing when the program is killed in any call", async () => {
  const calls = await countCalls();
  for (let round = 0; round < ROUNDS; round++) {
    for (let lastCall = 1; lastCall <= calls; lastCall++) {
      const random = new Random(round * calls + lastCall);
      const disk = diskOfGo(random);

      await importOn(disk, random, { lastCall });
      // And perhaps in the next start, too.
      if (random.oneIn(2)) await importOn(disk, random, { lastCall: 1 + random.below(calls) });
      await importOn(disk, random);

      assertImported(disk, random);
    }
  }
});

Deno.test("importDiskQueues() loses and doubles nothing when power is lost in any call", async () => {
  const calls = await countCalls();
  for (let round = 0; round < ROUNDS; round++) {
    for (let lastCall = 1; lastCall <= calls; lastCall++) {
      const random = new Random((ROUNDS + round) * calls + lastCall);
      let disk = diskOfGo(random);
      const losePower = () => disk = disk.survivor(random, { gaps: random.oneIn(2) });

      await importOn(disk, random, { lastCall });
      losePower();
      if (random.oneIn(2)) await importOn(disk, random, { lastCall: 1 + random.below(calls) });
      losePower();
      await importOn(disk, random);
      losePower();

      assertImported(disk, random);
    }
  }
});

Deno.test("importDiskQueues() loses and doubles nothing when any call fails, and power is lost after that", async () => {
  // Calls that take time are asked twice.
  const calls = 2 * await countCalls();
  let failures = 0;
  for (let failing = 1; failing <= calls; failing++) {
    const random = new Random(failing);
    let disk = diskOfGo(random);

    let asked = 0;
    await importOn(disk, random, { fails: () => ++asked === failing }).catch(() => failures++);
    if (random.oneIn(2)) disk = disk.survivor(random, { gaps: random.oneIn(2) });
    await importOn(disk, random);

    assertImported(disk, random);
  }
  assert(failures > 50, `only ${failures} failures`);
});
