import { assertEquals, assertRejects } from "@std/assert";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { fillFolder, goMessages, goMetadata, goQueue, goRecords, namesIn } from "../support/go_data_path.ts";
import type { MessageFrame } from "../support/frames.ts";
import { pub } from "../support/frames.ts";
import { countsOf, nsqdIn, type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

/** Topics and channels with their depths. */
function outline({ nsqd }: NsqdInProcess): Record<string, number> {
  return Object.fromEntries(
    [...nsqd.broker.topics.values()].flatMap((topic) => [
      [topic.name, topic.depth],
      ...[...topic.channels.values()].map((channel) => [`${topic.name}:${channel.name}`, channel.depth]),
    ]),
  );
}

/** What tells one message from another, and how often it was tried. */
function facts({ body, id, attempts, timestampNs }: MessageFrame): unknown[] {
  return [body, id, attempts, timestampNs];
}

Deno.test("Nsqd delivers the messages of Go's nsqd under their own ids, and takes FIN, REQ and TOUCH with them", async () => {
  await withDataPath(async (dataPath) => {
    const [a, b, c] = goMessages("a", "b", "c");
    const data = goRecords([{ ...a, attempts: 4 }, b, c]);
    fillFolder(DENO_FILES, dataPath, { ...goMetadata({ t: ["c"] }), "t:c.diskqueue.000000.dat": data });

    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 10\n");
      const first = [await client.message(), await client.message(), await client.message()];
      assertEquals(first.map(facts), [
        ["a", a.id, 5, a.timestampNs],
        ["b", b.id, 1, b.timestampNs],
        ["c", c.id, 1, c.timestampNs],
      ]);

      await client.send(`FIN ${a.id}\n`, `TOUCH ${c.id}\n`, `REQ ${b.id} 0\n`);

      assertEquals(facts(await client.message()), ["b", b.id, 2, b.timestampNs]);
      assertEquals(await client.ask(`FIN ${a.id}\n`), `E_FIN_FAILED FIN ${a.id} failed ID not in flight`);
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 2, inFlight: 0, deferred: 0 });
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 10\n");
      const second = [await client.message(), await client.message()];
      assertEquals(second.map(facts).sort(), [
        ["b", b.id, 3, b.timestampNs],
        ["c", c.id, 2, c.timestampNs],
      ]);
      assertEquals(await client.ask(pub("t", "new")), "OK");
      const { id } = await client.message();
      assertEquals(
        await client.ask(`FIN ${b.id}\n`, `FIN ${c.id}\n`, `FIN ${id}\n`, pub("other", "x")),
        "OK",
      );
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 0 });
    });
    assertEquals(namesIn(DENO_FILES, dataPath), [
      "nsq-diskqueue/",
      "nsqd.dat",
      "nsqd.stopped",
      "other.topic/",
    ]);
  });
});

Deno.test("Nsqd gives a message that several channels hold, under one id, to each of them", async () => {
  await withDataPath(async (dataPath) => {
    const [{ id }] = goMessages("m");
    fillFolder(DENO_FILES, dataPath, {
      ...goMetadata({ t: ["x", "y"] }),
      ...goQueue("t:x", "m"),
      ...goQueue("t:y", "m"),
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      using x = await nsqd.connect();
      using y = await nsqd.connect();
      await x.ask("SUB t x\n");
      await y.ask("SUB t y\n");
      await x.send("RDY 10\n");
      await y.send("RDY 10\n");
      assertEquals([(await x.message()).id, (await y.message()).id], [id, id]);

      await x.send(`FIN ${id}\n`);
      assertEquals(await x.ask(pub("other", "x")), "OK");

      assertEquals(countsOf(nsqd, "t", "x"), { depth: 0, inFlight: 0, deferred: 0 });
      assertEquals(countsOf(nsqd, "t", "y"), { depth: 0, inFlight: 1, deferred: 0 });
    });
  });
});

Deno.test("Nsqd passes the messages that were a topic's own to its channels, behind theirs, unless it is paused", async () => {
  await withDataPath(async (dataPath) => {
    fillFolder(DENO_FILES, dataPath, {
      ...goQueue("t:c", "1"),
      ...goQueue("t", "2", "3"),
      ...goQueue("halted:c", "1"),
      ...goQueue("halted", "2", "3"),
      "nsqd.dat": JSON.stringify({
        topics: [
          { name: "t", paused: false, channels: [{ name: "c", paused: false }, { name: "d", paused: true }] },
          { name: "halted", paused: true, channels: [{ name: "c", paused: false }] },
        ],
      }),
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(outline(nsqd), { "t": 0, "t:c": 3, "t:d": 2, "halted": 2, "halted:c": 1 });
      const { topics } = nsqd.nsqd.broker;
      assertEquals([topics.get("halted")?.paused, topics.get("t")?.channels.get("d")?.paused], [true, true]);
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 10\n");
      const bodies = [await client.message(), await client.message(), await client.message()].map((
        { body },
      ) => body);
      assertEquals(bodies, ["1", "2", "3"]);
    });
  });
});

Deno.test("Nsqd makes topics and channels that had messages and are not in nsqd.dat, and no others", async () => {
  await withDataPath(async (dataPath) => {
    fillFolder(DENO_FILES, dataPath, {
      ...goMetadata({ known: ["c"] }),
      ...goQueue("known:c", "1"),
      ...goQueue("known:forgotten", "2", "3"),
      ...goQueue("known:empty"),
      ...goQueue("new", "4"),
      ...goQueue("nothing"),
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(outline(nsqd), { "known": 0, "known:c": 1, "known:forgotten": 2, "new": 1 });
      return Promise.resolve();
    });
    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(outline(nsqd), { "known": 0, "known:c": 1, "known:forgotten": 2, "new": 1 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd makes channels that are not in nsqd.dat also when it was killed before it had written that", async () => {
  await withDataPath(async (dataPath) => {
    const metadata = goMetadata({ known: ["c"] });
    fillFolder(DENO_FILES, dataPath, {
      ...metadata,
      ...goQueue("known:c", "1"),
      ...goQueue("known:forgotten", "2"),
    });
    await withNsqd(dataPath, {}, () => Promise.resolve());
    // As it was when all was moved and nothing loaded.
    fillFolder(DENO_FILES, dataPath, metadata);
    Deno.renameSync(`${dataPath}/nsq-diskqueue`, `${dataPath}/nsq-import.done`);

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(outline(nsqd), { "known": 0, "known:c": 1, "known:forgotten": 1 });
      return Promise.resolve();
    });
    assertEquals(namesIn(DENO_FILES, dataPath), [
      "known.topic/",
      "nsq-diskqueue/",
      "nsqd.dat",
      "nsqd.stopped",
    ]);
  });
});

Deno.test("Nsqd keeps imported messages over many restarts, and gives their files back when they are finished", async () => {
  await withDataPath(async (dataPath) => {
    const bodies = Array.from({ length: 20 }, (_, i) => `${i} ${"x".repeat(100)}`);
    fillFolder(DENO_FILES, dataPath, {
      ...goMetadata({ t: ["c", "d"] }),
      ...goQueue("t:c", ...bodies),
      ...goQueue("t:d", "of d"),
    });
    const received: string[] = [];

    for (let start = 0; start < 4; start++) {
      await withNsqd(dataPath, { maxBytesPerFile: 600 }, async (nsqd) => {
        assertEquals(countsOf(nsqd, "t", "c").depth, 20 - 5 * start);
        using client = await nsqd.connect();
        await client.ask("SUB t c\n");
        await client.send("RDY 5\n");
        for (let i = 0; i < 5; i++) {
          const { body, id } = await client.message();
          received.push(body);
          await client.send("RDY 0\n", `FIN ${id}\n`, i < 4 ? `RDY ${4 - i}\n` : "");
        }
        assertEquals(await client.ask(pub("other#ephemeral", "x")), "OK");
      });
    }

    assertEquals(received.sort(), bodies.sort());
    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(outline(nsqd), { "t": 0, "t:c": 0, "t:d": 1 });
      return Promise.resolve();
    });
    assertEquals(namesIn(DENO_FILES, `${dataPath}/t.topic`).length, 2);
  });
});

Deno.test("Nsqd does not start on messages of Go's nsqd beside its own for one topic, and says what to do", async () => {
  await withDataPath(async (dataPath) => {
    fillFolder(DENO_FILES, dataPath, goQueue("t", "1"));
    await withNsqd(dataPath, {}, () => Promise.resolve());
    fillFolder(DENO_FILES, dataPath, goQueue("t", "2"));
    const before = namesIn(DENO_FILES, dataPath);

    await assertRejects(
      () => nsqdIn(dataPath, {}, []).start(),
      Error,
      "topic t has messages in t.diskqueue.* and in t.topic: move one of them",
    );

    assertEquals(namesIn(DENO_FILES, dataPath), before);
  });
});

Deno.test("Nsqd takes over topics and channels whatever they are called, beside its own, and keeps them", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("ours.diskqueue.x").channel("c");
      await client.ask(pub("ours.diskqueue.x", "1"));
      await client.ask(pub("ours.diskqueue", "1"));
    });
    fillFolder(DENO_FILES, dataPath, {
      ...goQueue("x.diskqueue.y:c.diskqueue.000000.dat", "1", "2"),
      ...goQueue("x.diskqueue", "1", "2", "3"),
      ...goQueue("x:diskqueue.meta.dat", "1"),
    });
    const expected = {
      ...{ "ours.diskqueue.x": 0, "ours.diskqueue.x:c": 1, "ours.diskqueue": 1 },
      ...{ "x.diskqueue.y": 0, "x.diskqueue.y:c.diskqueue.000000.dat": 2, "x.diskqueue": 3 },
      ...{ "x": 0, "x:diskqueue.meta.dat": 1 },
    };

    for (let start = 0; start < 3; start++) {
      await withNsqd(dataPath, {}, (nsqd) => {
        assertEquals(outline(nsqd), expected);
        return Promise.resolve();
      });
    }
    assertEquals(namesIn(DENO_FILES, dataPath).filter((name) => !name.endsWith(".topic/")), [
      "nsq-diskqueue/",
      "nsqd.dat",
      "nsqd.stopped",
    ]);
  });
});

Deno.test("Nsqd delivers whole messages where Go's metadata points into one, wherever, and none twice", async () => {
  const messages = goMessages("a", "b".repeat(33_000), "c");
  const data = goRecords(messages);
  const starts = [0, 31, 31 + 30 + 33_000];
  for (const [at, first] of [[1, 0], [30, 0], [32, 1], [31 + 20_000, 1], [starts[2] + 5, 2]] as const) {
    await withDataPath(async (dataPath) => {
      fillFolder(DENO_FILES, dataPath, {
        ...goMetadata({ t: ["c"] }),
        "t:c.diskqueue.000000.dat": data,
        "t:c.diskqueue.meta.dat": `2\n0,${at}\n0,${data.length}\n`,
      });

      const lines = await withNsqd(dataPath, {}, async (nsqd) => {
        assertEquals(countsOf(nsqd, "t", "c").depth, 3 - first);
        using client = await nsqd.connect();
        await client.ask("SUB t c\n");
        await client.send("RDY 10\n");
        for (const { body, id } of messages.slice(first)) {
          const message = await client.message();
          assertEquals([message.body, message.id], [body, id]);
        }
      });

      assertEquals(lines.filter((line) => line.startsWith("WARNING: DISKQUEUE(t:c): reading")), [
        `WARNING: DISKQUEUE(t:c): reading is to go on at byte ${at} of t:c.diskqueue.000000.dat, inside a message: ` +
        `it goes on with all of that one, at byte ${starts[first]}`,
      ]);
    });
  }
});
