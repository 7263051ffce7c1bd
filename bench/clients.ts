/**
 * Compares client libraries: this project's (in Deno and in Node.js), nsqjs, go-nsq and pynsq do the same against the
 * same kind of server, in turns (A B C … A B C …), each run with a fresh server and a fresh process. Prints a Markdown
 * table of medians; the processor time is the client's own. It judges nothing.
 *
 * Go, Python and the packages of the others come from their registries; what cannot be had is left out, and said.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Producer } from "../src/client/mod.ts";
import { Flags } from "../tests/support/flags.ts";
import { MissingError, runProgram, TempFolder } from "../tests/support/interop.ts";
import { packClient } from "../tests/support/npm_client.ts";
import { installNsqjs } from "../tests/support/nsqjs.ts";
import { startNsqd } from "../tests/support/nsqd_process.ts";
import { markdownTable } from "./markdown_table.ts";

const USAGE = `usage: deno run -A bench/clients.ts [flags]

--nsq-bin DIR        folder of NSQ's programs: its nsqd is the server (default: this project's)
--rounds N           runs of each client and task (3)
--factor F           how many messages, as a multiple of the usual numbers (1)
--client NAME[,NAME] only these`;

/** Messages stay in memory, so that no disk is measured. */
const MEM_QUEUE_SIZE = "--mem-queue-size=5000000";
const SOURCE = fileURLToPath(new URL("./clients/", import.meta.url));
const OURS = new URL("../src/client/mod.ts", import.meta.url).href;

/** What each client does; the slower ones with fewer messages, for the figures are for one. */
const TASKS = [
  { name: "one-by-one", what: "publish, each waits for its OK", messages: 20_000 },
  { name: "many", what: "publish, 1000 unanswered", messages: 400_000 },
  { name: "consume", what: "consume with FIN, 2500 in flight", messages: 400_000 },
] as const;

interface Client {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  /** The part of the messages that it gets. */
  readonly part: number;
  /** What the program is told besides the task. */
  readonly last?: string;
}

interface Run {
  readonly client: string;
  readonly task: string;
  readonly rate: number;
  readonly cpuMicros: number;
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["nsq-bin", "rounds", "factor", "client"] });
  const nsqBin = flags.text("nsq-bin");
  const rounds = flags.count("rounds") ?? 3;
  const factor = flags.factor("factor") ?? 1;
  const wanted = flags.text("client")?.split(",");
  await using folder = await TempFolder.make();
  await using node = await installNsqjs("roundtrip.js");
  const clients = (await prepare(folder.path, node.path)).filter(({ name }) =>
    wanted?.includes(name) ?? true
  );
  const runs: Run[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const task of TASKS) {
      for (const client of clients) {
        const messages = Math.round(task.messages * factor * (task.name === "one-by-one" ? 1 : client.part));
        console.error(`round ${round} of ${rounds}: ${client.name}, ${task.what}`);
        runs.push(await measure(client, task.name, messages, nsqBin));
      }
    }
  }
  console.log(table(clients, runs));
}

async function prepare(folder: string, nodeFolder: string): Promise<Client[]> {
  for (const script of ["ours.js", "nsqjs.js", "report.js"]) {
    await Deno.copyFile(`${SOURCE}${script}`, `${nodeFolder}/${script}`);
  }
  const args = [
    "install",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    await packClient(folder),
  ];
  await runProgram("npm", { args, cwd: nodeFolder });
  const deno = [
    Deno.execPath(),
    "run",
    "-A",
    "--config",
    fileURLToPath(new URL("../deno.json", import.meta.url)),
  ];
  return [
    { name: "denosq, Deno", command: [...deno, `${SOURCE}ours.js`], cwd: folder, part: 1, last: OURS },
    { name: "denosq, Node.js", command: ["node", "ours.js"], cwd: nodeFolder, part: 1 },
    { name: "nsqjs", command: ["node", "nsqjs.js"], cwd: nodeFolder, part: 0.25 },
    ...await orNothing("go-nsq", () => goNsq(folder)),
    ...await orNothing("pynsq", () => pynsq(folder)),
  ];
}

async function orNothing(name: string, make: () => Promise<Client>): Promise<Client[]> {
  try {
    return [await make()];
  } catch (error) {
    console.error(`Without ${name}: ${(error as Error).message}`);
    return [];
  }
}

async function goNsq(folder: string): Promise<Client> {
  const program = `${folder}/go-nsq`;
  await runProgram("go", {
    args: ["build", "-buildvcs=false", "-o", program, "."],
    cwd: `${SOURCE}go`,
    env: { GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly", CGO_ENABLED: "0" },
    timeoutMs: 120_000,
  });
  return { name: "go-nsq", command: [program], cwd: folder, part: 0.5 };
}

async function pynsq(folder: string): Promise<Client> {
  const python = `${folder}/python/bin/python`;
  await runProgram("python3", { args: ["-m", "venv", `${folder}/python`] });
  await runProgram(python, { args: ["-m", "pip", "install", "--quiet", "pynsq==0.9.1"] });
  return { name: "pynsq", command: [python, `${SOURCE}pynsq_client.py`], cwd: folder, part: 0.05 };
}

async function measure(
  client: Client,
  task: string,
  messages: number,
  nsqBin: string | undefined,
): Promise<Run> {
  await using nsqd = await startNsqd({
    args: [MEM_QUEUE_SIZE],
    ...nsqBin && { command: [`${nsqBin}/nsqd`] },
  });
  const topic = "clients";
  if (task === "consume") await fill(nsqd.tcpAddress, nsqd.httpAddress, topic, messages);
  const [program, ...first] = client.command;
  const args = [
    ...first,
    task,
    nsqd.tcpAddress,
    topic,
    String(messages),
    ...client.last ? [client.last] : [],
  ];
  const { stdout } = await runProgram(program, { args, cwd: client.cwd, timeoutMs: 120_000 });
  const { seconds, cpuSeconds }: { seconds: number; cpuSeconds: number } = JSON.parse(
    stdout.trim().split("\n").at(-1) ?? "",
  );
  return { client: client.name, task, rate: messages / seconds, cpuMicros: cpuSeconds / messages * 1e6 };
}

/** Messages that wait in the channel. */
async function fill(tcpAddress: string, httpAddress: string, topic: string, messages: number): Promise<void> {
  for (const what of [`topic/create?topic=${topic}`, `channel/create?topic=${topic}&channel=bench`]) {
    const response = await fetch(`http://${httpAddress}/${what}`, { method: "POST" });
    await response.body?.cancel();
    if (response.status !== 200) throw new MissingError(`nsqd's answer to ${what}`);
  }
  await using producer = new Producer({ nsqd: [tcpAddress] });
  const body = new Uint8Array(200).fill(120);
  for (let sent = 0; sent < messages; sent += 1000) {
    await producer.publishMany(topic, Array.from({ length: Math.min(1000, messages - sent) }, () => body));
  }
}

function table(clients: readonly Client[], runs: readonly Run[]): string {
  const rows = TASKS.flatMap(({ name: task, what }) =>
    clients.map(({ name: client }) => {
      const of = (figure: (run: Run) => number) =>
        median(runs.filter((run) => run.client === client && run.task === task).map(figure));
      return [what, client, grouped(of(({ rate }) => rate)), of(({ cpuMicros }) => cpuMicros).toFixed(2)];
    })
  );
  return markdownTable(["task", "client", "messages/s", "client's CPU, µs/message"], rows, {
    textColumns: 2,
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en").replaceAll(",", " ");
}
