import { assert, assertEquals } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { identify, mpub, pub, response } from "../../support/frames.ts";
import { countsOf, nsqdTest } from "../../support/nsqd_in_process.ts";

nsqdTest("Nsqd delivers over a real socket what another client publishes", async (nsqd) => {
  using producer = await nsqd.connect();
  using consumer = await nsqd.connect();
  await consumer.ask("SUB t c\n");
  await consumer.send("RDY 100\n");

  const answer = await producer.ask(mpub("t", ["1", "2", "3"]));

  const bodies: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { id, body } = await consumer.message();
    bodies.push(body);
    await consumer.send(`FIN ${id}\n`);
  }
  assertEquals([answer, bodies], ["OK", ["1", "2", "3"]]);
  await eventually("all finished", () => countsOf(nsqd, "t", "c").inFlight === 0);
});

nsqdTest("Nsqd takes an MPUB of 5 MiB over a real socket, and delivers it", async (nsqd) => {
  using client = await nsqd.connect();
  const bodies = Array.from({ length: 500 }, (_, i) => String(i).padEnd(10_000, "."));
  await client.ask("SUB t c\n");

  await client.send(mpub("t", bodies));
  const answer = await client.answer();
  await client.send("RDY 2500\n");
  const received: string[] = [];
  while (received.length < bodies.length) received.push((await client.message()).body);

  assertEquals(answer, "OK");
  assertEquals(received, bodies);
});

nsqdTest("Nsqd sends the error and then the end after a fatal one", async (nsqd) => {
  using client = await nsqd.connect();

  await client.send("NOPE\n");

  assertEquals(await client.rest(), [{ type: "error", text: "E_INVALID invalid command NOPE" }]);
});

nsqdTest("Nsqd forgets a client that went without a word", async (nsqd) => {
  const client = await nsqd.connect();
  await client.ask("SUB t c#ephemeral\n");

  client[Symbol.dispose]();

  await eventually("the channel is gone", () => nsqd.nsqd.broker.topics.get("t")?.channels.size === 0);
  await eventually("the client is gone", () => nsqd.nsqd.connections.size === 0);
});

nsqdTest("Nsqd sends heartbeats in real time", async (nsqd) => {
  using client = await nsqd.connect();
  await client.ask(identify({ heartbeat_interval: 1000 }));

  // Its clock is moved, not waited for.
  const { clock } = nsqd.nsqd;
  const monotonicMs = clock.monotonicMs.bind(clock);
  clock.monotonicMs = () => monotonicMs() + 1000;

  assertEquals(await client.frame(), response("_heartbeat_"));
});

nsqdTest("Nsqd refuses connections beyond the limit", async (nsqd) => {
  using first = await nsqd.connect();
  await first.ask(pub("t", "a"));

  using second = await nsqd.connect();

  assertEquals(await second.rest(), []);
  assertEquals(await first.ask(pub("t", "b")), "OK");
  assert(
    nsqd.lines.some((line) => /^WARNING: TCP: refused client\(.*\): there are 1 connections$/.test(line)),
  );
}, { maxConnections: 1 });
