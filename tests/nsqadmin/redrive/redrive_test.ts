import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Clock, SystemClock } from "../../../src/base/clock.ts";
import { FAILURES_MAX, Redrive } from "../../../src/nsqadmin/redrive/redrive.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { type FakeAnswer, FakeNsqd, SILENCE } from "../../support/fake_nsqd.ts";
import { post, statsOf } from "../../support/nsqadmin_in_process.ts";
import { type NsqdInProcess, nsqdTest } from "../../support/nsqd_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

/** So long that it ends nothing by itself, however slow the machine is. */
const LONG_MS = 60_000;

/** How many wait in the channel `c` of `t`, are deferred and are in flight. */
async function countsOf(nsqd: NsqdInProcess): Promise<readonly [waiting: number, deferred: number]> {
  const stats = await statsOf(nsqd, "t") as unknown as {
    depth: number;
    channels: { depth: number; deferred_count: number; in_flight_count: number }[];
  };
  const [{ depth, deferred_count, in_flight_count }] = stats.channels;
  return [stats.depth + depth + in_flight_count, deferred_count];
}

async function fill(nsqd: NsqdInProcess, count: number): Promise<void> {
  await post(`${nsqd.httpUrl}/topic/create?topic=t`);
  await post(`${nsqd.httpUrl}/channel/create?topic=t&channel=c`);
  const bodies = Array.from({ length: count }, (_, i) => `m${i}`).join("\n");
  await post(`${nsqd.httpUrl}/mpub?topic=t`, bodies);
}

/** A redrive of that many to a topic `to` of those nodes. */
function redriveOf(
  count: number,
  { sources, targets, rate = 10_000, clock = new SystemClock(), endTimeoutMs = LONG_MS }: {
    readonly sources: readonly string[];
    readonly targets: readonly string[];
    readonly rate?: number;
    readonly clock?: Pick<Clock, "nowMs" | "monotonicMs">;
    readonly endTimeoutMs?: number;
  },
): Redrive {
  return new Redrive({
    id: "1",
    order: { topic: "t", channel: "c", to: "to", rate, messages: count },
    plan: { count, sources, targets },
    connection: { dialTimeoutMs: LONG_MS, reconnect: { minMs: 10, maxMs: 20 } },
    clock,
    author: { user: undefined, address: "", userAgent: "" },
    idleMs: LONG_MS,
    endTimeoutMs,
  });
}

/** The bodies that were published to it. */
function publishedTo(target: FakeNsqd): string[] {
  return target.commands.filter(({ line }) => /^M?PUB to$/.test(line)).flatMap(({ bodies }) => bodies);
}

nsqdTest(
  "A redrive publishes as many as are wanted, and finishes them when that is acknowledged",
  async (nsqd) => {
    await fill(nsqd, 200);
    await using target = new FakeNsqd();

    const redrive = redriveOf(120, { sources: [nsqd.tcpAddress], targets: [target.address] });
    await redrive.run();

    assertEquals([redrive.state, redrive.redriven, redrive.failed, redrive.problem], [
      "done",
      120,
      0,
      undefined,
    ]);
    assertEquals(new Set(publishedTo(target)).size, 120);
    assertEquals(await countsOf(nsqd), [80, 0]);
  },
);

nsqdTest("A redrive finishes nothing before it is acknowledged", async (nsqd) => {
  await fill(nsqd, 10);
  const silent = Promise.withResolvers<void>();
  await using target = new FakeNsqd({
    answer: ({ line }): FakeAnswer | undefined => {
      if (!/PUB/.test(line)) return undefined;
      silent.resolve();
      return SILENCE;
    },
  });

  // What is not acknowledged by then never is.
  const endTimeoutMs = 300;
  const redrive = redriveOf(10, { sources: [nsqd.tcpAddress], targets: [target.address], endTimeoutMs });
  const running = redrive.run();
  await silent.promise;

  assertEquals([redrive.redriven, await countsOf(nsqd)], [0, [10, 0]]);
  redrive.end("canceled");
  await running;
  assertEquals([redrive.state, redrive.redriven], ["canceled", 0]);
  await eventually("all are there", async () => {
    const [waiting, deferred] = await countsOf(nsqd);
    return waiting + deferred === 10;
  });
});

nsqdTest("A redrive puts back what is refused, and ends when nothing is taken", async (nsqd) => {
  const count = FAILURES_MAX + 1;
  await fill(nsqd, count);
  await using target = new FakeNsqd({
    answer: ({ line }) => /PUB/.test(line) ? "E_BAD_TOPIC not here" : undefined,
  });

  const redrive = redriveOf(count, { sources: [nsqd.tcpAddress], targets: [target.address] });
  await redrive.run();

  assertEquals([redrive.state, redrive.redriven], ["failed", 0]);
  assert(redrive.failed >= FAILURES_MAX);
  assertStringIncludes(redrive.problem ?? "", "E_BAD_TOPIC");
  await eventually("all are there", async () => {
    const [waiting, deferred] = await countsOf(nsqd);
    return waiting + deferred === count && deferred > 0;
  });
});

nsqdTest("A redrive goes on when one message is refused, which is put back", async (nsqd) => {
  await fill(nsqd, 5);
  await using target = new FakeNsqd({
    answer: ({ line, bodies }) => /PUB/.test(line) && bodies.includes("m2") ? "E_BAD_MESSAGE no" : undefined,
  });

  const redrive = redriveOf(5, { sources: [nsqd.tcpAddress], targets: [target.address] });
  await redrive.run();

  assertEquals([redrive.state, redrive.redriven, redrive.failed], ["done", 4, 1]);
  assertEquals(await countsOf(nsqd), [0, 1]);
});

nsqdTest(
  "A redrive takes no more in a second than it may, and ends at once when it is canceled",
  async (nsqd) => {
    await fill(nsqd, 100);
    await using target = new FakeNsqd();

    const clock = new FakeClock();
    const nodes = { sources: [nsqd.tcpAddress], targets: [target.address] };
    const redrive = redriveOf(100, { ...nodes, rate: 1, clock });
    const running = redrive.run();
    await eventually("one is published", () => redrive.redriven === 1);
    clock.advance(999);
    const before = redrive.redriven;
    clock.advance(1);
    await eventually("another is published", () => redrive.redriven === 2);
    redrive.end("canceled");
    redrive.end("stopped");
    await running;

    assertEquals([before, redrive.state, redrive.redriven, redrive.failed], [1, "canceled", 2, 0]);
    await eventually("the others are there", async () => (await countsOf(nsqd))[0] === 98);
  },
);

nsqdTest("A redrive is over when no more come than there were", async (nsqd) => {
  await fill(nsqd, 3);
  await using target = new FakeNsqd();

  const clock = new FakeClock();
  const redrive = redriveOf(10, { sources: [nsqd.tcpAddress], targets: [target.address], clock });
  const running = redrive.run();
  await eventually("all are published", () => {
    // The rate lets another through.
    clock.advance(1);
    return redrive.redriven === 3;
  });
  clock.advance(LONG_MS);
  await running;

  assertEquals([redrive.state, redrive.redriven, redrive.problem], ["done", 3, "no more were delivered"]);
});

Deno.test("A redrive waits for messages from when it is connected, however long that took", async () => {
  await using source = new FakeNsqd();
  await using target = new FakeNsqd();
  const clock = new FakeClock();
  let looks = 0;
  const counted = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => {
      looks++;
      return clock.monotonicMs();
    },
  };
  const redrive = redriveOf(1, { sources: [source.address], targets: [target.address], clock: counted });
  clock.advance(LONG_MS);

  const running = redrive.run();
  await eventually("it may be sent messages", () => source.lines("RDY").length > 0);
  const before = looks;
  await eventually("it has looked whether it is over", () => looks > before + 2);
  await source.deliver(["body"]);
  await running;

  assertEquals([redrive.state, redrive.redriven, redrive.problem], ["done", 1, undefined]);
  assertEquals(publishedTo(target), ["body"]);
});

Deno.test("A redrive fails when no node can be reached, and says which", async () => {
  const dead = deadAddress();
  const clock = new FakeClock();
  const redrive = redriveOf(10, { sources: [dead], targets: [dead], clock });
  const running = redrive.run();
  await eventually("it was tried", () => redrive.problem?.startsWith(`${dead}: `));
  clock.advance(2 * LONG_MS);
  await running;

  assertEquals(redrive.state, "failed");
  assertStringIncludes(redrive.problem ?? "", `no node could be reached over TCP: ${dead}: `);
});
