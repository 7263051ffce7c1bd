import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { MetadataFile } from "../../src/nsqd/metadata.ts";
import { NsqdInMemory } from "../support/nsqd_in_memory.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

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
    new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker);
  });
  return nsqd;
}

/** Writes the metadata of a broker that `fill` has filled, and gives the file's text to `use`. */
async function persist(
  fill: (nsqd: NsqdInMemory) => void,
  use: (text: string, nsqd: NsqdInMemory, dataPath: string) => void | Promise<void>,
): Promise<void> {
  await withDataPath(async (dataPath) => {
    const nsqd = new NsqdInMemory();
    fill(nsqd);
    new MetadataFile(dataPath, nsqd.logger).persist(nsqd.broker);
    await use(await Deno.readTextFile(`${dataPath}/nsqd.dat`), nsqd, dataPath);
  });
}

Deno.test("MetadataFile.persist() writes topics and channels in NSQ's form", async () => {
  await persist(({ broker }) => {
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
});

Deno.test("MetadataFile.persist() writes a broker without topics as NSQ does", async () => {
  await persist(() => {}, (text) => assertEquals(text, '{"topics":null,"version":"1.3.0"}'));
});

Deno.test("MetadataFile.persist() leaves ephemeral topics and channels out", async () => {
  await persist(({ broker }) => {
    broker.topic("gone#ephemeral").channel("kept");
    broker.topic("kept").channel("gone#ephemeral");
  }, (text) => {
    assertEquals(text, '{"topics":[{"name":"kept","paused":false,"channels":null}],"version":"1.3.0"}');
  });
});

Deno.test("MetadataFile.persist() says so in the log, as NSQ does", async () => {
  await persist(() => {}, (_text, { lines }, dataPath) => {
    assertEquals(lines, [`INFO: NSQ: persisting topic/channel metadata to ${dataPath}/nsqd.dat`]);
  });
});

Deno.test("MetadataFile.persist() leaves no other file behind, and the file to its owner only", async () => {
  await persist(() => {}, async (_text, _nsqd, dataPath) => {
    const names = (await Array.fromAsync(Deno.readDir(dataPath))).map((entry) => entry.name);

    assertEquals(names, ["nsqd.dat"]);
    assertEquals((Deno.statSync(`${dataPath}/nsqd.dat`).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("MetadataFile.persist() leaves the old file as it was when it cannot write", async () => {
  await persist(({ broker }) => broker.topic("kept"), async (text, nsqd, dataPath) => {
    await Deno.mkdir(`${dataPath}/nsqd.dat.tmp`);

    assertThrows(() => new MetadataFile(dataPath, nsqd.logger).persist(nsqd.broker));

    assertEquals(await Deno.readTextFile(`${dataPath}/nsqd.dat`), text);
  });
});

Deno.test("MetadataFile.load() reads back what persist() wrote", async () => {
  const fill = ({ broker }: NsqdInMemory) => {
    broker.topic("one").channel("a").pause();
    broker.topic("one").channel("b");
    broker.topic("two").pause();
  };
  await persist(fill, async (text) => {
    assertEquals(topicsOf(await load(text)), ["one", "one/a paused", "one/b", "two paused"]);
  });
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
  await withDataPath((dataPath) => {
    const nsqd = new NsqdInMemory();

    new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker);

    assertEquals(topicsOf(nsqd), []);
    return Promise.resolve();
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

      assertThrows(
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

    assertThrows(
      () => new MetadataFile(dataPath, nsqd.logger).load(nsqd.broker),
      Error,
      `failed to read metadata from ${dataPath}/nsqd.dat - `,
    );
  });
});
