/**
 * nsqlookupd while somebody sets the clock: no connection and no registration ends, and none lives longer, because of
 * that.
 *
 * @module
 */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { FAKE_START_MS } from "../support/fake_clock.ts";
import { i32 } from "../support/frames.ts";
import { LookupClient } from "../support/lookup_client.ts";
import { identifyNode } from "../support/lookup_frames.ts";
import { LookupdProcess } from "../support/lookupd_process.ts";
import { lookupTest, type NsqlookupdInMemory } from "../support/nsqlookupd_in_memory.ts";
import { SteppedClock } from "../support/stepped_clock.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** Of the tested timestamps; the steps are longer. */
const TOLERANCE_MS = 30 * SECOND_MS;

function stepTest(
  name: string,
  test: (nsqlookupd: NsqlookupdInMemory, stepMs: number) => Promise<void>,
  options: Parameters<typeof lookupTest>[2] = {},
): void {
  for (const stepMs of [90 * SECOND_MS, 2 * HOUR_MS, -2 * HOUR_MS]) {
    lookupTest(
      `${name} when the clock is set by ${stepMs / SECOND_MS} s`,
      (nsqlookupd) => test(nsqlookupd, stepMs),
      options,
    );
  }
}

stepTest("A node that pings is told of", async (nsqlookupd, stepMs) => {
  const client = await nsqlookupd.node({}, "t");

  await nsqlookupd.step(stepMs);
  const atOnce = await nsqlookupd.producersOf("t");
  for (let i = 0; i < 5 * 60; i += 15) {
    await nsqlookupd.pass(15 * SECOND_MS);
    assertEquals(await client.ask("PING\n"), ["OK"]);
  }
  await nsqlookupd.pass(300_000);

  assertEquals([atOnce, await nsqlookupd.producersOf("t")], [["addr1"], ["addr1"]]);
});

stepTest("A node that does not ping is told of for its time", async (nsqlookupd, stepMs) => {
  await nsqlookupd.node({}, "t");
  await nsqlookupd.pass(200_000);

  await nsqlookupd.step(stepMs);
  await nsqlookupd.pass(100_000);
  const last = [await nsqlookupd.producersOf("t"), await nodeCount(nsqlookupd)];
  await nsqlookupd.pass(1);

  assertEquals(last, [["addr1"], 1]);
  assertEquals([await nsqlookupd.producersOf("t"), await nodeCount(nsqlookupd)], [[], 0]);
});

stepTest("A tombstone lasts for its time", async (nsqlookupd, stepMs) => {
  await nsqlookupd.node({}, "t");
  await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=addr1:4151");

  await nsqlookupd.step(stepMs);
  await nsqlookupd.pass(44_999);
  const last = await nsqlookupd.producersOf("t");
  await nsqlookupd.pass(1);

  assertEquals([last, await nsqlookupd.producersOf("t")], [[], ["addr1"]]);
});

stepTest("GET /debug tells the times of day at which something was", async (nsqlookupd, stepMs) => {
  const client = await nsqlookupd.node({}, "t");
  const before = await timesOf(nsqlookupd);
  await nsqlookupd.step(stepMs);
  const after = await timesOf(nsqlookupd);

  await client.ask("PING\n");
  await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=addr1:4151");

  assertEquals([before, after], [[FAKE_START_MS], [FAKE_START_MS]]);
  assertEquals(await timesOf(nsqlookupd), [FAKE_START_MS + stepMs, FAKE_START_MS + stepMs]);
});

stepTest("Session logs how long ago the last ping was", async (nsqlookupd, stepMs) => {
  const client = await nsqlookupd.node({}, "t");
  await nsqlookupd.pass(15 * SECOND_MS);
  await nsqlookupd.step(stepMs);
  nsqlookupd.newLines();

  await client.send("PING\n");

  assertEquals(nsqlookupd.newLines(), ["INFO: CLIENT(127.0.0.1:5001): pinged (last ping 15s)"]);
});

stepTest("Session.checkLimits() gives a client its times", async (nsqlookupd, stepMs) => {
  const [silent, unfinished, idle, full] = [
    await nsqlookupd.connect(),
    await nsqlookupd.connect(),
    await nsqlookupd.node({}),
    await nsqlookupd.node({}),
  ];
  await unfinished.send("PING\n", "IDENTIFY\n", i32(9), "{");
  full.connection.hold();
  await full.send("PING\n");
  const clients = [silent, unfinished, idle, full];
  const closed = () => clients.map(({ connection }) => connection.closed);

  await nsqlookupd.step(stepMs);
  await nsqlookupd.pass(5000);
  const early = closed();
  await nsqlookupd.pass(1);

  assertEquals(early, [false, false, false, false]);
  assertEquals(closed(), [true, true, true, true]);
}, { handshakeTimeoutMs: 5000, commandTimeoutMs: 5000, idleTimeoutMs: 5000, writeTimeoutMs: 5000 });

Deno.test("Nsqlookupd keeps connections and nodes while the machine's clock is set forward and back", async () => {
  using clock = new SteppedClock();
  await using lookupd = await LookupdProcess.start(clock.command("nsqlookupd"));
  using quiet = await LookupClient.connect(lookupd.tcpAddress);
  await quiet.ask(identifyNode({ tcp_port: 1 }));
  await quiet.ask("REGISTER t\n");
  using pinging = await LookupClient.connect(lookupd.tcpAddress);
  await pinging.ask(identifyNode({ tcp_port: 2 }));

  for (const shiftMs of [2 * HOUR_MS, -2 * HOUR_MS]) {
    clock.set(shiftMs);
    await eventually(`a clock set by ${shiftMs} ms`, async () => {
      assertEquals(await pinging.ask("PING\n"), "OK");
      const offMs = await lastUpdateMs(lookupd, 2) - (Date.now() + shiftMs);
      return Math.abs(offMs) < TOLERANCE_MS;
    });

    assertEquals(await lookupd.view(), { nodes: [1, 2], topics: { t: [[], [1]] } });
  }

  assertEquals(await quiet.ask("PING\n"), "OK");
  const offMs = await lastUpdateMs(lookupd, 1) - (Date.now() - 2 * HOUR_MS);
  assertLessOrEqual(Math.abs(offMs), TOLERANCE_MS);
});

async function nodeCount(nsqlookupd: NsqlookupdInMemory): Promise<number> {
  return (await nsqlookupd.json("/nodes") as { producers: unknown[] }).producers.length;
}

/** The times that /debug has of the only producer, in ms: when it was last heard of, and when it was marked. */
async function timesOf(nsqlookupd: NsqlookupdInMemory): Promise<number[]> {
  const debug = await nsqlookupd.json("/debug") as Record<
    string,
    { last_update: number; tombstoned_at: number }[]
  >;
  const [{ last_update, tombstoned_at }] = debug["topic:t:"];
  return [last_update, tombstoned_at].filter((time) => time > 0).map((time) => time / 1e6);
}

/** When a producer was last heard of, as /debug tells. */
async function lastUpdateMs({ httpAddress }: LookupdProcess, tcpPort: number): Promise<number> {
  const debug = await (await fetch(`http://${httpAddress}/debug`)).json();
  const producers: { tcp_port: number; last_update: number }[] = debug["client::"];
  const [{ last_update }] = producers.filter(({ tcp_port }) => tcp_port === tcpPort);
  return last_update / 1e6;
}
