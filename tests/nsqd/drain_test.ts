import { assertEquals, assertMatch } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Drain, type DrainContext, RETURN_TIME_MS, TOPICS_TOLD_MAX } from "../../src/nsqd/drain.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { FakeLookupd } from "../support/fake_lookupd.ts";
import { FakeTimers } from "../support/fake_timers.ts";
import { mpub, pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { channelOf, consumer, NsqdInMemory, publish, settle } from "../support/nsqd_in_memory.ts";
import { countsOf, nsqdTest, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { nsqdCommand } from "../support/nsqd_process.ts";

const TIMEOUT_MS = 60_000;

/** A drain of a broker in memory, in time that the test lets pass. */
async function withDrain(
  test: (given: Awaited<ReturnType<typeof makeDrain>>) => Promise<void>,
  context: Partial<DrainContext> = {},
): Promise<void> {
  const given = makeDrain(context);
  try {
    await test(given);
  } finally {
    given.stopped.abort();
    await given.run();
    for (const session of given.nsqd.connections) session.close();
    await settle();
  }
}

function makeDrain(context: Partial<DrainContext>) {
  const nsqd = new NsqdInMemory();
  const timers = new FakeTimers();
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.info,
    write: (line) => lines.push(line.slice(27)),
  });
  const calls: string[] = [];
  const stopped = new AbortController();
  const note = (call: string) => () => Promise.resolve(void calls.push(call));
  const drain = new Drain({
    logger,
    timers,
    options: { drainTimeoutMs: TIMEOUT_MS },
    topics: nsqd.broker.topics,
    nextDueMs: () => Infinity,
    leave: note("leave"),
    spill: note("spill"),
    ...context,
  });
  let isOver = false;
  void drain.over.then(() => isOver = true);
  let running: Promise<void> | undefined;
  const run = () => running ??= drain.run(stopped.signal);
  return {
    nsqd,
    drain,
    lines,
    calls,
    stopped,
    run,
    isOver: () => isOver,
    async begin() {
      drain.begin();
      void run();
      await settle();
    },
    async pass(ms: number) {
      timers.advance(ms);
      await settle();
    },
  };
}

Deno.test("Drain is over at once when nothing is there", () =>
  withDrain(async ({ drain, begin, isOver, lines, calls }) => {
    assertEquals([drain.isOn, drain.refusal, drain.progress], [false, undefined, undefined]);

    await begin();

    assertEquals([drain.isOn, drain.refusal, isOver()], [true, "exiting", true]);
    assertEquals(calls, ["leave", "spill"]);
    assertEquals(lines, [
      "INFO: DRAIN: no more messages are taken, for 1m0s at most; no message is left",
      "INFO: DRAIN: done; no message is left",
    ]);
  }));

Deno.test("Drain.begin() begins once", () =>
  withDrain(({ drain }) => {
    assertEquals([drain.begin(), drain.begin()], [true, false]);
    return Promise.resolve();
  }));

Deno.test("Drain waits until consumers have finished what waits and what they hold, and tells how far it is", () =>
  withDrain(async ({ nsqd, drain, begin, pass, isOver }) => {
    const client = await consumer(nsqd, { rdy: 1 });
    await publish(nsqd, "a", "b");
    const [first] = client.frames();

    await begin();
    await pass(30_000);
    const progress = drain.progress;
    await client.send(`FIN ${first.type === "message" ? first.id : ""}\n`, "RDY 1\n");
    const [second] = client.frames();
    await pass(1000);
    const before = isOver();
    await client.send(`FIN ${second.type === "message" ? second.id : ""}\n`);
    await pass(1000);

    assertEquals(progress, {
      messages_left: 2,
      topics_left: 1,
      in_flight: 1,
      deferred: 0,
      unattended: 0,
      seconds_left: 30,
    });
    assertEquals([before, isOver()], [false, true]);
    assertEquals(drain.progress?.messages_left, 0);
  }));

Deno.test("Drain is over when time is up, and says what stays on the disk", () =>
  withDrain(async ({ nsqd, begin, pass, isOver, lines }) => {
    await consumer(nsqd, { rdy: 1 });
    await publish(nsqd, "a", "b");

    await begin();
    await pass(TIMEOUT_MS - 1);
    const before = isOver();
    await pass(200);

    assertEquals([before, isOver()], [false, true]);
    assertEquals(
      lines.at(-1),
      "INFO: DRAIN: done; 2 messages are left (1 in flight, 0 deferred, 0 that nobody consumes): t 2, which stay on the disk",
    );
  }));

Deno.test("Drain without a limit waits as long as a consumer takes", () =>
  withDrain(async ({ nsqd, drain, begin, pass, isOver }) => {
    await consumer(nsqd, { rdy: 1 });
    await publish(nsqd, "a");

    await begin();
    await pass(1e9);

    assertEquals([isOver(), drain.progress?.seconds_left], [false, undefined]);
  }, { options: { drainTimeoutMs: 0 } }));

for (
  const [name, prepare] of [
    ["of a topic without a channel", () => {}],
    ["of a channel without a consumer", (nsqd) => void channelOf(nsqd)],
    ["of a paused channel", async (nsqd) => {
      await consumer(nsqd, { rdy: 1 });
      channelOf(nsqd).pause();
    }],
    ["of a paused topic", async (nsqd) => {
      await consumer(nsqd, { rdy: 1 });
      nsqd.broker.topic("t").pause();
    }],
  ] as readonly (readonly [string, (nsqd: NsqdInMemory) => void | Promise<void>])[]
) {
  Deno.test(`Drain waits for messages ${name} only as long as somebody may take to come back`, () =>
    withDrain(async ({ nsqd, drain, begin, pass, isOver }) => {
      await prepare(nsqd);
      await publish(nsqd, "a");

      await begin();
      await pass(RETURN_TIME_MS - 1);
      const before = isOver();
      await pass(200);

      assertEquals([before, isOver()], [false, true]);
      assertEquals([drain.progress?.messages_left, drain.progress?.unattended], [1, 1]);
    }));
}

Deno.test("Drain waits on when a consumer has come back", () =>
  withDrain(async ({ nsqd, begin, pass, isOver }) => {
    channelOf(nsqd);
    await publish(nsqd, "a");
    await begin();
    await pass(RETURN_TIME_MS - 200);

    await consumer(nsqd, { rdy: 1 });
    await pass(200);
    await pass(RETURN_TIME_MS);

    assertEquals(isOver(), false);
  }));

for (
  const [name, dueMs, isOverSoon] of [["before", TIMEOUT_MS, false], ["after", TIMEOUT_MS + 1, true]] as const
) {
  Deno.test(`Drain ${isOverSoon ? "does not wait" : "waits"} for a message that is due ${name} time is up`, () =>
    withDrain(async ({ nsqd, begin, pass, isOver }) => {
      await consumer(nsqd, { rdy: 1 });
      nsqd.broker.topic("t").publish(new Uint8Array(1), { deferMs: 600_000 });
      await settle();

      await begin();
      await pass(RETURN_TIME_MS);
      await pass(RETURN_TIME_MS);

      assertEquals(isOver(), isOverSoon);
    }, { nextDueMs: () => dueMs }));
}

Deno.test("Drain goes on when the disk refuses what is in memory", () =>
  withDrain(async ({ begin, isOver, lines }) => {
    await begin();

    assertEquals(isOver(), true);
    assertEquals(lines[1], "ERROR: DRAIN: failed to put messages on the disk - disk full");
  }, { spill: () => Promise.reject(new Error("disk full")) }));

Deno.test("Drain says what is lost where there is no disk", () =>
  withDrain(async ({ nsqd, begin, pass, lines }) => {
    await publish(nsqd, "a");

    await begin();
    await pass(RETURN_TIME_MS);
    await pass(RETURN_TIME_MS);

    assertEquals(lines.at(-1)?.endsWith("1 that nobody consumes): t 1, which are lost"), true, lines.at(-1));
  }, { spill: undefined }));

for (const topics of [TOPICS_TOLD_MAX, TOPICS_TOLD_MAX + 1]) {
  Deno.test(`Drain names of ${topics} topics the ${TOPICS_TOLD_MAX} with the most messages`, () =>
    withDrain(async ({ nsqd, begin, lines }) => {
      for (let i = 1; i <= topics; i++) {
        for (let j = 0; j < i; j++) nsqd.broker.topic(`t${i}`).publish(new Uint8Array(1));
      }

      await begin();

      const told = topics === TOPICS_TOLD_MAX
        ? "t5 5, t4 4, t3 3, t2 2, t1 1"
        : "t6 6, t5 5, t4 4, t3 3, t2 2 and 1 more topics";
      assertEquals(lines[0].endsWith(`that nobody consumes): ${told}`), true, lines[0]);
    }));
}

// nsqd

async function post(
  port: number | undefined,
  path: string,
  body = "",
): Promise<[status: number, text: string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body });
  return [response.status, await response.text()];
}

async function ready(port: number | undefined): Promise<[status: number, state: unknown, left: unknown]> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  const { state, drain } = await response.json();
  return [response.status, state, drain?.messages_left];
}

nsqdTest(
  "POST /drain refuses publishers with NSQ's words, lets consumers finish, and then nsqd is finished",
  async ({ nsqd, connect, tcpAddress }) => {
    void connect;
    using consuming = await RawClient.connect(tcpAddress);
    assertEquals(await consuming.ask("SUB t c\n"), "OK");
    using publishing = await RawClient.connect(tcpAddress);
    assertEquals(await publishing.ask(mpub("t", ["a", "b"])), "OK");
    await consuming.send("RDY 1\n");
    const first = await consuming.message();

    const [status, text] = await post(nsqd.httpPort, "/drain");

    assertEquals(status, 200);
    assertMatch(
      text,
      /^{"ready":false,"state":"draining","reasons":\["draining"\],"drain":{"messages_left":/,
    );
    assertEquals(await publishing.ask(pub("t", "c")), "E_PUB_FAILED PUB failed exiting");
    using another = await RawClient.connect(tcpAddress);
    assertEquals(await another.ask(mpub("new", ["c"])), "E_MPUB_FAILED MPUB failed exiting");
    assertEquals(await post(nsqd.httpPort, "/pub?topic=t", "c"), [503, '{"message":"EXITING"}']);
    assertEquals(await post(nsqd.httpPort, "/mpub?topic=new", "c"), [503, '{"message":"EXITING"}']);
    assertEquals([...nsqd.broker.topics.keys()], ["t"]);
    await eventually("it is told", async () => (await ready(nsqd.httpPort))[2] === 2);
    assertEquals((await ready(nsqd.httpPort)).slice(0, 2), [503, "draining"]);
    assertEquals(await (await fetch(`http://127.0.0.1:${nsqd.httpPort}/ping`)).text(), "OK");

    await consuming.send(`FIN ${first.id}\n`);
    const second = await consuming.message();
    await consuming.send(`FIN ${second.id}\n`);

    await nsqd.finished;
  },
);

nsqdTest("A draining nsqd takes consumers still", async ({ nsqd, tcpAddress }) => {
  await post(nsqd.httpPort, "/pub?topic=t", "a");
  await post(nsqd.httpPort, "/drain");

  using client = await RawClient.connect(tcpAddress);
  assertEquals(await client.ask("SUB t c\n"), "OK");
  await client.send("RDY 1\n");
  const { body, id } = await client.message();
  await client.send(`FIN ${id}\n`);

  assertEquals(body, "a");
  await nsqd.finished;
});

Deno.test("A draining nsqd leaves nsqlookupds", async () => {
  await withDataPath(async (dataPath) => {
    await using lookupd = new FakeLookupd();
    await withNsqd(dataPath, { lookupdTcpAddresses: [lookupd.address] }, async ({ nsqd, lines }) => {
      await eventually("introduction", () => lines.some((line) => line.includes("peer info")));
      await post(nsqd.httpPort, "/pub?topic=t", "a");

      await post(nsqd.httpPort, "/drain");

      await eventually("it has left", () => lines.includes("INFO: LOOKUP: closing"));
      await eventually("its task has ended", () => !nsqd.runningTasks().includes("lookupLoop"));
    });
  });
});

Deno.test("What a drain leaves, and what was deferred, is there at the next start", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { drainTimeoutMs: 1 }, async ({ nsqd }) => {
      await post(nsqd.httpPort, "/pub?topic=t", "a");
      await post(nsqd.httpPort, "/pub?topic=t&defer=3600000", "b");
      await post(nsqd.httpPort, "/drain");
      await nsqd.finished;
    });

    await withNsqd(dataPath, {}, ({ nsqd }) => {
      assertEquals(nsqd.broker.topics.get("t")?.depth, 2);
      return Promise.resolve();
    });
  });
});

interface Holding {
  readonly nsqd: ChildDaemon;
  readonly client: RawClient;
  /** Of the messages that it holds. */
  readonly ids: readonly string[];
  readonly dataPath: string;
}

/** An nsqd as a process, with `--drain-on-stop`, that has been told to stop while a consumer holds two messages. */
async function whileHolding(use: (given: Holding) => Promise<void>): Promise<void> {
  await withDataPath(async (dataPath) => {
    const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
    const args = [`--data-path=${dataPath}`, ...addresses, "--drain-on-stop"];
    await using nsqd = new ChildDaemon([...nsqdCommand(), ...args]);
    await nsqd.logged(/(advertising)/);
    const address = await nsqd.logged(/TCP: listening on (\S+)\n/);
    using client = await RawClient.connect(address);
    await client.ask("SUB t c\n");
    using publisher = await RawClient.connect(address);
    assertEquals(await publisher.ask(mpub("t", ["a", "b"])), "OK");
    await client.send("RDY 2\n");
    const ids = [(await client.message()).id, (await client.message()).id];
    nsqd.kill("SIGTERM");
    await nsqd.logged(/(DRAIN: no more messages are taken)/);
    await use({ nsqd, client, ids, dataPath });
  });
}

/** How many messages wait for the consumer at the next start. */
async function depthIn(dataPath: string): Promise<number> {
  let depth = -1;
  await withNsqd(dataPath, {}, (nsqd) => {
    depth = countsOf(nsqd, "t", "c").depth;
    return Promise.resolve();
  });
  return depth;
}

Deno.test("With --drain-on-stop nsqd ends when consumers have finished what there is", () =>
  whileHolding(async ({ nsqd, client, ids, dataPath }) => {
    for (const id of ids) await client.send(`FIN ${id}\n`);

    assertEquals(await nsqd.ended(), 0);
    assertMatch(nsqd.log, /DRAIN: done; no message is left\n[^]*NSQ: bye\n$/);
    assertEquals(await depthIn(dataPath), 0);
  }));

Deno.test("With --drain-on-stop a second signal ends the drain, and nsqd stops in order", () =>
  whileHolding(async ({ nsqd, dataPath }) => {
    // One that comes at once would be the first one again.
    await eventually("the stop", () => {
      if (nsqd.log.includes("TCP: closing")) return true;
      nsqd.kill("SIGTERM");
      return false;
    });

    assertEquals(await nsqd.ended(), 0);
    assertMatch(nsqd.log, /DRAIN: ended; 2 messages are left \(.*\): t 2, which stay on the disk\n/);
    assertEquals(await depthIn(dataPath), 2);
  }));

Deno.test("What was in memory only survives when nsqd is killed while it drains", () =>
  whileHolding(async ({ nsqd, dataPath }) => {
    const folder = `${dataPath}/t.topic`;
    await eventually("it is on the disk", async () => {
      const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
      return names.includes("state");
    });

    nsqd.kill("SIGKILL");
    await nsqd.ended();

    assertEquals(await depthIn(dataPath), 2);
  }));
