/**
 * Publishers of topics whose messages are synced before they are told OK, and what goes on meanwhile.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";
import { eventually } from "../../support/eventually.ts";
import { bodies, failure, identify, ids, mpub, pub, response, withBody } from "../../support/frames.ts";
import { channelOf, consumer, inMemory, type NsqdInMemory, settle } from "../../support/nsqd_in_memory.ts";

const OK = response("OK");

const PUBLISHES = [
  ["PUB", pub("t", "a")],
  ["MPUB", mpub("t", ["a", "b"])],
  ["DPUB", withBody("DPUB t 1000", "a")],
] as const;

for (const [command, frame] of PUBLISHES) {
  syncTest(`Session answers ${command} when it is synced, and not earlier`, async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.holdSyncs();

    assertEquals(await client.ask(frame), []);
    nsqd.stores.releaseSyncs();
    await settle();

    assertEquals(client.frames(), [OK]);
  });

  syncTest(`Session answers ${command} whose sync fails with E_${command}_FAILED, and ends`, async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.syncFault = () => true;

    assertEquals(await client.ask(frame), [
      failure(`E_${command}_FAILED ${command} failed input/output error`),
    ]);
    await client.done;

    assertEquals(client.connection.closed, true);
    const refusal = `E_${command}_FAILED ${command} failed input/output error`;
    assertEquals(nsqd.lines.filter((line) => line.startsWith("ERROR")), [
      "ERROR: TOPIC(t): failed to sync - input/output error",
      `ERROR: [127.0.0.1:5001] - ${refusal}`,
    ]);
  });
}

syncTest("Session answers all the publishes of a read when they are synced, in their order", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();

  const early = await client.ask(pub("t", "a"), mpub("t", ["b", "c"]), pub("t", "d"));
  assertEquals([early, nsqd.stores.syncs], [[], 1]);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals([client.frames(), nsqd.stores.syncs], [[OK, OK, OK], 1]);
});

syncTest("Session answers with one error for all the publishes of a read whose sync fails", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.syncFault = () => true;

  const answers = await client.ask("SUB t c\n", pub("t", "a"), mpub("t", ["b", "c"]));

  assertEquals(answers, [OK, failure("E_PUB_FAILED PUB failed input/output error")]);
});

syncTest("Session answers publishes to several topics when the last of them is synced", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();

  await client.send(pub("memory.x", "a"), pub("t", "b"), pub("disk.x", "c"), pub("u", "d"));
  assertEquals([client.frames(), nsqd.stores.syncs], [[], 2]);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(client.frames(), [OK, OK, OK, OK]);
});

syncTest(
  "Session answers publishes to several topics with an error when one of them is not synced",
  async (nsqd) => {
    const client = await nsqd.connect();
    let syncs = 0;
    nsqd.stores.syncFault = () => ++syncs === 2;

    const answers = await client.ask(pub("t", "a"), pub("u", "b"));

    assertEquals([answers, syncs], [[failure("E_PUB_FAILED PUB failed input/output error")], 2]);
  },
);

syncTest(
  "Session answers a publish at once whose topic needs no sync, while that of another one runs",
  async (nsqd) => {
    const [slow, quick, other] = [await nsqd.connect(), await nsqd.connect(), await nsqd.connect()];
    nsqd.stores.holdSyncs();
    await slow.send(pub("t", "a"));

    assertEquals(await quick.ask(pub("memory.x", "b")), [OK]);
    assertEquals(await other.ask(pub("disk.x", "c")), [OK]);
    assertEquals(slow.frames(), []);

    nsqd.stores.releaseSyncs();
  },
);

syncTest("Session delivers to consumers while a sync runs, and takes their answers", async (nsqd) => {
  const client = await consumer(nsqd, { rdy: 1 });
  const publisher = await nsqd.connect();
  nsqd.stores.holdSyncs();

  await publisher.send(pub("t", "a"));
  const first = client.frames();
  await client.send(`FIN ${ids(first)[0]}\n`);
  const other = await nsqd.connect();
  await other.send(pub("t", "b"));

  assertEquals([bodies(first), bodies(client.frames())], [["a"], ["b"]]);
  assertEquals([publisher.frames(), other.frames()], [[], []]);
  nsqd.stores.releaseSyncs();
});

syncTest("Session carries out no command of a client that waits for a sync", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  await client.send(pub("t", "a"));

  await client.send("SUB t c\n");
  await client.send(pub("t", "b"));
  assertEquals([client.frames(), client.session.subscription, nsqd.stores.syncs], [[], undefined, 1]);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals([client.frames(), nsqd.stores.syncs], [[OK, OK, OK], 2]);
});

syncTest("Session carries out no command that comes behind a publish whose sync fails", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  nsqd.stores.syncFault = () => true;
  await client.send(pub("t", "a"));
  await client.send(pub("u", "b"));

  nsqd.stores.releaseSyncs();
  await client.done;

  assertEquals(client.frames(), [failure("E_PUB_FAILED PUB failed input/output error")]);
  assertEquals([...nsqd.broker.topics.keys()], ["t"]);
});

syncTest("Session carries out what came in one read with a publish before it waits", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();

  await client.send(pub("t", "a"), "SUB t c\nRDY 1\n");
  assertEquals([client.frames(), client.session.readyCount], [[], 1]);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(bodies(client.frames()), ["response: OK", "response: OK", "a"]);
});

syncTest("Session sends a consumer that publishes no message between, which others get", async (nsqd) => {
  const client = await consumer(nsqd, { rdy: 5 });
  nsqd.stores.holdSyncs();
  await client.send(pub("u", "a"));

  await (await nsqd.connect()).send(pub("t", "b"));
  assertEquals([client.frames(), channelOf(nsqd).depth], [[], 1]);
  const other = await consumer(nsqd, { rdy: 1 });
  assertEquals(bodies(other.frames()), ["b"]);
  await (await nsqd.connect()).send(pub("t", "c"));
  assertEquals(channelOf(nsqd).depth, 1);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(bodies(client.frames()), ["response: OK", "c"]);
});

syncTest("Session shares a sync with all the publishers of a turn", async (nsqd) => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => nsqd.connect()));

  for (const client of clients) client.connection.push(pub("t", "a"));
  await settle();

  assertEquals(clients.flatMap((client) => client.frames()), Array(20).fill(OK));
  assertEquals(nsqd.stores.syncs, 1);
});

syncTest("Session shares the next sync with all who publish while one runs", async (nsqd) => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => nsqd.connect()));
  nsqd.stores.holdSyncs();

  for (const client of clients) await client.send(pub("t", "a"));
  assertEquals([clients.flatMap((client) => client.frames()), nsqd.stores.syncs], [[], 1]);
  nsqd.stores.releaseSyncs();
  nsqd.stores.holdSyncs();
  await settle();
  assertEquals(clients.map((client) => client.frames().length), [1, ...Array(19).fill(0)]);
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(clients.map((client) => client.frames().length), [0, ...Array(19).fill(1)]);
  assertEquals(nsqd.stores.syncs, 2);
});

syncTest("Session answers one client after the other, as each sync ends", async (nsqd) => {
  const client = await nsqd.connect();

  for (let i = 0; i < 5; i++) assertEquals(await client.ask(pub("t", `${i}`)), [OK]);

  assertEquals(nsqd.stores.syncs, 5);
});

syncTest(
  "Session sends no heartbeat while an answer is held, and does not end the connection",
  async (nsqd) => {
    const client = await nsqd.connect();
    await client.ask(identify({ heartbeat_interval: 1000 }));
    nsqd.stores.holdSyncs();
    await client.send(pub("t", "a"));

    for (let i = 0; i < 5; i++) await nsqd.pass(1000);
    assertEquals([client.frames(), client.connection.closed], [[], false]);
    nsqd.stores.releaseSyncs();
    await settle();
    assertEquals(client.frames(), [OK]);
    await nsqd.pass(1000);

    assertEquals(client.frames(), [response("_heartbeat_")]);
  },
);

syncTest("Session that has been sent a heartbeat just before answers behind it", async (nsqd) => {
  const client = await nsqd.connect();
  await client.ask(identify({ heartbeat_interval: 1000 }));
  nsqd.stores.holdSyncs();
  nsqd.clock.advance(1000);
  client.session.keepAlive(nsqd.clock.monotonicMs());
  client.connection.push(pub("t", "a"));
  await settle();

  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(client.frames(), [response("_heartbeat_"), OK]);
});

syncTest("Session of a client that hangs up while it waits ends when the sync does", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  await client.send(pub("t", "a"));

  await client.end();
  nsqd.stores.releaseSyncs();
  await client.done;

  assertEquals([client.frames(), nsqd.connections.size, client.connection.closed], [[OK], 0, true]);
  assertEquals(nsqd.broker.topic("t").depth, 1);
});

syncTest("Session of a consumer that hangs up while it waits leaves its channel at once", async (nsqd) => {
  const client = await consumer(nsqd, { rdy: 1 });
  nsqd.stores.holdSyncs();
  await client.send(pub("u", "a"));
  await client.end();

  nsqd.stores.releaseSyncs();
  await client.done;

  assertEquals([channelOf(nsqd).consumers.size, nsqd.connections.size], [0, 0]);
});

syncTest("Session that is closed while it waits ends, and leaves nothing", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  await client.send(pub("t", "a"));

  client.session.close();
  await settle();
  nsqd.stores.releaseSyncs();
  await client.done;

  assertEquals([client.frames(), nsqd.connections.size], [[], 0]);
});

syncTest("Session that is closed while a sync runs that fails leaves nothing", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  nsqd.stores.syncFault = () => true;
  await client.send(pub("t", "a"));

  client.session.close();
  nsqd.stores.releaseSyncs();
  await client.done;

  assertEquals(nsqd.connections.size, 0);
});

syncTest("Session whose topic is deleted while it waits is answered", async (nsqd) => {
  const client = await nsqd.connect();
  nsqd.stores.holdSyncs();
  await client.send(pub("t", "a"));

  nsqd.broker.deleteTopic("t");
  nsqd.stores.releaseSyncs();
  await settle();

  assertEquals(client.frames(), [OK]);
});

syncTest("Session answers a publish that cannot be written at once, whatever syncs run", async (nsqd) => {
  const [first, second] = [await nsqd.connect(), await nsqd.connect()];
  nsqd.stores.holdSyncs();
  await first.send(pub("t", "a"));
  nsqd.stores.fault = () => "fails";

  assertEquals(await second.ask(pub("u", "b")), [failure("E_PUB_FAILED PUB failed disk full")]);

  nsqd.stores.releaseSyncs();
  await settle();
  assertEquals(first.frames(), [OK]);
});

syncTest("Session goes on publishing when syncs work again", async (nsqd) => {
  const [first, second] = [await nsqd.connect(), await nsqd.connect()];
  nsqd.stores.syncFault = () => true;
  await first.ask(pub("t", "a"));
  nsqd.stores.syncFault = () => false;

  assertEquals(await second.ask(pub("t", "b")), [OK]);
});

Deno.test(
  "Session answers at once with a durability of disk, when it is written",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.holdSyncs();

    assertEquals(await client.ask(pub("t", "a")), [OK]);

    assertEquals([nsqd.stores.syncs, nsqd.stores.open("t").list().length], [0, 1]);
    nsqd.stores.releaseSyncs();
  }, { durability: "disk" }),
);

Deno.test(
  "Session that upgrades its connection behind a publish waits for the sync before",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    nsqd.stores.holdSyncs();

    await client.send(pub("t", "a"), identify({ feature_negotiation: true, snappy: true }));
    assertEquals(client.frames(), []);
    nsqd.stores.releaseSyncs();
    // Its code is loaded only now.
    await eventually("the upgrade", () => client.session.snappy);

    const [ok, negotiated] = client.connection.written;
    assertEquals(new TextDecoder().decode(ok).includes("OK"), true);
    assertEquals(negotiated === undefined, false);
  }, { durability: "fsync", snappyEnabled: true }),
);

/** A test with an nsqd that syncs all topics but those of other names. */
function syncTest(name: string, test: (nsqd: NsqdInMemory) => Promise<void>): void {
  const options: Partial<NsqdOptions> = {
    durability: "fsync",
    durabilityTopics: ["memory.*=memory", "disk.*=disk"],
  };
  Deno.test(name, inMemory(test, options));
}
