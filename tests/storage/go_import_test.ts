import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { DENO_FILES, type FileSystem } from "../../src/storage/file_system.ts";
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
import { i32, join } from "../support/frames.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

const MIB = 1024 * 1024;

/** A data path under test. */
class TestPath {
  readonly dataPath: string;
  /** What was logged, without times, and `<data>` for the data path. */
  readonly lines: string[] = [];
  files: FileSystem = DENO_FILES;
  nowMs = FAKE_START_MS;
  maxBytesPerFile = 100 * MIB;

  constructor(dataPath: string) {
    this.dataPath = dataPath;
  }

  fill(...content: readonly FolderContent[]): void {
    for (const some of content) fillFolder(DENO_FILES, this.dataPath, some);
  }

  /** Imports, and finishes; returns the topics. */
  async import(): Promise<string[]> {
    const { dataPath, files, maxBytesPerFile } = this;
    const logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.info,
      write: (line) => this.lines.push(line.slice(27).replaceAll(dataPath, "<data>")),
    });
    const imported = await importDiskQueues({
      dataPath,
      files,
      logger,
      maxBytesPerFile,
      nowMs: () => this.nowMs,
    });
    await imported.finish();
    return [...imported.topics];
  }

  names(folder = ""): string[] {
    return namesIn(DENO_FILES, `${this.dataPath}/${folder}`);
  }

  messages(): Record<string, string[]> {
    return messagesIn(DENO_FILES, this.dataPath);
  }
}

function importTest(name: string, test: (path: TestPath) => Promise<void>): void {
  Deno.test(name, () => withDataPath((dataPath) => test(new TestPath(dataPath))));
}

function texts(...bodies: readonly string[]): string[] {
  return goMessages(...bodies).map(goMessageText);
}

importTest("importDiskQueues() gives each message to the topic or channel that held it", async (path) => {
  path.fill(
    goQueue("a", "own 1", "own 2"),
    goQueue("a:x", "common", "of x"),
    goQueue("a:y", "common"),
    goQueue("b:z", "of z"),
    { "nsqd.dat": "{}" },
  );

  assertEquals(await path.import(), ["a", "b"]);

  assertEquals(path.messages(), {
    "a": texts("own 1", "own 2"),
    "a:x": texts("common", "of x"),
    "a:y": texts("common"),
    "b:z": texts("of z"),
  });
});

importTest(
  "importDiskQueues() gives each message to its topic, whatever topics and channels are called",
  async (path) => {
    const queues = [
      ...["x.diskqueue", "x.diskqueue.y", "x", ".", "..", "a.diskqueue.000000.dat", "a.diskqueue.meta", "a"],
      ...[
        "a.diskqueue.000000.dat.bad:a.diskqueue.meta.dat",
        "a.diskqueue.meta.dat.1.tmp:.diskqueue.",
        "a:000000.dat",
      ],
      ...["b.topic:c", "nsq-diskqueue:c", "nsq-import.done:c", "nsq-import.tmp:c", "nsqd.dat:state"],
    ];
    for (const queue of queues) path.fill(goQueue(queue, `of ${queue}`));

    const topics = await path.import();

    const expected = Object.fromEntries(queues.map((queue) => [queue, texts(`of ${queue}`)]));
    assertEquals(path.messages(), expected);
    assertEquals(new Set(topics), new Set(queues.map((queue) => queue.split(":")[0])));
    assertEquals(path.names().filter((name) => !name.endsWith(".topic/")), ["nsq-diskqueue/"]);
    assertEquals(path.names("nsq-diskqueue").length, 2 * queues.length);
    assertEquals(path.names("nsq-diskqueue").filter((name) => name.endsWith("/")), []);
  },
);

importTest(
  "importDiskQueues() touches no folder, no link to one and no other file, whatever they are called",
  async (path) => {
    const ours = ["x.diskqueue", "x.diskqueue.y", "a.diskqueue.000000.dat", "a.diskqueue.meta.dat"];
    for (const topic of ours) path.fill(goQueue(topic, `of ${topic}`));
    await path.import();
    Deno.removeSync(`${path.dataPath}/nsq-diskqueue`, { recursive: true });
    const others = [
      "a.diskqueue.000000.dat.old",
      "a.diskqueue.x",
      "b.diskqueue.000000.dat.topic",
      "nsqd.dat",
    ];
    path.fill(Object.fromEntries(others.map((name) => [name, name])));
    for (const name of ["a.diskqueue.000007.dat", "a.diskqueue.000000.dat.bad", "c.diskqueue.meta.dat"]) {
      Deno.mkdirSync(`${path.dataPath}/${name}`);
      Deno.writeTextFileSync(`${path.dataPath}/${name}/file`, "somebody's");
    }
    Deno.symlinkSync(`${path.dataPath}/a.diskqueue.000007.dat`, `${path.dataPath}/a.diskqueue.000008.dat`);
    Deno.symlinkSync(`${path.dataPath}/x.diskqueue.topic`, `${path.dataPath}/x.diskqueue.000000.dat.bad`);
    const before = path.names();
    path.fill(goQueue("a:c", "of Go's"), {
      "c.diskqueue.000000.dat": goRecords(goMessages("of Go's, too")),
    });

    // The folder that is called as its metadata is left alone, and so is not read.
    await path.import();

    assertEquals(path.names(), [...before, "a.topic/", "c.topic/", "nsq-diskqueue/"].sort());
    assertEquals(path.messages(), {
      ...Object.fromEntries(ours.map((topic) => [topic, texts(`of ${topic}`)])),
      "a:c": texts("of Go's"),
      "c": texts("of Go's, too"),
    });
    assertEquals(path.names("nsq-diskqueue"), [
      "a:c.diskqueue.000000.dat",
      "a:c.diskqueue.meta.dat",
      "c.diskqueue.000000.dat",
    ]);
  },
);

importTest(
  "importDiskQueues() takes what links to files lead to, as Go does, and leaves that where it is",
  async (path) => {
    const elsewhere = `${path.dataPath}/elsewhere`;
    Deno.mkdirSync(elsewhere);
    const [data] = Object.values(goQueue("t", "m"));
    Deno.writeFileSync(`${elsewhere}/data`, data as Uint8Array);
    Deno.symlinkSync(`${elsewhere}/data`, `${path.dataPath}/t.diskqueue.000000.dat`);

    await path.import();

    assertEquals(path.messages(), { "t": texts("m") });
    assertEquals(path.names(), ["elsewhere/", "nsq-diskqueue/", "t.topic/"]);
    assertEquals(path.names("elsewhere"), ["data"]);
  },
);

importTest("importDiskQueues() refuses a link to nothing, and touches nothing", async (path) => {
  path.fill(goQueue("a", "m"));
  Deno.symlinkSync(`${path.dataPath}/nowhere`, `${path.dataPath}/b.diskqueue.000000.dat`);
  const before = path.names();

  await assertRejects(() => path.import(), Error, "No such file or directory");

  assertEquals(path.names(), before);
});

for (
  const [name, problem] of [
    [
      "t.topic",
      "topic t has messages in t:c.diskqueue.* and t.topic, which is no folder, is in their way: move one",
    ],
    ["nsq-import.tmp", "<data>/nsq-import.tmp is in the way, which is no folder"],
    ["nsq-import.done", "<data>/nsq-import.done is in the way, which is no folder"],
  ] as const
) {
  importTest(
    `importDiskQueues() refuses a file or link called ${name}, and touches nothing`,
    async (path) => {
      path.fill(goQueue("t:c", "m"));
      Deno.mkdirSync(`${path.dataPath}/folder`);
      for (
        const make of [
          () => path.fill({ [name]: "somebody's" }),
          () => Deno.symlinkSync(`${path.dataPath}/folder`, `${path.dataPath}/${name}`),
        ]
      ) {
        make();
        const before = path.names();

        const error = await assertRejects(() => path.import(), Error);

        assertStringIncludes(error.message.replaceAll(path.dataPath, "<data>"), problem);
        assertEquals(path.names(), before);
        Deno.removeSync(`${path.dataPath}/${name}`);
      }
      await path.import();
      assertEquals(path.messages(), { "t:c": texts("m") });
    },
  );
}

importTest("importDiskQueues() says what it makes of a position where no message begins", async (path) => {
  const data = goRecords(goMessages("1", "2", "3"));
  path.fill({
    "t:c.diskqueue.000000.dat": data,
    "t:c.diskqueue.meta.dat": "1\n0,40\n0,93\n",
    "t.diskqueue.000000.dat": data,
    "t.diskqueue.meta.dat": "1\n0,93\n0,62\n",
  });

  await path.import();

  assertEquals(path.messages(), { "t:c": texts("1", "2", "3").slice(1), "t": texts("1", "2", "3") });
  assertEquals(path.lines.slice(1, -2), [
    "WARNING: DISKQUEUE(t:c): reading is to go on at byte 40 of t:c.diskqueue.000000.dat, inside a message: " +
    "it goes on with all of that one, at byte 31",
    "INFO: DISKQUEUE(t:c): imported 2 messages, from byte 31 of t:c.diskqueue.000000.dat on",
    "WARNING: DISKQUEUE(t:c): its metadata says 1 messages, 2 are in its files",
    "WARNING: DISKQUEUE(t): its metadata cannot be right, everything is taken: reading is at 0,93, behind writing at 0,62",
    "INFO: DISKQUEUE(t): imported 3 messages, from byte 0 of t.diskqueue.000000.dat on",
    "WARNING: DISKQUEUE(t): its metadata says 1 messages, 3 are in its files",
  ]);
});

importTest("importDiskQueues() keeps ids, attempts and timestamps", async (path) => {
  const messages = [
    { body: "", id: "0000000000000001", attempts: 0, timestampNs: 0n },
    { body: "x", id: "ffffffffffffffff", attempts: 65535, timestampNs: 2n ** 63n - 1n },
  ];
  path.fill({ "t:c.diskqueue.000000.dat": goRecords(messages) });

  await path.import();

  assertEquals(path.messages(), { "t:c": messages.map(goMessageText) });
});

importTest("importDiskQueues() puts Go's files into a folder, all of them, and no other", async (path) => {
  const others = { "nsqd.dat": "{}", "notes.txt": "", "a.diskqueue": "" };
  path.fill(goQueue("a:x", "m"), others, {
    "a.diskqueue.000000.dat.bad": "",
    "a.diskqueue.meta.dat.77.tmp": "",
  });

  await path.import();

  assertEquals(path.names(), ["a.diskqueue", "a.topic/", "notes.txt", "nsq-diskqueue/", "nsqd.dat"]);
  assertEquals(path.names("nsq-diskqueue"), [
    "a.diskqueue.000000.dat.bad",
    "a.diskqueue.meta.dat.77.tmp",
    "a:x.diskqueue.000000.dat",
    "a:x.diskqueue.meta.dat",
  ]);
});

importTest("importDiskQueues() leaves a data path as it is that has nothing to import", async (path) => {
  path.fill({ "nsqd.dat": "{}", "a.diskqueue.000000.dat.bad": "" });

  assertEquals(await path.import(), []);

  assertEquals(path.names(), ["a.diskqueue.000000.dat.bad", "nsqd.dat"]);
  assertEquals(path.lines, []);
});

importTest(
  "importDiskQueues() makes nothing for queues without messages, and puts their files away",
  async (path) => {
    path.fill(goQueue("a"), goQueue("a:x"));

    assertEquals(await path.import(), ["a"]);

    assertEquals(path.names(), ["nsq-diskqueue/"]);
  },
);

importTest("importDiskQueues() says what it took from where, and where Go's files are", async (path) => {
  const data = goRecords(goMessages("1", "2", "3"));
  path.fill(goQueue("a", "own"), {
    "a:x.diskqueue.000004.dat": data,
    "a:x.diskqueue.000005.dat": data,
    "a:x.diskqueue.meta.dat": `4\n4,31\n5,93\n`,
    "a:y.diskqueue.000000.dat": data,
    "a:z.diskqueue.meta.dat": "0\n0,0\n0,0\n",
  });

  await path.import();

  assertEquals(path.lines, [
    "INFO: NSQ: importing 4 queues of Go's nsqd from <data>",
    "INFO: DISKQUEUE(a:x): imported 5 messages, from byte 31 of a:x.diskqueue.000004.dat on",
    "WARNING: DISKQUEUE(a:x): its metadata says 4 messages, 5 are in its files",
    "INFO: DISKQUEUE(a:y): imported 3 messages, from byte 0 of a:y.diskqueue.000000.dat on, because it has no metadata",
    "INFO: DISKQUEUE(a:z): imported 0 messages",
    "INFO: DISKQUEUE(a): imported 1 messages, from byte 0 of a.diskqueue.000000.dat on",
    "INFO: NSQ: imported 9 messages of Go's nsqd",
    "INFO: NSQ: the files of Go's nsqd are in <data>/nsq-diskqueue now, and can be removed",
  ]);
});

importTest("importDiskQueues() says in one line what it cannot read, and takes what it can", async (path) => {
  const [before, after] = [goRecords(goMessages("a")), goRecords(goMessages("b"))];
  path.fill({
    "t:c.diskqueue.000000.dat": join(before, i32(3), after),
    "t:c.diskqueue.000001.dat": after,
    "t:c.diskqueue.meta.dat": "3\n0,0\n1,31\n",
  });

  await path.import();

  assertEquals(path.messages(), { "t:c": [...texts("a"), ...texts("b")] });
  assertEquals(path.lines.slice(1, 4), [
    "ERROR: DISKQUEUE(t:c): t:c.diskqueue.000000.dat cannot be read from byte 31 on, 35 bytes are left out" +
    " - a message of 3 bytes",
    "INFO: DISKQUEUE(t:c): imported 2 messages, from byte 0 of t:c.diskqueue.000000.dat on",
    "WARNING: DISKQUEUE(t:c): its metadata says 3 messages, 2 are in its files",
  ]);
});

importTest("importDiskQueues() says every few seconds how far it has come", async (path) => {
  path.fill(goQueue("t", ...Array.from({ length: 4 }, () => "x".repeat(MIB))));
  const { readPart } = DENO_FILES;
  path.files = {
    ...DENO_FILES,
    readPart(name, part) {
      path.nowMs += 3000;
      return readPart(name, part);
    },
  };

  await path.import();

  const progress = path.lines.filter((line) => line.includes("so far"));
  assertEquals(progress[0], "INFO: NSQ: imported 1 messages, 1 MiB so far, now at t");
  assertEquals(progress.at(-1)?.startsWith("INFO: NSQ: imported 4 messages, 4 MiB so far"), true);
});

importTest(
  "importDiskQueues() makes segments of at most --max-bytes-per-file, and larger ones for larger messages",
  async (path) => {
    const bodies = ["x".repeat(2000), ...Array.from({ length: 40 }, (_, i) => `${i} ${"y".repeat(60)}`)];
    path.fill(goQueue("t:c", ...bodies), goQueue("t", ...bodies));
    path.maxBytesPerFile = 1000;

    await path.import();

    assertEquals(path.messages(), { "t:c": texts(...bodies), "t": texts(...bodies) });
    const sizes = path.names("t.topic").filter((name) => name.endsWith(".seg"))
      .map((name) => Deno.statSync(`${path.dataPath}/t.topic/${name}`).size);
    assertEquals(sizes.filter((size) => size > 1000).length, 2);
    assertEquals(sizes.length, 14);
  },
);

importTest("importDiskQueues() makes segments of at most 4 MiB and 65536 messages", async (path) => {
  path.fill(
    goQueue("large", ...Array.from({ length: 6 }, () => "x".repeat(MIB))),
    { "small.diskqueue.000000.dat": join(...Array<Uint8Array>(65537).fill(goRecords([{ body: "" }]))) },
  );

  await path.import();

  const { large, small } = path.messages();
  assertEquals([large.length, small.length], [6, 65537]);
  const segments = (topic: string) =>
    path.names(topic).filter((name) => name.endsWith(".seg"))
      .map((name) => Deno.statSync(`${path.dataPath}/${topic}/${name}`).size);
  assertEquals(segments("large.topic").length, 2);
  assertEquals(segments("small.topic").length, 2);
  assertEquals(
    [...segments("large.topic"), ...segments("small.topic")].every((size) => size <= 4 * MIB),
    true,
  );
});

importTest(
  "importDiskQueues() refuses a topic that has messages of ours, and touches nothing",
  async (path) => {
    path.fill(goQueue("a:x", "first"));
    await path.import();
    path.fill(goQueue("a:x", "second"), goQueue("b", "other"));
    const before = path.names();

    await assertRejects(
      () => path.import(),
      Error,
      "failed to import the queues of Go's nsqd - topic a has messages in a:x.diskqueue.* and in a.topic: move one of " +
        "them, with a copy of nsqd.dat, to a data path of its own and start another nsqd there; nothing was changed",
    );

    assertEquals(path.names(), before);
    assertEquals(path.messages(), { "a:x": texts("first") });
  },
);

importTest("importDiskQueues() takes no offence at Go's files without messages beside ours", async (path) => {
  path.fill(goQueue("a:x", "first"));
  await path.import();
  path.fill(goQueue("a:x"), goQueue("a"), goQueue("b", "other"));

  await path.import();

  assertEquals(path.messages(), { "a:x": texts("first"), "b": texts("other") });
});

importTest("importDiskQueues() gives the files of a second import a folder of their own", async (path) => {
  path.fill(goQueue("a", "first"));
  await path.import();
  path.fill(goQueue("b", "second"));
  await path.import();
  path.fill(goQueue("c", "third"));
  await path.import();

  assertEquals(path.names(), [
    ...["a.topic/", "b.topic/", "c.topic/"],
    ...["nsq-diskqueue.2/", "nsq-diskqueue.3/", "nsq-diskqueue/"],
  ]);
  assertEquals(path.messages(), { "a": texts("first"), "b": texts("second"), "c": texts("third") });
});

importTest("importDiskQueues() begins anew what was interrupted before its end", async (path) => {
  path.fill(goQueue("a", "m"));
  Deno.mkdirSync(`${path.dataPath}/nsq-import.tmp/a.topic`, { recursive: true });
  Deno.writeTextFileSync(`${path.dataPath}/nsq-import.tmp/a.topic/00000000000001.seg`, "half");

  await path.import();

  assertEquals(path.names(), ["a.topic/", "nsq-diskqueue/"]);
  assertEquals(path.messages(), { "a": texts("m") });
});

importTest(
  "importDiskQueues() says that it goes on with what was interrupted after the messages were there",
  async (path) => {
    path.fill(goQueue("a", "m"), goQueue("b:x", "n"));
    await path.import();
    // As it was in the middle of the moving.
    Deno.renameSync(`${path.dataPath}/nsq-diskqueue`, `${path.dataPath}/nsq-import.done`);
    Deno.renameSync(`${path.dataPath}/b.topic`, `${path.dataPath}/nsq-import.done/b.topic`);
    const file = "a.diskqueue.000000.dat";
    Deno.renameSync(`${path.dataPath}/nsq-import.done/${file}`, `${path.dataPath}/${file}`);
    path.lines.length = 0;

    assertEquals(await path.import(), ["a", "b"]);

    assertEquals(path.names(), ["a.topic/", "b.topic/", "nsq-diskqueue/"]);
    assertEquals(path.messages(), { "a": texts("m"), "b:x": texts("n") });
    assertEquals(path.lines, [
      "INFO: NSQ: importing the queues of Go's nsqd was interrupted, going on",
      "INFO: NSQ: the files of Go's nsqd are in <data>/nsq-diskqueue now, and can be removed",
    ]);
  },
);

importTest("importDiskQueues() leaves all as it was when the disk is full", async (path) => {
  path.fill(goQueue("a", "m"), goQueue("b", "n"));
  const before = path.names();
  path.files = {
    ...DENO_FILES,
    openAppend(name) {
      if (name.includes("b.topic")) throw new Error("No space left on device (os error 28)");
      return DENO_FILES.openAppend(name);
    },
  };

  await assertRejects(
    () => path.import(),
    Error,
    "failed to import the queues of Go's nsqd - No space left on device (os error 28)",
  );

  assertEquals(path.names(), before);
});
