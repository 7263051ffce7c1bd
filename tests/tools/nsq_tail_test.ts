import { gzipSync } from "node:zlib";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Consumer } from "../../src/client/mod.ts";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { eventually } from "../support/eventually.ts";
import { countsOf, nsqdTest } from "../support/nsqd_in_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";
import { publish } from "../support/tool_messages.ts";
import type { NsqdInProcess } from "../support/nsqd_in_process.ts";

function flags(nsqd: NsqdInProcess, ...others: string[]): string[] {
  return ["--topic=t", "--channel=ch", `--nsqd-tcp-address=${nsqd.tcpAddress}`, ...others];
}

nsqdTest("nsq_tail shows bodies as they are, one in a line", async (nsqd) => {
  await publish(nsqd, "t", ["one", Uint8Array.of(0, 255)]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=2")), 0);

  assertEquals(world.outBytes, [...new TextEncoder().encode("one\n"), 0, 255, 10]);
});

nsqdTest(
  "nsq_tail has finished what it has shown when it ends after -n messages, the last one too",
  async (nsqd) => {
    await publish(nsqd, "t", Array.from({ length: 10 }, (_, i) => `${i}`));
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=4")), 0);

    assertEquals(world.out, "0\n1\n2\n3\n");
    assertEquals(countsOf(nsqd, "t", "ch"), { depth: 6, inFlight: 0, deferred: 0 });
  },
);

nsqdTest("nsq_tail requeues at once what it cannot show any more when its reader has gone", async (nsqd) => {
  await publish(nsqd, "t", Array.from({ length: 1000 }, (_, i) => `message ${String(i).padStart(4, "0")}`));
  let room = 30;
  const world = new FakeToolWorld({
    write: (bytes) => {
      if (room === 0) return Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));
      const written = Math.min(room, bytes.length);
      room -= written;
      return Promise.resolve(written);
    },
  });

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd)), 0);

  // Two lines of 13 bytes fit into 30.
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 998, inFlight: 0, deferred: 0 });
});

nsqdTest("nsq_tail ends with exit code 1 when standard output fails, and loses nothing", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld({ write: () => Promise.reject(new Error("No space left on device")) });

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd)), 1);

  assertStringIncludes(world.err, "cannot write to standard output - No space left on device");
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 1, inFlight: 0, deferred: 0 });
});

nsqdTest("nsq_tail finishes what is on its way when a signal stops it", async (nsqd) => {
  await publish(nsqd, "t", ["a", "b"]);
  const held = Promise.withResolvers<void>();
  let asked = 0;
  const world: FakeToolWorld = new FakeToolWorld({
    write: async (bytes) => {
      asked++;
      await held.promise;
      return bytes.length;
    },
  });

  const running = world.run(NSQ_TAIL, ...flags(nsqd));
  await eventually("something is being written", () => asked > 0);
  world.send("SIGTERM");
  held.resolve();

  assertEquals(await running, 0);
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 0, inFlight: 0, deferred: 0 });
});

nsqdTest("nsq_tail takes messages of several topics, and names them with --print-topic", async (nsqd) => {
  await publish(nsqd, "a", ["from a"]);
  await publish(nsqd, "b", ["from b"]);
  const world = new FakeToolWorld();

  const running = world.run(
    NSQ_TAIL,
    "--topic=a",
    "--topic=b",
    "--channel=ch",
    "--print-topic",
    `--nsqd-tcp-address=${nsqd.tcpAddress}`,
  );
  await eventually("both are shown", () => world.out.split("\n").length === 3);
  world.send("SIGINT");

  assertEquals(await running, 0);
  assertEquals(world.out.split("\n").sort(), ["", "a | from a", "b | from b"]);
});

/** Publishes a message that was delivered six times, and the next one. */
async function publishTried(nsqd: NsqdInProcess): Promise<void> {
  await publish(nsqd, "t", ["tried"]);
  {
    await using consumer = new Consumer("t", "ch", { nsqd: [nsqd.tcpAddress] });
    for await (const message of consumer) {
      message.requeue({ delayMs: 0, backoff: false });
      if (message.attempts === 6) break;
    }
  }
  await publish(nsqd, "t", ["next"]);
}

nsqdTest("nsq_tail shows a message however often it was delivered before", async (nsqd) => {
  await publishTried(nsqd);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=2", "-f=%a %v\\n")), 0);

  const [first, second, end] = world.out.split("\n").sort().reverse();
  assertEquals([second, end], ["1 next", ""]);
  // It was perhaps requeued once more when the consumer was left.
  assertMatch(first, /^[78] tried$/);
});

nsqdTest("nsq_tail gives such a message up only if that is asked for, and says so", async (nsqd) => {
  await publishTried(nsqd);
  const world = new FakeToolWorld();

  const running = world.run(NSQ_TAIL, ...flags(nsqd, "--consumer-opt=max_attempts,5"));
  await eventually("the one is shown, and the other is not", () => {
    assertMatch(world.err, /WRN {4}1 \[t\/ch\] msg [0-9a-f]{16} attempted [78] times, giving up\n/);
    return world.out === "next\n";
  });
  world.send("SIGINT");

  assertEquals(await running, 0);
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 0, inFlight: 0, deferred: 0 });
});

nsqdTest(
  "nsq_tail --ack=requeue shows so many messages once, and gives all of them back at the end",
  async (nsqd) => {
    await publish(nsqd, "t", ["a", "b", "c", "d"]);
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=3", "--max-in-flight=1", "--ack=requeue")), 0);

    assertEquals(world.out, "a\nb\nc\n");
    assertEquals(countsOf(nsqd, "t", "ch"), { depth: 4, inFlight: 0, deferred: 0 });
  },
);

nsqdTest("nsq_tail --timeout ends with exit code 124 when nothing comes", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "--timeout=20ms")), 124);

  assertEquals(world.errLines.at(-1), "no message for 20ms");
});

nsqdTest("nsq_tail --filter and --grep show what both are true for, and count only that", async (nsqd) => {
  await publish(nsqd, "t", ['{"a":1,"b":"x"}', '{"a":2,"b":"x"}', '{"a":2,"b":"y"}', '{"a":2,"b":"xx"}']);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=2", "--filter=.a > 1", "--grep=x")), 0);

  assertEquals(world.out, '{"a":2,"b":"x"}\n{"a":2,"b":"xx"}\n');
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 0, inFlight: 0, deferred: 0 });
});

nsqdTest("nsq_tail --gunzip decompresses what is gzip, and shows the rest as it is", async (nsqd) => {
  const damaged = Uint8Array.of(0x1f, 0x8b, 1, 2, 3);
  await publish(nsqd, "t", [gzipSync("packed"), "plain", damaged]);
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=3", "--gunzip")), 0);

  assertEquals(world.outBytes, [...new TextEncoder().encode("packed\nplain\n"), ...damaged, 10]);
  assertMatch(world.errLines.at(-1) ?? "", /^message [0-9a-f]{16} is shown as it is: not decompressed - /);
});

for (
  const [flag, out] of [
    ["--raw", "ab"],
    ["-0", "a\0b\0"],
    ["--format=%a:%v;", "1:a;1:b;"],
    ["-f=%V ", "1 1 "],
  ]
) {
  nsqdTest(`nsq_tail ${flag} decides on the form`, async (nsqd) => {
    await publish(nsqd, "t", ["a", "b"]);
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...flags(nsqd, "-n=2", flag)), 0);

    assertEquals(world.out, out);
  });
}

nsqdTest("nsq_tail -J writes an object of JSON for each message", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  await world.run(NSQ_TAIL, ...flags(nsqd, "-n=1", "-J"));

  const { id, timestamp, ...others } = JSON.parse(world.out);
  assertMatch(id, /^[0-9a-f]{16}$/);
  assertMatch(timestamp, /^\d{19}$/);
  assertEquals(others, { topic: "t", channel: "ch", attempts: 1, node: nsqd.tcpAddress, body: "a" });
});

nsqdTest("nsq_tail says what it does in lines of go-nsq's form", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld();

  await world.run(NSQ_TAIL, ...flags(nsqd, "-n=1"));

  assertEquals(world.errLines.slice(0, 2), [
    "Adding consumer for topic: t",
    `INF    1 [t/ch] (${nsqd.tcpAddress}) connecting to nsqd`,
  ]);
});

Deno.test("nsq_tail waits for an nsqd that is not there, and says so", async () => {
  const world = new FakeToolWorld();

  const running = world.run(NSQ_TAIL, "--topic=t", "--nsqd-tcp-address=127.0.0.1:1");
  await eventually("it says that it tries again", () => world.err.includes("re-connecting in "));
  world.send("SIGINT");

  assertEquals(await running, 0);
  assertStringIncludes(world.err, "nothing listens there; is nsqd running");
});

Deno.test("nsq_tail --retry=false ends with exit code 1 when an nsqd is not there", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, "--retry=false", "--topic=t", "--nsqd-tcp-address=127.0.0.1:1"), 1);
  assertMatch(world.errLines.at(-1) ?? "", /^cannot connect to nsqd 127\.0\.0\.1:1 - .*ECONNREFUSED/);
});

const ADDRESS = "--nsqd-tcp-address=127.0.0.1:1";
for (
  const [args, code, text] of [
    [["--topic=t"], 1, "--nsqd-tcp-address or --lookupd-http-address required"],
    [
      ["--topic=t", ADDRESS, "--lookupd-http-address=a:1"],
      1,
      "use --nsqd-tcp-address or --lookupd-http-address not both",
    ],
    [[ADDRESS], 1, "--topic required"],
    [["--topic=a b", ADDRESS], 1, 'Not the name of a topic: "a b"'],
    [["--topic=t", "--nsqd-tcp-address=a:b"], 1, 'Not an address: "a:b", host:port was expected'],
    [["--topic=t", ADDRESS, "--ack=requeue"], 1, "--ack=requeue needs -n"],
    [["--topic=t", ADDRESS, "-J", "--raw"], 1, "use --json or --raw not both"],
    [["--topic=t", ADDRESS, "-f=%q"], 2, 'Bad value "%q" of flag --format: has the unknown token %q'],
    [["--topic=t", ADDRESS, "--filter=.a ="], 2, 'Bad value ".a =" of flag --filter: expected the end'],
    [["--topic=t", ADDRESS, "--grep=("], 2, 'Bad value "(" of flag --grep: not a regular expression'],
    [["--ack=none"], 2, "must be one of finish, requeue"],
    [["--consumer-opt=max_attempts,70000"], 2, "invalid max_attempts ! 70000 > 65535"],
    [["--consumer-opt=sample"], 2, "invalid option sample; there is: dial_timeout, "],
    [
      ["--topic=t", ADDRESS, "--consumer-opt=heartbeat_interval,2m"],
      1,
      "HeartbeatInterval 2m0s must be less than ReadTimeout 1m0s",
    ],
  ] as const
) {
  Deno.test(`nsq_tail ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...args), code);
    assertStringIncludes(world.err, text);
  });
}
