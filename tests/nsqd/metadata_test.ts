import { setImmediate } from "node:timers";
import { assertEquals, assertGreaterOrEqual, assertMatch, assertRejects } from "@std/assert";
import { MetadataFile } from "../../src/nsqd/metadata.ts";
import { NsqdInMemory } from "../support/nsqd_in_memory.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { DATA_PATH, drive, namesIn, simulatedFiles, textOf } from "../support/simulated_data_path.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";
import { FaultError, SimulatedFileSystem } from "../support/simulated_file_system.ts";

/** What `load()` made: a line for each topic and channel. */
function topicsOf({ broker }: NsqdInMemory): string[] {
  return [...broker.topics.values()].flatMap((topic) => [
    `${topic.name}${topic.paused ? " paused" : ""}`,
    ...[...topic.channels.values()].map((channel) =>
      `${topic.name}/${channel.name}${channel.paused ? " paused" : ""}`
    ),
  ]);
}

/** Loads a file of that text. */
async function load(text: string): Promise<NsqdInMemory> {
  const nsqd = new NsqdInMemory();
  await withDataPath(async (dataPath) => {
    await Deno.writeTextFile(`${dataPath}/nsqd.dat`, text);
    await new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker);
  });
  return nsqd;
}

/** A test with the file of a broker that `fill` has filled. */
function persistTest(
  name: string,
  fill: (nsqd: NsqdInMemory) => void,
  test: (text: string, nsqd: NsqdInMemory, dataPath: string) => void | Promise<void>,
): void {
  Deno.test(`MetadataFile.persist() ${name}`, () =>
    withDataPath(async (dataPath) => {
      const nsqd = new NsqdInMemory();
      fill(nsqd);
      await new MetadataFile(dataPath, nsqd.logger).persist(nsqd.broker);
      await test(await Deno.readTextFile(`${dataPath}/nsqd.dat`), nsqd, dataPath);
    }));
}

persistTest("writes topics and channels in NSQ's form", ({ broker }) => {
  broker.topic("one").channel("a");
  broker.topic("one").channel("b").pause();
  broker.topic("two").pause();
}, (text) => {
  assertEquals(
    text,
    '{"topics":[' +
      '{"name":"one","paused":false,"channels":[{"name":"a","paused":false},{"name":"b","paused":true}]},' +
      '{"name":"two","paused":true,"channels":null}' +
      '],"version":"1.3.0"}',
  );
});

persistTest("writes a broker without topics as NSQ does", () => {}, (text) => {
  assertEquals(text, '{"topics":null,"version":"1.3.0"}');
});

persistTest("leaves ephemeral topics and channels out", ({ broker }) => {
  broker.topic("gone#ephemeral").channel("kept");
  broker.topic("kept").channel("gone#ephemeral");
}, (text) => {
  assertEquals(text, '{"topics":[{"name":"kept","paused":false,"channels":null}],"version":"1.3.0"}');
});

persistTest("says so in the log, as NSQ does", () => {}, (_text, { lines }, dataPath) => {
  assertEquals(lines, [`INFO: NSQ: persisting topic/channel metadata to ${dataPath}/nsqd.dat`]);
});

persistTest(
  "leaves no other file behind, and the file to its owner only",
  () => {},
  async (_t, _n, dataPath) => {
    const names = (await Array.fromAsync(Deno.readDir(dataPath))).map((entry) => entry.name);

    assertEquals(names, ["nsqd.dat"]);
    assertEquals((Deno.statSync(`${dataPath}/nsqd.dat`).mode ?? 0) & 0o777, 0o600);
  },
);

persistTest("writes what load() reads", ({ broker }) => {
  broker.topic("one").channel("a").pause();
  broker.topic("one").channel("b");
  broker.topic("two").pause();
}, async (text) => {
  assertEquals(topicsOf(await load(text)), ["one", "one/a paused", "one/b", "two paused"]);
});

Deno.test("MetadataFile.persist() leaves the old file as it was when it cannot write, and says so once", async () => {
  const nsqd = new NsqdInMemory();
  const files = simulatedFiles();
  const file = new MetadataFile(DATA_PATH, nsqd.logger, files);
  const write = () => drive(files, file.persist(nsqd.broker));
  nsqd.broker.topic("kept");
  await write();
  const before = textOf(files, "nsqd.dat");
  nsqd.lines.splice(0);
  nsqd.broker.topic("refused");

  files.fault = (call) => call.startsWith("sync") ? "EIO" : undefined;
  await assertRejects(write, FaultError);
  await assertRejects(write, FaultError);
  files.fault = () => undefined;

  assertEquals(textOf(files, "nsqd.dat"), before);
  assertEquals(namesIn(files), ["nsqd.dat"]);
  const persisting = "INFO: NSQ: persisting topic/channel metadata to /data/nsqd.dat";
  assertEquals(nsqd.lines.filter((line) => line === persisting), [persisting]);
});

Deno.test("MetadataFile.persist() leaves others their turns, however many topics there are", async () => {
  const nsqd = new NsqdInMemory();
  for (let i = 0; i < 10_000; i++) nsqd.broker.topic(`t${i}`).channel("c");
  const files = simulatedFiles();
  let turns = 0;
  let collected = false;
  files.fault = (call) => {
    collected ||= call === "write";
    return undefined;
  };
  const count = () => {
    turns++;
    if (!collected) setImmediate(count);
  };

  const write = new MetadataFile(DATA_PATH, nsqd.logger, files).persist(nsqd.broker);
  setImmediate(count);
  await drive(files, write);

  // Of 30,000 pieces, 2000 at a time.
  assertGreaterOrEqual(turns, 15);
  assertEquals(JSON.parse(textOf(files, "nsqd.dat")).topics.length, 10_000);
});

Deno.test("MetadataFile.persist() leaves the old file or the new one, whenever power is lost", async () => {
  const nsqd = new NsqdInMemory();
  const outcomes = new Set<string>();
  let ended = false;
  for (let call = 1; !ended; call++) {
    for (let seed = 0; seed < 20; seed++) {
      const { broker } = new NsqdInMemory();
      const disk = new SimulatedDisk({ byFolder: true });
      const files = simulatedFiles(disk);
      const file = new MetadataFile(DATA_PATH, nsqd.logger, files);
      await drive(files, file.persist(broker));
      broker.topic("new");
      files.random = new MixedRandom(seed);
      files.lastCall = files.calls + call;

      const end = await drive(files, file.persist(broker).then(() => "written", () => "interrupted"));
      ended = end === "written";
      const left = new SimulatedFileSystem(disk.survivor(new MixedRandom(seed), { gaps: true }), {
        random: new MixedRandom(0),
      });
      outcomes.add(`${end}: ${textOf(left, "nsqd.dat")}`);
    }
  }

  const [before, after] = ["null", '[{"name":"new","paused":false,"channels":null}]']
    .map((topics) => `{"topics":${topics},"version":"1.3.0"}`);
  assertEquals([...outcomes].sort(), [
    `interrupted: ${after}`,
    `interrupted: ${before}`,
    `written: ${after}`,
  ]);
});

Deno.test("MetadataFile.removeLeftovers() removes what interrupted writes have left, and nothing else", () => {
  const nsqd = new NsqdInMemory();
  const files = simulatedFiles();
  const kept = ["nsqd.dat", "nsqd.dat.bak", "nsqd.dat.x.tmp", "other.tmp"];
  for (const name of [...kept, "nsqd.dat.tmp", "nsqd.dat.0.tmp", "nsqd.dat.1234.tmp"]) {
    files.write(`${DATA_PATH}/${name}`, Uint8Array.of(1));
  }

  new MetadataFile(DATA_PATH, nsqd.logger, files).removeLeftovers();

  assertEquals(namesIn(files), kept);
  assertEquals(nsqd.lines, []);
});

Deno.test("MetadataFile.removeLeftovers() goes on when it cannot remove them, with a warning", () => {
  const nsqd = new NsqdInMemory();
  const files = simulatedFiles();
  files.write("/data/nsqd.dat.0.tmp", Uint8Array.of(1));
  files.fault = () => "EROFS";

  new MetadataFile(DATA_PATH, nsqd.logger, files).removeLeftovers();

  assertEquals(nsqd.lines, [
    "WARNING: failed to remove what was left of /data/nsqd.dat - " +
    "Read-only file system (os error 30): remove '/data/nsqd.dat.0.tmp'",
  ]);
});

/** Files, and what is made of them. */
const LOADED: readonly (readonly [name: string, text: string, topics: readonly string[]])[] = [
  [
    "the file of Go's nsqd",
    '{"topics":[{"name":"orders","paused":false,"channels":[{"name":"mail","paused":true}]}],"version":"1.3.0"}',
    ["orders", "orders/mail paused"],
  ],
  [
    "the file of an older nsqd, which sorted the keys",
    '{"topics":[{"channels":[{"name":"mail","paused":true}],"name":"orders","paused":false}],"version":"0.3.8"}',
    ["orders", "orders/mail paused"],
  ],
  ["a file without topics", '{"topics":null,"version":"1.3.0"}', []],
  ["a file with an empty list", '{"topics":[],"version":"1.3.0"}', []],
  ["an object without keys", "{}", []],
  ["missing and unknown fields", '{"topics":[{"name":"a","more":1}],"more":[2]}', ["a"]],
  ["null for a list of channels", '{"topics":[{"name":"a","channels":null}]}', ["a"]],
  ["a topic twice", '{"topics":[{"name":"a"},{"name":"a","channels":[{"name":"c"}]}]}', ["a", "a/c"]],
  ["white space", ' \n{ "topics" : [ { "name" : "a" } ] }\n', ["a"]],
];

for (const [name, text, topics] of LOADED) {
  Deno.test(`MetadataFile.load() takes ${name}`, async () => {
    assertEquals(topicsOf(await load(text)), topics);
  });
}

Deno.test("MetadataFile.load() takes no file for no topics", async () => {
  await withDataPath(async (dataPath) => {
    const nsqd = new NsqdInMemory();

    await new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker);

    assertEquals(topicsOf(nsqd), []);
  });
});

for (const text of ["", " \n"]) {
  Deno.test(`MetadataFile.load() takes the file ${JSON.stringify(text)} for none, and warns`, async () => {
    const nsqd = await load(text);

    assertEquals(topicsOf(nsqd), []);
    assertMatch(nsqd.lines.join("\n"), /^WARNING: .*\/nsqd\.dat is empty: taken for none$/);
  });
}

Deno.test("MetadataFile.load() skips topics and channels of invalid names, with a warning for each", async () => {
  const nsqd = await load(JSON.stringify({
    topics: [
      { name: "bad name", channels: [{ name: "unseen" }] },
      { name: "good", channels: [{ name: "bad/name" }, { name: "good" }, { name: "" }] },
      {},
    ],
  }));

  assertEquals(topicsOf(nsqd), ["good", "good/good"]);
  assertEquals(nsqd.lines.filter((line) => line.startsWith("WARNING")), [
    "WARNING: skipping creation of invalid topic bad name",
    "WARNING: skipping creation of invalid channel bad/name",
    "WARNING: skipping creation of invalid channel ",
    "WARNING: skipping creation of invalid topic ",
  ]);
});

/** Files that nsqd does not start with: what is in them would be lost. */
const REFUSED: readonly (readonly [name: string, text: string])[] = [
  ["a file that was cut off", '{"topics":[{"name":"a","paus'],
  ["a file that is no JSON", "topics: a"],
  ["zeros", "\0\0\0\0"],
  ["a list", "[]"],
  ["a number", "1"],
  ["topics that are no list", '{"topics":{"name":"a"}}'],
  ["a topic that is no object", '{"topics":["a"]}'],
  ["null as a topic", '{"topics":[null]}'],
  ["a name that is no text", '{"topics":[{"name":1}]}'],
  ["paused that is no truth value", '{"topics":[{"name":"a","paused":"true"}]}'],
  ["channels that are no list", '{"topics":[{"name":"a","channels":"b"}]}'],
  ["a channel that is no object", '{"topics":[{"name":"a","channels":["b"]}]}'],
  ["a channel's name that is no text", '{"topics":[{"name":"a","channels":[{"name":[]}]}]}'],
];

for (const [name, text] of REFUSED) {
  Deno.test(`MetadataFile.load() refuses ${name}, and names the file`, async () => {
    await withDataPath(async (dataPath) => {
      const nsqd = new NsqdInMemory();
      await Deno.writeTextFile(`${dataPath}/nsqd.dat`, text);

      await assertRejects(
        () => new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker),
        Error,
        `failed to parse metadata in ${dataPath}/nsqd.dat - `,
      );
      assertEquals(topicsOf(nsqd), []);
    });
  });
}

Deno.test("MetadataFile.load() refuses a file that it cannot read", async () => {
  await withDataPath(async (dataPath) => {
    const nsqd = new NsqdInMemory();
    await Deno.mkdir(`${dataPath}/nsqd.dat`);

    await assertRejects(
      () => new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker),
      Error,
      `failed to read metadata from ${dataPath}/nsqd.dat - `,
    );
  });
});
