import { assertEquals } from "@std/assert";
import { findDiskQueues } from "../../src/storage/go_disk_queue.ts";
import { type QueueDamage, readQueue, readQueueMeta } from "../../src/storage/go_disk_queue_reader.ts";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import {
  fillFolder,
  type FolderContent,
  goMessages,
  goMessagesIn,
  goMessageText,
  goRecords,
} from "../support/go_data_path.ts";
import { i32, join } from "../support/frames.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

/** A data file as Go's nsqd has written it, of the messages in {@linkcode GOLDEN_MESSAGES}. */
const GOLDEN = "0000001c18ea63d4bc6719d8000031386134366331323564613639303034" + "6d34" +
  "0000001c18ea63d4bc671707000131386134366331323564613639303031" + "6d31" +
  "0000001c18ea63d4bc671919000131386134366331323564613639303033" + "6d33";
const GOLDEN_MESSAGES = [
  "18a46c125da69004 0 1795357166805653976 m4",
  "18a46c125da69001 1 1795357166805653255 m1",
  "18a46c125da69003 1 1795357166805653785 m3",
];

/** The files of queue `q` with the numbers from 0 on. */
function dataFiles(...files: readonly Uint8Array[]): FolderContent {
  return Object.fromEntries(files.map((bytes, number) => [`q.diskqueue.00000${number}.dat`, bytes]));
}

function meta(text: string): FolderContent {
  return { "q.diskqueue.meta.dat": text };
}

/** What is read of queue `q`. */
async function read(content: FolderContent): Promise<{ messages: string[]; damages: QueueDamage[] }> {
  const messages: string[] = [];
  const damages: QueueDamage[] = [];
  await withDataPath(async (folder) => {
    fillFolder(DENO_FILES, folder, content);
    const source = { files: DENO_FILES, folder, queue: findDiskQueues(Object.keys(content))[0] };
    const options = { meta: readQueueMeta(source), onDamage: (damage: QueueDamage) => damages.push(damage) };
    for await (const { bytes, end } of readQueue(source, options)) {
      messages.push(...goMessagesIn(bytes.subarray(0, end)));
    }
  });
  return { messages, damages };
}

/** One message a body, as they are read. */
function texts(...bodies: readonly string[]): string[] {
  return goMessages(...bodies).map(goMessageText);
}

const ABC = goMessages("a", "b", "c");
const ABC_TEXTS = ABC.map(goMessageText);
/** Each of `ABC` has 31 bytes. */
const LENGTH = 31;

Deno.test("readQueue() reads what Go's nsqd has written", async () => {
  const { messages, damages } = await read({
    ...dataFiles(Uint8Array.fromHex(GOLDEN)),
    ...meta("3\n0,0\n0,96\n"),
  });

  assertEquals(messages, GOLDEN_MESSAGES);
  assertEquals(damages, []);
});

Deno.test("readQueue() begins where the metadata says, in the middle of a file", async () => {
  const { messages, damages } = await read({
    ...dataFiles(goRecords(ABC), goRecords(ABC), goRecords(ABC)),
    ...meta(`5\n1,${LENGTH}\n2,${3 * LENGTH}\n`),
  });

  assertEquals(messages, [...ABC_TEXTS.slice(1), ...ABC_TEXTS]);
  assertEquals(damages, []);
});

Deno.test("readQueue() goes on behind the place where writing ended at the last sync, also in later files", async () => {
  const { messages } = await read({
    ...dataFiles(goRecords(ABC), goRecords(ABC)),
    ...meta(`1\n0,0\n0,${LENGTH}\n`),
  });

  assertEquals(messages, [...ABC_TEXTS, ...ABC_TEXTS]);
});

Deno.test("readQueue() reads all files from their beginning where there is no metadata", async () => {
  assertEquals((await read(dataFiles(goRecords(ABC), goRecords(ABC)))).messages, [
    ...ABC_TEXTS,
    ...ABC_TEXTS,
  ]);
});

Deno.test("readQueue() reads all files from their beginning where the metadata cannot be read", async () => {
  assertEquals((await read({ ...dataFiles(goRecords(ABC)), ...meta("") })).messages, ABC_TEXTS);
});

Deno.test("readQueue() begins with the next file when the one to begin with has gone", async () => {
  const { messages, damages } = await read({
    "q.diskqueue.000005.dat": goRecords(ABC),
    ...meta(`1\n3,${LENGTH}\n5,0\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, []);
});

Deno.test("readQueue() reads nothing from a queue that has been read to its end", async () => {
  const content = { ...dataFiles(goRecords(ABC)), ...meta(`0\n0,${3 * LENGTH}\n0,${3 * LENGTH}\n`) };

  assertEquals(await read(content), { messages: [], damages: [] });
});

Deno.test("readQueue() reads nothing from empty files, and from metadata alone", async () => {
  assertEquals(await read({ ...dataFiles(new Uint8Array()), ...meta("0\n0,0\n0,0\n") }), {
    messages: [],
    damages: [],
  });
  assertEquals(await read(meta("0\n0,0\n0,0\n")), { messages: [], damages: [] });
});

Deno.test("readQueue() says when the metadata begins behind a file's end, and goes on with the next file", async () => {
  const { messages, damages } = await read({
    ...dataFiles(goRecords(ABC), goRecords(ABC)),
    ...meta(`1\n0,1000\n1,93\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, [{
    file: "q.diskqueue.000000.dat",
    offset: 93,
    length: 0,
    reason: "reading is to go on at byte 1000",
  }]);
});

for (const size of [25, 0, -1, 29, 0x7fffffff]) {
  Deno.test(`readQueue() ends a file at a message of ${size} bytes before its last 28, says so, and goes on`, async () => {
    const damaged = join(goRecords(ABC.slice(0, 2)), i32(size), new Uint8Array(28));
    const { messages, damages } = await read(dataFiles(damaged, goRecords(ABC)));

    assertEquals(messages, [...ABC_TEXTS.slice(0, 2), ...ABC_TEXTS]);
    const reason = size > 25
      ? `a message of ${size} bytes where the file ends`
      : `a message of ${size} bytes`;
    assertEquals(damages, [{ file: "q.diskqueue.000000.dat", offset: 2 * LENGTH, length: 32, reason }]);
  });
}

Deno.test("readQueue() takes the least message there can be", async () => {
  assertEquals((await read(dataFiles(goRecords(goMessages(""))))).messages, texts(""));
});

Deno.test("readQueue() reads what is whole of a file that ends anywhere", async () => {
  const whole = goRecords(ABC);
  for (let length = 2 * LENGTH + 1; length < 3 * LENGTH; length++) {
    const { messages, damages } = await read(dataFiles(whole.slice(0, length)));

    assertEquals(messages, ABC_TEXTS.slice(0, 2), `a file of ${length} bytes`);
    const reason = length < 2 * LENGTH + 4
      ? "half of a message's size"
      : "a message of 27 bytes where the file ends";
    assertEquals(damages, [{
      file: "q.diskqueue.000000.dat",
      offset: 2 * LENGTH,
      length: length - 2 * LENGTH,
      reason,
    }]);
  }
});

Deno.test("readQueue() reads files that are longer than a piece, and messages that are, too", async () => {
  const sizes = [600_000, 1, 600_000, 3_000_000, 2, 1_048_576 - 30, 1_048_576 - 31, 0, 5];
  const bodies = sizes.map((size, i) => String(i).repeat(size));
  const { messages, damages } = await read(dataFiles(goRecords(goMessages(...bodies))));

  assertEquals(messages.map((message) => message.length), texts(...bodies).map((text) => text.length));
  assertEquals(messages.join() === texts(...bodies).join(), true);
  assertEquals(damages, []);
});

Deno.test("readQueue() says what is wrong behind the first piece by its place in the file", async () => {
  const good = goRecords(goMessages("x".repeat(700_000), "y".repeat(700_000)));
  const { messages, damages } = await read(dataFiles(join(good, i32(7), "rest")));

  assertEquals(messages.length, 2);
  assertEquals(damages, [{
    file: "q.diskqueue.000000.dat",
    offset: good.length,
    length: 8,
    reason: "a message of 7 bytes",
  }]);
});
