/**
 * How commands are best read from a connection: `@std/streams` against one large reused buffer. A client writes the
 * same FIN lines as fast as it can; each way counts them. Prints commands a second and processor time a command.
 *
 *     deno run -A bench/read_strategies.ts [--commands N]
 *
 * @module
 */

import process from "node:process";
import { TextLineStream } from "@std/streams";
import { CommandReader } from "../src/protocol/command_reader.ts";
import { Flags } from "../tests/support/flags.ts";

const USAGE = "usage: deno run -A bench/read_strategies.ts [--commands N]   N commands each way (2000000)";
const LINE = "FIN 0123456789abcdef\n";
const LINES_PER_WRITE = 3000;

/** Counts the commands that come on a connection until it ends. */
type Strategy = (conn: Deno.Conn) => Promise<number>;

const STRATEGIES: readonly (readonly [name: string, strategy: Strategy])[] = [
  ["@std/streams, a line at a time", countLines],
  ["one large reused buffer", countCommands],
];

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["commands"], switches: [] });
  const commands = flags.count("commands") ?? 2_000_000;
  for (const [name, strategy] of STRATEGIES) {
    const { seconds, cpuSeconds } = await measure(strategy, commands);
    const rate = Math.round(commands / seconds).toLocaleString("en").replaceAll(",", " ");
    console.log(
      `${name}: ${rate} commands/s, ${(cpuSeconds / commands * 1e6).toFixed(3)} µs of processor time each`,
    );
  }
}

async function countLines(conn: Deno.Conn): Promise<number> {
  let count = 0;
  for await (
    const line of conn.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
  ) {
    if (line.startsWith("FIN ")) count++;
  }
  return count;
}

async function countCommands(conn: Deno.Conn): Promise<number> {
  const reader = new CommandReader();
  let count = 0;
  for (;;) {
    const length = await conn.read(reader.space());
    if (length === null) break;
    reader.received(length);
    while (reader.nextLine()) {
      if (reader.paramIs(0, "FIN")) count++;
    }
  }
  conn.close();
  return count;
}

async function measure(
  strategy: Strategy,
  commands: number,
): Promise<{ seconds: number; cpuSeconds: number }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["eval", writerProgram(listener.addr.port, commands)],
    stdout: "null",
  }).spawn();
  const conn = await listener.accept();
  const start = performance.now();
  const cpuStart = process.cpuUsage();
  const count = await strategy(conn);
  const { user, system } = process.cpuUsage(cpuStart);
  const seconds = (performance.now() - start) / 1000;
  await writer.status;
  if (count !== commands) throw new Error(`Counted ${count} of ${commands} commands`);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

/** Writes in a process of its own, so that its work is not counted. */
function writerProgram(port: number, commands: number): string {
  return `
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: ${port} });
    const block = new TextEncoder().encode(${JSON.stringify(LINE)}.repeat(${LINES_PER_WRITE}));
    for (let left = ${commands}; left > 0; left -= ${LINES_PER_WRITE}) {
      const bytes = block.subarray(0, Math.min(left, ${LINES_PER_WRITE}) * ${LINE.length});
      for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    }
    conn.close();`;
}
