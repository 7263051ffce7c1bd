/**
 * What durability costs: publishing in each durability, `fsync` against a Go nsqd that syncs every message, what a
 * restart costs after a kill, what long deferred messages cost, and what syncing one topic costs the others. Everything
 * runs in turns with a fresh server and a fresh client process, and prints Markdown tables; it judges nothing.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { nsqdCommand, startNsqd } from "../tests/support/nsqd_process.ts";
import { compareTable, type Measurement } from "./compare_table.ts";
import { Flags } from "../tests/support/flags.ts";
import { describeMs } from "./load_report.ts";
import type { LoadResult } from "./load_run.ts";
import { measureRecovery } from "./recovery.ts";

const USAGE = `usage: deno run -A bench/durability.ts [flags]

--nsq-bin DIR     folder of NSQ's programs; without it nothing is compared with NSQ
--rounds N        runs of each scenario and server (3)
--duration 3s     of each timed run (3s)
--messages N      of a restart, and of the deferred ones (1000000)
--only PART       nsq, durabilities, recovery or latency`;

const PARTS = ["nsq", "durabilities", "recovery", "latency"] as const;
/** Go's nsqd keeps everything on disk, and syncs each message. */
const NSQ_FLAGS = ["--mem-queue-size=0", "--sync-every=1"];
/** So that `memory` stays in memory. */
const MEM_QUEUE_SIZE = "--mem-queue-size=20000000";
/** Messages a second of the topic that others are measured beside. */
const BESIDE_RATE = 4000;
const PROBE_RATE = 1000;

interface Server {
  readonly name: string;
  readonly command: readonly string[];
}

interface Scenario {
  readonly title: string;
  readonly args: readonly string[];
}

const SINGLE = [1, 16, 64].map((writers): Scenario => ({
  title: `PUB 200 B, ${writers} publisher${writers === 1 ? "" : "s"}, each waits for its OK`,
  args: ["--batch=1", "--window=1", `--writers=${writers}`],
}));
const BATCHES = [1, 16].map((writers): Scenario => ({
  title: `MPUB 200 × 200 B, ${writers} publisher${writers === 1 ? "" : "s"}, each waits for its OK`,
  args: ["--batch=200", "--window=1", `--writers=${writers}`],
}));
const MPUB: Scenario = {
  title: "MPUB 200 × 200 B, 2 publishers, 4 unanswered",
  args: ["--batch=200", "--window=4", "--writers=2"],
};
const PIPELINED: Scenario = {
  title: "PUB 200 B, 2 publishers, 100 unanswered",
  args: ["--batch=1", "--window=100", "--writers=2"],
};

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["nsq-bin", "rounds", "duration", "messages", "only"] });
  const only = flags.choice("only", PARTS);
  const rounds = flags.count("rounds") ?? 3;
  const duration = `--duration=${flags.durationMs("duration") ?? 3000}ms`;
  const nsqBin = flags.text("nsq-bin");
  const wanted = (part: typeof PARTS[number]) => only === undefined || only === part;
  const ours = (durability: string): Server => ({
    name: durability,
    command: [...nsqdCommand(), MEM_QUEUE_SIZE, `--durability=${durability}`],
  });

  if (nsqBin && wanted("nsq")) {
    const nsq = { name: "nsq", command: [`${nsqBin}/nsqd`, ...NSQ_FLAGS] };
    const scenarios = [...SINGLE, ...BATCHES, MPUB];
    console.log(await compare([nsq, ours("fsync")], scenarios, { rounds, duration }));
  }
  if (wanted("durabilities")) {
    const servers = ["memory", "disk", "fsync"].map(ours);
    console.log(await compare(servers, [SINGLE[0], SINGLE[2], PIPELINED, MPUB], { rounds, duration }));
  }
  if (wanted("recovery")) console.log(await measureRecovery(flags.count("messages") ?? 1_000_000));
  if (wanted("latency")) console.log(await measureLatency(duration));
}

async function compare(
  servers: readonly Server[],
  scenarios: readonly Scenario[],
  options: { rounds: number; duration: string },
): Promise<string> {
  const measurements: Measurement[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const { title, args } of scenarios) {
      for (const server of servers) {
        console.error(`round ${round} of ${options.rounds}: ${title}, ${server.name}`);
        const result = await load([
          "--server",
          server.command.join(" "),
          "--warmup=1s",
          options.duration,
          ...args,
        ]);
        const at = { server: server.name, measure: title };
        measurements.push(
          { ...at, unit: "messages/s", value: result.published?.perSecond },
          {
            ...at,
            measure: `${title}: round trip p99`,
            unit: "ms",
            value: result.publishRoundTrip?.p99Ms,
          },
        );
      }
    }
  }
  return compareTable(servers.map(({ name }) => name), measurements);
}

/** What publishers and consumers of a topic in memory wait for, beside another topic that is published to. */
async function measureLatency(duration: string): Promise<string> {
  const rules = ["memory", "disk", "fsync"].map((durability) =>
    `--durability-topic=${durability}*=${durability}`
  );
  const rows: string[] = [];
  for (const beside of ["nothing", "memory", "disk", "fsync"]) {
    console.error(`latency beside ${beside}`);
    await using nsqd = await startNsqd({ args: [MEM_QUEUE_SIZE, ...rules] });
    const address = ["--address", nsqd.tcpAddress];
    const busy = beside === "nothing" ? undefined : load([
      ...address,
      ...["--topic", `${beside}_beside`, "--mode=pub", "--batch=1", "--writers=16", "--window=1"],
      ...[`--rate=${BESIDE_RATE}`, "--warmup=0s", duration.replace(/\d+/, (ms) => String(Number(ms) + 3000))],
    ]);
    const probe = await load([
      ...address,
      ...["--topic=memory_probe", "--mode=e2e", "--batch=1", "--writers=1", "--readers=1", "--window=1"],
      ...[`--rate=${PROBE_RATE}`, "--warmup=1s", "--output-buffer-size=-1", duration],
    ]);
    const besideResult = await busy;
    await nsqd.kill();
    const { publishRoundTrip, endToEnd } = probe;
    const times = [
      publishRoundTrip?.p50Ms,
      publishRoundTrip?.p99Ms,
      endToEnd?.p50Ms,
      endToEnd?.p99Ms,
      endToEnd?.maxMs,
    ];
    rows.push(
      `| ${beside} | ${Math.round(besideResult?.published?.perSecond ?? 0)} | ${
        times.map((ms) => ms === undefined ? "–" : describeMs(ms)).join(" | ")
      } |`,
    );
  }
  return [
    `A topic in memory, ${PROBE_RATE} PUB/s, beside another topic with 16 publishers:`,
    "",
    "| beside | its messages/s | PUB p50 | PUB p99 | end to end p50 | p99 | max |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
  ].join("\n");
}

/** Runs the load program. */
async function load(args: readonly string[]): Promise<LoadResult> {
  const program = fileURLToPath(new URL("./load.ts", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, "--json", ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const result: LoadResult = JSON.parse(new TextDecoder().decode(stdout));
  return result;
}
