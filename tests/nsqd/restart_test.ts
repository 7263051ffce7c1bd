import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { mpub, pub, withBody } from "../support/frames.ts";
import { countsOf, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

Deno.test("Nsqd keeps topics, channels and their pauses over a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async ({ nsqd, httpUrl }) => {
      nsqd.broker.topic("one").channel("a");
      nsqd.broker.topic("one").channel("gone#ephemeral");
      nsqd.broker.topic("gone#ephemeral");
      nsqd.broker.topic("two").channel("b");
      for (const path of ["/topic/pause?topic=two", "/channel/pause?topic=one&channel=a"]) {
        await (await fetch(httpUrl + path, { method: "POST" })).body?.cancel();
      }
    });

    await withNsqd(dataPath, {}, ({ nsqd: { broker } }) => {
      const kept = [...broker.topics.values()].map(({ name, paused, channels }) => ({
        name,
        paused,
        channels: [...channels.values()].map(({ name, paused }) => ({ name, paused })),
      }));
      assertEquals(kept, [
        { name: "one", paused: false, channels: [{ name: "a", paused: true }] },
        { name: "two", paused: true, channels: [{ name: "b", paused: false }] },
      ]);
      return Promise.resolve();
    });
  });
});

for (const [where, memQueueSize] of [["in memory", 10_000], ["on disk", 0], ["in both", 3]] as const) {
  Deno.test(`Nsqd keeps messages that wait ${where} over a restart, in their order`, async () => {
    await withDataPath(async (dataPath) => {
      const bodies = Array.from({ length: 10 }, (_, i) => `message ${i}`);
      await withNsqd(dataPath, { memQueueSize }, async (nsqd) => {
        using client = await nsqd.connect();
        nsqd.nsqd.broker.topic("t").channel("c");
        assertEquals(await client.ask(mpub("t", bodies)), "OK");
        assertEquals(await client.ask(mpub("own", bodies)), "OK");
      });

      await withNsqd(dataPath, { memQueueSize }, async (nsqd) => {
        assertEquals(countsOf(nsqd, "t", "c"), { depth: 10, inFlight: 0, deferred: 0 });
        assertEquals(nsqd.nsqd.broker.topic("own").depth, 10);
        using client = await nsqd.connect();
        await client.ask("SUB t c\n");
        await client.send("RDY 100\n");
        const received: string[] = [];
        while (received.length < 10) received.push((await client.message()).body);
        assertEquals(received, bodies);
      });
    });
  });
}

Deno.test("Nsqd keeps what was in flight over a restart, with its attempts, and forgets what was finished", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.ask(mpub("t", ["finished", "in flight"]));
      await client.send("RDY 2\n");
      const [finished, inFlight] = [await client.message(), await client.message()];
      await client.send(`FIN ${finished.id}\n`, `REQ ${inFlight.id} 0\n`);
      assertEquals((await client.message()).attempts, 2);
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 2\n");
      const { body, attempts } = await client.message();
      assertEquals([body, attempts], ["in flight", 3]);
    });
  });
});

Deno.test("Nsqd keeps deferred messages over a restart, with the time that remains", async () => {
  await withDataPath(async (dataPath) => {
    let dueMs = 0;
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      dueMs = nsqd.nsqd.clock.monotonicMs() + 60_000;
      await client.ask(withBody("DPUB t 60000", "later"));
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
      nsqd.nsqd.broker.scan(dueMs - 100);
      // Its segment is read before it is due.
      await nsqd.nsqd.broker.idle();
      assertEquals(countsOf(nsqd, "t", "c").deferred, 1);
      // Published some time after the clock was read.
      nsqd.nsqd.broker.scan(dueMs + 10_000);
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 1\n");
      const { body, attempts } = await client.message();
      assertEquals([body, attempts], ["later", 1]);
    });
  });
});

Deno.test("Nsqd keeps messages that were requeued with a delay over a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send(pub("t", "a"), "RDY 1\n");
      assertEquals(await client.answer(), "OK");
      await client.send(`REQ ${(await client.message()).id} 3600000\n`);
      await eventually("it is deferred", () => countsOf(nsqd, "t", "c").deferred === 1);
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd gives a topic that was emptied no messages back after a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { memQueueSize: 2 }, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("t").channel("c");
      await client.ask(mpub("t", ["1", "2", "3", "4"]));
      await (await fetch(`${nsqd.httpUrl}/channel/empty?topic=t&channel=c`, { method: "POST" })).body
        ?.cancel();
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 0 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd forgets a topic that was deleted, with its files", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { memQueueSize: 0 }, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask(pub("t", "a"));
      await (await fetch(`${nsqd.httpUrl}/topic/delete?topic=t`, { method: "POST" })).body?.cancel();
    });

    const left = (await Array.fromAsync(Deno.readDir(dataPath))).map(({ name }) => name);
    assertEquals(left.sort(), ["nsqd.dat", "nsqd.stopped"]);
  });
});

Deno.test("Nsqd keeps channels and messages although nsqd.dat is lost, and leaves foreign folders alone", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("t").channel("c");
      assertEquals(await client.ask(pub("t", "kept")), "OK");
    });
    Deno.removeSync(`${dataPath}/nsqd.dat`);
    Deno.mkdirSync(`${dataPath}/no name.topic`);

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals([...nsqd.nsqd.broker.topics.keys()], ["t"]);
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      return Promise.resolve();
    });
  });
});
