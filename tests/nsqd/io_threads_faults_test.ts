/**
 * I/O threads that end by a fault, whatever their connections are at: they take these with them, and nothing else.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { certificateTest } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { i32, identify, join, mpub, pub } from "../support/frames.ts";
import { finishNext, RawClient } from "../support/frames_client.ts";
import { breakDown, withWorkers } from "../support/io_thread_faults.ts";
import { LayeredClient } from "../support/layered_client.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { type ThreadedNsqd, withThreads, withThreadsIn } from "../support/threaded_nsqd.ts";

const KEPT = Array.from({ length: 50 }, (_, i) => `kept ${i}`);
const ENDED = "ERROR: TCP: an I/O thread has ended, with its connections; another is started";
/** Of two threads each gets some of so many connections, in all likelihood. */
const EACH = 6;

/** Clients of a kind, each of which is at the same. */
type Kind = (nsqd: ThreadedNsqd, ca: string) => Promise<{ rest(): Promise<unknown> } & Disposable>;

/** A command line that is answered with OK, and then the start of what never ends. */
const HALF_MPUB = join("MPUB half\n", i32(5_000_000), i32(5), i32(1_000_000), "x".repeat(700_000));
/** The head of a TLS record of 512 bytes, and the first of them. */
const HALF_HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252);

const KINDS: Readonly<Record<string, Kind>> = {
  async "has a message in flight"({ tcpAddress }) {
    const client = await subscribed(tcpAddress, "kept");
    await client.send("RDY 1\n");
    await client.message();
    return client;
  },
  async "has sent half of an MPUB"({ tcpAddress }) {
    const client = await RawClient.connect(tcpAddress);
    await client.send(HALF_MPUB);
    return client;
  },
  async "is in the midst of a handshake"({ tcpAddress }) {
    const client = await RawClient.connect(tcpAddress);
    await client.ask(identify({ feature_negotiation: true, tls_v1: true }));
    await client.send(HALF_HELLO);
    return client;
  },
  async "does not read"({ tcpAddress }) {
    const client = await subscribed(tcpAddress, "large");
    await client.send("RDY 2500\n");
    return client;
  },
  async "publishes over TLS and deflate"({ tcpAddress }, ca) {
    const client = await LayeredClient.connect(tcpAddress);
    await client.upgrade({ tls: { ca }, deflate: true });
    assertEquals(await client.ask(pub("layered", "x")), "OK");
    return client;
  },
};

async function subscribed(tcpAddress: string, topic: string): Promise<RawClient> {
  const client = await RawClient.connect(tcpAddress);
  assertEquals(await client.ask(`SUB ${topic} c\n`), "OK");
  return client;
}

/** Publishes over a connection of its own, as soon as a thread serves it. */
async function published(tcpAddress: string, command: Uint8Array): Promise<void> {
  await eventually("it is published", async () => {
    try {
      using client = await RawClient.connect(tcpAddress);
      return await client.ask(command) === "OK";
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return false;
      throw error;
    }
  });
}

/** All that a consumer is delivered of a channel, which has so many. */
async function consumed(tcpAddress: string, topic: string, count: number): Promise<string[]> {
  using client = await subscribed(tcpAddress, topic);
  await client.send(`RDY ${count}\n`);
  return await finishNext(client, count);
}

certificateTest(
  "Nsqd loses the connections of I/O threads that end, whatever they are at, and nothing else",
  async (made) => {
    const { certPath, keyPath } = made.server;
    const flags = [`--tls-cert=${certPath}`, `--tls-key=${keyPath}`, "--msg-timeout=1s"];
    await withWorkers(async (workers) => {
      await withThreads(flags, async (nsqd, lines) => {
        const { tcpAddress, connections } = nsqd;
        (await subscribed(tcpAddress, "kept"))[Symbol.dispose]();
        await published(tcpAddress, mpub("kept", KEPT));
        await published(tcpAddress, mpub("large", Array<string>(200).fill("x".repeat(20_000))));

        // One that has been started for another that has ended is as good.
        for (let broken = 0; broken < 4; broken += 2) {
          await eventually("threads are there", () => workers.length === broken + 2);
          await published(tcpAddress, pub("again", "x"));
          await eventually("nobody else is there", () => connections.size === 0);
          const clients = [];
          for (const kind of Object.values(KINDS)) {
            for (let i = 0; i < EACH; i++) clients.push(await kind(nsqd, made.ca.cert));
          }
          assertEquals(connections.size, clients.length);

          for (const worker of workers.slice(broken)) breakDown(worker);

          for (const client of clients) {
            await client.rest();
            client[Symbol.dispose]();
          }
          await eventually("no session is left", () => connections.size === 0);
          assertEquals(nsqd.runningTasks().filter((task) => task.startsWith("connection")), []);
          const channel = nsqd.broker.topics.get("kept")?.channels.get("c");
          // Which is when its time is over, as of any consumer that goes.
          await eventually("what was in flight waits again", () => channel?.inFlightCount === 0);
          assertEquals([channel?.depth, channel?.consumers.size], [KEPT.length, 0]);
        }

        await published(tcpAddress, pub("again", "x"));
        assertEquals((await consumed(tcpAddress, "kept", KEPT.length)).sort(), KEPT.toSorted());
        assertEquals(nsqd.broker.topics.get("half")?.depth, 0);
        const told = lines.filter((line) => line.startsWith("ERROR: TCP:"));
        assertEquals(told.map((line) => line.replace(/ - .*/, "")), Array(4).fill(ENDED));
        assertMatch(told[0], / - Cannot destructure property 'cert' of 'options' as it is null\.$/);
      });
    });
  },
);

Deno.test("Nsqd stops in order, and keeps what it has acknowledged, when its I/O threads end meanwhile", async () => {
  await withDataPath(async (dataPath) => {
    await withWorkers(async (workers) => {
      await withThreadsIn(dataPath, [], async (nsqd, lines) => {
        const clients = await Promise.all(KEPT.map(() => RawClient.connect(nsqd.tcpAddress)));
        await Promise.all(clients.map(async (client, i) => {
          assertEquals(await client.ask(pub("kept", KEPT[i])), "OK");
        }));

        const stopped = nsqd.stop();
        for (const worker of workers) breakDown(worker);
        await stopped;

        assertEquals(nsqd.runningTasks(), []);
        assertEquals(lines.filter((line) => /^(WARNING|ERROR)/.test(line)), []);
        for (const client of clients) client[Symbol.dispose]();
      });
    });
    await withThreadsIn(dataPath, [], async ({ tcpAddress }) => {
      assertEquals((await consumed(tcpAddress, "kept", KEPT.length)).sort(), KEPT.toSorted());
    });
  });
});
