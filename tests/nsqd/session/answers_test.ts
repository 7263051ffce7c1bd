import { assert, assertEquals } from "@std/assert";
import { bodies, failure, ids } from "../../support/frames.ts";
import { channelOf, consumer, inMemory, publish } from "../../support/nsqd_in_memory.ts";

const MINUTE_MS = 60_000;

Deno.test(
  "Session carries out FIN without an answer",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1 });
    const [id] = ids(client.frames());

    const answers = await client.ask(`FIN ${id}\n`);

    assertEquals(answers, []);
    assertEquals([client.session.finishCount, client.session.inFlightCount, channelOf(nsqd).depth], [
      1,
      0,
      0,
    ]);
  }),
);

for (const command of ["FIN", "TOUCH", "REQ"]) {
  const rest = command === "REQ" ? " 0" : "";

  Deno.test(
    `Session answers a ${command} of what is not in flight with E_${command}_FAILED, and stays open`,
    inMemory(async (nsqd) => {
      const client = await consumer(nsqd, { rdy: 1 });

      const answers = await client.ask(`${command} 0123456789abcdef${rest}\n`);

      assertEquals(answers, [
        failure(`E_${command}_FAILED ${command} 0123456789abcdef failed ID not in flight`),
      ]);
      assertEquals(client.connection.closed, false);
    }),
  );

  Deno.test(
    `Session answers a ${command} of another's message with E_${command}_FAILED`,
    inMemory(async (nsqd) => {
      const [owner, other] = [await consumer(nsqd, { rdy: 1 }), await consumer(nsqd)];
      await publish(nsqd, "a");
      const [id] = ids(owner.frames());

      const answers = await other.ask(`${command} ${id}${rest}\n`);

      assertEquals(answers, [
        failure(`E_${command}_FAILED ${command} ${id} failed client does not own message`),
      ]);
      assertEquals(owner.session.inFlightCount, 1);
    }),
  );
}

Deno.test(
  "Session answers a second FIN of a message with E_FIN_FAILED",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1 });
    const [id] = ids(client.frames());

    const answers = await client.ask(`FIN ${id}\n`, `FIN ${id}\n`);

    assertEquals(answers, [failure(`E_FIN_FAILED FIN ${id} failed ID not in flight`)]);
    assertEquals(client.session.finishCount, 1);
  }),
);

Deno.test(
  "Session delivers a message again after REQ 0, with one more attempt",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1 });
    const [first] = client.frames();

    const [second] = await client.ask(`REQ ${ids([first])[0]} 0\n`);

    assert(first.type === "message" && second.type === "message");
    assertEquals([second.id, second.body, second.attempts], [first.id, "a", 2]);
    assertEquals(second.timestampNs, first.timestampNs);
    assertEquals(client.session.requeueCount, 1);
  }),
);

Deno.test(
  "Session delivers a message again after the delay of REQ",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1 });
    const [id] = ids(client.frames());

    await client.send(`REQ ${id} 5000\n`);
    const { deferredCount } = channelOf(nsqd);
    await nsqd.pass(4999);
    const early = client.frames();
    await nsqd.pass(1);

    assertEquals(deferredCount, 1);
    assertEquals([early, client.frames()].map(bodies), [[], ["a"]]);
  }),
);

Deno.test(
  "Session shortens a delay of REQ above the limit to the limit",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1 });
    const [id] = ids(client.frames());

    const answers = await client.ask(`REQ ${id} 99999999\n`);
    await nsqd.pass(10_000);

    assertEquals(answers, []);
    assertEquals(bodies(client.frames()), ["a"]);
  }, { maxReqTimeoutMs: 10_000 }),
);

Deno.test(
  "Session delivers a message again when its time is over, to whoever is ready",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const first = await consumer(nsqd, { rdy: 1, identify: { msg_timeout: 1000 } });
    const second = await consumer(nsqd);
    first.frames();

    await first.send("RDY 0\n");
    await second.send("RDY 1\n");
    await nsqd.pass(999);
    const early = second.frames();
    await nsqd.pass(1);

    assertEquals(early, []);
    const [frame] = second.frames();
    assert(frame.type === "message");
    assertEquals([frame.body, frame.attempts], ["a", 2]);
    assertEquals([first.session.inFlightCount, channelOf(nsqd).timeoutCount], [0, 1]);
  }),
);

Deno.test(
  "Session gives a message more time after TOUCH, counted from then",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1, identify: { msg_timeout: 1000 } });
    const [id] = ids(client.frames());

    await nsqd.pass(900);
    const answers = await client.ask(`TOUCH ${id}\n`);
    await nsqd.pass(999);
    const early = client.frames();
    await nsqd.pass(1);

    assertEquals([answers, early], [[], []]);
    assertEquals(bodies(client.frames()), ["a"]);
  }),
);

Deno.test(
  "Session gives a message no more than the longest time, however often it is touched",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const client = await consumer(nsqd, { rdy: 1, identify: { msg_timeout: 1000 } });
    const [id] = ids(client.frames());

    for (let i = 0; i < 3; i++) {
      await nsqd.pass(600);
      await client.send(`TOUCH ${id}\n`);
    }
    const early = client.frames();
    await nsqd.pass(200);

    assertEquals(early, []);
    assertEquals(bodies(client.frames()), ["a"]);
  }, { maxMsgTimeoutMs: 2000 }),
);

Deno.test(
  "Session that ends leaves its messages in flight until their time is over, as in NSQ",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");
    const first = await consumer(nsqd, { rdy: 1 });
    const second = await consumer(nsqd, { rdy: 1 });

    await first.end();
    const early = second.frames();
    await nsqd.pass(MINUTE_MS / 2);
    await second.send("NOP\n");
    await nsqd.pass(MINUTE_MS / 2);

    assertEquals(early, []);
    assertEquals(bodies(second.frames().filter((frame) => frame.type === "message")), ["a"]);
  }),
);
