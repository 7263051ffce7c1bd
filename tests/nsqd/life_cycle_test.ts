import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Broker } from "../../src/broker/broker.ts";
import { runNsqd } from "../../src/nsqd/main.ts";
import { eventually } from "../support/eventually.ts";
import { identify, mpub, pub, response, withBody } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { nsqdIn, type NsqdInProcess, nsqdTest, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { nsqdCommand } from "../support/nsqd_process.ts";

/** Ports, durations and other numbers that differ from run to run, and the temporary folder, as `#`. */
function steady(lines: readonly string[], dataPath: string): string[] {
  return lines.map((line) =>
    line.replaceAll(dataPath, "<data>").replace(/v1\.3\.0 \(.*\)/, "v1.3.0 (…)").replace(
      /127\.0\.0\.1:\d+/g,
      "127.0.0.1:#",
    )
  );
}

interface ChannelCounts {
  readonly depth: number;
  readonly inFlight: number;
  readonly deferred: number;
}

function countsOf({ nsqd }: NsqdInProcess, topic: string, channel: string): ChannelCounts {
  const found = nsqd.broker.topics.get(topic)?.channels.get(channel);
  assert(found, `there is no channel ${topic}/${channel}`);
  return { depth: found.depth, inFlight: found.inFlightCount, deferred: found.deferredCount };
}

// Start and stop

Deno.test("Nsqd starts and stops in NSQ's order", async () => {
  await withDataPath(async (dataPath) => {
    let started = 0;
    const lines = await withNsqd(dataPath, {}, async (nsqd) => {
      started = nsqd.lines.length;
      using client = await nsqd.connect();
      await client.ask(pub("orders", "a"));
      await client.ask("SUB orders mail\n");
      // The metadata are written soon after a topic or channel came, but not at once.
      await eventually(
        "metadata",
        () => nsqd.lines.filter((line) => line.includes("persisting")).length === 2,
      );
    });

    assertEquals(steady(lines.slice(0, started), dataPath), [
      "INFO: nsqd v1.3.0 (…)",
      "INFO: ID: 5",
      "INFO: NSQ: persisting topic/channel metadata to <data>/nsqd.dat",
      "INFO: TCP: listening on 127.0.0.1:#",
      "INFO: HTTP: listening on 127.0.0.1:#",
    ]);
    assertEquals(steady(lines.slice(started), dataPath), [
      "INFO: TCP: new client(127.0.0.1:#)",
      "INFO: CLIENT(127.0.0.1:#): desired protocol magic '  V2'",
      "INFO: TOPIC(orders): created",
      "INFO: TOPIC(orders): new channel(mail)",
      "INFO: NSQ: persisting topic/channel metadata to <data>/nsqd.dat",
      "INFO: TCP: closing 127.0.0.1:#",
      "INFO: HTTP: closing 127.0.0.1:#",
      "INFO: PROTOCOL(V2): [127.0.0.1:#] exiting ioloop",
      "INFO: NSQ: persisting topic/channel metadata to <data>/nsqd.dat",
      "INFO: NSQ: closing topics",
      "INFO: TOPIC(orders): closing",
      "INFO: CHANNEL(mail): closing",
      "INFO: CHANNEL(mail): flushing 1 memory 0 in-flight 0 deferred messages to backend",
      "INFO: NSQ: stopping subsystems",
      "INFO: NSQ: bye",
    ]);
  });
});

nsqdTest("Nsqd.runningTasks() names every listener, loop and connection", async (nsqd) => {
  using client = await nsqd.connect();
  await client.ask(pub("t", "a"));

  const tasks = nsqd.nsqd.runningTasks();

  assertEquals(tasks.slice(0, -1), [
    "tcpServer",
    "httpServer",
    "queueScanLoop",
    "keepAliveLoop",
    "clockLoop",
    "metadataLoop",
    "syncLoop",
  ]);
  assertMatch(tasks.at(-1) ?? "", /^connection 127\.0\.0\.1:\d+$/);
});

nsqdTest("Nsqd.stop() may be called again, and is the same stop", async ({ nsqd, lines }) => {
  const stopping = nsqd.stop();

  await Promise.all([stopping, nsqd.stop()]);

  assertEquals(lines.filter((line) => line.endsWith("NSQ: bye")).length, 1);
  assertEquals(nsqd.runningTasks(), []);
});

nsqdTest("Nsqd.stop() ends connections at once, also those that never said the magic", async (nsqd) => {
  using silent = await nsqd.connect({ magic: "" });
  using consumer = await nsqd.connect();
  await consumer.ask("SUB t c\n");
  const before = performance.now();

  await nsqd.nsqd.stop();

  assert(performance.now() - before < 2000, "it waited for a connection");
  assertEquals([await silent.rest(), await consumer.rest()], [[], []]);
  assertEquals(nsqd.lines.filter((line) => line.startsWith("ERROR")), []);
});

Deno.test("Nsqd that is not started releases what it took when the port is in use", async () => {
  await withDataPath(async (dataPath) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    const lines: string[] = [];

    const error = await assertRejects(() => nsqdIn(dataPath, { tcpAddress: address }, lines).start(), Error);

    assertMatch(error.message, new RegExp(`^listen \\(${address}\\) failed - .*in use`));
    // The lock is free again.
    await withNsqd(dataPath, {}, () => Promise.resolve());
  });
});

Deno.test("Nsqd that is not started releases the TCP port when the HTTP port is in use", async () => {
  await withDataPath(async (dataPath) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    const nsqd = nsqdIn(dataPath, { httpAddress: address }, []);

    const error = await assertRejects(() => nsqd.start(), Error);
    const port = nsqd.tcpPort ?? 0;

    assertMatch(error.message, new RegExp(`^Cannot listen on ${address}: .*in use`));
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  });
});

Deno.test("Nsqd refuses a data path that another one uses, which goes on", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (first) => {
      const error = await assertRejects(() => nsqdIn(dataPath, {}, []).start(), Error);

      assertEquals(
        error.message,
        `failed to lock data-path: cannot lock folder ${dataPath} (possibly in use by another instance of nsqd)`,
      );
      using client = await first.connect();
      assertEquals(await client.ask(pub("t", "a")), "OK");
    });
  });
});

Deno.test("Nsqd refuses a data path that is not there", async () => {
  await withDataPath(async (dataPath) => {
    const error = await assertRejects(() => nsqdIn(`${dataPath}/missing`, {}, []).start(), Error);

    assertMatch(error.message, /^failed to lock data-path: .*No such file/);
  });
});

Deno.test("Nsqd refuses a metadata file that it cannot read, and leaves it as it is", async () => {
  await withDataPath(async (dataPath) => {
    await Deno.writeTextFile(`${dataPath}/nsqd.dat`, '{"topics":');

    const error = await assertRejects(() => nsqdIn(dataPath, {}, []).start(), Error);

    assertStringIncludes(error.message, `failed to parse metadata in ${dataPath}/nsqd.dat - `);
    assertEquals(await Deno.readTextFile(`${dataPath}/nsqd.dat`), '{"topics":');
    await Deno.remove(`${dataPath}/nsqd.dat`);
    await withNsqd(dataPath, {}, () => Promise.resolve());
  });
});

nsqdTest("Nsqd without an HTTP address serves TCP only", async ({ nsqd, tcpAddress }) => {
  using client = await RawClient.connect(tcpAddress);

  assertEquals(await client.ask(pub("t", "a")), "OK");
  assertEquals(nsqd.httpPort, undefined);
}, { httpAddress: "" });

Deno.test("Nsqd serves TCP and HTTP on unix sockets, whose files go with it", async () => {
  await withDataPath(async (dataPath) => {
    const [tcp, http] = [`${dataPath}/tcp.sock`, `${dataPath}/http.sock`];
    const lines = await withNsqd(dataPath, { tcpAddress: tcp, httpAddress: http }, async (nsqd) => {
      using client = await RawClient.connect(tcp);
      assertEquals(await client.ask("SUB t c\n"), "OK");
      await client.send("RDY 1\n");

      using httpClient = Deno.createHttpClient({ proxy: { transport: "unix", path: http } });
      const answer = await fetch("http://localhost/pub?topic=t", {
        client: httpClient,
        method: "POST",
        body: "body",
      });

      assertEquals([answer.status, await answer.text()], [200, "OK"]);
      assertEquals((await client.message()).body, "body");
      assertEquals([nsqd.nsqd.tcpAddress, nsqd.nsqd.tcpPort, nsqd.nsqd.httpPort], [
        tcp,
        undefined,
        undefined,
      ]);
    });

    assert(lines.includes(`INFO: TCP: listening on ${tcp}`));
    assert(lines.includes(`INFO: HTTP: listening on ${http}`));
    assert(lines.includes("INFO: TCP: new client(@)"));
    const left = (await Array.fromAsync(Deno.readDir(dataPath))).map(({ name }) => name);
    assertEquals(left.filter((name) => name.endsWith(".sock")), []);
  });
});

// Real sockets

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
  const nowMs = clock.nowMs.bind(clock);
  clock.nowMs = () => nowMs() + 1000;

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

// Restarts

Deno.test("Nsqd keeps topics, channels and their pauses over a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async ({ nsqd, httpUrl }) => {
      nsqd.broker.topic("one").channel("a");
      nsqd.broker.topic("one").channel("gone#ephemeral");
      nsqd.broker.topic("gone#ephemeral");
      nsqd.broker.topic("two").channel("b");
      for (const path of ["/topic/pause?topic=two", "/channel/pause?topic=one&channel=a"]) {
        await (await fetch(httpUrl + path, { method: "POST" })).body?.cancel();
      }
    });

    await withNsqd(dataPath, {}, ({ nsqd: { broker } }) => {
      const kept = [...broker.topics.values()].map(({ name, paused, channels }) => ({
        name,
        paused,
        channels: [...channels.values()].map(({ name, paused }) => ({ name, paused })),
      }));
      assertEquals(kept, [
        { name: "one", paused: false, channels: [{ name: "a", paused: true }] },
        { name: "two", paused: true, channels: [{ name: "b", paused: false }] },
      ]);
      return Promise.resolve();
    });
  });
});

for (const [where, memQueueSize] of [["in memory", 10_000], ["on disk", 0], ["in both", 3]] as const) {
  Deno.test(`Nsqd keeps messages that wait ${where} over a restart, in their order`, async () => {
    await withDataPath(async (dataPath) => {
      const bodies = Array.from({ length: 10 }, (_, i) => `message ${i}`);
      await withNsqd(dataPath, { memQueueSize }, async (nsqd) => {
        using client = await nsqd.connect();
        nsqd.nsqd.broker.topic("t").channel("c");
        assertEquals(await client.ask(mpub("t", bodies)), "OK");
        assertEquals(await client.ask(mpub("own", bodies)), "OK");
      });

      await withNsqd(dataPath, { memQueueSize }, async (nsqd) => {
        assertEquals(countsOf(nsqd, "t", "c"), { depth: 10, inFlight: 0, deferred: 0 });
        assertEquals(nsqd.nsqd.broker.topic("own").depth, 10);
        using client = await nsqd.connect();
        await client.ask("SUB t c\n");
        await client.send("RDY 100\n");
        const received: string[] = [];
        while (received.length < 10) received.push((await client.message()).body);
        assertEquals(received, bodies);
      });
    });
  });
}

Deno.test("Nsqd keeps what was in flight over a restart, with its attempts, and forgets what was finished", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.ask(mpub("t", ["finished", "in flight"]));
      await client.send("RDY 2\n");
      const [finished, inFlight] = [await client.message(), await client.message()];
      await client.send(`FIN ${finished.id}\n`, `REQ ${inFlight.id} 0\n`);
      assertEquals((await client.message()).attempts, 2);
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 2\n");
      const { body, attempts } = await client.message();
      assertEquals([body, attempts], ["in flight", 3]);
    });
  });
});

Deno.test("Nsqd keeps deferred messages over a restart, with the time that remains", async () => {
  await withDataPath(async (dataPath) => {
    let dueMs = 0;
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      dueMs = nsqd.nsqd.nowMs() + 60_000;
      await client.ask(withBody("DPUB t 60000", "later"));
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
    });

    await withNsqd(dataPath, {}, async (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
      nsqd.nsqd.broker.scan(dueMs - 100);
      assertEquals(countsOf(nsqd, "t", "c").deferred, 1);
      // Published some time after the clock was read.
      nsqd.nsqd.broker.scan(dueMs + 10_000);
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send("RDY 1\n");
      const { body, attempts } = await client.message();
      assertEquals([body, attempts], ["later", 1]);
    });
  });
});

Deno.test("Nsqd keeps messages that were requeued with a delay over a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      await client.send(pub("t", "a"), "RDY 1\n");
      assertEquals(await client.answer(), "OK");
      await client.send(`REQ ${(await client.message()).id} 3600000\n`);
      await eventually("it is deferred", () => countsOf(nsqd, "t", "c").deferred === 1);
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 1 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd gives a topic that was emptied no messages back after a restart", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { memQueueSize: 2 }, async (nsqd) => {
      using client = await nsqd.connect();
      nsqd.nsqd.broker.topic("t").channel("c");
      await client.ask(mpub("t", ["1", "2", "3", "4"]));
      await (await fetch(`${nsqd.httpUrl}/channel/empty?topic=t&channel=c`, { method: "POST" })).body
        ?.cancel();
    });

    await withNsqd(dataPath, {}, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 0, inFlight: 0, deferred: 0 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd forgets a topic that was deleted, with its files", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { memQueueSize: 0 }, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask(pub("t", "a"));
      await (await fetch(`${nsqd.httpUrl}/topic/delete?topic=t`, { method: "POST" })).body?.cancel();
    });

    const left = (await Array.fromAsync(Deno.readDir(dataPath))).map(({ name }) => name);
    assertEquals(left, ["nsqd.dat"]);
  });
});

// Failures of tasks, and signals

nsqdTest("Nsqd.failed settles with the name of the task that failed", async ({ nsqd }) => {
  nsqd.broker.scan = () => {
    throw new Error("a message in no page");
  };

  const failure = await nsqd.failed;

  assertEquals(failure.message, 'Task "queueScanLoop" failed: a message in no page');
});

Deno.test("runNsqd() stops in order and ends with 1 when a task fails, with a line that names it", async () => {
  await withDataPath(async (dataPath) => {
    const { scan } = Broker.prototype;
    const { error } = console;
    const lines: string[] = [];
    let code: number;
    try {
      console.error = (line: string) => lines.push(line.replace(/^\S+ \S+ \S+ /, ""));
      Broker.prototype.scan = () => {
        throw new Error("a message in no page");
      };
      code = await runNsqd([
        `--data-path=${dataPath}`,
        "--tcp-address=127.0.0.1:0",
        "--http-address=127.0.0.1:0",
      ]);
    } finally {
      Broker.prototype.scan = scan;
      console.error = error;
    }

    assertEquals(code, 1);
    const failed = lines.findIndex((line) => line.startsWith("FATAL"));
    assertEquals(steady(lines.slice(failed), dataPath), [
      'FATAL: Task "queueScanLoop" failed: a message in no page',
      "INFO: TCP: closing 127.0.0.1:#",
      "INFO: HTTP: closing 127.0.0.1:#",
      "INFO: NSQ: persisting topic/channel metadata to <data>/nsqd.dat",
      "INFO: NSQ: closing topics",
      "INFO: NSQ: stopping subsystems",
      'ERROR: Task "queueScanLoop" failed: a message in no page',
      "INFO: NSQ: bye",
    ]);
  });
});

/** nsqd as a child process, whose log is read as it comes. */
class ChildNsqd implements AsyncDisposable {
  log = "";
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #logRead: Promise<void>;

  constructor(dataPath: string, args: readonly string[] = []) {
    const [program, ...first] = nsqdCommand();
    this.#child = new Deno.Command(program, {
      args: [
        ...first,
        `--data-path=${dataPath}`,
        "--tcp-address=127.0.0.1:0",
        "--http-address=127.0.0.1:0",
        ...args,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.status = this.#child.status;
    this.#logRead = this.#readLog();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the log to match; the first group of the match is the result. */
  logged(pattern: RegExp): Promise<string> {
    return eventually(`log line ${pattern}`, () => pattern.exec(this.log)?.[1], { timeoutMs: 15_000 });
  }

  /** Waits for its end; the exit code is the result. */
  async ended(): Promise<number> {
    await this.#logRead;
    return (await this.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.ended();
  }

  async #readLog(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) this.log += text;
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runNsqd() stops in order and ends with 0 on ${signal}`, async () => {
    await withDataPath(async (dataPath) => {
      await using nsqd = new ChildNsqd(dataPath);
      await nsqd.logged(/(HTTP: listening)/);

      nsqd.kill(signal);

      assertEquals(await nsqd.ended(), 0);
      assertMatch(nsqd.log, /NSQ: bye\n$/);
    });
  });
}

Deno.test("runNsqd() ends at once on a second signal", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = new ChildNsqd(dataPath);
    const address = await nsqd.logged(/HTTP: listening on 127\.0\.0\.1:(\d+)/);
    // A request that does not end keeps the stop from ending.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(address) });
    await conn.write(
      new TextEncoder().encode("POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nbody"),
    );
    const pings = await fetch(`http://127.0.0.1:${address}/ping`);
    await pings.body?.cancel();

    nsqd.kill("SIGTERM");
    await nsqd.logged(/(HTTP: closing)/);
    nsqd.kill("SIGTERM");

    assertEquals(await nsqd.ended(), 1);
    assert(!nsqd.log.includes("NSQ: bye"));
  });
});

Deno.test("runNsqd() ends with 1 and one line when it cannot start", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = new ChildNsqd(`${dataPath}/missing`);

    assertEquals(await nsqd.ended(), 1);
    assertMatch(nsqd.log, /FATAL: failed to start nsqd - failed to lock data-path: .*\n$/);
  });
});
