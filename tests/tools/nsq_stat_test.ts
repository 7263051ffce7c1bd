import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { NSQ_STAT } from "../../src/tools/nsq_stat.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";
import type { NsqdInProcess } from "../support/nsqd_in_process.ts";
import { eventually } from "../support/eventually.ts";
import { publish } from "../support/tool_messages.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

function flags(nsqd: NsqdInProcess, ...others: string[]): string[] {
  return [`--nsqd-http-address=${nsqd.httpUrl.slice("http://".length)}`, "--interval=1ms", ...others];
}

nsqdTest("nsq_stat reports a channel in NSQ's form", async (nsqd) => {
  await publish(nsqd, "t", ["a", "b"]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_STAT, ...flags(nsqd, "--topic=t", "--channel=ch", "--count=2")), 0);

  const row = "      0       0 |       2       2       0     0     0 |       0       0            2       0";
  assertEquals(world.out.split("\n"), [
    "------rate------+----------------depth----------------+--------------metadata---------------",
    "ingress  egress |   total     mem    disk inflt   def |     req     t-o         msgs clients",
    row,
    row,
    "",
  ]);
});

nsqdTest("nsq_stat repeats the header after 25 rows", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  await world.run(NSQ_STAT, ...flags(nsqd, "--topic=t", "--channel=ch", "--count=25"));

  const headers = world.out.split("\n").flatMap((line, i) => line.startsWith("---") ? [i] : []);
  assertEquals(headers, [0, 26]);
});

nsqdTest("nsq_stat without a topic reports all channels in a table, sorted as is asked for", async (nsqd) => {
  await publish(nsqd, "a", ["1"]);
  await publish(nsqd, "b", ["1", "2", "3"]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_STAT, ...flags(nsqd, "--sort=depth", "--count=1")), 0);

  assertEquals(world.out.split("\n"), [
    "topic  channel  ingress  egress  depth  mem  disk  inflt  def  req  t-o  msgs  clients  nodes",
    "b      ch             0       0      3    3     0      0    0    0    0     3        0      1",
    "a      ch             0       0      1    1     0      0    0    0    0     1        0      1",
    "",
    "",
  ]);
});

nsqdTest("nsq_stat marks channels that are paused", async (nsqd) => {
  await publish(nsqd, "t", ["1"]);
  const paused = await fetch(`${nsqd.httpUrl}/channel/pause?topic=t&channel=ch`, { method: "POST" });
  await paused.body?.cancel();
  const world = new FakeToolWorld();

  await world.run(NSQ_STAT, ...flags(nsqd, "--topic=t", "--count=1"));

  assertMatch(world.out, /1 {2}paused\n\n$/);
});

nsqdTest("nsq_stat --json writes an object for each channel", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  await world.run(NSQ_STAT, ...flags(nsqd, "--json", "--count=1"));

  const { time, ...row } = JSON.parse(world.out);
  assertMatch(time, /^\d{4}-\d\d-\d\dT/);
  assertEquals(row, {
    topic: "t",
    channel: "ch",
    nodes: 1,
    paused: false,
    ingress: 0,
    egress: 0,
    depth: 1,
    memory_depth: 1,
    backend_depth: 0,
    in_flight_count: 0,
    deferred_count: 0,
    requeue_count: 0,
    timeout_count: 0,
    message_count: 1,
    client_count: 0,
    e2e_processing_latency: {},
  });
});

nsqdTest("nsq_stat --csv writes a header and a line for each channel", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  await world.run(NSQ_STAT, ...flags(nsqd, "--csv", "--count=2"));

  const [header, first, second, end] = world.out.split("\n");
  assertEquals(
    header,
    "time,topic,channel,nodes,paused,ingress,egress,depth,memory_depth,backend_depth,in_flight_count," +
      "deferred_count,requeue_count,timeout_count,message_count,client_count",
  );
  assertMatch(first, /^\d{4}-.*Z,t,ch,1,false,0,0,1,1,0,0,0,0,0,1,0$/);
  assertEquals([second.split(",").length, end], [16, ""]);
});

nsqdTest("nsq_stat --watch writes over what is there, on a terminal only", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const seen = new FakeToolWorld({ terminals: ["stdout"] });
  const piped = new FakeToolWorld();

  await seen.run(NSQ_STAT, ...flags(nsqd, "--watch", "--count=1"));
  await piped.run(NSQ_STAT, ...flags(nsqd, "--watch", "--count=1"));

  assertEquals([seen.out.startsWith("\x1b[H\x1b[2Jtopic"), piped.out.startsWith("topic")], [true, true]);
});

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  nsqdTest(`nsq_stat ends with exit code 0 by ${signal}`, async (nsqd) => {
    await publish(nsqd, "t", ["a"]);
    const world = new FakeToolWorld();

    const running = world.run(NSQ_STAT, ...flags(nsqd, "--interval=1h", "--topic=t", "--channel=ch"));
    await eventually("it has begun", () => world.out !== "");
    world.send(signal);

    assertEquals(await running, 0);
  });
}

nsqdTest("nsq_stat goes on without an nsqd that does not answer, and says so", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  const code = await world.run(
    NSQ_STAT,
    ...flags(nsqd, "--nsqd-http-address=127.0.0.1:1", "--topic=t", "--channel=ch", "--count=1"),
  );

  assertEquals([code, world.out.split("\n").length], [0, 4]);
  assertMatch(
    world.errLines[0],
    /^ERROR: failed to get nsqd stats - http:\/\/127\.0\.0\.1:1\/stats.*: dial tcp 127\.0\.0\.1:1: connect: connection refused/,
  );
});

nsqdTest("nsq_stat ends with exit code 1 when there is no such channel", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_STAT, ...flags(nsqd, "--topic=t", "--channel=none")), 1);
  assertEquals(world.errLines, ["ERROR: failed to find channel(none) in stats metadata for topic(t)"]);
});

Deno.test("nsq_stat ends with exit code 1 when there is nobody to ask", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_STAT, "--nsqd-http-address=127.0.0.1:1"), 1);
  assertEquals(world.errLines.at(-1), "ERROR: no nsqd has answered");
});

const ADDRESS = "--nsqd-http-address=127.0.0.1:1";
for (
  const [args, code, text] of [
    [[], 1, "--nsqd-http-address or --lookupd-http-address required"],
    [
      [ADDRESS, "--lookupd-http-address=a:1"],
      1,
      "use --nsqd-http-address or --lookupd-http-address not both",
    ],
    [[ADDRESS, "--channel=c"], 1, "--topic required with --channel"],
    [[ADDRESS, "--interval=0s"], 1, "--interval should be positive"],
    [[ADDRESS, "--count=0"], 1, "--count should be positive"],
    [[ADDRESS, "--http-client-connect-timeout=0"], 1, "--http-client-connect-timeout should be positive"],
    [[ADDRESS, "--http-client-request-timeout=0"], 1, "--http-client-request-timeout should be positive"],
    [["--nsqd-http-address=http://a:1"], 1, "--nsqd-http-address error - address should not contain scheme"],
    [[ADDRESS, "--json", "--csv"], 1, "use --json or --csv not both"],
    [[ADDRESS, "--sort=size"], 2, "must be one of , topic, channel, ingress"],
  ] as const
) {
  Deno.test(`nsq_stat ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_STAT, ...args), code);
    assertStringIncludes(world.err, text);
  });
}
