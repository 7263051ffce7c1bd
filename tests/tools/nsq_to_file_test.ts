import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Producer } from "../../src/client/mod.ts";
import { NSQ_TO_FILE } from "../../src/tools/nsq_to_file.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd } from "../support/fake_nsqd.ts";
import { countsOf, type NsqdInProcess, nsqdTest, withDataPath } from "../support/nsqd_in_process.ts";
import { join } from "../support/frames.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

/** A channel with nothing left in it. */
const DONE = { depth: 0, inFlight: 0, deferred: 0 };

async function createChannel(nsqd: NsqdInProcess, topic: string, channel: string): Promise<void> {
  for (const path of [`topic/create?topic=${topic}`, `channel/create?topic=${topic}&channel=${channel}`]) {
    const answer = await fetch(`${nsqd.httpUrl}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
}

async function publish(
  nsqd: NsqdInProcess,
  bodies: readonly (string | Uint8Array)[],
  topic = "t",
): Promise<void> {
  await createChannel(nsqd, topic, "nsq_to_file");
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await producer.publishMany(topic, bodies);
}

/** Takes the message so often, and puts it back. */
async function requeueTimes(nsqd: NsqdInProcess, times: number): Promise<void> {
  using client = await nsqd.connect();
  await client.ask("SUB t nsq_to_file\n");
  await client.send("RDY 1\n");
  for (let attempt = 1; attempt <= times; attempt++) {
    const message = await client.message();
    assertEquals(message.attempts, attempt);
    // No more than this one: it would be in flight when the client goes.
    await client.send(attempt === times ? "RDY 0\n" : "NOP\n", `REQ ${message.id} 0\n`);
  }
  await eventually("it is back", () => countsOf(nsqd, "t", "nsq_to_file").depth === 1);
}

/** All files in a folder and those in it, with their text; what is compressed is decompressed. */
async function filesIn(folder: string, below = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) Object.assign(found, await filesIn(folder, path));
    else await readInto(found, path, folder);
  }
  return Object.fromEntries(Object.entries(found).sort());
}

async function readInto(found: Record<string, string>, path: string, folder: string): Promise<void> {
  try {
    found[path] = textIn(path, await Deno.readFile(`${folder}/${path}`));
  } catch (error) {
    // It has been moved away since the folder was read.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function textIn(path: string, bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  const plain = path.endsWith(".gz") ? gunzipSync(bytes) : path.endsWith(".zst") ? zstdText(bytes) : bytes;
  return new TextDecoder().decode(plain);
}

/** The runtime reads one frame at a time, so it is found where each begins. */
function zstdText(bytes: Uint8Array): Uint8Array {
  const starts: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0x28 && bytes[i + 1] === 0xb5 && bytes[i + 2] === 0x2f && bytes[i + 3] === 0xfd) {
      starts.push(i);
    }
  }
  return join(...starts.map((start, i) => zstdDecompressSync(bytes.subarray(start, starts[i + 1]))));
}

/** One run of nsq_to_file. */
interface Run {
  readonly nsqd: NsqdInProcess;
  readonly world: FakeToolWorld;
  /** Where the files go; unfinished ones go to `work` with `--work-dir`. */
  readonly out: string;
  readonly work: string;
  /** Starts it; the result is its exit code. */
  start(...flags: string[]): Promise<number>;
  /** Waits until all that was published is finished. */
  done(): Promise<void>;
  /** Stops it with SIGTERM. */
  stop(): Promise<void>;
}

function fileTest(name: string, test: (run: Run) => Promise<void>): void {
  nsqdTest(name, (nsqd) =>
    withDataPath(async (folder) => {
      const out = `${folder}/out`;
      const work = `${folder}/work`;
      await Deno.mkdir(out);
      await Deno.mkdir(work);
      const world = new FakeToolWorld();
      let running: Promise<number> | undefined;
      await test({
        nsqd,
        world,
        out,
        work,
        start(...flags) {
          running = world.run(
            NSQ_TO_FILE,
            "--topic=t",
            `--nsqd-tcp-address=${nsqd.tcpAddress}`,
            `--output-dir=${out}`,
            "--filename-format=<TOPIC><REV>.log",
            ...flags,
          );
          return running;
        },
        done: () =>
          eventually("all is finished", () => {
            assertEquals(countsOf(nsqd, "t", "nsq_to_file"), DONE);
            return true;
          }).then(() => undefined),
        async stop() {
          world.send("SIGTERM");
          assertEquals(await running, 0);
        },
      });
    }));
}

fileTest("nsq_to_file writes bodies as they are, one in a line, and finishes them", async (run) => {
  await publish(run.nsqd, ["one", "two"]);
  run.start("--max-in-flight=2");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t.log": "one\ntwo\n" });
});

fileTest(
  "nsq_to_file finishes what it holds when it is stopped, before its interval is over",
  async (run) => {
    await publish(run.nsqd, ["one"]);
    run.start();
    await eventually("it is written", async () => (await filesIn(run.out))["t.log"] === "one\n");
    await run.stop();

    assertEquals(countsOf(run.nsqd, "t", "nsq_to_file"), DONE);
  },
);

fileTest("nsq_to_file appends to a file that is there, and ends a line that was cut", async (run) => {
  await Deno.writeTextFile(`${run.out}/t.log`, "part");
  await publish(run.nsqd, ["whole"]);
  run.start("--max-in-flight=1");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t.log": "part\nwhole\n" });
});

fileTest("nsq_to_file writes a message that was delivered more than 5 times", async (run) => {
  await publish(run.nsqd, ["unlucky"]);
  await requeueTimes(run.nsqd, 6);
  run.start("--max-in-flight=1");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t.log": "unlucky\n" });
});

fileTest("nsq_to_file writes what it gives up to --dead-letter-file", async (run) => {
  await publish(run.nsqd, ["hopeless"]);
  const dead = `${run.work}/dead`;
  await requeueTimes(run.nsqd, 1);
  run.start("--consumer-opt=max_attempts,1", `--dead-letter-file=${dead}`, "--skip-empty-files");
  await run.done();
  await run.stop();

  assertEquals(JSON.parse(await Deno.readTextFile(dead)).body, "hopeless");
  assertEquals(await filesIn(run.out), {});
});

fileTest("nsq_to_file syncs in time for nsqd, however long its interval is", async (run) => {
  await publish(run.nsqd, ["one"]);
  run.start("--sync-interval=1h", "--consumer-opt=msg_timeout,3s");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t.log": "one\n" });
  assertEquals(run.world.errLines.filter((line) => line.includes("syncing")).length, 1);
});

fileTest(
  "nsq_to_file begins a file when one is larger than --rotate-size, and never replaces one",
  async (run) => {
    await Deno.writeTextFile(`${run.out}/t-000001.log`, "there already, and large enough\n");
    await publish(run.nsqd, ["message 1", "message 2", "message 3"]);
    run.start("--rotate-size=15", "--max-in-flight=3");
    await run.done();
    await run.stop();

    assertEquals(await filesIn(run.out), {
      "t-000000.log": "message 1\nmessage 2\n",
      "t-000001.log": "there already, and large enough\n",
      "t-000002.log": "message 3\n",
    });
  },
);

fileTest("nsq_to_file begins a file at --rotate-interval, an empty one where nothing comes", async (run) => {
  await publish(run.nsqd, ["one"]);
  run.start("--rotate-interval=1ms", "--sync-interval=10ms");
  await eventually("there is a second file", async () => Object.keys(await filesIn(run.out)).length > 1);
  await run.done();
  await run.stop();

  // Which of them has the message is chance: it takes its time to come.
  assertEquals(Object.values(await filesIn(run.out)).join(""), "one\n");
});

fileTest("nsq_to_file --skip-empty-files makes no file before there is a message", async (run) => {
  await createChannel(run.nsqd, "t", "nsq_to_file");
  run.start("--skip-empty-files", "--sync-interval=1ms", "--rotate-interval=1ms");
  await eventually("it is connected", () => run.world.err.includes("connected to nsqd"));
  await run.stop();

  assertEquals(await filesIn(run.out), {});
});

for (const compress of ["gzip", "zstd"] as const) {
  const end = compress === "gzip" ? "gz" : "zst";

  fileTest(`nsq_to_file --compress=${compress} ends a member with each sync`, async (run) => {
    run.start(`--compress=${compress}`, "--sync-interval=5ms");
    await publish(run.nsqd, ["one"]);
    await run.done();
    assertEquals(await filesIn(run.out), { [`t-000000.log.${end}`]: "one\n" });
    await publish(run.nsqd, ["two"]);
    await run.done();
    await run.stop();

    assertEquals(await filesIn(run.out), { [`t-000000.log.${end}`]: "one\ntwo\n" });
  });

  fileTest(
    `nsq_to_file adopts what a killed one has left, of ${compress} up to its last whole member`,
    async (run) => {
      const member = compress === "gzip" ? gzipSync("finished\n") : await zstdOf("finished\n");
      const torn = member.subarray(0, member.length - 3);
      await Deno.writeFile(`${run.work}/t-000003.log.${end}`, new Uint8Array([...member, ...torn]));
      await publish(run.nsqd, ["new"]);
      run.start(`--compress=${compress}`, `--work-dir=${run.work}`, "--max-in-flight=1");
      await run.done();
      await run.stop();

      assertEquals(await filesIn(run.out), {
        [`t-000000.log.${end}`]: "new\n",
        [`t-000003.log.${end}`]: "finished\n",
      });
      assertEquals(await filesIn(run.work), {});
    },
  );
}

async function zstdOf(text: string): Promise<Uint8Array> {
  const { zstdCompressSync } = await import("node:zlib");
  return zstdCompressSync(new TextEncoder().encode(text));
}

fileTest("nsq_to_file --gzip never appends to a file that is there", async (run) => {
  await Deno.writeFile(`${run.out}/t-000000.log.gz`, gzipSync("old\n"));
  await publish(run.nsqd, ["new"]);
  run.start("--gzip", "--max-in-flight=1");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t-000000.log.gz": "old\n", "t-000001.log.gz": "new\n" });
});

fileTest("nsq_to_file --work-dir moves files when they are complete, and replaces none", async (run) => {
  await publish(run.nsqd, ["new"]);
  run.start(`--work-dir=${run.work}`);
  await eventually("it is written", async () => (await filesIn(run.work))["t-000000.log"] === "new\n");
  assertEquals(await filesIn(run.out), {});
  await Deno.writeTextFile(`${run.out}/t-000000.log`, "somebody else's\n");
  await run.stop();

  assertEquals(await filesIn(run.out), { "t-000000.log": "somebody else's\n", "t-000001.log": "new\n" });
  assertEquals(await filesIn(run.work), {});
});

fileTest(
  "nsq_to_file moves nothing where both folders are the same, however they are written",
  async (run) => {
    await publish(run.nsqd, ["one"]);
    run.start(`--work-dir=${run.out}/../out/`, "--max-in-flight=1");
    await run.done();
    await run.stop();

    assertEquals(await filesIn(run.out), { "t.log": "one\n" });
  },
);

fileTest("nsq_to_file adopts a file that a killed one has left, under any time and revision", async (run) => {
  await Deno.writeTextFile(`${run.work}/t-000004.2020-01-01_00.log`, "finished\npart");
  await Deno.writeTextFile(`${run.work}/other-000004.2020-01-01_00.log`, "of another topic\n");
  await Deno.writeTextFile(`${run.out}/t-000004.2020-01-01_00.log`, "there\n");
  await createChannel(run.nsqd, "t", "nsq_to_file");
  run.start(`--work-dir=${run.work}`, "--filename-format=<TOPIC><REV>.<DATETIME>.log", "--skip-empty-files");
  await eventually("it is moved", async () => Object.keys(await filesIn(run.work)).length === 1);
  await run.stop();

  assertEquals(await filesIn(run.out), {
    "t-000004.2020-01-01_00.log": "there\n",
    "t-000005.2020-01-01_00.log": "finished\npart\n",
  });
  assertEquals(await filesIn(run.work), { "other-000004.2020-01-01_00.log": "of another topic\n" });
});

fileTest("nsq_to_file leaves a file alone that another process writes to", async (run) => {
  const path = `${run.work}/t-000000.log`;
  using others = await Deno.open(path, { append: true, create: true });
  await others.lock(true);
  await publish(run.nsqd, ["new"]);
  run.start(`--work-dir=${run.work}`, "--max-in-flight=1");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), { "t-000001.log": "new\n" });
  assertEquals(await filesIn(run.work), { "t-000000.log": "" });
});

for (const flags of [[], ["--skip-empty-files", "--rotate-interval=1h"]]) {
  fileTest(`nsq_to_file closes its files at SIGHUP and goes on with new ones ${flags}`, async (run) => {
    await publish(run.nsqd, ["one"]);
    run.start(`--work-dir=${run.work}`, "--max-in-flight=1", ...flags);
    await run.done();
    run.world.send("SIGHUP");
    await eventually("it is moved", async () => Object.keys(await filesIn(run.out)).length === 1);
    await publish(run.nsqd, ["two"]);
    await run.done();
    await run.stop();

    assertEquals(await filesIn(run.out), { "t-000000.log": "one\n", "t-000001.log": "two\n" });
  });
}

for (
  const [device, text] of [
    ["full", "No space left on device"],
    ["null", "Invalid argument"],
  ]
) {
  const what = device === "full" ? "cannot be written to" : "cannot be synced";

  fileTest(`nsq_to_file ends with exit code 1 where a file ${what}, and finishes nothing`, async (run) => {
    await publish(run.nsqd, ["one", "two"]);
    const code = await run.start("--max-in-flight=2", "--output-dir=/dev", `--filename-format=${device}`);

    assertEquals(code, 1);
    assertMatch(run.world.errLines.at(-1) ?? "", new RegExp(`cannot be written to disk: ${text}`));
    assertEquals(countsOf(run.nsqd, "t", "nsq_to_file"), { depth: 2, inFlight: 0, deferred: 0 });
  });
}

fileTest("nsq_to_file writes into files by what is in a message", async (run) => {
  await publish(run.nsqd, ['{"user":1}', '{"user":2}', '{"user":1,"n":2}', "none"]);
  run.start("--filename-format=<FIELD:.user>/t.log", "--max-in-flight=4");
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.out), {
    "1/t.log": '{"user":1}\n{"user":1,"n":2}\n',
    "2/t.log": '{"user":2}\n',
    "_/t.log": "none\n",
  });
});

fileTest(
  "nsq_to_file keeps no more than 100 files of a topic open, and loses nothing for it",
  async (run) => {
    const bodies = Array.from({ length: 101 }, (_, i) => `{"user":${i}}`);
    await publish(run.nsqd, [...bodies, '{"user":0}']);
    run.start("--filename-format=<FIELD:.user>.log", "--max-in-flight=102");
    await run.done();
    await run.stop();

    const files = await filesIn(run.out);
    assertEquals(Object.keys(files).length, 101);
    assertEquals(files["0.log"], '{"user":0}\n{"user":0}\n');
  },
);

fileTest("nsq_to_file --json keeps what bodies with line feeds are apart", async (run) => {
  await publish(run.nsqd, ["a\nb", Uint8Array.of(0, 255)]);
  run.start("--json", "--max-in-flight=2");
  await run.done();
  await run.stop();

  const lines = (await filesIn(run.out))["t.log"].trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ body, body_base64 }) => [body, body_base64]), [["a\nb", undefined], [
    undefined,
    "AP8=",
  ]]);
});

fileTest("nsq_to_file --format that does not end lines never appends to what may be torn", async (run) => {
  await Deno.writeTextFile(`${run.out}/t-000000.log`, "\0\0\0\x05tor");
  await publish(run.nsqd, ["a\nb"]);
  run.start("--format=%V{big4}%v", "--max-in-flight=1");
  await run.done();
  await run.stop();

  assertEquals((await filesIn(run.out))["t-000001.log"], "\0\0\0\x03a\nb");
});

fileTest("nsq_to_file --on-complete runs a command with the path of each complete file", async (run) => {
  await publish(run.nsqd, ["one"]);
  run.start(
    `--work-dir=${run.work}`,
    "--max-in-flight=1",
    `--on-complete=cp "$1" ${run.work}/copy && exit 3`,
  );
  await run.done();
  await run.stop();

  assertEquals(await filesIn(run.work), { copy: "one\n" });
  assertStringIncludes(run.world.err, `--on-complete ended with exit code 3 for ${run.out}/t-000000.log`);
});

Deno.test("nsq_to_file finds topics by a pattern at once, and goes on when an nsqlookupd does not answer", async () => {
  await using nsqd = new FakeNsqd();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/topics") return Response.json({ topics: ["log_a", "other", "log_b"] });
    return Response.json({ producers: [{ broadcast_address: "127.0.0.1", tcp_port: nsqd.port }] });
  });
  const world = new FakeToolWorld();
  const running = world.run(
    NSQ_TO_FILE,
    "--topic-pattern=^log_",
    `--lookupd-http-address=127.0.0.1:${server.addr.port}`,
    "--lookupd-http-address=127.0.0.1:1",
    "--skip-empty-files",
  );
  await eventually(
    "both are subscribed to",
    () => nsqd.commands.filter(({ line }) => line.startsWith("SUB")).length === 2,
  );
  world.send("SIGTERM");

  assertEquals(await running, 0);
  await server.shutdown();
  assertEquals(nsqd.commands.map(({ line }) => line).filter((line) => line.startsWith("SUB")).sort(), [
    "SUB log_a nsq_to_file",
    "SUB log_b nsq_to_file",
  ]);
  assertStringIncludes(world.err, "WARNING: skipping topic other (doesn't match pattern ^log_)");
  assertMatch(world.err, /ERROR: could not retrieve topic list: http:\/\/127\.0\.0\.1:1\/topics: /);
});

Deno.test("nsq_to_file can be told to close its files, and to stop, while no nsqd is there", async () => {
  const world = new FakeToolWorld();
  const running = world.run(NSQ_TO_FILE, "--topic=t", "--nsqd-tcp-address=127.0.0.1:1", "--skip-empty-files");
  await eventually("it waits for nsqd", () => world.err.includes("re-connecting in "));
  world.send("SIGHUP");
  world.send("SIGTERM");

  assertEquals(await running, 0);
  assertStringIncludes(world.err, "nothing listens there; is nsqd running");
});

const ADDRESS = "--nsqd-tcp-address=127.0.0.1:1";
for (
  const [args, code, text] of [
    [["--topic=t"], 1, "--nsqd-tcp-address or --lookupd-http-address required"],
    [["--topic=t", ADDRESS, "stray"], 1, "unknown arguments: stray"],
    [["--topic=t", ADDRESS, "--channel="], 1, "--channel is required"],
    [["--topic=t", ADDRESS, "--gzip-level=10"], 1, "invalid --gzip-level value (10), should be 1-9"],
    [["--topic=t", ADDRESS, "--zstd-level=0"], 1, "invalid --zstd-level value (0), should be 1-19"],
    [[ADDRESS], 1, "--topic or --topic-pattern required"],
    [["--topic-pattern=x", ADDRESS], 1, "--lookupd-http-address must be specified when no --topic specified"],
    [
      ["--topic-pattern=(", "--lookupd-http-address=a:1"],
      2,
      "flag --topic-pattern: is no regular expression",
    ],
    [["--topic=t", ADDRESS, "--http-client-connect-timeout=0s"], 1, "should be positive"],
    [["--topic=t", ADDRESS, "--sync-interval=0s"], 1, "--sync-interval should be positive"],
    [["--topic=t", ADDRESS, "--log-level=loud"], 2, "must be one of debug, info, warn, error, fatal"],
    [["--topic=t", ADDRESS, "--consumer-opt=sample"], 2, "invalid option sample"],
    [["--topic=t", ADDRESS, "--gzip", "--filename-format=x"], 1, "missing <REV> in --filename-format"],
    [["--topic=t", ADDRESS, "--filename-format=<FIELD:a b>"], 1, "not a path into JSON"],
    [["--topic=t", ADDRESS, "--gzip", "--compress=zstd"], 1, "use --gzip or --compress=zstd not both"],
    [
      ["--topic=t", ADDRESS, "--dead-letter-topic=d"],
      1,
      "--dead-letter-topic needs --consumer-opt=max_attempts,N",
    ],
    [["--topic=t", ADDRESS, "--format=%v", "--filename-format=x"], 1, "missing <REV> in --filename-format"],
    [["--topic=t", "--retry=false", "--skip-empty-files", ADDRESS], 1, "cannot connect to nsqd 127.0.0.1:1"],
  ] as const
) {
  Deno.test(`nsq_to_file ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TO_FILE, ...args), code);
    assertStringIncludes(world.err, text);
  });
}
