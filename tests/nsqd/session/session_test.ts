import { assert, assertEquals } from "@std/assert";
import { bodies, failure, ids, pub, response } from "../../support/frames.ts";
import { channelOf, consumer, inMemory, NODE_ID, publish, settle } from "../../support/nsqd_in_memory.ts";

const OK = response("OK");

// The beginning of a connection

Deno.test(
  "Session.run() notes a new client and what it says first",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    assertEquals(client.frames(), []);
    assertEquals(nsqd.lines, [
      "INFO: TCP: new client(127.0.0.1:5001)",
      "INFO: CLIENT(127.0.0.1:5001): desired protocol magic '  V2'",
    ]);
  }),
);

Deno.test(
  "Session.run() answers another magic with E_BAD_PROTOCOL and closes",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect({ magic: "GET / HTTP/1.1\r\n" });

    assertEquals(client.frames(), [failure("E_BAD_PROTOCOL")]);
    assert(client.connection.closed);
    assertEquals(nsqd.lines.at(-1), "ERROR: client(127.0.0.1:5001) bad protocol magic 'GET '");
  }),
);

Deno.test(
  "Session.run() waits for the whole magic",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect({ magic: "  " });
    const early = client.connection.closed;

    await client.send("V2", "FIN\n");

    assertEquals(early, false);
    assertEquals(client.frames(), [failure("E_INVALID cannot FIN in current state")]);
  }),
);

Deno.test(
  "Session.run() takes a connection that ends within the magic for an error",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect({ magic: " " });

    assertEquals(await client.end(), []);
    assert(client.connection.closed);
    assertEquals(
      nsqd.lines.at(-1),
      "ERROR: client(127.0.0.1:5001) - failed to read protocol version - unexpected EOF",
    );
  }),
);

Deno.test(
  "Session.run() ends when the client ends its side",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    assertEquals(await client.end(), []);
    assert(client.connection.closed);
    assertEquals(nsqd.lines.at(-1), "INFO: PROTOCOL(V2): [127.0.0.1:5001] exiting ioloop");
    assertEquals(nsqd.connections.size, 0);
  }),
);

Deno.test(
  "Session.run() closes silently when a line is too long, and says so in the log",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    assertEquals(await client.ask("x".repeat(16 * 1024)), []);
    assert(client.connection.closed);
    assertEquals(nsqd.lines.at(-1), "ERROR: client(127.0.0.1:5001) - Cannot read command: buffer full");
  }),
);

Deno.test(
  "Session.run() answers what the client sent before it ended its side",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    client.connection.push(pub("t", "a"));

    assertEquals(await client.end(), [OK]);
    assertEquals(nsqd.broker.topic("t").depth, 1);
  }),
);

// Subscribing and RDY

Deno.test(
  "Session delivers nothing before RDY",
  inMemory(async (nsqd) => {
    await publish(nsqd, "a");

    const client = await consumer(nsqd);

    assertEquals(client.frames(), []);
    assertEquals(channelOf(nsqd).depth, 1);
  }),
);

Deno.test(
  "Session delivers a message with id, attempts, time and body",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd, { rdy: 1 });

    await publish(nsqd, "body");

    const [frame] = client.frames();
    assert(frame.type === "message");
    assertEquals(frame.body, "body");
    assertEquals(frame.attempts, 1);
    assertEquals(frame.timestampNs, BigInt(nsqd.clock.nowMs()) * 1_000_000n);
    assertEquals(Number(BigInt(`0x${frame.id}`) >> 12n) & 1023, NODE_ID);
  }),
);

Deno.test(
  "Session keeps exactly RDY messages in flight",
  inMemory(async (nsqd) => {
    await publish(nsqd, "1", "2", "3", "4", "5");
    const client = await consumer(nsqd, { rdy: 2 });

    const first = client.frames();
    await client.send(`FIN ${ids(first)[0]}\n`);
    const second = client.frames();
    await client.send("RDY 4\n");
    const third = client.frames();

    assertEquals([first, second, third].map(bodies), [["1", "2"], ["3"], ["4", "5"]]);
    assertEquals(client.session.inFlightCount, 4);
  }),
);

Deno.test(
  "Session delivers nothing more after RDY 0, and goes on with the next RDY",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd, { rdy: 2 });

    await client.send("RDY 0\n");
    await publish(nsqd, "a", "b");
    const none = client.frames();
    await client.send("RDY 1\n");

    assertEquals([none, client.frames()].map(bodies), [[], ["a"]]);
  }),
);

Deno.test(
  "Session delivers nothing more while more is in flight than a lowered RDY",
  inMemory(async (nsqd) => {
    await publish(nsqd, "1", "2", "3", "4");
    const client = await consumer(nsqd, { rdy: 3 });
    const [first, second, third] = ids(client.frames());

    await client.send("RDY 1\n", `FIN ${first}\n`, `FIN ${second}\n`);
    const none = client.frames();
    await client.send(`FIN ${third}\n`);

    assertEquals([none, client.frames()].map(bodies), [[], ["4"]]);
  }),
);

Deno.test(
  "Session takes RDY without a count for 1, and for 0 when the count is empty",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd);

    await client.send("RDY\n");
    const without = client.session.readyCount;
    await client.send("RDY \n");

    assertEquals([without, client.session.readyCount], [1, 0]);
  }),
);

Deno.test(
  "Session takes RDY up to the limit and no further",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd);

    await client.send("RDY 2499\n", "RDY 2500\n");
    const readyCount = client.session.readyCount;
    const answers = await client.ask("RDY 2501\n");

    assertEquals(readyCount, 2500);
    assertEquals(answers, [failure("E_INVALID RDY count 2501 out of range 0-2500")]);
    assert(client.connection.closed);
  }),
);

Deno.test(
  "Session shares the messages of a channel among its consumers, and gives each channel all",
  inMemory(async (nsqd) => {
    const [first, second] = [await consumer(nsqd, { rdy: 10 }), await consumer(nsqd, { rdy: 10 })];
    const other = await nsqd.connect();
    await other.ask("SUB t other\n", "RDY 10\n");

    await publish(nsqd, "1", "2", "3", "4");

    const shared = [bodies(first.frames()), bodies(second.frames())];
    assertEquals(shared.map((list) => list.length), [2, 2]);
    assertEquals(shared.flat().sort(), ["1", "2", "3", "4"]);
    assertEquals(bodies(other.frames()), ["1", "2", "3", "4"]);
  }),
);

Deno.test(
  "Session refuses a consumer beyond the limit of the channel",
  inMemory(async (nsqd) => {
    await consumer(nsqd);
    const client = await nsqd.connect();

    const answers = await client.ask("SUB t c\n");

    assertEquals(answers, [failure("E_SUB_FAILED SUB failed consumers for t:c exceeds limit of 1")]);
    assert(client.connection.closed);
  }, { maxChannelConsumers: 1 }),
);

Deno.test(
  "Session is closed when its channel is deleted",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd);

    nsqd.broker.topic("t").deleteChannel("c");
    await settle();

    assert(client.connection.closed);
  }),
);

// CLS

Deno.test(
  "Session answers CLS with CLOSE_WAIT, delivers nothing more, and takes FIN and REQ still",
  inMemory(async (nsqd) => {
    await publish(nsqd, "1", "2", "3");
    const client = await consumer(nsqd, { rdy: 2 });
    const [first, second] = ids(client.frames());

    const answers = await client.ask("CLS\n", `FIN ${first}\n`, `REQ ${second} 0\n`, `RDY 5\n`);
    await publish(nsqd, "4");

    assertEquals(answers, [response("CLOSE_WAIT")]);
    assertEquals(client.frames(), []);
    assertEquals(channelOf(nsqd).depth, 3);
    assertEquals(client.connection.closed, false);
    assertEquals(
      nsqd.lines.at(-1),
      "INFO: PROTOCOL(V2): [127.0.0.1:5001] ignoring RDY after CLS in state ClientStateV2Closing",
    );
  }),
);

Deno.test(
  "Session ends after CLS when the client closes",
  inMemory(async (nsqd) => {
    const client = await consumer(nsqd, { rdy: 1 });
    await client.ask("CLS\n");

    await client.end();

    assert(client.connection.closed);
    assertEquals(channelOf(nsqd).consumers.size, 0);
  }),
);
