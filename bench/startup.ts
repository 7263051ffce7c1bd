/**
 * How long a start takes: from the execution of nsqd, nsqlookupd and nsqadmin to the first `/ping` that is answered, and
 * what nsqd's first message takes then. Beside them an empty program that listens, and NSQ's nsqd. From source and, if there
 * is a Deno that can compile, compiled. Programs take turns; prints a Markdown table of medians.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { runProgram, TempFolder } from "../tests/support/interop.ts";
import { Flags } from "../tests/support/flags.ts";
import { markdownTable } from "./markdown_table.ts";
import { type Program, startOnce, type StartTimes } from "./startup/started.ts";

const USAGE = `usage: deno run -A bench/startup.ts [flags]

--rounds N        starts of each program (21)
--nsq-bin DIR     folder of NSQ's programs
--compile-with D  a Deno that has the base of compiled programs: without it nothing is compiled`;

/** As \`deno task start\` runs nsqd, but for permissions, which are for its own ports. */
const RUN_FLAGS = manifest.tasks.start.split(" ").filter((word) => word.startsWith("--unstable-"));
const EMPTY = fileURLToPath(new URL("./startup/empty.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

const HTTP = "--http-address=127.0.0.1:%HTTP";
const TCP = "--tcp-address=127.0.0.1:%TCP";
const FLAGS = {
  nsqd: [HTTP, TCP, "--data-path=%DATA"],
  nsqlookupd: [HTTP, "--tcp-address=127.0.0.1:0"],
  nsqadmin: [HTTP, "--lookupd-http-address=127.0.0.1:1"],
} as const;

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["rounds", "nsq-bin", "compile-with"] });
  const rounds = flags.count("rounds") ?? 21;
  const nsqBin = flags.text("nsq-bin");
  const compiler = flags.text("compile-with");
  await using folder = await TempFolder.make();
  const programs = [
    ...nsqBin ? [{ name: "NSQ's nsqd", command: [`${nsqBin}/nsqd`, ...FLAGS.nsqd] }] : [],
    ...fromSource(),
    ...compiler ? await compiled(compiler, folder.path) : [],
  ];
  const times = new Map<Program, StartTimes[]>(programs.map((program) => [program, []]));
  // The first start of each fills the runtime's caches.
  for (let round = 0; round <= rounds; round++) {
    console.error(round === 0 ? "first starts" : `round ${round} of ${rounds}`);
    for (const [program, list] of times) {
      const start = await startOnce(program);
      if (round > 0) list.push(start);
    }
  }
  const head = ["", "/ping", "least", "processor", "first PUB", "first SUB"].map((text) =>
    text && `${text}, ms`
  );
  console.log(markdownTable(head, [...times].map(([{ name }, list]) => row(name, list))));
}

function fromSource(): Program[] {
  const run = [Deno.execPath(), "run", "-A", ...RUN_FLAGS];
  return [
    { name: "empty program", command: [...run, EMPTY, "%HTTP"] },
    ...Object.entries(FLAGS).map(([name, flags]) => ({ name, command: [...run, MAIN, name, ...flags] })),
  ];
}

async function compiled(compiler: string, folder: string): Promise<Program[]> {
  const compile = async (name: string, file: string) => {
    const output = `${folder}/${name}`;
    const args = ["compile", "--quiet", "--no-check", "-A", "--no-prompt", "--output", output, file];
    await runProgram(compiler, { args, cwd: fileURLToPath(new URL("..", import.meta.url)) });
    return output;
  };
  const empty = await compile("startup_empty", EMPTY);
  const denosq = await compile("startup_denosq", MAIN);
  return [
    { name: "empty program, compiled", command: [empty, "%HTTP"] },
    ...await Promise.all(
      Object.entries(FLAGS).map(async ([name, flags]) => {
        // By another name, for by that the runtime keeps the code that a compiled program has run first, and no more.
        const path = `${denosq}_${name}`;
        await Deno.link(denosq, path);
        return { name: `${name}, compiled`, command: [path, name, ...flags] };
      }),
    ),
  ];
}

function row(name: string, starts: readonly StartTimes[]): string[] {
  const of = (pick: (times: StartTimes) => number | undefined) =>
    starts.map(pick).filter((ms) => ms !== undefined);
  const pings = of(({ pingMs }) => pingMs);
  return [
    name,
    median(pings),
    pings.length === 0 ? "" : Math.min(...pings).toFixed(0),
    median(of(({ cpuMs }) => cpuMs)),
    median(of(({ pubMs }) => pubMs), 1),
    median(of(({ subMs }) => subMs), 1),
  ];
}

function median(values: readonly number[], digits = 0): string {
  if (values.length === 0) return "";
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1].toFixed(digits);
}
