/**
 * Ten million waiting messages: fills a server with them, leaves them, takes them out again, and measures from
 * outside what they cost meanwhile: memory for a message, and the longest time in which the server did not
 * answer. It starts the server itself and throws the messages away at the end.
 *
 * @module
 */

import { AsyncGroup } from "../src/base/async_group.ts";
import { nsqdCommand, type NsqdProcess, startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { LoadConsumer } from "./load_consumer.ts";
import { LoadPublisher } from "./load_publisher.ts";
import { describeCount, describeMs } from "./load_report.ts";
import { Probe } from "./probe.ts";
import type { ProbePhase } from "./probe_worker.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/backlog.ts [flags]

--server 'COMMAND'        the nsqd to start, ports and data path are added (default: this project's)
--memory                  give it a --mem-queue-size that holds everything; without it the default
                          applies, and most messages wait on disk
--messages N --size BYTES (10000000, 200)
--probe tcp|http          ask by PUB to another topic, or by GET /ping (tcp)
--interval 5ms            between two questions
--rest 3s                 how long to leave the messages, and the empty server after them`;

const TOPIC = "backlog";
const CHANNEL = "backlog";
const CONNECTIONS = 2;
const RSS_INTERVAL_MS = 50;

interface BacklogOptions {
  readonly messages: number;
  readonly sizeBytes: number;
  readonly probe: "tcp" | "http";
  readonly intervalMs: number;
  readonly restMs: number;
}

interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly messages: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  readonly endRssBytes: number;
  readonly diskBytes: number;
  readonly probe: ProbePhase;
}

if (import.meta.main) {
  const names = ["server", "messages", "size", "probe", "interval", "rest"];
  const flags = new Flags({ usage: USAGE, names, switches: ["memory"] });
  const options: BacklogOptions = {
    messages: flags.count("messages") ?? 10_000_000,
    sizeBytes: flags.count("size") ?? 200,
    probe: flags.choice("probe", ["tcp", "http"]) ?? "tcp",
    intervalMs: flags.durationMs("interval") ?? 5,
    restMs: flags.durationMs("rest") ?? 3000,
  };
  const command = [
    ...flags.text("server")?.trim().split(/\s+/) ?? nsqdCommand(),
    ...flags.isSet("memory") ? [`--mem-queue-size=${2 * options.messages}`] : [],
  ];
  await using nsqd = await startNsqd({ command });
  const phases = await nsqd.run(() => measureBacklog(nsqd, options));
  // A graceful stop would have to save whatever is left.
  await nsqd.kill();
  console.log(describe(command, options, phases));
}

async function measureBacklog(nsqd: NsqdProcess, options: BacklogOptions): Promise<Phase[]> {
  const address = options.probe === "tcp" ? nsqd.tcpAddress : nsqd.httpAddress;
  using probe = new Probe({ kind: options.probe, address, intervalMs: options.intervalMs });
  // The channel exists before the first message, so that the messages wait in it.
  const subscribers = await openConsumers(nsqd.tcpAddress, options);
  for (const consumer of subscribers) consumer.close();
  const rest = () => pause(options.restMs);
  const phase = (name: string, messages: number, work: () => Promise<void>) =>
    measurePhase({ nsqd, probe, name, messages, work });
  return [
    await phase("start", 0, rest),
    await phase("fill", options.messages, () => fill(nsqd.tcpAddress, options)),
    await phase("rest", 0, rest),
    await phase("drain", options.messages, () => drain(nsqd.tcpAddress, options)),
    await phase("end", 0, rest),
  ];
}

async function measurePhase(
  options: { nsqd: NsqdProcess; probe: Probe; name: string; messages: number; work: () => Promise<void> },
): Promise<Phase> {
  const { nsqd, probe, name, messages, work } = options;
  const before = readProcessUsage(nsqd.pid);
  let peakRssBytes = before?.rssBytes ?? 0;
  const sample = () => {
    const usage = readProcessUsage(nsqd.pid);
    peakRssBytes = Math.max(peakRssBytes, usage?.rssBytes ?? 0);
    return usage;
  };
  const timer = setInterval(sample, RSS_INTERVAL_MS);
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  clearInterval(timer);
  const after = sample();
  return {
    name,
    seconds,
    messages,
    cpuSeconds: (after?.cpuSeconds ?? 0) - (before?.cpuSeconds ?? 0),
    peakRssBytes,
    endRssBytes: after?.rssBytes ?? 0,
    diskBytes: folderBytes(nsqd.dataPath),
    probe: await probe.endPhase(),
  };
}

async function fill(tcpAddress: string, options: BacklogOptions): Promise<void> {
  const { sizeBytes } = options;
  const messages = Math.ceil(options.messages / CONNECTIONS);
  const publishing = { topic: TOPIC, sizeBytes, batch: 200, window: 4, stamped: false, messages };
  await using work = new AsyncGroup();
  for (let i = 0; i < CONNECTIONS; i++) {
    const publisher = await LoadPublisher.open(tcpAddress, publishing);
    work.spawn("publisher", async (signal) => {
      await publisher.run(signal);
      publisher.close();
    });
  }
  await work.wait();
}

async function drain(tcpAddress: string, options: BacklogOptions): Promise<void> {
  const consumers = await openConsumers(tcpAddress, options);
  await using work = new AsyncGroup();
  for (const consumer of consumers) {
    consumer.onProgress = () => {
      const received = consumers.reduce((total, { received }) => total + received, 0);
      if (received >= options.messages) { for (const each of consumers) each.close(); }
    };
    work.spawn("consumer", () => consumer.run());
  }
  await work.wait();
}

async function openConsumers(tcpAddress: string, options: BacklogOptions): Promise<LoadConsumer[]> {
  const bufferBytes = 1024 * 1024 + 2 * options.sizeBytes;
  const consuming = { topic: TOPIC, channel: CHANNEL, rdy: 2500, stamped: false, bufferBytes };
  const consumers = [];
  for (let i = 0; i < CONNECTIONS; i++) consumers.push(await LoadConsumer.open(tcpAddress, consuming));
  return consumers;
}

function describe(command: readonly string[], options: BacklogOptions, phases: readonly Phase[]): string {
  const { messages, sizeBytes, probe, intervalMs } = options;
  const head = [
    ...["phase", "seconds", "messages/s", "server cores", "peak RSS MiB", "end RSS MiB", "disk MiB"],
    ...["answer p50", "p99", "max", "prober late p99", "max"],
  ];
  const rows = phases.map((phase) => [
    phase.name,
    phase.seconds.toFixed(1),
    phase.messages > 0 ? describeCount(phase.messages / phase.seconds) : "",
    (phase.cpuSeconds / phase.seconds).toFixed(2),
    mebibytes(phase.peakRssBytes),
    mebibytes(phase.endRssBytes),
    mebibytes(phase.diskBytes),
    ...describeProbe(phase.probe),
  ]);
  const rule = head.map((_, column) => column === 0 ? "---" : "---:");
  const [start, fill, rest] = phases;
  const perMessage = (bytes: number) => ((bytes - start.endRssBytes) / messages).toFixed(0);
  return [
    command.map((word) => word.replace(/^\/.*\//, "")).join(" "),
    `${describeCount(messages)} messages of ${sizeBytes} B, probed by ${probe} every ${intervalMs} ms`,
    "",
    ...[head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`),
    "",
    `memory for a message: ${perMessage(rest.endRssBytes)} B at rest, ${
      perMessage(fill.peakRssBytes)
    } B at the ` +
    `peak of filling; on disk ${(rest.diskBytes / messages).toFixed(0)} B`,
  ].join("\n");
}

function describeProbe({ answers, lateness }: ProbePhase): string[] {
  const latencies = [answers?.p50Ms, answers?.p99Ms, answers?.maxMs, lateness?.p99Ms, lateness?.maxMs];
  return latencies.map((ms) => ms === undefined ? "–" : describeMs(ms));
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

function folderBytes(path: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(path)) {
    const inner = `${path}/${entry.name}`;
    if (entry.isDirectory) bytes += folderBytes(inner);
    else bytes += fileBytes(inner);
  }
  return bytes;
}

function fileBytes(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    // The server may remove a file at any time.
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
