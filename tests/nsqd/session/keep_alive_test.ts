import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { type Frame, i32, identify, pub, response } from "../../support/frames.ts";
import { channelOf, consumer, inMemory, publish, settle } from "../../support/nsqd_in_memory.ts";

const HEARTBEAT = response("_heartbeat_");
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

Deno.test(
  "Session.keepAlive() sends a heartbeat every 30 s",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.send("NOP\n");

    const beats: Frame[][] = [];
    for (const ms of [29_999, 1, 29_999, 1]) {
      await nsqd.pass(ms);
      beats.push(await client.ask("NOP\n"));
    }

    assertEquals(beats, [[], [HEARTBEAT], [], [HEARTBEAT]]);
  }),
);

Deno.test(
  "Session.keepAlive() sends heartbeats in the interval that was asked for, counted from then",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await nsqd.pass(20 * SECOND_MS);

    await client.ask(identify({ heartbeat_interval: 1000 }));
    await nsqd.pass(999);
    const early = client.frames();
    await nsqd.pass(1);

    assertEquals([early, client.frames()], [[], [HEARTBEAT]]);
  }),
);

Deno.test(
  "Session.keepAlive() sends none when heartbeats are disabled, and lets the client be silent",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.ask(identify({ heartbeat_interval: -1 }));

    for (let i = 0; i < 10; i++) await nsqd.pass(MINUTE_MS);

    assertEquals(client.frames(), []);
    assertEquals(client.connection.closed, false);
  }),
);

Deno.test(
  "Session.keepAlive() ends the connection of a client that is silent for two intervals",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.send("NOP\n");

    await nsqd.pass(60 * SECOND_MS);
    const early = client.connection.closed;
    await nsqd.pass(1);

    assertEquals(early, false);
    assert(client.connection.closed);
    assertEquals(
      nsqd.lines.filter((line) => line.startsWith("ERROR")),
      ["ERROR: client(127.0.0.1:5001) - failed to read command - i/o timeout"],
    );
  }),
);

Deno.test(
  "Session.keepAlive() ends the connection of a client that does not read for an interval",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.ask(identify({ heartbeat_interval: 2000 }));
    client.connection.hold();

    await client.send(pub("t", "a"));
    await nsqd.pass(2000);
    const early = client.connection.closed;
    await client.send("NOP\n");
    await nsqd.pass(1);

    assertEquals(early, false);
    assert(client.connection.closed);
    assertEquals(
      nsqd.lines.filter((line) => line.startsWith("ERROR")),
      ["ERROR: client(127.0.0.1:5001) - failed to write - i/o timeout"],
    );
  }),
);

Deno.test(
  "Session.keepAlive() ends a connection that sends no command in time",
  inMemory(async (nsqd) => {
    const silent = await nsqd.connect({ magic: "" });
    const spoken = await nsqd.connect();

    await nsqd.pass(5000);
    const early = [silent.connection.closed, spoken.connection.closed];
    await nsqd.pass(1);

    assertEquals(early, [false, false]);
    assertEquals([silent.connection.closed, spoken.connection.closed], [true, true]);
  }, { handshakeTimeoutMs: 5000 }),
);

Deno.test(
  "Session.keepAlive() sends no heartbeat to a client that has not sent the magic",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect({ magic: "" });

    await nsqd.pass(MINUTE_MS / 2);

    assertEquals(client.frames(), []);
  }, { handshakeTimeoutMs: 0 }),
);

Deno.test(
  "Session.keepAlive() ends a connection that does not send the rest of a command in time",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.send("NOP\n", "PUB t\n", i32(1000));

    // It sends, but never the end.
    for (let i = 0; i < 5; i++) {
      await nsqd.pass(1000);
      await client.send("x");
    }
    const early = client.connection.closed;
    await nsqd.pass(1);

    assertEquals(early, false);
    assert(client.connection.closed);
    assertEquals(
      nsqd.lines.filter((line) => line.startsWith("ERROR")),
      ["ERROR: client(127.0.0.1:5001) - failed to read the rest of a command - i/o timeout"],
    );
  }, { commandTimeoutMs: 5000 }),
);

Deno.test(
  "Session that has ended, but whose output is not read, is ended by keepAlive() as well",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    client.connection.hold();
    await client.send(pub("t", "a"));

    await client.end();
    const draining = nsqd.connections.size;
    await nsqd.pass(31 * SECOND_MS);

    assertEquals(draining, 1);
    assert(client.connection.closed);
    assertEquals(nsqd.connections.size, 0);
  }),
);

Deno.test(
  "Session gets no more messages while its output is not read, and others go on",
  inMemory(async (nsqd) => {
    const [slow, quick] = [await consumer(nsqd, { rdy: 2000 }), await consumer(nsqd, { rdy: 2000 })];
    slow.connection.hold();
    const body = "x".repeat(1000);

    for (let i = 0; i < 20; i++) await publish(nsqd, ...Array(100).fill(body));

    const slowCount = slow.session.messageCount;
    assertEquals(slowCount + quick.session.messageCount, 2000);
    // A message is 1034 bytes; one may be begun when all but a byte of 256 KiB is used.
    assertLessOrEqual(slowCount, Math.ceil(256 * 1024 / 1034));
    assertEquals(quick.frames().length, quick.session.messageCount);
    assertEquals(channelOf(nsqd).depth, 0);
  }),
);

Deno.test(
  "Session gets messages again when its output is read again",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd, { rdy: 2000 });
    client.connection.hold();
    await publish(nsqd, ...Array(500).fill("x".repeat(1000)));
    const stalled = client.session.messageCount;

    client.connection.release();
    await settle();
    await settle();

    assertLessOrEqual(stalled, 254);
    assertEquals(client.frames().length, 500);
  }),
);

Deno.test(
  "Session reads no more commands while its answers are not read, so that they do not pile up",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    client.connection.hold();
    const count = 200_000;

    // Each is answered with 10 bytes.
    for (let i = 0; i < 20; i++) await client.send("PUB t\n\0\0\0\x01x".repeat(count / 20));
    const published = nsqd.broker.topic("t").depth;
    client.connection.release();
    for (let i = 0; i < 50; i++) await settle();

    // What was in one buffer is carried out whole, so it may be somewhat more than 256 KiB of answers.
    assertLessOrEqual(published, 60_000);
    assertEquals(nsqd.broker.topic("t").depth, count);
    assertEquals(client.frames().length, count);
  }, { memQueueSize: 1_000_000 }),
);
