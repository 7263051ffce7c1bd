/**
 * What clients that mean ill, or are broken, cost those that work: publishing and consuming is measured alone, and then
 * beside connections that have sent half of the magic, that have sent half of a command, and consumers of the same
 * channel that never read. The figures are docs/performance.md's.
 *
 * @module
 */

import { startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { describeCount } from "./load_report.ts";
import { type LoadResult, runLoad } from "./load_run.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/hostile.ts [flags]

  --server 'COMMAND'   the nsqd to start (default: this project's)
  --half N             connections that have sent half of the magic (500)
  --partial N          connections that have sent half of a command (500)
  --unread N           consumers that never read (500), each with --rdy N (2500)
  --size BYTES         of a body (200)
  --batch N            messages in a command: 1 is PUB, more is MPUB (50)
  --duration 8s        of each of the two measurements, after 2 s that are not measured`;

const TOPIC = "load";
const CHANNEL = "load";
const WARMUP_MS = 2000;
/** Connections that are opened at a time. */
const OPENED_AT_ONCE = 50;

/** How many there are of each kind. */
interface Hostiles {
  readonly half: number;
  readonly partial: number;
  readonly unread: number;
  readonly rdy: number;
}

if (import.meta.main) {
  const names = ["server", "half", "partial", "unread", "rdy", "size", "batch", "duration"];
  const flags = new Flags({ usage: USAGE, names });
  const hostiles = {
    half: flags.count("half") ?? 500,
    partial: flags.count("partial") ?? 500,
    unread: flags.count("unread") ?? 500,
    rdy: flags.count("rdy") ?? 2500,
  };
  const load = {
    mode: "e2e" as const,
    topic: TOPIC,
    channel: CHANNEL,
    writers: 2,
    readers: 2,
    sizeBytes: flags.count("size") ?? 200,
    batch: flags.count("batch") ?? 50,
    window: 8,
    rdy: 2500,
    warmupMs: WARMUP_MS,
    durationMs: flags.durationMs("duration") ?? 8000,
  };
  const command = flags.text("server")?.trim().split(/\s+/);

  await using nsqd = await startNsqd({ ...command && { command } });
  await nsqd.run(async () => {
    const { tcpAddress, pid } = nsqd;
    const before = await runLoad({ ...load, tcpAddress, pid });
    const memoryBefore = memoryOf(pid);
    const connections = await openHostiles(tcpAddress, hostiles);
    try {
      const during = await runLoad({ ...load, tcpAddress, pid });
      console.log(report(before, during));
      console.log(`memory     ${memoryBefore} before, ${memoryOf(pid)} during`);
    } finally {
      for (const connection of connections) connection.close();
    }
  });
  // A graceful stop would save messages that nobody wants.
  await nsqd.kill();
}

async function openHostiles(address: string, { half, partial, unread, rdy }: Hostiles): Promise<Deno.Conn[]> {
  const consume = `  V2SUB ${TOPIC} ${CHANNEL}\nRDY ${rdy}\n`;
  // A body of 100 bytes is announced, and one of them sent.
  const publish = `  V2PUB ${TOPIC}\n\0\0\0\x64x`;
  const openings = [
    ...Array<string>(half).fill("  "),
    ...Array<string>(partial).fill(publish),
    ...Array<string>(unread).fill(consume),
  ];
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < openings.length; i += OPENED_AT_ONCE) {
    const some = openings.slice(i, i + OPENED_AT_ONCE);
    connections.push(...await Promise.all(some.map((sent) => open(address, sent))));
  }
  return connections;
}

async function open(address: string, sent: string): Promise<Deno.Conn> {
  const [hostname, port] = address.split(":");
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(sent));
  return connection;
}

function report(before: LoadResult, during: LoadResult): string {
  const row = (name: string, rate: (result: LoadResult) => number) => {
    const [alone, beside] = [rate(before), rate(during)];
    const ratio = (beside / alone).toFixed(2);
    return `${name}  ${describeCount(alone)} messages/s before, ${describeCount(beside)} during: ${ratio}`;
  };
  return [
    row("published", ({ published }) => published?.perSecond ?? 0),
    row("consumed ", ({ consumed }) => consumed?.perSecond ?? 0),
  ].join("\n");
}

function memoryOf(pid: number): string {
  const usage = readProcessUsage(pid);
  if (!usage) return "unknown";
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return `${mebibytes(usage.rssBytes)} (peak ${mebibytes(usage.peakRssBytes)})`;
}
