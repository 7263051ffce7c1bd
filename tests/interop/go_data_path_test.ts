/**
 * Data paths that go from Go's nsqd to the server under test, and back. The environment variable `NSQ_BIN` names the
 * folder that holds NSQ's programs, of its last release; Go builds an nsqd of the one before. Each data path is read by
 * both servers, from copies: they must agree.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { mpub, pub, withBody } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { goMessagesIn } from "../support/go_data_path.ts";
import { interopTest, MissingError, runProgram, TempFolder } from "../support/interop.ts";
import { nsqdCommand, type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";

/** Go's nsqd, and a folder for the data paths. */
interface Setup extends AsyncDisposable {
  readonly goCommand: readonly string[];
  readonly folder: string;
}

/** A server's topics and channels, what is paused and how many messages wait. */
type Outline = Record<string, string>;

/** Everything that a data path holds, as a server sees it. */
interface Content {
  readonly outline: Outline;
  /** By topic and channel, or `topic` for its own: attempts, id, timestamp and body of each message, sorted. */
  readonly messages: Record<string, string[]>;
}

for (const [release, findNsqd] of [["1.3", findLastNsqd], ["1.2", findEarlierNsqd]] as const) {
  interopTest(
    `A data path of Go's nsqd ${release} has the same content for the server under test`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, setup.goCommand, ["--mem-queue-size=3"], fill);
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);

      const expected = await contentOf(copy, setup.goCommand);
      const actual = await contentOf(dataPath, nsqdCommand());

      assertEquals(actual, expected);
      assertEquals(actual.outline, OUTLINE);
    },
  );

  interopTest(
    `Queues of Go's nsqd ${release} with several files, half consumed, have the same content`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      const args = ["--mem-queue-size=0", "--max-bytes-per-file=1000"];
      await runOn(dataPath, setup.goCommand, args, async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        await create(nsqd, "rolled", "c");
        await client.ask(mpub("rolled", Array.from({ length: 60 }, (_, i) => `${i} ${"x".repeat(i)}`)));
        await consume(nsqd, "rolled", "c", 25, { leaving: 35 });
        await settled(nsqd, "rolled", "c", 35, { in_flight_count: 0 });
        await client.ask(mpub("own", Array.from({ length: 40 }, (_, i) => `${i} ${"x".repeat(i)}`)));
      });
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);

      const expected = await contentOf(copy, setup.goCommand);
      const actual = await contentOf(dataPath, nsqdCommand());

      assertEquals(actual, expected);
      assertEquals(actual.messages["rolled:c"].length, 35);
    },
  );

  interopTest(
    `What the server under test keeps has the same content for Go's nsqd ${release} after export-nsq`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, nsqdCommand(), ["--mem-queue-size=3", "--node-id=7"], fill);

      const exported = await exportNsq(dataPath, `${setup.folder}/exported`, [
        "--node-id=7",
        "--max-bytes-per-file=300",
      ]);
      const actual = await contentOf(exported, setup.goCommand);
      const expected = await contentOf(dataPath, nsqdCommand(), ["--node-id=7"]);

      assertEquals(actual.outline, OUTLINE);
      const { "work:c": work, ...others } = actual.messages;
      const { "work:c": readyOfWork, ...othersExpected } = expected.messages;
      assertEquals(others, othersExpected);
      assertEquals(work.filter((line) => !/ (deferred|put off)$/.test(line)), readyOfWork);
      assertEquals(work.map((line) => `${line[0]} ${bodyOf(line)}`).sort(), [
        ...["1 deferred", "1 last", "1 waiting"],
        ...["2 in flight", "2 put off", "2 requeued"],
      ]);
    },
  );

  interopTest(
    `A data path comes back from Go's nsqd ${release} as it went there`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, setup.goCommand, [], fill);
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);

      await runOn(dataPath, nsqdCommand(), [], () => Promise.resolve());
      const there = await exportNsq(dataPath, `${setup.folder}/there`);
      await runOn(there, setup.goCommand, [], () => Promise.resolve());
      await runOn(there, nsqdCommand(), [], () => Promise.resolve());
      const andBack = await exportNsq(there, `${setup.folder}/back`);

      assertEquals(await contentOf(andBack, setup.goCommand), await contentOf(copy, setup.goCommand));
    },
  );

  interopTest(
    `Topics and channels of Go's nsqd ${release} have the same content whatever they are called`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, setup.goCommand, ["--mem-queue-size=1"], fillOdd);
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);
      const unnamed = await copyFolder(dataPath, `${setup.folder}/unnamed`);
      await Deno.remove(`${unnamed}/nsqd.dat`);

      const expected = await contentOf(copy, setup.goCommand);

      assertEquals(expected.outline, ODD_OUTLINE);
      assertEquals(await contentOf(dataPath, nsqdCommand()), expected);
      // The names of the files tell all of it, too.
      assertEquals(await contentOf(unnamed, nsqdCommand()), expected);
    },
  );

  interopTest(
    `Topics and channels with odd names go to Go's nsqd ${release} and come back`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, nsqdCommand(), ["--node-id=7"], fillOdd);

      const there = await exportNsq(dataPath, `${setup.folder}/there`, ["--node-id=7"]);
      const copy = await copyFolder(there, `${setup.folder}/copy`);
      const expected = await contentOf(dataPath, nsqdCommand(), ["--node-id=7"]);
      assertEquals(expected.outline, ODD_OUTLINE);
      assertEquals(await contentOf(copy, setup.goCommand), expected);

      await runOn(there, setup.goCommand, [], () => Promise.resolve());
      await runOn(there, nsqdCommand(), [], () => Promise.resolve());
      const andBack = await exportNsq(there, `${setup.folder}/back`);
      assertEquals(await contentOf(andBack, setup.goCommand), expected);
    },
  );

  interopTest(
    `Topics with odd names are left alone when queues of Go's nsqd ${release} come into their data path`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      await runOn(dataPath, nsqdCommand(), ["--node-id=7"], fillOdd);
      await Deno.mkdir(`${setup.folder}/go`);
      await runOn(`${setup.folder}/go`, setup.goCommand, [], async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        for (const topic of ["b.diskqueue.meta.dat", "b"]) await client.ask(mpub(topic, ["1", "2", "3"]));
      });
      await Deno.remove(`${setup.folder}/go/nsqd.dat`);
      for await (const { name } of Deno.readDir(`${setup.folder}/go`)) {
        await Deno.copyFile(`${setup.folder}/go/${name}`, `${dataPath}/${name}`);
      }

      const { outline } = await contentOf(dataPath, nsqdCommand(), ["--node-id=7"]);

      assertEquals(outline, { ...ODD_OUTLINE, "b": "running 3", "b.diskqueue.meta.dat": "running 3" });
    },
  );

  interopTest(
    `What Go's nsqd ${release} has written behind a hole, where its file was removed, has the same content`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      const args = ["--mem-queue-size=0"];
      await runOn(dataPath, setup.goCommand, args, async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        await create(nsqd, "t", "c");
        await client.ask(mpub("t", ["1", "2", "3"]));
        await consume(nsqd, "t", "c", 3, { leaving: 0 });
      });
      await Deno.remove(`${dataPath}/t:c.diskqueue.000000.dat`);
      await runOn(dataPath, setup.goCommand, args, async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        await client.ask(mpub("t", ["4", "5"]));
        await settled(nsqd, "t", "c", 2);
      });
      assertEquals(Deno.readFileSync(`${dataPath}/t:c.diskqueue.000000.dat`).slice(0, 4), new Uint8Array(4));
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);

      const expected = await contentOf(copy, setup.goCommand);
      const actual = await contentOf(dataPath, nsqdCommand());

      assertEquals(actual, expected);
      assertEquals(actual.messages["t:c"].map(bodyOf), ["4", "5"]);
    },
  );

  interopTest(
    `What Go's nsqd ${release} has written over after a kill becomes no message`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      const args = ["--mem-queue-size=0", "--sync-every=1000000", "--sync-timeout=1h"];
      // What may be taken for a small size wherever the file is looked into.
      const bodies = Array.from({ length: 50 }, (_, i) => `${i} ${"\0\0\0\x28".repeat(40)}`);
      {
        await using nsqd = await startNsqd({ command: setup.goCommand, dataPath, args });
        using client = await RawClient.connect(nsqd.tcpAddress);
        await client.ask(mpub("t", bodies));
        await nsqd.kill();
      }
      await runOn(dataPath, setup.goCommand, args, async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        await client.ask(mpub("t", ["new 1", "new 22", "new 333"]));
      });

      const { messages } = await contentOf(dataPath, nsqdCommand());

      assertEquals(messages["t"].map(bodyOf).sort(), ["new 1", "new 22", "new 333"]);
    },
  );

  interopTest(
    `A position of Go's nsqd ${release} inside a message loses none, and makes none of pieces`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      const bodies = Array.from({ length: 500 }, (_, i) => String(i).padStart(6, "0") + "y".repeat(100));
      await runOn(dataPath, setup.goCommand, ["--mem-queue-size=0"], async (nsqd) => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        await client.ask(mpub("t", bodies));
      });
      for (const position of [0, 1, 136, 137, 412, 425, 67_864, 67_990, 67_999, 68_000, 68_100]) {
        const copy = await copyFolder(dataPath, `${setup.folder}/${position}`);
        await Deno.writeTextFile(`${copy}/t.diskqueue.meta.dat`, `495\n0,${position}\n0,68000\n`);

        const { messages } = await contentOf(copy, nsqdCommand());

        // Behind the end it cannot be right.
        const read = position > 68_000 ? 0 : Math.floor(position / 136);
        assertEquals(messages["t"].map(bodyOf).sort(), bodies.slice(read), `byte ${position}`);
      }
    },
  );

  for (
    const args of [
      ["--sync-every=1"],
      ["--sync-every=1", "--max-bytes-per-file=2000"],
      ["--sync-every=7"],
      [],
    ]
  ) {
    const name = ["--mem-queue-size=0", ...args].join(" ");
    interopTest(
      `All that Go's nsqd ${release} ${name} has acknowledged before kill -9 is there`,
      findNsqd,
      async (setup) => {
        const dataPath = await newFolder(setup);
        const command = setup.goCommand;
        const acknowledged = await killUnderLoad(dataPath, {
          command,
          args: name.split(" "),
          topic: "alone",
        });

        const { messages } = await contentOf(dataPath, nsqdCommand());

        const imported = new Set(messages["alone"].map(bodyOf));
        assertEquals(acknowledged.filter((body) => !imported.has(body)), []);
        assertEquals(imported.size, messages["alone"].length);
      },
    );
  }

  interopTest(
    `All that the files of a Go's nsqd ${release} hold that was killed passing messages on is there`,
    findNsqd,
    async (setup) => {
      const dataPath = await newFolder(setup);
      const args = ["--mem-queue-size=0", "--sync-every=10", "--max-bytes-per-file=3000"];
      await killUnderLoad(dataPath, { command: setup.goCommand, args, topic: "passed" });
      const copy = await copyFolder(dataPath, `${setup.folder}/copy`);

      const { messages } = await contentOf(dataPath, nsqdCommand());

      const held = [...inFiles(copy, "passed:c"), ...inFiles(copy, "passed")];
      assertEquals(messages["passed:c"], held.sort());
    },
  );
}

/** What {@linkcode fill} leaves. */
const OUTLINE: Outline = {
  "empty": "running 0",
  "events": "running 0",
  "events:archive": "running 5",
  "events:metrics": "paused 5",
  "halted": "paused 2",
  "halted:c": "running 1",
  "nochannel": "running 3",
  "work": "running 0",
  "work:c": "running 6",
};

/** Names that look like those of Go's files, and of folders of ours. */
const ODD_CHANNELS = {
  "x.diskqueue": ["c", "c.diskqueue", ".diskqueue.000000.dat"],
  "x.diskqueue.y": ["meta.dat"],
  "x": ["diskqueue.meta.dat", "000000.dat"],
  "a.diskqueue.000000.dat": ["a.diskqueue.meta.dat"],
  "a.diskqueue.meta": ["000001"],
  "a.diskqueue.meta.dat": ["c"],
  "a.diskqueue.000000.dat.bad": ["c"],
  "a.diskqueue.meta.dat.77.tmp": ["c"],
  "a.diskqueue.000000.dat.topic": ["state"],
  ".": ["."],
  "..": [".."],
  ".diskqueue.": [".diskqueue."],
  "nsq-import.done": ["nsq-import.tmp"],
  "nsqd.dat": ["nsqd.dat"],
  [`${"x".repeat(53)}.diskqueue.`]: ["y".repeat(64)],
  // Without a channel their messages are their own.
  "a": [],
  "x.diskqueue.000000": [],
  "x.diskqueue.y.diskqueue.meta.dat": [],
};

/** What {@linkcode fillOdd} leaves. */
const ODD_OUTLINE: Outline = Object.fromEntries(
  Object.entries(ODD_CHANNELS).flatMap(([topic, channels]) => [
    [topic, channels.length > 0 ? "running 0" : "running 3"],
    ...channels.map((channel) => [`${topic}:${channel}`, "running 3"]),
  ]),
);

/** Topics and channels of these names, with three messages each. */
async function fillOdd(nsqd: NsqdProcess): Promise<void> {
  using client = await RawClient.connect(nsqd.tcpAddress);
  for (const [topic, channels] of Object.entries(ODD_CHANNELS)) {
    await create(nsqd, topic, ...channels);
    await client.ask(mpub(topic, ["1", "2", "3"].map((text) => `${text} of ${topic}`)));
    for (const channel of channels) await settled(nsqd, topic, channel, 3);
  }
}

/** Topics and channels, some paused; messages that wait, that were in flight, requeued and deferred. */
async function fill(nsqd: NsqdProcess): Promise<void> {
  using client = await RawClient.connect(nsqd.tcpAddress);
  await create(nsqd, "events", "archive", "metrics");
  await create(nsqd, "empty");
  await client.ask(mpub("events", ["one", "\0\x01\xff", "\n", "four", "x".repeat(300)]));
  await settled(nsqd, "events", "archive", 5);
  await settled(nsqd, "events", "metrics", 5);
  await post(nsqd, "/channel/pause?topic=events&channel=metrics");

  await create(nsqd, "halted", "c");
  await client.ask(pub("halted", "passed on"));
  await settled(nsqd, "halted", "c", 1);
  await post(nsqd, "/topic/pause?topic=halted");
  await client.ask(mpub("halted", ["held", "held, too"]));
  await client.ask(mpub("nochannel", ["a", "b", "c"]));

  using consumer = await RawClient.connect(nsqd.tcpAddress);
  await consumer.ask("SUB work c\n");
  await client.ask(mpub("work", ["finished", "in flight", "requeued", "put off", "waiting"]));
  await consumer.send("RDY 4\n");
  const messages = new Map<string, string>();
  for (let i = 0; i < 4; i++) {
    const { id, body } = await consumer.message();
    messages.set(body, id);
  }
  const [finished, , requeued, putOff] = [...messages.values()];
  await consumer.send("RDY 0\n", `FIN ${finished}\n`, `REQ ${requeued} 0\n`, `REQ ${putOff} 3600000\n`);
  await client.ask(withBody("DPUB work 3600000", "deferred"));
  await client.ask(pub("work", "last"));
  await settled(nsqd, "work", "c", 3, { in_flight_count: 1, deferred_count: 2 });
}

/** Publishes from several connections until the server is killed; returns the bodies that it said OK to. */
async function killUnderLoad(
  dataPath: string,
  options: { readonly command: readonly string[]; readonly args: readonly string[]; readonly topic: string },
): Promise<string[]> {
  await using nsqd = await startNsqd({ ...options, dataPath });
  if (options.topic === "passed") await create(nsqd, "passed", "c");
  const acknowledged: string[] = [];
  const enough = Promise.withResolvers<void>();
  const publish = async (name: string) => {
    using client = await RawClient.connect(nsqd.tcpAddress);
    for (let i = 0;; i++) {
      const body = `${name} ${i} ${"x".repeat(i % 50)}`;
      await client.ask(pub(options.topic, body));
      acknowledged.push(body);
      if (acknowledged.length === 150) enough.resolve();
    }
  };
  // Each ends with its connection, in the middle of an answer, perhaps.
  const publishers = ["a", "b", "c"].map((name) => publish(name).catch(() => {}));
  await enough.promise;
  await nsqd.kill();
  await Promise.all(publishers);
  return acknowledged;
}

/** What the files of a queue hold from the place on that its metadata says, if it has some; as {@linkcode consume} says. */
function inFiles(folder: string, queue: string): string[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.startsWith(`${queue}.disk`)
  );
  const meta = names.find((name) => name.endsWith(".meta.dat"));
  const [, first, offset] = meta
    ? Deno.readTextFileSync(`${folder}/${meta}`).split(/[\n,]/).map(Number)
    : [0, 0, 0];
  return names.filter((name) => /\d\.dat$/.test(name)).sort().flatMap((name) => {
    const number = Number(name.split(".").at(-2));
    if (number < first) return [];
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    const messages = goMessagesIn(number === first ? bytes.subarray(offset) : bytes);
    return messages.map((text) =>
      text.replace(/^(\S+) (\S+)/, (_, id, attempts) => `${Number(attempts) + 1} ${id}`)
    );
  });
}

/** Lets a server run in the data path for as long as `work` takes. */
async function runOn(
  dataPath: string,
  command: readonly string[],
  args: readonly string[],
  work: (nsqd: NsqdProcess) => Promise<void>,
): Promise<void> {
  await using nsqd = await startNsqd({ command, dataPath, args });
  await nsqd.run(async () => {
    // Go's nsqd listens a little before it can be stopped in order.
    await statsOf(nsqd);
    await work(nsqd);
  });
}

/** Starts a server in the data path and takes all messages out of it. */
async function contentOf(
  dataPath: string,
  command: readonly string[],
  args: readonly string[] = [],
): Promise<Content> {
  const messages: Record<string, string[]> = {};
  const outline: Outline = {};
  await runOn(dataPath, command, [...args, "--msg-timeout=10m"], async (nsqd) => {
    const topics = await statsOf(nsqd);
    for (const { topic_name: topic, paused, depth, channels } of topics) {
      outline[topic] = `${paused ? "paused" : "running"} ${depth}`;
      for (const { channel_name: channel, paused, depth } of channels) {
        outline[`${topic}:${channel}`] = `${paused ? "paused" : "running"} ${depth}`;
        await post(nsqd, `/channel/unpause?topic=${topic}&channel=${channel}`);
        messages[`${topic}:${channel}`] = await consume(nsqd, topic, channel, depth);
      }
      await post(nsqd, `/topic/unpause?topic=${topic}`);
      messages[topic] = await consume(nsqd, topic, channels[0]?.channel_name ?? "new", depth);
    }
  });
  return { outline, messages };
}

/** Takes so many messages of a channel; a line for each, sorted. They stay in flight, unless `leaving` others they are to be finished. */
async function consume(
  nsqd: NsqdProcess,
  topic: string,
  channel: string,
  count: number,
  { leaving }: { readonly leaving?: number } = {},
): Promise<string[]> {
  if (count === 0) return [];
  using client = await RawClient.connect(nsqd.tcpAddress);
  await client.ask(`SUB ${topic} ${channel}\n`);
  await client.send(`RDY ${count}\n`);
  const lines: string[] = [];
  while (lines.length < count) {
    const { attempts, id, timestampNs, body } = await client.message();
    lines.push(`${attempts} ${id} ${timestampNs} ${body}`);
    if (leaving !== undefined) await client.send(`RDY ${count - lines.length}\n`, `FIN ${id}\n`);
  }
  if (leaving !== undefined) await settled(nsqd, topic, channel, leaving, { in_flight_count: 0 });
  return lines.sort();
}

/** The body of a message of {@linkcode consume}. */
function bodyOf(line: string): string {
  return line.split(" ").slice(3).join(" ");
}

interface TopicStats {
  readonly topic_name: string;
  readonly paused: boolean;
  readonly depth: number;
  readonly channels: readonly (Readonly<Record<string, number>> & {
    readonly channel_name: string;
    readonly paused: boolean;
    readonly depth: number;
  })[];
}

async function statsOf({ httpAddress }: NsqdProcess): Promise<readonly TopicStats[]> {
  const response = await fetch(`http://${httpAddress}/stats?format=json`);
  return (await response.json()).topics;
}

/** Waits until a channel has so many messages waiting, and what else is said of it. */
async function settled(
  nsqd: NsqdProcess,
  topic: string,
  channel: string,
  depth: number,
  others: Readonly<Record<string, number>> = {},
): Promise<void> {
  await eventually(`${topic}/${channel} has ${depth} messages`, async () => {
    const stats = await statsOf(nsqd);
    const channels = stats.find(({ topic_name }) => topic_name === topic)?.channels ?? [];
    const found = channels.find(({ channel_name }) => channel_name === channel);
    return Object.entries({ depth, ...others }).every(([name, value]) => found?.[name] === value);
  });
}

/** Makes a topic with channels. */
async function create(nsqd: NsqdProcess, topic: string, ...channels: readonly string[]): Promise<void> {
  await post(nsqd, `/topic/create?topic=${topic}`);
  for (const channel of channels) await post(nsqd, `/channel/create?topic=${topic}&channel=${channel}`);
}

async function post({ httpAddress }: NsqdProcess, path: string): Promise<void> {
  const response = await fetch(`http://${httpAddress}${path}`, { method: "POST" });
  await response.body?.cancel();
  assertEquals(response.status, 200);
}

/** Runs export-nsq; returns the folder that it has written. */
async function exportNsq(dataPath: string, to: string, args: readonly string[] = []): Promise<string> {
  const [program, ...first] = nsqdCommand().slice(0, -1);
  await runProgram(program, {
    args: [...first, "export-nsq", `--data-path=${dataPath}`, `--to=${to}`, ...args],
  });
  return to;
}

async function copyFolder(from: string, to: string): Promise<string> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  return to;
}

async function newFolder({ folder }: Setup): Promise<string> {
  await Deno.mkdir(`${folder}/data`);
  return `${folder}/data`;
}

async function findLastNsqd(): Promise<Setup> {
  const path = Deno.env.get("NSQ_BIN");
  if (!path) throw new MissingError("the environment variable NSQ_BIN, the folder of NSQ's programs");
  const folder = await TempFolder.make();
  return await setupOf(`${path}/nsqd`, { folder, release: "1.3" });
}

let earlierNsqd: Promise<string> | undefined;

async function findEarlierNsqd(): Promise<Setup> {
  const nsqd = await (earlierNsqd ??= buildEarlierNsqd());
  return await setupOf(nsqd, { folder: await TempFolder.make(), release: "1.2" });
}

/** Builds it, once for all tests, and returns its path. Go fetches the locked modules and keeps what it has compiled. */
async function buildEarlierNsqd(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_go_nsqd_" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  try {
    await runProgram("go", {
      args: ["build", "-buildvcs=false", "-o", `${folder}/nsqd`, "github.com/nsqio/nsq/apps/nsqd"],
      cwd: fileURLToPath(new URL("./go_nsqd/", import.meta.url)),
      env: { GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly", CGO_ENABLED: "0" },
    });
  } catch (error) {
    throw MissingError.because("nsqd 1.2, built by Go", error);
  }
  return `${folder}/nsqd`;
}

async function setupOf(
  nsqd: string,
  { folder, release }: { readonly folder: TempFolder; readonly release: string },
): Promise<Setup> {
  const { stdout } = await runProgram(nsqd, { args: ["--version"] });
  assert(stdout.startsWith(`nsqd v${release}.`), stdout);
  return {
    goCommand: [nsqd],
    folder: folder.path,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
