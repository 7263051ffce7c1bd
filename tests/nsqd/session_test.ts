import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import {
  failure,
  type Frame,
  i32,
  identify,
  join,
  mpub,
  pub,
  response,
  withBody,
} from "../support/frames.ts";
import {
  type MemoryClient,
  NODE_ID,
  NsqdInMemory,
  type NsqdInMemoryOptions,
  settle,
} from "../support/nsqd_in_memory.ts";

const OK = response("OK");
const HEARTBEAT = response("_heartbeat_");
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Runs `test` with an nsqd, whose clients are all gone afterwards. */
function inMemory(
  test: (nsqd: NsqdInMemory) => Promise<void>,
  options: NsqdInMemoryOptions["options"] = {},
): () => Promise<void> {
  return async () => {
    const nsqd = new NsqdInMemory({ options });
    try {
      await test(nsqd);
    } finally {
      for (const session of nsqd.connections) session.close();
      await settle();
      assertEquals(nsqd.connections.size, 0, "a session has not ended");
    }
  };
}

/** A consumer of topic `t`, channel `c`. */
async function consumer(
  nsqd: NsqdInMemory,
  options: { rdy?: number; identify?: unknown } = {},
): Promise<MemoryClient> {
  const client = await nsqd.connect();
  if (options.identify !== undefined) await client.ask(identify(options.identify));
  assertEquals(await client.ask("SUB t c\n"), [OK]);
  if (options.rdy !== undefined) await client.send(`RDY ${options.rdy}\n`);
  return client;
}

/** Publishes to topic `t`. */
function publish({ broker }: NsqdInMemory, ...bodies: readonly string[]): Promise<void> {
  for (const body of bodies) broker.topic("t").publish(new TextEncoder().encode(body));
  return settle();
}

/** Bodies of the messages that have come. */
function bodies(frames: readonly Frame[]): string[] {
  return frames.map((frame) => frame.type === "message" ? frame.body : `${frame.type}: ${frame.text}`);
}

/** Ids of the messages that have come. */
function ids(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => frame.type === "message" ? [frame.id] : []);
}

function channelOf({ broker }: NsqdInMemory) {
  return broker.topic("t").channel("c");
}

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

// Publishing

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

// FIN, REQ, TOUCH and timeouts

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

// Heartbeats, and clients that are slow or silent

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

// IDENTIFY

/** What nsqd answers a client that asks for nothing but an answer. */
const NEGOTIATED = {
  max_rdy_count: 2500,
  version: "1.3.0",
  max_msg_timeout: 900_000,
  msg_timeout: 60_000,
  tls_v1: false,
  deflate: false,
  deflate_level: 6,
  max_deflate_level: 6,
  snappy: false,
  sample_rate: 0,
  auth_required: false,
  output_buffer_size: 16_384,
  output_buffer_timeout: 250,
  topology_region: "",
  topology_zone: "",
};

/** What is asked for, and what of the answer differs then. */
const ASKED: readonly (readonly [asked: Record<string, unknown>, differs: Partial<typeof NEGOTIATED>])[] = [
  [{}, {}],
  [{ client_id: "me", hostname: "here", user_agent: "test/1" }, {}],
  [{ msg_timeout: 0 }, {}],
  [{ msg_timeout: 1000 }, { msg_timeout: 1000 }],
  [{ msg_timeout: 900_000 }, { msg_timeout: 900_000 }],
  [{ sample_rate: 99 }, { sample_rate: 99 }],
  [{ output_buffer_size: 0 }, {}],
  [{ output_buffer_size: 64 }, { output_buffer_size: 64 }],
  [{ output_buffer_size: 65_536 }, { output_buffer_size: 65_536 }],
  [{ output_buffer_size: -1 }, { output_buffer_size: 1, output_buffer_timeout: 0 }],
  [{ output_buffer_timeout: 25 }, { output_buffer_timeout: 25 }],
  [{ output_buffer_timeout: 30_000 }, { output_buffer_timeout: 30_000 }],
  [{ output_buffer_timeout: -1 }, { output_buffer_timeout: 0 }],
  [{ heartbeat_interval: 1000 }, {}],
  [{ heartbeat_interval: 60_000 }, {}],
  [{ heartbeat_interval: -1 }, {}],
  // There is no certificate.
  [{ tls_v1: true }, {}],
  [{ Msg_Timeout: 2000, SAMPLE_RATE: 5 }, { msg_timeout: 2000, sample_rate: 5 }],
  [{ msg_timeout: null, client_id: null, unknown: [1] }, {}],
];

for (const [asked, differs] of ASKED) {
  Deno.test(
    `Session negotiates ${JSON.stringify(asked)}`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      const [answer] = await client.ask(identify({ ...asked, feature_negotiation: true }));

      assert(answer.type === "response");
      assertEquals(JSON.parse(answer.text), { ...NEGOTIATED, ...differs });
      assertEquals(Object.keys(JSON.parse(answer.text)), Object.keys(NEGOTIATED));
    }),
  );

  Deno.test(
    `Session answers ${JSON.stringify(asked)} with OK when features are not to be negotiated`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(identify(asked)), [OK]);
    }),
  );
}

Deno.test(
  "Session negotiates with the options in force",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const [answer] = await client.ask(identify({ feature_negotiation: true }));

    assert(answer.type === "response");
    assertEquals(JSON.parse(answer.text), {
      ...NEGOTIATED,
      max_rdy_count: 7,
      max_msg_timeout: 120_000,
      msg_timeout: 1500,
      max_deflate_level: 3,
      deflate_level: 3,
      output_buffer_timeout: 100,
      topology_region: "eu",
      topology_zone: "eu-1",
    });
  }, {
    maxRdyCount: 7,
    maxMsgTimeoutMs: 120_000,
    msgTimeoutMs: 1500,
    maxDeflateLevel: 3,
    outputBufferTimeoutMs: 100,
    topologyRegion: "eu",
    topologyZone: "eu-1",
  }),
);

Deno.test(
  "Session remembers who the client says it is",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    const before = [client.session.clientId, client.session.hostname];

    const data = {
      client_id: "me",
      hostname: "here",
      user_agent: "test/1",
      topology_zone: "z",
      topology_region: "r",
    };
    await client.ask(identify(data));

    const { clientId, hostname, userAgent, topologyZone, topologyRegion } = client.session;
    assertEquals(before, ["127.0.0.1", "127.0.0.1"]);
    assertEquals([clientId, hostname, userAgent, topologyZone, topologyRegion], [
      "me",
      "here",
      "test/1",
      "z",
      "r",
    ]);
  }),
);

Deno.test(
  "Session takes a second IDENTIFY before SUB, as NSQ does",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    assertEquals(await client.ask(identify({ msg_timeout: 1000 }), identify({ msg_timeout: 2000 })), [
      OK,
      OK,
    ]);
    assertEquals(client.session.settings.msgTimeoutMs, 2000);
  }),
);

/** What cannot be asked for, and what is answered. */
const REFUSED: readonly (readonly [asked: unknown, error: string])[] = [
  [{ heartbeat_interval: 999 }, "E_BAD_BODY IDENTIFY heartbeat interval (999) is invalid"],
  [{ heartbeat_interval: 60_001 }, "E_BAD_BODY IDENTIFY heartbeat interval (60001) is invalid"],
  [{ heartbeat_interval: -2 }, "E_BAD_BODY IDENTIFY heartbeat interval (-2) is invalid"],
  [{ output_buffer_size: 63 }, "E_BAD_BODY IDENTIFY output buffer size (63) is invalid"],
  [{ output_buffer_size: 65_537 }, "E_BAD_BODY IDENTIFY output buffer size (65537) is invalid"],
  [{ output_buffer_size: -2 }, "E_BAD_BODY IDENTIFY output buffer size (-2) is invalid"],
  [{ output_buffer_timeout: 24 }, "E_BAD_BODY IDENTIFY output buffer timeout (24) is invalid"],
  [{ output_buffer_timeout: 30_001 }, "E_BAD_BODY IDENTIFY output buffer timeout (30001) is invalid"],
  [{ sample_rate: -1 }, "E_BAD_BODY IDENTIFY sample rate (-1) is invalid"],
  [{ sample_rate: 100 }, "E_BAD_BODY IDENTIFY sample rate (100) is invalid"],
  [{ msg_timeout: 999 }, "E_BAD_BODY IDENTIFY msg timeout (999) is invalid"],
  [{ msg_timeout: 900_001 }, "E_BAD_BODY IDENTIFY msg timeout (900001) is invalid"],
  [{ msg_timeout: -1 }, "E_BAD_BODY IDENTIFY msg timeout (-1) is invalid"],
  [{ msg_timeout: "1000" }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ msg_timeout: 1000.5 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ sample_rate: 2 ** 31 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ client_id: 5 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ feature_negotiation: 1 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [[], "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  ["text", "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [
    { feature_negotiation: true, deflate: true, snappy: true },
    "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression",
  ],
];

for (const [asked, error] of REFUSED) {
  Deno.test(
    `Session refuses IDENTIFY ${JSON.stringify(asked)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(identify(asked)), [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}

// Errors

const NAME = "E_BAD_TOPIC";
const LONG = "x".repeat(65);

/** What is sent, and the error it is answered with. */
const ERRORS: readonly (readonly [sent: string, error: string])[] = [
  ["\n", "E_INVALID invalid command "],
  ["NOPE\n", "E_INVALID invalid command NOPE"],
  ["nop\n", "E_INVALID invalid command nop"],
  ["\xff\x00\n", "E_INVALID invalid command \xff\x00"],
  [" NOP\n", "E_INVALID invalid command "],
  ["RDY 1\n", "E_INVALID cannot RDY in current state"],
  ["FIN 0123456789abcdef\n", "E_INVALID cannot FIN in current state"],
  ["REQ 0123456789abcdef 0\n", "E_INVALID cannot REQ in current state"],
  ["TOUCH 0123456789abcdef\n", "E_INVALID cannot TOUCH in current state"],
  ["CLS\n", "E_INVALID cannot CLS in current state"],

  ["SUB\n", "E_INVALID SUB insufficient number of parameters"],
  ["SUB t\n", "E_INVALID SUB insufficient number of parameters"],
  ["SUB bad/name c\n", `${NAME} SUB topic name "bad/name" is not valid`],
  [`SUB ${LONG} c\n`, `${NAME} SUB topic name "${LONG}" is not valid`],
  ["SUB  c\n", `${NAME} SUB topic name "" is not valid`],
  ["SUB t bad:name\n", 'E_BAD_CHANNEL SUB channel name "bad:name" is not valid'],
  ["SUB t \n", 'E_BAD_CHANNEL SUB channel name "" is not valid'],
  ['SUB t "\n', 'E_BAD_CHANNEL SUB channel name "\\"" is not valid'],

  ["PUB\n", "E_INVALID PUB insufficient number of parameters"],
  ["PUB bad/name\n", `${NAME} PUB topic name "bad/name" is not valid`],
  ["PUB \xff\n", `${NAME} PUB topic name "\\xff" is not valid`],
  ["PUB \xc3\xa9\n", `${NAME} PUB topic name "\xc3\xa9" is not valid`],
  ["PUB t\n\0\0\0\0", "E_BAD_MESSAGE PUB invalid message body size 0"],
  ["PUB t\n\xff\xff\xff\xff", "E_BAD_MESSAGE PUB invalid message body size -1"],
  ["PUB t\n\0\x10\0\x01", "E_BAD_MESSAGE PUB message too big 1048577 > 1048576"],

  ["MPUB\n", "E_INVALID MPUB insufficient number of parameters"],
  ["MPUB bad/name\n", `${NAME} E_BAD_TOPIC MPUB topic name "bad/name" is not valid`],
  ["MPUB t\n\0\0\0\0", "E_BAD_BODY MPUB invalid body size 0"],
  ["MPUB t\n\xff\xff\xff\xfe", "E_BAD_BODY MPUB invalid body size -2"],
  ["MPUB t\n\0\x50\0\x01", "E_BAD_BODY MPUB body too big 5242881 > 5242880"],
  ["MPUB t\n\0\0\0\x04\0\0\0\0", "E_BAD_BODY MPUB invalid message count 0"],
  ["MPUB t\n\0\0\0\x04\x7f\xff\xff\xff", "E_BAD_BODY MPUB invalid message count 2147483647"],
  ["MPUB t\n\0\0\0\x08\0\0\0\x01\0\0\0\0", "E_BAD_MESSAGE MPUB invalid message(0) body size 0"],
  ["MPUB t\n\0\0\0\x08\0\0\0\x01\0\x10\0\x01", "E_BAD_MESSAGE MPUB message too big 1048577 > 1048576"],

  ["DPUB t\n", "E_INVALID DPUB insufficient number of parameters"],
  ["DPUB bad/name 5\n", `${NAME} DPUB topic name "bad/name" is not valid`],
  ["DPUB t soon\n", "E_INVALID DPUB could not parse timeout soon"],
  ["DPUB t -1\n", "E_INVALID DPUB could not parse timeout -1"],
  ["DPUB t 3600001\n", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"],
  ["DPUB t 5\n\0\0\0\0", "E_BAD_MESSAGE DPUB invalid message body size 0"],
  ["DPUB t 5\n\0\x10\0\x01", "E_BAD_MESSAGE DPUB message too big 1048577 > 1048576"],

  ["IDENTIFY\n\0\0\0\0", "E_BAD_BODY IDENTIFY invalid body size 0"],
  ["IDENTIFY\n\xff\xff\xff\xff", "E_BAD_BODY IDENTIFY invalid body size -1"],
  ["IDENTIFY\n\0\x50\0\x01", "E_BAD_BODY IDENTIFY body too big 5242881 > 5242880"],
  ["IDENTIFY\n\0\0\0\x01{", "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  ["AUTH\n\0\0\0\x06secret", "E_AUTH_DISABLED AUTH disabled"],
  ["AUTH x\n\0\0\0\x06secret", "E_INVALID AUTH invalid number of parameters"],
  ["AUTH\n\0\0\0\0", "E_BAD_BODY AUTH invalid body size 0"],
  ["AUTH\n\0\x50\0\x01", "E_BAD_BODY AUTH body too big 5242881 > 5242880"],
];

/** The same of a consumer. */
const CONSUMER_ERRORS: readonly (readonly [sent: string, error: string])[] = [
  ["SUB t c\n", "E_INVALID cannot SUB in current state"],
  ["IDENTIFY\n\0\0\0\x02{}", "E_INVALID cannot IDENTIFY in current state"],
  ["AUTH\n\0\0\0\x06secret", "E_INVALID cannot AUTH in current state"],
  ["RDY x\n", "E_INVALID RDY could not parse count x"],
  ["RDY -1\n", "E_INVALID RDY could not parse count -1"],
  ["RDY 2501\n", "E_INVALID RDY count 2501 out of range 0-2500"],
  ["FIN\n", "E_INVALID FIN insufficient number of params"],
  ["FIN short\n", "E_INVALID invalid message ID"],
  ["FIN 0123456789abcdef0\n", "E_INVALID invalid message ID"],
  ["REQ 0123456789abcdef\n", "E_INVALID REQ insufficient number of params"],
  ["REQ short 0\n", "E_INVALID invalid message ID"],
  ["REQ 0123456789abcdef soon\n", "E_INVALID REQ could not parse timeout soon"],
  ["TOUCH\n", "E_INVALID TOUCH insufficient number of params"],
  ["TOUCH short\n", "E_INVALID invalid message ID"],
  ["CLS\nCLS\n", "E_INVALID cannot CLS in current state"],
  ["CLS\nSUB t c\n", "E_INVALID cannot SUB in current state"],
];

for (const [sent, error] of ERRORS) {
  Deno.test(
    `Session answers ${JSON.stringify(sent)} with ${JSON.stringify(error)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(sent, "NOP\n"), [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}

for (const [sent, error] of CONSUMER_ERRORS) {
  Deno.test(
    `Session of a consumer answers ${JSON.stringify(sent)} with ${JSON.stringify(error)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await consumer(nsqd);

      assertEquals((await client.ask(sent)).at(-1), failure(error));
      assert(client.connection.closed);
    }),
  );
}

Deno.test(
  "Session refuses SUB when heartbeats are disabled",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const answers = await client.ask(identify({ heartbeat_interval: -1 }), "SUB t c\n");

    assertEquals(answers, [OK, failure("E_INVALID cannot SUB with heartbeats disabled")]);
  }),
);

Deno.test(
  "Session carries out nothing after a fatal error",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const answers = await client.ask("NOPE\n", pub("t", "a"));

    assertEquals(answers, [failure("E_INVALID invalid command NOPE")]);
    assertEquals(nsqd.broker.topics.size, 0);
  }),
);

Deno.test(
  "Session makes the topic of an MPUB that it refuses, as NSQ does, and not the one of a PUB",
  inMemory(async (nsqd) => {
    await (await nsqd.connect()).ask("MPUB made\n", i32(0));
    await (await nsqd.connect()).ask("PUB not_made\n", i32(0));

    assertEquals([...nsqd.broker.topics.keys()], ["made"]);
  }),
);

Deno.test(
  "Session logs an error with its cause, and sends it without",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    client.connection.push(join("PUB t\n", i32(5), "ab"));
    const answers = await client.end();

    assertEquals(answers, [failure("E_BAD_MESSAGE PUB failed to read message body")]);
    assertEquals(
      nsqd.lines.filter((line) => line.startsWith("ERROR")),
      ["ERROR: [127.0.0.1:5001] - E_BAD_MESSAGE PUB failed to read message body - unexpected EOF"],
    );
  }),
);

/** What a client sends before it ends its side in the middle of a command, and what it is answered. */
const CUT_OFF: readonly (readonly [sent: string, error: string | undefined])[] = [
  ["PU", undefined],
  ["PUB t", undefined],
  ["PUB t\n\0\0", "E_BAD_MESSAGE PUB failed to read message body size"],
  ["PUB t\n\0\0\0\x02a", "E_BAD_MESSAGE PUB failed to read message body"],
  ["DPUB t 5\n", "E_BAD_MESSAGE DPUB failed to read message body size"],
  ["DPUB t 5\n\0\0\0\x02a", "E_BAD_MESSAGE DPUB failed to read message body"],
  ["MPUB t\n\0", "E_BAD_BODY MPUB failed to read body size"],
  ["MPUB t\n\0\0\0\x0a\0\0", "E_BAD_BODY MPUB failed to read message count"],
  ["MPUB t\n\0\0\0\x0a\0\0\0\x02\0\0\0\x01a\0", "E_BAD_MESSAGE MPUB failed to read message(1) body size"],
  ["MPUB t\n\0\0\0\x0a\0\0\0\x01\0\0\0\x02a", "E_BAD_MESSAGE MPUB failed to read message body"],
  ["IDENTIFY\n\0", "E_BAD_BODY IDENTIFY failed to read body size"],
  ["IDENTIFY\n\0\0\0\x02{", "E_BAD_BODY IDENTIFY failed to read body"],
  ["AUTH\n", "E_BAD_BODY AUTH failed to read body size"],
  ["AUTH\n\0\0\0\x06sec", "E_BAD_BODY AUTH failed to read body"],
];

for (const [sent, error] of CUT_OFF) {
  Deno.test(
    `Session answers the end of the input after ${JSON.stringify(sent)} with ${JSON.stringify(error)}`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      const early = await client.ask(sent);

      assertEquals(early, []);
      assertEquals(await client.end(), error === undefined ? [] : [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}
