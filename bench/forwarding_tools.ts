/**
 * Compares the tools that take messages elsewhere, nsq_to_file, nsq_to_nsq and nsq_to_http, with NSQ's own: the same
 * backlog of the same nsqd, in turns (A B A B …), each run with a fresh server and a fresh process. Prints a Markdown
 * table of medians; the processor time is the tool's own. It judges nothing.
 *
 * @module
 */

import { Producer } from "../src/client/mod.ts";
import { ChildDaemon, programCommand } from "../tests/support/child_daemon.ts";
import { Flags } from "../tests/support/flags.ts";
import { startNsqd } from "../tests/support/nsqd_process.ts";
import { markdownTable } from "./markdown_table.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/forwarding_tools.ts --nsq-bin DIR [flags]

--nsq-bin DIR       folder of NSQ's programs, whose nsqd is the server
--rounds N          runs of each tool and scenario (3)
--factor F          how many messages, as a multiple of the usual numbers (1)
--scenario NAME[,…] only these`;

const MESSAGE = {
  id: 123456,
  user: "somebody@example.com",
  event: "page_view",
  path: "/products/42",
  ms: 17.25,
};
const BATCH = 500;
const POLL_MS = 10;
/** The last messages may wait for nsq_to_file's interval, and are not counted. */
const TAIL = 2500;

interface Scenario {
  readonly name: string;
  readonly tool: string;
  readonly messages: number;
  readonly flags: (place: Place) => readonly string[];
}

/** Where messages can go. */
interface Place {
  readonly folder: string;
  readonly nsqd: string;
  /** An URL to POST to: that of an nsqd, too. */
  readonly http: string;
}

const file = (folder: string) => [`--output-dir=${folder}`, "--log-level=error"];

const SCENARIOS: readonly Scenario[] = [
  { name: "file", tool: "nsq_to_file", messages: 200_000, flags: ({ folder }) => file(folder) },
  {
    name: "file-gzip",
    tool: "nsq_to_file",
    messages: 100_000,
    flags: ({ folder }) => [...file(folder), "--gzip"],
  },
  {
    name: "file-2500",
    tool: "nsq_to_file",
    messages: 400_000,
    flags: ({ folder }) => [...file(folder), "--max-in-flight=2500"],
  },
  {
    name: "nsq",
    tool: "nsq_to_nsq",
    messages: 200_000,
    flags: ({ nsqd }) => [`--destination-nsqd-tcp-address=${nsqd}`, "--status-every=0"],
  },
  {
    name: "http",
    tool: "nsq_to_http",
    messages: 20_000,
    flags: ({ http }) => [`--post=${http}`, "--status-every=0"],
  },
];

interface Run {
  readonly scenario: string;
  readonly whose: "NSQ" | "denosq";
  readonly rate: number;
  readonly cpuMicros: number;
}

async function measure(scenario: Scenario, whose: Run["whose"], nsqBin: string): Promise<Run> {
  const messages = scenario.messages;
  const folder = await Deno.makeTempDir({ prefix: "denosq_bench_" });
  const command = [`${nsqBin}/nsqd`];
  const args = ["--mem-queue-size=5000000"];
  try {
    await using source = await startNsqd({ command, args });
    await using target = await startNsqd({ command, args });
    await fill(source, messages);
    const program = whose === "NSQ" ? [`${nsqBin}/${scenario.tool}`] : programCommand(scenario.tool);
    await using tool = new ChildDaemon([
      ...program,
      "--topic=t",
      "--channel=c",
      `--nsqd-tcp-address=${source.tcpAddress}`,
      ...scenario.flags({
        folder,
        nsqd: target.tcpAddress,
        http: `http://${target.httpAddress}/pub?topic=t`,
      }),
    ]);
    // What is measured begins when the tool works, and not when it starts.
    const [first, startMs, startCpu] = await finished(source.httpAddress, tool, 1);
    const [last, endMs, endCpu] = await finished(source.httpAddress, tool, messages - TAIL);
    tool.kill("SIGTERM");
    await tool.ended();
    const count = last - first;
    return {
      scenario: scenario.name,
      whose,
      rate: count / (endMs - startMs) * 1000,
      cpuMicros: (endCpu - startCpu) / count * 1e6,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fill(
  { tcpAddress, httpAddress }: { readonly tcpAddress: string; readonly httpAddress: string },
  messages: number,
): Promise<void> {
  for (const path of ["topic/create?topic=t", "channel/create?topic=t&channel=c"]) {
    const answer = await fetch(`http://${httpAddress}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
  await using producer = new Producer({ nsqd: [tcpAddress] });
  for (let at = 0; at < messages; at += BATCH) {
    const bodies = Array.from({ length: BATCH }, (_, i) => JSON.stringify({ ...MESSAGE, n: at + i }));
    await producer.publishMany("t", bodies);
  }
}

/** Waits until so many messages are finished: their number, the time, and the tool's processor time until then. */
async function finished(
  httpAddress: string,
  tool: ChildDaemon,
  count: number,
): Promise<[number, number, number]> {
  for (;;) {
    const answer = await fetch(`http://${httpAddress}/stats?format=json&include_clients=false`);
    const [{ message_count: all, channels: [{ depth, in_flight_count, deferred_count }] }] =
      (await answer.json()).topics;
    const done = all - depth - in_flight_count - deferred_count;
    if (done >= count) return [done, performance.now(), readProcessUsage(tool.pid)?.cpuSeconds ?? 0];
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["nsq-bin", "rounds", "factor", "scenario"] });
  const nsqBin = flags.text("nsq-bin");
  if (nsqBin === undefined) throw new Error(USAGE);
  const rounds = flags.count("rounds") ?? 3;
  const factor = flags.factor("factor") ?? 1;
  const wanted = flags.text("scenario")?.split(",");
  const scenarios = SCENARIOS.filter(({ name }) => wanted?.includes(name) ?? true).map((scenario) => ({
    ...scenario,
    messages: Math.ceil(scenario.messages * factor / BATCH) * BATCH,
  }));
  const runs: Run[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      for (const whose of ["NSQ", "denosq"] as const) {
        const run = await measure(scenario, whose, nsqBin);
        console.error(`round ${round}: ${JSON.stringify(run)}`);
        runs.push(run);
      }
    }
  }
  const rows = scenarios.flatMap(({ name }) =>
    (["NSQ", "denosq"] as const).map((whose) => {
      const mine = runs.filter((run) => run.scenario === name && run.whose === whose);
      const of = (key: "rate" | "cpuMicros") => median(mine.map((run) => run[key]));
      return [name, whose, Math.round(of("rate")).toLocaleString("en"), of("cpuMicros").toFixed(1)];
    })
  );
  console.log(markdownTable(["scenario", "tool", "messages/s", "CPU µs each"], rows, { textColumns: 2 }));
}
