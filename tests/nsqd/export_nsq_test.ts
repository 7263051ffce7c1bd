import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import {
  EXPORT_NSQ_OPTIONS,
  exportNsq,
  type ExportNsqOptions,
  loadExportNsqOptions,
} from "../../src/nsqd/export_nsq.ts";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { eventually } from "../support/eventually.ts";
import { bytesOf, mpub, pub, withBody } from "../support/frames.ts";
import {
  fillFolder,
  goMessages,
  goMessagesIn,
  goQueue,
  goRecords,
  namesIn,
} from "../support/go_data_path.ts";
import { countsOf, nsqdIn, type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

/** A data path, and a folder to export to. */
interface TestPaths {
  readonly dataPath: string;
  readonly to: string;
  /** Exports; returns the log, with `<to>` for the folder. */
  readonly export: (options?: Partial<ExportNsqOptions>) => Promise<string[]>;
  /** The messages of a queue that was exported, without ids and timestamps: attempts and body. */
  readonly queue: (name: string) => string[];
}

function exportTest(name: string, test: (paths: TestPaths) => Promise<void>): void {
  Deno.test(name, () =>
    withDataPath(async (folder) => {
      const dataPath = `${folder}/data`;
      const to = `${folder}/go`;
      Deno.mkdirSync(dataPath);
      await test({
        dataPath,
        to,
        async export(options = {}) {
          const lines: string[] = [];
          const write = (line: string) => lines.push(line.slice(27).replaceAll(to, "<to>"));
          const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
          await exportNsq(
            { ...defaultOptions(EXPORT_NSQ_OPTIONS), dataPath, to, nodeId: 5, ...options },
            logger,
          );
          return lines;
        },
        queue: (name) => queueIn(to, name).map((text) => text.replace(/^(\S+) (\S+) \S+ /, "$2 ")),
      });
    }));
}

/** The messages of a queue in one file. */
function queueIn(folder: string, name: string): string[] {
  return goMessagesIn(DENO_FILES.readSync(`${folder}/${name}.diskqueue.000000.dat`));
}

/** Every file below a folder with its bytes and the time it was changed. */
function contentOf(folder: string): Record<string, unknown> {
  const content: Record<string, unknown> = {};
  for (const { name, isFolder } of DENO_FILES.list(folder)) {
    const path = `${folder}/${name}`;
    content[name] = isFolder
      ? contentOf(path)
      : [DENO_FILES.readSync(path).toHex(), Deno.statSync(path).mtime?.getTime()];
  }
  return content;
}

async function post({ httpUrl }: NsqdInProcess, path: string): Promise<void> {
  const response = await fetch(httpUrl + path, { method: "POST" });
  await response.body?.cancel();
  assertEquals(response.status, 200);
}

exportTest(
  "exportNsq() writes each channel's unfinished messages, and each topic's own, with their attempts",
  async (paths) => {
    await withNsqd(paths.dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("t").channel("idle");
      await client.ask("SUB t c\n");
      await client.ask(
        mpub("t", ["waiting 1", "finished", "requeued", "in flight", "deferred", "waiting 2"]),
      );
      await client.send("RDY 5\n");
      const messages = [];
      for (let i = 0; i < 5; i++) messages.push(await client.message());
      await client.send("RDY 0\n", `FIN ${messages[1].id}\n`);
      await client.send(
        `REQ ${messages[0].id} 0\n`,
        `REQ ${messages[2].id} 0\n`,
        `REQ ${messages[4].id} 60000\n`,
      );
      await client.ask(withBody("DPUB t 3600000", "published late"));
      await client.ask(mpub("own", ["1", "2"]));
      await client.ask(withBody("DPUB own 3600000", "3"));
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 3, inFlight: 1, deferred: 2 });
    });

    const lines = await paths.export();

    assertEquals(paths.queue("t:c").sort(), [
      "0 published late",
      "0 waiting 2",
      "1 deferred",
      "1 in flight",
      "1 requeued",
      "1 waiting 1",
    ]);
    assertEquals(paths.queue("t:idle").sort(), [
      "0 deferred",
      "0 finished",
      "0 in flight",
      "0 published late",
      "0 requeued",
      "0 waiting 1",
      "0 waiting 2",
    ]);
    assertEquals(paths.queue("own"), ["0 1", "0 2", "0 3"]);
    assertEquals(namesIn(DENO_FILES, paths.to), [
      "nsqd.dat",
      "own.diskqueue.000000.dat",
      "own.diskqueue.meta.dat",
      "t:c.diskqueue.000000.dat",
      "t:c.diskqueue.meta.dat",
      "t:idle.diskqueue.000000.dat",
      "t:idle.diskqueue.meta.dat",
    ]);
    assertEquals(lines, [
      "INFO: DISKQUEUE(t:idle): exported 7 messages",
      "INFO: DISKQUEUE(t:c): exported 6 messages",
      "INFO: DISKQUEUE(own): exported 3 messages",
      "INFO: NSQ: exported 16 messages of 3 queues to <to>",
      "WARNING: NSQ: 4 of them were deferred and are ready there: NSQ's files do not say until when",
    ]);
  },
);

exportTest(
  "exportNsq() writes the ids and timestamps that the messages were published with",
  async (paths) => {
    const delivered: string[] = [];
    await withNsqd(paths.dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.ask(mpub("t", ["a", "b"]));
      await client.send("RDY 5\n");
      for (let i = 0; i < 2; i++) {
        const { id, timestampNs, body } = await client.message();
        delivered.push(`${id} 1 ${timestampNs} ${body}`);
      }
    });

    await paths.export();

    assertEquals(queueIn(paths.to, "t:c"), delivered);
  },
);

exportTest("exportNsq() gives back what was imported, byte by byte", async (paths) => {
  const messages = goMessages("a", "", "b".repeat(5000)).map((message, i) => ({ ...message, attempts: i }));
  const data = goRecords(messages);
  const files = {
    "nsqd.dat":
      '{"topics":[{"name":"t","paused":true,"channels":[{"name":"c","paused":false}]}],"version":"1.3.0"}',
    "t.diskqueue.000000.dat": data,
    "t.diskqueue.meta.dat": `3\n0,0\n0,${data.length}\n`,
    "t:c.diskqueue.000000.dat": data,
    "t:c.diskqueue.meta.dat": `3\n0,0\n0,${data.length}\n`,
  };
  fillFolder(DENO_FILES, paths.dataPath, files);
  await withNsqd(paths.dataPath, {}, () => Promise.resolve());

  await paths.export();

  for (const [name, content] of Object.entries(files)) {
    assertEquals(DENO_FILES.readSync(`${paths.to}/${name}`), bytesOf(content), name);
  }
  assertEquals(namesIn(DENO_FILES, paths.to), Object.keys(files).sort());
});

exportTest(
  "exportNsq() keeps the messages of a paused topic apart from its channels', and everything paused",
  async (paths) => {
    await withNsqd(paths.dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("t").channel("c");
      await client.ask(pub("t", "before"));
      await post(nsqd, "/topic/pause?topic=t");
      await post(nsqd, "/channel/pause?topic=t&channel=c");
      await client.ask(pub("t", "after"));
    });

    await paths.export();

    assertEquals([paths.queue("t:c"), paths.queue("t")], [["0 before"], ["0 after"]]);
    assertEquals(JSON.parse(Deno.readTextFileSync(`${paths.to}/nsqd.dat`)), {
      topics: [{ name: "t", paused: true, channels: [{ name: "c", paused: true }] }],
      version: "1.3.0",
    });
  },
);

exportTest("exportNsq() changes nothing in the data path, and can be repeated", async (paths) => {
  await withNsqd(paths.dataPath, { memQueueSize: 3 }, async (nsqd) => {
    using client = await nsqd.connect();
    nsqd.nsqd.broker.topic("t").channel("c");
    await client.ask(mpub("t", Array.from({ length: 100 }, (_, i) => `m ${i}`)));
    await client.ask(withBody("DPUB t 3600000", "late"));
  });
  const before = contentOf(paths.dataPath);

  await paths.export();
  const first = contentOf(paths.to);
  Deno.removeSync(paths.to, { recursive: true });
  await paths.export();

  assertEquals(contentOf(paths.dataPath), before);
  assertEquals(Object.keys(contentOf(paths.to)), Object.keys(first));
  assertEquals(paths.queue("t:c").length, 101);
});

exportTest("exportNsq() reads what a killed nsqd has left, and leaves it as it is", async (paths) => {
  const bodies = Array.from({ length: 30 }, (_, i) => `m ${i}`);
  const copy = `${paths.dataPath}/../copy`;
  await withNsqd(paths.dataPath, { durability: "disk", maxBytesPerFile: 500 }, async (nsqd) => {
    using client = await nsqd.connect();
    nsqd.nsqd.broker.topic("t").channel("c");
    for (const body of bodies) await client.ask(pub("t", body));
    await eventually(
      "the metadata are there",
      () => namesIn(DENO_FILES, paths.dataPath).includes("nsqd.dat"),
    );
    copyFolder(paths.dataPath, copy);
  });
  const torn = namesIn(DENO_FILES, `${copy}/t.topic`).findLast((name) => name.endsWith(".seg"));
  Deno.writeTextFileSync(`${copy}/t.topic/${torn}`, "NSQb torn", { append: true });
  const before = contentOf(copy);

  await paths.export({ dataPath: copy, logLevel: LOG_LEVELS.fatal });

  assertEquals(paths.queue("t:c"), bodies.map((body) => `0 ${body}`));
  assertEquals(contentOf(copy), before);
});

exportTest(
  "exportNsq() gives files the names that NSQ's nsqd looks for, whatever topics and channels are called",
  async (paths) => {
    await withNsqd(paths.dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("x.diskqueue.y").channel(".diskqueue.000000.dat");
      for (const topic of ["x.diskqueue.y", "x.diskqueue", "a.diskqueue.meta.dat", ".."]) {
        await client.ask(pub(topic, `of ${topic}`));
      }
    });

    await paths.export();

    assertEquals(namesIn(DENO_FILES, paths.to), [
      "...diskqueue.000000.dat",
      "...diskqueue.meta.dat",
      "a.diskqueue.meta.dat.diskqueue.000000.dat",
      "a.diskqueue.meta.dat.diskqueue.meta.dat",
      "nsqd.dat",
      "x.diskqueue.diskqueue.000000.dat",
      "x.diskqueue.diskqueue.meta.dat",
      "x.diskqueue.y:.diskqueue.000000.dat.diskqueue.000000.dat",
      "x.diskqueue.y:.diskqueue.000000.dat.diskqueue.meta.dat",
    ]);
    assertEquals(paths.queue("x.diskqueue.y:.diskqueue.000000.dat"), ["0 of x.diskqueue.y"]);
    assertEquals(paths.queue(".."), ["0 of .."]);
  },
);

exportTest("exportNsq() rolls files, and reads segments one after the other", async (paths) => {
  const bodies = Array.from({ length: 500 }, (_, i) => `${i} ${"x".repeat(50)}`);
  await withNsqd(paths.dataPath, { memQueueSize: 0, maxBytesPerFile: 1000 }, async (nsqd) => {
    using client = await nsqd.connect();
    nsqd.nsqd.broker.topic("t").channel("c");
    for (let i = 0; i < 500; i += 10) await client.ask(mpub("t", bodies.slice(i, i + 10)));
    for (let i = 0; i < 20; i++) await client.ask(withBody("DPUB t 3600000", `late ${i}`));
  });

  await paths.export({ maxBytesPerFile: 5000 });

  const files = namesIn(DENO_FILES, paths.to).filter((name) => /\d\.dat$/.test(name));
  assertEquals(files.length, 9);
  const read = files.flatMap((name) => goMessagesIn(DENO_FILES.readSync(`${paths.to}/${name}`)));
  assertEquals(read.length, 520);
  assertEquals(new Set(read.map((text) => text.split(" ").slice(3).join(" "))).size, 520);
  assertEquals(files.every((name) => Deno.statSync(`${paths.to}/${name}`).size <= 5000), true);
});

exportTest("exportNsq() warns of messages that NSQ's nsqd would take for damage", async (paths) => {
  await withNsqd(paths.dataPath, { maxMsgSizeBytes: 2 << 20 }, async (nsqd) => {
    using client = await nsqd.connect();
    await client.ask(pub("t", "x".repeat((1 << 20) + 1)));
  });

  const lines = await paths.export();

  assertEquals(lines.at(-1), "WARNING: NSQ: NSQ's nsqd reads them with --max-msg-size=1048577 or more only");
});

exportTest("exportNsq() writes an empty data path, and one without messages", async (paths) => {
  await paths.export();
  assertEquals(Deno.readTextFileSync(`${paths.to}/nsqd.dat`), '{"topics":null,"version":"1.3.0"}');
  assertEquals(namesIn(DENO_FILES, paths.to), ["nsqd.dat"]);
});

exportTest("exportNsq() takes an empty folder, whatever its name ends with", async (paths) => {
  Deno.mkdirSync(paths.to);

  await paths.export({ to: `${paths.to}//` });

  assertEquals(namesIn(DENO_FILES, paths.to), ["nsqd.dat"]);
});

exportTest("exportNsq() replaces what an interrupted export has left", async (paths) => {
  Deno.mkdirSync(`${paths.to}.export-nsq.tmp`);
  fillFolder(DENO_FILES, `${paths.to}.export-nsq.tmp`, goQueue("old", "1"));

  await paths.export();

  assertEquals(namesIn(DENO_FILES, paths.to), ["nsqd.dat"]);
  assertEquals(namesIn(DENO_FILES, `${paths.dataPath}/..`), ["data/", "go/"]);
});

exportTest("exportNsq() refuses a folder with something in it", async (paths) => {
  Deno.mkdirSync(paths.to);
  Deno.writeTextFileSync(`${paths.to}/notes`, "");

  await assertRejects(() => paths.export(), Error, `${paths.to} is not empty`);

  assertEquals(namesIn(DENO_FILES, paths.to), ["notes"]);
});

exportTest("exportNsq() refuses the data path of an nsqd that runs", async (paths) => {
  const nsqd = nsqdIn(paths.dataPath, {}, []);
  await nsqd.start();
  try {
    await assertRejects(() => paths.export(), Error, "possibly in use by another instance of nsqd");
  } finally {
    await nsqd.stop();
  }
});

exportTest("exportNsq() refuses a data path with messages that nsqd has not imported yet", async (paths) => {
  fillFolder(DENO_FILES, paths.dataPath, goQueue("t", "1"));

  await assertRejects(
    () => paths.export(),
    Error,
    "has messages of NSQ's nsqd: start and stop denosq's nsqd there",
  );
});

exportTest("exportNsq() writes nothing when a segment cannot be read", async (paths) => {
  const segment = await makeSegment(paths);
  const { read } = DENO_FILES;
  DENO_FILES.read = (path) => {
    if (path === segment) throw new Error("Input/output error (os error 5)");
    return read(path);
  };
  try {
    await assertRejects(
      () => paths.export({ logLevel: LOG_LEVELS.fatal }),
      Error,
      "1 messages of t:c cannot be read",
    );
  } finally {
    DENO_FILES.read = read;
  }

  assertEquals(namesIn(DENO_FILES, `${paths.dataPath}/..`), ["data/"]);
});

exportTest(
  "exportNsq() writes nothing when a segment cannot be read that a killed nsqd has left",
  async (paths) => {
    const segment = await makeSegment(paths);
    // What says how many messages it has is missing, so it is read at once.
    Deno.truncateSync(segment, Deno.statSync(segment).size - 1);
    const { readSync } = DENO_FILES;
    DENO_FILES.readSync = (path) => {
      if (path === segment) throw new Error("Input/output error (os error 5)");
      return readSync(path);
    };
    try {
      await assertRejects(
        () => paths.export({ logLevel: LOG_LEVELS.fatal }),
        Error,
        "Input/output error (os error 5)",
      );
    } finally {
      DENO_FILES.readSync = readSync;
    }

    assertEquals(namesIn(DENO_FILES, `${paths.dataPath}/..`), ["data/"]);
  },
);

/** Makes a data path with one message; returns the path of its segment. */
async function makeSegment({ dataPath }: TestPaths): Promise<string> {
  await withNsqd(dataPath, {}, async (nsqd) => {
    using client = await nsqd.connect();
    nsqd.nsqd.broker.topic("t").channel("c");
    await client.ask(pub("t", "m"));
  });
  const [name] = namesIn(DENO_FILES, `${dataPath}/t.topic`);
  return `${dataPath}/t.topic/${name}`;
}

Deno.test("loadExportNsqOptions() wants a folder to write to, and a node id that there can be", () => {
  for (
    const [args, problem] of [
      [[], /--to must name the folder/],
      [["--to=x", "--node-id=1024"], /--node-id must be from 0 to 1023/],
      [["--to=x", "--node-id=-1"], /--node-id must be from 0 to 1023/],
      [["--to=x", "--tcp-address=:1"], /tcp-address/],
    ] as const
  ) {
    const loaded = loadExportNsqOptions(args);
    assert(loaded.kind === "exit");
    assertEquals(loaded.code, 1);
    assertMatch(loaded.text, problem);
  }
});

Deno.test("loadExportNsqOptions() has nsqd's defaults", () => {
  const loaded = loadExportNsqOptions(["--to=x", "--data-path=y"]);
  assert(loaded.kind === "run");
  const { to, dataPath, maxBytesPerFile } = loaded.options;
  assertEquals({ to, dataPath, maxBytesPerFile }, { to: "x", dataPath: "y", maxBytesPerFile: 104_857_600 });
});

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isFolder } of DENO_FILES.list(from)) {
    if (isFolder) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}
