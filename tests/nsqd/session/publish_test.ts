import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { bodies, failure, i32, join, mpub, pub, response, withBody } from "../../support/frames.ts";
import { consumer, inMemory, settle } from "../../support/nsqd_in_memory.ts";

const OK = response("OK");

Deno.test(
  "Session carries out PUB, MPUB and DPUB, and counts messages by topic",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const answers = await client.ask(
      pub("a", "1"),
      mpub("b", ["1", "22", "333"]),
      withBody("DPUB a 1000", "2"),
    );

    assertEquals(answers, [OK, OK, OK]);
    const { topics } = nsqd.broker;
    assertEquals([...topics.values()].map(({ name, depth }) => [name, depth]), [["a", 2], ["b", 3]]);
    assertEquals([...client.session.pubCounts], [["a", 2], ["b", 3]]);
  }),
);

Deno.test(
  "Session answers many commands of one read with one write",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    await client.send(...Array.from({ length: 100 }, () => pub("t", "body")));

    assertEquals(client.connection.written.length, 1);
    assertEquals(client.frames().length, 100);
  }),
);

Deno.test(
  "Session publishes what has come in one read with one time, in one batch, and what comes later with another",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    await client.send(pub("t", "1"), mpub("t", ["2", "3"]), pub("t", "4"));
    await nsqd.pass(5);
    await client.send(pub("t", "5"));

    const [segment] = nsqd.broker.topic("t").log.segments;
    const batches = Array.from({ length: 5 }, (_, i) => segment.batchOffset(i));
    const times = Array.from({ length: 5 }, (_, i) => segment.timestampLow(i));
    for (const each of [batches, times]) {
      assertEquals(each.slice(0, 4), Array(4).fill(each[0]));
      assertNotEquals(each[4], each[0]);
    }
  }),
);

Deno.test(
  "Session delivers a message of DPUB when its time has come",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd, { rdy: 5 });

    await client.send(withBody("DPUB t 1000", "later"), pub("t", "now"));
    const first = bodies(client.frames());
    await nsqd.pass(999);
    const early = bodies(client.frames());
    await nsqd.pass(1);

    assertEquals(first, ["response: OK", "response: OK", "now"]);
    assertEquals(early, []);
    assertEquals(bodies(client.frames()), ["later"]);
  }),
);

Deno.test(
  "Session sends no OK before the message is kept, and E_PUB_FAILED when it is not",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.fault = () => "fails";

    const answers = await client.ask(pub("t", "a"));

    assertEquals(answers, [failure("E_PUB_FAILED PUB failed disk full")]);
    assertEquals(nsqd.broker.topic("t").depth, 0);
  }, { memQueueSize: 0 }),
);

for (
  const [command, frame] of [
    ["MPUB", mpub("t", ["a", "b"])],
    ["DPUB", withBody("DPUB t 10", "a")],
  ] as const
) {
  Deno.test(
    `Session answers a ${command} that cannot be kept with E_${command}_FAILED`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();
      nsqd.stores.fault = () => "fails";

      const answers = await client.ask(frame);

      assertEquals(answers, [failure(`E_${command}_FAILED ${command} failed disk full`)]);
    }, { memQueueSize: 0 }),
  );
}

Deno.test(
  "Session closes the connection after E_PUB_FAILED, as after every fatal error",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.fault = () => "fails";

    await client.send(pub("t", "a"));

    assert(client.connection.closed);
  }, { memQueueSize: 0 }),
);

Deno.test(
  "Session takes back every OK of a read in which one publish failed, and keeps the answers before",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.fault = () => "fails";

    const answers = await client.ask("SUB t c\n", pub("t", "a"), pub("t", "b"));

    assertEquals(answers, [OK, failure("E_PUB_FAILED PUB failed disk full")]);
  }, { memQueueSize: 0 }),
);

Deno.test(
  "Session answers a publish that is kept with OK although another client's failed",
  inMemory(async (nsqd) => {
    const [good, bad] = [await nsqd.connect(), await nsqd.connect()];
    await good.ask(pub("kept", "first"));
    let writes = 0;
    nsqd.stores.fault = () => ++writes === 2 ? "fails" : undefined;

    good.connection.push(pub("kept", "a"));
    bad.connection.push(pub("lost", "b"));
    await settle();

    assertEquals(good.frames(), [OK]);
    assertEquals(bad.frames(), [failure("E_PUB_FAILED PUB failed disk full")]);
  }, { memQueueSize: 0 }),
);

Deno.test(
  "Session sends no OK together with earlier output while the message is not kept",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    client.connection.hold();
    await client.send(pub("t", "first"));
    nsqd.stores.fault = () => "fails";

    // The write of the first OK ends after the second PUB was read, and before it is kept.
    client.connection.push(pub("t", "second"));
    await Promise.resolve();
    client.connection.release();
    await settle();

    assertEquals(client.frames(), [OK, failure("E_PUB_FAILED PUB failed disk full")]);
  }, { memQueueSize: 0 }),
);

/** An MPUB of so many messages of one byte. */
function mpubOf(count: number): Uint8Array<ArrayBuffer> {
  const messages = new Uint8Array(5 * count);
  for (let i = 0; i < count; i++) messages.set([0, 0, 0, 1, i], 5 * i);
  return withBody("MPUB t", join(i32(count), messages));
}

for (const durability of ["memory", "fsync"] as const) {
  Deno.test(
    `Session publishes an MPUB of very many messages in parts, and answers once (${durability})`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();
      const other = await nsqd.connect();

      await client.send(mpubOf(850_000), "NOP\n", pub("t", "behind"));
      await other.send(pub("t", "beside"));
      const topic = nsqd.broker.topic("t");
      // The other has not waited for all.
      assertEquals([topic.messageCount < 850_000, client.frames()], [true, []]);
      await eventually("all are published", () => topic.messageCount === 850_002);
      await settle();

      assertEquals([client.frames(), other.frames()], [[OK, OK], [OK]]);
      assertEquals(topic.depth, 850_002);
    }, { durability, memQueueSize: 1e6, maxBodySizeBytes: 5_000_000 }),
  );
}

Deno.test(
  "Session answers an MPUB of very many messages of which a part cannot be kept with E_MPUB_FAILED, and publishes no more",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    let writes = 0;
    nsqd.stores.fault = () => ++writes > 2 ? "fails" : undefined;

    await client.send(mpubOf(350_000));
    await eventually("it has ended", () => client.connection.closed);

    assertEquals(client.frames(), [failure("E_MPUB_FAILED MPUB failed disk full")]);
    assertEquals(nsqd.broker.topic("t").messageCount < 250_000, true);
  }, { durability: "disk", maxBodySizeBytes: 2_000_000 }),
);

Deno.test(
  "Session publishes the parts of an MPUB in a new topic when the topic is deleted between them",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    await client.send(mpubOf(850_000));
    const { messageCount } = nsqd.broker.topic("t");
    assertEquals(messageCount < 850_000, true);
    nsqd.broker.deleteTopic("t");
    const rest = 850_000 - messageCount;
    await eventually("the rest is published", () => nsqd.broker.topics.get("t")?.messageCount === rest);
    await settle();

    assertEquals(client.frames(), [OK]);
  }, { maxBodySizeBytes: 5_000_000 }),
);
