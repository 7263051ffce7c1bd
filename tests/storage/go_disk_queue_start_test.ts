import { assertEquals } from "@std/assert";
import { goMessages, goMessageText, goRecords } from "../support/go_data_path.ts";
import { dataFiles, meta, readQ, texts } from "../support/go_queue.ts";
import { i32, join } from "../support/frames.ts";

const ABC = goMessages("a", "b", "c");
const ABC_TEXTS = ABC.map(goMessageText);
/** Each of `ABC` has 31 bytes. */
const LENGTH = 31;
const FIRST = "q.diskqueue.000000.dat";

/** What is said of a position that is inside a message. */
function goesBack(position: number, offset: number, file = FIRST): string {
  return `reading is to go on at byte ${position} of ${file}, inside a message: ` +
    `it goes on with all of that one, at byte ${offset}`;
}

/** What is said when the metadata is not believed. */
function everything(doubt: string): string {
  return `its metadata cannot be right, everything is taken: ${doubt}`;
}

Deno.test("findStart() believes a position where a message begins, and goes back to the message that one is inside of", async () => {
  for (let position = 0; position <= 3 * LENGTH; position++) {
    const { messages, damages, warnings } = await readQ({
      ...dataFiles(goRecords(ABC)),
      ...meta(`3\n0,${position}\n0,${3 * LENGTH}\n`),
    });

    const before = Math.floor(position / LENGTH);
    assertEquals(messages, ABC_TEXTS.slice(before), `byte ${position}`);
    assertEquals(warnings, position % LENGTH === 0 ? [] : [goesBack(position, before * LENGTH)]);
    assertEquals(damages, []);
  }
});

Deno.test("findStart() goes back in the file in the middle that reading goes on in", async () => {
  const { messages, damages, warnings } = await readQ({
    "q.diskqueue.000007.dat": goRecords(ABC),
    "q.diskqueue.000008.dat": goRecords(ABC),
    ...meta(`5\n7,${2 * LENGTH + 1}\n8,93\n`),
  });

  assertEquals(messages, [...ABC_TEXTS.slice(2), ...ABC_TEXTS]);
  assertEquals(warnings, [goesBack(63, 62, "q.diskqueue.000007.dat")]);
  assertEquals(damages, []);
});

Deno.test("findStart() makes no message of a body that holds messages, wherever the position is", async () => {
  const body = String.fromCharCode(...goRecords(ABC));
  const outer = goMessages("a", body, "c");
  const length = LENGTH + 30 + body.length + LENGTH;
  for (let position = 32; position < length - LENGTH; position++) {
    const { messages, damages } = await readQ({
      ...dataFiles(goRecords(outer)),
      ...meta(`2\n0,${position}\n0,${length}\n`),
    });

    assertEquals(messages, texts("a", body, "c").slice(1), `byte ${position}`);
    assertEquals(damages, []);
  }
});

Deno.test("findStart() finds the message in a file that is longer than a piece, and reads no long ones on the way", async () => {
  const bodies = [
    "x".repeat(3_000_000),
    ...Array.from({ length: 40 }, (_, i) => `${i}`.repeat(50_000)),
    "end",
  ];
  const file = goRecords(goMessages(...bodies));
  const begin = file.length - 33 - 30 - 100_000;
  const { messages, warnings, asked } = await readQ({
    ...dataFiles(file),
    ...meta(`2\n0,${begin + 99_999}\n0,${file.length}\n`),
  });

  assertEquals(messages.join(), texts(...bodies).slice(-2).join());
  assertEquals(warnings, [goesBack(begin + 99_999, begin)]);
  assertEquals(asked.slice(1, 3), [
    { offset: 0, length: 1_048_576 },
    { offset: 3_000_030, length: 1_048_576 },
  ]);
  assertEquals(asked.every(({ length }) => length <= 1_048_576), true);
});

Deno.test("findStart() looks at nothing of a file that has been read to its end, or not at all", async () => {
  for (const position of [0, 3 * LENGTH]) {
    const { asked, warnings } = await readQ({
      ...dataFiles(goRecords(ABC)),
      ...meta(`0\n0,${position}\n0,93\n`),
    });

    // The metadata; the records; and that there are no more.
    assertEquals(asked.map(({ offset }) => offset), position === 0 ? [0, 0, 93] : [0, 93]);
    assertEquals(warnings, []);
  }
});

for (
  const [what, before] of [
    ["that Go's nsqd has never written, because the file was removed,", new Uint8Array(50)],
    ["with a size that cannot be", join(goRecords(ABC), i32(-7), "rest")],
    ["with a size that leads behind the position", join(i32(100), goRecords(ABC).slice(4, 93))],
    ["with an id that is none", join(goRecords(ABC).slice(0, 14), "?", goRecords(ABC).slice(15, 93), i32(0))],
  ] as const
) {
  Deno.test(`findStart() believes a position where a message may begin behind bytes ${what}`, async () => {
    const { messages, damages, warnings } = await readQ({
      ...dataFiles(join(before, goRecords(ABC))),
      ...meta(`3\n0,${before.length}\n0,${before.length + 93}\n`),
    });

    assertEquals(messages, ABC_TEXTS);
    assertEquals([damages, warnings], [[], []]);
  });
}

Deno.test("findStart() leaves a file out where nothing tells where a message begins, and goes on with the next", async () => {
  const damaged = join(goRecords(ABC), i32(0), goRecords(ABC));
  const position = 4 * LENGTH;
  const { messages, damages, warnings } = await readQ({
    ...dataFiles(damaged, goRecords(ABC)),
    ...meta(`6\n0,${position}\n1,93\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, [{
    file: FIRST,
    offset: position,
    length: 66,
    reason: "none begins there, and before it is a message of 0 bytes at byte 93",
  }]);
  assertEquals(warnings, []);
});

Deno.test("findStart() makes no message of a position inside the last one, which the file does not hold all of", async () => {
  const { messages, damages } = await readQ({
    ...dataFiles(goRecords(ABC).slice(0, 92), goRecords(ABC)),
    ...meta(`4\n0,70\n1,93\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, [{
    file: FIRST,
    offset: 70,
    length: 22,
    reason: "none begins there, and before it is a message of 27 bytes where the file ends at byte 62",
  }]);
});

Deno.test("findStart() goes back to a message that nothing but NULs come behind", async () => {
  const { messages, damages, warnings } = await readQ({
    ...dataFiles(join(goRecords(ABC), new Uint8Array(4096))),
    ...meta(`1\n0,70\n0,93\n`),
  });

  assertEquals(messages, ABC_TEXTS.slice(2));
  assertEquals(warnings, [goesBack(70, 62)]);
  assertEquals(damages, [{ file: FIRST, offset: 93, length: 4096, reason: "a message of 0 bytes" }]);
});

Deno.test("findStart() takes messages without ids where the position is where one begins, and none else", async () => {
  const strange = goRecords(["a", "b", "c"].map((body) => ({ body, id: "no id of NSQ's.." })));
  const read = (position: number) => readQ({ ...dataFiles(strange), ...meta(`2\n0,${position}\n0,93\n`) });

  const { messages, damages } = await read(LENGTH);
  assertEquals(messages.length, 2);
  assertEquals(damages, []);
  assertEquals((await read(LENGTH + 1)).messages, []);
});

Deno.test("findStart() begins with the next file when the one to begin with has gone, and says so", async () => {
  const { messages, damages, warnings } = await readQ({
    "q.diskqueue.000005.dat": goRecords(ABC),
    ...meta(`1\n3,${LENGTH}\n5,0\n`),
  });

  assertEquals(messages, ABC_TEXTS);
  assertEquals(damages, []);
  assertEquals(warnings, ["2 files are missing, right before q.diskqueue.000005.dat"]);
});

Deno.test("findStart() says which files in the middle have gone, with metadata and without", async () => {
  const files = {
    "q.diskqueue.000002.dat": goRecords(ABC),
    "q.diskqueue.000004.dat": goRecords(ABC),
    "q.diskqueue.000009.dat": goRecords(ABC),
  };
  for (const content of [files, { ...files, ...meta("15\n2,0\n9,93\n") }]) {
    const { messages, warnings } = await readQ(content);

    assertEquals(messages, [...ABC_TEXTS, ...ABC_TEXTS, ...ABC_TEXTS]);
    assertEquals(warnings, [
      "1 files are missing, right before q.diskqueue.000004.dat",
      "4 files are missing, right before q.diskqueue.000009.dat",
    ]);
  }
});

Deno.test("findStart() leaves out files before the one that reading goes on in, and says so", async () => {
  const { messages, warnings } = await readQ({
    ...dataFiles(goRecords(ABC), goRecords(ABC), goRecords(ABC)),
    ...meta(`2\n2,${LENGTH}\n2,93\n`),
  });

  assertEquals(messages, ABC_TEXTS.slice(1));
  assertEquals(warnings, [
    "2 files are left out, from q.diskqueue.000000.dat on: its metadata says that they have been read",
  ]);
});

for (
  const [text, doubt] of [
    ["3\n0,62\n0,31\n", "reading is at 0,62, behind writing at 0,31"],
    ["3\n7,0\n0,186\n", "reading is at 7,0, behind writing at 0,186"],
    ["0\n8,0\n8,0\n", "reading is at 8,0, behind the last file, q.diskqueue.000001.dat"],
    ["3\n1,94\n1,100\n", "reading is at byte 94 of q.diskqueue.000001.dat, which has 93"],
    ["3\n0,-62\n0,93\n", "it does not have the form"],
    ["3\n-1,0\n0,93\n", "it does not have the form"],
    ["", "it does not have the form"],
    ["\0".repeat(15), "it does not have the form"],
  ] as const
) {
  Deno.test(`findStart() takes everything when the metadata is ${JSON.stringify(text)}, and says why`, async () => {
    const { messages, damages, warnings } = await readQ({
      ...dataFiles(goRecords(ABC), goRecords(ABC)),
      ...meta(text),
    });

    assertEquals(messages, [...ABC_TEXTS, ...ABC_TEXTS]);
    assertEquals(damages, []);
    assertEquals(warnings, [everything(doubt)]);
  });
}

Deno.test("findStart() believes metadata of a queue without data files, and of one whose next file is not made yet", async () => {
  for (const content of [{}, dataFiles(goRecords(ABC))]) {
    const { messages, damages, warnings } = await readQ({ ...content, ...meta("0\n0,93\n1,0\n") });

    assertEquals([messages, damages, warnings], [[], [], []]);
  }
});
