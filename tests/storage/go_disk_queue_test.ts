import { assert, assertEquals } from "@std/assert";
import {
  dataFileName,
  decodeQueueMeta,
  diskQueueName,
  encodeQueueMeta,
  findDiskQueues,
  isQueueFile,
  metaFileName,
} from "../../src/storage/go_disk_queue.ts";

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

for (
  const text of [
    "",
    "22\n2,188\n",
    "22\n2,188\n7,37",
    "22\n-2,188\n7,376\n",
    "\0".repeat(15),
    `9${META_TEXT}`.repeat(2),
  ]
) {
  Deno.test(`decodeQueueMeta() refuses ${JSON.stringify(text)}, or reads what is whole`, () => {
    const whole = text.startsWith("9");
    assertEquals(decodeQueueMeta(new TextEncoder().encode(text))?.depth, whole ? 922 : undefined);
  });
}
