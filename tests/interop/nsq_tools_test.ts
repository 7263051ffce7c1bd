/**
 * The programs that come with the Go NSQ against the server under test. The environment variable `NSQ_BIN` names
 * the folder that holds them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { certificates } from "../support/certificates.ts";
import { interopTest, MissingError, runProgram } from "../support/interop.ts";
import { startNsqd } from "../support/nsqd_process.ts";

const LINES = Array.from({ length: 1000 }, (_, index) => `line ${index}: ${"x".repeat(index % 97)}`);

interopTest("to_nsq and nsq_tail carry every line once", findTools, async ({ path }) => {
  await using nsqd = await startNsqd();
  const common = ["--topic=tools", `--nsqd-tcp-address=${nsqd.tcpAddress}`];

  await nsqd.run(async () => {
    await runProgram(`${path}/to_nsq`, { args: common, stdin: LINES.join("\n") + "\n" });
    const tail = [...common, "--channel=tail", `-n=${LINES.length}`];
    const { stdout } = await runProgram(`${path}/nsq_tail`, { args: tail });

    // NSQ promises no order.
    assertEquals(stdout.trimEnd().split("\n").sort(), [...LINES].sort());
  });
});

// By its options go-nsq speaks TLS 1.2 at most.
for (const compression of ["deflate", "snappy"]) {
  interopTest(
    `to_nsq and nsq_tail carry every line once over TLS 1.2 and ${compression}`,
    findTools,
    async (tools) => {
      const { path } = tools;
      const { ca, server } = await certificates();
      const tls = [
        `--tls-cert=${server.certPath}`,
        `--tls-key=${server.keyPath}`,
        "--https-address=127.0.0.1:0",
      ];
      await using nsqd = await startNsqd({ args: [...tls, "--tls-required=true"] });
      const common = ["--topic=tools", `--nsqd-tcp-address=${nsqd.tcpAddress}`];
      const options = ["tls_v1,true", `tls_root_ca_file,${ca.certPath}`, `${compression},true`];

      await nsqd.run(async () => {
        const publish = [...common, ...options.map((option) => `--producer-opt=${option}`)];
        await runProgram(`${path}/to_nsq`, { args: publish, stdin: LINES.join("\n") + "\n" });
        const consume = options.map((option) => `--consumer-opt=${option}`);
        const tail = [...common, ...consume, "--channel=tail", `-n=${LINES.length}`];
        const { stdout } = await runProgram(`${path}/nsq_tail`, { args: tail });

        assertEquals(stdout.trimEnd().split("\n").sort(), [...LINES].sort());
      });
    },
  );
}

interopTest("nsq_to_nsq republishes every message", findTools, async ({ path }) => {
  await using nsqd = await startNsqd();
  const address = nsqd.tcpAddress;

  await nsqd.run(async () => {
    await runProgram(`${path}/to_nsq`, {
      args: ["--topic=source", `--nsqd-tcp-address=${address}`],
      stdin: LINES.join("\n") + "\n",
    });
    const relay = new Deno.Command(`${path}/nsq_to_nsq`, {
      args: [
        ...["--topic=source", "--destination-topic=target"],
        ...[`--nsqd-tcp-address=${address}`, `--destination-nsqd-tcp-address=${address}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const tail = [
        "--topic=target",
        "--channel=tail",
        `-n=${LINES.length}`,
        `--nsqd-tcp-address=${address}`,
      ];
      const { stdout } = await runProgram(`${path}/nsq_tail`, { args: tail });

      assertEquals(stdout.trimEnd().split("\n").sort(), [...LINES].sort());
    } finally {
      relay.kill("SIGTERM");
      await relay.status;
    }
  });
});

interopTest("nsq_stat reads a channel's counts", findTools, async ({ path }) => {
  await using nsqd = await startNsqd();

  await nsqd.run(async () => {
    await post(`http://${nsqd.httpAddress}/topic/create?topic=stat`);
    await post(`http://${nsqd.httpAddress}/channel/create?topic=stat&channel=waiting`);
    await runProgram(`${path}/to_nsq`, {
      args: ["--topic=stat", `--nsqd-tcp-address=${nsqd.tcpAddress}`],
      stdin: "one\ntwo\nthree\n",
    });
    const stat = ["--topic=stat", "--channel=waiting", `--nsqd-http-address=${nsqd.httpAddress}`];
    const args = [...stat, "--interval=10ms", "--count=1"];
    const { stdout } = await runProgram(`${path}/nsq_stat`, { args });

    // Rates | total, in memory, on disk, in flight, deferred | requeued, timed out, messages, clients.
    assertEquals(stdout.trimEnd().split("\n").at(-1)?.trim().split(/[ |]+/), [
      ...["0", "0"],
      ...["3", "3", "0", "0", "0"],
      ...["0", "0", "3", "0"],
    ]);
  });
});

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  await response.body?.cancel();
  assertEquals(response.status, 200);
}

/** The folder of the Go programs; nothing of it is disposed of. */
async function findTools(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = Deno.env.get("NSQ_BIN");
  if (!path) throw new MissingError("the environment variable NSQ_BIN, the folder of NSQ's programs");
  await runProgram(`${path}/nsq_tail`, { args: ["--version"] });
  return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
}
