import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { benchTool } from "../../src/tools/bench.ts";
import { Schedule } from "../../src/tools/bench_actors.ts";
import { csvOf, histogramOf, Measured, textOf } from "../../src/tools/bench_report.ts";
import { eventually } from "../support/eventually.ts";
import { countsOf, nsqdTest } from "../support/nsqd_in_process.ts";
import { createChannel, publish } from "../support/tool_messages.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

nsqdTest("bench pub publishes so many messages of that size, and says how fast", async (nsqd) => {
  await createChannel(nsqd, "bench", "ch");
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(
    await world.run(benchTool("pub"), address, "--msgs=500", "--size=10", "--clients=2", "--batch=7"),
    0,
  );

  assertMatch(world.out, /^pub: 500 messages, 0\.0 MB in \d+\.\d{3} s: \d+ messages\/s, \d+\.\d MB\/s\n/);
  assertMatch(world.out, /\npub: time until the answer: p50 \d+\.\d{3} ms, p90 .*, max \d+\.\d{3} ms\n$/);
  assertEquals(countsOf(nsqd, "bench", "ch").depth, 500);
});

nsqdTest("bench sub takes so many messages, and finishes them", async (nsqd) => {
  await publish(nsqd, "bench", ["a", "b", "c", "d"]);
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(
    await world.run(benchTool("sub"), address, "--channel=ch", "--msgs=3", "--max-in-flight=3"),
    0,
  );

  assertMatch(world.out, /^sub: 3 messages, .* messages\/s, .* MB\/s\n$/);
  assertEquals(countsOf(nsqd, "bench", "ch").inFlight, 0);
});

nsqdTest("bench both publishes and takes, as CSV when that is asked for", async (nsqd) => {
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(await world.run(benchTool("both"), address, "--msgs=300", "--csv"), 0);

  const [header, pub, sub, end] = world.out.split("\n");
  assertEquals(
    header,
    "what,messages,bytes,seconds,messages_per_second,p50_ms,p90_ms,p99_ms,p99.9_ms,max_ms",
  );
  assertMatch(pub, /^pub,300,30000,\d+\.\d{6},\d+(,\d+\.\d{3}){5}$/);
  assertMatch(sub, /^sub,300,30000,\d+\.\d{6},\d+,,,,,$/);
  assertEquals(end, "");
});

nsqdTest("bench latency measures its own messages only, and writes a histogram", async (nsqd) => {
  await publish(nsqd, "bench", ["of somebody else", "x"]);
  const path = await Deno.makeTempFile();
  try {
    const world = new FakeToolWorld();

    const code = await world.run(
      benchTool("latency"),
      `--nsqd-tcp-address=${nsqd.tcpAddress}`,
      "--channel=ch",
      "--msgs=20",
      "--throughput=1000",
      `--histogram=${path}`,
    );

    assertEquals(code, 0);
    assertMatch(world.out, /\nsub: 20 messages, .*\nsub: time from when it was due until it was there: p50 /);
    assertStringIncludes(
      await Deno.readTextFile(path),
      "# sub: time from when it was due until it was there, 20 values\n",
    );
  } finally {
    await Deno.remove(path);
  }
});

nsqdTest("bench ends with exit code 124 when nothing comes, and reports what has come", async (nsqd) => {
  await publish(nsqd, "bench", ["a"]);
  const flags = [`--nsqd-tcp-address=${nsqd.tcpAddress}`, "--channel=ch", "--msgs=2", "--timeout=50ms"];

  // On a machine that does much else, the time may be over before the message comes.
  const world = await eventually("it reports what has come", async () => {
    const world = new FakeToolWorld();
    assertEquals(await world.run(benchTool("sub"), ...flags), 124);
    return world.out.includes("sub: 1 messages") && world;
  });

  assertEquals(world.errLines.at(-1), "nothing has come or gone for 50ms");
});

nsqdTest("bench --duration ends it, however many messages are left", async (nsqd) => {
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(await world.run(benchTool("pub"), address, "--msgs=0", "--duration=50ms"), 0);

  assertMatch(world.out, /^pub: \d+ messages/);
});

Deno.test("bench ends with exit code 1 when nsqd is not there", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(benchTool("pub"), "--nsqd-tcp-address=127.0.0.1:1"), 1);
  assertStringIncludes(world.err, "cannot connect to nsqd 127.0.0.1:1 - ");
});

const ADDRESS = "--nsqd-tcp-address=127.0.0.1:1";
for (
  const [args, text] of [
    [[], "--nsqd-tcp-address or --lookupd-http-address required"],
    [[ADDRESS, "--msgs=-1"], "--msgs must not be negative"],
    [[ADDRESS, "--msgs=0"], "--msgs or --duration required"],
    [[ADDRESS, "--clients=0"], "--clients must be at least 1"],
    [[ADDRESS, "--batch=0"], "--batch must be at least 1"],
    [[ADDRESS, "--throughput=-1"], "--throughput must not be negative"],
    [[ADDRESS, "--timeout=0"], "--timeout should be positive"],
    [[ADDRESS, "--size=15"], "--size must be at least 16"],
  ] as const
) {
  Deno.test(`bench latency ${args.join(" ")} is refused: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals([await world.run(benchTool("latency"), ...args), world.errLines.at(-1)], [1, text]);
  });
}

Deno.test("Schedule without a rate gives everything at once, up to the number that is asked for", () => {
  const schedule = new Schedule(5, 0);

  assertEquals([schedule.take(3, 10).count, schedule.take(3, 10).count, schedule.isOver], [3, 2, true]);
});

Deno.test("Schedule with a rate says when what is late was due", () => {
  const schedule = new Schedule(10, 1000);

  assertEquals(schedule.take(5, 100), { count: 1, dueMs: 100 });
  assertEquals(schedule.take(5, 100.5), { count: 0, dueMs: 101 });
  assertEquals(schedule.take(5, 103), { count: 3, dueMs: 101 });
});

Deno.test("Reports of bench hold rates, percentiles and the largest time", () => {
  const measured = new Measured("pub", "time until the answer");
  measured.firstMs = 1000;
  for (let i = 1; i <= 100; i++) measured.times.insert(1_000_000);
  measured.count(2000, 4_000_000, 3000);

  assertEquals(
    textOf(measured),
    "pub: 2000 messages, 4.0 MB in 2.000 s: 1000 messages/s, 2.0 MB/s\n" +
      "pub: time until the answer: p50 1.000 ms, p90 1.000 ms, p99 1.000 ms, p99.9 1.000 ms, max 1.000 ms\n",
  );
  assertEquals(csvOf(measured), "pub,2000,4000000,2.000000,1000,1.000,1.000,1.000,1.000,1.000\n");
  const lines = histogramOf(measured).split("\n");
  assertEquals(lines.slice(0, 4), [
    "# pub: time until the answer, 100 values",
    "ms,percentile,values",
    "1.000,0.000000,0",
    "1.000,5.000000,5",
  ]);
  assertEquals(lines.slice(-2), ["1.000,100.000000,100", ""]);
});
