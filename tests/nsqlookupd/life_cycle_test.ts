import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import type { LookupClient } from "../support/lookup_client.ts";
import { identifyNode } from "../support/lookup_frames.ts";
import { nsqlookupdTest, nsqlookupdWith, withNsqlookupd } from "../support/nsqlookupd_in_process.ts";

/** Without what differs from run to run. */
function steady(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.replace(/v1\.3\.0 \(.*\)/, "v1.3.0 (…)").replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:#")
  );
}

Deno.test("Nsqlookupd starts and stops in NSQ's order", async () => {
  let started = 0;
  let client: LookupClient | undefined;
  const lines = await withNsqlookupd({}, async (nsqlookupd) => {
    started = nsqlookupd.lines.length;
    client = await nsqlookupd.connect();
    await client.ask(identifyNode(), "REGISTER orders\n");
    await client.answers(1);
  });
  client?.[Symbol.dispose]();

  assertEquals(steady(lines.slice(0, started)), [
    "INFO: nsqlookupd v1.3.0 (…)",
    "INFO: TCP: listening on 127.0.0.1:#",
    "INFO: HTTP: listening on 127.0.0.1:#",
  ]);
  assertEquals(steady(lines.slice(started)), [
    "INFO: TCP: new client(127.0.0.1:#)",
    "INFO: CLIENT(127.0.0.1:#): desired protocol magic '  V1'",
    "INFO: CLIENT(127.0.0.1:#): IDENTIFY Address:addr1 TCP:4150 HTTP:4151 Version:1.3.0",
    "INFO: DB: client(127.0.0.1:#) REGISTER category:client key: subkey:",
    "INFO: DB: client(127.0.0.1:#) REGISTER category:topic key:orders subkey:",
    "INFO: TCP: closing 127.0.0.1:#",
    "INFO: HTTP: closing 127.0.0.1:#",
    "INFO: PROTOCOL(V1): [127.0.0.1:#] exiting ioloop",
    "INFO: DB: client(127.0.0.1:#) UNREGISTER category:topic key:orders subkey:",
    "INFO: DB: client(127.0.0.1:#) UNREGISTER category:client key: subkey:",
  ]);
});

nsqlookupdTest("Nsqlookupd tells a node its real ports", async (nsqlookupd) => {
  using client = await nsqlookupd.connect();

  const { tcp_port, http_port, hostname } = JSON.parse(await client.ask(identifyNode()));

  const { tcpPort, httpPort } = nsqlookupd.nsqlookupd;
  assertEquals([tcp_port, http_port, hostname], [tcpPort, httpPort, Deno.hostname()]);
});

nsqlookupdTest(
  "Nsqlookupd tells over HTTP what was registered over TCP, until the node goes",
  async (nsqlookupd) => {
    const client = await nsqlookupd.connect();
    await client.ask(identifyNode(), "REGISTER t c\n");
    await client.answers(1);
    const topics = await nsqlookupd.json("/topics");

    client[Symbol.dispose]();
    await eventually("it has gone", () => nsqlookupd.nsqlookupd.connections.size === 0);

    const { producers } = await nsqlookupd.json("/nodes") as { producers: unknown[] };
    assertEquals([topics, producers.length], [{ topics: ["t"] }, 0]);
  },
);

Deno.test("Nsqlookupd knows nothing of before its start: a node registers with it anew", async () => {
  await withNsqlookupd({}, async (nsqlookupd) => {
    using client = await nsqlookupd.connect();
    await client.ask(identifyNode(), "REGISTER t\n");
  });

  await withNsqlookupd({}, async (nsqlookupd) => {
    assertEquals(await nsqlookupd.json("/topics"), { topics: [] });
  });
});

nsqlookupdTest(
  "Nsqlookupd.stop() ends connections at once, also those that never said the magic",
  async (nsqlookupd) => {
    using silent = await nsqlookupd.connect({ magic: "" });
    using client = await nsqlookupd.connect();
    await client.ask(identifyNode());

    await nsqlookupd.nsqlookupd.stop();

    assertEquals([await silent.rest(), await client.rest()], [[], []]);
    assertEquals(nsqlookupd.nsqlookupd.runningTasks(), []);
    assertEquals(nsqlookupd.lines.filter((line) => line.startsWith("ERROR")), []);
  },
);

nsqlookupdTest(
  "Nsqlookupd.stop() may be called again, and is the same stop",
  async ({ nsqlookupd, lines }) => {
    await Promise.all([nsqlookupd.stop(), nsqlookupd.stop()]);

    assertEquals(lines.filter((line) => line.includes("closing")).length, 2);
  },
);

nsqlookupdTest("Nsqlookupd.runningTasks() names every listener, loop and connection", async (nsqlookupd) => {
  using _client = await nsqlookupd.connect();
  await eventually("the client is served", () => nsqlookupd.nsqlookupd.connections.size === 1);

  const tasks = nsqlookupd.nsqlookupd.runningTasks();

  assertEquals(tasks.slice(0, -1), ["tcpServer", "httpServer", "limitsLoop", "lagLoop", "clockLoop"]);
  assertMatch(tasks.at(-1) ?? "", /^connection 127\.0\.0\.1:\d+$/);
});

nsqlookupdTest("Nsqlookupd.failed settles with the name of the task that failed", async ({ nsqlookupd }) => {
  nsqlookupd.fail("uncaught", new Error("a mistake"));

  assertEquals((await nsqlookupd.failed).message, 'Task "uncaught" failed: a mistake');
});

nsqlookupdTest("Nsqlookupd holds connections against their limits by itself", async (nsqlookupd) => {
  using silent = await nsqlookupd.connect({ magic: "" });

  assertEquals(await silent.rest(), []);
  assertEquals(nsqlookupd.lines.filter((line) => line.includes("i/o timeout")).length, 1);
}, { handshakeTimeoutMs: 1 });

nsqlookupdTest(
  "Nsqlookupd closes connections beyond --max-connections at once, and takes others when some have gone",
  async (nsqlookupd) => {
    using first = await nsqlookupd.connect();
    const second = await nsqlookupd.connect();
    assertEquals([await first.ask("PING\n"), await second.ask("PING\n")], ["OK", "OK"]);

    using third = await nsqlookupd.connect();
    assertEquals(await third.rest(), []);

    assertEquals(nsqlookupd.lines.filter((line) => line.includes("refused client")).length, 1);
    second[Symbol.dispose]();
    await eventually("one has gone", () => nsqlookupd.nsqlookupd.connections.size === 1);
    using fourth = await nsqlookupd.connect();
    assertEquals(await fourth.ask("PING\n"), "OK");
  },
  { maxConnections: 2 },
);

nsqlookupdTest(
  "Nsqlookupd.start() throws when an address is taken, and releases the other",
  async (first) => {
    const lines: string[] = [];
    const tcpTaken = nsqlookupdWith({ tcpAddress: first.tcpAddress }, lines);
    const httpTaken = nsqlookupdWith({ httpAddress: first.httpAddress }, lines);

    const tcp = assertThrows(() => tcpTaken.start(), Error);
    const http = assertThrows(() => httpTaken.start(), Error);

    assertMatch(tcp.message, /^listen \(127\.0\.0\.1:\d+\) failed - /);
    // A listener left behind would show as a leak of this test.
    assertMatch(http.message, /^Cannot listen on 127\.0\.0\.1:\d+: /);
    assertEquals(await first.json("/topics"), { topics: [] });
  },
);
