import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { collectGarbage } from "../../src/base/collect_garbage.ts";
import { TO_NSQ } from "../../src/tools/to_nsq.ts";
import { eventually } from "../support/eventually.ts";
import {
  countsOf,
  type NsqdInProcess,
  nsqdTest,
  withDataPath,
  withNsqd,
} from "../support/nsqd_in_process.ts";
import { createChannel, take } from "../support/tool_messages.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

/** Publishes an input to the topic `t`. */
async function send(
  nsqd: NsqdInProcess,
  stdin: string | Uint8Array,
  ...flags: string[]
): Promise<{ readonly code: number; readonly world: FakeToolWorld }> {
  await createChannel(nsqd, "t", "ch");
  const world = new FakeToolWorld({ stdin });
  const code = await world.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`, ...flags);
  return { code, world };
}

function publishedIn(nsqd: NsqdInProcess, topic = "t"): number {
  return nsqd.nsqd.broker.topics.get(topic)?.messageCount ?? 0;
}

nsqdTest("to_nsq publishes each line, in order, and the last one whole", async (nsqd) => {
  const { code } = await send(nsqd, "one\n\ntwo\r\nthree");

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 3), ["one", "two\r", "three"]);
});

nsqdTest("to_nsq --batch=1 publishes each alone", async (nsqd) => {
  const { code } = await send(nsqd, "a\nb\n", "--batch=1");

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 2), ["a", "b"]);
});

nsqdTest("to_nsq publishes many more than go into a batch, in order", async (nsqd) => {
  const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);

  const { code } = await send(nsqd, lines.join("\n"), "--batch=7");

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 5000), lines);
});

nsqdTest(
  "to_nsq publishes every line to each nsqd, and with --mode=round-robin to one of them",
  async (first) => {
    await withDataPath(async (dataPath) => {
      await withNsqd(dataPath, {}, async (second) => {
        const both = [`--nsqd-tcp-address=${first.tcpAddress}`, `--nsqd-tcp-address=${second.tcpAddress}`];

        const all = new FakeToolWorld({ stdin: "1\n2\n3\n4\n" });
        assertEquals(await all.run(TO_NSQ, "--topic=all", ...both), 0);
        assertEquals([publishedIn(first, "all"), publishedIn(second, "all")], [4, 4]);

        const spread = new FakeToolWorld({ stdin: "1\n2\n3\n4\n" });
        assertEquals(
          await spread.run(TO_NSQ, "--topic=spread", "--mode=round-robin", "--batch=1", ...both),
          0,
        );
        assertEquals(publishedIn(first, "spread") + publishedIn(second, "spread"), 4);
      });
    });
  },
);

nsqdTest("to_nsq --mode=failover goes on with the next nsqd when the first is not there", async (nsqd) => {
  await createChannel(nsqd, "t", "ch");
  const world = new FakeToolWorld({ stdin: "a\n" });

  const code = await world.run(
    TO_NSQ,
    "--topic=t",
    "--mode=failover",
    "--nsqd-tcp-address=127.0.0.1:1",
    `--nsqd-tcp-address=${nsqd.tcpAddress}`,
  );

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 1), ["a"]);
});

nsqdTest("to_nsq --lookupd-http-address publishes to the nsqds that nsqlookupd knows", async (nsqd) => {
  await createChannel(nsqd, "t", "ch");
  const [broadcast_address, port] = nsqd.tcpAddress.split(":");
  await using lookupd = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => undefined },
    () => Response.json({ producers: [{ broadcast_address, tcp_port: Number(port), http_port: 1 }] }),
  );
  const world = new FakeToolWorld({ stdin: "a\nb\n" });

  const code = await world.run(TO_NSQ, "--topic=t", `--lookupd-http-address=127.0.0.1:${lookupd.addr.port}`);

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 2), ["a", "b"]);
});

nsqdTest("to_nsq --input=csv makes JSON of records, and --topic-field names their topics", async (nsqd) => {
  await createChannel(nsqd, "t", "ch");
  await createChannel(nsqd, "orders", "ch");

  const { code } = await send(nsqd, "kind,n\norders,1\n", "--input=csv", "--topic-field=.kind");

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "orders", 1), ['{"kind":"orders","n":"1"}']);
});

nsqdTest("to_nsq --topic-field falls back on --topic", async (nsqd) => {
  const { code } = await send(nsqd, '{"a":1}\n', "--topic-field=.kind");

  assertEquals(code, 0);
  assertEquals(await take(nsqd, "t", 1), ['{"a":1}']);
});

nsqdTest("to_nsq --defer and --defer-field keep messages back", async (nsqd) => {
  const { code } = await send(
    nsqd,
    '{"n":1}\n{"n":2,"in":"30m"}\n{"n":3,"in":0}\n',
    "--defer=1h",
    "--defer-field=.in",
  );

  assertEquals(code, 0);
  await eventually("they are where they belong", () => {
    assertEquals(countsOf(nsqd, "t", "ch"), { depth: 1, inFlight: 0, deferred: 2 });
    return true;
  });
});

nsqdTest("to_nsq publishes what is before a message that is none, and tells which that is", async (nsqd) => {
  const { code, world } = await send(nsqd, '{"n":1}\n{"n":2}\noops\n{"n":4}\n', "--input=ndjson");

  assertEquals(code, 1);
  assertMatch(world.errLines.at(-1) ?? "", /^line 3 is no JSON: .*; at least 2 messages were published$/);
  assertEquals(await take(nsqd, "t", 2), ['{"n":1}', '{"n":2}']);
});

nsqdTest(
  "to_nsq publishes what is before a message that nsqd refuses, and tells which that is",
  async (nsqd) => {
    const { code, world } = await send(nsqd, `a\nb\n${"x".repeat(101)}\nc\n`);

    assertEquals(code, 1);
    assertStringIncludes(
      world.err,
      "message 3 (of 101 bytes, before byte 106 of the input) was not published - E_BAD_M",
    );
    assertEquals((await take(nsqd, "t", 2)).sort(), ["a", "b"]);
  },
  { maxMsgSizeBytes: 100 },
);

nsqdTest("to_nsq --resume goes on behind what was published", async (nsqd) => {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  try {
    await send(nsqd, "one\ntwo\n", `--resume=${path}`);
    assertEquals(await Deno.readTextFile(path), "8\n");

    const { code } = await send(nsqd, "one\ntwo\nthree\n", `--resume=${path}`);

    assertEquals([code, await Deno.readTextFile(path)], [0, "14\n"]);
    assertEquals(await take(nsqd, "t", 3), ["one", "two", "three"]);
    assertEquals(publishedIn(nsqd), 3);
  } finally {
    await Deno.remove(path);
  }
});

nsqdTest("to_nsq --resume keeps how far it came when something was not published", async (nsqd) => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "0");
    const { code } = await send(nsqd, "{}\noops\n{}\n", "--input=ndjson", `--resume=${path}`);

    assertEquals([code, await Deno.readTextFile(path)], [1, "3\n"]);
  } finally {
    await Deno.remove(path);
  }
});

nsqdTest("to_nsq --resume says when the input is another one, or the file no position", async (nsqd) => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "100\n");
    const short = await send(nsqd, "one\n", `--resume=${path}`);
    await Deno.writeTextFile(path, "here\n");
    const wrong = await send(nsqd, "one\n", `--resume=${path}`);

    assertEquals([short.code, wrong.code, publishedIn(nsqd)], [1, 1, 0]);
    assertStringIncludes(
      short.world.err,
      `the input has 4 bytes, and --resume ${path} is at 100: another input?`,
    );
    assertStringIncludes(wrong.world.err, "holds no position; remove it to begin from the start");
  } finally {
    await Deno.remove(path);
  }
});

nsqdTest("to_nsq --tee writes the input to standard output too", async (nsqd) => {
  const { code, world } = await send(nsqd, "a\n\nb", "--tee");

  assertEquals([code, world.out], [0, "a\n\nb"]);
  assertEquals(await take(nsqd, "t", 2), ["a", "b"]);
});

nsqdTest("to_nsq has published what it has read when a signal stops it", async (nsqd) => {
  await createChannel(nsqd, "t", "ch");
  const never = Promise.withResolvers<null>();
  let reads = 0;
  const world = new FakeToolWorld({
    read: (into) => {
      if (reads++ > 0) return never.promise;
      const { written } = new TextEncoder().encodeInto("a\nb\nhalf", into);
      return Promise.resolve(written);
    },
  });

  const running = world.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`);
  await eventually("it reads on", () => reads === 2);
  world.send("SIGTERM");

  assertEquals(await running, 0);
  assertEquals([await take(nsqd, "t", 2), publishedIn(nsqd)], [["a", "b"], 2]);
  never.resolve(null);
});

nsqdTest(
  "to_nsq says how many of those that it has read it has not published when a signal stops it",
  async (nsqd) => {
    await createChannel(nsqd, "t", "ch");
    const world = new FakeToolWorld({ stdin: "a\nb\nc\n" });

    const running = world.run(TO_NSQ, "--topic=t", "--rate=1", `--nsqd-tcp-address=${nsqd.tcpAddress}`);
    await eventually("the first is published", () => publishedIn(nsqd) === 1);
    world.send("SIGINT");

    assertEquals(await running, 0);
    assertEquals(world.errLines.at(-1), "stopped: the last 2 messages that were read are not published");
  },
);

nsqdTest(
  "to_nsq ends when something is not published, also while nothing comes on its input",
  async (nsqd) => {
    const never = Promise.withResolvers<null>();
    let reads = 0;
    const world = new FakeToolWorld({
      read: (into) => {
        if (reads++ > 0) return never.promise;
        return Promise.resolve(new TextEncoder().encodeInto(`${"x".repeat(101)}\n`, into).written);
      },
    });

    assertEquals(await world.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`), 1);
    never.resolve(null);
  },
  { maxMsgSizeBytes: 100 },
);

nsqdTest("to_nsq keeps nothing of what it has published", async (nsqd) => {
  await createChannel(nsqd, "t", "ch");
  const externalBytes = () => {
    collectGarbage("major");
    return Deno.memoryUsage().external;
  };
  const beforeBytes = externalBytes();
  let keptBytes = 0;
  // Each read has a buffer of its own, of 128 KiB: all together they are 256 MiB.
  let left = 2000;
  const world = new FakeToolWorld({
    read: (into) => {
      if (left-- > 0) return Promise.resolve(new TextEncoder().encodeInto("a\n", into).written);
      keptBytes = externalBytes() - beforeBytes;
      return Promise.resolve(null);
    },
  });

  assertEquals(await world.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`), 0);

  assert(keptBytes < 64 * 1024 * 1024, `${keptBytes} bytes are kept`);
});

nsqdTest("to_nsq tells which message cannot be deferred for so long", async (nsqd) => {
  const { code, world } = await send(nsqd, '{"n":1}\n{"n":2,"in":"2h"}\n', "--defer=1m", "--defer-field=.in");

  assertEquals(code, 1);
  assertStringIncludes(
    world.err,
    "message 2 (of 17 bytes, before byte 26 of the input) was not published - E_INVALID DPUB",
  );
});

nsqdTest("to_nsq --rate says so", async (nsqd) => {
  const { world } = await send(nsqd, "a\n", "--rate=1");

  assertEquals(world.errLines[0], "Throttling messages rate to max:1/second");
});

Deno.test("to_nsq connects to nothing when there is nothing to publish", async () => {
  const world = new FakeToolWorld({ stdin: "\n\n" });

  assertEquals(await world.run(TO_NSQ, "--topic=t", "--nsqd-tcp-address=127.0.0.1:1"), 0);
  assertEquals(world.err, "");
});

Deno.test("to_nsq waits for an nsqd that is not there, says so, and ends with exit code 1 then", async () => {
  const world = new FakeToolWorld({ stdin: "a\n" });

  assertEquals(await world.run(TO_NSQ, "--topic=t", "--nsqd-tcp-address=127.0.0.1:1", "--wait=300ms"), 1);

  assertStringIncludes(world.err, "nothing listens there; is nsqd running");
  assertEquals(world.errLines.at(-1), "no nsqd to publish to within 300ms; nothing was published for sure");
});

Deno.test("to_nsq --wait=0s ends at once", async () => {
  const world = new FakeToolWorld({ stdin: "a\n" });

  assertEquals(await world.run(TO_NSQ, "--topic=t", "--nsqd-tcp-address=127.0.0.1:1", "--wait=0s"), 1);
  assertMatch(world.errLines.at(-1) ?? "", /^cannot connect to nsqd 127\.0\.0\.1:1 - connect ECONNREFUSED/);
});

const ADDRESS = "--nsqd-tcp-address=127.0.0.1:1";
for (
  const [args, code, text] of [
    [[ADDRESS], 1, "--topic required"],
    [["--topic=t"], 1, "--nsqd-tcp-address or --lookupd-http-address required"],
    [["--topic=t", ADDRESS, "--delimiter=ab"], 1, "--delimiter must be a single byte"],
    [["--topic=t", ADDRESS, "--delimiter=é"], 1, "--delimiter must be a single byte"],
    [["--topic=t", ADDRESS, "--batch=0"], 1, "--batch must be at least 1"],
    [["--topic=a b", ADDRESS], 1, 'Not the name of a topic: "a b"'],
    [["--topic=t", ADDRESS, "--mode=any"], 2, "must be one of all, round-robin, failover"],
    [["--topic=t", ADDRESS, "--topic-field=a b"], 2, 'Bad value "a b" of flag --topic-field: not a path'],
    [["--topic=t", ADDRESS, "--defer=-1s"], 1, "--defer must not be negative"],
    [["--addres=x"], 2, "Unknown flag: --addres"],
  ] as const
) {
  Deno.test(`to_nsq ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(TO_NSQ, ...args), code);
    assertStringIncludes(world.err, text);
  });
}

for (
  const [input, text] of [
    ['{"k":5}\n', "message 1 names no topic: 5"],
    ['{"k":"a b"}\n', 'message 1 names no topic: "a b"'],
    ["{}\n", "message 1 has no topic in its field"],
  ]
) {
  nsqdTest(`to_nsq --topic-field refuses ${input.trim()}`, async (nsqd) => {
    const world = new FakeToolWorld({ stdin: input });

    assertEquals(await world.run(TO_NSQ, "--topic-field=k", `--nsqd-tcp-address=${nsqd.tcpAddress}`), 1);
    assertStringIncludes(world.err, text);
  });
}
