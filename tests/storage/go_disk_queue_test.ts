import { assert, assertEquals } from "@std/assert";
import {
  dataFileName,
  decodeQueueMeta,
  diskQueueName,
  encodeQueueMeta,
  findDiskQueues,
  isQueueFile,
  mayBeginRecord,
  metaFileName,
  scanRecords,
} from "../../src/storage/go_disk_queue.ts";
import { bytesOf, i32, join } from "../support/frames.ts";
import { goMessages, goRecords } from "../support/go_data_path.ts";

const META = { depth: 22, read: { number: 2, offset: 188 }, write: { number: 7, offset: 376 } };
const META_TEXT = "22\n2,188\n7,376\n";

Deno.test("findDiskQueues() sorts files by topic and channel, the topic's own last, and data files by number", () => {
  const queues = findDiskQueues([
    "b.diskqueue.meta.dat",
    "a.diskqueue.000010.dat",
    "a:y.diskqueue.000000.dat",
    "a.diskqueue.meta.dat",
    "a:x.diskqueue.meta.dat",
    "a.diskqueue.1000000.dat",
    "a.diskqueue.000009.dat",
  ]);

  assertEquals(queues, [
    { name: "a:x", topic: "a", channel: "x", metaFile: "a:x.diskqueue.meta.dat", dataFiles: [] },
    {
      name: "a:y",
      topic: "a",
      channel: "y",
      metaFile: undefined,
      dataFiles: [{ name: "a:y.diskqueue.000000.dat", number: 0 }],
    },
    {
      name: "a",
      topic: "a",
      channel: undefined,
      metaFile: "a.diskqueue.meta.dat",
      dataFiles: [
        { name: "a.diskqueue.000009.dat", number: 9 },
        { name: "a.diskqueue.000010.dat", number: 10 },
        { name: "a.diskqueue.1000000.dat", number: 1_000_000 },
      ],
    },
    { name: "b", topic: "b", channel: undefined, metaFile: "b.diskqueue.meta.dat", dataFiles: [] },
  ]);
});

Deno.test("findDiskQueues() knows the names that Windows has for channels' files", () => {
  const [{ name, topic, channel }] = findDiskQueues(["a;x.diskqueue.000000.dat"]);

  assertEquals([name, topic, channel], ["a;x", "a", "x"]);
});

Deno.test("findDiskQueues() takes a name with the format's own words in it apart at the last one", () => {
  const [{ topic, channel }] = findDiskQueues(["a.diskqueue.meta.dat:x.diskqueue.y.diskqueue.000000.dat"]);

  assertEquals([topic, channel], ["a.diskqueue.meta.dat", "x.diskqueue.y"]);
});

/** Names that topics and channels may have, and that look like what comes behind them in the names of files. */
const ODD_NAMES = [
  ...["a", ".", "..", "-", "000000", "dat", "meta", "diskqueue", ".diskqueue", "diskqueue.", ".diskqueue."],
  ...["a.diskqueue", "a.diskqueue.x", "a.diskqueue.meta", "a.diskqueue.000001", "a.diskqueue.meta.dat"],
  ...["a.diskqueue.000001.dat", "a.diskqueue.000001.dat.bad", "a.diskqueue.meta.dat.7.tmp", "meta.dat"],
  ...["000001.dat", "a.diskqueue.diskqueue", "a.diskqueue.x.diskqueue.000000.dat", "a.topic", "nsqd.dat"],
  ...["a.diskqueue.x.topic", "x".repeat(64), `${"x".repeat(54)}.diskqueue`, ".diskqueue.000000.dat"],
];

Deno.test("findDiskQueues() gives each file to the one queue that it is of, whatever topics and channels are called", () => {
  const expected = new Map<string, { topic: string; channel: string | undefined; files: string[] }>();
  for (const topic of ODD_NAMES) {
    for (const channel of [undefined, ...ODD_NAMES]) {
      const name = channel === undefined ? topic : `${topic}:${channel}`;
      const files = [`${name}.diskqueue.meta.dat`, `${name}.diskqueue.000001.dat`];
      expected.set(name, { topic, channel, files });
    }
  }
  const files = [...expected.values()].flatMap(({ files }) => files);
  assertEquals(new Set(files).size, files.length);

  const found = findDiskQueues(files);

  assertEquals(found.length, expected.size);
  for (const { name, topic, channel, metaFile, dataFiles } of found) {
    assertEquals(
      { topic, channel, files: [metaFile, ...dataFiles.map(({ name }) => name)] },
      expected.get(name),
    );
  }
});

Deno.test("isQueueFile() knows every file that Go's nsqd makes, and no folder of ours, whatever topics are called", () => {
  for (const topic of ODD_NAMES) {
    for (const tail of ["000000.dat", "1000000.dat.bad", "meta.dat", "meta.dat.5577006791947779410.tmp"]) {
      assert(isQueueFile(`${topic}.diskqueue.${tail}`), `${topic} ${tail}`);
      assert(isQueueFile(`t:${topic}.diskqueue.${tail}`), `${topic} ${tail}`);
    }
    assertEquals(isQueueFile(`${topic}.topic`), false, topic);
  }
});

Deno.test("findDiskQueues() finds none in other files, and in those that Go has given up on", () => {
  assertEquals(
    findDiskQueues([
      "nsqd.dat",
      "a.topic",
      "a.diskqueue.00000.dat",
      "a.diskqueue.0000000.dat",
      "a.diskqueue.000000.dat.old",
      "a.diskqueue.meta.dat.bad",
      "a.diskqueue.x",
      "a.diskqueue.x.topic",
      ".diskqueue.000000.dat",
      "a:.diskqueue.000000.dat",
      ":a.diskqueue.000000.dat",
      "a.diskqueue.000000.dat.bad",
      "a.diskqueue.meta.dat.1234.tmp",
      "a b.diskqueue.000000.dat",
      "a#ephemeral.diskqueue.000000.dat",
      "a:b:c.diskqueue.000000.dat",
      `${"a".repeat(65)}.diskqueue.000000.dat`,
    ]),
    [],
  );
});

for (
  const [name, isOne] of [
    ["a.diskqueue.000000.dat", true],
    ["a:x.diskqueue.meta.dat", true],
    ["a.diskqueue.000000.dat.bad", true],
    ["a.diskqueue.meta.dat.1234.tmp", true],
    ["a.diskqueue.0000000.dat.bad", false],
    ["a.diskqueue.000000.dat.old", false],
    ["a.diskqueue.meta.dat.tmp", false],
    ["a.diskqueue.topic", false],
    ["a.topic", false],
    ["nsqd.dat", false],
    ["a b.diskqueue.000000.dat", false],
  ] as const
) {
  Deno.test(`isQueueFile() says ${isOne} of ${name}`, () => {
    assertEquals(isQueueFile(name), isOne);
  });
}

Deno.test("diskQueueName(), metaFileName() and dataFileName() give the names that Go does", () => {
  const between = Deno.build.os === "windows" ? ";" : ":";
  assertEquals([diskQueueName("a"), diskQueueName("a", "x")], ["a", `a${between}x`]);
  assertEquals(metaFileName("a:x"), "a:x.diskqueue.meta.dat");
  assertEquals([7, 1_000_000].map((number) => dataFileName("a:x", number)), [
    "a:x.diskqueue.000007.dat",
    "a:x.diskqueue.1000000.dat",
  ]);
});

Deno.test("decodeQueueMeta() reads what Go writes", () => {
  assertEquals(decodeQueueMeta(new TextEncoder().encode(META_TEXT)), META);
});

Deno.test("encodeQueueMeta() writes what Go writes", () => {
  assertEquals(new TextDecoder().decode(encodeQueueMeta(META)), META_TEXT);
});

Deno.test("decodeQueueMeta() takes a negative depth, which Go's bugs have left in files", () => {
  assertEquals(decodeQueueMeta(new TextEncoder().encode("-1\n0,0\n0,0\n"))?.depth, -1);
});

for (const text of ["22\r\n2,188\r\n7,376\r\n", "22\n2,188\n7,376", `${META_TEXT}${META_TEXT}`]) {
  Deno.test(`decodeQueueMeta() reads ${JSON.stringify(text)}, as Go does`, () => {
    assertEquals(decodeQueueMeta(new TextEncoder().encode(text)), META);
  });
}

for (
  const text of [
    "",
    "22\n2,188\n",
    "22\n2,188\n7,",
    "22\n2,188\n7,376 and more",
    "22\n-2,188\n7,376\n",
    "22\n2,-188\n7,376\n",
    "22\n2,188\n7,9007199254740992\n",
    "\0".repeat(15),
  ]
) {
  Deno.test(`decodeQueueMeta() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(decodeQueueMeta(new TextEncoder().encode(text)), undefined);
  });
}

/** Three records, of 31 bytes each. */
const RECORDS = goRecords(goMessages("a", "b", "c"));

Deno.test("scanRecords() finds the end of the last whole record, however many bytes there are", () => {
  for (let length = 0; length <= 93; length++) {
    const { end, next, reason } = scanRecords(RECORDS.subarray(0, length), { left: 1000 });

    assertEquals(end, Math.floor(length / 31) * 31, `${length} bytes`);
    assertEquals(next, length % 31 < 30 ? undefined : 31, `${length} bytes`);
    assertEquals(reason, undefined);
  }
});

Deno.test("scanRecords() counts records up to a place, and says how long the one is that reaches beyond it", () => {
  const ends = [0, 30, 31, 32, 61, 62, 93].map((until) => scanRecords(RECORDS, { left: 93, until }));

  assertEquals(ends, [
    { end: 0, next: 31 },
    { end: 0, next: 31 },
    { end: 31, next: 31 },
    { end: 31, next: 31 },
    { end: 31, next: 31 },
    { end: 62, next: 31 },
    { end: 93 },
  ]);
});

Deno.test("scanRecords() wants ids where it is not known that records follow one another", () => {
  const bytes = join(RECORDS, i32(30), new Uint8Array(26), "body", RECORDS);
  const without = { end: 93, reason: "a message of 30 bytes without an id" };

  assertEquals(scanRecords(bytes, { left: 220 }), { end: 220 });
  assertEquals(scanRecords(bytes, { left: 220, proven: 94 }), { end: 220 });
  assertEquals(scanRecords(bytes, { left: 220, proven: 93 }), without);
  assertEquals(scanRecords(bytes, { left: 220, proven: -5 }), without);
});

Deno.test("scanRecords() wants an id of every record that is longer than NSQ's own limit", () => {
  const size = 1024 * 1024 + 26;
  const head = (size: number) => join(i32(size), new Uint8Array(26));

  assertEquals(scanRecords(head(size), { left: 2 * size }), { end: 0, next: size + 4 });
  assertEquals(scanRecords(head(size + 1), { left: 2 * size }), {
    end: 0,
    reason: "a message of 1048603 bytes without an id",
  });
});

for (
  const [what, bytes, may] of [
    ["a record's head", RECORDS.slice(0, 30), true],
    ["what may be the beginning of one, where the file ends", RECORDS.slice(0, 29), true],
    ["NULs", new Uint8Array(30), false],
    ["a size that cannot be", join(i32(25), RECORDS.slice(4, 30)), false],
    ["an id with another character", join(RECORDS.slice(0, 29), "g"), false],
    ["an id with a capital letter", join(RECORDS.slice(0, 29), "A"), false],
    ["an id with each of the digits", join(RECORDS.slice(0, 14), "0123456789abcdef"), true],
    ["text", bytesOf("the quick brown fox jumps over"), false],
  ] as const
) {
  Deno.test(`mayBeginRecord() says ${may} of ${what}`, () => {
    assertEquals(mayBeginRecord(bytes), may);
  });
}
