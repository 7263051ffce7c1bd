import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Consumer } from "../../src/client/mod.ts";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { TO_NSQ } from "../../src/tools/to_nsq.ts";
import { eventually, PATIENCE_MS } from "../support/eventually.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { freePort } from "../support/ports.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

async function statsOf(
  nsqd: NsqdProcess,
): Promise<{ depth: number; in_flight_count: number; message_count: number }> {
  const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json&topic=t&channel=ch`);
  return (await response.json()).topics[0].channels[0];
}

Deno.test("nsq_tail, as a process whose reader goes, ends with exit code 0 and leaves nothing in flight", async () => {
  await using nsqd = await startNsqd();
  await nsqd.run(async () => {
    await fetch(`http://${nsqd.httpAddress}/topic/create?topic=t`, { method: "POST" }).then((r) =>
      r.body?.cancel()
    );
    await fetch(`http://${nsqd.httpAddress}/channel/create?topic=t&channel=ch`, { method: "POST" })
      .then((r) => r.body?.cancel());
    // Many times what a pipe holds.
    const from = new FakeToolWorld({ stdin: `${"x".repeat(1000)}\n`.repeat(2000) });
    await from.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`);

    const tail = `"${Deno.execPath()}" run -A "${MAIN}" nsq_tail --quiet --topic=t --channel=ch ` +
      `--nsqd-tcp-address=${nsqd.tcpAddress}`;
    const { stdout } = await new Deno.Command("bash", {
      args: ["-c", `${tail} | head -1 >/dev/null; echo \${PIPESTATUS[0]}`],
    }).output();

    assertEquals(new TextDecoder().decode(stdout), "0\n");
    await eventually("what was taken is given back", async () => (await statsOf(nsqd)).in_flight_count === 0);
    const { depth } = await statsOf(nsqd);
    assert(depth > 1000, `${depth} messages are left of 2000`);
  });
});

Deno.test("to_nsq leaves nothing out when the nsqd that it publishes to is killed", async () => {
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_to_nsq_" });
  try {
    const durable = { dataPath, args: ["--durability=disk"] };
    await using second = await startNsqd();
    const first = await startNsqd(durable);
    const count = 10_000;
    const perRead = 100;
    let next = 0;
    const world = new FakeToolWorld({
      read: async (into) => {
        if (next === count / 2) await first.kill();
        if (next === count) return null;
        const lines = Array.from({ length: perRead }, (_, i) => `${next + i}\n`).join("");
        next += perRead;
        return new TextEncoder().encodeInto(lines, into).written;
      },
    });

    const code = await world.run(
      TO_NSQ,
      "--topic=t",
      "--mode=failover",
      `--nsqd-tcp-address=${first.tcpAddress}`,
      `--nsqd-tcp-address=${second.tcpAddress}`,
    );

    assertEquals([code, world.err.includes("connection lost")], [0, true]);
    await using again = await startNsqd(durable);
    const found = await takeAll([again.tcpAddress, second.tcpAddress], count);
    assertEquals(found.size, count);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

Deno.test("nsq_tail shows what is there again when nsqd was killed and is started again", async () => {
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_tail_" });
  try {
    const durable = { dataPath, args: ["--durability=disk", `--tcp-address=127.0.0.1:${freePort()}`] };
    const first = await startNsqd(durable);
    const from = new FakeToolWorld({ stdin: "one\ntwo\n" });
    await from.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${first.tcpAddress}`);
    const world = new FakeToolWorld();
    const running = world.run(
      NSQ_TAIL,
      "--topic=t",
      "--channel=ch",
      `--nsqd-tcp-address=${first.tcpAddress}`,
    );
    await eventually("both are shown", () => world.out === "one\ntwo\n");

    await first.kill();
    await using again = await startNsqd(durable);
    const more = new FakeToolWorld({ stdin: "three\n" });
    await more.run(TO_NSQ, "--topic=t", `--nsqd-tcp-address=${again.tcpAddress}`);

    await eventually("the third is shown", () => world.out.includes("three\n"));
    world.send("SIGTERM");
    assertEquals(await running, 0);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

/** The messages of topic `t` on these nodes, until there are so many different ones. */
async function takeAll(nsqd: readonly string[], count: number): Promise<Set<string>> {
  const found = new Set<string>();
  await using consumer = new Consumer("t", "ch", { nsqd, signal: AbortSignal.timeout(PATIENCE_MS) });
  for await (const message of consumer) {
    found.add(message.text());
    message.finish();
    if (found.size === count) break;
  }
  return found;
}
