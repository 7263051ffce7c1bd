/**
 * Our tools against NSQ's own nsqd, in the folder that `NSQ_BIN` names.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { benchTool } from "../../src/tools/bench.ts";
import { NSQ_STAT } from "../../src/tools/nsq_stat.ts";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { TO_NSQ } from "../../src/tools/to_nsq.ts";
import { certificates } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError } from "../support/interop.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const LINES = Array.from({ length: 1000 }, (_, i) => `line ${i}: ${"x".repeat(i % 97)}\n`).join("");

/** A test with NSQ's nsqd, which knows of certificates. */
function realTest(
  name: string,
  test: (nsqd: NsqdProcess, options: (...names: string[]) => string[]) => Promise<void>,
): void {
  interopTest(name, startRealNsqd, async (nsqd) => {
    const { ca } = await certificates();
    const options = (...names: string[]) =>
      names.map((name) => name === "tls" ? ["tls_v1", `tls_root_ca_file,${ca.certPath}`] : [name]).flat();
    await nsqd.run(() => test(nsqd, options));
  });
}

async function startRealNsqd(): Promise<NsqdProcess> {
  const folder = Deno.env.get("NSQ_BIN");
  if (!folder) throw new MissingError("NSQ's programs: NSQ_BIN names no folder");
  const { server } = await certificates();
  return await startNsqd({
    command: [`${folder}/nsqd`],
    args: [`--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`],
  });
}

for (const layers of [[], ["snappy"], ["deflate"], ["tls"], ["tls", "snappy"], ["tls", "deflate"]]) {
  realTest(
    `to_nsq and nsq_tail carry every line over ${layers.join(" and ") || "plain TCP"}`,
    async (nsqd, options) => {
      const common = ["--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`];
      const from = new FakeToolWorld({ stdin: LINES });
      const to = new FakeToolWorld();

      const published = options(...layers).map((option) => `--producer-opt=${option}`);
      assertEquals(await from.run(TO_NSQ, ...common, ...published), 0);
      const taken = options(...layers).map((option) => `--consumer-opt=${option}`);
      assertEquals(await to.run(NSQ_TAIL, ...common, "--channel=ch", "-n=1000", ...taken), 0);

      // NSQ promises no order.
      assertEquals(to.out.split("\n").sort(), LINES.split("\n").sort());
      await assertCounts(nsqd, [0, 0]);
    },
  );
}

realTest("to_nsq finds the message that nsqd refuses, and publishes those before it", async (nsqd) => {
  const world = new FakeToolWorld({ stdin: `a\nb\n${"x".repeat(1_100_000)}\nc\n` });

  assertEquals(await world.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`), 1);

  assertMatch(
    world.err,
    /message 3 \(of 1100000 bytes, before byte 1100005 of the input\) was not published - E_BAD_M/,
  );
});

realTest("nsq_tail gives back what it cannot write", async (nsqd) => {
  const from = new FakeToolWorld({ stdin: LINES });
  const common = ["--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`];
  await from.run(TO_NSQ, ...common);
  let room = 2;
  const world = new FakeToolWorld({
    write: (bytes) =>
      room-- > 0 ? Promise.resolve(bytes.indexOf(10) + 1) : Promise.reject(new Deno.errors.BrokenPipe()),
  });

  assertEquals(await world.run(NSQ_TAIL, ...common, "--channel=ch"), 0);

  await assertCounts(nsqd, [998, 0]);
});

realTest("nsq_stat and bench know NSQ's nsqd", async (nsqd) => {
  const bench = new FakeToolWorld();
  const stat = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(await bench.run(benchTool("latency"), address, "--topic=t", "--channel=ch", "--msgs=50"), 0);
  assertMatch(bench.out, /\nsub: 50 messages, /);

  const http = `--nsqd-http-address=${nsqd.httpAddress}`;
  assertEquals(await stat.run(NSQ_STAT, http, "--interval=1ms", "--count=1", "--json"), 0);
  const { topic, channel, message_count } = JSON.parse(stat.out);
  assertEquals([topic, channel, message_count], ["t", "ch", 50]);
});

/** So many messages of t/ch wait, and are in flight, as soon as nsqd has seen to what it was told. */
async function assertCounts(nsqd: NsqdProcess, expected: readonly number[]): Promise<void> {
  await eventually("nsqd has seen to it", async () => {
    const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json&topic=t&channel=ch`);
    const { topics } = await response.json();
    const [{ depth, in_flight_count }] = topics[0].channels;
    assertEquals([depth, in_flight_count], expected);
    return true;
  });
}
