import { assert, assertEquals, assertMatch } from "@std/assert";
import { Broker } from "../../src/broker/broker.ts";
import { runNsqd } from "../../src/nsqd/main.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { pub } from "../support/frames.ts";
import { nsqdTest, steady, withDataPath } from "../support/nsqd_in_process.ts";
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

function startNsqd(dataPath: string): ChildDaemon {
  const flags = [`--data-path=${dataPath}`, "--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  return new ChildDaemon([...nsqdCommand(), ...flags]);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runNsqd() stops in order and ends with 0 on ${signal}`, async () => {
    await withDataPath(async (dataPath) => {
      await using nsqd = startNsqd(dataPath);
      await nsqd.logged(/(HTTP: listening)/);

      nsqd.kill(signal);

      assertEquals(await nsqd.ended(), 0);
      assertMatch(nsqd.log, /NSQ: bye\n$/);
    });
  });
}

Deno.test("runNsqd() ends at once on a second signal", async () => {
  await withDataPath(async (dataPath) => {
    await using nsqd = startNsqd(dataPath);
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
    await using nsqd = startNsqd(`${dataPath}/missing`);

    assertEquals(await nsqd.ended(), 1);
    assertMatch(nsqd.log, /FATAL: failed to start nsqd - failed to lock data-path: .*\n$/);
  });
});
