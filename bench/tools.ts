/**
 * Compares the tools with NSQ's own, in one run and against the same nsqd, NSQ's: how fast they publish what they read,
 * and show what they take, and at which cost of CPU. The tools of NSQ are in the folder that `NSQ_BIN` names.
 *
 *     NSQ_BIN=/path/to/nsq/bin deno run -A bench/tools.ts [MESSAGES] [ROUNDS]
 *
 * Every figure is the best of some rounds, which take turns: another program may disturb any one of them.
 *
 * @module
 */

const [messages = 500_000, rounds = 3] = Deno.args.map(Number);
const bin = Deno.env.get("NSQ_BIN");
if (!bin) throw new Error("NSQ_BIN names the folder with NSQ's programs");

const TCP = "127.0.0.1:24150";
const HTTP = "127.0.0.1:24151";
/** Bytes of a line. */
const SIZE = 100;
/** Lines of an MPUB that fills a topic. */
const FILL = 10_000;

/** A tool, by whoever made it. */
interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

/** The best round of a contender. */
interface Figure {
  readonly perSecond: number;
  /** CPU of the tool and its start, in µs. */
  readonly cpuPerMessage: number;
}

function contenders(tool: string): Contender[] {
  const main = new URL("../main.ts", import.meta.url).pathname;
  return [
    { name: `NSQ's ${tool}`, command: [`${bin}/${tool}`] },
    { name: `our ${tool}`, command: [Deno.execPath(), "run", "-A", main, tool] },
  ];
}

await using stack = new AsyncDisposableStack();
const folder = await Deno.makeTempDir({ prefix: "bench_tools_" });
stack.defer(() => Deno.remove(folder, { recursive: true }));
const nsqd = new Deno.Command(`${bin}/nsqd`, {
  args: [
    `-tcp-address=${TCP}`,
    `-http-address=${HTTP}`,
    `-data-path=${folder}`,
    "-mem-queue-size=10000000",
    "-log-level=error",
  ],
  stdout: "null",
  stderr: "null",
}).spawn();
stack.defer(async () => {
  nsqd.kill("SIGTERM");
  await nsqd.status;
});
await started();

const input = `${folder}/input`;
await Deno.writeTextFile(input, `${"x".repeat(SIZE)}\n`.repeat(messages));
const batch = `${"x".repeat(SIZE)}\n`.repeat(FILL).slice(0, -1);

console.log(`${messages} messages of ${SIZE} bytes, best of ${rounds} rounds\n`);
console.log("| | messages/s | CPU a message |\n| --- | --- | --- |");
await compare("to_nsq", empty, (command) => `${command} --topic=t --nsqd-tcp-address=${TCP} <${input}`);
await compare(
  "nsq_tail",
  fill,
  (command) => `${command} --topic=t --channel=c --nsqd-tcp-address=${TCP} -n=${messages} | cat >/dev/null`,
);

async function compare(
  tool: string,
  prepare: () => Promise<void>,
  lineOf: (command: string) => string,
): Promise<void> {
  const all = contenders(tool);
  const best = new Map<string, Figure>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of all) {
      await prepare();
      const figure = await measure(lineOf(command.join(" ")));
      const before = best.get(name);
      if (!before || figure.perSecond > before.perSecond) best.set(name, figure);
    }
  }
  const [theirs, ours] = all.map(({ name }) => best.get(name) as Figure);
  for (const [{ name }, figure] of [[all[0], theirs], [all[1], ours]] as const) {
    console.log(`| ${name} | ${Math.round(figure.perSecond)} | ${figure.cpuPerMessage.toFixed(1)} µs |`);
  }
  const times = (ours.perSecond / theirs.perSecond).toFixed(1);
  const part = (ours.cpuPerMessage / theirs.cpuPerMessage).toFixed(2);
  console.log(`| ratio | ${times} times as fast | ${part} times the CPU |`);
}

/** Runs a line of the shell, and measures it by the shell's own clock. */
async function measure(line: string): Promise<Figure> {
  const script = `TIMEFORMAT='%R %U %S'; time { { ${line}; } 2>/dev/null; }`;
  const { success, stderr } = await new Deno.Command("bash", { args: ["-c", script], stdout: "null" })
    .output();
  const [wall, user, system] = new TextDecoder().decode(stderr).trim().split(" ").map(Number);
  if (!success || !(wall > 0)) throw new Error(`failed: ${line}`);
  return { perSecond: messages / wall, cpuPerMessage: (user + system) * 1e6 / messages };
}

async function empty(): Promise<void> {
  await post("/topic/delete?topic=t");
  await post("/topic/create?topic=t");
}

async function fill(): Promise<void> {
  await empty();
  await post("/channel/create?topic=t&channel=c");
  for (let count = 0; count < messages; count += FILL) await post("/mpub?topic=t", batch);
}

async function post(path: string, body?: string): Promise<void> {
  const response = await fetch(`http://${HTTP}${path}`, {
    method: "POST",
    ...body !== undefined && { body },
  });
  await response.body?.cancel();
}

/** Settles when nsqd answers. */
async function started(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await post("/topic/create?topic=t");
      return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("nsqd does not answer");
}
