import { assertEquals, assertMatch } from "@std/assert";
import { Broker } from "../../src/broker/broker.ts";
import { runNsqd } from "../../src/nsqd/main.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { nsqdTest, steady, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { nsqdCommand } from "../support/nsqd_process.ts";

nsqdTest("Nsqd.failed settles with the name of the task that failed", async ({ nsqd }) => {
  nsqd.broker.scan = () => {
    throw new Error("a message in no page");
  };

  const failure = await nsqd.failed;

  assertEquals(failure.message, 'Task "queueScanLoop" failed: a message in no page');
});

nsqdTest("Nsqd.failed settles also when the work of a turn fails", async (nsqd) => {
  nsqd.nsqd.broker.pump = () => {
    throw new Error("a message in no page");
  };
  using client = await nsqd.connect();

  await client.send(pub("t", "a"));
  const failure = await nsqd.nsqd.failed;

  assertEquals(failure.message, 'Task "turn" failed: a message in no page');
  // The stop delivers once more.
  nsqd.nsqd.broker.pump = () => {};
});

Deno.test("runNsqd() writes its log as JSON with --log-format=json, from the first line to the last", async () => {
  await withDataPath(async (dataPath) => {
    const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
    const args = [`--data-path=${dataPath}`, ...addresses, "--log-format=json"];
    await using nsqd = new ChildDaemon([...nsqdCommand(), ...args]);
    await nsqd.logged(/(advertising)/);
    nsqd.kill("SIGTERM");
    assertEquals(await nsqd.ended(), 0);

    const lines = nsqd.log.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertMatch(lines[0].message, /^nsqd v1\.3\.0 /);
    assertEquals(lines.at(-1).message, "NSQ: bye");
    assertEquals([...new Set(lines.map(({ prefix, level }) => `${prefix} ${level}`))], ["[nsqd] INFO"]);
  });
});

Deno.test("runNsqd() stops in order and ends with 1 when a task fails, with a line that names it", async () => {
  await withDataPath(async (dataPath) => {
    const { scan } = Broker.prototype;
    const { write } = Deno.stderr;
    let log = "";
    let code: number;
    try {
      Deno.stderr.write = (bytes) => {
        log += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      };
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
      Deno.stderr.write = write;
    }

    assertEquals(code, 1);
    const lines = log.trimEnd().split("\n").map((line) => line.replace(/^\S+ \S+ \S+ /, ""));
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

function startNsqd(dataPath: string): ChildDaemon {
  const flags = [`--data-path=${dataPath}`, "--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  return new ChildDaemon([...nsqdCommand(), ...flags]);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runNsqd() stops in order and ends with 0 on ${signal}`, async () => {
    await withDataPath(async (dataPath) => {
      await using nsqd = startNsqd(dataPath);
      await nsqd.logged(/(advertising)/);

      nsqd.kill(signal);

      assertEquals(await nsqd.ended(), 0);
      assertMatch(nsqd.log, /NSQ: bye\n$/);
    });
  });
}

Deno.test("runNsqd() loses nothing by more signals while it stops", async () => {
  await withDataPath(async (dataPath) => {
    const topics = Array.from({ length: 20 }, (_, i) => `t${i}`);
    {
      await using nsqd = startNsqd(dataPath);
      const address = await nsqd.logged(/TCP: listening on (127\.0\.0\.1:\d+)\n/);
      using client = await RawClient.connect(address);
      for (const topic of topics) assertEquals(await client.ask(pub(topic, "kept")), "OK");

      nsqd.kill("SIGTERM");
      await nsqd.logged(/(TCP: closing)/);
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGTERM"] as const) nsqd.kill(signal);

      assertEquals(await nsqd.ended(), 0);
      assertMatch(nsqd.log, /NSQ: bye\n$/);
    }
    await withNsqd(dataPath, {}, ({ nsqd: { broker } }) => {
      assertEquals([...broker.topics.values()].map(({ depth }) => depth), topics.map(() => 1));
      return Promise.resolve();
    });
  });
});

Deno.test("runNsqd() goes on when it gets signals that Go's programs take no notice of", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = startNsqd(dataPath);
    await nsqd.logged(/(advertising)/);
    const address = await nsqd.logged(/HTTP: listening on (127\.0\.0\.1:\d+)\n/);

    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGXFSZ", "SIGHUP"] as const) {
      nsqd.kill(signal);
      assertEquals(await (await fetch(`http://${address}/ping`)).text(), "OK");
    }

    nsqd.kill("SIGTERM");
    assertEquals(await nsqd.ended(), 0);
  });
});

Deno.test("runNsqd() does not leave the inspector open that SIGUSR1 opens", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = startNsqd(dataPath);
    await nsqd.logged(/(advertising)/);

    // The runtime does not open it in its first moments.
    await eventually("it was opened, and closed", () => {
      nsqd.kill("SIGUSR1");
      return nsqd.log.includes("SIGUSR1: closed the runtime's inspector");
    });
  });
});

Deno.test("runNsqd() on a second SIGTERM goes on to wait for a request that does not end", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = startNsqd(dataPath);
    await nsqd.logged(/(advertising)/);
    const address = await nsqd.logged(/HTTP: listening on 127\.0\.0\.1:(\d+)\n/);
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

    assertEquals(await nsqd.ended(), 0);
    assertMatch(nsqd.log, /cut off 1 requests[^]*NSQ: bye\n$/);
  });
});

Deno.test("runNsqd() ends with 1 and one line when it cannot start", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = startNsqd(`${dataPath}/missing`);

    assertEquals(await nsqd.ended(), 1);
    assertMatch(nsqd.log, /FATAL: failed to start nsqd - failed to lock data-path: .*\n$/);
  });
});
