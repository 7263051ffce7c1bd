import { assertEquals, assertThrows } from "@std/assert";
import { pub } from "../support/frames.ts";
import { inMemory } from "../support/nsqd_in_memory.ts";
import { nsqdTest, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

const NO_NAMES = ["", "\0", "*", "a b", "a/b", "#ephemeral", "x".repeat(65)];

for (const name of NO_NAMES) {
  Deno.test(
    `Broker makes no topic, and a topic no channel, called ${JSON.stringify(name)}`,
    inMemory(({ broker }) => {
      assertThrows(() => broker.topic(name), TypeError, "Not the name of a topic");
      assertThrows(() => broker.recoverTopic(name), TypeError, "Not the name of a topic");
      const topic = broker.topic("t");
      assertThrows(() => topic.channel(name), TypeError, "Not the name of a channel");

      assertEquals([...broker.topics.keys()], ["t"]);
      assertEquals([...topic.channels.keys()], []);
      return Promise.resolve();
    }),
  );
}

nsqdTest("Nsqd makes no topic of the byte 0, whatever command names it first", async (nsqd) => {
  const body = "x";
  for (const command of [pub("\0", body), "SUB \0 c\n", `DPUB \0 0\n\0\0\0\x01${body}`]) {
    using client = await nsqd.connect();
    const answer = await client.ask(command);

    assertEquals(answer.slice(0, 11), "E_BAD_TOPIC");
  }
  assertEquals([...nsqd.nsqd.broker.topics.keys()], []);
});

Deno.test("Nsqd starts where a topic has no name, says so, and keeps its messages until it has one", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { durability: "disk" }, async (nsqd) => {
      nsqd.nsqd.broker.topic("x").channel("c");
      using client = await nsqd.connect();
      assertEquals(await client.ask(pub("x", "kept")), "OK");
    });
    // As an earlier version left it.
    await Deno.rename(`${dataPath}/x.topic`, `${dataPath}/.topic`);
    const metadata = await Deno.readTextFile(`${dataPath}/nsqd.dat`);
    await Deno.writeTextFile(`${dataPath}/nsqd.dat`, metadata.replace('"name":"x"', '"name":""'));
    const files = namesIn(`${dataPath}/.topic`);

    const lines = await withNsqd(dataPath, {}, async ({ nsqd, httpUrl }) => {
      assertEquals([...nsqd.broker.topics.keys()], []);
      assertEquals(await (await fetch(`${httpUrl}/ping`)).text(), "OK");
    });

    assertEquals(
      lines.filter((line) => /^(ERROR|WARNING)/.test(line)),
      [
        "WARNING: skipping creation of invalid topic ",
        'ERROR: TOPIC(): "" is no name of a topic: what is in ".topic" is kept and not delivered; ' +
        "to have it, rename that folder to <name>.topic while nsqd is stopped",
      ],
    );
    assertEquals(namesIn(`${dataPath}/.topic`), files);

    await Deno.rename(`${dataPath}/.topic`, `${dataPath}/found.topic`);
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB found c\n");
      await client.send("RDY 1\n");
      assertEquals((await client.message()).body, "kept");
    });
  });
});

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
