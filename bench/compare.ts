/**
 * Compares nsqd servers: the same scenarios against each of them, in turns (A B A B …) so that a slow minute of
 * the machine hits all alike, each run with a fresh server and a fresh client process. Prints a Markdown table
 * of medians. It judges nothing; a ratio near 1 is noise.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { nsqdCommand } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { runNsqBench } from "./nsq_bench.ts";
import type { LoadResult } from "./load_run.ts";
import { SCENARIOS } from "./scenarios.ts";
import { compareTable, type Measurement } from "./compare_table.ts";

const USAGE = `usage: deno run -A bench/compare.ts [flags]

--server 'NAME=COMMAND'   a server, may be repeated; ports and data path are added to the command
                          (default: this project's nsqd, and that of --nsq-bin, with a large --mem-queue-size)
--nsq-bin DIR             folder of NSQ's programs: also run its bench_writer and bench_reader
--rounds N                runs of each scenario and server (3)
--duration 4s             of each timed run (4s)
--scenario NAME[,NAME]    only these: ${SCENARIOS.map((scenario) => scenario.name).join(", ")}, nsq-bench`;

/** Keeps the messages of every scenario in memory, for a Go nsqd would write what is beyond it to disk. */
const MEM_QUEUE_SIZE = "--mem-queue-size=20000000";

interface Server {
  readonly name: string;
  readonly command: readonly string[];
}

interface Plan {
  readonly durationMs: number;
  readonly nsqBin: string | undefined;
  readonly chosen: ReadonlySet<string> | undefined;
}

if (import.meta.main) {
  const names = ["server", "nsq-bin", "rounds", "duration", "scenario"];
  const flags = new Flags({ usage: USAGE, names });
  const servers = readServers(flags);
  const chosen = flags.text("scenario")?.split(",");
  const plan: Plan = {
    durationMs: flags.durationMs("duration") ?? 4000,
    nsqBin: flags.text("nsq-bin"),
    chosen: chosen && new Set(chosen),
  };
  const rounds = flags.count("rounds") ?? 3;
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round++) {
    measurements.push(...await runRound(servers, plan, `round ${round} of ${rounds}`));
  }
  console.log(compareTable(servers.map((server) => server.name), measurements));
}

function readServers(flags: Flags): Server[] {
  const nsqBin = flags.text("nsq-bin");
  const given = flags.texts("server").map((text) => {
    const equals = text.indexOf("=");
    if (equals < 1) flags.refuse(`--server must be NAME=COMMAND, not "${text}"`);
    return { name: text.slice(0, equals), command: text.slice(equals + 1).trim().split(/\s+/) };
  });
  if (given.length > 0) return given;
  const servers = [{ name: "denosq", command: [...nsqdCommand(), MEM_QUEUE_SIZE] }];
  if (nsqBin) servers.unshift({ name: "nsq", command: [`${nsqBin}/nsqd`, MEM_QUEUE_SIZE] });
  return servers;
}

async function runRound(servers: readonly Server[], plan: Plan, title: string): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  const wanted = (name: string) => plan.chosen === undefined || plan.chosen.has(name);
  for (const scenario of SCENARIOS.filter(({ name }) => wanted(name))) {
    for (const server of servers) {
      console.error(`${title}: ${scenario.name}, ${server.name}`);
      const result = await attempt(() => runLoadProgram(server, scenario.args(plan.durationMs)));
      for (const { label, unit, pick } of scenario.measures) {
        const measure = `${scenario.title}: ${label}`;
        measurements.push({ server: server.name, measure, unit, value: result && pick(result) });
      }
    }
  }
  if (plan.nsqBin && wanted("nsq-bench")) {
    for (const server of servers) {
      console.error(`${title}: nsq-bench, ${server.name}`);
      const { nsqBin, durationMs } = plan;
      const result = await attempt(() => runNsqBench({ nsqBin, durationMs, command: server.command }));
      const rate = { server: server.name, unit: "messages/s" };
      measurements.push({ ...rate, measure: "NSQ's bench_writer", value: result?.writerPerSecond });
      measurements.push({ ...rate, measure: "NSQ's bench_reader", value: result?.readerPerSecond });
    }
  }
  return measurements;
}

/** One failed run must not cost the results of the others. */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    console.error(`  failed: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

async function runLoadProgram(server: Server, args: readonly string[]): Promise<LoadResult> {
  const program = fileURLToPath(new URL("./load.ts", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, "--json", "--server", server.command.join(" "), ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const result: LoadResult = JSON.parse(new TextDecoder().decode(stdout));
  return result;
}
