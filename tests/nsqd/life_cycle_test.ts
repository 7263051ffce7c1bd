import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { nsqdIn, nsqdTest, steady, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { freePort } from "../support/ports.ts";

Deno.test("Nsqd starts and stops in NSQ's order", async () => {
  await withDataPath(async (dataPath) => {
    let started = 0;
    const lines = await withNsqd(dataPath, { broadcastAddress: "127.0.0.1" }, async (nsqd) => {
      started = nsqd.lines.length;
      using client = await nsqd.connect();
      // In one turn, so that both come into the metadata at once.
      await client.send(pub("orders", "a"), "SUB orders mail\n");
      // The metadata are written soon after a topic or channel came, but not at once.
      await eventually(
        "metadata",
        () => nsqd.lines.filter((line) => line.includes("persisting")).length === 2,
      );
    });

    assertEquals(steady(lines.slice(0, started), dataPath), [
      "INFO: nsqd v1.3.0 (…)",
      "INFO: ID: 5",
      "INFO: HTTP: listening on 127.0.0.1:#",
      "INFO: NSQ: persisting topic/channel metadata to <data>/nsqd.dat",
      "INFO: TCP: listening on 127.0.0.1:#",
      "INFO: NSQ: advertising 127.0.0.1:# (TCP), 127.0.0.1:# (HTTP)",
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
      "INFO: LOOKUP: closing",
      "INFO: NSQ: bye",
    ]);
  });
});

nsqdTest("Nsqd.runningTasks() names every listener, loop and connection", async (nsqd) => {
  using _client = await nsqd.connect();
  await eventually("the client is served", () => nsqd.nsqd.connections.size === 1);

  const tasks = nsqd.nsqd.runningTasks();

  assertEquals(tasks.slice(0, -1), [
    "tcpServer",
    "httpServer",
    "lookupLoop",
    "queueScanLoop",
    "keepAliveLoop",
    "lagLoop",
    "clockLoop",
    "syncLoop",
    "compactionLoop",
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

  await nsqd.nsqd.stop();

  assertEquals([await silent.rest(), await consumer.rest()], [[], []]);
  // Such as of a connection that it would have waited for.
  assertEquals(nsqd.lines.filter((line) => line.startsWith("ERROR")), []);
});

nsqdTest("Nsqd.stop() ends connections that come at that moment", async ({ nsqd, lines }) => {
  const address = { hostname: "127.0.0.1", port: nsqd.tcpPort ?? 0 };
  const connecting = Array.from({ length: 5 }, () => Deno.connect(address));
  // Of the others, some have been accepted by the system, but not by nsqd.
  await connecting[0];

  await nsqd.stop();

  for (const connected of await Promise.allSettled(connecting)) {
    if (connected.status === "fulfilled") connected.value.close();
  }
  assertEquals(nsqd.runningTasks(), []);
  assertEquals(lines.filter((line) => line.startsWith("ERROR")), []);
});

Deno.test("Nsqd that is not started releases what it took when the HTTP port is in use", async () => {
  await withDataPath(async (dataPath) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    const lines: string[] = [];

    const error = await assertRejects(() => nsqdIn(dataPath, { httpAddress: address }, lines).start(), Error);

    assertMatch(error.message, new RegExp(`^Cannot listen on ${address}: .*in use`));
    // The lock is free again.
    await withNsqd(dataPath, {}, () => Promise.resolve());
  });
});

Deno.test("Nsqd that is not started releases the HTTP port when the TCP port is in use", async () => {
  await withDataPath(async (dataPath) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    const port = freePort();
    const lines: string[] = [];
    const nsqd = nsqdIn(dataPath, { tcpAddress: address, httpAddress: `127.0.0.1:${port}` }, lines);

    const error = await assertRejects(() => nsqd.start(), Error);

    assertMatch(error.message, new RegExp(`^listen \\(${address}\\) failed - .*in use`));
    assert(lines.includes(`INFO: HTTP: listening on 127.0.0.1:${port}`), lines.join("\n"));
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
