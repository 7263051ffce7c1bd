import { assertEquals } from "@std/assert";
import { goMessages, goMessageText, goRecords } from "../support/go_data_path.ts";
import { dataFiles, meta, readQ, texts } from "../support/go_queue.ts";
import { i32, join } from "../support/frames.ts";

/** A data file as Go's nsqd has written it, of the messages in {@linkcode GOLDEN_MESSAGES}. */
const GOLDEN = "0000001c18ea63d4bc6719d8000031386134366331323564613639303034" + "6d34" +
  "0000001c18ea63d4bc671707000131386134366331323564613639303031" + "6d31" +
  "0000001c18ea63d4bc671919000131386134366331323564613639303033" + "6d33";
const GOLDEN_MESSAGES = [
  "18a46c125da69004 0 1795357166805653976 m4",
  "18a46c125da69001 1 1795357166805653255 m1",
  "18a46c125da69003 1 1795357166805653785 m3",
];

const ABC = goMessages("a", "b", "c");
const ABC_TEXTS = ABC.map(goMessageText);
/** Each of `ABC` has 31 bytes. */
const LENGTH = 31;

Deno.test("readQueue() reads what Go's nsqd has written", async () => {
  const { messages, damages } = await readQ({
    ...dataFiles(Uint8Array.fromHex(GOLDEN)),
    ...meta("3\n0,0\n0,96\n"),
  });

  assertEquals(messages, GOLDEN_MESSAGES);
  assertEquals(damages, []);
});

Deno.test("readQueue() begins where the metadata says, in the middle of a file", async () => {
  const { messages, damages } = await readQ({
    ...dataFiles(goRecords(ABC), goRecords(ABC), goRecords(ABC)),
    ...meta(`5\n1,${LENGTH}\n2,${3 * LENGTH}\n`),
  });

  assertEquals(messages, [...ABC_TEXTS.slice(1), ...ABC_TEXTS]);
  assertEquals(damages, []);
});

Deno.test("readQueue() goes on behind the place where writing ended at the last sync, also in later files", async () => {
  const { messages } = await readQ({
    ...dataFiles(goRecords(ABC), goRecords(ABC)),
    ...meta(`1\n0,0\n0,${LENGTH}\n`),
  });

  assertEquals(messages, [...ABC_TEXTS, ...ABC_TEXTS]);
});

Deno.test("readQueue() reads all files from their beginning where there is no metadata", async () => {
  assertEquals((await readQ(dataFiles(goRecords(ABC), goRecords(ABC)))).messages, [
    ...ABC_TEXTS,
    ...ABC_TEXTS,
  ]);
});

Deno.test("readQueue() reads nothing from a queue that has been read to its end", async () => {
  const content = { ...dataFiles(goRecords(ABC)), ...meta(`0\n0,${3 * LENGTH}\n0,${3 * LENGTH}\n`) };

  const { messages, damages } = await readQ(content);

  assertEquals([messages, damages], [[], []]);
});

Deno.test("readQueue() reads nothing from empty files, and from metadata alone", async () => {
  for (const content of [dataFiles(new Uint8Array()), {}]) {
    const { messages, damages } = await readQ({ ...content, ...meta("0\n0,0\n0,0\n") });

    assertEquals([messages, damages], [[], []]);
  }
});

for (const size of [25, 0, -1, 29, 0x7fffffff]) {
  Deno.test(`readQueue() ends a file at a message of ${size} bytes before its last 28, says so, and goes on`, async () => {
    const damaged = join(goRecords(ABC.slice(0, 2)), i32(size), new Uint8Array(28));
    const { messages, damages } = await readQ(dataFiles(damaged, goRecords(ABC)));

    assertEquals(messages, [...ABC_TEXTS.slice(0, 2), ...ABC_TEXTS]);
    const reason = size > 25
      ? `a message of ${size} bytes where the file ends`
      : `a message of ${size} bytes`;
    assertEquals(damages, [{ file: "q.diskqueue.000000.dat", offset: 2 * LENGTH, length: 32, reason }]);
  });
}

Deno.test("readQueue() takes the least message there can be", async () => {
  assertEquals((await readQ(dataFiles(goRecords(goMessages(""))))).messages, texts(""));
});

Deno.test("readQueue() reads what is whole of a file that ends anywhere", async () => {
  const whole = goRecords(ABC);
  for (let length = 2 * LENGTH + 1; length < 3 * LENGTH; length++) {
    const { messages, damages } = await readQ(dataFiles(whole.slice(0, length)));

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
  const { messages, damages } = await readQ(dataFiles(goRecords(goMessages(...bodies))));

  assertEquals(messages.map((message) => message.length), texts(...bodies).map((text) => text.length));
  assertEquals(messages.join() === texts(...bodies).join(), true);
  assertEquals(damages, []);
});

Deno.test("readQueue() says what is wrong behind the first piece by its place in the file", async () => {
  const good = goRecords(goMessages("x".repeat(700_000), "y".repeat(700_000)));
  const { messages, damages } = await readQ(dataFiles(join(good, i32(7), "rest")));

  assertEquals(messages.length, 2);
  assertEquals(damages, [{
    file: "q.diskqueue.000000.dat",
    offset: good.length,
    length: 8,
    reason: "a message of 7 bytes",
  }]);
});

Deno.test("readQueue() goes on with the next file when one in the middle is damaged", async () => {
  const damaged = join(goRecords(ABC.slice(0, 1)), i32(-1), goRecords(ABC.slice(1)));
  const { messages, damages } = await readQ({
    ...dataFiles(goRecords(ABC), damaged, goRecords(ABC)),
    ...meta(`9\n0,${LENGTH}\n2,${3 * LENGTH}\n`),
  });

  assertEquals(messages, [...ABC_TEXTS.slice(1), ...ABC_TEXTS.slice(0, 1), ...ABC_TEXTS]);
  assertEquals(damages, [{
    file: "q.diskqueue.000001.dat",
    offset: LENGTH,
    length: 66,
    reason: "a message of -1 bytes",
  }]);
});

Deno.test("readQueue() makes no message of what Go's nsqd has written over, behind the place of writing", async () => {
  // The rest of a longer file from before a kill: it happens to begin with what may be a size.
  const rest = join(i32(40), new Uint8Array(40), goRecords(ABC));
  const { messages, damages } = await readQ({
    ...dataFiles(join(goRecords(ABC), rest)),
    ...meta(`3\n0,0\n0,${3 * LENGTH}\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, [{
    file: "q.diskqueue.000000.dat",
    offset: 3 * LENGTH,
    length: 44 + 3 * LENGTH,
    reason: "a message of 40 bytes without an id",
  }]);
});

for (const write of [0, 1, 40, LENGTH, 2 * LENGTH + 5, 3 * LENGTH, 5000]) {
  Deno.test(`readQueue() reads all messages when the metadata says that writing is at byte ${write} of 93`, async () => {
    const { messages, damages, warnings } = await readQ({
      ...dataFiles(goRecords(ABC)),
      ...meta(`3\n0,0\n0,${write}\n`),
    });

    assertEquals(messages, ABC_TEXTS);
    assertEquals([damages, warnings], [[], []]);
  });
}

Deno.test("readQueue() asks for no more than a piece and the longest message, whatever sizes are said", async () => {
  const long = "x".repeat(3_000_000);
  const damaged = join(goRecords(goMessages("a", long)), i32(0x7ffffff0), new Uint8Array(40));
  // So long that the size that is said would fit.
  const grow = (folder: string) => Deno.truncateSync(`${folder}/q.diskqueue.000000.dat`, 3_000_000_000);

  const { messages, damages, asked } = await readQ(dataFiles(damaged), grow);

  assertEquals(messages.length, 2);
  assertEquals(damages, [{
    file: "q.diskqueue.000000.dat",
    offset: 3_000_061,
    length: 2_996_999_939,
    reason: "a message of 2147483632 bytes without an id",
  }]);
  assertEquals(asked.map(({ length }) => length), [1_048_576, 3_000_030, 1_048_576]);
});
