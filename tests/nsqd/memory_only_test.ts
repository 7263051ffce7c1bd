import { assertEquals } from "@std/assert";
import { countsOf, withNsqd } from "../support/nsqd_in_process.ts";

const MIB = 2 ** 20;
const IN_MEMORY = { store: "memory", maxMemoryBytes: 1024 * MIB } as const;

async function post(url: string, body: string): Promise<string> {
  return await (await fetch(url, { method: "POST", body })).text();
}

Deno.test("Nsqd in memory keeps more messages than --mem-queue-size there, and drops none", async () => {
  await withNsqd("", { ...IN_MEMORY, memQueueSize: 100 }, async (nsqd) => {
    const lines = Array.from({ length: 2500 }, (_, i) => `message ${i}`).join("\n");
    assertEquals(
      await post(`${nsqd.httpUrl}/channel/create?topic=t&channel=c`, ""),
      '{"message":"TOPIC_NOT_FOUND"}',
    );
    assertEquals(await post(`${nsqd.httpUrl}/topic/create?topic=t`, ""), "");
    assertEquals(await post(`${nsqd.httpUrl}/channel/create?topic=t&channel=c`, ""), "");
    assertEquals(await post(`${nsqd.httpUrl}/mpub?topic=t`, lines), "OK");

    assertEquals(countsOf(nsqd, "t", "c"), { depth: 2500, inFlight: 0, deferred: 0 });
    using client = await nsqd.connect();
    assertEquals(await client.ask("SUB t c\n"), "OK");
    await client.send("RDY 500\n");
    for (let i = 0; i < 2500; i++) {
      const { id, body } = await client.message();
      assertEquals(body, `message ${i}`);
      await client.send(`FIN ${id}\n`);
    }
  });
});

Deno.test("Nsqd in memory keeps deferred messages through what is done now and then", async () => {
  await withNsqd("", IN_MEMORY, async (nsqd) => {
    const topic = nsqd.nsqd.broker.topic("t");
    topic.channel("c");
    // Longer than what waits in the table of outstanding messages.
    assertEquals(await post(`${nsqd.httpUrl}/pub?topic=t&defer=3000000`, "later"), "OK");
    assertEquals(await post(`${nsqd.httpUrl}/pub?topic=t`, "now"), "OK");

    await topic.maintain();
    await topic.spill();

    assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 1 });
  });
});

Deno.test("Nsqd in memory empties and deletes topics and channels", async () => {
  await withNsqd("", IN_MEMORY, async (nsqd) => {
    const { broker } = nsqd.nsqd;
    broker.topic("t").channel("c");
    assertEquals(await post(`${nsqd.httpUrl}/pub?topic=t`, "x".repeat(100_000)), "OK");

    assertEquals(await post(`${nsqd.httpUrl}/channel/empty?topic=t&channel=c`, ""), "");
    assertEquals(countsOf(nsqd, "t", "c").depth, 0);
    assertEquals(await post(`${nsqd.httpUrl}/topic/delete?topic=t`, ""), "");

    await broker.idle();
    assertEquals([broker.topics.size, broker.bytes], [0, 0]);
  });
});
