import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Producer } from "../../src/client/mod.ts";
import { NSQ_TO_NSQ } from "../../src/tools/nsq_to_nsq.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd, HANG_UP } from "../support/fake_nsqd.ts";
import { countsOf, type NsqdInProcess, nsqdTest } from "../support/nsqd_in_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const DONE = { depth: 0, inFlight: 0, deferred: 0 };

async function publish(nsqd: NsqdInProcess, bodies: readonly string[], topic = "t"): Promise<void> {
  for (const path of [`topic/create?topic=${topic}`, `channel/create?topic=${topic}&channel=nsq_to_nsq`]) {
    const answer = await fetch(`${nsqd.httpUrl}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await producer.publishMany(topic, bodies);
}

/** Runs it until `until` is true, and stops it; the result is what it was run in. */
async function forwarded(
  nsqd: NsqdInProcess,
  flags: readonly string[],
  until: (world: FakeToolWorld) => boolean | Promise<boolean>,
): Promise<FakeToolWorld> {
  const world = new FakeToolWorld();
  const running = world.run(NSQ_TO_NSQ, `--nsqd-tcp-address=${nsqd.tcpAddress}`, ...flags);
  await eventually("it has done what it is to do", () => until(world));
  world.send("SIGTERM");
  assertEquals(await running, 0);
  return world;
}

const isDone = (nsqd: NsqdInProcess) => () => {
  assertEquals(countsOf(nsqd, "t", "nsq_to_nsq"), DONE);
  return true;
};

/** Bodies that were published to a destination, each with its topic. */
function publishedTo(destination: FakeNsqd): string[] {
  return destination.commands.filter(({ line }) => /^M?PUB /.test(line)).flatMap(({ line, bodies }) =>
    bodies.map((body) => `${line.split(" ")[1].trim()} ${body}`)
  );
}

nsqdTest("nsq_to_nsq publishes messages under their topic, many as one command", async (nsqd) => {
  await using destination = new FakeNsqd();
  await publish(nsqd, ["a", "b", "c"]);
  await forwarded(nsqd, ["--topic=t", `--destination-nsqd-tcp-address=${destination.address}`], isDone(nsqd));

  assertEquals(publishedTo(destination), ["t a", "t b", "t c"]);
  assertEquals(destination.commands.filter(({ line }) => line.startsWith("PUB")), []);
});

nsqdTest("nsq_to_nsq --batch=1 publishes each message alone", async (nsqd) => {
  await using destination = new FakeNsqd();
  await publish(nsqd, ["a", "b"]);
  const flags = ["--topic=t", `--destination-nsqd-tcp-address=${destination.address}`, "--batch=1"];
  await forwarded(nsqd, flags, isDone(nsqd));

  assertEquals(destination.commands.map(({ line }) => line.trim()).filter((line) => /PUB/.test(line)), [
    "PUB t",
    "PUB t",
  ]);
});

nsqdTest("nsq_to_nsq --destination-topic and --rename name the topic to publish to", async (nsqd) => {
  await using destination = new FakeNsqd();
  const to = `--destination-nsqd-tcp-address=${destination.address}`;
  await publish(nsqd, ["a"]);
  await forwarded(nsqd, ["--topic=t", to, "--destination-topic=elsewhere"], isDone(nsqd));
  await publish(nsqd, ["b"]);
  await forwarded(nsqd, ["--topic=t", to, "--rename=s/(.*)/copy_of_\\1/"], isDone(nsqd));

  assertEquals(publishedTo(destination), ["elsewhere a", "copy_of_t b"]);
});

nsqdTest(
  "nsq_to_nsq finishes nothing that no destination has taken, however often it tries",
  async (nsqd) => {
    let attempts = 0;
    await using destination = new FakeNsqd({
      answer: ({ line }) => /PUB/.test(line) && ++attempts < 8 ? "E_PUB_FAILED no room" : undefined,
    });
    await publish(nsqd, ["a"]);
    const flags = [
      "--topic=t",
      `--destination-nsqd-tcp-address=${destination.address}`,
      "--consumer-opt=default_requeue_delay,1ms",
      "--consumer-opt=max_backoff_duration,0",
    ];
    const world = await forwarded(nsqd, flags, () => attempts === 8 && isDone(nsqd)());

    // NSQ's gives up after the fifth.
    assertEquals(attempts, 8);
    assertStringIncludes(world.err, "Handler returned error");
  },
);

nsqdTest("nsq_to_nsq gives what one destination does not take to another at once", async (nsqd) => {
  await using broken = new FakeNsqd({ answer: ({ line }) => /PUB/.test(line) ? HANG_UP : undefined });
  await using working = new FakeNsqd();
  await publish(nsqd, ["a", "b", "c", "d"]);
  const flags = [
    "--topic=t",
    `--destination-nsqd-tcp-address=${broken.address}`,
    `--destination-nsqd-tcp-address=${working.address}`,
  ];
  const world = await forwarded(nsqd, flags, isDone(nsqd));

  assertEquals(publishedTo(working).sort(), ["t a", "t b", "t c", "t d"]);
  assertMatch(world.err, new RegExp(`${broken.address} did not take a message - `));
});

nsqdTest("nsq_to_nsq --mode=round-robin gives each destination as much", async (nsqd) => {
  await using first = new FakeNsqd();
  await using second = new FakeNsqd();
  const flags = [
    "--topic=t",
    "--mode=round-robin",
    `--destination-nsqd-tcp-address=${first.address}`,
    `--destination-nsqd-tcp-address=${second.address}`,
  ];
  const world = new FakeToolWorld();
  const running = world.run(NSQ_TO_NSQ, `--nsqd-tcp-address=${nsqd.tcpAddress}`, ...flags);
  await eventually("all are connected", () => world.err.split("connected to nsqd").length === 4);
  await publish(nsqd, Array.from({ length: 10 }, (_, i) => `${i}`));
  await eventually("all are published", isDone(nsqd));
  world.send("SIGTERM");
  await running;

  assertEquals([publishedTo(first).length, publishedTo(second).length], [5, 5]);
});

nsqdTest("nsq_to_nsq finds destinations by nsqlookupd", async (nsqd) => {
  await using destination = new FakeNsqd();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => Response.json({ producers: [{ broadcast_address: "127.0.0.1", tcp_port: destination.port }] }),
  );
  await publish(nsqd, ["a"]);
  const flags = ["--topic=t", `--destination-lookupd-http-address=127.0.0.1:${server.addr.port}`];
  await forwarded(nsqd, flags, isDone(nsqd));
  await server.shutdown();

  assertEquals(publishedTo(destination), ["t a"]);
});

nsqdTest("nsq_to_nsq --topic-pattern finds topics, and leaves alone what cannot be renamed", async (nsqd) => {
  await using destination = new FakeNsqd();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/topics") return Response.json({ topics: ["other", "eu_", "eu_t"] });
    const port = Number(nsqd.tcpAddress.split(":")[1]);
    const isT = searchParams.get("topic") === "eu_t";
    return Response.json({ producers: isT ? [{ broadcast_address: "127.0.0.1", tcp_port: port }] : [] });
  });
  await publish(nsqd, ["a"], "eu_t");
  const world = new FakeToolWorld();
  const running = world.run(
    NSQ_TO_NSQ,
    "--topic-pattern=^eu_",
    "--rename=s/^eu_//",
    `--lookupd-http-address=127.0.0.1:${server.addr.port}`,
    `--destination-nsqd-tcp-address=${destination.address}`,
  );
  await eventually("it is published", () => publishedTo(destination).length === 1);
  world.send("SIGTERM");
  assertEquals(await running, 0);
  await server.shutdown();

  assertEquals(publishedTo(destination), ["t a"]);
  assertStringIncludes(world.err, 'topic eu_ is not passed on - --rename makes "" of eu_');
});

nsqdTest(
  "nsq_to_nsq passes on what its rules want, and puts what is no JSON into the dead letters",
  async (nsqd) => {
    await using destination = new FakeNsqd();
    await publish(nsqd, ['{"user":{"id":1},"x":1}', '{"user":{}}', "no json"]);
    const flags = [
      "--topic=t",
      `--destination-nsqd-tcp-address=${destination.address}`,
      "--require-json-field=.user.id",
      "--whitelist-json-field=.user.id",
      "--dead-letter-topic=dead",
    ];
    const world = await forwarded(nsqd, flags, isDone(nsqd));

    assertEquals(publishedTo(destination), ['t {"user":{"id":1}}']);
    assertEquals(nsqd.nsqd.broker.topics.get("dead")?.messageCount, 1);
    assertStringIncludes(world.err, "ERROR: Unable to decode json: no json");
  },
);

nsqdTest("nsq_to_nsq --sample=0 passes on nothing", async (nsqd) => {
  await using destination = new FakeNsqd();
  await publish(nsqd, ["a", "b"]);
  const flags = ["--topic=t", `--destination-nsqd-tcp-address=${destination.address}`, "--sample=0"];
  await forwarded(nsqd, flags, isDone(nsqd));

  assertEquals(publishedTo(destination), []);
});

nsqdTest("nsq_to_nsq publishes what it holds when it is stopped, before it ends", async (nsqd) => {
  await using destination = new FakeNsqd();
  await publish(nsqd, ["a", "b"]);
  const world = new FakeToolWorld();
  const running = world.run(
    NSQ_TO_NSQ,
    "--topic=t",
    `--nsqd-tcp-address=${nsqd.tcpAddress}`,
    `--destination-nsqd-tcp-address=${destination.address}`,
  );
  await eventually("something is on its way", () => publishedTo(destination).length > 0);
  world.send("SIGTERM");

  assertEquals(await running, 0);
  const { depth, inFlight } = countsOf(nsqd, "t", "nsq_to_nsq");
  assertEquals([2 - depth, inFlight], [publishedTo(destination).length, 0]);
});

const TO = "--destination-nsqd-tcp-address=127.0.0.1:2";
const FROM = "--nsqd-tcp-address=127.0.0.1:1";
for (
  const [args, code, text] of [
    [[FROM, TO], 1, "--topic and --channel are required"],
    [["--topic=bad$", FROM, TO], 1, "--topic is invalid"],
    [["--topic=t", FROM, TO, "--destination-topic=bad$"], 1, "--destination-topic is invalid"],
    [["--topic=t", FROM, TO, "--channel=bad$"], 1, "--channel is invalid"],
    [["--topic=t", TO], 1, "--nsqd-tcp-address or --lookupd-http-address required"],
    [["--topic=t", FROM], 1, "--destination-nsqd-tcp-address or --destination-lookupd-http-address required"],
    [["--topic=t", FROM, TO, "--mode=random"], 2, "must be one of round-robin, hostpool, epsilon-greedy"],
    [["--topic=t", FROM, TO, "--sample=2"], 1, "--sample must be between 0.0 and 1.0"],
    [["--topic=t", FROM, TO, "--sample=half"], 2, "must be a number"],
    [["--topic=t", FROM, TO, "--batch=0"], 1, "--batch should be positive"],
    [["--topic=t", FROM, TO, "--rename=x"], 2, "must be a rule such as s/from/to/"],
    [["--topic=t", FROM, TO, "--require-json-field=.a b"], 2, "not a path into JSON"],
    [["--topic-pattern=x", FROM, TO], 1, "--topic-pattern needs --lookupd-http-address"],
    [["--topic=t", FROM, "--destination-nsqd-tcp-address=a:b"], 1, 'Not an address: "a:b"'],
    [
      ["--topic=t", FROM, TO, "--dead-letter-topic=d"],
      1,
      "--dead-letter-topic needs --consumer-opt=max_attempts,N",
    ],
    [["--topic=t", FROM, TO, "--retry=false"], 1, "cannot connect to nsqd 127.0.0.1:1"],
  ] as const
) {
  Deno.test(`nsq_to_nsq ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TO_NSQ, ...args), code);
    assertStringIncludes(world.err, text);
  });
}
