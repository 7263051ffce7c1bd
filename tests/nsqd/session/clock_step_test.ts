/**
 * Sessions while somebody sets the clock: what is by the monotonic clock goes on, whatever the time of day is.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { bodies, i32, identify, pub, response, withBody } from "../../support/frames.ts";
import { FAKE_START_MS } from "../../support/fake_clock.ts";
import { channelOf, consumer, inMemory, type NsqdInMemory, publish } from "../../support/nsqd_in_memory.ts";

const HEARTBEAT = response("_heartbeat_");
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

function stepTest(
  name: string,
  test: (nsqd: NsqdInMemory, stepMs: number) => Promise<void>,
  options: Parameters<typeof inMemory>[1] = {},
): void {
  for (const stepMs of [90 * SECOND_MS, HOUR_MS, -HOUR_MS]) {
    Deno.test(
      `${name} when the clock is set by ${stepMs / SECOND_MS} s`,
      inMemory((nsqd) => test(nsqd, stepMs), options),
    );
  }
}

stepTest("Session.keepAlive() sends heartbeats in their interval", async (nsqd, stepMs) => {
  const client = await nsqd.connect();
  await client.send("NOP\n");
  await nsqd.pass(20 * SECOND_MS);

  await nsqd.step(stepMs);
  const atOnce = client.frames();
  await nsqd.pass(9999);
  const early = client.frames();
  await nsqd.pass(1);

  assertEquals([atOnce, early, client.frames()], [[], [], [HEARTBEAT]]);
});

stepTest("Session.keepAlive() counts a heartbeat's interval from IDENTIFY on", async (nsqd, stepMs) => {
  const client = await nsqd.connect();
  await nsqd.step(stepMs);

  await client.ask(identify({ heartbeat_interval: 2000 }));
  await nsqd.pass(1999);
  const early = client.frames();
  await nsqd.pass(1);

  assertEquals([early, client.frames()], [[], [HEARTBEAT]]);
});

stepTest("Session.keepAlive() gives a silent client two intervals", async (nsqd, stepMs) => {
  const client = await nsqd.connect();
  await client.send("NOP\n");

  await nsqd.pass(30 * SECOND_MS);
  await nsqd.step(stepMs);
  await nsqd.pass(30 * SECOND_MS);
  const early = client.connection.closed;
  await nsqd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
});

stepTest("Session.keepAlive() gives a client its time for the first command", async (nsqd, stepMs) => {
  const client = await nsqd.connect();

  await nsqd.step(stepMs);
  await nsqd.pass(5000);
  const early = client.connection.closed;
  await nsqd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
}, { handshakeTimeoutMs: 5000 });

stepTest("Session.keepAlive() gives a client its time for the rest of a command", async (nsqd, stepMs) => {
  const client = await nsqd.connect();
  await client.send("NOP\n", "PUB t\n", i32(1000));

  await nsqd.step(stepMs);
  await nsqd.pass(5000);
  const early = client.connection.closed;
  await nsqd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
}, { commandTimeoutMs: 5000 });

stepTest("Session.keepAlive() gives a client its time to read", async (nsqd, stepMs) => {
  const client = await nsqd.connect();
  await client.ask(identify({ heartbeat_interval: 2000 }));
  client.connection.hold();
  await client.send(pub("t", "a"));

  await nsqd.step(stepMs);
  await nsqd.pass(2000);
  const early = client.connection.closed;
  await client.send("NOP\n");
  await nsqd.pass(1);

  assertEquals([early, client.connection.closed], [false, true]);
});

stepTest("Session's message in flight comes again after its timeout, not earlier", async (nsqd, stepMs) => {
  const client = await consumer(nsqd, { rdy: 1, identify: { msg_timeout: 10_000 } });
  await publish(nsqd, "a");
  client.frames();

  await nsqd.step(stepMs);
  await nsqd.pass(9999);
  const early = client.frames();
  await nsqd.pass(1);
  const [again] = client.frames();

  assertEquals(early, []);
  assert(again.type === "message");
  assertEquals([again.body, again.attempts], ["a", 2]);
});

stepTest("Session's TOUCH gives a message in flight its timeout anew", async (nsqd, stepMs) => {
  const client = await consumer(nsqd, { rdy: 1, identify: { msg_timeout: 10_000 } });
  await publish(nsqd, "a");
  const [message] = client.frames();
  assert(message.type === "message");
  await nsqd.pass(5000);

  await nsqd.step(stepMs);
  await client.send(`TOUCH ${message.id}\n`);
  await nsqd.pass(9999);
  const early = client.frames();
  await nsqd.pass(1);

  assertEquals([early, bodies(client.frames())], [[], ["a"]]);
});

stepTest("Session's REQ lets a message wait for its delay", async (nsqd, stepMs) => {
  const client = await consumer(nsqd, { rdy: 1 });
  await publish(nsqd, "a");
  const [message] = client.frames();
  assert(message.type === "message");
  await nsqd.step(stepMs);

  await client.send(`REQ ${message.id} 10000\n`);
  await nsqd.pass(9999);
  const early = [client.frames(), channelOf(nsqd).deferredCount];
  await nsqd.pass(1);

  assertEquals([early, bodies(client.frames())], [[[], 1], ["a"]]);
});

stepTest("Session's DPUB lets a message wait for its delay", async (nsqd, stepMs) => {
  const client = await consumer(nsqd, { rdy: 1 });
  await nsqd.step(stepMs);

  await client.ask(withBody("DPUB t 10000", "a"));
  await nsqd.pass(9999);
  const early = client.frames();
  await nsqd.pass(1);

  assertEquals([early, bodies(client.frames())], [[], ["a"]]);
});

stepTest("Session stamps messages and itself with the time of day", async (nsqd, stepMs) => {
  await nsqd.step(stepMs);

  const client = await consumer(nsqd, { rdy: 1 });
  await publish(nsqd, "a");
  const [message] = client.frames();

  assert(message.type === "message");
  assertEquals(message.timestampNs, BigInt(FAKE_START_MS + stepMs) * 1_000_000n);
  assertEquals(client.session.connectTimeS, (FAKE_START_MS + stepMs) / 1000);
});
