import { assertEquals } from "@std/assert";
import { MESSAGE_SIZE_MAX } from "../../../src/nsqd/kv/chunk.ts";
import { CHANNELS_MAX } from "../../../src/nsqd/kv/topic_record.ts";
import { testQueue } from "../../contract/queue.ts";
import { kvQueue, type TestKvQueue, withKv } from "../../support/kv.ts";
import { CLIENT, PLACE, publish, receive, refusalOf, textsOf } from "../../support/kv_requests.ts";

for (const where of [":memory:", "file"] as const) {
  testQueue(`KvQueue (${where})`, {
    async make(limits) {
      const folder = await Deno.makeTempDir();
      const kv = await Deno.openKv(where === "file" ? `${folder}/kv.sqlite` : where);
      const made = kvQueue(kv, { options: limits ?? {} });
      return {
        ...made,
        async [Symbol.asyncDispose]() {
          await made[Symbol.asyncDispose]();
          kv.close();
          await Deno.remove(folder, { recursive: true });
        },
      };
    },
  });
}

/** A test with an instance on a database of its own. */
function kvTest(name: string, test: (made: TestKvQueue) => Promise<void>): void {
  Deno.test(name, () =>
    withKv(":memory:", async (kv) => {
      await using made = kvQueue(kv);
      await test(made);
    }));
}

kvTest("KvQueue keeps a message of the largest size as it is, and refuses a larger one", async (made) => {
  const body = new Uint8Array(MESSAGE_SIZE_MAX);
  for (let i = 0; i < body.length; i++) body[i] = i % 251;
  await publish(made, "before");
  await made.queue.publish("t", body, { deferMs: 0 });

  const [, message] = await receive(made, { bytesMax: MESSAGE_SIZE_MAX + 6 });
  assertEquals(message.body, body);
  const larger = new Uint8Array(MESSAGE_SIZE_MAX + 1);
  assertEquals(await refusalOf(made.queue.publish("t", larger, { deferMs: 0 })), [413, "MSG_TOO_BIG"]);
});

kvTest("KvQueue puts what is published at the same time into one chunk, up to 256 messages", async (made) => {
  await publish(made);
  const before = made.kv.counts.commit;
  await Promise.all(Array.from({ length: 257 }, (_, i) => publish(made, `${i}`)));

  // The first four begin at once; the others wait for them.
  assertEquals(made.kv.counts.commit - before <= 6, true);
  assertEquals((await receive(made, { max: 300 })).length, 257);
});

kvTest("KvQueue makes no commit that denokv refuses: ten checks", async (made) => {
  await publish(made, ...Array.from({ length: 1000 }, (_, i) => `${i}`));
  const messages = await receive(made, { max: 1000 });
  await made.queue.finish(PLACE, messages.map(({ lease }) => lease));

  assertEquals(messages.length, 1000);
  assertEquals(made.kv.most.checks <= 10, true);
});

kvTest("KvQueue has as many channels in a topic as there may be, and refuses one more", async (made) => {
  await made.queue.createTopic("t");
  const name = (i: number) => `${i}`.padEnd(64, "-");
  for (let i = 0; i < CHANNELS_MAX; i++) await made.queue.createChannel({ topic: "t", channel: name(i) });

  assertEquals(await refusalOf(made.queue.createChannel({ topic: "t", channel: "more" })), [
    429,
    "TOO_MANY_CHANNELS",
  ]);
  await made.queue.publish("t", new TextEncoder().encode("a"), { deferMs: 0 });
  const last = { topic: "t", channel: name(CHANNELS_MAX - 1) };
  assertEquals((await receive(made, {}, last)).length, 1);
});

kvTest("KvQueue has no ephemeral topics and channels", async (made) => {
  const { queue } = made;
  const topic = "t#ephemeral";
  const place = { topic: "t", channel: "c#ephemeral" };
  await queue.createTopic("t");

  assertEquals(await refusalOf(queue.createTopic(topic)), [400, "EPHEMERAL_TOPIC"]);
  assertEquals(await refusalOf(queue.publish(topic, new Uint8Array(1), { deferMs: 0 })), [
    400,
    "EPHEMERAL_TOPIC",
  ]);
  assertEquals(await refusalOf(queue.createChannel(place)), [400, "EPHEMERAL_CHANNEL"]);
  assertEquals(await refusalOf(receive(made, {}, place)), [400, "EPHEMERAL_CHANNEL"]);
});

kvTest(
  "KvQueue gives the first channel what was published before, and later ones what comes then",
  async (made) => {
    const { queue } = made;
    await queue.createTopic("t");
    await queue.publish("t", new TextEncoder().encode("before"), { deferMs: 0 });
    await queue.createChannel(PLACE);
    await queue.createChannel({ topic: "t", channel: "later" });
    await queue.publish("t", new TextEncoder().encode("after"), { deferMs: 0 });

    assertEquals(textsOf(await receive(made)), ["before", "after"]);
    assertEquals(textsOf(await receive(made, {}, { topic: "t", channel: "later" })), ["after"]);
  },
);

kvTest("KvQueue empties a paused topic of what it keeps back, and nothing else", async (made) => {
  await publish(made, "kept");
  await made.queue.pauseTopic("t", true);
  await publish(made, "dropped");
  await made.queue.publish("t", new TextEncoder().encode("deferred"), { deferMs: 1000 });
  await made.queue.emptyTopic("t");
  await made.queue.pauseTopic("t", false);
  await made.advance(2000);

  assertEquals(textsOf(await receive(made)), ["kept"]);
  const { topics } = await made.queue.stats({
    topics: new Set(["t"]),
    channels: new Set(),
    includeClients: true,
  });
  assertEquals(topics?.[0].channels.map(({ depth, in_flight_count }) => [depth, in_flight_count]), [[0, 1]]);
});

kvTest("KvQueue begins a topic anew that was deleted", async (made) => {
  await publish(made, "old", "older");
  const [{ lease }] = await receive(made, { max: 1 });
  await made.queue.deleteTopic("t");
  await publish(made, "new");

  assertEquals(textsOf(await receive(made)), ["new"]);
  assertEquals((await made.queue.finish(PLACE, [lease])).done, 1);
  await made.advance(31_000);
  const { topics } = await made.queue.stats({
    topics: new Set(["t"]),
    channels: new Set(),
    includeClients: true,
  });
  assertEquals(topics?.[0].message_count, 1);
});

kvTest("KvQueue tells of no clients in the statistics", async (made) => {
  await publish(made, "a");
  const { queue } = made;
  const waiting = queue.receive(PLACE, {
    max: 1,
    bytesMax: 10,
    waitMs: 1000,
    timeoutMs: 1000,
    client: CLIENT,
  });
  const { topics, producers } = await queue.stats({
    topics: new Set(["t"]),
    channels: new Set(["c"]),
    includeClients: true,
  });

  assertEquals([topics?.[0].channels[0].clients, producers], [[], null]);
  assertEquals(textsOf(await waiting), ["a"]);
});
